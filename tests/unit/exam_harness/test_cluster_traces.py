"""What a container engine leaves in a machine's network, and that all of it is found."""

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
    """The commands that would have been run."""
    run: list[list[str]] = []
    monkeypatch.setattr(host_state, "run", lambda words: run.append(list(words)) or "")
    return run


def _said(commands) -> list[str]:
    return [" ".join(words[4:]) for words in commands]


def test_what_was_added_is_taken_away_and_nothing_else(commands) -> None:
    """If an engine added chains, rules and a policy, they go in an order that works; what was there stays."""
    host_state._take_away("iptables", "filter", before=BEFORE, now=NOW)
    assert _said(commands) == [
        "-D FORWARD -j DOCKER-USER",
        "-D FORWARD -o docker0 -m comment --comment the bridge -j DOCKER",
        "-F DOCKER",
        "-F DOCKER-USER",
        "-X DOCKER",
        "-X DOCKER-USER",
        "-P FORWARD ACCEPT",
    ]


def test_nothing_is_done_where_nothing_was_added(commands) -> None:
    """If the rules are as they were, none is touched."""
    host_state._take_away("iptables", "filter", before=BEFORE, now=BEFORE)
    assert commands == []


def test_traces_survive_a_file(tmp_path) -> None:
    """If another command takes the cluster down than brought it up, it knows what was there before."""
    seen = HostState(
        ("eth0", "lo"), {"iptables filter": BEFORE}, {"net/ipv4/ip_forward": "0"}, ("/", "/proc"), ("runc 7",)
    )
    seen.save(tmp_path / "before.json")
    assert HostState.load(tmp_path / "before.json") == seen


def test_everything_that_is_left_is_named() -> None:
    """If something is left of an engine, each piece is told; what the kernel made of itself is not."""
    before = HostState(("lo",), {}, {"net/ipv4/ip_forward": "0"}, ("/",))
    now = HostState(
        ("br-1", "lo"),
        {"iptables filter": NOW},
        {"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"},
        ("/", "/run/exam-platform/docker/netns/default"),
        ("dockerd 12",),
    )
    left = now.added_since(before)
    assert "interface br-1" in left
    assert "iptables filter :FORWARD DROP" in left
    assert "iptables filter :DOCKER -" in left
    assert "net/ipv4/ip_forward is 1, not 0" in left
    assert "mount /run/exam-platform/docker/netns/default" in left
    assert "process dockerd 12" in left
    assert not [each for each in left if "INPUT ACCEPT" in each or "bridge-nf" in each]
    assert now.added_since(now) == []
