"""Checks of the stores, and running several of them for a probe.

They use connections of their own, closed after one request: a thread that held a driver's session would have it copied
into every child that is forked later.
"""

import socket
import struct
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import psycopg
import structlog

from exam_answerlog.settings import CassandraSettings
from exam_runtime.health import CheckResult

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 2
Check = Callable[[], None]
"""Raises an exception if it fails."""

# An OPTIONS request of the CQL protocol, the smallest one, allowed before authentication; and its SUPPORTED response.
_CQL_OPTIONS = struct.pack("!BBhBI", 0x04, 0, 0, 0x05, 0)
_CQL_SUPPORTED = 0x06
_CQL_HEADER_BYTES = 9


class CheckFailedError(Exception):
    """A check failed; its text is shown to any client of the probe."""


def run_checks(checks: Mapping[str, Check]) -> dict[str, CheckResult]:
    """Run checks by name, concurrently, so that it takes as long as the slowest."""
    with ThreadPoolExecutor(max_workers=max(1, len(checks))) as pool:
        outcomes = {name: pool.submit(check) for name, check in checks.items()}
        return {name: _result(name, outcome.exception()) for name, outcome in outcomes.items()}


def check_database(dsn: str) -> None:
    """Raise unless PostgreSQL answers a query."""
    with psycopg.connect(dsn, connect_timeout=TIMEOUT_SECONDS, application_name="exam-grader probe") as connection:
        connection.execute("SELECT 1")


def check_cassandra(settings: CassandraSettings) -> None:
    """Raise unless one of Cassandra's contact points answers a CQL request."""
    faults = []
    for host in settings.hosts:
        try:
            _request_cql_options(host, settings.port)
        except OSError as error:
            faults.append(f"{host}:{settings.port}: {error}")
        else:
            return
    raise ConnectionError("; ".join(faults))


def _result(name: str, error: BaseException | None) -> CheckResult:
    if error is None:
        return CheckResult(ok=True)
    log.warning("check_failed", check=name, error=str(error) or type(error).__name__)
    # Errors of drivers name addresses, so they are logged and not shown.
    return CheckResult(ok=False, detail=str(error) if isinstance(error, CheckFailedError) else "not reachable")


def _request_cql_options(host: str, port: int) -> None:
    with socket.create_connection((host, port), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(_CQL_OPTIONS)
        response = connection.makefile("rb").read(_CQL_HEADER_BYTES)
    if len(response) < _CQL_HEADER_BYTES or response[4] != _CQL_SUPPORTED:
        raise ConnectionError("the response is not CQL")
