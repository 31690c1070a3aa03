"""Whether this machine uses official images or builds them from package registries."""

import os
import re
from collections.abc import Mapping

from exam_harness.environments.docker.engine import Engine
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.processes.shell import run

PROBE_IMAGE = "hello-world"
"""A small image that is pulled to find out whether a registry can be reached."""
PROBE_SECONDS = 60
OFFICIAL, PACKAGES = "official", "packages"
_HINT = "try again later, run `docker login`, or set EXAM_IMAGES=packages to build all images here"
_BUSY = re.compile(r"too ?many ?requests|rate limit|timed out|timeout|deadline exceeded|503|502", re.IGNORECASE)


def uses_packages(engine: Engine, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether images are built from package registries, because no image registry can be reached.

    ``EXAM_IMAGES`` (official or packages) decides without a probe.

    Raises:
        HarnessError: a registry exists but is slow or limits requests; building for half an hour is not what was
            asked for.
    """
    configured = environ.get("EXAM_IMAGES", "")
    if configured not in ("", OFFICIAL, PACKAGES):
        raise HarnessError(f"EXAM_IMAGES is {configured!r}: set it to {OFFICIAL} or {PACKAGES}")
    if configured or engine.has_image(PROBE_IMAGE):
        return configured == PACKAGES
    try:
        run(["docker", "pull", "--quiet", PROBE_IMAGE], env=engine.env, seconds=PROBE_SECONDS)
    except HarnessError as error:
        if is_busy(str(error)):
            raise HarnessError(f"the image registry is slow or limits requests: {_HINT}\n{error}") from error
        return True
    return False


def is_busy(error: str) -> bool:
    """Return whether a failed pull reached a registry, by the error of docker."""
    return _BUSY.search(error) is not None
