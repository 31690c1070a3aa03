"""The answer log during outages of Cassandra and after them."""

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
from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer

pytestmark = pytest.mark.integration

TIMEOUT = 0.5
DRIVERS_OWN_TIMEOUT = 10


class Proxy:
    """A TCP proxy between the driver and Cassandra that can be opened, cut, frozen and thawed."""

    def __init__(self, host: str, port: int, *, at: str = "127.0.0.1", listens_on: int = 0) -> None:
        self.host, self.port = host, port
        self.at, self.listens_on = at, listens_on
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()

    async def open(self) -> None:
        """Accept connections, always on the same port."""
        self._server = await asyncio.start_server(self._serve, self.at, self.listens_on)
        self.listens_on = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Abort all connections and refuse new ones."""
        if self._server:
            self._server.close()
            for writer in tuple(self._writers):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    def freeze(self) -> None:
        """Keep all connections open and forward nothing."""
        self._flows.clear()

    def thaw(self) -> None:
        """Forward again, beginning with the data that was held back."""
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
            pass  # the proxy was cut
        finally:
            writer.close()


@pytest.fixture
async def proxy(cassandra_settings: CassandraSettings, admin: Session) -> AsyncIterator[Proxy]:
    """A proxy to Cassandra on a port of its own, initially cut."""
    proxy = Proxy(cassandra_settings.hosts[0], cassandra_settings.port)
    await proxy.open()
    await proxy.cut()
    yield proxy
    proxy.thaw()
    await proxy.cut()


@pytest.fixture
async def log(cassandra_settings: CassandraSettings, proxy: Proxy) -> AsyncIterator[CassandraAnswerLog]:
    """An answer log that reaches Cassandra only through the proxy."""
    through_proxy = cassandra_settings.model_copy(
        update={"hosts": ("127.0.0.1",), "port": proxy.listens_on, "timeout_ms": int(TIMEOUT * 1_000)}
    )
    log = CassandraAnswerLog.connect(through_proxy)
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


async def recovered(log: CassandraAnswerLog) -> None:
    """Return when the log has an open session; pytest's timeout applies."""
    while True:
        try:
            await log.ping()
        except AnswerLogUnavailableError:
            await asyncio.sleep(0.05)  # between two probes, as a readiness probe would
        else:
            return


async def test_calls_raise_unavailable_while_cassandra_is_down(log: CassandraAnswerLog) -> None:
    """I answer while Cassandra is down: I am asked to send the answer again."""
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


async def test_a_process_may_start_before_cassandra(log: CassandraAnswerLog, proxy: Proxy) -> None:
    """The solver starts before Cassandra and becomes ready without a restart."""
    with pytest.raises(AnswerLogUnavailableError, match="no Cassandra node responds"):
        await log.ping()

    await proxy.open()

    await recovered(log)


async def test_the_log_recovers_after_an_outage(log: CassandraAnswerLog, proxy: Proxy) -> None:
    """Cassandra restarts during a sitting: answers are rejected, then accepted again, and none is lost."""
    sitting = uuid4()
    await proxy.open()
    await recovered(log)
    await log.append_answers(sitting, 0, [answer(1)])

    await proxy.cut()
    with pytest.raises(AnswerLogUnavailableError):
        await log.append_answers(sitting, 0, [answer(2)])

    await proxy.open()
    await recovered(log)
    await log.append_answers(sitting, 0, [answer(2)])
    assert set((await log.read_bucket(sitting, 0)).answers) == {answer(1), answer(2)}


async def test_an_unconfirmed_append_times_out(log: CassandraAnswerLog, proxy: Proxy) -> None:
    """Cassandra hangs: my answer fails within the timeout, and the same session works again afterwards."""
    sitting = uuid4()
    await proxy.open()
    await recovered(log)

    proxy.freeze()
    loop = asyncio.get_running_loop()
    before = loop.time()
    with pytest.raises(AnswerLogUnavailableError):
        await log.append_answers(sitting, 0, [answer()])
    # After the configured timeout, before the driver's own default of 10 s.
    assert TIMEOUT * 0.9 <= loop.time() - before <= DRIVERS_OWN_TIMEOUT

    proxy.thaw()
    await recovered(log)
    await log.append_answers(sitting, 0, [answer()])
    assert (await log.read_bucket(sitting, 0)).answers == (answer(),)


async def test_queued_appends_time_out_together(log: CassandraAnswerLog, proxy: Proxy) -> None:
    """Cassandra hangs while a thousand answers arrive: the last one fails as soon as the first."""
    sitting = uuid4()
    await proxy.open()
    await recovered(log)

    proxy.freeze()
    loop = asyncio.get_running_loop()
    before = loop.time()
    appends = (log.append_answers(sitting, 0, [answer(student)]) for student in range(1_000))
    outcomes = await asyncio.gather(*appends, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {AnswerLogUnavailableError}
    # Timeouts of one group after the other would take at least this long.
    assert loop.time() - before < TIMEOUT * 1_000 / MAX_ROWS


async def test_the_log_follows_cassandra_to_a_new_address(
    cassandra_settings: CassandraSettings, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If Cassandra's pod moves, so that its name resolves to another address, the log recovers."""
    resolve = socket.getaddrinfo
    address = [proxy.at]

    def moved(host: str, *rest: Any, **named: Any) -> Any:  # the standard library's signature
        return resolve(address[0] if host == "cassandra.test" else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", moved)
    monkeypatch.setattr(session, "HEARTBEAT", 0.2)
    monkeypatch.setattr(session, "CONNECT_TIMEOUT", 1.0)
    await proxy.open()
    new = Proxy(proxy.host, proxy.port, at="127.0.0.2", listens_on=proxy.listens_on)
    log = CassandraAnswerLog.connect(
        cassandra_settings.model_copy(
            update={"hosts": ("cassandra.test",), "port": proxy.listens_on, "timeout_ms": 500}
        )
    )
    await recovered(log)

    await new.open()
    proxy.freeze()
    address[0] = new.at
    with pytest.raises(AnswerLogUnavailableError):
        await log.ping()
    await recovered(log)

    await log.close()
    await new.cut()


async def test_a_cancelled_append_does_not_affect_its_batch(log: CassandraAnswerLog, proxy: Proxy) -> None:
    """I disconnect while my answer is written in a batch with others: theirs are acknowledged."""
    sitting = uuid4()
    await proxy.open()
    await recovered(log)

    proxy.freeze()
    waiting = [asyncio.ensure_future(log.append_answers(sitting, 0, [answer(student)])) for student in range(6)]
    await asyncio.sleep(0)  # they are being sent
    waiting[0].cancel()
    waiting[3].cancel()
    proxy.thaw()
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


async def test_close_waits_for_appends_in_progress(
    cassandra_settings: CassandraSettings, cassandra_log: CassandraAnswerLog
) -> None:
    """The solver is stopped while answers are being sent: they are written before it exits."""
    sitting = uuid4()
    closing = CassandraAnswerLog.connect(cassandra_settings)
    written = [asyncio.ensure_future(closing.append_answers(sitting, 0, [answer(n)])) for n in range(100)]
    await asyncio.sleep(0)  # they are being sent

    await closing.close()

    assert await asyncio.gather(*written) == [None] * 100
    assert len((await cassandra_log.read_bucket(sitting, 0)).answers) == 100
    with pytest.raises(AnswerLogUnavailableError, match="closed"):
        await closing.ping()


async def test_close_works_while_cassandra_is_down(cassandra_settings: CassandraSettings, proxy: Proxy) -> None:
    """A solver that never reached Cassandra can be stopped."""
    log = CassandraAnswerLog.connect(
        cassandra_settings.model_copy(update={"hosts": ("127.0.0.1",), "port": proxy.listens_on})
    )
    await asyncio.wait_for(log.close(), 10)


async def test_a_log_from_before_a_fork_is_rejected(
    cassandra_log: CassandraAnswerLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Celery worker that inherits its parent's log gets an error instead of hanging."""
    await cassandra_log.ping()
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)

    with pytest.raises(RuntimeError, match="before a fork"):
        await cassandra_log.ping()


async def test_a_missing_keyspace_names_the_migration(cassandra_settings: CassandraSettings, admin: Session) -> None:
    """If the migration has not run yet, the error names its command."""
    log = CassandraAnswerLog.connect(cassandra_settings.model_copy(update={"keyspace": "missing_keyspace"}))
    with pytest.raises(AnswerLogUnavailableError, match="exam_answerlog migrate"):
        await log.ping()
    await log.close()


async def test_a_wrong_data_centre_is_named(cassandra_settings: CassandraSettings, admin: Session) -> None:
    """A wrong data centre has another error than a Cassandra that is down."""
    log = CassandraAnswerLog.connect(cassandra_settings.model_copy(update={"local_dc": "atlantis"}))
    with pytest.raises(AnswerLogUnavailableError, match=r"EXAM_CASSANDRA_LOCAL_DC is 'atlantis'.*datacenter1"):
        await log.ping()
    await log.close()
