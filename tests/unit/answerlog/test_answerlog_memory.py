"""The switches of the memory double, on which other tests rely."""

import asyncio
from uuid import UUID, uuid4

import pytest

from exam_answerlog.log import AnswerLogUnavailableError
from exam_answerlog.testing.memory import MemoryAnswerLog
from exam_core.answers import Start

SITTING = uuid4()
START = Start(student=7, started_at=1, solver=UUID(int=1), epoch=1, seed=1)


async def test_it_fails_as_told_until_told_otherwise() -> None:
    """The store is down, then it is back; nothing was written meanwhile."""
    log = MemoryAnswerLog()
    log.fail_with(AnswerLogUnavailableError("down"))
    with pytest.raises(AnswerLogUnavailableError, match="down"):
        await log.append_start(SITTING, 0, START)
    with pytest.raises(AnswerLogUnavailableError, match="down"):
        await log.ping()

    log.fail_with(None)
    assert (await log.read_bucket(SITTING, 0)).starts == ()


async def test_it_can_fail_after_it_wrote() -> None:
    """A timeout tells nothing: what was not confirmed may be there all the same."""
    log = MemoryAnswerLog()
    log.fail_with(AnswerLogUnavailableError("too slow"), written=True)
    with pytest.raises(AnswerLogUnavailableError):
        await log.append_start(SITTING, 0, START)

    log.fail_with(None)
    assert (await log.read_bucket(SITTING, 0)).starts == (START,)


async def test_it_holds_calls_until_they_are_released() -> None:
    """A write is under way for as long as the test needs it to be."""
    log = MemoryAnswerLog()
    with log.hold() as hold:
        held = asyncio.ensure_future(log.append_start(SITTING, 0, START))
        await hold.reached()
        assert log.tables["attempts"] == {}
        hold.release()
        await held
    assert (await log.read_bucket(SITTING, 0)).starts == (START,)


async def test_a_hold_ends_with_its_block() -> None:
    """A test that fails inside the block leaves nothing hanging."""
    log = MemoryAnswerLog()
    with log.hold() as hold:
        held = asyncio.ensure_future(log.ping())
        await hold.reached(1)
    await held
    await log.ping()
