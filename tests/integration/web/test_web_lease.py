"""The lease functions, called as a solver process calls them, with its role."""

import json
from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from exam_core.instants import span_to_micros, to_micros
from exam_core.schedule import ScheduledSitting
from exam_harness.environments.processes.servers.postgres import Postgres
from exam_web.common.clock import database_now
from exam_web.sittings.models import Schedule, SolverLease
from exam_web.sittings.services import (
    accommodation_set,
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


def epoch() -> int:
    """The schedule's epoch now."""
    return Schedule.objects.get().epoch


def age_leases(seconds: float) -> None:
    """Move the last renewal of every lease into the past."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sittings_solverlease SET renewed_at = renewed_at - %s * interval '1 s'", [seconds])


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


def test_a_lapsed_lease_cannot_be_renewed(solver, provision) -> None:
    """After its expiry every renewal of a lease reports that it lapsed."""
    known = solver.renew()["epoch"]
    age_leases(TTL_MS / 1000 + 0.1)
    assert solver.renew(known=known, drained=known) == {"lapsed": True}
    assert solver.renew(known=known, drained=known) == {"lapsed": True}


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


def test_a_drain_waits_for_expiry_and_margin(solver, over) -> None:
    """A process that seems to be gone may still run: the drain waits for its lease to expire, plus a margin."""
    solver.renew()
    sitting_close(sitting=over.id)
    age_leases(TTL_MS / 1000 + 0.5)
    assert not sitting_drain(sitting=over.id).drained, "expired, but not by the margin"
    age_leases(2)
    assert sitting_drain(sitting=over.id).drained


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
    assert UUID(str(LoginSession.objects.get().id))
