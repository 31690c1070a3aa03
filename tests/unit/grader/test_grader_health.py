"""Probes and metrics of a grader process."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psycopg
import pytest
import redis

from exam_answerlog.settings import CassandraSettings
from exam_grader.broker.redis_broker import CHUNKS, CONTROL
from exam_grader.health.checks import CheckFailedError, check_cassandra, run_checks
from exam_grader.health.consumer import ConsumerMonitor
from exam_grader.health.loop import STALL_SECONDS, LoopMonitor
from exam_grader.health.server import ProbeServer
from exam_grader.metrics import CHUNKS_GRADED, scrape


class FakeBroker:
    """A broker with a depth per queue; None: unavailable."""

    def __init__(self, depths: dict[str, int] | None) -> None:
        self.depths = depths

    def queue_depth(self, queue: str) -> int:
        """The depth, or a connection error."""
        if self.depths is None:
            raise redis.ConnectionError("connection refused")
        return self.depths[queue]


def failing() -> None:
    """A check that fails."""
    raise CheckFailedError("the main loop has not run for 61 s")


def unreachable() -> None:
    """A check of a store that cannot be reached."""
    raise psycopg.OperationalError("connection to 10.0.0.7 failed for user exam_grader")


def passing() -> None:
    """A check that passes."""


@contextmanager
def probe_client(**readiness: object) -> Iterator[httpx.Client]:
    """A client of a server with these checks of /readyz."""
    server = ProbeServer(0, metrics=lambda: b"# none\n", liveness={"loop": passing}, readiness=readiness)  # type: ignore[arg-type]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
            yield client
    finally:
        server.close()


def test_a_worker_is_ready_only_if_all_stores_are_reachable() -> None:
    """A worker that misses a store is not ready and names it, without the addresses that a driver's error has."""
    with probe_client(broker=passing, database=unreachable, loop=failing) as client:
        response = client.get("/readyz")
        assert (response.status_code, response.json()["status"]) == (503, "failing")
        assert {name: check["detail"] for name, check in response.json()["checks"].items()} == {
            "broker": "ok",
            "database": "not reachable",
            "loop": "the main loop has not run for 61 s",
        }
        live = {"status": "ok", "checks": {"loop": {"ok": True, "required": True, "detail": "ok"}}}
        assert client.get("/healthz").json() == live
    with probe_client(broker=passing, database=passing) as client:
        assert client.get("/readyz").status_code == 200


def test_only_metrics_and_probes_are_served() -> None:
    """The port serves three paths and no more."""
    with probe_client() as client:
        assert client.get("/metrics").text == "# none\n"
        assert client.get("/admin/").status_code == 404


def test_probes_are_served_on_both_families() -> None:
    """If the pod has IPv6 alone, or both, the kubelet and Prometheus reach the port."""
    with probe_client() as client:
        for address in ("127.0.0.1", "[::1]"):
            assert httpx.get(f"http://{address}:{client.base_url.port}/metrics", trust_env=False).text == "# none\n"


def test_checks_run_concurrently() -> None:
    """Three slow checks take as long as one."""
    barrier = threading.Barrier(3, timeout=5)

    def check() -> None:
        barrier.wait()

    results = run_checks({str(n): check for n in range(3)})
    assert [result.ok for result in results.values()] == [True] * 3


def test_a_stalled_loop_fails_liveness_only_while_it_is_expected_to_run() -> None:
    """A hung worker is restarted; one that reconnects to its broker is not, because that would not help."""
    monitor = LoopMonitor()
    monitor.last_iteration -= STALL_SECONDS + 1
    monitor.check()
    monitor.expected = True
    with pytest.raises(CheckFailedError, match="has not run for 61 s"):
        monitor.check()
    monitor.record_iteration()
    monitor.check()


@dataclass
class FakeMessage:
    """The message of a task, as the monitor reads it."""

    channel: object
    acknowledged: bool = False


def test_a_lost_acknowledgement_makes_the_worker_reconnect_once() -> None:
    """A worker whose acknowledgements were lost would receive no more tasks: it reconnects, once per connection."""
    monitor, first, second = ConsumerMonitor(), object(), object()
    monitor.connected(first)
    monitor.track(FakeMessage(first))
    monitor.record_iteration()
    monitor.record_iteration()
    assert monitor.consumer_lost
    monitor.disconnected()
    monitor.connected(second)
    monitor.track(FakeMessage(first))
    monitor.record_iteration()
    monitor.record_iteration()
    assert not monitor.consumer_lost


def test_an_acknowledgement_that_the_loop_has_yet_to_send_is_not_lost() -> None:
    """Celery acknowledges from its loop, a moment after the task: a healthy worker keeps its connection."""
    monitor, channel = ConsumerMonitor(), object()
    monitor.connected(channel)
    message = FakeMessage(channel)
    monitor.track(message)
    monitor.record_iteration()
    assert not monitor.consumer_lost
    message.acknowledged = True
    monitor.record_iteration()
    monitor.record_iteration()
    assert not monitor.consumer_lost


def test_metrics_include_queue_depths() -> None:
    """The metrics show how long the queues are and what graders did."""
    CHUNKS_GRADED.labels("graded").inc(0)
    text = scrape(FakeBroker({CHUNKS: 3, CONTROL: 0}))().decode()  # type: ignore[arg-type]
    assert 'exam_grader_queue_depth{queue="chunks"} 3.0' in text
    assert 'exam_grader_chunks_total{outcome="graded"}' in text
    assert "exam_grader_broker_up 1.0" in text


def test_metrics_are_served_without_a_broker() -> None:
    """An unavailable broker shows as broker_up 0; the other metrics stay."""
    CHUNKS_GRADED.labels("graded").inc(0)
    text = scrape(FakeBroker(None))().decode()  # type: ignore[arg-type]
    assert "exam_grader_broker_up 0.0" in text
    assert "queue_depth{" not in text
    assert 'exam_grader_chunks_total{outcome="graded"}' in text


@contextmanager
def cql_server(response: bytes, requests: list[bytes] | None = None) -> Iterator[int]:
    """A server that sends one response to its first client; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                request = connection.recv(64)
                if requests is not None:
                    requests.append(request)
                connection.sendall(response)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


SUPPORTED = struct.pack("!BBhBI", 0x84, 0, 0, 0x06, 0)


def test_cassandra_is_reachable_if_it_speaks_cql() -> None:
    """An open port is not enough: the response must be CQL."""
    with cql_server(SUPPORTED) as port:
        check_cassandra(CassandraSettings(hosts=("127.0.0.1",), port=port))
    with cql_server(b"HTTP/1.1 400 Bad Request\r\n") as port, pytest.raises(ConnectionError, match="not CQL"):
        check_cassandra(CassandraSettings(hosts=("127.0.0.1",), port=port))


def test_the_error_names_all_contact_points() -> None:
    """The log shows where Cassandra was expected."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionError, match=f"127.0.0.1:{port}"):
        check_cassandra(CassandraSettings(hosts=("127.0.0.1",), port=port))


def test_the_check_sends_a_cql_options_request() -> None:
    """The probe costs Cassandra next to nothing and needs no password."""
    requests: list[bytes] = []
    with cql_server(SUPPORTED, requests) as port:
        check_cassandra(CassandraSettings(hosts=("127.0.0.1",), port=port))
    assert requests == [b"\x04\x00\x00\x00\x05\x00\x00\x00\x00"]
