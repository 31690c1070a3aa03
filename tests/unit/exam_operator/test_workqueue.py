"""The work queue: each key goes to one worker at a time, when it is due."""

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
        """The time in µs."""
        return self.now


class Unlocked(WorkQueue[str]):
    """A queue without its lock: it forgets which keys are being processed."""

    def _next(self) -> tuple[str | None, float]:
        key, wait = super()._next()
        self._processing.clear()
        return key, wait


async def get(queue: WorkQueue[str]) -> str | None:
    """A key that is due now, or None."""
    try:
        async with asyncio.timeout(0.01):
            return await queue.get()
    except TimeoutError:
        return None


async def test_a_key_is_handed_out_when_it_is_due() -> None:
    """If a key is due later, it is handed out then and not before; keys come in the order of their times."""
    clock = Clock()
    queue = WorkQueue[str](clock)
    queue.add("later", 2 * SECOND)
    queue.add("soon", SECOND)
    assert await get(queue) is None
    clock.now = 2 * SECOND
    assert [await get(queue), await get(queue), await get(queue)] == ["soon", "later", None]


async def test_the_earliest_of_several_times_holds() -> None:
    """If a key is added again with an earlier time, that counts; a later time is ignored."""
    clock = Clock()
    queue = WorkQueue[str](clock)
    for at in (5 * SECOND, SECOND, 9 * SECOND):
        queue.add("exam", at)
    clock.now = SECOND
    assert [await get(queue), await get(queue)] == ["exam", None]
    clock.now = 10 * SECOND
    queue.done("exam")
    assert await get(queue) is None


async def test_a_key_that_is_being_processed_waits() -> None:
    """If an Exam changes while it is reconciled, it is reconciled again afterwards, not at the same time."""
    queue = WorkQueue[str](Clock())
    queue.add("exam")
    assert await get(queue) == "exam"
    queue.add("exam")
    assert await get(queue) is None
    assert len(queue) == 0
    queue.done("exam")
    assert len(queue) == 1
    assert await get(queue) == "exam"


async def test_adding_a_key_wakes_a_waiting_worker() -> None:
    """If a worker waits and a key is added, the worker gets it at once."""
    queue = WorkQueue[str](Clock())
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("exam")
    async with asyncio.timeout(0.5):
        assert await waiting == "exam"


MOVES = st.lists(st.tuples(st.sampled_from(["add", "get", "done"]), st.sampled_from("abc")), max_size=40)


def processed_twice(queue: WorkQueue[str], moves: list[tuple[str, str]]) -> bool:
    """Whether some key was with two workers at once."""

    async def run() -> bool:
        in_progress: list[str] = []
        for move, key in moves:
            if move == "add":
                queue.add(key)
            elif move == "get" and len(queue) and (got := await get(queue)) is not None:
                in_progress.append(got)
            elif move == "done" and key in in_progress:
                in_progress.remove(key)
                queue.done(key)
            if len(in_progress) != len(set(in_progress)):
                return True
        return False

    return asyncio.run(run())


@given(moves=MOVES)
def test_no_key_is_processed_twice_at_once(moves: list[tuple[str, str]]) -> None:
    """If workers get and finish keys in any order, no two ever have the same key."""
    assert not processed_twice(WorkQueue[str](Clock()), moves)


def test_without_the_lock_a_key_is_processed_twice() -> None:
    """If the queue forgot which keys are being processed, the property above would not hold."""
    moves = [("add", "a"), ("get", "a"), ("add", "a"), ("get", "a")]
    assert processed_twice(Unlocked(Clock()), moves)
    assert not processed_twice(WorkQueue[str](Clock()), moves)
