"""Remove superseded images from the managed engine: each change of a source file builds new ones."""

from collections import defaultdict

from exam_harness.environments.docker.engine import Engine
from exam_harness.environments.processes.cache import Echo

KEPT = 2
"""The number of tags to keep of each image, newest first."""
UNTAGGED_HOURS = 7 * 24
"""Untagged layers are kept this long, as the build cache."""


def prune(engine: Engine, echo: Echo) -> None:
    """Remove stopped containers, superseded images and old untagged layers."""
    engine.docker("container", "prune", "--force")
    older = superseded(engine.docker("image", "ls", "--format={{.Repository}}:{{.Tag}}").split())
    if older:
        echo(f"removing {len(older)} superseded images")
        engine.docker("image", "rm", *older)
    engine.docker("image", "prune", "--force", f"--filter=until={UNTAGGED_HOURS}h")


def superseded(names: list[str]) -> list[str]:
    """Return those of `names` (``repository:tag``, newest first) with at least `KEPT` newer tags."""
    tags: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if "<none>" not in name:
            tags[name.rpartition(":")[0]].append(name)
    return [name for newest_first in tags.values() for name in newest_first[KEPT:]]
