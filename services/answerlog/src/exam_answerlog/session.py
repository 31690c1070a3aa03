"""The link to Cassandra: one driver session, made in a thread of its own and made anew when it is lost.

The driver mends single nodes and connections by itself. What it does not survive is to start while nothing answers, and
to find every address it knows dead (in a cluster, a restarted pod has a new address). Both are one case here: there is
no session, so names are resolved again and a new session is made, every second or so, for as long as it takes.
"""

import asyncio
import logging
import os
import socket
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
"""Seconds for one step of connecting; longer than a request's, for it happens on machines that are just starting."""
HEARTBEAT = 5.0
"""Seconds after which a silent connection is asked for a sign of life, and is given up without one."""
BACKOFF = (0.1, 0.2, 0.4, 0.8)
MAX_BACKOFF = 1.0
"""Seconds between attempts to connect: first a few short ones, then this for as long as it takes."""

_CLOSED = "this answer log is closed"


class DriverPartsMissingError(RuntimeError):
    """The driver runs without its compiled parts: it would work, at a fraction of the speed."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenSession:
    """A session that works, and the statements prepared in it by their CQL."""

    cluster: Cluster
    session: Session
    prepared: Mapping[str, PreparedStatement]


def assert_compiled() -> None:
    """Raise unless the driver has libev and its Cython parts."""
    missing = [name for name, there in (("libev", LibevConnection), ("Cython", HAVE_CYTHON)) if not there]
    if missing:
        raise DriverPartsMissingError(
            f"cassandra-driver is installed without {' and '.join(missing)}: "
            "install it from its binary wheel, not from source"
        )


def make_cluster(settings: CassandraSettings, *, request_timeout: float) -> Cluster:
    """A driver cluster as this platform uses it; names are resolved here, `connect` reaches out."""
    assert_compiled()
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(settings.local_dc)),
        retry_policy=FallthroughRetryPolicy(),  # whoever asked decides about another try; the driver hides none
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        request_timeout=request_timeout,
        row_factory=tuple_factory,
    )
    try:
        return _cluster(settings, profile)
    except UnresolvableContactPoints as error:
        raise AnswerLogUnavailableError(f"no name server knows {settings.address} (EXAM_CASSANDRA_HOSTS)") from error


def _cluster(settings: CassandraSettings, profile: ExecutionProfile) -> Cluster:
    return Cluster(
        contact_points=list(settings.hosts),
        port=settings.port,
        auth_provider=PlainTextAuthProvider(settings.username, settings.password) if settings.username else None,
        protocol_version=ProtocolVersion.V5,
        connection_class=LibevConnection,
        compression=False,
        # The driver sends in pieces of 4 kB; without this each piece of a batch waits until TCP acknowledges the one
        # before, 40 ms each.
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
    """Connect and prepare the statements; blocks, and leaves nothing open when it fails."""
    cluster = make_cluster(settings, request_timeout=settings.timeout)
    try:
        session = connect_cluster(cluster, settings)
        try:
            prepared = {cql: session.prepare(cql, keyspace=settings.keyspace) for cql in statements}
        except InvalidRequest as error:
            raise AnswerLogUnavailableError(
                f"Cassandra answers, but keyspace {settings.keyspace} is not as this release needs it: {error}. "
                "Run `python -m exam_answerlog migrate`"
            ) from error
    except BaseException:
        cluster.shutdown()
        raise
    return OpenSession(cluster, session, prepared)


def connect_cluster(cluster: Cluster, settings: CassandraSettings) -> Session:
    """Connect; says so when the nodes were found, but none of them is in the local data centre."""
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
    """Keeps one open session while it can, and says why not while it cannot.

    Made by one process for itself: threads and sockets do not survive a fork, so a process that forks (Celery's prefork
    pool) makes its link in the child. To use one that was made before the fork raises RuntimeError.
    """

    def __init__(self, settings: CassandraSettings, statements: Iterable[str]) -> None:
        assert_compiled()
        self._settings = settings
        self._statements = tuple(statements)
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._outcome = _pending()
        self._patience = CONNECT_TIMEOUT
        self._stop = threading.Event()
        self._renew = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="answerlog-session", daemon=True)
        self._thread.start()

    async def session(self) -> OpenSession:
        """The open session; waits for an attempt that is under way, but not for another after one has failed."""
        if self._pid != os.getpid():
            raise RuntimeError("this answer log was made before a fork: connect in the process that uses it")
        outcome = self._outcome
        if not outcome.done():
            await self._wait(outcome)
        result = outcome.result()
        if isinstance(result, OpenSession):
            return result
        raise AnswerLogUnavailableError(describe(result)) from result

    def lost(self, session: OpenSession) -> None:
        """Say that no node answered in this session: it is given up and a new one made."""
        with self._lock:
            if self._outcome.done() and self._outcome.result() is session:
                self._outcome = _pending()
                self._renew.set()

    def close(self) -> None:
        """Give up the session, or the attempt to have one; blocks until sockets and threads are gone."""
        self._stop.set()
        self._renew.set()
        self._thread.join()

    async def _wait(self, outcome: "Future[OpenSession | Exception]") -> None:
        try:
            async with asyncio.timeout(self._patience):
                await asyncio.wrap_future(outcome)
        except TimeoutError:
            raise AnswerLogUnavailableError(
                f"still connecting to Cassandra at {self._settings.address} after {self._patience:g} s"
            ) from None

    def _keep(self) -> None:
        delays = _delays()
        given_up: OpenSession | None = None
        while not self._stop.is_set():
            result = self._attempt()
            self._publish(result)
            if given_up:
                given_up.cluster.shutdown()  # waits for its threads, so nobody should wait for it
                given_up = None
            if isinstance(result, OpenSession):
                delays = _delays()
                self._renew.wait()
                self._renew.clear()
                given_up = result
            else:
                self._stop.wait(next(delays))
        self._publish(AnswerLogUnavailableError(_CLOSED))
        if given_up:
            given_up.cluster.shutdown()

    def _attempt(self) -> OpenSession | Exception:
        try:
            return open_session(self._settings, self._statements)
        except Exception as error:  # noqa: BLE001  # kept, and raised to everyone who asks until an attempt succeeds
            return error

    def _publish(self, result: OpenSession | Exception) -> None:
        with self._lock:
            before = self._outcome.result() if self._outcome.done() else None
            if self._outcome.done():
                self._outcome = _pending()
            self._outcome.set_result(result)
            self._patience = self._settings.timeout  # the first attempt alone may take longer than a request
        if isinstance(result, OpenSession):
            logger.info("connected to Cassandra at %s", self._settings.address)
        elif str(result) not in {str(before), _CLOSED}:
            logger.warning("no session with Cassandra: %s", describe(result))


def _pending() -> "Future[Any]":
    """A future that a waiter's cancellation cannot cancel for the others."""
    outcome: Future[Any] = Future()
    outcome.set_running_or_notify_cancel()
    return outcome


def _delays() -> Iterator[float]:
    return chain(BACKOFF, repeat(MAX_BACKOFF))


def describe(error: Exception) -> str:
    """What went wrong, for a person: the driver's lists of errors by node read as a sentence."""
    if isinstance(error, NoHostAvailable) and isinstance(error.errors, dict):
        return "no Cassandra node answers: " + "; ".join(f"{node}: {cause}" for node, cause in error.errors.items())
    return str(error)
