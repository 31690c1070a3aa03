"""Acknowledged means graded, under chance: processes that lapse, writes that hang, a close at any moment.

Every run is decided by its seed. The store lets calls hang and go, loses confirmations and writes what it said it had
not; the clock jumps; renewals fail. Whatever happens, what was acknowledged is in the seal.
"""

import asyncio
from collections.abc import Sequence
from random import Random
from uuid import UUID

import pytest

from exam_answerlog.log import AnswerLogUnavailableError, Rows
from exam_answerlog.testing.memory import MemoryAnswerLog
from exam_core.answers import Answer
from exam_core.fold import fold_answers
from exam_core.lease import Admission, Lease
from exam_core.problems import BASE
from exam_core.schedule import State
from exam_solver.lease.store import LeaseStoreUnavailableError
from exam_solver.testing.world import Process, World

SEEDS = 50
STUDENTS = range(1, 6)
EXPECTED_REFUSALS = {
    "deadline-passed",
    "seq-too-low",
    "not-known-saved",
    "unavailable",
    "too-many-answers",
}


class MoodyLog(MemoryAnswerLog):
    """An answer log whose calls may hang before or after their work, and fail either way."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self.chance = chance
        self.moody = False
        self.hung: list[asyncio.Future[None]] = []

    async def append_answers(self, sitting: UUID, bucket: int, answers: Sequence[Answer]) -> None:
        """Write, sooner or later."""
        await self._mood()
        await super().append_answers(sitting, bucket, answers)
        await self._mood()

    async def read_student(self, sitting: UUID, bucket: int, student: int) -> Rows:
        """Read, sooner or later."""
        await self._mood()
        rows = await super().read_student(sitting, bucket, student)
        await self._mood()
        return rows

    def let_go(self) -> None:
        """Let one hanging call go on."""
        if self.hung:
            self.hung.pop(self.chance.randrange(len(self.hung))).set_result(None)

    async def _mood(self) -> None:
        if self.moody and self.chance.random() < 0.4:
            going_on = asyncio.get_running_loop().create_future()
            self.hung.append(going_on)
            await going_on
        if self.moody and self.chance.random() < 0.1:
            raise AnswerLogUnavailableError("moody")


class Run:
    """One simulated sitting."""

    def __init__(self, world: World, log: MoodyLog, chance: Random) -> None:
        self.world = world
        self.log = log
        self.chance = chance
        self.processes: list[Process] = []
        self.attempts: dict[int, str] = {}
        self.asking: set[asyncio.Task[None]] = set()
        self.acknowledged: list[tuple[int, int, int]] = []
        self.seq = 0

    async def play(self) -> set[tuple[int, int, int]]:
        """The whole sitting; what was acknowledged and is not in the seal, which should be nothing."""
        self.processes = [await self.world.start_process() for _ in range(3)]
        for student in STUDENTS:
            token = self.world.access_token(student=student)
            self.attempts[student] = await self.world.start_attempt(self.processes[0], token)
        self.log.moody = True
        for _ in range(self.chance.randrange(20, 60)):
            await self.step()
        self.world.schedule.change(self.world.sitting, state=State.CLOSING)
        closing = self.world.schedule.epoch
        while not self.world.schedule.drained(closing):
            await self.step()
        seal = await self.seal()
        for _ in range(20):
            await self.step()
        self.log.moody = False
        while self.asking:
            self.log.let_go()
            await asyncio.sleep(0)
        return {
            (student, question, seq)
            for student, question, seq in self.acknowledged
            if seal.get((student, question), 0) < seq
        }

    async def step(self) -> None:
        """Something happens."""
        what = self.chance.random()
        if what < 0.45:
            self.ask()
        elif what < 0.65:
            self.log.let_go()
        elif what < 0.8:
            self.world.clock.advance(self.chance.choice((0.01, 0.5, 5, 12)))
        else:
            await self.renew(self.chance.choice(self.processes))
        for _ in range(self.chance.randrange(8)):
            await asyncio.sleep(0)

    async def renew(self, process: Process) -> None:
        """A renewal, which may fail before or after PostgreSQL heard of it."""
        process.store.down = self.chance.random() < 0.2
        process.store.lose_responses = self.chance.random() < 0.2
        try:
            await process.solver.keeper.renew()
            await process.solver.keeper.release_stale()
        except LeaseStoreUnavailableError:
            return

    def ask(self) -> None:
        """A student answers, for the first time or again, at any process."""
        if self.chance.random() < 0.7:
            self.seq += 1
        student, question = self.chance.choice(STUDENTS), self.chance.choice((0, 3))
        process = self.chance.choice(self.processes)
        task = asyncio.get_running_loop().create_task(self.answer(process, student, question, max(1, self.seq)))
        self.asking.add(task)
        task.add_done_callback(self.asking.discard)
        if self.chance.random() < 0.1:
            asyncio.get_running_loop().call_later(0, task.cancel)

    async def answer(self, process: Process, student: int, question: int, seq: int) -> None:
        """One answer; a receipt is remembered."""
        response = await self.world.put_answer(process, self.attempts[student], question, seq, choices=[seq % 2])
        if response.status_code == 200:
            self.acknowledged.append((student, question, seq))
        else:
            assert response.json()["type"].removeprefix(BASE) in EXPECTED_REFUSALS

    async def seal(self) -> dict[tuple[int, int], int]:
        """What counts: the seq by student and question."""
        rows = [await MemoryAnswerLog.read_bucket(self.log, self.world.sitting, bucket) for bucket in range(3)]
        counted = fold_answers(answer for bucket in rows for answer in bucket.answers)
        return {place: answer.seq for place, answer in counted.items()}


async def simulate(seed: int) -> tuple[int, set[tuple[int, int, int]]]:
    """How much was acknowledged, and what of it is missing."""
    chance = Random(seed)
    log = MoodyLog(chance)
    world = await World.create(log)
    run = Run(world, log, chance)
    missing = await run.play()
    await world.close()
    return len(run.acknowledged), missing


async def test_whatever_happens_an_acknowledged_answer_counts() -> None:
    """My receipt holds, in each of many ways in which an evening can go wrong."""
    outcomes = [await simulate(seed) for seed in range(SEEDS)]
    assert [missing for _, missing in outcomes if missing] == []
    assert sum(acknowledged for acknowledged, _ in outcomes) > 5 * SEEDS


async def test_without_the_gap_rule_chance_finds_a_receipt_that_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative control: the simulation is strong enough to find what the gap rule prevents."""

    def any_lease_will_do(_admission: Admission, lease: Lease | None, boot_now: int) -> bool:
        return lease is not None and lease.valid(boot_now)

    monkeypatch.setattr("exam_core.lease.unbroken", any_lease_will_do)
    for seed in range(SEEDS):
        _, missing = await simulate(seed)
        if missing:
            return
    pytest.fail("no seed showed what the gap rule is for")
