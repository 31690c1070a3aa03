"""Reading the result of a renewal."""

from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from exam_core.lease import Lease
from exam_core.problems import Problem, ProblemKind
from exam_solver.lease.keeper import LeaseKeeper
from exam_solver.lease.revocations import Revocations
from exam_solver.lease.snapshot import LeaseSnapshot, find_sitting
from exam_solver.lease.store import Renewal
from exam_solver.testing.lease import ManualClock, MemoryLeaseStore, MemorySchedule

GOOD: dict[str, Any] = {
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
        "pauses": [],
        "stopped_at": None,
        "extra_past_close": True,
    },
    "accommodations": {},
}
BAD_ID = "00000000-0c53-4f6f-9d8b-4f7d3f9f7a10"


def renewal(*sittings: dict[str, Any]) -> Renewal:
    """The renewal that is read from a result with these sittings."""
    read = Renewal.from_json(
        {"lapsed": False, "entered_at": 5, "epoch": 42, "sittings": list(sittings), "revocations": []}
    )
    assert read is not None
    return read


@pytest.mark.parametrize(
    "fault",
    [
        {"state": "postponed"},
        {"window": GOOD["window"] | {"closes_at": 0}},
        {"window": GOOD["window"] | {"duration": -1}},
        {"window": GOOD["window"] | {"opens_at": None}},
        {"window": GOOD["window"] | {"opens_at": 10**18, "closes_at": 10**17}},
        {"window": {}},
        {"error": "duration out of bounds"},
        {"accommodations": None},
    ],
)
def test_a_sitting_that_cannot_be_read_is_skipped(fault: dict[str, Any]) -> None:
    """One bad sitting is reported by its id and not served; every other one is."""
    with capture_logs() as logs:
        read = renewal(GOOD | {"id": BAD_ID} | fault, GOOD)
    assert read.sittings is not None
    assert [sitting.id for sitting in read.sittings] == [UUID(GOOD["id"])]
    assert read.unreadable == {BAD_ID}
    assert [(event["event"], event["sitting"]) for event in logs] == [("sitting_skipped", BAD_ID)]


def test_sittings_that_can_be_read_are_not_reported() -> None:
    """Without a bad sitting nothing is skipped or logged."""
    with capture_logs() as logs:
        read = renewal(GOOD)
    assert (len(read.sittings or ()), read.unreadable, logs) == (1, frozenset(), [])


def test_a_result_without_an_epoch_is_still_rejected() -> None:
    """Only sittings are skipped: a renewal whose own fields are missing does not count."""
    with pytest.raises(KeyError):
        Renewal.from_json({"lapsed": False, "entered_at": 5, "sittings": [], "revocations": []})


def test_a_skipped_sitting_is_unavailable_and_others_are_served() -> None:
    """A student of a sitting that was skipped is asked to retry: that it does not exist would be untrue."""
    read = renewal(GOOD | {"id": BAD_ID, "state": "postponed"}, GOOD)
    lease = Lease(holder=UUID(int=1), sent_at=0, entered_at=0, ttl=1, epoch=42)
    snapshot = LeaseSnapshot(lease, {sitting.id: sitting for sitting in read.sittings or ()}, read.unreadable)
    assert find_sitting(snapshot, UUID(GOOD["id"])).epoch == 42
    for sitting, kind in ((BAD_ID, ProblemKind.UNAVAILABLE), (str(UUID(int=7)), ProblemKind.NOT_FOUND)):
        with pytest.raises(Problem) as raised:
            find_sitting(snapshot, UUID(sitting))
        assert raised.value.kind is kind


async def test_skipped_sittings_are_kept_while_nothing_changes() -> None:
    """A renewal without changes keeps the skipped sittings of the one before."""
    schedule = MemorySchedule(ManualClock())
    store = MemoryLeaseStore(schedule)
    keeper = LeaseKeeper(store, ttl_ms=30_000, clock=schedule.clock, revocations=Revocations())
    answer = schedule.renew
    bad = GOOD | {"id": BAD_ID, "state": "postponed"}

    def with_bad_sitting(*arguments: Any) -> Any:
        body = answer(*arguments)
        return body if body["sittings"] is None else body | {"sittings": [*body["sittings"], bad]}

    schedule.renew = with_bad_sitting  # type: ignore[method-assign, assignment]
    for _ in range(2):
        await keeper.renew()
        assert (keeper.valid, keeper.unreadable) == (True, 1)
        with pytest.raises(Problem, match="cannot read"):
            keeper.sitting(UUID(BAD_ID))
