"""Record the number of ready solver pods over time."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from exam_harness.environments.cluster.deploy import NAMESPACE, RELEASE
from exam_harness.environments.cluster.kind import Cluster

POLL_SECONDS = 1.0
SOLVER = f"{RELEASE}-solver"


@dataclass
class ReplicaCounts:
    """Samples of (instant in µs, ready pods), oldest first."""

    samples: list[tuple[int, int]] = field(default_factory=list)

    @property
    def peak(self) -> int:
        """The largest count."""
        return max((count for _, count in self.samples), default=0)

    @property
    def latest(self) -> int:
        """The most recent count."""
        return self.samples[-1][1] if self.samples else 0

    def at(self, instant: int) -> int:
        """Return the count at an instant: that of the last sample not after it."""
        return next((count for when, count in reversed(self.samples) if when <= instant), 0)


def ready_replicas(cluster: Cluster, deployment: str = SOLVER) -> int:
    """Return the number of ready pods of a Deployment."""
    query = ("--namespace", NAMESPACE, "get", "deployment", deployment, "--output=jsonpath={.status.readyReplicas}")
    return int(cluster.kubectl(*query) or 0)


@contextmanager
def count_ready_replicas(cluster: Cluster) -> Iterator[ReplicaCounts]:
    """Sample the number of ready solver pods every second inside the block."""
    replicas, stopped = ReplicaCounts(), threading.Event()

    def count() -> None:
        while True:
            ready = ready_replicas(cluster)
            replicas.samples.append((time.time_ns() // 1000, ready))
            if stopped.wait(POLL_SECONDS):
                return

    thread = threading.Thread(target=count, name="solver-replicas", daemon=True)
    thread.start()
    try:
        yield replicas
    finally:
        stopped.set()
        thread.join()
