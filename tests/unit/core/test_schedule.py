"""A sitting in the schedule that solvers read."""

from typing import Any
from uuid import UUID

import pytest

from exam_core.entry import RESTRICTED, EntryRules, read_networks
from exam_core.schedule import ScheduledSitting, State
from exam_core.windows import Pause, Window

BODY: dict[str, Any] = {
    "id": "6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10",
    "state": "scheduled",
    "epoch": 42,
    "level": "year-1",
    "paper": "ab" * 32,
    "buckets": 3,
    "window": {
        "opens_at": 0,
        "closes_at": 10,
        "duration": 5,
        "pauses": [[1, 2], [3, None]],
        "stopped_at": None,
        "extra_past_close": True,
    },
    "accommodations": {"17": 600_000_000},
}


def test_a_sitting_is_read_from_the_lease_functions_result() -> None:
    """The solver reads the window, its pauses and the accommodations by student."""
    sitting = ScheduledSitting.from_json(BODY)
    assert sitting == ScheduledSitting(
        id=UUID(BODY["id"]),
        state=State.SCHEDULED,
        epoch=42,
        level="year-1",
        window=Window(opens_at=0, closes_at=10, duration=5, pauses=(Pause(began=1, ended=2), Pause(began=3))),
        paper="ab" * 32,
        buckets=3,
        accommodations={17: 600_000_000},
    )


def test_the_rules_of_starts_are_read() -> None:
    """The solver reads who of the level may start; the level outside of the rules is for releases without them."""
    entry = {"level": "year-1", "students": [3, 4], "code": "scrypt$00$00", "networks": ["10.0.0.0/8", "2001:db8::/32"]}
    sitting = ScheduledSitting.from_json(BODY | {"level": RESTRICTED, "entry": entry})
    assert sitting.level == "year-1"
    networks = read_networks(["10.0.0.0/8", "2001:db8::/32"])
    assert sitting.entry == EntryRules(students=frozenset({3, 4}), code="scrypt$00$00", networks=networks)
    assert ScheduledSitting.from_json(BODY | {"entry": None}).entry == EntryRules()
    with pytest.raises(ValueError, match="network"):
        ScheduledSitting.from_json(BODY | {"entry": entry | {"networks": ["somewhere"]}})


def test_an_unknown_state_is_rejected() -> None:
    """A newer PostgreSQL schema does not make an older solver accept answers by mistake."""
    with pytest.raises(ValueError, match="paused"):
        ScheduledSitting.from_json(BODY | {"state": "paused"})
