"""The queue of deadlines: each key to one worker at a time, when it is due."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from exam_core.instants import SECOND
from exam_operator.runtime.workqueue import WorkQueue


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        """The time."""
        return self.now


class Unlocked(WorkQueue[str]):
    """A queue that forgets who is being worked at."""

    def _next(self) -> tuple[str | None, float]:
        key, wait = super()._next()
        self._working.clear()
        return key, wait


async def take(queue: WorkQueue[str]) -> str | None:
    """A key that is due now; None when there is none."""
    try:
        async with asyncio.timeout(0.01):
            return await queue.take()
    except TimeoutError:
        return None


async def test_a_key_is_handed_out_when_it_is_due() -> None:
    """If something is due later, it comes then and not before; what is due first comes first."""
    clock = Clock()
    queue = WorkQueue[str](clock)
    queue.add("later", 2 * SECOND)
    queue.add("soon", SECOND)
    assert await take(queue) is None
    clock.now = 2 * SECOND
    assert [await take(queue), await take(queue), await take(queue)] == ["soon", "later", None]


async def test_the_earliest_of_several_times_holds() -> None:
    """If a key is added again for earlier, it comes earlier; for later, it stays."""
    clock = Clock()
    queue = WorkQueue[str](clock)
    for at in (5 * SECOND, SECOND, 9 * SECOND):
        queue.add("exam", at)
    clock.now = SECOND
    assert [await take(queue), await take(queue)] == ["exam", None]
    clock.now = 10 * SECOND
    queue.done("exam")
    assert await take(queue) is None


async def test_a_key_that_is_worked_at_waits() -> None:
    """If something happens to an Exam that is being looked at, it is looked at again afterwards, not beside."""
    queue = WorkQueue[str](Clock())
    queue.add("exam")
    assert await take(queue) == "exam"
    queue.add("exam")
    assert await take(queue) is None
    assert len(queue) == 0
    queue.done("exam")
    assert len(queue) == 1
    assert await take(queue) == "exam"


async def test_a_worker_that_waits_is_woken() -> None:
    """If a worker waits and something comes up, it has it at once."""
    queue = WorkQueue[str](Clock())
    waiting = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.add("exam")
    async with asyncio.timeout(0.5):
        assert await waiting == "exam"


async def test_what_is_gone_is_forgotten() -> None:
    """If an Exam is gone, nobody is sent to it."""
    queue = WorkQueue[str](Clock())
    queue.add("gone")
    queue.forget("gone")
    assert await take(queue) is None


MOVES = st.lists(st.tuples(st.sampled_from(["add", "take", "done"]), st.sampled_from("abc")), max_size=40)


def worked_at_twice(queue: WorkQueue[str], moves: list[tuple[str, str]]) -> bool:
    """Whether some key was with two workers at once."""

    async def run() -> bool:
        in_progress: list[str] = []
        for move, key in moves:
            if move == "add":
                queue.add(key)
            elif move == "take" and len(queue) and (got := await take(queue)) is not None:
                in_progress.append(got)
            elif move == "done" and key in in_progress:
                in_progress.remove(key)
                queue.done(key)
            if len(in_progress) != len(set(in_progress)):
                return True
        return False

    return asyncio.run(run())


@given(moves=MOVES)
def test_nobody_works_at_what_somebody_works_at(moves: list[tuple[str, str]]) -> None:
    """If workers take and give back in any order, no two ever have the same Exam."""
    assert not worked_at_twice(WorkQueue[str](Clock()), moves)


def test_without_the_lock_two_would() -> None:
    """If the queue forgot who is being worked at, the property above would not hold."""
    moves = [("add", "a"), ("take", "a"), ("add", "a"), ("take", "a")]
    assert worked_at_twice(Unlocked(Clock()), moves)
    assert not worked_at_twice(WorkQueue[str](Clock()), moves)
