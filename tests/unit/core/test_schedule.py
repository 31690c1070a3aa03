"""What a solver is told of a sitting."""

from typing import Any
from uuid import UUID

import pytest

from exam_core.schedule import ScheduledSitting, State
from exam_core.windows import Pause, Window

TOLD: dict[str, Any] = {
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


def test_a_sitting_is_read_as_the_lease_function_tells_it() -> None:
    """The solver knows the window, its pauses and who has more time, by number."""
    sitting = ScheduledSitting.from_json(TOLD)
    assert sitting == ScheduledSitting(
        id=UUID(TOLD["id"]),
        state=State.SCHEDULED,
        epoch=42,
        level="year-1",
        window=Window(opens_at=0, closes_at=10, duration=5, pauses=(Pause(began=1, ended=2), Pause(began=3))),
        paper="ab" * 32,
        buckets=3,
        accommodations={17: 600_000_000},
    )


def test_a_state_that_is_not_known_is_not_guessed() -> None:
    """A newer PostgreSQL does not make an older solver accept answers by mistake."""
    with pytest.raises(ValueError, match="paused"):
        ScheduledSitting.from_json(TOLD | {"state": "paused"})
