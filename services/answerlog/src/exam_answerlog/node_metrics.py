"""Metrics of Cassandra's nodes, from the virtual tables that each node answers about itself."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

Row = Sequence[Any]

POOLS: Final = "pools"
READS: Final = "reads"
WRITES: Final = "writes"
DISK: Final = "disk"
HINTS: Final = "hints"
CLIENTS: Final = "clients"
TASKS: Final = "tasks"
MESSAGES: Final = "messages"
_SPACE: Final = "system_views"
"""The virtual keyspace in which each node reports about itself."""
TABLES: Final[Mapping[str, str]] = {
    POOLS: f"{_SPACE}.thread_pools",
    READS: f"{_SPACE}.coordinator_read_latency",
    WRITES: f"{_SPACE}.coordinator_write_latency",
    DISK: f"{_SPACE}.disk_usage",
    HINTS: f"{_SPACE}.pending_hints",
    CLIENTS: f"{_SPACE}.clients",
    TASKS: f"{_SPACE}.sstable_tasks",
    MESSAGES: f"{_SPACE}.internode_outbound",
}
"""What is read of each node."""
_COLUMNS: Final[Mapping[str, str]] = {
    POOLS: "name, active_tasks, pending_tasks, blocked_tasks, completed_tasks, blocked_tasks_all_time",
    READS: "keyspace_name, table_name, count, p50th_ms, p99th_ms",
    WRITES: "keyspace_name, table_name, count, p50th_ms, p99th_ms",
    DISK: "keyspace_name, table_name, mebibytes",
    HINTS: "files",
    CLIENTS: "username",
    TASKS: "kind",
    MESSAGES: "address, expired_count",
}
QUERIES: Final[Mapping[str, str]] = {
    name: f"SELECT {columns} FROM {TABLES[name]}"  # noqa: S608 - constants
    for name, columns in _COLUMNS.items()
}
"""Sums are computed here, because virtual tables are small and are scanned anyway."""
MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Node:
    """What one node answered.

    Attributes:
        address: the address that clients connect to.
        rack: its rack; empty while it is unknown.
        answers: the rows of each query of `QUERIES`; None if the node did not answer.
    """

    address: str
    rack: str
    answers: Mapping[str, Iterable[Row]] | None = field(repr=False)


def node_metrics(nodes: Iterable[Node], keyspace: str) -> Iterator[Metric]:
    """Return the metrics of the nodes; those of tables, of one keyspace."""
    up = GaugeMetricFamily("exam_cassandra_up", "Whether the node answers queries.", labels=("node", "rack"))
    families = _Families()
    for node in nodes:
        up.add_metric((node.address, node.rack), float(node.answers is not None))
        if node.answers is not None:
            families.add(node.address, node.answers, keyspace)
    yield up
    yield from families.all()


class _Families:
    """The families that have samples only of nodes that answer."""

    def __init__(self) -> None:
        prefix = "exam_cassandra"
        self._pool_tasks = GaugeMetricFamily(
            f"{prefix}_pool_tasks", "Tasks of a thread pool by state.", labels=("node", "pool", "state")
        )
        self._pool_completed = CounterMetricFamily(
            f"{prefix}_pool_completed_tasks", "Tasks that a thread pool has completed.", labels=("node", "pool")
        )
        self._pool_blocked = CounterMetricFamily(
            f"{prefix}_pool_blocked_tasks", "Tasks that a full queue of a thread pool blocked.", labels=("node", "pool")
        )
        self._requests = CounterMetricFamily(
            f"{prefix}_requests", "Requests that the node coordinated.", labels=("node", "table", "operation")
        )
        self._latency = GaugeMetricFamily(
            f"{prefix}_request_latency_seconds",
            "Quantiles of the latency of coordinated requests, of recent minutes, to the millisecond.",
            labels=("node", "table", "operation", "quantile"),
        )
        self._disk = GaugeMetricFamily(
            f"{prefix}_table_bytes", "Size of a table on the node's disk.", labels=("node", "table")
        )
        self._hints = GaugeMetricFamily(
            f"{prefix}_pending_hint_files", "Files of writes that other nodes have missed.", labels=("node",)
        )
        self._clients = GaugeMetricFamily(
            f"{prefix}_client_connections", "Connections of clients.", labels=("node", "role")
        )
        self._tasks = GaugeMetricFamily(
            f"{prefix}_sstable_tasks", "Compactions and similar tasks in progress.", labels=("node", "kind")
        )
        self._expired = CounterMetricFamily(
            f"{prefix}_expired_messages",
            "Messages to another node that were not sent in time.",
            labels=("node", "peer"),
        )

    def add(self, node: str, answers: Mapping[str, Iterable[Row]], keyspace: str) -> None:
        """Add the samples of a node."""
        self._add_pools(node, answers[POOLS])
        for operation, name in (("read", READS), ("write", WRITES)):
            self._add_requests(node, operation, (row[1:] for row in answers[name] if row[0] == keyspace))
        for space, table, mebibytes in answers[DISK]:
            if space == keyspace:
                self._disk.add_metric((node, table), mebibytes * MEBIBYTE)
        self._hints.add_metric((node,), sum(files for (files,) in answers[HINTS]))
        for family, name in ((self._clients, CLIENTS), (self._tasks, TASKS)):
            for label, count in Counter(label for (label,) in answers[name]).items():
                family.add_metric((node, label), count)
        for peer, expired in answers[MESSAGES]:
            self._expired.add_metric((node, str(peer)), expired)

    def _add_pools(self, node: str, rows: Iterable[Row]) -> None:
        for pool, active, pending, blocked, completed, blocked_ever in rows:
            for state, count in (("active", active), ("pending", pending), ("blocked", blocked)):
                self._pool_tasks.add_metric((node, pool, state), count)
            self._pool_completed.add_metric((node, pool), completed)
            self._pool_blocked.add_metric((node, pool), blocked_ever)

    def _add_requests(self, node: str, operation: str, rows: Iterable[Row]) -> None:
        """Add the tables of the keyspace that were ever asked for.

        The columns are named after milliseconds, and Cassandra 5.0 fills them with seconds: its timers count
        microseconds, which the virtual table scales as if they were nanoseconds.
        """
        for table, count, *seconds in rows:
            if not count:
                continue
            self._requests.add_metric((node, table, operation), count)
            for quantile, value in zip(("0.5", "0.99"), seconds, strict=True):
                if value is not None:
                    self._latency.add_metric((node, table, operation, quantile), value)

    def all(self) -> Iterator[Metric]:
        """Return every family, also those without samples."""
        yield from vars(self).values()
