"""Randomised simulation of «acknowledged means graded»: leases that lapse, writes that hang, a close at any moment.

Every run is determined by its seed. Calls to the store hang and resume, confirmations are lost, and writes succeed that
were reported as failed; the clock jumps; renewals fail. In every run, each acknowledged answer must be in the seal.
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


class FlakyLog(MemoryAnswerLog):
    """An answer log whose calls may hang or fail, before or after they take effect."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random
        self.flaky = False
        self.hung: list[asyncio.Future[None]] = []

    async def append_answers(self, sitting: UUID, bucket: int, answers: Sequence[Answer]) -> None:
        """Write, possibly late."""
        await self._delay_or_fail()
        await super().append_answers(sitting, bucket, answers)
        await self._delay_or_fail()

    async def read_student(self, sitting: UUID, bucket: int, student: int) -> Rows:
        """Read, possibly late."""
        await self._delay_or_fail()
        rows = await super().read_student(sitting, bucket, student)
        await self._delay_or_fail()
        return rows

    def resume_one(self) -> None:
        """Resume one hanging call."""
        if self.hung:
            self.hung.pop(self.random.randrange(len(self.hung))).set_result(None)

    async def _delay_or_fail(self) -> None:
        if self.flaky and self.random.random() < 0.4:
            resumed = asyncio.get_running_loop().create_future()
            self.hung.append(resumed)
            await resumed
        if self.flaky and self.random.random() < 0.1:
            raise AnswerLogUnavailableError("flaky")


class Simulation:
    """One simulated sitting."""

    def __init__(self, world: World, log: FlakyLog, random: Random) -> None:
        self.world = world
        self.log = log
        self.random = random
        self.processes: list[Process] = []
        self.attempts: dict[int, str] = {}
        self.requests: set[asyncio.Task[None]] = set()
        self.acknowledged: list[tuple[int, int, int]] = []
        self.seq = 0

    async def run(self) -> set[tuple[int, int, int]]:
        """Run a sitting; return the acknowledged answers that the seal misses, of which there should be none."""
        self.processes = [await self.world.start_process() for _ in range(3)]
        for student in STUDENTS:
            token = self.world.access_token(student=student)
            self.attempts[student] = await self.world.start_attempt(self.processes[0], token)
        self.log.flaky = True
        for _ in range(self.random.randrange(20, 60)):
            await self.step()
        self.world.schedule.change(self.world.sitting, state=State.CLOSING)
        closing = self.world.schedule.epoch
        while not self.world.schedule.drained(closing):
            await self.step()
        seal = await self.seal()
        for _ in range(20):
            await self.step()
        self.log.flaky = False
        while self.requests:
            self.log.resume_one()
            await asyncio.sleep(0)
        return {
            (student, question, seq)
            for student, question, seq in self.acknowledged
            if seal.get((student, question), 0) < seq
        }

    async def step(self) -> None:
        """Take one random step."""
        event = self.random.random()
        if event < 0.45:
            self.start_request()
        elif event < 0.65:
            self.log.resume_one()
        elif event < 0.8:
            self.world.clock.advance(self.random.choice((0.01, 0.5, 5, 12)))
        else:
            await self.renew(self.random.choice(self.processes))
        for _ in range(self.random.randrange(8)):
            await asyncio.sleep(0)

    async def renew(self, process: Process) -> None:
        """Renew a lease, which may fail before or after PostgreSQL received it."""
        process.store.down = self.random.random() < 0.2
        process.store.lose_responses = self.random.random() < 0.2
        try:
            await process.solver.keeper.renew()
            await process.solver.keeper.release_stale()
        except LeaseStoreUnavailableError:
            return

    def start_request(self) -> None:
        """Send a new or repeated answer to a random process."""
        if self.random.random() < 0.7:
            self.seq += 1
        student, question = self.random.choice(STUDENTS), self.random.choice((0, 3))
        process = self.random.choice(self.processes)
        task = asyncio.get_running_loop().create_task(self.answer(process, student, question, max(1, self.seq)))
        self.requests.add(task)
        task.add_done_callback(self.requests.discard)
        if self.random.random() < 0.1:
            asyncio.get_running_loop().call_later(0, task.cancel)

    async def answer(self, process: Process, student: int, question: int, seq: int) -> None:
        """Save one answer and record whether it was acknowledged."""
        response = await self.world.put_answer(process, self.attempts[student], question, seq, choices=[seq % 2])
        if response.status_code == 200:
            self.acknowledged.append((student, question, seq))
        else:
            assert response.json()["type"].removeprefix(BASE) in EXPECTED_REFUSALS

    async def seal(self) -> dict[tuple[int, int], int]:
        """The seq that counts, by student and question."""
        rows = [await MemoryAnswerLog.read_bucket(self.log, self.world.sitting, bucket) for bucket in range(3)]
        counted = fold_answers(answer for bucket in rows for answer in bucket.answers)
        return {key: answer.seq for key, answer in counted.items()}


async def simulate(seed: int) -> tuple[int, set[tuple[int, int, int]]]:
    """The number of acknowledged answers, and those that the seal misses."""
    random = Random(seed)
    log = FlakyLog(random)
    world = await World.create(log)
    simulation = Simulation(world, log, random)
    missing = await simulation.run()
    await world.close()
    return len(simulation.acknowledged), missing


async def test_acknowledged_answers_are_in_the_seal_for_every_seed() -> None:
    """My receipt holds under any combination of faults."""
    outcomes = [await simulate(seed) for seed in range(SEEDS)]
    assert [missing for _, missing in outcomes if missing] == []
    assert sum(acknowledged for acknowledged, _ in outcomes) > 5 * SEEDS


async def test_without_the_gap_rule_some_seed_loses_an_acknowledged_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative control: the simulation is strong enough to find what the gap rule prevents."""

    def accept_any_valid_lease(_admission: Admission, lease: Lease | None, boot_now: int) -> bool:
        return lease is not None and lease.valid(boot_now)

    monkeypatch.setattr("exam_core.lease.held_since", accept_any_valid_lease)
    for seed in range(SEEDS):
        _, missing = await simulate(seed)
        if missing:
            return
    pytest.fail("no seed lost an acknowledged answer without the gap rule")
