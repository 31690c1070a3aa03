"""What the grader counts, and how the counts of all of a worker's processes come together.

Prometheus' client decides when it is first imported whether counts live in memory or in files that the processes of a
worker share, by PROMETHEUS_MULTIPROC_DIR. So the worker's command sets that first and imports this module afterwards.
"""

import os
from collections.abc import Callable, Iterator

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from exam_grader.broker.redis_broker import QUEUES, Broker
from exam_grader.errors import RETRYABLE_BROKER_ERRORS

MULTIPROC = "PROMETHEUS_MULTIPROC_DIR"
_SPANS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

CHUNKS_GRADED = Counter(
    "exam_grader_chunks",
    "Chunks that a grader took up, by outcome: graded, repeated (it was graded before) or failed.",
    ["outcome"],
)
GRADE_SECONDS = Histogram("exam_grader_grade_seconds", "How long a chunk took to grade.", buckets=_SPANS)
SEAL_SECONDS = Histogram("exam_grader_seal_seconds", "How long a bucket took to seal.", buckets=_SPANS)
REENQUEUED = Counter(
    "exam_grader_reenqueued_chunks", "Chunks that were handed out again because their ledger stood still."
)
DAMAGED = Counter(
    "exam_grader_damaged_seals", "Seals that were not what PostgreSQL recorded; nothing was graded from them."
)
PASSES = Counter(
    "exam_grader_coordinator_passes",
    "Times a coordinator went over a sitting, by where it left it; failed and refused among them.",
    ["phase"],
)


class BrokerCollector(Collector):
    """Asks the broker at each scrape: how many tasks wait, and whether it answers at all."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def collect(self) -> Iterator[Metric]:
        """The gauges of this moment; without a broker there is no depth to tell."""
        depth = GaugeMetricFamily("exam_grader_queue_depth", "Tasks that wait for a worker.", labels=["queue"])
        up = GaugeMetricFamily("exam_grader_broker_up", "Whether the broker answers.")
        try:
            for queue in QUEUES:
                depth.add_metric([queue], self._broker.depth(queue))
        except RETRYABLE_BROKER_ERRORS:
            up.add_metric([], 0)
        else:
            up.add_metric([], 1)
            yield depth
        yield up


def exposition(broker: Broker) -> Callable[[], bytes]:
    """What answers a scrape: the counts of this process, or of all of a worker's, and the broker's state."""
    collector = BrokerCollector(broker)

    def render() -> bytes:
        registry = CollectorRegistry()
        if MULTIPROC in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the client's own
        else:
            registry.register(_Default())
        registry.register(collector)
        return generate_latest(registry)

    return render


class _Default(Collector):
    """The counts of a process that has no others beside it."""

    def collect(self) -> Iterator[Metric]:
        yield from REGISTRY.collect()
