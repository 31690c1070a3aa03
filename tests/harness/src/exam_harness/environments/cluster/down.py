"""``python -m exam_harness.environments.cluster.down``: delete the cluster, and stop the engine if `up` started it."""

import sys

from exam_harness.environments.cluster.kind import Cluster
from exam_harness.environments.docker import engine as engines
from exam_harness.environments.docker.pruning import prune
from exam_harness.environments.processes.paths import cache
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.steps import Steps


def main() -> int:
    """Delete the cluster; return the exit code."""
    with Steps("make down") as steps:
        engine = engines.find_running()
        if engine is None:
            steps.echo("no Docker engine is running: nothing to delete")
        else:
            steps.run("cluster", lambda: Cluster(engine).delete(steps.echo))
            if engine.managed:
                steps.run("images", lambda: prune(engine, steps.echo))
                steps.run("engine", lambda: engines.stop(steps.echo))
        steps.echo(f"kept: the cache {cache()} and the Debian packages {', '.join(engines.PACKAGES)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (HarnessError, TimeoutError) as error:
        sys.exit(f"make down: {error}")
