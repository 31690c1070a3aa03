"""Sittings scheduled from the command line, without the operator, as with Compose."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from exam_harness.environments.processes.process import HarnessError

pytestmark = pytest.mark.integration


def _arguments(sitting, changes=()) -> list[str]:
    now = datetime.now(UTC).replace(microsecond=0)
    window = {"opens-at": now + timedelta(hours=1), "closes-at": now + timedelta(hours=3)}
    arguments = {"exam": sitting.name, **{name: each.isoformat() for name, each in window.items()}, "minutes": "90"}
    arguments |= dict(changes)
    return [word for name, value in arguments.items() for word in (f"--{name}", value)]


def test_a_command_schedules_a_sitting(platform) -> None:
    """If I schedule a sitting by command, it has my window, and its paper is distributed to the solvers."""
    exam = platform.sitting()
    output = platform.stack.web_command("schedule_sitting", "by-hand", *_arguments(exam))
    status = platform.client.sitting("by-hand")
    assert output.split()[:2] == [status["id"], "by-hand:"]
    assert json.dumps(status).count(exam.name) >= 1
    assert status["state"] == "scheduled"
    assert status["distributed"] is True


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exam": "no-such-exam"}, "no-such-exam"),
        ({"opens-at": "2027-01-15T09:00:00"}, "no UTC offset"),
        ({"closes-at": "2020-01-15T09:00:00Z"}, "clos"),
    ],
)
def test_an_invalid_schedule_is_an_error(platform, changes, message) -> None:
    """If the exam does not exist or the window is invalid, the command fails and schedules nothing."""
    exam = platform.sitting()
    with pytest.raises(HarnessError, match=message):
        platform.stack.web_command("schedule_sitting", "never", *_arguments(exam, changes))
    with pytest.raises(Exception, match="404"):
        platform.client.sitting("never")
