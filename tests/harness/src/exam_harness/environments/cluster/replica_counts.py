"""How many solver pods are ready over time."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from exam_harness.environments.cluster.deploy import NAMESPACE, RELEASE
from exam_harness.environments.cluster.kind import Cluster

LOOK_SECONDS = 1.0
SOLVER = f"{RELEASE}-solver"


@dataclass
class ReplicaCounts:
    """Ready pods by when they were counted (µs), oldest first."""

    counted: list[tuple[int, int]] = field(default_factory=list)

    @property
    def peak(self) -> int:
        """The most there were."""
        return max((count for _, count in self.counted), default=0)

    @property
    def latest(self) -> int:
        """How many there were when last counted."""
        return self.counted[-1][1] if self.counted else 0

    def at(self, instant: int) -> int:
        """How many there were at an instant: at the last count not after it."""
        return next((count for when, count in reversed(self.counted) if when <= instant), 0)


def ready_replicas(cluster: Cluster, deployment: str = SOLVER) -> int:
    """How many pods of a Deployment are ready."""
    words = ("--namespace", NAMESPACE, "get", "deployment", deployment, "--output=jsonpath={.status.readyReplicas}")
    return int(cluster.kubectl(*words) or 0)


@contextmanager
def count_ready_replicas(cluster: Cluster) -> Iterator[ReplicaCounts]:
    """Count the solver's ready pods every second for as long as this lasts."""
    replicas, over = ReplicaCounts(), threading.Event()

    def count() -> None:
        while True:
            ready = ready_replicas(cluster)
            replicas.counted.append((time.time_ns() // 1000, ready))
            if over.wait(LOOK_SECONDS):
                return

    thread = threading.Thread(target=count, name="solver-replicas", daemon=True)
    thread.start()
    try:
        yield replicas
    finally:
        over.set()
        thread.join()
