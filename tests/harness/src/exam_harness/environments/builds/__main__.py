"""``python -m exam_harness.environments.builds [NAME...]``: build programs from Go modules into the cache.

Safe to run at any time, concurrently, and after an interruption. Without names it builds what the tests without a
cluster need.
"""

import sys

from exam_harness.environments.builds.binaries import BINARIES, TEST_BINARIES
from exam_harness.environments.builds.go import build
from exam_harness.environments.processes.cache import cache_lock, setup_progress
from exam_harness.environments.processes.process import HarnessError


def main(names: list[str]) -> None:
    """Build the named programs, or those that the tests without a cluster need."""
    with setup_progress() as echo, cache_lock(echo):
        build([BINARIES[name] for name in names] or TEST_BINARIES, echo)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except HarnessError as error:
        sys.exit(f"set-up: {error}")
