"""Serves metrics of Cassandra's nodes for Prometheus, read from all nodes at each scrape.

CQL is enough: nothing is installed on the nodes, and JMX, which also changes things, stays on their loopback.
"""

import logging
import signal
import socket
from collections.abc import Iterator
from threading import Lock
from typing import TYPE_CHECKING, Final

from cassandra import DriverException
from cassandra.cluster import Cluster, NoHostAvailable, Session
from cassandra.pool import Host
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from exam_answerlog.log import AnswerLogUnavailableError
from exam_answerlog.node_metrics import QUERIES, Node, node_metrics
from exam_answerlog.session import connect_cluster, describe, make_cluster
from exam_answerlog.settings import CassandraSettings
from exam_runtime.addresses import ALL

if TYPE_CHECKING:
    from cassandra.cluster import ResponseFuture

logger = logging.getLogger(__name__)

UNREACHABLE: Final = (NoHostAvailable, DriverException, AnswerLogUnavailableError, OSError)
STOP: Final = (signal.SIGTERM, signal.SIGINT)


class NodeCollector(Collector):
    """Asks all nodes when Prometheus scrapes; one scrape at a time.

    The session is kept, and replaced when no node answers: the addresses of a restarted pod are new.
    """

    def __init__(self, settings: CassandraSettings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._open: tuple[Cluster, Session] | None = None

    def collect(self) -> Iterator[Metric]:
        """Return the metrics; a node that does not answer is not up."""
        with self._lock:
            nodes = self._ask()
        return node_metrics(nodes, self._settings.keyspace)

    def describe(self) -> Iterator[Metric]:
        """Return the families without samples, so that registering asks no node."""
        return node_metrics((), self._settings.keyspace)

    def close(self) -> None:
        """Close the session."""
        with self._lock:
            self._close()

    def _ask(self) -> list[Node]:
        try:
            cluster, session = self._open or self._connect()
        except UNREACHABLE as error:
            logger.warning("no session with Cassandra: %s", describe(error))
            return [Node(address, "", None) for address in self._settings.hosts]
        hosts = sorted(cluster.metadata.all_hosts(), key=lambda host: str(host.address))
        asked = [(host, _ask_node(session, host)) for host in hosts]
        nodes = [Node(host.address, host.rack or "", _answers(host, futures)) for host, futures in asked]
        if not any(node.answers for node in nodes):
            self._close()
        return nodes

    def _connect(self) -> tuple[Cluster, Session]:
        cluster = make_cluster(self._settings, request_timeout=self._settings.timeout)
        try:
            self._open = cluster, connect_cluster(cluster, self._settings)
        except BaseException:
            cluster.shutdown()
            raise
        return self._open

    def _close(self) -> None:
        if self._open:
            cluster, _ = self._open
            self._open = None
            cluster.shutdown()


def _ask_node(session: Session, host: Host) -> "dict[str, ResponseFuture]":
    return {name: session.execute_async(query, host=host) for name, query in QUERIES.items()}


def _answers(host: Host, futures: "dict[str, ResponseFuture]") -> dict[str, list[tuple[object, ...]]] | None:
    try:
        return {name: list(future.result()) for name, future in futures.items()}
    except UNREACHABLE as error:
        logger.warning("Cassandra node %s does not answer: %s", host.address, describe(error))
        return None


def serve(settings: CassandraSettings, port: int) -> None:
    """Serve ``/metrics`` until SIGTERM or SIGINT."""
    # Threads inherit the mask, so that `sigwait` alone receives them.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    collector = NodeCollector(settings)
    registry = CollectorRegistry()
    registry.register(collector)
    address = ALL if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - Prometheus comes from outside the pod
    server, thread = start_http_server(port, addr=address, registry=registry)
    logger.info("serving the metrics of Cassandra at %s on port %d", settings.address, port)
    signal.sigwait(STOP)
    server.shutdown()
    thread.join()
    server.server_close()
    collector.close()
