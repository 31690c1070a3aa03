"""Prometheus metrics, and how those of all processes of a worker are aggregated.

Prometheus' client chooses on its first import, by PROMETHEUS_MULTIPROC_DIR, whether values are kept in memory or in
files that the processes of a worker share. So the worker's command sets the variable before this module is imported.
"""

import os
from collections.abc import Callable, Iterator

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from exam_grader.broker.redis_broker import QUEUES, RedisBroker
from exam_grader.errors import RETRYABLE_BROKER_ERRORS
from exam_runtime.metrics import exposition

MULTIPROC = "PROMETHEUS_MULTIPROC_DIR"
_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

CHUNKS_GRADED = Counter(
    "exam_grader_chunks",
    "Chunk tasks, by outcome: graded, repeated (graded before) or failed.",
    ["outcome"],
)
GRADE_SECONDS = Histogram("exam_grader_grade_seconds", "Duration of grading a chunk in seconds.", buckets=_BUCKETS)
SEAL_SECONDS = Histogram("exam_grader_seal_seconds", "Duration of sealing a bucket in seconds.", buckets=_BUCKETS)
REENQUEUED = Counter(
    "exam_grader_reenqueued_chunks", "Chunks that were enqueued again because their ledger had stalled."
)
DAMAGED = Counter("exam_grader_damaged_seals", "Seals that differ from what PostgreSQL recorded; none was graded from.")
PASSES = Counter(
    "exam_grader_coordinator_passes",
    "Runs of the coordinate task, by the sitting's phase at the end, or failed or refused.",
    ["phase"],
)


class BrokerCollector(Collector):
    """Queries the broker at each scrape."""

    def __init__(self, broker: RedisBroker) -> None:
        self._broker = broker

    def collect(self) -> Iterator[Metric]:
        """The broker's gauges; without a broker there is no queue depth."""
        depth = GaugeMetricFamily("exam_grader_queue_depth", "Tasks that wait for a worker.", labels=["queue"])
        up = GaugeMetricFamily("exam_grader_broker_up", "Whether the broker answers.")
        try:
            for queue in QUEUES:
                depth.add_metric([queue], self._broker.queue_depth(queue))
        except RETRYABLE_BROKER_ERRORS:
            up.add_metric([], 0)
        else:
            up.add_metric([], 1)
            yield depth
        yield up


def scrape(broker: RedisBroker) -> Callable[[], bytes]:
    """A function that renders this process's metrics, or those of all of a worker's, and the broker's state."""
    collector = BrokerCollector(broker)

    def render() -> bytes:
        registry = CollectorRegistry()
        if MULTIPROC in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the client's own
        else:
            registry.register(_DefaultRegistryCollector())
        registry.register(collector)
        return exposition(registry)

    return render


class _DefaultRegistryCollector(Collector):
    """The default registry of a single process."""

    def collect(self) -> Iterator[Metric]:
        yield from REGISTRY.collect()
