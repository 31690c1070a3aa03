"""A coordinator may be killed anywhere, run twice, and be lied to by the broker: the end is the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import State
from exam_grader.coordination.coordinator import Coordinator, Halt, Phase, Report
from exam_grader.coordination.next_step import RevisionView, View
from exam_grader.errors import HaltedError, SealDamagedError, StuckError

BUCKETS = 4
STALL = 15.0


class KilledError(BaseException):
    """The process dies: nobody may catch this."""


@dataclass
class World:
    """PostgreSQL, Cassandra and the broker as far as a coordinator can tell; every change is counted as one write."""

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
    handed_out_at: float | None = None
    ledger_grew_at: float = 0.0
    now: float = 0.0
    damaged: bool = False
    writes: int = 0
    die_at: int | None = None
    die_after: bool = False

    def write(self, change: Callable[[], None]) -> None:
        """One write; the process may die right before it or right after it."""
        self.writes += 1
        if self.writes == self.die_at and not self.die_after:
            raise KilledError
        change()
        if self.writes == self.die_at:
            raise KilledError

    def grade(self, chunk: int) -> bool:
        """What a grader does: once a chunk, however often it is asked."""
        if chunk in self.ledger:
            return False
        self.write(lambda: self.ledger.append(chunk))
        self.ledger_grew_at = self.now
        return True

    def work(self) -> None:
        """Let graders take all that waits."""
        while self.queue:
            self.grade(self.queue.pop(0))

    @property
    def end(self) -> tuple[object, ...]:
        """What is left when all is done."""
        return (self.state, self.sealed, sorted(self.ledger), self.graded, self.published)


THE_END = (State.SEALED, set(range(BUCKETS)), list(range(BUCKETS)), True, 1)


class FakeSitting:
    """A desk in a world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def look(self) -> View:
        """What PostgreSQL would say."""
        world = self.world
        revision = RevisionView(
            graded=world.graded,
            due_for_publication=world.graded and world.automatic and world.published < 1,
            chunks=BUCKETS,
            missing=tuple(c for c in range(BUCKETS) if c not in world.ledger),
            idle=world.now - world.ledger_grew_at,
        )
        return View(
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
        """Close, unless somebody did."""
        self._require(self.world.state is State.SCHEDULED)
        self.world.write(lambda: setattr(self.world, "state", State.CLOSING))

    def awaited(self) -> Sequence[str]:
        """One solver, until it is drained."""
        return () if self.world.drained else ("solver 1 until 10:00:32",)

    def seal(self, tell: Callable[[int, int], None], halt: Halt) -> None:
        """Seal each bucket, then the sitting."""
        for bucket in range(BUCKETS):
            if halt():
                raise HaltedError
            self.world.write(lambda bucket=bucket: self.world.sealed.add(bucket))  # type: ignore[misc]
            tell(bucket + 1, BUCKETS)
        self._require(self.world.state is State.CLOSING)
        self.world.write(lambda: setattr(self.world, "state", State.SEALED))

    def open_revision(self) -> None:
        """Open it; the ledger's idle time starts."""
        self.world.write(lambda: setattr(self.world, "opened", True))
        self.world.ledger_grew_at = self.world.now

    def enqueue(self, chunks: Sequence[int]) -> None:
        """Put chunks into the queue."""
        self.world.write(lambda: self.world.queue.extend(chunks))
        self.world.handed_out_at = self.world.now

    def handed_out(self) -> bool:
        """As the broker's note tells, which expires."""
        handed_out_at = self.world.handed_out_at
        return handed_out_at is not None and self.world.now - handed_out_at < STALL

    def queued(self) -> int:
        """What waits."""
        return len(self.world.queue)

    def verify(self, chunks: Sequence[int]) -> None:
        """Refuse when the seal is damaged."""
        if self.world.damaged:
            raise SealDamagedError(None, chunks[0], "its bytes are others")  # type: ignore[arg-type]

    def grade(self, chunk: int) -> bool:
        """Grade in this process."""
        return self.world.grade(chunk)

    def complete(self) -> None:
        """Only with a full ledger."""
        self._require(len(self.world.ledger) == BUCKETS)
        self.world.write(lambda: setattr(self.world, "graded", True))

    def publish(self) -> None:
        """Show the degrees."""
        self.world.write(lambda: setattr(self.world, "published", 1))

    def _require(self, fine: bool) -> None:  # noqa: FBT001 - a condition, like assert's
        if not fine:
            raise Problem(ProblemKind.CONFLICT, "somebody else changed it first")


def coordinator(world: World, **more: object) -> Coordinator:
    """A coordinator that just started."""
    return Coordinator(desk=FakeSitting(world), number=1, tell=lambda _report: None, stall_seconds=STALL, **more)  # type: ignore[arg-type]


def run_to_completion(world: World, *, local: bool = False) -> Report:
    """Run a coordinator, with graders at work beside it, until it is done."""
    runner = coordinator(world, local=local)
    for _ in range(100):
        report = runner.advance()
        if report.phase is Phase.DONE:
            return report
        world.work()
        world.now += 1
    raise AssertionError(f"never done: {report}")


@pytest.mark.parametrize("local", [False, True])
def test_a_sitting_that_is_over_ends_published(*, local: bool) -> None:
    """I start the coordinator and, in the end, every chunk is graded and the degrees are shown."""
    world = World()
    run_to_completion(world, local=local)
    assert world.end == THE_END


def test_without_automatic_publishing_the_degrees_stay_hidden() -> None:
    """A Doctor who wants to look first is the one who publishes."""
    world = World(automatic=False)
    report = run_to_completion(world)
    assert (world.graded, world.published) == (True, 0)
    assert report.text.endswith("revision 1 is graded, not published")


def _writes(local: bool) -> int:  # noqa: FBT001 - a parametrisation's value
    world = World()
    run_to_completion(world, local=local)
    return world.writes


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("local", "write"), [(local, write) for local in (False, True) for write in range(1, _writes(local) + 1)]
)
def test_killed_anywhere_and_run_again_it_ends_the_same(*, local: bool, write: int, after: bool) -> None:
    """Whatever the coordinator was doing when it was killed, the next one finishes as if nothing had happened."""
    world = World(die_at=write, die_after=after)
    with pytest.raises(KilledError):
        run_to_completion(world, local=local)
    run_to_completion(world, local=local)
    assert world.end == THE_END


def test_it_waits_for_solvers_and_says_for_whom() -> None:
    """While a solver may still acknowledge answers nothing is sealed, and I am told who is waited for."""
    world = World(drained=False)
    report = coordinator(world).advance()
    assert (report.phase, world.sealed) == (Phase.DRAINING, set())
    assert "waiting for solver 1 until 10:00:32" in report.text
    world.drained = True
    run_to_completion(world)
    assert world.end == THE_END


def test_an_open_window_is_refused_and_stays_open() -> None:
    """Grading before the end is refused, and nobody's exam is ended by it."""
    world = World(over=False)
    with pytest.raises(Problem, match="--stop"):
        coordinator(world).advance()
    assert world.state is State.SCHEDULED


def test_stop_ends_an_open_window_first() -> None:
    """With --stop the window ends now and grading goes on from there."""
    world = World(over=False)
    assert coordinator(world, stop=True).advance().phase is Phase.GRADING
    assert world.state is State.SEALED


def test_what_the_broker_dropped_is_handed_out_again() -> None:
    """A task that the broker lost is handed out again once the ledger has stood still."""
    world, again = World(), list[int]()
    runner = coordinator(world, reenqueued=again.append)
    runner.advance()
    world.queue = [2]
    world.work()
    world.queue.clear()
    for _ in range(int(STALL)):
        assert world.queue == []
        runner.advance()
        world.now += 1
    runner.advance()
    assert (world.queue, again) == ([0, 1, 3], [3])
    run_to_completion(world)
    assert world.end == THE_END


def test_without_graders_the_queue_does_not_grow() -> None:
    """While nobody takes chunks, handing out more would only fill the broker."""
    world = World()
    runner = coordinator(world)
    for _ in range(100):
        runner.advance()
        world.now += 1
    assert len(world.queue) == BUCKETS


def test_a_slow_ledger_that_grows_is_left_alone() -> None:
    """As long as chunks are being graded nothing is handed out twice."""
    world = World()
    runner = coordinator(world)
    runner.advance()
    taken, world.queue = world.queue, []
    for chunk in taken[:-1]:
        world.now += STALL - 1
        world.grade(chunk)
        runner.advance()
        assert world.queue == []


def test_a_damaged_seal_ends_the_wait_loudly() -> None:
    """When chunks are missing because their seal is damaged I am told so instead of waiting for ever."""
    world = World(damaged=True)
    runner = coordinator(world)
    runner.advance()
    world.queue.clear()
    world.now += STALL
    with pytest.raises(SealDamagedError, match="damaged"):
        runner.advance()
    assert world.ledger == []


def test_whoever_comes_second_goes_on_from_what_the_first_did() -> None:
    """Two coordinators at once do no harm: the one who loses a race looks again."""
    world = World()

    class Overtaken(FakeSitting):
        def close(self) -> None:
            self.world.state = State.CLOSING
            super().close()

        def complete(self) -> None:
            self.world.graded = True
            raise Problem(ProblemKind.CONFLICT, "somebody else changed it first")

    runner = Coordinator(desk=Overtaken(world), number=1, tell=lambda _report: None, local=True)
    assert runner.advance().phase is Phase.DONE
    assert world.end == THE_END


def test_a_refusal_that_is_no_race_is_raised() -> None:
    """When the door refuses although nobody else was there, I see the refusal."""

    class Refusing(FakeSitting):
        def close(self) -> None:
            raise Problem(ProblemKind.CONFLICT, "somebody else changed it first")

    with pytest.raises(Problem, match="somebody else"):
        Coordinator(desk=Refusing(World()), number=1, tell=lambda _report: None).advance()


def test_a_step_that_changes_nothing_is_a_fault_and_no_loop() -> None:
    """A door that says yes and does nothing must not keep me busy for ever."""

    class Idle(FakeSitting):
        def close(self) -> None:
            pass

    with pytest.raises(StuckError, match="CLOSE"):
        Coordinator(desk=Idle(World()), number=1, tell=lambda _report: None).advance()


def test_told_to_stop_it_stops_between_two_pieces() -> None:
    """When I stop the coordinator it stops soon, and the next one goes on from there."""
    world = World()
    with pytest.raises(HaltedError):
        coordinator(world, local=True, halt=lambda: len(world.ledger) == 2).advance()
    assert len(world.ledger) == 2
    run_to_completion(world)
    assert world.end == THE_END


def test_beside_another_coordinator_it_only_watches() -> None:
    """While another coordinator holds the sitting I see that, and its end ends my wait."""
    world = World()
    watcher = coordinator(world)
    assert watcher.watch().phase is Phase.WAITING
    assert world.writes == 0
    run_to_completion(world)
    assert watcher.watch().phase is Phase.DONE
