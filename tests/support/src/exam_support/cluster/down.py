"""``python -m exam_support.cluster.down``: nothing is left of the cluster, and of the engine if it was ours."""

import sys

from exam_support.cluster import engine as engines
from exam_support.cluster.kind import Cluster
from exam_support.cluster.steps import Steps
from exam_support.cluster.tidy import tidy
from exam_support.stack.places import cache
from exam_support.stack.process import StackError


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
