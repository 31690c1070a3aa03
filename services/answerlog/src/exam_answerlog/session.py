"""Keep one driver session to Cassandra open, from a background thread.

The driver reconnects to single nodes by itself. It cannot start while no node responds, nor recover when all addresses
that it has are unreachable (in a cluster, a restarted pod has a new address). In both cases no session is open: host
names are resolved again and a new session is created, about every second until it succeeds.
"""

import asyncio
import logging
import os
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from cassandra import ConsistencyLevel, DependencyException, InvalidRequest, ProtocolVersion, UnresolvableContactPoints
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.cython_deps import HAVE_CYTHON
from cassandra.policies import (
    DCAwareRoundRobinPolicy,
    ExponentialReconnectionPolicy,
    FallthroughRetryPolicy,
    TokenAwarePolicy,
)
from cassandra.query import PreparedStatement, tuple_factory

from exam_answerlog.log import AnswerLogUnavailableError
from exam_answerlog.settings import CassandraSettings

try:
    from cassandra.io.libevreactor import LibevConnection
except DependencyException:
    LibevConnection = None

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 5.0
"""Seconds for one step of connecting; longer than a request's timeout, because nodes may still be starting."""
HEARTBEAT = 5.0
"""Seconds after which an idle connection is probed, and closed when it does not respond."""
BACKOFF = (0.1, 0.2, 0.4, 0.8)
MAX_BACKOFF = 1.0
"""Seconds between attempts to connect, after the short ones of `BACKOFF`."""

_CLOSED = "this answer log is closed"


class DriverPartsMissingError(RuntimeError):
    """The driver lacks its compiled parts: it would work, but much slower."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenSession:
    """An open session, and its prepared statements by their CQL."""

    cluster: Cluster
    session: Session
    prepared: Mapping[str, PreparedStatement]


def assert_compiled() -> None:
    """Raise unless the driver has libev and its Cython parts."""
    missing = [name for name, present in (("libev", LibevConnection), ("Cython", HAVE_CYTHON)) if not present]
    if missing:
        raise DriverPartsMissingError(
            f"cassandra-driver is installed without {' and '.join(missing)}: "
            "install it from its binary wheel, not from source"
        )


def make_cluster(settings: CassandraSettings, *, request_timeout: float) -> Cluster:
    """Create a configured driver cluster; host names are resolved here, connections are opened by `connect`."""
    assert_compiled()
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(settings.local_dc)),
        retry_policy=FallthroughRetryPolicy(),  # callers decide about retries
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        request_timeout=request_timeout,
        row_factory=tuple_factory,
    )
    try:
        return _cluster(settings, profile)
    except UnresolvableContactPoints as error:
        raise AnswerLogUnavailableError(f"cannot resolve {settings.address} (EXAM_CASSANDRA_HOSTS)") from error


def tls_context(settings: CassandraSettings) -> ssl.SSLContext | None:
    """Create the TLS context of a client; None for plain connections."""
    if settings.tls == "off":
        return None
    context = ssl.create_default_context(cafile=settings.tls_ca_file)
    # A node is connected to by the address that the other nodes report, which its certificate may not have.
    context.check_hostname = settings.tls == "verify-full"
    return context


def _cluster(settings: CassandraSettings, profile: ExecutionProfile) -> Cluster:
    return Cluster(
        contact_points=list(settings.hosts),
        port=settings.port,
        auth_provider=PlainTextAuthProvider(settings.username, settings.password) if settings.username else None,
        ssl_context=tls_context(settings),
        protocol_version=ProtocolVersion.V5,
        connection_class=LibevConnection,
        compression=False,
        # The driver sends in pieces of 4 kB; without this each piece of a batch waits 40 ms until TCP acknowledges the
        # one before.
        sockopts=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        reconnection_policy=ExponentialReconnectionPolicy(BACKOFF[0], MAX_BACKOFF),
        connect_timeout=CONNECT_TIMEOUT,
        control_connection_timeout=CONNECT_TIMEOUT,
        idle_heartbeat_interval=HEARTBEAT,
        idle_heartbeat_timeout=HEARTBEAT,
        monitor_reporting_enabled=False,
        application_name="exam-answerlog",
    )


def open_session(settings: CassandraSettings, statements: Iterable[str]) -> OpenSession:
    """Connect and prepare the statements. Blocks; closes everything when it fails."""
    cluster = make_cluster(settings, request_timeout=settings.timeout)
    try:
        session = connect_cluster(cluster, settings)
        try:
            prepared = {cql: session.prepare(cql, keyspace=settings.keyspace) for cql in statements}
        except InvalidRequest as error:
            raise AnswerLogUnavailableError(
                f"Cassandra responds, but keyspace {settings.keyspace} lacks the schema of this release: {error}. "
                "Run `python -m exam_answerlog migrate`"
            ) from error
    except BaseException:
        cluster.shutdown()
        raise
    return OpenSession(cluster, session, prepared)


def connect_cluster(cluster: Cluster, settings: CassandraSettings) -> Session:
    """Connect; raise a specific error when none of the nodes is in the local data centre."""
    try:
        return cluster.connect()
    except NoHostAvailable as error:
        found = {host.datacenter for host in cluster.metadata.all_hosts() if host.datacenter}
        if found and settings.local_dc not in found:
            raise AnswerLogUnavailableError(
                f"EXAM_CASSANDRA_LOCAL_DC is {settings.local_dc!r}, but the nodes at {settings.address} "
                f"are in {', '.join(sorted(found))}"
            ) from error
        raise


class SessionManager:
    """Keeps one session open; while none is, keeps the reason.

    Threads and sockets do not survive a fork, so that a process that forks (Celery's prefork pool) creates its manager
    in the child. Using a manager that was created before the fork raises RuntimeError.
    """

    def __init__(self, settings: CassandraSettings, statements: Iterable[str]) -> None:
        assert_compiled()
        self._settings = settings
        self._statements = tuple(statements)
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._outcome = _pending()
        self._wait_seconds = CONNECT_TIMEOUT
        self._stop = threading.Event()
        self._renew = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="answerlog-session", daemon=True)
        self._thread.start()

    async def session(self) -> OpenSession:
        """Return the open session; wait for an attempt in progress, but not for the next one after a failure."""
        if self._pid != os.getpid():
            raise RuntimeError("this answer log was created before a fork: connect in the process that uses it")
        outcome = self._outcome
        if not outcome.done():
            await self._wait(outcome)
        result = outcome.result()
        if isinstance(result, OpenSession):
            return result
        raise AnswerLogUnavailableError(describe(result)) from result

    def lost(self, session: OpenSession) -> None:
        """Report that no node responds in this session, so that a new one replaces it."""
        with self._lock:
            if self._outcome.done() and self._outcome.result() is session:
                self._outcome = _pending()
                self._renew.set()

    def close(self) -> None:
        """Close the session or cancel the attempt to open one; blocks until sockets and threads are closed."""
        self._stop.set()
        self._renew.set()
        self._thread.join()

    async def _wait(self, outcome: "Future[OpenSession | Exception]") -> None:
        try:
            async with asyncio.timeout(self._wait_seconds):
                await asyncio.wrap_future(outcome)
        except TimeoutError:
            raise AnswerLogUnavailableError(
                f"still connecting to Cassandra at {self._settings.address} after {self._wait_seconds:g} s"
            ) from None

    def _keep(self) -> None:
        delays = _delays()
        replaced: OpenSession | None = None
        while not self._stop.is_set():
            result = self._attempt()
            self._publish(result)
            if replaced:
                replaced.cluster.shutdown()  # slow: it joins its threads, so that the new session is published first
                replaced = None
            if isinstance(result, OpenSession):
                delays = _delays()
                self._renew.wait()
                self._renew.clear()
                replaced = result
            else:
                self._stop.wait(next(delays))
        self._publish(AnswerLogUnavailableError(_CLOSED))
        if replaced:
            replaced.cluster.shutdown()

    def _attempt(self) -> OpenSession | Exception:
        try:
            return open_session(self._settings, self._statements)
        except Exception as error:  # noqa: BLE001  # kept, and raised to callers until an attempt succeeds
            return error

    def _publish(self, result: OpenSession | Exception) -> None:
        with self._lock:
            before = self._outcome.result() if self._outcome.done() else None
            if self._outcome.done():
                self._outcome = _pending()
            self._outcome.set_result(result)
            self._wait_seconds = self._settings.timeout  # only the first attempt may take longer than a request
        if isinstance(result, OpenSession):
            logger.info("connected to Cassandra at %s", self._settings.address)
        elif str(result) not in {str(before), _CLOSED}:
            logger.warning("no session with Cassandra: %s", describe(result))


def _pending() -> "Future[Any]":
    """Return a future that one waiter's cancellation cannot cancel for the others."""
    outcome: Future[Any] = Future()
    outcome.set_running_or_notify_cancel()
    return outcome


def _delays() -> Iterator[float]:
    return chain(BACKOFF, repeat(MAX_BACKOFF))


def describe(error: Exception) -> str:
    """Format an error for a person; the driver's errors by node become one sentence."""
    if isinstance(error, NoHostAvailable) and isinstance(error.errors, dict):
        return "no Cassandra node responds: " + "; ".join(f"{node}: {cause}" for node, cause in error.errors.items())
    return str(error)
