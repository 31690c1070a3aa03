"""A cluster that went down with its machine: what the API server remembers of it is not what is so."""

from datetime import UTC, datetime, timedelta

import pytest

from exam_support.cluster.kind import said_to_run_since_before

STARTED = datetime(2026, 3, 2, 9, 0, 0, 700_000, tzinfo=UTC)


def _pod(*states: dict) -> dict:
    statuses = {"containerStatuses": [{"state": state} for state in states]} if states else {}
    return {"metadata": {"namespace": "exam", "name": "web-1"}, "status": statuses}


def _running(seconds: int) -> dict:
    """As the API server tells it: in whole seconds."""
    since = STARTED.replace(microsecond=0) + timedelta(seconds=seconds)
    return {"running": {"startedAt": since.strftime("%Y-%m-%dT%H:%M:%SZ")}}


@pytest.mark.parametrize("states", [(_running(-1),), (_running(3), _running(-3600))])
def test_a_container_of_before_is_not_believed(states) -> None:
    """If a container is said to run since before its node started, its pod is named: it has to be started anew."""
    assert said_to_run_since_before(STARTED, [_pod(), _pod(*states)]) == ["exam/web-1"]


@pytest.mark.parametrize(
    "states",
    [
        (),
        (_running(0),),
        (_running(2), _running(9)),
        ({"waiting": {"reason": "CrashLoopBackOff"}},),
        ({"terminated": {"startedAt": "2026-03-02T08:00:00Z", "exitCode": 0}},),
    ],
)
def test_what_started_since_or_does_not_run_is_believed(states) -> None:
    """If all that is said to run started after the node, in the very second of it too, nobody is waited for."""
    assert said_to_run_since_before(STARTED, [_pod(*states)]) == []
