"""The coordinator reaches the same end when it is killed anywhere, run twice, or loses tasks in the broker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import State
from exam_grader.coordination.coordinator import Coordinator
from exam_grader.coordination.next_step import RevisionSnapshot, SittingSnapshot
from exam_grader.coordination.port import Phase, Report, StopRequested
from exam_grader.errors import NoProgressError, SealDamagedError, StopRequestedError

BUCKETS = 4
STALL = 15.0


class KilledError(BaseException):
    """The process is killed; not an Exception, so that it is not caught."""


@dataclass
class World:
    """PostgreSQL, Cassandra and the broker in memory; every change counts as one write."""

    state: State = State.SCHEDULED
    over: bool = True
    automatic: bool = True
    drained: bool = True
    sealed: set[int] = field(default_factory=set)
    opened: bool = False
    ledger: list[int] = field(default_factory=list)
    graded: bool = False
    published: int = 0
    queue: list[int] = field(default_factory=list)
    enqueued_at: float | None = None
    last_entry_at: float = 0.0
    now: float = 0.0
    damaged: bool = False
    writes: int = 0
    killed_at: int | None = None
    killed_after: bool = False

    def write(self, change: Callable[[], None]) -> None:
        """Write once; the process may be killed right before or right after it."""
        self.writes += 1
        if self.writes == self.killed_at and not self.killed_after:
            raise KilledError
        change()
        if self.writes == self.killed_at:
            raise KilledError

    def grade(self, chunk: int) -> bool:
        """Grade a chunk as a grader does: idempotently."""
        if chunk in self.ledger:
            return False
        self.write(lambda: self.ledger.append(chunk))
        self.last_entry_at = self.now
        return True

    def work(self) -> None:
        """Have graders process the whole queue."""
        while self.queue:
            self.grade(self.queue.pop(0))

    @property
    def end(self) -> tuple[object, ...]:
        """The final state."""
        return (self.state, self.sealed, sorted(self.ledger), self.graded, self.published)


FINISHED = (State.SEALED, set(range(BUCKETS)), list(range(BUCKETS)), True, 1)


class FakeSitting:
    """A sitting in a world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def snapshot(self) -> SittingSnapshot:
        """The current facts."""
        world = self.world
        revision = RevisionSnapshot(
            graded=world.graded,
            due_for_publication=world.graded and world.automatic and world.published < 1,
            chunks=BUCKETS,
            missing=tuple(c for c in range(BUCKETS) if c not in world.ledger),
            idle_seconds=world.now - world.last_entry_at,
        )
        return SittingSnapshot(
            name="algebra",
            state=world.state,
            over=world.over,
            ends_at=0,
            revision=revision if world.opened else None,
            published=world.published,
        )

    def stop(self) -> None:
        """End the window."""
        self.world.write(lambda: setattr(self.world, "over", True))

    def close(self) -> None:
        """Close the sitting unless it is closed."""
        self._require(self.world.state is State.SCHEDULED)
        self.world.write(lambda: setattr(self.world, "state", State.CLOSING))

    def drain_blockers(self) -> Sequence[str]:
        """One solver, until it is drained."""
        return () if self.world.drained else ("solver 1 until 10:00:32",)

    def seal(self, on_progress: Callable[[int, int], None], stop_requested: StopRequested) -> None:
        """Seal each bucket, then the sitting."""
        for bucket in range(BUCKETS):
            if stop_requested():
                raise StopRequestedError
            self.world.write(lambda bucket=bucket: self.world.sealed.add(bucket))  # type: ignore[misc]
            on_progress(bucket + 1, BUCKETS)
        self._require(self.world.state is State.CLOSING)
        self.world.write(lambda: setattr(self.world, "state", State.SEALED))

    def open_revision(self) -> None:
        """Open the revision; the ledger's idle time starts."""
        self.world.write(lambda: setattr(self.world, "opened", True))
        self.world.last_entry_at = self.world.now

    def enqueue(self, chunks: Sequence[int]) -> None:
        """Append chunks to the queue."""
        self.world.write(lambda: self.world.queue.extend(chunks))
        self.world.enqueued_at = self.world.now

    def recently_enqueued(self) -> bool:
        """Whether the mark exists, which expires."""
        enqueued_at = self.world.enqueued_at
        return enqueued_at is not None and self.world.now - enqueued_at < STALL

    def queue_depth(self) -> int:
        """The length of the queue."""
        return len(self.world.queue)

    def verify_seals(self, chunks: Sequence[int]) -> None:
        """Raise if the seal is damaged."""
        if self.world.damaged:
            raise SealDamagedError(None, chunks[0], "other bytes")  # type: ignore[arg-type]

    def grade_chunk(self, chunk: int) -> bool:
        """Grade in this process."""
        return self.world.grade(chunk)

    def complete_revision(self) -> None:
        """Complete the revision; requires a complete ledger."""
        self._require(len(self.world.ledger) == BUCKETS)
        self.world.write(lambda: setattr(self.world, "graded", True))

    def publish_revision(self) -> None:
        """Show the degrees."""
        self.world.write(lambda: setattr(self.world, "published", 1))

    def _require(self, condition: bool) -> None:  # noqa: FBT001 - a condition, like assert's
        if not condition:
            raise Problem(ProblemKind.CONFLICT, "changed concurrently")


def coordinator(world: World, **options: Any) -> Coordinator:
    """A new coordinator."""
    return Coordinator(
        sitting=FakeSitting(world), number=1, on_report=lambda _report: None, stall_seconds=STALL, **options
    )


def run(world: World, *, local: bool = False) -> Report:
    """Run a coordinator and graders until the revision is done."""
    runner = coordinator(world, local=local)
    for _ in range(100):
        report = runner.advance()
        if report.phase is Phase.DONE:
            return report
        world.work()
        world.now += 1
    raise AssertionError(f"not done: {report}")


@pytest.mark.parametrize("local", [False, True])
def test_a_sitting_that_is_over_is_graded_and_published(*, local: bool) -> None:
    """I start the coordinator; at the end every chunk is graded and the degrees are published."""
    world = World()
    run(world, local=local)
    assert world.end == FINISHED


def test_degrees_are_not_published_unless_automatic() -> None:
    """A Doctor who wants to review the degrees publishes them by hand."""
    world = World(automatic=False)
    report = run(world)
    assert (world.graded, world.published) == (True, 0)
    assert report.text.endswith("revision 1 is graded, not published")


def _writes(local: bool) -> int:  # noqa: FBT001 - a parametrisation's value
    world = World()
    run(world, local=local)
    return world.writes


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("local", "write"), [(local, write) for local in (False, True) for write in range(1, _writes(local) + 1)]
)
def test_it_resumes_after_being_killed_at_any_write(*, local: bool, write: int, after: bool) -> None:
    """Wherever the coordinator was killed, the next one reaches the same end."""
    world = World(killed_at=write, killed_after=after)
    with pytest.raises(KilledError):
        run(world, local=local)
    run(world, local=local)
    assert world.end == FINISHED


def test_it_reports_the_solvers_that_block_the_drain() -> None:
    """While a solver may still acknowledge answers nothing is sealed, and I see which solver is awaited."""
    world = World(drained=False)
    report = coordinator(world).advance()
    assert (report.phase, world.sealed) == (Phase.DRAINING, set())
    assert "waiting for solver 1 until 10:00:32" in report.text
    world.drained = True
    run(world)
    assert world.end == FINISHED


def test_an_open_window_is_rejected_and_stays_open() -> None:
    """Grading before the end is rejected and ends no exam."""
    world = World(over=False)
    with pytest.raises(Problem, match="--stop"):
        coordinator(world).advance()
    assert world.state is State.SCHEDULED


def test_stop_ends_an_open_window_first() -> None:
    """With --stop the window ends now, and grading follows."""
    world = World(over=False)
    assert coordinator(world, stop=True).advance().phase is Phase.GRADING
    assert world.state is State.SEALED


def test_tasks_that_the_broker_lost_are_enqueued_again() -> None:
    """Lost tasks are enqueued again after the ledger has stalled."""
    world, reenqueued = World(), list[int]()
    runner = coordinator(world, on_reenqueue=reenqueued.append)
    runner.advance()
    world.queue = [2]
    world.work()
    world.queue.clear()
    for _ in range(int(STALL)):
        assert world.queue == []
        runner.advance()
        world.now += 1
    runner.advance()
    assert (world.queue, reenqueued) == ([0, 1, 3], [3])
    run(world)
    assert world.end == FINISHED


def test_the_queue_does_not_grow_without_graders() -> None:
    """While no grader runs, enqueueing again would only fill the broker."""
    world = World()
    runner = coordinator(world)
    for _ in range(100):
        runner.advance()
        world.now += 1
    assert len(world.queue) == BUCKETS


def test_nothing_is_enqueued_again_while_the_ledger_grows() -> None:
    """As long as chunks are graded, however slowly, none is enqueued twice."""
    world = World()
    runner = coordinator(world)
    runner.advance()
    taken, world.queue = world.queue, []
    for chunk in taken[:-1]:
        world.now += STALL - 1
        world.grade(chunk)
        runner.advance()
        assert world.queue == []


def test_a_damaged_seal_is_raised_instead_of_waited_for() -> None:
    """If chunks are missing because their seal is damaged, I see that error and do not wait for ever."""
    world = World(damaged=True)
    runner = coordinator(world)
    runner.advance()
    world.queue.clear()
    world.now += STALL
    with pytest.raises(SealDamagedError, match="damaged"):
        runner.advance()
    assert world.ledger == []


def test_a_concurrent_change_is_not_an_error() -> None:
    """Two concurrent coordinators are safe: after a conflict the snapshot is read again."""
    world = World()

    class Overtaken(FakeSitting):
        def close(self) -> None:
            self.world.state = State.CLOSING
            super().close()

        def complete_revision(self) -> None:
            self.world.graded = True
            raise Problem(ProblemKind.CONFLICT, "changed concurrently")

    runner = Coordinator(sitting=Overtaken(world), number=1, on_report=lambda _report: None, local=True)
    assert runner.advance().phase is Phase.DONE
    assert world.end == FINISHED


def test_a_repeated_conflict_is_raised() -> None:
    """If a step conflicts although nothing changed, I see the error."""

    class Rejecting(FakeSitting):
        def close(self) -> None:
            raise Problem(ProblemKind.CONFLICT, "changed concurrently")

    with pytest.raises(Problem, match="changed concurrently"):
        Coordinator(sitting=Rejecting(World()), number=1, on_report=lambda _report: None).advance()


def test_a_step_without_effect_is_an_error() -> None:
    """A change that succeeds without effect does not loop for ever."""

    class Idle(FakeSitting):
        def close(self) -> None:
            pass

    with pytest.raises(NoProgressError, match="CLOSE"):
        Coordinator(sitting=Idle(World()), number=1, on_report=lambda _report: None).advance()


def test_a_stop_request_takes_effect_between_chunks() -> None:
    """When I stop the coordinator it stops soon, and the next one resumes."""
    world = World()
    with pytest.raises(StopRequestedError):
        coordinator(world, local=True, stop_requested=lambda: len(world.ledger) == 2).advance()
    assert len(world.ledger) == 2
    run(world)
    assert world.end == FINISHED


def test_watching_writes_nothing() -> None:
    """While another coordinator holds the lock I see that, and my wait ends when it is done."""
    world = World()
    watcher = coordinator(world)
    assert watcher.watch().phase is Phase.WAITING
    assert world.writes == 0
    run(world)
    assert watcher.watch().phase is Phase.DONE
