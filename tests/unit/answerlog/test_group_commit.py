"""Group commit: who is told what, and when, whatever the store and the waiters do."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_answerlog.group_commit import GroupCommit

MAX_ROWS = 4


class StoreError(Exception):
    """The store refused a write."""


@dataclass(eq=False)
class Write:
    """One write that the store was handed; it ends when the test says so."""

    lane: str
    rows: list[int]
    end: "asyncio.Future[None]"

    @property
    def under_way(self) -> bool:
        """Whether the store has not answered yet."""
        return not self.end.done()

    @property
    def succeeded(self) -> bool:
        """Whether the store confirmed it."""
        return self.end.done() and self.end.exception() is None


@dataclass
class Store:
    """A store whose every answer is the test's to give."""

    writes: list[Write] = field(default_factory=list)

    async def write(self, lane: str, rows: Sequence[int]) -> None:
        """Take a write and wait for the test."""
        assert not [write for write in self.under_way if write.lane == lane], "two writes of a lane at once"
        write = Write(lane, list(rows), asyncio.get_running_loop().create_future())
        self.writes.append(write)
        await write.end

    @property
    def under_way(self) -> list[Write]:
        """The writes that are not answered yet."""
        return [write for write in self.writes if write.under_way]

    def holding(self, row: int) -> list[Write]:
        """The writes that a row was in."""
        return [write for write in self.writes if row in write.rows]


async def settled() -> None:
    """Let everything run that can run without the store."""
    for _ in range(10):
        await asyncio.sleep(0)


def confirm(write: Write) -> None:
    """The store confirms a write."""
    write.end.set_result(None)


def refuse(write: Write) -> None:
    """The store refuses a write."""
    write.end.set_exception(StoreError())


async def test_an_append_to_an_idle_lane_is_written_at_once() -> None:
    """I am alone: my answer waits for nobody."""
    store = Store()
    commits = GroupCommit(store.write)
    mine = asyncio.ensure_future(commits.append("a", [1]))
    await settled()
    assert [write.rows for write in store.under_way] == [[1]]

    confirm(store.writes[0])
    await mine


async def test_what_comes_while_a_write_is_under_way_is_written_together() -> None:
    """The store is slow: everyone who came meanwhile goes with the next write, in order."""
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
    """Another bucket's slow write is none of my business."""
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


async def test_a_refused_write_fails_its_own_waiters_alone() -> None:
    """The store refused one write: those in it are told, those before and after are not."""
    store = Store()
    commits = GroupCommit(store.write, max_rows=2)
    waiting = [asyncio.ensure_future(commits.append("a", [row])) for row in range(6)]
    await settled()
    confirm(store.writes[0])
    await settled()
    refuse(store.writes[1])
    await settled()
    confirm(store.writes[2])

    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None)] * 2 + [StoreError] * 2 + [type(None)] * 2


async def test_what_nobody_waits_for_any_more_is_not_written() -> None:
    """I hung up before my answer's turn came: the store is not troubled with it, and nobody else notices."""
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


async def test_an_append_in_the_moment_a_lane_falls_idle_is_written() -> None:
    """The last write ended in this very moment: mine is not forgotten between two looks."""
    store = Store()
    commits = GroupCommit(store.write)
    first = asyncio.ensure_future(commits.append("a", [1]))
    await settled()
    confirm(store.writes[0])
    second = asyncio.ensure_future(commits.append("a", [2]))  # runs right after the writer looked for the last time
    await settled()
    confirm(store.writes[1])
    await asyncio.gather(first, second)


async def test_a_large_append_is_confirmed_when_all_of_it_is_written() -> None:
    """I send more than fits one write: I am told when the last part is there."""
    store = Store()
    commits = GroupCommit(store.write, max_rows=2)
    mine = asyncio.ensure_future(commits.append("a", [1, 2, 3, 4, 5]))
    for part in ([1, 2], [3, 4], [5]):
        await settled()
        assert not mine.done()
        assert store.writes[-1].rows == part
        confirm(store.writes[-1])
    await mine


async def test_closing_writes_what_was_taken_and_takes_no_more() -> None:
    """The process is told to stop: what it took is written first."""
    store = Store()
    commits = GroupCommit(store.write)
    taken = [asyncio.ensure_future(commits.append("a", [row])) for row in (1, 2)]
    await settled()
    closing = asyncio.ensure_future(commits.close())
    await settled()
    assert not closing.done()
    with pytest.raises(RuntimeError, match="closed"):
        await commits.append("a", [3])

    confirm(store.writes[0])
    await closing
    assert await asyncio.gather(*taken) == [None, None]


def test_a_loop_that_is_torn_down_leaves_nobody_behind() -> None:
    """A program was interrupted while it wrote: its next loop can write to the same lane."""
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
class Day:
    """A store, everyone who appended to it, and what must be true of them at any moment."""

    store: Store = field(default_factory=Store)
    waiting: list["asyncio.Task[None]"] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)
    hung_up: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.commits = GroupCommit(self.store.write, max_rows=MAX_ROWS)

    def step(self, what: str, lane: str, number: int) -> None:
        """Somebody appends or hangs up, or the store answers one of its writes."""
        if what == "append":
            first = sum(map(len, self.rows))
            self.rows.append(list(range(first, first + number)))
            self.waiting.append(asyncio.create_task(self.commits.append(lane, self.rows[-1])))
        elif what == "hang up" and self.waiting:
            place = number % len(self.waiting)
            if self.waiting[place].cancel():
                self.hung_up.add(place)
        elif what in {"confirm", "refuse"} and self.store.under_way:
            write = self.store.under_way[number % len(self.store.under_way)]
            (confirm if what == "confirm" else refuse)(write)

    def check(self) -> None:
        """Who was told that their rows are written has them written; who was told otherwise was in a refused write."""
        for place, one in enumerate(self.waiting):
            if not one.done() or place in self.hung_up:
                continue
            writes = [write for row in self.rows[place] for write in self.store.holding(row)]
            if one.exception() is None:
                assert len(writes) == len(self.rows[place])
                assert all(write.succeeded for write in writes)
            else:
                assert isinstance(one.exception(), StoreError)
                assert any(write.end.done() and not write.succeeded for write in writes)

    def check_writes(self) -> None:
        """Every write had its size; rows were written once, in order, and all of those that somebody waited for."""
        written = [row for write in self.store.writes for row in write.rows]
        assert len(written) == len(set(written))
        assert all(0 < len(write.rows) <= MAX_ROWS for write in self.store.writes)
        for lane in "ab":
            of_lane = [row for write in self.store.writes if write.lane == lane for row in write.rows]
            assert of_lane == sorted(of_lane)
        for place, said in enumerate(self.rows):
            assert place in self.hung_up or set(said) <= set(written)


appends = st.tuples(st.just("append"), st.sampled_from("ab"), st.integers(0, 2 * MAX_ROWS + 1), st.booleans())
chances = st.tuples(st.sampled_from(["confirm", "refuse", "hang up"]), st.just(""), st.integers(0, 30), st.booleans())


@given(script=st.lists(st.one_of(appends, chances), max_size=40))
async def test_whatever_happens_everyone_is_told_the_truth(script: list[tuple[str, str, int, bool]]) -> None:
    """Answers come, writes succeed or fail, people hang up, in any order: a confirmed answer is a written one."""
    day = Day()
    for what, lane, number, rest in script:
        day.step(what, lane, number)
        if rest:
            await settled()
            day.check()
    await settled()
    while day.store.under_way:
        for write in day.store.under_way:
            confirm(write)
        await settled()

    day.check()
    day.check_writes()
    assert all(one.done() for one in day.waiting), "somebody waits for ever"
