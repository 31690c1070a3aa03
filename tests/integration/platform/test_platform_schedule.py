"""Sittings where no operator runs: scheduled from the command line, like Compose's."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from exam_harness.environments.processes.process import HarnessError

pytestmark = pytest.mark.integration


def _words(sitting, changed=()) -> list[str]:
    now = datetime.now(UTC).replace(microsecond=0)
    window = {"opens-at": now + timedelta(hours=1), "closes-at": now + timedelta(hours=3)}
    given = {"exam": sitting.name, **{name: each.isoformat() for name, each in window.items()}, "minutes": "90"}
    given |= dict(changed)
    return [word for name, value in given.items() for word in (f"--{name}", value)]


def test_a_sitting_is_scheduled_from_the_command_line(platform) -> None:
    """If I schedule a sitting by command, the platform has it with my window, and its paper is with the solvers."""
    exam = platform.sitting()
    said = platform.stack.web_command("schedule_sitting", "by-hand", *_words(exam))
    made = platform.operator.sitting("by-hand")
    assert said.split()[:2] == [made["id"], "by-hand:"]
    assert json.dumps(made).count(exam.name) >= 1
    assert made["state"] == "scheduled"
    assert made["distributed"] is True


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"exam": "no-such-exam"}, "no-such-exam"),
        ({"opens-at": "2027-01-15T09:00:00"}, "offset from UTC"),
        ({"closes-at": "2020-01-15T09:00:00Z"}, "clos"),
    ],
)
def test_what_cannot_be_scheduled_is_told(platform, changed, said) -> None:
    """If the exam does not exist or the window makes no sense, I am told, and nothing is scheduled."""
    exam = platform.sitting()
    with pytest.raises(HarnessError, match=said):
        platform.stack.web_command("schedule_sitting", "never", *_words(exam, changed))
    with pytest.raises(Exception, match="404"):
        platform.operator.sitting("never")
