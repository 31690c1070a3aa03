"""The probes tell the truth, and a scrape works with a broker and without one."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
import redis

from exam_answerlog.settings import CassandraSettings
from exam_grader.broker.redis_broker import CHUNKS, CONTROL
from exam_grader.health.consumer import SILENCE_SECONDS, Pulse
from exam_grader.health.probes import CheckFailedError, ProbeServer, check_cassandra, run_checks
from exam_grader.metrics import CHUNKS_GRADED, exposition


class FakeBroker:
    """A broker with so many tasks, or one that is away."""

    def __init__(self, depths: dict[str, int] | None) -> None:
        self.depths = depths

    def depth(self, queue: str) -> int:
        """So many, or no answer."""
        if self.depths is None:
            raise redis.ConnectionError("connection refused")
        return self.depths[queue]


def refuse() -> None:
    """A check that fails."""
    raise CheckFailedError("PostgreSQL is away")


def agree() -> None:
    """A check that succeeds."""


@contextmanager
def probes(**checks: object) -> Iterator[httpx.Client]:
    """A client of a server whose /readyz has these checks."""
    server = ProbeServer(0, metrics=lambda: b"# none\n", live={"loop": agree}, ready=checks)  # type: ignore[arg-type]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
            yield client
    finally:
        server.close()


def test_ready_means_every_store_answers() -> None:
    """A worker is ready only when it can reach all it needs, and says what it lacks."""
    with probes(broker=agree, database=refuse) as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"broker": "ok", "database": "PostgreSQL is away"})
        assert client.get("/healthz").json() == {"loop": "ok"}
    with probes(broker=agree, database=agree) as client:
        assert client.get("/readyz").status_code == 200


def test_metrics_and_nothing_else_are_served() -> None:
    """The port serves three addresses and no more."""
    with probes() as client:
        assert client.get("/metrics").text == "# none\n"
        assert client.get("/admin/").status_code == 404


def test_checks_run_at_once() -> None:
    """Three slow checks take as long as one."""
    meeting = threading.Barrier(3, timeout=5)
    assert run_checks({str(n): lambda: meeting.wait() and None for n in range(3)}) == {}


def test_a_loop_that_stands_still_is_not_alive_unless_it_looks_for_its_broker() -> None:
    """A hung worker is restarted; one that waits for its broker is not, for it would not help."""
    pulse = Pulse()
    pulse.last -= SILENCE_SECONDS + 1
    pulse.check()
    pulse.turning = True
    with pytest.raises(CheckFailedError, match="has not turned for 61 s"):
        pulse.check()
    pulse.beat()
    pulse.check()


@dataclass
class Message:
    """A task's message as the pulse looks at it."""

    channel: object
    acknowledged: bool = False


def test_a_confirmation_lost_with_its_connection_makes_the_worker_connect_anew() -> None:
    """A worker whose confirmations did not arrive would take nothing any more: it notices, once a connection."""
    pulse, first, second = Pulse(), object(), object()
    pulse.connected(first)
    pulse.note_confirmation(Message(first))
    pulse.beat()
    pulse.beat()
    assert pulse.deaf
    pulse.disconnected()
    pulse.connected(second)
    pulse.note_confirmation(Message(first))
    pulse.beat()
    pulse.beat()
    assert not pulse.deaf


def test_a_confirmation_that_the_loop_still_has_to_send_is_not_lost() -> None:
    """Celery confirms from its loop, a moment after the task is done: a healthy worker keeps its connection."""
    pulse, channel = Pulse(), object()
    pulse.connected(channel)
    message = Message(channel)
    pulse.note_confirmation(message)
    pulse.beat()
    assert not pulse.deaf
    message.acknowledged = True
    pulse.beat()
    pulse.beat()
    assert not pulse.deaf


def test_a_scrape_tells_how_many_tasks_wait() -> None:
    """I see in the metrics how long the queues are and what graders did."""
    CHUNKS_GRADED.labels("graded").inc(0)
    text = exposition(FakeBroker({CHUNKS: 3, CONTROL: 0}))().decode()  # type: ignore[arg-type]
    assert 'exam_grader_queue_depth{queue="chunks"} 3.0' in text
    assert 'exam_grader_chunks_total{outcome="graded"}' in text
    assert "exam_grader_broker_up 1.0" in text


def test_a_scrape_without_a_broker_says_so_and_still_counts() -> None:
    """A broker that is away does not take the metrics with it."""
    CHUNKS_GRADED.labels("graded").inc(0)
    text = exposition(FakeBroker(None))().decode()  # type: ignore[arg-type]
    assert "exam_grader_broker_up 0.0" in text
    assert "queue_depth{" not in text
    assert 'exam_grader_chunks_total{outcome="graded"}' in text


@contextmanager
def a_server_that_says(answer: bytes) -> Iterator[int]:
    """A server that says one thing to the first who asks; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(64)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_cassandra_is_reachable_when_it_speaks_cql() -> None:
    """An open port is not enough: what answers there must speak CQL."""
    with a_server_that_says(struct.pack("!BBhBI", 0x84, 0, 0, 0x06, 0)) as port:
        check_cassandra(CassandraSettings(hosts=("127.0.0.1",), port=port))
    with (
        a_server_that_says(b"HTTP/1.1 400 Bad Request\r\n") as port,
        pytest.raises(CheckFailedError, match="speak CQL"),
    ):
        check_cassandra(CassandraSettings(hosts=("127.0.0.1",), port=port))


def test_cassandra_that_is_away_is_named() -> None:
    """I am told where Cassandra was looked for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(CheckFailedError, match=f"127.0.0.1:{port}"):
        check_cassandra(CassandraSettings(hosts=("127.0.0.1",), port=port))


def test_the_cql_question_is_the_smallest_there_is() -> None:
    """The probe costs Cassandra next to nothing and needs no password."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(64))
                connection.sendall(struct.pack("!BBhBI", 0x84, 0, 0, 0x06, 0))

        thread = threading.Thread(target=serve)
        thread.start()
        check_cassandra(CassandraSettings(hosts=("127.0.0.1",), port=listener.getsockname()[1]))
        thread.join()
    assert asked == [b"\x04\x00\x00\x00\x05\x00\x00\x00\x00"]
