"""``python -m exam_harness.environments.cluster.up``: a cluster on this machine with the platform in it."""

import argparse
import sys
from dataclasses import dataclass

from exam_harness.environments.cluster import engine as engines
from exam_harness.environments.cluster import images
from exam_harness.environments.cluster.deploy import deploy_addons, deploy_platform
from exam_harness.environments.cluster.engine import Engine
from exam_harness.environments.cluster.kind import ENV, Cluster
from exam_harness.environments.cluster.node_image import node_image
from exam_harness.environments.cluster.shell import succeeds
from exam_harness.environments.cluster.steps import Steps
from exam_harness.environments.control_plane.install import FOR_A_CLUSTER, METRICS_SERVER, TRAEFIK, build
from exam_harness.environments.processes.cached import one_at_a_time
from exam_harness.environments.processes.process import StackError
from exam_harness.scenarios.reporting.run_context import shown

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
    with one_at_a_time(steps.say):
        steps.run(
            "platform",
            lambda: deploy_platform(
                made.cluster, steps.say, tags=made.tags, from_packages=made.from_packages, port=made.port
            ),
        )
    return made


def bring_up_cluster(steps: Steps, *, port: int) -> Platform:
    """The same without the platform itself: the cluster has all images and addons."""
    say = steps.say
    with one_at_a_time(say):
        engine = steps.run("engine", lambda: engines.bring_up(say))
        from_packages = not registry_answers(engine)
        say(
            "no image registry answers: everything is built from package registries"
            if from_packages
            else "an image registry answers: the official images are used"
        )
        _, (stores, tags) = steps.both(
            lambda: steps.run("programs", lambda: build(FOR_A_CLUSTER, say)),
            lambda: _images(engine, steps, from_packages=from_packages),
        )
        cluster = Cluster(engine)
        addons = [images.build_program(engine, say, binary) for binary in (METRICS_SERVER, TRAEFIK)]
        node = (
            steps.run("node image", lambda: node_image(engine, say, preloaded=[*stores, *addons]))
            if from_packages
            else None
        )
        if not cluster.comes_back(say):
            cluster.delete(say)
            steps.run("cluster", lambda: cluster.create(say, image=node, port=port))
        names = [images.named(service, tag) for service, tag in tags.items()]
        # The node that is built from packages has these already.
        cluster.load(say, [*stores, *addons])
        steps.both(
            lambda: steps.run("images into the cluster", lambda: cluster.load(say, names)),
            lambda: steps.run(
                "addons", lambda: deploy_addons(cluster, say, metrics_server=addons[0], traefik=addons[1])
            ),
        )
    if cluster.port != port:
        say(f"the cluster that runs has port {cluster.port}; make down first, for another")
    return Platform(cluster, from_packages, tags, cluster.port)


def registry_answers(engine: Engine) -> bool:
    """Whether images can be pulled here."""
    return succeeds(["docker", "pull", "--quiet", PROBE_IMAGE], env=engine.env, seconds=PROBE_SECONDS)


def _images(engine: Engine, steps: Steps, *, from_packages: bool) -> tuple[list[str], dict[str, str]]:
    """The stores' images, where they are not pulled, and the tags of the services'."""
    say = steps.say
    stores: list[str] = []
    if from_packages:
        steps.run("bases", lambda: images.build_bases(engine, say))
        stores = steps.run("stores' images", lambda: images.build_stores(engine, say))
    tags = steps.run("services' images", lambda: images.build_services(engine, say, from_packages=from_packages))
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
    print(f"kubectl:     source {shown(ENV)}")
    print("an exam:     make exam      and when you are done: make down")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (StackError, TimeoutError) as error:
        sys.exit(f"make up: {error}")
