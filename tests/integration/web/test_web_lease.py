"""The lease functions, called as a solver process calls them, with its role."""

import json
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from exam_core.instants import SECOND, span_to_micros, to_micros
from exam_core.lease_watch import LeaseWatch
from exam_core.schedule import ScheduledSitting
from exam_harness.environments.processes.servers.postgres import Postgres
from exam_web.common.clock import database_now
from exam_web.sittings.models import Schedule, Sitting, SolverLease
from exam_web.sittings.services import (
    LeaseMonitor,
    accommodation_set,
    leases_delete_expired,
    pause_begin,
    sitting_close,
    sitting_drain,
    sitting_stop,
    window_change,
)
from exam_web.users.models import LoginSession, Student
from exam_web.users.services import account_disable

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

TTL_MS = 5000
MARGIN = 2.0
ENOUGH = TTL_MS / 1000 + MARGIN
"""After this many seconds a lease that is not renewed no longer counts."""


class Solver:
    """A solver's connection and the two calls it may make."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.holder = uuid4()

    def renew(self, *, known: int = 0, drained: int = 0, revocation: int = 0, ttl_ms: int = TTL_MS) -> dict:
        """One renewal."""
        row = self.connection.execute(
            "SELECT solver_renew(%s, %s, %s, %s, %s)", [self.holder, ttl_ms, known, drained, revocation]
        ).fetchone()
        assert row is not None
        return row[0] if isinstance(row[0], dict) else json.loads(row[0])

    def release(self) -> None:
        """Give the lease back."""
        self.connection.execute("SELECT solver_release(%s)", [self.holder])


@pytest.fixture
def solver(schedule: None, postgres: Postgres) -> Iterator[Solver]:
    """A solver process's connection to the test database."""
    solver = Solver(postgres.dsn("exam_solver", connection.settings_dict["NAME"]))
    yield solver
    solver.connection.close()


class Closer:
    """A process that closes sittings, with a monotonic clock that a test advances."""

    def __init__(self) -> None:
        self.now = 7 * SECOND
        self.leases = LeaseMonitor(LeaseWatch(margin=int(MARGIN * SECOND)), lambda: self.now)

    def drained(self, sitting: Sitting, *, after: float = 0) -> bool:
        """Look whether the sitting has drained, after so many seconds."""
        self.now += int(after * SECOND)
        return sitting_drain(sitting=sitting.id, leases=self.leases).drained


@pytest.fixture
def closer() -> Closer:
    """A process that has not yet seen any lease."""
    return Closer()


def epoch() -> int:
    """The schedule's epoch now."""
    return Schedule.objects.get().epoch


def step_wall_clock(hours: int) -> None:
    """Let PostgreSQL's wall clock step, as at a failover: the instants in every row are as far from it as after one."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sittings_solverlease SET renewed_at = renewed_at - %s * interval '1 h'", [hours])


def test_a_first_renewal_returns_everything(solver, provision, people) -> None:
    """The first renewal returns the time, the epoch and every sitting, exact to the microsecond."""
    sitting = provision()
    accommodation_set(sitting=sitting.id, student=Student.objects.get(pk=people.student.pk), extra=sitting.duration / 2)
    pause_begin(sitting=sitting.id)
    before = database_now()
    renewal = solver.renew()
    assert before <= renewal["entered_at"] <= database_now()
    assert (renewal["lapsed"], renewal["epoch"]) == (False, epoch())
    (known,) = map(ScheduledSitting.from_json, renewal["sittings"])
    sitting.refresh_from_db()
    row = type(sitting).objects.get(id=sitting.id)
    assert known.window == row.window
    assert known.window.opens_at == to_micros(sitting.opens_at)
    assert known.accommodations == {people.student.pk: span_to_micros(sitting.duration) // 2}
    assert (known.id, known.level, known.paper, known.buckets) == (
        sitting.id,
        "year-1",
        sitting.paper_id,
        sitting.buckets,
    )


def test_a_renewal_returns_sittings_only_after_a_change(solver, provision) -> None:
    """While nothing changes, renewals return no sittings; any change returns them with a higher epoch."""
    sitting = provision()
    first = solver.renew()
    again = solver.renew(known=first["epoch"], drained=first["epoch"])
    assert again["sittings"] is None
    window_change(sitting=sitting.id, closes_at=sitting.closes_at + sitting.duration)
    changed = solver.renew(known=first["epoch"], drained=first["epoch"])
    assert changed["epoch"] > first["epoch"]
    assert len(changed["sittings"]) == 1


def test_a_deleted_lease_cannot_be_renewed(solver, closer) -> None:
    """Once a closer has given a lease up, every renewal of it reports that it lapsed."""
    known = solver.renew()["epoch"]
    leases_delete_expired(leases=closer.leases)
    closer.now += int(ENOUGH * SECOND)
    leases_delete_expired(leases=closer.leases)
    assert not SolverLease.objects.exists()
    assert solver.renew(known=known, drained=known) == {"lapsed": True}
    assert solver.renew(known=known, drained=known) == {"lapsed": True}


@pytest.mark.parametrize("hours", [1, -1])
def test_a_step_of_the_wall_clock_ends_no_lease(solver, hours: int) -> None:
    """After a failover to a primary whose clock differs, solvers keep their leases: students go on."""
    known = solver.renew()["epoch"]
    step_wall_clock(hours)
    assert solver.renew(known=known, drained=known)["lapsed"] is False
    assert SolverLease.objects.get().renewals == 1


@pytest.mark.parametrize("ttl_ms", [0, 999, 60_001])
def test_the_ttl_has_bounds(solver, ttl_ms: int) -> None:
    """A lease cannot be taken for ever or for no time."""
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="from 1000 to 60000 ms"):
        solver.renew(ttl_ms=ttl_ms)


def test_the_solvers_role_has_least_privilege(solver, algebra) -> None:
    """The solver's role cannot read any table, not even those that the functions read."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
    assert "sittings_paperkey" in tables
    for table in tables:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            solver.connection.execute(sql.SQL("SELECT 1 FROM {}").format(sql.Identifier(table)))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        solver.connection.execute("SELECT solver_sittings()")


def test_a_drain_waits_for_the_acknowledgement(solver, over) -> None:
    """A closing sitting is drained once the solver has acknowledged the new epoch with nothing in flight."""
    known = solver.renew()["epoch"]
    closed = sitting_close(sitting=over.id)
    waiting = sitting_drain(sitting=over.id)
    assert [w.holder for w in waiting.waiting] == [solver.holder]
    renewal = solver.renew(known=known, drained=known)
    assert renewal["epoch"] == closed.epoch
    # It has received the epoch, but an answer admitted earlier is still in flight.
    solver.renew(known=renewal["epoch"], drained=known)
    assert not sitting_drain(sitting=over.id).drained
    solver.renew(known=renewal["epoch"], drained=renewal["epoch"])
    assert sitting_drain(sitting=over.id).drained


def test_a_future_epoch_cannot_be_acknowledged(solver, over) -> None:
    """A solver that acknowledges a future epoch does not drain a later close."""
    known = solver.renew()["epoch"]
    solver.renew(known=known, drained=known + 100)
    sitting_close(sitting=over.id)
    assert not sitting_drain(sitting=over.id).drained


def test_a_drain_waits_for_expiry_and_margin(solver, over, closer) -> None:
    """A process that seems to be gone may still run: the drain waits for its lease to expire, plus a margin."""
    solver.renew()
    sitting_close(sitting=over.id)
    assert not closer.drained(over)
    assert not closer.drained(over, after=ENOUGH - 0.1), "expired, but not by the margin"
    assert closer.drained(over, after=0.1)
    assert not SolverLease.objects.exists()


@pytest.mark.parametrize("hours", [1, -1])
def test_a_step_of_the_wall_clock_neither_shortens_nor_delays_a_drain(solver, over, closer, hours: int) -> None:
    """A failover during a close to a primary whose clock differs loses no answer and delays no seal by an hour."""
    solver.renew()
    sitting_close(sitting=over.id)
    assert not closer.drained(over)
    step_wall_clock(hours)
    assert not closer.drained(over, after=ENOUGH - 0.1)
    assert closer.drained(over, after=0.1)


def test_a_renewal_begins_the_wait_anew(solver, over, closer) -> None:
    """A solver that still writes an answer and renews its lease is waited for."""
    known = solver.renew()["epoch"]
    sitting_close(sitting=over.id)
    assert not closer.drained(over)
    solver.renew(known=known, drained=known)
    assert not closer.drained(over, after=ENOUGH)
    assert not closer.drained(over, after=ENOUGH - 0.1)
    assert closer.drained(over, after=0.1)


def test_a_renewal_that_races_with_the_deletion_wins(solver, over, closer) -> None:
    """A lease that was renewed after it was read is not deleted, even if it seemed to have expired."""
    known = solver.renew()["epoch"]
    sitting_close(sitting=over.id)
    assert not closer.drained(over)
    closer.now += int(ENOUGH * SECOND)

    def read_clock() -> int:
        """Between the read of the rows and their deletion."""
        if SolverLease.objects.get().renewals == 0:
            solver.renew(known=known, drained=known)
        return closer.now

    closer.leases._clock = read_clock
    assert not closer.drained(over)
    assert SolverLease.objects.get().renewals == 1


def test_a_lease_that_was_seen_before_the_close_is_not_waited_for_again(solver, over, closer) -> None:
    """A solver that was killed an hour ago does not delay a close: the periodic task has deleted its row."""
    solver.renew()
    leases_delete_expired(leases=closer.leases)
    closer.now += int(ENOUGH * SECOND)
    sitting_close(sitting=over.id)
    assert closer.drained(over)


def test_each_closer_watches_on_its_own(solver, over, closer) -> None:
    """A closer that has just started waits for a lease as long as any other."""
    solver.renew()
    sitting_close(sitting=over.id)
    assert not closer.drained(over)
    assert not Closer().drained(over, after=ENOUGH)
    assert closer.drained(over, after=ENOUGH)


def test_a_crash_loop_does_not_delay_a_drain(postgres: Postgres, over, closer) -> None:
    """Solvers that crash at once after every start, before and during a close, delay it by one lease at most."""

    def crash() -> None:
        """One more process takes a lease and is gone."""
        solver = Solver(postgres.dsn("exam_solver", connection.settings_dict["NAME"]))
        solver.renew()
        solver.connection.close()

    crash()
    crash()
    sitting_close(sitting=over.id)
    assert not closer.drained(over)
    for _ in range(7):
        crash()
        assert not closer.drained(over, after=(ENOUGH - 0.1) / 7)
    crash()
    assert closer.drained(over, after=0.2)


def test_a_new_holder_does_not_delay_a_drain(solver, over) -> None:
    """A process that starts after the close has admitted nothing under an earlier epoch, so no drain waits for it."""
    closed = sitting_close(sitting=over.id)
    assert solver.renew()["epoch"] == closed.epoch
    assert sitting_drain(sitting=over.id).drained


def test_a_holder_from_before_the_close_delays_its_drain(solver, over) -> None:
    """A row starts drained up to the epoch that its holder received, not up to a later one."""
    received = solver.renew()["epoch"]
    assert SolverLease.objects.get().drained_epoch == received
    assert sitting_close(sitting=over.id).epoch > received
    assert not sitting_drain(sitting=over.id).drained


def test_a_released_lease_does_not_delay_a_drain(solver, over) -> None:
    """If a process exits in order, it releases its lease and the close continues at once."""
    solver.renew()
    sitting_stop(sitting=over.id)
    solver.release()
    assert sitting_drain(sitting=over.id).drained
    assert not SolverLease.objects.exists()


def test_each_revocation_is_returned_once(solver, people, log_in) -> None:
    """A renewal returns the revocations above the highest known id."""
    log_in(people.student)
    first = solver.renew()
    assert first["revocations"] == []
    account_disable(user=people.student, now=database_now())
    renewal = solver.renew(known=first["epoch"], drained=0)["revocations"]
    subjects = [one for one in renewal if one["kind"] == "subject"]
    assert [one["value"] for one in subjects] == [str(people.student.pk)]
    highest = max(one["id"] for one in renewal)
    assert solver.renew(known=first["epoch"], drained=0, revocation=highest)["revocations"] == []
    assert LoginSession.objects.count() == 1
