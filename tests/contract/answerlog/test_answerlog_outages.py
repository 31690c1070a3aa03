"""What happens to the answer log when Cassandra goes away, and when it comes back."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from cassandra.cluster import Session

from exam_answerlog import session
from exam_answerlog.cassandra import CassandraAnswerLog
from exam_answerlog.group_commit import MAX_ROWS
from exam_answerlog.log import AnswerLogUnavailableError
from exam_answerlog.settings import CassandraSettings
from exam_core.answers import Answer, AnswerValue

pytestmark = pytest.mark.integration

TIMEOUT = 0.5
DRIVERS_OWN_TIMEOUT = 10


class Wire:
    """A proxy between the driver and Cassandra that can be cut, mended and frozen."""

    def __init__(self, host: str, port: int, *, at: str = "127.0.0.1", listens_on: int = 0) -> None:
        self.host, self.port = host, port
        self.at, self.listens_on = at, listens_on
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()

    async def mend(self) -> None:
        """Take connections, on the same port as ever."""
        self._server = await asyncio.start_server(self._serve, self.at, self.listens_on)
        self.listens_on = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Drop every connection and refuse new ones."""
        if self._server:
            self._server.close()
            for writer in tuple(self._writers):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    def freeze(self) -> None:
        """Keep every connection and let nothing through."""
        self._flows.clear()

    def thaw(self) -> None:
        """Let everything through again, what was held back first."""
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self.host, self.port)
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # cut: what the wire is for
        finally:
            writer.close()


@pytest.fixture
async def wire(cassandra_settings: CassandraSettings, admin: Session) -> AsyncIterator[Wire]:
    """A wire to Cassandra with a port of its own, cut so far."""
    wire = Wire(cassandra_settings.hosts[0], cassandra_settings.port)
    await wire.mend()
    await wire.cut()
    yield wire
    wire.thaw()
    await wire.cut()


@pytest.fixture
async def log(cassandra_settings: CassandraSettings, wire: Wire) -> AsyncIterator[CassandraAnswerLog]:
    """An answer log that reaches Cassandra over the wire alone."""
    over_wire = cassandra_settings.model_copy(
        update={"hosts": ("127.0.0.1",), "port": wire.listens_on, "timeout_ms": int(TIMEOUT * 1_000)}
    )
    log = CassandraAnswerLog.connect(over_wire)
    yield log
    await log.close()


def answer(student: int = 7) -> Answer:
    """Any answer."""
    return Answer(
        student=student,
        question=0,
        seq=1,
        answer_id=UUID(int=student),
        received_at=1,
        deadline_at=2,
        solver=UUID(int=1),
        epoch=1,
        answer=AnswerValue(choice=1),
    )


async def answers_again(log: CassandraAnswerLog) -> None:
    """Return when the log has a session that works; pytest's timeout bounds it."""
    while True:
        try:
            await log.ping()
        except AnswerLogUnavailableError:
            await asyncio.sleep(0.05)  # between two probes, as a readiness probe would
        else:
            return


async def test_every_call_says_unavailable_while_cassandra_is_down(log: CassandraAnswerLog) -> None:
    """I answer while Cassandra is down: I am told to send it again, not that something broke."""
    sitting = uuid4()
    calls = (
        log.ping(),
        log.append_answers(sitting, 0, [answer()]),
        log.append_late(sitting, 0, [answer()]),
        log.read_student(sitting, 0, 7),
        log.read_bucket(sitting, 0),
        log.get_paper_part("00", "paper"),
        log.read_sealed(sitting, 0),
    )
    for call in calls:
        with pytest.raises(AnswerLogUnavailableError):
            await call


async def test_a_process_that_starts_before_cassandra_becomes_ready_later(log: CassandraAnswerLog, wire: Wire) -> None:
    """The solver starts first, Cassandra second: nobody restarts anything."""
    with pytest.raises(AnswerLogUnavailableError, match="no Cassandra node answers"):
        await log.ping()

    await wire.mend()

    await answers_again(log)


async def test_it_works_again_by_itself_after_cassandra_was_away(log: CassandraAnswerLog, wire: Wire) -> None:
    """Cassandra restarts in the middle of a sitting: answers are refused, then taken again, and none was lost."""
    sitting = uuid4()
    await wire.mend()
    await answers_again(log)
    await log.append_answers(sitting, 0, [answer(1)])

    await wire.cut()
    with pytest.raises(AnswerLogUnavailableError):
        await log.append_answers(sitting, 0, [answer(2)])

    await wire.mend()
    await answers_again(log)
    await log.append_answers(sitting, 0, [answer(2)])
    assert set((await log.read_bucket(sitting, 0)).answers) == {answer(1), answer(2)}


async def test_an_answer_that_is_not_confirmed_in_time_is_refused_in_time(log: CassandraAnswerLog, wire: Wire) -> None:
    """Cassandra hangs: I am told within the timeout, and when it goes on, so do I, on the same session."""
    sitting = uuid4()
    await wire.mend()
    await answers_again(log)

    wire.freeze()
    loop = asyncio.get_running_loop()
    before = loop.time()
    with pytest.raises(AnswerLogUnavailableError):
        await log.append_answers(sitting, 0, [answer()])
    # Not before its time, and by the timeout, not by whatever the driver would wait for by itself (10 s).
    assert TIMEOUT * 0.9 <= loop.time() - before <= DRIVERS_OWN_TIMEOUT

    wire.thaw()
    await answers_again(log)
    await log.append_answers(sitting, 0, [answer()])
    assert (await log.read_bucket(sitting, 0)).answers == (answer(),)


async def test_nobody_waits_behind_everybody_else(log: CassandraAnswerLog, wire: Wire) -> None:
    """Cassandra hangs while a thousand answers arrive: the last one is told about as soon as the first."""
    sitting = uuid4()
    await wire.mend()
    await answers_again(log)

    wire.freeze()
    loop = asyncio.get_running_loop()
    before = loop.time()
    appends = (log.append_answers(sitting, 0, [answer(student)]) for student in range(1_000))
    outcomes = await asyncio.gather(*appends, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {AnswerLogUnavailableError}
    # One group after the other would take at least this long.
    assert loop.time() - before < TIMEOUT * 1_000 / MAX_ROWS


async def test_it_follows_cassandra_to_a_new_address(
    cassandra_settings: CassandraSettings, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cassandra's pod was moved: the old address swallows everything, the name leads to a new one, and I can go on."""
    resolve = socket.getaddrinfo
    address = [wire.at]

    def moved(host: str, *rest: Any, **named: Any) -> Any:  # as the standard library has it
        return resolve(address[0] if host == "cassandra.test" else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", moved)
    monkeypatch.setattr(session, "HEARTBEAT", 0.2)
    monkeypatch.setattr(session, "CONNECT_TIMEOUT", 1.0)
    await wire.mend()
    new = Wire(wire.host, wire.port, at="127.0.0.2", listens_on=wire.listens_on)
    log = CassandraAnswerLog.connect(
        cassandra_settings.model_copy(update={"hosts": ("cassandra.test",), "port": wire.listens_on, "timeout_ms": 500})
    )
    await answers_again(log)

    await new.mend()
    wire.freeze()
    address[0] = new.at
    with pytest.raises(AnswerLogUnavailableError):
        await log.ping()
    await answers_again(log)

    await log.close()
    await new.cut()


async def test_one_who_stops_waiting_breaks_nobody_else(log: CassandraAnswerLog, wire: Wire) -> None:
    """My browser hung up while my answer was written together with others: theirs are acknowledged."""
    sitting = uuid4()
    await wire.mend()
    await answers_again(log)

    wire.freeze()
    waiting = [asyncio.ensure_future(log.append_answers(sitting, 0, [answer(student)])) for student in range(6)]
    await asyncio.sleep(0)  # they are on their way
    waiting[0].cancel()
    waiting[3].cancel()
    wire.thaw()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [
        True,
        False,
        False,
        True,
        False,
        False,
    ]
    assert [outcome for outcome in outcomes if not isinstance(outcome, asyncio.CancelledError)] == [None] * 4
    assert {answer(n) for n in (1, 2, 4, 5)} <= set((await log.read_bucket(sitting, 0)).answers)


async def test_closing_waits_for_what_is_being_written(
    cassandra_settings: CassandraSettings, cassandra_log: CassandraAnswerLog
) -> None:
    """The solver is told to stop while answers are on their way: they are written before it goes."""
    sitting = uuid4()
    leaving = CassandraAnswerLog.connect(cassandra_settings)
    written = [asyncio.ensure_future(leaving.append_answers(sitting, 0, [answer(n)])) for n in range(100)]
    await asyncio.sleep(0)  # they are on their way

    await leaving.close()

    assert await asyncio.gather(*written) == [None] * 100
    assert len((await cassandra_log.read_bucket(sitting, 0)).answers) == 100
    with pytest.raises(AnswerLogUnavailableError, match="closed"):
        await leaving.ping()


async def test_closing_works_while_cassandra_is_down(cassandra_settings: CassandraSettings, wire: Wire) -> None:
    """A solver that never reached Cassandra can be stopped."""
    log = CassandraAnswerLog.connect(
        cassandra_settings.model_copy(update={"hosts": ("127.0.0.1",), "port": wire.listens_on})
    )
    await asyncio.wait_for(log.close(), 10)


async def test_one_made_before_a_fork_is_refused(
    cassandra_log: CassandraAnswerLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Celery worker that inherits its parent's log is told to connect itself, instead of hanging for ever."""
    await cassandra_log.ping()
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)

    with pytest.raises(RuntimeError, match="before a fork"):
        await cassandra_log.ping()


async def test_a_keyspace_without_tables_says_what_to_do(cassandra_settings: CassandraSettings, admin: Session) -> None:
    """The migration has not run yet: the message names it."""
    log = CassandraAnswerLog.connect(cassandra_settings.model_copy(update={"keyspace": "nobody_made_this"}))
    with pytest.raises(AnswerLogUnavailableError, match="exam_answerlog migrate"):
        await log.ping()
    await log.close()


async def test_hosts_of_another_data_centre_are_named(cassandra_settings: CassandraSettings, admin: Session) -> None:
    """A wrong data centre is told from a Cassandra that is down."""
    log = CassandraAnswerLog.connect(cassandra_settings.model_copy(update={"local_dc": "atlantis"}))
    with pytest.raises(AnswerLogUnavailableError, match=r"EXAM_CASSANDRA_LOCAL_DC is 'atlantis'.*datacenter1"):
        await log.ping()
    await log.close()
