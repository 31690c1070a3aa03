"""Acknowledged means graded: an answer that the seal may miss is never acknowledged."""

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
    """The seqs that a seal would contain now, whether or not sealing is allowed."""
    seqs: set[int] = set()
    for bucket in range(3):
        rows = await world.log.read_bucket(world.sitting, bucket)
        seal = seal_bucket(
            sitting=world.sitting,
            bucket=bucket,
            paper=None,
            answers=rows.answers,
            starts=rows.starts,
            submissions=rows.submissions,
        )
        seqs |= {answer.seq for sealed in seal.students for answer in sealed.answers}
    return seqs


async def seal_while_writing(world: World, solver: Process, attempt: str) -> tuple[httpx.Response, set[int]]:
    """Admit an answer (seq 2), block its write, let the lease lapse, seal the sitting, then finish the write."""
    with world.log.hold() as hold:
        pending = asyncio.create_task(world.put_answer(solver, attempt, SINGLE, 2, choices=[2]))
        await hold.reached()
        world.schedule.change(world.sitting, state=State.CLOSING)
        assert not world.schedule.drained(world.schedule.epoch)
        world.clock.advance(30 + 2.1)
        world.log._hold = None  # the seal's reads are not blocked
        assert world.schedule.drained(world.schedule.epoch)
        sealed = await sealed_seqs(world)
        await solver.renew()
    return await pending, sealed


async def test_an_answer_whose_lease_lapsed_is_not_acknowledged(world: World, solver: Process, attempt: str) -> None:
    """My answer was written too late for the seal: I get 503 «not known to be saved»."""
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[1])
    response, sealed = await seal_while_writing(world, solver, attempt)
    assert (response.status_code, slug_of(response), response.headers["retry-after"]) == (
        503,
        "not-known-saved",
        "1",
    )
    assert sealed == {1}
    assert len(world.log.tables["answers"]) == 2
    again = await world.put_answer(solver, attempt, SINGLE, 2, choices=[2])
    assert slug_of(again) == "not-known-saved"


async def test_without_the_gap_rule_a_seal_misses_an_acknowledged_answer(
    world: World, solver: Process, attempt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: without the rule, a receipt is returned for an answer that is in no seal."""

    def accept_any_valid_lease(_admission: Admission, lease: Lease | None, boot_now: int) -> bool:
        return lease is not None and lease.valid(boot_now)

    await world.put_answer(solver, attempt, SINGLE, 1, choices=[1])
    monkeypatch.setattr("exam_core.lease.held_since", accept_any_valid_lease)
    response, sealed = await seal_while_writing(world, solver, attempt)
    assert response.status_code == 200
    assert response.json()["seq"] not in sealed


async def test_a_slow_write_under_a_renewed_lease_is_acknowledged(world: World, solver: Process, attempt: str) -> None:
    """The lease is renewed in time while a write takes a minute: there is no gap."""
    with world.log.hold() as hold:
        pending = asyncio.create_task(world.put_answer(solver, attempt, SINGLE, 1, choices=[2]))
        await hold.reached()
        for _ in range(3):
            world.clock.advance(20)
            await solver.renew()
    assert (await pending).status_code == 200


async def test_a_lapsed_lease_is_a_gap_even_without_a_close(world: World, solver: Process, attempt: str) -> None:
    """PostgreSQL was down during my write: the answer is not known to be saved, and a retry saves it."""
    with world.log.hold() as hold:
        pending = asyncio.create_task(world.put_answer(solver, attempt, SINGLE, 1, choices=[2]))
        await hold.reached()
        world.clock.advance(30)
    assert slug_of(await pending) == "not-known-saved"
    assert slug_of(await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])) == "unavailable"
    await solver.renew()
    assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])).status_code == 200


async def test_a_close_waits_for_an_answer_in_flight(world: World, solver: Process, attempt: str) -> None:
    """I answered in the last second: the sitting is sealed after my answer is written, not before."""
    with world.log.hold() as hold:
        pending = asyncio.create_task(world.put_answer(solver, attempt, SINGLE, 1, choices=[2]))
        await hold.reached()
        world.schedule.change(world.sitting, state=State.CLOSING)
        closing = world.schedule.epoch
        for _ in range(3):
            await solver.renew()
        assert not world.schedule.drained(closing)
    assert (await pending).status_code == 200
    await solver.renew()
    assert world.schedule.drained(closing)


async def test_a_client_that_disconnects_does_not_cancel_its_write(world: World, solver: Process, attempt: str) -> None:
    """My connection broke during the write: it finishes, a drain waits for it, and a retry is acknowledged."""
    with world.log.hold() as hold:
        pending = asyncio.create_task(world.put_answer(solver, attempt, SINGLE, 1, choices=[2]))
        await hold.reached()
        pending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pending
        world.schedule.change(world.sitting, state=State.CLOSING)
        await solver.renew()
        await solver.renew()
        assert solver.solver.keeper.in_flight == 1
        assert not world.schedule.drained(world.schedule.epoch)
    async with asyncio.timeout(5):
        while solver.solver.keeper.in_flight:  # noqa: ASYNC110 - there is no task to await
            await asyncio.sleep(0)
    assert len(world.log.tables["answers"]) == 1
    again = await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])
    assert again.status_code == 200


@contextmanager
def drain_disabled(world: World) -> Iterator[None]:
    """Disable the drain: epochs count as drained whatever is in flight."""
    original = world.schedule.renew

    def renew(holder: object, ttl: int, known: int, drained: int, revocation: int) -> object:
        return original(holder, ttl, known, known, revocation)  # type: ignore[arg-type]

    world.schedule.renew = renew  # type: ignore[method-assign, assignment]
    yield
    world.schedule.renew = original  # type: ignore[method-assign]


async def test_without_the_drain_a_seal_misses_an_acknowledged_answer(
    world: World, solver: Process, attempt: str
) -> None:
    """Negative control: report epochs as drained with answers in flight, and a seal misses an acknowledged answer."""
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[1])
    with world.log.hold() as hold:
        pending = asyncio.create_task(world.put_answer(solver, attempt, SINGLE, 2, choices=[2]))
        await hold.reached()
        world.schedule.change(world.sitting, state=State.CLOSING)
        with drain_disabled(world):
            await solver.renew()
            await solver.renew()
        assert world.schedule.drained(world.schedule.epoch)
        world.log._hold = None
        sealed = await sealed_seqs(world)
    assert (await pending).status_code == 200
    assert sealed == {1}
