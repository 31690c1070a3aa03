"""Additions of a container engine to the host are found and undone."""

from collections.abc import Sequence

import pytest

from exam_harness.environments.docker import host_state
from exam_harness.environments.docker.host_state import HostState

BEFORE = [":INPUT ACCEPT", ":FORWARD ACCEPT", ":OUTPUT ACCEPT", ":MINE -", "-A INPUT -j MINE"]
NOW = [
    ":INPUT ACCEPT",
    ":FORWARD DROP",
    ":OUTPUT ACCEPT",
    ":MINE -",
    ":DOCKER -",
    ":DOCKER-USER -",
    "-A INPUT -j MINE",
    "-A FORWARD -j DOCKER-USER",
    '-A FORWARD -o docker0 -m comment --comment "the bridge" -j DOCKER',
    "-A DOCKER-USER -j RETURN",
]


@pytest.fixture
def commands(monkeypatch) -> list[list[str]]:
    """Records the commands instead of running them."""
    run: list[list[str]] = []

    def record(words: Sequence[str]) -> str:
        run.append(list(words))
        return ""

    monkeypatch.setattr(host_state, "run", record)
    return run


def _arguments(commands) -> list[str]:
    return [" ".join(words[4:]) for words in commands]


def test_added_rules_are_removed_and_no_others(commands) -> None:
    """If an engine added chains, rules and a policy, they are removed in a valid order; other rules are kept."""
    host_state._undo_rules("iptables", "filter", before=BEFORE, now=NOW)
    assert _arguments(commands) == [
        "-D FORWARD -j DOCKER-USER",
        "-D FORWARD -o docker0 -m comment --comment the bridge -j DOCKER",
        "-F DOCKER",
        "-F DOCKER-USER",
        "-X DOCKER",
        "-X DOCKER-USER",
        "-P FORWARD ACCEPT",
    ]


def test_unchanged_rules_are_not_touched(commands) -> None:
    """If no rule was added, no command is run."""
    host_state._undo_rules("iptables", "filter", before=BEFORE, now=BEFORE)
    assert commands == []


def test_a_machine_without_iptables_has_no_rules(monkeypatch, tmp_path) -> None:
    """The snapshot before the very first cluster of a machine is taken before iptables is installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert HostState.capture().rules == {}


def test_a_snapshot_round_trips_through_a_file(tmp_path) -> None:
    """If one command creates the cluster and another deletes it, the snapshot from before is available."""
    snapshot = HostState(
        ("eth0", "lo"), {"iptables filter": BEFORE}, {"net/ipv4/ip_forward": "0"}, ("/", "/proc"), ("runc 7",)
    )
    snapshot.save(tmp_path / "before.json")
    assert HostState.load(tmp_path / "before.json") == snapshot


def test_every_addition_is_listed() -> None:
    """If an engine left something behind, each addition is listed; what the kernel created by itself is not."""
    before = HostState(("lo",), {}, {"net/ipv4/ip_forward": "0"}, ("/",))
    now = HostState(
        ("br-1", "lo"),
        {"iptables filter": NOW},
        {"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"},
        ("/", "/run/exam-platform/docker/netns/default"),
        ("dockerd 12",),
    )
    added = now.added_since(before)
    assert "interface br-1" in added
    assert "iptables filter :FORWARD DROP" in added
    assert "iptables filter :DOCKER -" in added
    assert "net/ipv4/ip_forward is 1, not 0" in added
    assert "mount /run/exam-platform/docker/netns/default" in added
    assert "process dockerd 12" in added
    assert not [each for each in added if "INPUT ACCEPT" in each or "bridge-nf" in each]
    assert now.added_since(now) == []
