"""``python -m exam_harness.environments.cluster.down``: remove the cluster, and the engine if `up` started it."""

import sys

from exam_harness.environments.cluster import engine as engines
from exam_harness.environments.cluster.kind import Cluster
from exam_harness.environments.cluster.steps import Steps
from exam_harness.environments.cluster.tidy import tidy
from exam_harness.environments.processes.places import cache
from exam_harness.environments.processes.process import StackError


def main() -> int:
    """Take it down; the exit code."""
    with Steps("make down") as steps:
        engine = engines.running()
        if engine is None:
            steps.say("no Docker engine runs, so nothing of ours does")
        else:
            steps.run("cluster", lambda: Cluster(engine).delete(steps.say))
            if engine.ours:
                steps.run("images", lambda: tidy(engine, steps.say))
                steps.run("engine", lambda: engines.stop(steps.say))
        steps.say(f"kept: what was built, in {cache()}, and Debian's packages: {', '.join(engines.PACKAGES)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (StackError, TimeoutError) as error:
        sys.exit(f"make down: {error}")
