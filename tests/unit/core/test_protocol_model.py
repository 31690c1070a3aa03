"""Model of the guarantee «acknowledged means graded», explored by Hypothesis with delays, losses, freezes and kills.

The model has PostgreSQL (lease rows, a schedule, and a wall clock that steps, as at a failover), solver processes with
boot clocks of their own, a closer with a monotonic clock, and an answer store. They use `exam_core.lease`,
`exam_core.lease_watch` and `exam_core.fold`; the rest follows `docs/architecture.md`, «Acknowledged means graded».
Every rule of the protocol can be disabled as a negative control: then the search must find a violation, because a model
that cannot fail proves nothing.

While the wall clock steps, an answer is late or in time by the clock as its solver last read it. A solver adopts a step
only once a second renewal confirms it; to the model, a renewal that is not adopted is one whose response was lost.
"""

from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from exam_core import lease as rules_of_leases
from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer
from exam_core.fold import fold_answers
from exam_core.lease import Admission, Lease
from exam_core.lease_watch import LeaseRow, LeaseWatch

TTL = 10
MARGIN = 1
SEARCH = settings(
    derandomize=True,
    database=None,
    deadline=None,
    stateful_step_count=40,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
STEPS = (-3 * TTL, -TTL - MARGIN - 1, -2, 2, TTL + MARGIN + 1, 3 * TTL)
"""Steps of PostgreSQL's wall clock."""
CLOSER_ORIGIN = -50_000
"""The closer's monotonic clock minus real time."""
SENT, WAITING, ABANDONED = 3, 4, 5
"""Variants of a move; any other number completes it."""


@dataclass(frozen=True)
class Profile:
    """Weights of moves, spans of time, distances of deadlines (None: a stop), and which requests read."""

    moves: dict[str, int]
    spans: tuple[int, int, int, int, int, int]
    deadlines: tuple[int | None, int | None, int | None, int | None, int | None, int | None]
    reads: tuple[int, ...] = ()


MIXED = Profile(
    {
        "time": 3,
        "healthy": 3,
        "renewal": 3,
        "request": 8,
        "work": 3,
        "straggler": 1,
        "replace": 1,
        "schedule": 2,
        "step": 1,
    },
    spans=(1, 2, TTL // 2, TTL - 4, TTL - 1, TTL + MARGIN),
    deadlines=(2, TTL // 2, TTL - 1, 5 * TTL, None, None),
    reads=(0, 1),
)
"""All moves."""
SLOW = Profile(
    {"time": 2, "renewal": 3, "request": 2, "work": 1, "schedule": 2, "step": 1},
    spans=(TTL - 6, TTL - 5, TTL - 4, TTL - 3, TTL - 2, TTL - 1),
    deadlines=(2, TTL - 6, TTL - 4, TTL - 3, TTL - 3, None),
)
"""All responses of PostgreSQL are slow, and deadlines are close."""


class ViolationError(Exception):
    """An acknowledged answer is lost, or a late one counts."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The protocol's rules; each negative control disables one.

    Attributes:
        drain: seal only when every lease has acknowledged the close, was released, or has expired.
        in_flight: acknowledge an epoch only when all work admitted under an older one is finished.
        gap: acknowledge an answer only if the lease held since its admission.
        lapse: a lapsed lease is not renewed; its process becomes a new holder.
        monotonic_expiry: a lease expires by the closer's monotonic clock, not by PostgreSQL's wall clock.
        born_drained: a new holder, which has admitted nothing, does not delay a close.
        validity_from_sending: a lease's validity runs from before its renewal was sent.
        clock_from_sending: so does the platform's time.
        recall_while_scheduled: rows that a read finds count as saved only if it was admitted to a scheduled sitting.
    """

    drain: bool = True
    in_flight: bool = True
    gap: bool = True
    lapse: bool = True
    monotonic_expiry: bool = True
    born_drained: bool = True
    validity_from_sending: bool = True
    clock_from_sending: bool = True
    recall_while_scheduled: bool = True


@dataclass(frozen=True)
class Schedule:
    """PostgreSQL's response to a renewal."""

    epoch: int
    closing: bool
    deadline: int


@dataclass(eq=False)
class Renewal:
    """A renewal: sent, entered at PostgreSQL under a step of its clock, answered (schedule None: lapsed)."""

    holder: UUID
    previous: Lease | None
    sent_at: int
    drained_epoch: int
    entered_at: int | None = None
    step: int = 0
    answered: bool = False
    schedule: Schedule | None = None


@dataclass(eq=False)
class Work:
    """A write or a read in flight; `found` holds the rows of a read."""

    admission: Admission
    answer: Answer | None
    scheduled: bool
    found: list[Answer] | None = None
    applied: bool = False


@dataclass(eq=False)
class Process:
    """A solver process; its boot clock has another origin. `step`: that of PostgreSQL's clock as it last read it."""

    boot: int
    step: int = 0
    lease: Lease | None = None
    schedule: Schedule | None = None
    renewal: Renewal | None = None
    in_flight: list[Work] = field(default_factory=list)


@dataclass
class World:
    """The state of the model."""

    rules: Rules
    now: int = 1_000
    """Real time."""
    step: int = 0
    """PostgreSQL's wall clock minus real time."""
    epoch: int = 1
    closing: bool = False
    deadline: int = 1_050
    rows: dict[UUID, LeaseRow] = field(default_factory=dict)
    """PostgreSQL's leases."""
    renewed_at: dict[UUID, int] = field(default_factory=dict)
    """When they were renewed, by PostgreSQL's wall clock."""
    watch: LeaseWatch = field(default_factory=lambda: LeaseWatch(margin=MARGIN))
    processes: list[Process] = field(default_factory=list)
    network: list[Renewal] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)
    store: list[Answer] = field(default_factory=list)
    acknowledged: set[int] = field(default_factory=set)
    sealed: dict[tuple[int, int], Answer] | None = None
    admitted_at: dict[int, int] = field(default_factory=dict)
    holders: int = 0

    @property
    def wall_clock(self) -> int:
        """PostgreSQL's time."""
        return self.now + self.step

    # Solver process

    def send(self, process: Process) -> None:
        """Send a renewal, as a new holder if the lease is no longer valid."""
        boot_now = self.now + process.boot
        previous = process.lease if process.lease and (process.lease.valid(boot_now) or not self.rules.lapse) else None
        self.holders += previous is None
        holder = previous.holder if previous else UUID(int=self.holders)
        process.renewal = Renewal(holder, previous, boot_now, self.drained_epoch(process) if previous else 0)
        self.network.append(process.renewal)

    def drained_epoch(self, process: Process) -> int:
        """The epoch below which no work of this holder is in flight."""
        assert process.lease is not None
        epochs_in_flight = [w.admission.epoch for w in process.in_flight if w.admission.holder == process.lease.holder]
        return min(epochs_in_flight, default=process.lease.epoch) if self.rules.in_flight else process.lease.epoch

    def deliver(self, process: Process) -> None:
        """Deliver PostgreSQL's response to the process."""
        renewal, process.renewal = process.renewal, None
        assert renewal is not None
        assert renewal.entered_at is not None
        boot_now, schedule = self.now + process.boot, renewal.schedule
        if schedule is None or (self.rules.lapse and renewal.previous and not renewal.previous.valid(boot_now)):
            process.lease = None
            return
        late_by = boot_now - renewal.sent_at
        lease = Lease(
            holder=renewal.holder, sent_at=renewal.sent_at, entered_at=renewal.entered_at, ttl=TTL, epoch=schedule.epoch
        )
        if not self.rules.validity_from_sending:
            lease = replace(lease, sent_at=boot_now, entered_at=lease.entered_at + late_by)
        if not self.rules.clock_from_sending:
            lease = replace(lease, entered_at=lease.entered_at - late_by)
        process.lease, process.schedule, process.step = lease, schedule, renewal.step

    def admit(self, process: Process, *, read: bool) -> None:
        """Admit an answer, or a read of the log, if the lease allows it."""
        if process.lease is None or process.schedule is None:
            return
        boot_now = self.now + process.boot
        admission = rules_of_leases.admit(process.lease, boot_now)
        if admission is None or (process.schedule.closing and not read):
            return
        number = len(self.admitted_at)
        answer = None
        if not read:
            self.admitted_at[number] = self.now + process.step
            answer = Answer(
                student=1,
                question=number,
                seq=1,
                answer_id=UUID(int=number),
                received_at=admission.received_at,
                deadline_at=process.schedule.deadline,
                solver=admission.holder,
                epoch=admission.epoch,
                answer=AnswerValue(choice=1),
            )
        work = Work(admission, answer, scheduled=not process.schedule.closing)
        process.in_flight.append(work)
        self.works.append(work)

    def finish(self, process: Process, work: Work) -> None:
        """Deliver the outcome of work to the process, which acknowledges what it may."""
        process.in_flight.remove(work)
        if self.rules.gap and not rules_of_leases.held_since(work.admission, process.lease, self.now + process.boot):
            return
        if work.answer is not None:
            saved = [work.answer]
        else:
            saved = (work.found or []) if work.scheduled or not self.rules.recall_while_scheduled else []
        self.acknowledged |= {answer.question for answer in saved if answer.in_time}

    # PostgreSQL, answer store and sealer

    def enter(self, renewal: Renewal) -> None:
        """Let a renewal arrive at PostgreSQL, where it reads the clock and waits for its lock."""
        if renewal.entered_at is None:
            renewal.entered_at, renewal.step = self.wall_clock, self.step

    def execute(self, renewal: Renewal) -> None:
        """Run the lease function, after it acquired its lock."""
        self.enter(renewal)
        self.network.remove(renewal)
        renewal.answered = True
        row = self.rows.get(renewal.holder)
        if row is not None:
            drained = max(row.drained_epoch, renewal.drained_epoch)
        elif renewal.previous is None:
            drained = self.epoch if self.rules.born_drained else 0
        elif self.rules.lapse:
            return
        else:
            drained = renewal.drained_epoch
        self.rows[renewal.holder] = LeaseRow(
            holder=renewal.holder, renewals=row.renewals + 1 if row else 0, ttl=TTL, drained_epoch=drained
        )
        self.renewed_at[renewal.holder] = self.wall_clock
        renewal.schedule = Schedule(self.epoch, self.closing, self.deadline)

    def delete_expired(self) -> None:
        """Delete the leases that are expired, as the closer does."""
        if self.rules.monotonic_expiry:
            expired = self.watch.observe(self.rows.values(), self.now + CLOSER_ORIGIN)
        else:
            ends = {holder: at + TTL + MARGIN for holder, at in self.renewed_at.items()}
            expired = [row for row in self.rows.values() if ends[row.holder] <= self.wall_clock]
        for row in expired:
            del self.rows[row.holder]

    def seal_if_drained(self) -> None:
        """Seal as early as allowed: a later read could only find more."""
        waiting = (row.drained_epoch < self.epoch for row in self.rows.values())
        if self.closing and self.sealed is None and not (self.rules.drain and any(waiting)):
            self.sealed = fold_answers(self.store)

    def apply(self, work: Work) -> None:
        """Apply work in the store, however late."""
        self.works.remove(work)
        work.applied = True
        if work.answer is not None:
            self.store.append(work.answer)
        else:
            work.found = list(self.store)


class Protocol(RuleBasedStateMachine):
    """All moves, in any order; a move that is not possible now does nothing.

    A frozen process is one without moves for a while. There is one rule for all moves, because Hypothesis omits whole
    rules from a run to explore the others, while a violation needs most of the moves.
    """

    enabled_rules, processes, profile = Rules(), 2, MIXED

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.enabled_rules)
        self.world.processes.extend(Process(boot=1_000 * number) for number in range(self.processes))
        for process in self.world.processes:
            self.healthy(process, 0)

    def time(self, _process: Process, how: int) -> None:
        """Advance all clocks."""
        self.world.now += self.profile.spans[how]

    def step(self, _process: Process, how: int) -> None:
        """Let PostgreSQL's wall clock step."""
        self.world.step += STEPS[how]

    def healthy(self, process: Process, _how: int) -> None:
        """Complete a renewal at once."""
        if process.renewal is None:
            self.world.send(process)
        if process.renewal and not process.renewal.answered:
            self.world.execute(process.renewal)
        self.world.deliver(process)

    def renewal(self, process: Process, how: int) -> None:
        """Send a renewal, let it wait for its lock, execute it, answer it, or abandon it in the network."""
        renewal = process.renewal
        if renewal is not None and renewal.answered:
            self.world.deliver(process)
            return
        if renewal is None:
            self.world.send(process)
            renewal = self.world.network[-1]
        if how == ABANDONED:
            process.renewal = None
        elif how == WAITING:
            self.world.enter(renewal)
        elif how != SENT:
            self.world.execute(renewal)

    def straggler(self, _process: Process, how: int) -> None:
        """Apply a renewal or work that its process may have abandoned."""
        if self.world.network and how % 2:
            self.world.execute(self.world.network[0])
        elif self.world.works:
            self.world.apply(self.world.works[0])

    def request(self, process: Process, how: int) -> None:
        """Admit an answer, or a read for one that may be saved already."""
        self.world.admit(process, read=how in self.profile.reads)

    def work(self, process: Process, how: int) -> None:
        """Apply a process's work; deliver the outcome at once, later, or never."""
        if not process.in_flight:
            return
        work = process.in_flight[how % len(process.in_flight)]
        if how == ABANDONED:
            process.in_flight.remove(work)
            return
        if not work.applied:
            self.world.apply(work)
        if how != WAITING:
            self.world.finish(process, work)

    def replace(self, process: Process, how: int) -> None:
        """Replace a process: it releases its lease if nothing is in flight; otherwise it was killed."""
        if how != ABANDONED:
            return
        if process.lease and not process.in_flight and not process.renewal:
            self.world.rows.pop(process.lease.holder, None)
        self.world.processes.remove(process)
        self.world.processes.append(Process(process.boot + 7))

    def schedule(self, _process: Process, how: int) -> None:
        """Move the deadline or end the sitting by a stop; a natural end only comes later."""
        span = self.profile.deadlines[how]
        if not self.world.closing:
            self.world.epoch += 1
            self.world.closing, self.world.deadline = span is None, self.world.wall_clock + (span or 0)

    @invariant()
    def acknowledged_means_sealed(self) -> None:
        """Every acknowledged answer is in the seal, which the closer makes as early as it may."""
        self.world.delete_expired()
        self.world.seal_if_drained()
        if self.world.sealed is not None:
            lost = self.world.acknowledged - {question for _, question in self.world.sealed}
            if lost:
                raise ViolationError(f"lost: {lost}")

    @invariant()
    def late_is_not_sealed(self) -> None:
        """No answer in the seal was admitted after its deadline, by the platform's clock as its solver last read it."""
        for (_, question), answer in (self.world.sealed or {}).items():
            if self.world.admitted_at[question] > answer.deadline_at:
                raise ViolationError(f"late: {question}")


def search(rules: Rules, profile: Profile, *, processes: int, examples: int) -> None:
    """Search for a violation under the given rules."""
    moves = [move for move, weight in profile.moves.items() for _ in range(weight)]

    class Ruled(Protocol):
        @rule(move=st.sampled_from(moves), pick=st.integers(0, processes - 1), how=st.integers(0, 5))
        def move_process(self, move: str, pick: int, how: int) -> None:
            getattr(self, move)(self.world.processes[pick], how)

    Ruled.enabled_rules, Ruled.processes, Ruled.profile = rules, processes, profile
    run_state_machine_as_test(Ruled, settings=settings(SEARCH, max_examples=examples))


@pytest.mark.parametrize(("profile", "processes"), [(MIXED, 2), (SLOW, 1)], ids=["mixed", "slow"])
def test_acknowledged_answers_are_sealed_and_late_ones_are_not(profile: Profile, processes: int) -> None:
    """If I hold a receipt my answer counts, whatever is delayed, lost or killed, and whichever clock steps."""
    search(Rules(), profile, processes=processes, examples=200)


@pytest.mark.parametrize(
    ("rules", "profile", "processes", "violation"),
    [
        (Rules(drain=False), MIXED, 1, "lost"),
        (Rules(in_flight=False), SLOW, 1, "lost"),
        (Rules(gap=False), SLOW, 1, "lost"),
        (Rules(lapse=False), SLOW, 1, "lost"),
        (Rules(monotonic_expiry=False), SLOW, 1, "lost"),
        (Rules(recall_while_scheduled=False), MIXED, 2, "lost"),
        (Rules(validity_from_sending=False), SLOW, 1, "lost"),
        (Rules(clock_from_sending=False), SLOW, 1, "late"),
    ],
)
def test_each_rule_is_necessary(rules: Rules, profile: Profile, processes: int, violation: str) -> None:
    """Negative controls: without any one rule, an acknowledged answer is lost or a late one counts."""
    with pytest.raises(ViolationError, match=violation):
        search(rules, profile, processes=processes, examples=2_000)


def crash_loop(rules: Rules, crashes: int) -> bool:
    """Close a sitting while one process after the other takes a lease and crashes; returns whether it is sealed."""
    world = World(rules)

    def crash() -> None:
        process = Process(boot=0)
        world.send(process)
        assert process.renewal is not None
        world.execute(process.renewal)

    crash()
    world.epoch, world.closing = world.epoch + 1, True
    for _ in range(crashes):
        world.delete_expired()
        world.seal_if_drained()
        world.now += 1
        crash()
    return world.sealed is not None


def test_a_crash_loop_delays_a_seal_by_one_lease_at_most() -> None:
    """If solvers crash in a loop before and during a close, the seal waits only for the leases from before."""
    assert not crash_loop(Rules(), TTL + MARGIN)
    assert crash_loop(Rules(), TTL + MARGIN + 1)
    assert not crash_loop(Rules(born_drained=False), 100 * TTL), "negative control"
