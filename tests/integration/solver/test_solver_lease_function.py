"""The lease, held in a real PostgreSQL by the functions that web's migrations make."""

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
from exam_solver.lease.clock import boot_clock
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
from exam_web.users.models import LoginSession, Student
from exam_web.users.services import account_disable, session_revoke

pytestmark = pytest.mark.integration

ResultT = TypeVar("ResultT")
TTL_MS = 30_000


async def web(call: Callable[[], ResultT]) -> ResultT:
    """Run some of web's code in a thread, where Django's database works, and leave no connection behind."""

    def closing() -> ResultT:
        try:
            return call()
        finally:
            connections.close_all()

    return await asyncio.to_thread(closing)


def keeper_of(store: PostgresLeaseStore, revocations: Revocations | None = None) -> LeaseKeeper:
    """A process's lease."""
    return LeaseKeeper(store, ttl_ms=TTL_MS, clock=boot_clock, revocations=revocations or Revocations())


async def test_a_new_holder_is_told_the_sittings_as_web_has_them(
    store: PostgresLeaseStore, sitting: Sitting, student: Student
) -> None:
    """A solver that comes up knows window, pauses, extra time, level and paper of every sitting near."""

    def change() -> Sitting:
        accommodation_set(sitting=sitting.id, student=student, extra=timedelta(minutes=7))
        pause_begin(sitting=sitting.id)
        pause_end(sitting=sitting.id)
        pause_begin(sitting=sitting.id)
        return Sitting.objects.select_related("level").prefetch_related("pauses").get(id=sitting.id)

    row = await web(change)
    keeper = keeper_of(store)
    assert await keeper.renew()
    known = keeper.admit().sitting(sitting.id)
    assert known.window == row.window
    assert known.window.paused
    assert known.accommodations == {student.pk: 7 * MINUTE}
    assert (known.level, known.paper, known.buckets) == (row.level.slug, row.paper_id, row.buckets)
    assert (known.state, known.epoch) == (State.SCHEDULED, row.epoch)
    assert keeper.epoch >= row.epoch


async def test_the_platforms_time_is_postgresqls(store: PostgresLeaseStore, sitting: Sitting) -> None:
    """Solvers stamp answers by PostgreSQL's clock, never earlier than it says."""
    keeper = keeper_of(store)
    before = to_micros(timezone.now())
    await keeper.renew()
    told = keeper.admit().now
    assert before - SECOND < told < to_micros(timezone.now()) + SECOND


async def test_what_has_not_changed_is_not_told_again(
    store: PostgresLeaseStore, sitting: Sitting, student: Student
) -> None:
    """A renewal costs little while nothing changes; a change is told once."""
    keeper = keeper_of(store)
    await keeper.renew()
    first = keeper.admit().known.sittings
    await keeper.renew()
    assert keeper.admit().known.sittings is first
    await web(lambda: accommodation_set(sitting=sitting.id, student=student, extra=timedelta(minutes=1)))
    await keeper.renew()
    assert keeper.admit().sitting(sitting.id).accommodations == {student.pk: MINUTE}


async def test_a_lease_that_expired_in_the_database_is_lapsed(store: PostgresLeaseStore, sitting: Sitting) -> None:
    """PostgreSQL counts a lease as expired: the process starts over under a new name."""
    keeper = keeper_of(store)
    await keeper.renew()
    assert keeper.lease is not None
    old = keeper.lease.holder
    await web(lambda: SolverLease.objects.update(renewed_at=timezone.now() - timedelta(minutes=1)))
    assert not await keeper.renew()
    held = [keeper.valid]
    assert await keeper.renew()
    await keeper.release_stale()
    assert [*held, keeper.valid] == [False, True]
    rows = await web(lambda: list(SolverLease.objects.values_list("holder", flat=True)))
    assert rows == [keeper.lease.holder] != [old]


async def test_a_close_waits_for_what_a_solver_admitted_before_and_for_nothing_else(
    store: PostgresLeaseStore, sitting: Sitting
) -> None:
    """The sitting is stopped while an answer is being written: it is drained once that is done and told."""
    keeper = keeper_of(store)
    await keeper.renew()
    finish = asyncio.Event()
    writing = asyncio.create_task(keeper.run_tracked(keeper.admit(), finish.wait))
    await asyncio.sleep(0)
    await web(lambda: sitting_stop(sitting=sitting.id))
    for _ in range(3):
        await keeper.renew()
    assert keeper.admit().sitting(sitting.id).state is State.CLOSING
    drain = await web(lambda: sitting_drain(sitting=sitting.id))
    assert keeper.lease is not None
    assert [waiting.holder for waiting in drain.waiting] == [keeper.lease.holder]
    finish.set()
    await writing
    await asyncio.sleep(0)
    await keeper.renew()
    drain = await web(lambda: sitting_drain(sitting=sitting.id))
    assert drain.drained


async def test_ending_gives_the_row_back_so_that_a_close_need_not_wait(
    store: PostgresLeaseStore, sitting: Sitting
) -> None:
    """A pod was replaced just before the close: nobody waits half a minute for it."""
    keeper = keeper_of(store)
    await keeper.renew()
    await web(lambda: sitting_stop(sitting=sitting.id))
    drain = await web(lambda: sitting_drain(sitting=sitting.id))
    assert not drain.drained
    await keeper.stop(grace=1)
    drain = await web(lambda: sitting_drain(sitting=sitting.id))
    assert drain.drained


async def test_revocations_come_with_the_lease(store: PostgresLeaseStore, sitting: Sitting, student: Student) -> None:
    """I log out, and somebody's account is disabled: the next renewal tells every solver."""
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

    session = await web(log_out)
    await keeper.renew()
    assert revocations.latest > 0
    latest = revocations.latest
    assert list(revocations._sessions) == [str(session.id)]
    await web(lambda: account_disable(user=student, now=now))
    await keeper.renew()
    assert revocations.latest > latest
    assert list(revocations._subjects) == [str(student.pk)]


async def test_a_broken_connection_is_made_anew(
    store: PostgresLeaseStore, sitting: Sitting, postgres: Postgres
) -> None:
    """PostgreSQL restarted: one renewal fails, the next works."""
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


async def test_a_server_that_hangs_does_not_hang_the_solver(
    lease_database_url: str, sitting: Sitting, postgres: Postgres
) -> None:
    """PostgreSQL takes the connection and answers nothing: the renewal fails in time and the lease goes on."""
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


async def test_a_server_that_is_not_there_is_told_as_such() -> None:
    """PostgreSQL is down: the solver says so and tries again."""
    store = PostgresLeaseStore("postgresql://exam_solver@127.0.0.1:1/exam", timeout=2)
    with pytest.raises(LeaseStoreUnavailableError):
        await store.connect()


async def test_a_ttl_that_the_function_refuses_is_a_failed_renewal(store: PostgresLeaseStore, sitting: Sitting) -> None:
    """A lease of an hour would hold up every close: PostgreSQL refuses it."""
    keeper = LeaseKeeper(store, ttl_ms=3_600_000, clock=boot_clock, revocations=Revocations())
    with pytest.raises(LeaseStoreUnavailableError, match="60000"):
        await keeper.renew()


async def test_the_solvers_role_may_do_nothing_else(lease_database_url: str) -> None:
    """Whoever takes over a solver cannot read people, keys or degrees."""
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
    """Break every connection of the solver's role."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'exam_solver'")
