"""Metrics of Cassandra's nodes, computed from the rows of their virtual tables."""

from typing import Any

from exam_answerlog.node_metrics import (
    CLIENTS,
    DISK,
    HINTS,
    MESSAGES,
    POOLS,
    QUERIES,
    READS,
    TASKS,
    WRITES,
    Node,
    node_metrics,
)

ANSWERS: dict[str, list[tuple[Any, ...]]] = {
    POOLS: [("ReadStage", 2, 7, 0, 100, 1)],
    READS: [("exam", "papers", 5, 0.0015, 0.02), ("system", "local", 9, 0.1, 0.1)],
    WRITES: [("exam", "answers", 0, None, None)],
    DISK: [("exam", "answers", 3), ("system", "local", 1)],
    HINTS: [(2,), (3,)],
    CLIENTS: [("exam",), ("exam",), ("exam_monitoring",)],
    TASKS: [("compaction",)],
    MESSAGES: [("10.0.0.2", 4)],
}


def _samples(*nodes: Node) -> dict[str, dict[tuple[str, ...], float]]:
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in node_metrics(nodes, "exam"):
        for sample in family.samples:
            samples = found.setdefault(sample.name.removeprefix("exam_cassandra_"), {})
            samples[tuple(sample.labels.values())] = sample.value
    return found


def test_every_query_has_a_metric() -> None:
    """If a table is read, what it has is exported."""
    assert ANSWERS.keys() == QUERIES.keys()
    assert _samples(Node("10.0.0.1", "a", ANSWERS)) == {
        "up": {("10.0.0.1", "a"): 1},
        "pool_tasks": {
            ("10.0.0.1", "ReadStage", "active"): 2,
            ("10.0.0.1", "ReadStage", "pending"): 7,
            ("10.0.0.1", "ReadStage", "blocked"): 0,
        },
        "pool_completed_tasks_total": {("10.0.0.1", "ReadStage"): 100},
        "pool_blocked_tasks_total": {("10.0.0.1", "ReadStage"): 1},
        "requests_total": {("10.0.0.1", "papers", "read"): 5},
        "request_latency_seconds": {
            ("10.0.0.1", "papers", "read", "0.5"): 0.0015,
            ("10.0.0.1", "papers", "read", "0.99"): 0.02,
        },
        "table_bytes": {("10.0.0.1", "answers"): 3 * 1024 * 1024},
        "pending_hint_files": {("10.0.0.1",): 5},
        "client_connections": {("10.0.0.1", "exam"): 2, ("10.0.0.1", "exam_monitoring"): 1},
        "sstable_tasks": {("10.0.0.1", "compaction"): 1},
        "expired_messages_total": {("10.0.0.1", "10.0.0.2"): 4},
    }


def test_a_node_that_does_not_answer_is_down() -> None:
    """If one of two nodes does not answer, it is not up, and the metrics of the other are exported."""
    samples = _samples(Node("10.0.0.1", "a", ANSWERS), Node("10.0.0.2", "b", None))
    assert samples["up"] == {("10.0.0.1", "a"): 1, ("10.0.0.2", "b"): 0}
    assert {node for node, *_ in samples["pool_tasks"]} == {"10.0.0.1"}
