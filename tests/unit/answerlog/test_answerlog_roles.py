"""The nodes that replicate roles. Replacing the superuser of a real node is an integration test."""

from cassandra.connection import DefaultEndPoint
from cassandra.policies import SimpleConvictionPolicy
from cassandra.pool import Host

from exam_answerlog.roles import nodes_up


def _node(number: int, data_center: str, *, up: bool) -> Host:
    node = Host(DefaultEndPoint(f"127.0.0.{number}"), SimpleConvictionPolicy)
    node.set_location_info(data_center, "rack1")
    node.is_up = up
    return node


def test_only_local_nodes_hold_replicas() -> None:
    """Nodes of other data centres, and nodes that are down, do not count as replicas."""
    here, down, there = _node(1, "here", up=True), _node(2, "here", up=False), _node(3, "there", up=True)
    assert nodes_up([there, down, here], "here") == [here]
