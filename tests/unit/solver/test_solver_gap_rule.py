"""Acknowledged means graded: what may be missed by the seal is never acknowledged."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from exam_core.fold import seal_bucket
from exam_core.lease import Admission, Lease
from exam_core.schedule import State
from exam_solver.testing.papers import SINGLE
from exam_solver.testing.world import Process, World, slug_of


async def sealed_seqs(world: World) -> set[int]:
    """What a seal would count now, whether it may be made or not."""
    seqs: set[int] = set()
    for bucket in range(3):
        rows = await world.log.read_bucket(world.sitting, bucket)
        seal = seal_bucket(
            sitting=world.sitting,
            bucket=bucket,
            answers=rows.answers,
            starts=rows.starts,
            submissions=rows.submissions,
        )
        seqs |= {answer.seq for sat in seal.students for answer in sat.answers}
    return seqs


async def lapsed_in_between(world: World, solver: Process, attempt: str) -> tuple[httpx.Response, set[int]]:
    """An answer (seq 2) is admitted, its write hangs, the lease lapses, the sitting is sealed, then the write lands."""
    with world.log.hold() as hold:
        answering = asyncio.create_task(world.put_answer(solver, attempt, SINGLE, 2, choices=[2]))
        await hold.reached()
        world.clock.advance(30 + 2.1)
        world.log._hold = None  # the seal's reads are not held
        world.schedule.change(world.sitting, state=State.CLOSING)
        assert world.schedule.drained(world.schedule.epoch)
        sealed = await sealed_seqs(world)
        await solver.renew()
    return await answering, sealed


async def test_an_answer_whose_lease_lapsed_is_not_acknowledged(world: World, solver: Process, attempt: str) -> None:
    """My answer was written too late for the seal: I am told that it is not known to be saved."""
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[1])
    response, sealed = await lapsed_in_between(world, solver, attempt)
    assert (response.status_code, slug_of(response), response.headers["retry-after"]) == (
        503,
        "not-known-saved",
        "1",
    )
    assert sealed == {1}
    assert len(world.log.tables["answers"]) == 2
    again = await world.put_answer(solver, attempt, SINGLE, 2, choices=[2])
    assert slug_of(again) == "deadline-passed"


async def test_without_the_gap_rule_an_acknowledged_answer_would_not_count(
    world: World, solver: Process, attempt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: take the rule away and a receipt is given for an answer that no seal has."""

    def any_lease_will_do(_admission: Admission, lease: Lease | None, boot_now: int) -> bool:
        return lease is not None and lease.valid(boot_now)

    await world.put_answer(solver, attempt, SINGLE, 1, choices=[1])
    monkeypatch.setattr("exam_core.lease.unbroken", any_lease_will_do)
    response, sealed = await lapsed_in_between(world, solver, attempt)
    assert response.status_code == 200
    assert response.json()["seq"] not in sealed


async def test_a_lease_renewed_in_time_is_no_gap(world: World, solver: Process, attempt: str) -> None:
    """A slow write under a lease that is kept alive is acknowledged."""
    with world.log.hold() as hold:
        answering = asyncio.create_task(world.put_answer(solver, attempt, SINGLE, 1, choices=[2]))
        await hold.reached()
        for _ in range(3):
            world.clock.advance(20)
            await solver.renew()
    assert (await answering).status_code == 200


async def test_a_lease_that_lapsed_is_a_gap_even_when_nothing_else_happened(
    world: World, solver: Process, attempt: str
) -> None:
    """PostgreSQL was away during my write: the answer is not known to be saved, and sending it again saves it."""
    with world.log.hold() as hold:
        answering = asyncio.create_task(world.put_answer(solver, attempt, SINGLE, 1, choices=[2]))
        await hold.reached()
        world.clock.advance(30)
    assert slug_of(await answering) == "not-known-saved"
    assert slug_of(await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])) == "unavailable"
    await solver.renew()
    assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])).status_code == 200


async def test_a_close_waits_for_the_answer_that_is_being_written(world: World, solver: Process, attempt: str) -> None:
    """I answered in the last second: the sitting is sealed after my answer is in, not before."""
    with world.log.hold() as hold:
        answering = asyncio.create_task(world.put_answer(solver, attempt, SINGLE, 1, choices=[2]))
        await hold.reached()
        world.schedule.change(world.sitting, state=State.CLOSING)
        closing = world.schedule.epoch
        for _ in range(3):
            await solver.renew()
        assert not world.schedule.drained(closing)
    assert (await answering).status_code == 200
    await solver.renew()
    assert world.schedule.drained(closing)


async def test_a_client_that_hangs_up_does_not_stop_its_answer(world: World, solver: Process, attempt: str) -> None:
    """My connection broke while my answer was written: it is written, drained for, and known when I retry."""
    with world.log.hold() as hold:
        answering = asyncio.create_task(world.put_answer(solver, attempt, SINGLE, 1, choices=[2]))
        await hold.reached()
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering
        world.schedule.change(world.sitting, state=State.CLOSING)
        await solver.renew()
        await solver.renew()
        assert solver.solver.keeper.in_flight == 1
        assert not world.schedule.drained(world.schedule.epoch)
    async with asyncio.timeout(5):
        while solver.solver.keeper.in_flight:  # noqa: ASYNC110 - nobody is left to await it
            await asyncio.sleep(0)
    assert len(world.log.tables["answers"]) == 1
    again = await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])
    assert again.status_code == 200


@contextmanager
def drain_ignored(world: World) -> Iterator[None]:
    """Break the drain: epochs count as drained whatever is in flight."""
    original = world.schedule.renew

    def renew(holder: object, ttl: int, known: int, drained: int, revocation: int) -> object:
        return original(holder, ttl, known, known, revocation)  # type: ignore[arg-type]

    world.schedule.renew = renew  # type: ignore[method-assign, assignment]
    yield
    world.schedule.renew = original  # type: ignore[method-assign]


async def test_without_the_drain_an_acknowledged_answer_would_not_count(
    world: World, solver: Process, attempt: str
) -> None:
    """Negative control: acknowledge epochs with answers in flight, and a seal misses an acknowledged answer."""
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[1])
    with world.log.hold() as hold:
        answering = asyncio.create_task(world.put_answer(solver, attempt, SINGLE, 2, choices=[2]))
        await hold.reached()
        world.schedule.change(world.sitting, state=State.CLOSING)
        with drain_ignored(world):
            await solver.renew()
            await solver.renew()
        assert world.schedule.drained(world.schedule.epoch)
        world.log._hold = None
        sealed = await sealed_seqs(world)
    assert (await answering).status_code == 200
    assert sealed == {1}
