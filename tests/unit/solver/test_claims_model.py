"""A model of starts: of two sittings of one exam, in any order of the steps of two starts, one start is acknowledged.

It is exhaustive: every order in which the answer log can perform the steps is tried, also with one of the processes
killed at any of them. Two broken variants show that the search would find a violation.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from exam_answerlog.testing.memory import MemoryAnswerLog
from exam_core.answers import Claim, Start
from exam_core.buckets import bucket_of
from exam_core.problems import Problem
from exam_core.schedule import Attempts, OtherSitting, ScheduledExam, ScheduledSitting, State
from exam_core.windows import Window
from exam_solver.attempts import claims
from exam_solver.attempts.claims import ExamClaims

STUDENT, EXAM, BUCKETS = 7, 5, 3
A, B = UUID(int=1), UUID(int=2)
Choice = tuple[str, str]
"""«step» or «kill», and the process."""


class ViolationError(Exception):
    """The student has two attempts, or none."""


process: ContextVar[str] = ContextVar("process")


def sitting(own: UUID, other: UUID, state: State = State.SCHEDULED) -> ScheduledSitting:
    """One of the two sittings; `state` is that of the other one."""
    others = (OtherSitting(id=other, state=state, buckets=BUCKETS),)
    return ScheduledSitting(
        id=own,
        state=State.SCHEDULED,
        epoch=1,
        level="year-1",
        window=Window(opens_at=0, closes_at=1_000, duration=100),
        paper="p",
        buckets=BUCKETS,
        accommodations={},
        exam=ScheduledExam(id=EXAM, attempts=Attempts.ONE, others=others),
    )


class SteppedLog(MemoryAnswerLog):
    """An answer log that performs a call when the search chooses the process that waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[str, asyncio.Future[None]] = {}
        self.stepped = True

    async def _begin(self) -> None:
        if self.stepped:
            turn = self.waiting[process.get()] = asyncio.get_running_loop().create_future()
            await turn


class UnconditionalLog(SteppedLog):
    """A broken variant: every claim succeeds."""

    async def claim(self, claim: Claim, *, instead_of: UUID | None = None) -> Claim:
        """Store the claim, and return it whether it is stored or not."""
        await super().claim(claim, instead_of=instead_of)
        return claim


@dataclass
class Run:
    """One order of steps: what was chosen, and what could have been."""

    log: SteppedLog
    trace: list[tuple[Choice, list[Choice]]] = field(default_factory=list)
    acknowledged: list[UUID] = field(default_factory=list)

    async def start(self, name: str, where: ScheduledSitting) -> None:
        """The steps of `StartService`: claim, record, read, acknowledge."""
        process.set(name)
        try:
            await ExamClaims(self.log).claim(where, student=STUDENT, now=10)
        except Problem:
            return
        bucket = bucket_of(STUDENT, BUCKETS)
        await self.log.append_start(where.id, bucket, Start(student=STUDENT, started_at=10, solver=A, epoch=1, seed=1))
        await self.log.read_student(where.id, bucket, STUDENT)
        self.acknowledged.append(where.id)

    async def perform(self, prefix: list[Choice]) -> None:
        """Start in both sittings and follow the prefix, then the first possible choice."""
        tasks = {
            name: asyncio.create_task(self.start(name, where))
            for name, where in (("a", sitting(A, B)), ("b", sitting(B, A)))
        }
        while True:
            await _settle(lambda: all(task.done() or name in self.log.waiting for name, task in tasks.items()))
            names = sorted(self.log.waiting)
            if not names:
                return
            killed = any(choice[0] == "kill" for choice, _ in self.trace)
            options = [("step", name) for name in names] + [("kill", name) for name in names if not killed]
            place = len(self.trace)
            choice = prefix[place] if place < len(prefix) else options[0]
            self.trace.append((choice, options))
            turn = self.log.waiting.pop(choice[1])
            if choice[0] == "step":
                turn.set_result(None)
            else:
                tasks[choice[1]].cancel()
                await asyncio.wait([tasks[choice[1]]])


async def _settle(settled: Callable[[], bool]) -> None:
    """Let all tasks run until each waits for the search, or has ended."""
    while not settled():  # noqa: ASYNC110 - what is awaited is that no task can run, which no event tells
        await asyncio.sleep(0)


async def search(make_log: Callable[[], SteppedLog], check: Callable[[Run], Awaitable[None]]) -> int:
    """Check every order of steps; return how many there are."""
    unexplored: list[list[Choice]] = [[]]
    explored = 0
    while unexplored:
        prefix = unexplored.pop()
        run = Run(make_log())
        await run.perform(prefix)
        await check(run)
        explored += 1
        chosen = [choice for choice, _ in run.trace]
        unexplored.extend(_branches(run, chosen, len(prefix)))
    return explored


def _branches(run: Run, chosen: list[Choice], begin: int) -> Iterator[list[Choice]]:
    for place in range(begin, len(run.trace)):
        for option in run.trace[place][1]:
            if option != chosen[place]:
                yield [*chosen[:place], option]


async def at_most_one(run: Run) -> None:
    """One start was acknowledged, also after the student has tried everywhere again, and once one sitting is sealed."""
    run.log.stepped = False
    for where in (sitting(A, B), sitting(B, A)):
        if where.id not in run.acknowledged:
            await run.start("again", where)
    if len(run.acknowledged) != 1:
        raise ViolationError(run.trace)
    # Nothing else can be acknowledged when either sitting is sealed, whichever process had been killed.
    (started,) = run.acknowledged
    other = B if started == A else A
    await run.start("later", sitting(other, started, State.SEALED))
    if run.acknowledged != [started]:
        raise ViolationError(run.trace)


async def test_one_start_is_acknowledged_in_any_order() -> None:
    """However two starts overlap and whichever process is killed, I have one attempt, and never none."""
    assert await search(SteppedLog, at_most_one) > 150


async def test_an_abandoned_claim_blocks_no_other_sitting_for_ever() -> None:
    """If the process was killed between claim and start, I can start elsewhere once that sitting is sealed."""
    log = SteppedLog()
    log.stepped = False
    await log.claim(Claim(exam=EXAM, student=STUDENT, sitting=A, claimed_at=1))
    run = Run(log)
    await run.start("b", sitting(B, A))
    assert run.acknowledged == []
    await run.start("b", sitting(B, A, State.SEALED))
    assert run.acknowledged == [B]


async def test_without_claims_two_starts_are_acknowledged() -> None:
    """Negative control: if every claim succeeds, reading the other sitting first is not enough."""
    with pytest.raises(ViolationError):
        await search(UnconditionalLog, at_most_one)


async def test_claims_of_open_sittings_must_not_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: if a claim without a start is replaced while its sitting is open, the start may still come."""
    monkeypatch.setattr(claims, "_FINISHED", frozenset(State))
    with pytest.raises(ViolationError):
        await search(SteppedLog, at_most_one)
