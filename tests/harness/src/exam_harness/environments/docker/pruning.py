"""What builds leave in our own engine, kept from growing: each change of a source makes new images."""

from collections import defaultdict

from exam_harness.environments.docker.engine import Engine
from exam_harness.environments.processes.cache import Echo

KEPT = 2
"""Of each image so many stay, the newest: what is gone back to is seldom older."""
UNNAMED_HOURS = 7 * 24
"""Layers without a name stay so long: they are what the next build starts from."""


def prune(engine: Engine, echo: Echo) -> None:
    """Remove ended containers, all but the newest of each image, and unnamed layers of long ago."""
    engine.docker("container", "prune", "--force")
    older = superseded(engine.docker("image", "ls", "--format={{.Repository}}:{{.Tag}}").split())
    if older:
        echo(f"{len(older)} images of earlier sources are removed")
        engine.docker("image", "rm", *older)
    engine.docker("image", "prune", "--force", f"--filter=until={UNNAMED_HOURS}h")


def superseded(names: list[str]) -> list[str]:
    """Those of `names` ("repository:tag", the newest first) that have enough newer ones of their repository."""
    tags: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if "<none>" not in name:
            tags[name.rpartition(":")[0]].append(name)
    return [name for of_one in tags.values() for name in of_one[KEPT:]]
