"""A sitting that cannot be read stops no other one: on a real PostgreSQL, as its owner, without its constraints."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection
from django.db.models import F
from structlog.testing import capture_logs

from exam_core.bounds import MAX_INSTANT, MAX_SPAN, MAX_SPAN_US, MIN_INSTANT
from exam_core.instants import MINUTE, SECOND
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import ScheduledSitting
from exam_runtime.boot_clock import boot_clock
from exam_solver.attempts.admission import check_may_start, decide
from exam_solver.lease.keeper import LeaseKeeper
from exam_solver.lease.postgres import PostgresLeaseStore
from exam_solver.lease.revocations import Revocations
from exam_web.sittings.models import Accommodation, Schedule, Sitting, SittingPause
from exam_web.users.models import Student

pytestmark = pytest.mark.integration

MICROSECOND = timedelta(microseconds=1)
SITTING = "UPDATE sittings_sitting SET {} WHERE id = %(bad)s"
PAUSE = "INSERT INTO sittings_sittingpause (sitting_id, began_at, ended_at) VALUES (%(bad)s, {}, {})"
EXTRA = (
    "INSERT INTO sittings_accommodation (sitting_id, student_id, extra) VALUES (%(bad)s, %(student)s, interval '{}')"
)
FAULTS = {
    "duration of 10^19 µs": [SITTING.format("duration = interval '115740741 days'")],
    "duration of 10^18 µs": [SITTING.format("duration = interval '11574074 days'")],
    "duration of 0": [SITTING.format("duration = interval '0'")],
    "infinite close": [SITTING.format("closes_at = 'infinity'")],
    "infinite opening": [SITTING.format("opens_at = '-infinity'")],
    "infinite stop": [SITTING.format("stopped_at = 'infinity'")],
    "opening in the year 1": [SITTING.format("opens_at = '0001-01-01 00:00:00Z'")],
    "close in the year 9999": [SITTING.format("closes_at = '9999-12-31 23:59:59Z'")],
    "close before the opening": [SITTING.format("closes_at = opens_at - interval '1 h', state = 'closing'")],
    "unknown state": [SITTING.format("state = 'postponed'")],
    "no bucket": [SITTING.format("buckets = 0")],
    "infinite pause": [PAUSE.format("now()", "'infinity'")],
    "pause that ends before it began": [PAUSE.format("now()", "now() - interval '1 s'")],
    "pauses that overlap": [
        PAUSE.format("now() - interval '9 s'", "now()"),
        PAUSE.format("now() - interval '5 s'", "now()"),
    ],
    "extra time of 10^20 µs": [EXTRA.format("1157407407 days")],
    "negative extra time": [EXTRA.format("-1 s")],
    "opening just before the bound": [SITTING.format(f"opens_at = '{MIN_INSTANT - MICROSECOND}'")],
    "close at the bound": [SITTING.format(f"closes_at = '{MAX_INSTANT}'")],
    "duration just above the bound": [SITTING.format(f"duration = '{MAX_SPAN + MICROSECOND}'")],
    "extra time just above the bound": [EXTRA.format(MAX_SPAN + MICROSECOND)],
}
"""Statements that damage a sitting's row."""
PREVIOUS_RENEWAL = "SELECT solver_renew(%s::uuid, %s::int, %s::bigint, %s::bigint, %s::bigint)"
PREVIOUS_RELEASE = "SELECT solver_release(%s::uuid)"
"""The calls of solvers of the release before."""


@pytest.fixture
def unconstrained(transactional_db: None, as_owner: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """Drop the check constraints of the schedule's tables, and add them again after the test."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'c' AND conrelid::regclass::text LIKE 'sittings_%'"
        )
        constraints = cursor.fetchall()
        for table, name, _ in constraints:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    yield
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE sittings_sitting CASCADE")
        for table, name, rule in constraints:
            cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {rule}')


@pytest.fixture
def damaged(unconstrained: None, sitting: Sitting, student: Student) -> Callable[[str], UUID]:
    """Add a sitting with one of `FAULTS`, and return its id."""

    def _damaged(fault: str) -> UUID:
        bad = Sitting.objects.get(id=sitting.id)
        bad.pk, bad.name = uuid4(), "bad"
        bad.save(force_insert=True)
        with connection.cursor() as cursor:
            for statement in FAULTS[fault]:
                cursor.execute(statement, {"bad": bad.pk, "student": student.pk})
        Schedule.objects.update(epoch=F("epoch") + 1)
        return bad.pk

    return _damaged


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_sitting_stops_no_other(
    lease_database_url: str, damaged: Callable[[str], UUID], sitting: Sitting, fault: str
) -> None:
    """One sitting's row is damaged: its students get 503, it is logged and counted, and every other one is served."""
    bad = damaged(fault)
    keeper, logs = renewed(lease_database_url)
    assert keeper.valid
    assert keeper.sitting(sitting.id).window == sitting.window
    with pytest.raises(Problem, match="cannot read the sitting") as raised:
        keeper.sitting(bad)
    assert (raised.value.kind, keeper.unreadable) == (ProblemKind.UNAVAILABLE, 1)
    assert [log["sitting"] for log in logs if log["event"] == "sitting_skipped"] == [str(bad)]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_solver_of_the_release_before_serves_around_a_damaged_sitting(
    lease_database_url: str, damaged: Callable[[str], UUID], sitting: Sitting, student: Student, fault: str
) -> None:
    """It fails a renewal in which it cannot read each sitting: a damaged one appears as paused, or as over if it is."""
    bad = damaged(fault)
    with psycopg.connect(lease_database_url, autocommit=True) as solver:
        row = solver.execute(PREVIOUS_RENEWAL, (uuid4(), 30_000, 0, 0, 0)).fetchone()
        assert row is not None
        (body,) = row
        read = {each.id: each for each in map(ScheduledSitting.from_json, body["sittings"])}
        assert read[sitting.id].window == sitting.window
        now = body["entered_at"]
        with pytest.raises(Problem) as refused:
            check_may_start(read[bad], level="year-1", now=now, as_of=now)
        decision = decide(
            read[bad], student=student.pk, started_at=now - MINUTE, now=now, as_of=now, lease_ttl=30 * SECOND
        )
        expected = ProblemKind.STARTS_OVER if fault == "close before the opening" else ProblemKind.PAUSED
        assert refused.value.kind is expected
        assert decision.refusal is not None
        assert decision.refusal.kind is (ProblemKind.LATE if expected is ProblemKind.STARTS_OVER else expected)


def test_a_sitting_at_the_bounds_is_served(lease_database_url: str, sitting: Sitting, student: Student) -> None:
    """The function has the bounds of the services: a sitting with the extreme values is read exactly."""
    Sitting.objects.filter(id=sitting.id).update(
        opens_at=MIN_INSTANT, closes_at=MAX_INSTANT - MICROSECOND, stopped_at=MIN_INSTANT, duration=MAX_SPAN
    )
    SittingPause.objects.create(sitting=sitting, began_at=MIN_INSTANT, ended_at=MIN_INSTANT)
    SittingPause.objects.create(sitting=sitting, began_at=MIN_INSTANT)
    Accommodation.objects.create(sitting=sitting, student=student, extra=MAX_SPAN)
    keeper, _ = renewed(lease_database_url)
    assert keeper.unreadable == 0
    assert keeper.sitting(sitting.id).window == Sitting.objects.get(id=sitting.id).window
    assert keeper.sitting(sitting.id).accommodations == {student.pk: MAX_SPAN_US}


def test_the_release_before_renews_and_releases_its_lease(
    lease_database_url: str, damaged: Callable[[str], UUID]
) -> None:
    """Solvers of both releases run side by side: the calls of the one before have their arguments and results."""
    damaged("unknown state")
    holder = uuid4()
    with psycopg.connect(lease_database_url, autocommit=True) as solver:

        def renew(known: int, drained: int) -> dict[str, Any]:
            row = solver.execute(PREVIOUS_RENEWAL, (holder, 30_000, known, drained, 0)).fetchone()
            assert row is not None
            body: dict[str, Any] = row[0]
            return body

        first = renew(0, 0)
        assert (first["lapsed"], len(first["sittings"]), first["revocations"]) == (False, 2, [])
        again = renew(first["epoch"], first["epoch"])
        assert (again["lapsed"], again["epoch"], again["sittings"]) == (False, first["epoch"], None)
        solver.execute(PREVIOUS_RELEASE, (holder,))
        assert renew(first["epoch"], first["epoch"])["lapsed"] is True


def renewed(url: str) -> tuple[LeaseKeeper, list[Any]]:
    """A lease keeper after its first renewal, and what it logged."""

    async def renew() -> LeaseKeeper:
        store = PostgresLeaseStore(url, timeout=5)
        keeper = LeaseKeeper(store, ttl_ms=30_000, clock=boot_clock, revocations=Revocations())
        assert await keeper.renew()
        await store.close()
        return keeper

    with capture_logs() as logs:
        keeper = asyncio.run(renew())
    return keeper, list(logs)
