"""Failures and holds of the in-memory double, which other tests use."""

import asyncio
from uuid import UUID, uuid4

import pytest

from exam_answerlog.log import AnswerLogUnavailableError
from exam_answerlog.testing.memory import MemoryAnswerLog
from exam_core.answers import Start

SITTING = uuid4()
START = Start(student=7, started_at=1, solver=UUID(int=1), epoch=1, seed=1)


async def test_calls_fail_until_the_error_is_reset() -> None:
    """While the store is down nothing is written."""
    log = MemoryAnswerLog()
    log.fail_with(AnswerLogUnavailableError("down"))
    with pytest.raises(AnswerLogUnavailableError, match="down"):
        await log.append_start(SITTING, 0, START)
    with pytest.raises(AnswerLogUnavailableError, match="down"):
        await log.ping()

    log.fail_with(None)
    assert (await log.read_bucket(SITTING, 0)).starts == ()


async def test_calls_can_fail_after_the_write() -> None:
    """After a timeout the rows may have been written."""
    log = MemoryAnswerLog()
    log.fail_with(AnswerLogUnavailableError("too slow"), written=True)
    with pytest.raises(AnswerLogUnavailableError):
        await log.append_start(SITTING, 0, START)

    log.fail_with(None)
    assert (await log.read_bucket(SITTING, 0)).starts == (START,)


async def test_calls_are_held_until_released() -> None:
    """A write stays in progress as long as the test needs it."""
    log = MemoryAnswerLog()
    with log.hold() as hold:
        held = asyncio.ensure_future(log.append_start(SITTING, 0, START))
        await hold.reached()
        assert log.tables["attempts"] == {}
        hold.release()
        await held
    assert (await log.read_bucket(SITTING, 0)).starts == (START,)


async def test_a_hold_ends_with_its_context() -> None:
    """A test that fails inside the context leaves no call blocked."""
    log = MemoryAnswerLog()
    with log.hold() as hold:
        held = asyncio.ensure_future(log.ping())
        await hold.reached(1)
    await held
    await log.ping()
