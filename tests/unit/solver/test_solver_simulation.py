"""Randomised simulation of «acknowledged means graded»: leases that lapse, writes that hang, a close at any moment.

Every run is determined by its seed. Three processes have every attempt in memory. Calls to the store hang and resume,
confirmations are lost, and writes succeed that were reported as failed; the clock jumps, past deadlines too; renewals
fail. In every run, each acknowledged answer must be in the seal, and no refusal may contradict it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import pytest

from exam_answerlog.log import AnswerLogUnavailableError, Rows
from exam_answerlog.testing.memory import MemoryAnswerLog
from exam_core.answers import Answer, Start
from exam_core.instants import rfc3339
from exam_core.lease import Admission, Lease
from exam_core.problems import BASE
from exam_core.schedule import State
from exam_solver.attempts.plan import Plan, plan
from exam_solver.lease.store import LeaseStoreUnavailableError
from exam_solver.testing.world import Process, World

SEEDS = 50
STUDENTS = range(1, 6)
LATECOMERS = range(6, 8)
"""Students who start while the faults last."""
UNKNOWN = {"not-known-saved", "unavailable", "no response"}
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

    async def append_start(self, sitting: UUID, bucket: int, start: Start) -> None:
        """Write, possibly late."""
        await self._delay_or_fail()
        await super().append_start(sitting, bucket, start)
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


Key = tuple[int, int, int]
"""Student, question and seq."""


@dataclass
class Record:
    """The responses that the students received.

    Attributes:
        acknowledged: the answers that a receipt was given for.
        late: those that were refused as late.
        late_after_receipt: those that were refused as late although they had been acknowledged before.
        below: those that were refused because of a higher saved seq, with that seq.
        unknown: those with a request without a known outcome, or two at once; a refusal speaks of one alone.
        overtaken: how many receipts were given for an answer after one with a higher seq had its receipt.
        starts: the latest start that each student was shown.
        shortened: the students who were shown an earlier start than before, which takes time away from them.
        outcomes: how many responses of each kind.
    """

    acknowledged: set[Key] = field(default_factory=set)
    late: set[Key] = field(default_factory=set)
    late_after_receipt: set[Key] = field(default_factory=set)
    below: list[tuple[Key, int]] = field(default_factory=list)
    unknown: set[Key] = field(default_factory=set)
    overtaken: int = 0
    starts: dict[int, str] = field(default_factory=dict)
    shortened: set[int] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)

    def highest(self, student: int, question: int) -> int:
        """The highest seq with a receipt."""
        return max((key[2] for key in self.acknowledged if key[:2] == (student, question)), default=0)

    def missing(self, seal: dict[tuple[int, int], int]) -> set[Key]:
        """The acknowledged answers that the seal misses."""
        return {key for key in self.acknowledged if seal.get(key[:2], 0) < key[2]}

    def untrue(self, seal: dict[tuple[int, int], int]) -> set[Key]:
        """The refusals that a receipt or the seal contradicts."""
        late = {key for key in self.late - self.unknown if seal.get(key[:2]) == key[2]}
        return self.late_after_receipt | late | {key for key, highest in self.below if seal.get(key[:2], 0) < highest}


class Simulation:
    """One simulated sitting."""

    def __init__(self, world: World, log: FlakyLog, random: Random) -> None:
        self.world = world
        self.log = log
        self.random = random
        self.processes: list[Process] = []
        self.attempts: dict[int, str] = {}
        self.requests: set[asyncio.Task[None]] = set()
        self.record = Record()
        self.under_way: Counter[Key] = Counter()
        self.seq = 0
        self.starts = random.choice((0.05, 0.4))

    async def run(self) -> dict[tuple[int, int], int]:
        """Run a sitting; return the seq that the seal counts, by student and question."""
        self.processes = [await self.world.start_process() for _ in range(3)]
        for student in STUDENTS:
            token = self.world.access_token(student=student)
            self.attempts[student] = await self.world.start_attempt(self.processes[0], token)
        self.world.clock.advance(30 * 60 - self.random.randrange(5, 300))
        for process in self.processes:
            await process.renew()
            for student in STUDENTS:
                token = self.world.access_token(student=student)
                await self.world.start_attempt(process, token)
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
        self.world.schedule.change(self.world.sitting, state=State.SEALED)
        for _ in range(20):
            await self.step()
        self.log.flaky = False
        while self.requests or self.log.hung:
            self.log.resume_one()
            await asyncio.sleep(0)
        return seal

    async def step(self) -> None:
        """Take one random step."""
        event = self.random.random()
        if self.random.random() < self.starts:
            self.send(self.start_attempt(self.random.choice(self.processes), self.random.choice(LATECOMERS)))
        elif event < 0.45:
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
        """Send a new answer, a repeated one, or one that was delayed on its way, to a random process."""
        chance, seq = self.random.random(), self.seq
        if chance < 0.6:
            seq = self.seq = self.seq + 1
        elif chance < 0.8:
            seq -= self.random.randrange(6)
        student, question = self.random.choice(STUDENTS), self.random.choice((0, 3))
        process = self.random.choice(self.processes)
        self.send(self.answer(process, student, question, max(1, seq)))

    def send(self, request: Coroutine[Any, Any, None]) -> None:
        """Send a request, which the student may give up."""
        task = asyncio.get_running_loop().create_task(request)
        self.requests.add(task)
        task.add_done_callback(self.requests.discard)
        if self.random.random() < 0.1:
            asyncio.get_running_loop().call_later(0, task.cancel)

    async def start_attempt(self, process: Process, student: int) -> None:
        """Start or resume an attempt and record the start that the student is shown."""
        shown = self.record.starts.get(student, "")
        token = self.world.access_token(student=student)
        response = await process.request("POST", self.world.path("attempt"), token)
        body = response.json()
        if not response.is_success:
            assert body["type"].removeprefix(BASE) in {"unavailable", "starts-over"}
            return
        self.record.outcomes["started" if response.status_code == 201 else "resumed"] += 1
        if body["started_at"] < shown:
            self.record.shortened.add(student)
        self.record.starts[student] = max(body["started_at"], self.record.starts.get(student, ""))

    async def answer(self, process: Process, student: int, question: int, seq: int) -> None:
        """Save one answer and record the response."""
        key, record = (student, question, seq), self.record
        overtaken, acknowledged = seq < record.highest(student, question), key in record.acknowledged
        self.under_way[key] += 1
        if self.under_way[key] > 1:
            record.unknown.add(key)
        outcome = "no response"
        try:
            response = await self.world.put_answer(
                process, self.attempts[student], question, seq, choices=[seq // 4 % 2]
            )
            body = response.json()
            if response.status_code == 200:
                outcome = "acknowledged" if body["seq"] == seq else "unchanged"
                record.acknowledged.add((student, question, body["seq"]))
                record.overtaken += overtaken
                return
            outcome = body["type"].removeprefix(BASE)
            assert outcome in EXPECTED_REFUSALS
            if outcome == "deadline-passed":
                record.late.add(key)
                if acknowledged:
                    record.late_after_receipt.add(key)
            elif outcome == "seq-too-low":
                record.below.append((key, body["highest_seq"]))
        finally:
            self.under_way[key] -= 1
            record.outcomes[outcome] += 1
            if outcome in UNKNOWN:
                record.unknown.add(key)

    async def seal(self) -> dict[tuple[int, int], int]:
        """Seal; return the seq that counts, by student and question."""
        self.log.flaky = False
        await self.world.seal()
        self.log.flaky = True
        counted: dict[tuple[int, int], int] = {}
        for bucket in range(3):
            sealed = await self.log.read_sealed(self.world.sitting, bucket)
            assert sealed is not None
            for attempt in sealed.students:
                shown = self.record.starts.get(attempt.student, "")
                if attempt.started_at is not None and rfc3339(attempt.started_at) < shown:
                    self.record.shortened.add(attempt.student)
                counted |= {(attempt.student, answer.question): answer.seq for answer in attempt.answers}
        return counted


async def simulate(seed: int) -> tuple[Record, dict[tuple[int, int], int]]:
    """The responses to the students, and the seq that the seal counts by student and question."""
    random = Random(seed)
    log = FlakyLog(random)
    world = await World.create(log)
    simulation = Simulation(world, log, random)
    seal = await simulation.run()
    await world.close()
    return simulation.record, seal


async def test_every_response_agrees_with_the_seal_for_every_seed() -> None:
    """My receipt holds, and so does each refusal, under any combination of faults."""
    outcomes, overtaken = Counter[str](), 0
    for seed in range(SEEDS):
        record, seal = await simulate(seed)
        assert not record.missing(seal), seed
        assert not record.untrue(seal), seed
        assert not record.shortened, seed
        outcomes += record.outcomes
        overtaken += record.overtaken
    assert outcomes["acknowledged"] > 5 * SEEDS
    # A delayed answer may come to a process that has missed the later ones without seeing a gap: it seldom does.
    assert overtaken < outcomes["acknowledged"] / 50
    expected = ("unchanged", "deadline-passed", "seq-too-low", "not-known-saved", "started", "resumed")
    assert all(outcomes[kind] > 0 for kind in expected)


async def find_seed(wrong: Callable[[Record, dict[tuple[int, int], int]], object]) -> int | None:
    """The first seed whose outcome is wrong."""
    for seed in range(SEEDS):
        if wrong(*await simulate(seed)):
            return seed
    return None


async def test_without_the_gap_rule_some_seed_loses_an_acknowledged_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative control: the simulation is strong enough to find what the gap rule prevents."""

    def accept_any_valid_lease(_admission: Admission, lease: Lease | None, boot_now: int) -> bool:
        return lease is not None and lease.valid(boot_now)

    monkeypatch.setattr("exam_core.lease.held_since", accept_any_valid_lease)
    assert await find_seed(Record.missing) is not None


async def test_without_reading_the_log_some_seed_refuses_what_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: if memory were enough for a refusal, a saved answer would be called late."""

    def plan_from_memory(*arguments: Any, current: bool, **named: Any) -> Plan:
        return plan(*arguments, current=True, **named)

    monkeypatch.setattr("exam_solver.attempts.answers.plan", plan_from_memory)
    assert await find_seed(Record.untrue) is not None


async def test_without_reading_after_a_skipped_seq_more_receipts_are_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: a process that does not notice what it missed gives receipts for answers of the past."""
    monkeypatch.setattr("exam_solver.attempts.seqs.SeqRun.skipped", lambda _run, _seq: False)
    assert await find_seed(lambda record, _seal: record.overtaken) is not None


async def test_with_the_earliest_start_some_seed_takes_time_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: if the earliest start held, one that arrives late would shorten an attempt."""

    def earliest_start(starts: Iterable[Start]) -> Start | None:
        return min(starts, key=lambda start: (start.started_at, start.solver), default=None)

    monkeypatch.setattr("exam_solver.attempts.cache.latest_start", earliest_start)
    assert await find_seed(lambda record, _seal: record.shortened) is not None
