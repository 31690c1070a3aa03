"""The lease in a real PostgreSQL, by the functions that web's migrations create."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar
from uuid import uuid4

import psycopg
import pytest
from django.db import connection, connections
from django.utils import timezone
from psycopg import sql

from exam_core.instants import MINUTE, SECOND, to_micros
from exam_core.schedule import State
from exam_harness.environments.processes.servers.postgres import Postgres
from exam_runtime.boot_clock import boot_clock
from exam_solver.lease.keeper import LeaseKeeper
from exam_solver.lease.postgres import PostgresLeaseStore
from exam_solver.lease.revocations import Revocations
from exam_solver.lease.store import LeaseStoreUnavailableError
from exam_web.sittings.models import Sitting, SolverLease
from exam_web.sittings.services import (
    accommodation_set,
    pause_begin,
    pause_end,
    sitting_drain,
    sitting_stop,
)
from exam_web.users.models import LoginSession, Revocation, Student
from exam_web.users.services import account_disable, session_revoke

pytestmark = pytest.mark.integration

ResultT = TypeVar("ResultT")
TTL_MS = 30_000


async def in_web(call: Callable[[], ResultT]) -> ResultT:
    """Call web's code in a thread, where Django's database works, and close its connections."""

    def closing() -> ResultT:
        try:
            return call()
        finally:
            connections.close_all()

    return await asyncio.to_thread(closing)


def keeper_of(store: PostgresLeaseStore, revocations: Revocations | None = None) -> LeaseKeeper:
    """A lease keeper on a store."""
    known = Revocations() if revocations is None else revocations
    return LeaseKeeper(store, ttl_ms=TTL_MS, clock=boot_clock, revocations=known)


async def test_a_new_holder_receives_every_sitting(
    store: PostgresLeaseStore, sitting: Sitting, student: Student
) -> None:
    """A new solver receives window, pauses, extra time, level and paper of every scheduled sitting."""

    def change() -> Sitting:
        accommodation_set(sitting=sitting.id, student=student, extra=timedelta(minutes=7))
        pause_begin(sitting=sitting.id)
        pause_end(sitting=sitting.id)
        pause_begin(sitting=sitting.id)
        return Sitting.objects.select_related("level").prefetch_related("pauses").get(id=sitting.id)

    row = await in_web(change)
    keeper = keeper_of(store)
    assert await keeper.renew()
    received = keeper.admit().sitting(sitting.id)
    assert received.window == row.window
    assert received.window.paused
    assert received.accommodations == {student.pk: 7 * MINUTE}
    assert (received.level, received.paper, received.buckets) == (row.level.slug, row.paper_id, row.buckets)
    assert (received.state, received.epoch) == (State.SCHEDULED, row.epoch)
    assert keeper.epoch >= row.epoch


async def test_the_platforms_time_is_postgresqls(store: PostgresLeaseStore, sitting: Sitting) -> None:
    """Solvers stamp answers by PostgreSQL's clock, never earlier."""
    keeper = keeper_of(store)
    before = to_micros(timezone.now())
    await keeper.renew()
    stamped = keeper.admit().now
    assert before - SECOND < stamped < to_micros(timezone.now()) + SECOND


async def test_an_unchanged_schedule_is_not_sent_again(
    store: PostgresLeaseStore, sitting: Sitting, student: Student
) -> None:
    """A renewal costs little while nothing changes; a change is sent once."""
    keeper = keeper_of(store)
    await keeper.renew()
    first = keeper.admit().snapshot.sittings
    await keeper.renew()
    assert keeper.admit().snapshot.sittings is first
    await in_web(lambda: accommodation_set(sitting=sitting.id, student=student, extra=timedelta(minutes=1)))
    await keeper.renew()
    assert keeper.admit().sitting(sitting.id).accommodations == {student.pk: MINUTE}


async def test_a_lease_that_was_deleted_in_the_database_has_lapsed(store: PostgresLeaseStore, sitting: Sitting) -> None:
    """A closer has given the lease up: the process acquires one under a new holder."""
    keeper = keeper_of(store)
    await keeper.renew()
    assert keeper.lease is not None
    old = keeper.lease.holder
    await in_web(lambda: SolverLease.objects.all().delete())
    assert not await keeper.renew()
    held = [keeper.valid]
    assert await keeper.renew()
    await keeper.release_stale()
    assert [*held, keeper.valid] == [False, True]
    rows = await in_web(lambda: list(SolverLease.objects.values_list("holder", flat=True)))
    assert rows == [keeper.lease.holder] != [old]


async def test_a_close_waits_for_admissions_under_an_older_epoch_only(
    store: PostgresLeaseStore, sitting: Sitting
) -> None:
    """A sitting is stopped while an answer is being written: it is drained once the write has ended and is reported."""
    keeper = keeper_of(store)
    await keeper.renew()
    finish = asyncio.Event()
    writing = asyncio.create_task(keeper.run_tracked(keeper.admit(), finish.wait))
    await asyncio.sleep(0)
    await in_web(lambda: sitting_stop(sitting=sitting.id))
    for _ in range(3):
        await keeper.renew()
    assert keeper.admit().sitting(sitting.id).state is State.CLOSING
    drain = await in_web(lambda: sitting_drain(sitting=sitting.id))
    assert keeper.lease is not None
    assert [waiting.holder for waiting in drain.waiting] == [keeper.lease.holder]
    finish.set()
    await writing
    await asyncio.sleep(0)
    await keeper.renew()
    drain = await in_web(lambda: sitting_drain(sitting=sitting.id))
    assert drain.drained


async def test_stop_releases_the_row_so_that_a_close_need_not_wait(store: PostgresLeaseStore, sitting: Sitting) -> None:
    """A pod was replaced just before the close: the close does not wait for its lease to expire."""
    keeper = keeper_of(store)
    await keeper.renew()
    await in_web(lambda: sitting_stop(sitting=sitting.id))
    drain = await in_web(lambda: sitting_drain(sitting=sitting.id))
    assert not drain.drained
    await keeper.stop(grace=1)
    drain = await in_web(lambda: sitting_drain(sitting=sitting.id))
    assert drain.drained


async def test_renewals_return_revocations(store: PostgresLeaseStore, sitting: Sitting, student: Student) -> None:
    """A session is ended, and an account disabled: the next renewal delivers it to every solver."""
    revocations = Revocations()
    keeper = keeper_of(store, revocations)
    await keeper.renew()
    now = keeper.time()

    def log_out() -> LoginSession:
        session = LoginSession.objects.create(
            user=student, current=uuid4(), expires_at=timezone.now() + timedelta(hours=1)
        )
        session_revoke(session=session, now=now)
        return session

    session = await in_web(log_out)
    await keeper.renew()
    assert revocations.latest > 0
    latest = revocations.latest
    assert list(revocations._logins) == [("session", str(session.id))]
    await in_web(lambda: account_disable(user=student, now=now))
    await keeper.renew()
    assert revocations.latest > latest
    assert list(revocations._subjects) == [str(student.pk)]


async def test_a_broken_connection_is_reopened(store: PostgresLeaseStore, sitting: Sitting, postgres: Postgres) -> None:
    """PostgreSQL restarted: one renewal fails, the next succeeds."""
    keeper = keeper_of(store)
    await keeper.renew()
    assert keeper.lease is not None
    holder = keeper.lease.holder
    end_sessions(postgres)
    with pytest.raises(LeaseStoreUnavailableError):
        await keeper.renew()
    assert keeper.valid
    assert await keeper.renew()
    assert keeper.lease.holder == holder


async def test_a_renewal_times_out_when_postgresql_hangs(
    lease_database_url: str, sitting: Sitting, postgres: Postgres
) -> None:
    """PostgreSQL accepts the connection and never responds: the renewal times out, and the lease stays valid."""
    store = PostgresLeaseStore(lease_database_url, timeout=0.5)
    keeper = keeper_of(store)
    await keeper.renew()
    with psycopg.connect(postgres.dsn(database=database_name()), autocommit=True) as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE sittings_solverlease IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(15):
            with pytest.raises(LeaseStoreUnavailableError, match="TimeoutError"):
                await keeper.renew()
        other.execute("ROLLBACK")
    assert keeper.valid
    assert await keeper.renew()
    await store.close()


async def test_an_unreachable_postgresql_raises_unavailable() -> None:
    """PostgreSQL is down: connecting raises an error that the loop retries."""
    store = PostgresLeaseStore("postgresql://exam_solver@127.0.0.1:1/exam", timeout=2)
    with pytest.raises(LeaseStoreUnavailableError):
        await store.connect()


async def test_a_ttl_above_the_limit_is_a_failed_renewal(store: PostgresLeaseStore, sitting: Sitting) -> None:
    """A lease of an hour would delay every close: PostgreSQL rejects it."""
    keeper = LeaseKeeper(store, ttl_ms=3_600_000, clock=boot_clock, revocations=Revocations())
    with pytest.raises(LeaseStoreUnavailableError, match="60000"):
        await keeper.renew()


async def test_the_solvers_role_may_only_execute_the_lease_functions(lease_database_url: str) -> None:
    """An attacker who controls a solver cannot read users, keys or degrees."""
    async with await psycopg.AsyncConnection.connect(lease_database_url, autocommit=True) as solver:
        for table in ("users_user", "sittings_paperkey", "sittings_sitting", "sittings_solverlease"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await solver.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await solver.execute("SELECT solver_sittings()")


def database_name() -> str:
    """The test database."""
    return str(connection.settings_dict["NAME"])


def end_sessions(postgres: Postgres) -> None:
    """Terminate every connection of the solver's role."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'exam_solver'")


def test_a_renewal_reads_the_revocations_that_are_new(lease_database_url: str) -> None:
    """50,000 logins were revoked: each of many renewals over one connection reads the new ones, not those it knows."""
    expires = timezone.now() + timedelta(days=1)
    Revocation.objects.bulk_create(
        Revocation(kind="session", value=str(uuid4()), before=expires, expires_at=expires) for _ in range(50_000)
    )
    known = Revocation.objects.order_by("id").values_list("id", flat=True)
    latest = known[len(known) - 4]
    # The planner has no statistics yet, which is the worst case.
    read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'users_revocation'"
    holder = uuid4()
    with psycopg.connect(lease_database_url) as solver:
        renew = "SELECT solver_renew(%s::uuid, 30000, %s::bigint, 0::bigint, %s::bigint)"
        first = solver.execute(renew, (holder, 0, latest)).fetchone()
        assert first is not None
        for _ in range(12):
            row = solver.execute(renew, (holder, first[0]["epoch"], latest)).fetchone()
            assert row is not None
            assert len(row[0]["revocations"]) == 3
        rows = solver.execute(read).fetchone()
    assert rows is not None
    assert 13 * 3 <= rows[0] <= 13 * 10
