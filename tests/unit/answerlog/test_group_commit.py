"""Group commit: batches, and the outcome that each waiter receives."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_answerlog.group_commit import GroupCommit

MAX_ROWS = 4


class StoreError(Exception):
    """The store rejected a write."""


@dataclass(eq=False)
class Write:
    """A write that the store received; the test completes it."""

    lane: str
    rows: list[int]
    end: "asyncio.Future[None]"

    @property
    def in_progress(self) -> bool:
        """Whether it is not completed."""
        return not self.end.done()

    @property
    def succeeded(self) -> bool:
        """Whether the store confirmed it."""
        return self.end.done() and self.end.exception() is None


@dataclass
class Store:
    """A store whose writes the test completes."""

    writes: list[Write] = field(default_factory=list)

    async def write(self, lane: str, rows: Sequence[int]) -> None:
        """Accept a write and wait until the test completes it."""
        assert not [write for write in self.in_progress if write.lane == lane], "two writes of a lane at once"
        write = Write(lane, list(rows), asyncio.get_running_loop().create_future())
        self.writes.append(write)
        await write.end

    @property
    def in_progress(self) -> list[Write]:
        """The writes that are not completed."""
        return [write for write in self.writes if write.in_progress]

    def containing(self, row: int) -> list[Write]:
        """The writes that contain a row."""
        return [write for write in self.writes if row in write.rows]


async def settled() -> None:
    """Run the event loop until only the store can make progress."""
    for _ in range(10):
        await asyncio.sleep(0)


def confirm(write: Write) -> None:
    """The store confirms a write."""
    write.end.set_result(None)


def reject(write: Write) -> None:
    """The store rejects a write."""
    write.end.set_exception(StoreError())


async def test_an_append_to_an_idle_lane_is_written_at_once() -> None:
    """Without concurrent appends my answer is written immediately."""
    store = Store()
    commits = GroupCommit(store.write)
    mine = asyncio.ensure_future(commits.append("a", [1]))
    await settled()
    assert [write.rows for write in store.in_progress] == [[1]]

    confirm(store.writes[0])
    await mine


async def test_appends_during_a_write_share_the_next_one() -> None:
    """All appends that arrive during a slow write share the next one, in order."""
    store = Store()
    commits = GroupCommit(store.write)
    waiting = [asyncio.ensure_future(commits.append("a", [1]))]
    await settled()
    waiting += [asyncio.ensure_future(commits.append("a", [row])) for row in (2, 3, 4)]
    await settled()
    assert [write.rows for write in store.writes] == [[1]]

    confirm(store.writes[0])
    await settled()
    assert [write.rows for write in store.writes] == [[1], [2, 3, 4]]
    assert [one.done() for one in waiting] == [True, False, False, False]

    confirm(store.writes[1])
    await asyncio.gather(*waiting)


async def test_lanes_do_not_wait_for_each_other() -> None:
    """A slow write of another bucket does not delay mine."""
    store = Store()
    commits = GroupCommit(store.write)
    slow = asyncio.ensure_future(commits.append("a", [1]))
    mine = asyncio.ensure_future(commits.append("b", [2]))
    await settled()
    confirm(store.writes[1])
    await mine
    assert not slow.done()
    confirm(store.writes[0])
    await slow


async def test_a_rejected_write_fails_only_its_own_waiters() -> None:
    """When the store rejects one write, the waiters of earlier and later writes are not affected."""
    store = Store()
    commits = GroupCommit(store.write, max_rows=2)
    waiting = [asyncio.ensure_future(commits.append("a", [row])) for row in range(6)]
    await settled()
    confirm(store.writes[0])
    await settled()
    reject(store.writes[1])
    await settled()
    confirm(store.writes[2])

    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None)] * 2 + [StoreError] * 2 + [type(None)] * 2


async def test_an_append_cancelled_in_the_queue_is_not_written() -> None:
    """If I disconnect while my answer is queued, it is not written, and other appends are not affected."""
    store = Store()
    commits = GroupCommit(store.write)
    waiting = [asyncio.ensure_future(commits.append("a", [0]))]
    await settled()
    waiting += [asyncio.ensure_future(commits.append("a", [row])) for row in (1, 2, 3)]
    await settled()
    waiting[2].cancel()
    confirm(store.writes[0])
    await settled()
    assert store.writes[1].rows == [1, 3]
    confirm(store.writes[1])
    await asyncio.gather(waiting[1], waiting[3])


async def test_an_append_is_not_lost_when_its_lane_becomes_idle() -> None:
    """An append that arrives just as the last write ends is still written."""
    store = Store()
    commits = GroupCommit(store.write)
    first = asyncio.ensure_future(commits.append("a", [1]))
    await settled()
    confirm(store.writes[0])
    second = asyncio.ensure_future(commits.append("a", [2]))  # runs right after the writer's last check
    await settled()
    confirm(store.writes[1])
    await asyncio.gather(first, second)


async def test_a_large_append_is_confirmed_when_all_of_it_is_written() -> None:
    """If I send more than fits one write, my append returns after the last part is written."""
    store = Store()
    commits = GroupCommit(store.write, max_rows=2)
    mine = asyncio.ensure_future(commits.append("a", [1, 2, 3, 4, 5]))
    for part in ([1, 2], [3, 4], [5]):
        await settled()
        assert not mine.done()
        assert store.writes[-1].rows == part
        confirm(store.writes[-1])
    await mine


async def test_close_completes_accepted_appends_and_rejects_new_ones() -> None:
    """When the process stops, accepted appends are written first."""
    store = Store()
    commits = GroupCommit(store.write)
    accepted = [asyncio.ensure_future(commits.append("a", [row])) for row in (1, 2)]
    await settled()
    closing = asyncio.ensure_future(commits.close())
    await settled()
    assert not closing.done()
    with pytest.raises(RuntimeError, match="closed"):
        await commits.append("a", [3])

    confirm(store.writes[0])
    await closing
    assert await asyncio.gather(*accepted) == [None, None]


def test_a_closed_loop_leaves_no_waiter_pending() -> None:
    """After a program was interrupted during a write, its next loop can write to the same lane."""
    store = Store()
    commits = GroupCommit(store.write)

    async def interrupted() -> list[asyncio.Task[None]]:
        waiting = [asyncio.create_task(commits.append("a", [row])) for row in (1, 2)]
        await asyncio.sleep(0)
        return waiting

    async def later() -> None:
        mine = asyncio.create_task(commits.append("a", [3]))
        await settled()
        confirm(store.writes[-1])
        await mine

    waiting = asyncio.run(interrupted())
    assert all(one.cancelled() for one in waiting)
    asyncio.run(later())
    assert store.writes[-1].rows == [3]


@dataclass
class Scenario:
    """A store, all appends to it, and their invariants."""

    store: Store = field(default_factory=Store)
    waiting: list["asyncio.Task[None]"] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)
    cancelled: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.commits = GroupCommit(self.store.write, max_rows=MAX_ROWS)

    def step(self, action: str, lane: str, number: int) -> None:
        """Append, cancel an append, or complete one of the store's writes."""
        if action == "append":
            first = sum(map(len, self.rows))
            self.rows.append(list(range(first, first + number)))
            self.waiting.append(asyncio.create_task(self.commits.append(lane, self.rows[-1])))
        elif action == "cancel" and self.waiting:
            place = number % len(self.waiting)
            if self.waiting[place].cancel():
                self.cancelled.add(place)
        elif action in {"confirm", "reject"} and self.store.in_progress:
            write = self.store.in_progress[number % len(self.store.in_progress)]
            (confirm if action == "confirm" else reject)(write)

    def check(self) -> None:
        """A confirmed append has all its rows written; a failed one had rows in a rejected write."""
        for place, one in enumerate(self.waiting):
            if not one.done() or place in self.cancelled:
                continue
            writes = [write for row in self.rows[place] for write in self.store.containing(row)]
            if one.exception() is None:
                assert len(writes) == len(self.rows[place])
                assert all(write.succeeded for write in writes)
            else:
                assert isinstance(one.exception(), StoreError)
                assert any(write.end.done() and not write.succeeded for write in writes)

    def check_writes(self) -> None:
        """Writes respect the maximum size; rows are written once and in order, unless their append was cancelled."""
        written = [row for write in self.store.writes for row in write.rows]
        assert len(written) == len(set(written))
        assert all(0 < len(write.rows) <= MAX_ROWS for write in self.store.writes)
        for lane in "ab":
            of_lane = [row for write in self.store.writes if write.lane == lane for row in write.rows]
            assert of_lane == sorted(of_lane)
        for place, rows in enumerate(self.rows):
            assert place in self.cancelled or set(rows) <= set(written)


appends = st.tuples(st.just("append"), st.sampled_from("ab"), st.integers(0, 2 * MAX_ROWS + 1), st.booleans())
chances = st.tuples(st.sampled_from(["confirm", "reject", "cancel"]), st.just(""), st.integers(0, 30), st.booleans())


@given(script=st.lists(st.one_of(appends, chances), max_size=40))
async def test_a_confirmed_append_is_written(script: list[tuple[str, str, int, bool]]) -> None:
    """For any order of appends, outcomes of writes and cancellations, a confirmed answer is written."""
    scenario = Scenario()
    for action, lane, number, rest in script:
        scenario.step(action, lane, number)
        if rest:
            await settled()
            scenario.check()
    await settled()
    while scenario.store.in_progress:
        for write in scenario.store.in_progress:
            confirm(write)
        await settled()

    scenario.check()
    scenario.check_writes()
    assert all(one.done() for one in scenario.waiting), "an append never completes"
