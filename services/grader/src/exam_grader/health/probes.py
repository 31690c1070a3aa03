"""A tiny HTTP server beside a worker, beat or coordinator: /metrics, /healthz and /readyz.

It runs in a thread of the parent process. What it asks of the stores it asks on connections of its own that last one
question, because a thread that held a driver's session would have it copied into every child that is forked later.
"""

import json
import socket
import struct
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import psycopg
import structlog
from prometheus_client import CONTENT_TYPE_LATEST

from exam_answerlog.settings import CassandraSettings

log = structlog.get_logger(__name__)

CHECK_SECONDS = 2
Check = Callable[[], None]
"""Raises when what it checks is not so; the error's words are shown."""

_CQL_OPTIONS = struct.pack("!BBhBI", 0x04, 0, 0, 0x05, 0)
_CQL_SUPPORTED = 0x06
_CQL_HEADER = 9


class CheckFailedError(Exception):
    """A check's answer is no."""


class ProbeServer:
    """Serves until it is closed.

    Args:
        port: where; 0 takes any free port, see `port`.
        metrics: renders a scrape.
        live: checks of /healthz: whether the process itself still works. Restarting it must be what helps.
        ready: checks of /readyz: whether it can do its work now.
    """

    def __init__(
        self, port: int, *, metrics: Callable[[], bytes], live: Mapping[str, Check], ready: Mapping[str, Check]
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            """Answers three addresses."""

            def do_GET(self) -> None:
                match self.path.partition("?")[0]:
                    case "/metrics":
                        self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, metrics())
                    case "/healthz":
                        self._answer_checks(live)
                    case "/readyz":
                        self._answer_checks(ready)
                    case _:
                        self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"/metrics, /healthz or /readyz\n")

            def _answer_checks(self, checks: Mapping[str, Check]) -> None:
                faults = run_checks(checks)
                status = HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK
                told = {name: faults.get(name, "ok") for name in checks}
                self._answer(status, "application/json", json.dumps(told).encode() + b"\n")

            def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                log.debug("probed", request=format % args)

        self._server = ThreadingHTTPServer(("", port), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, name="probe", daemon=True)
        self._thread.start()
        log.info("serving /metrics, /healthz and /readyz", port=self.port)

    @property
    def port(self) -> int:
        """Where it serves."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def run_checks(checks: Mapping[str, Check]) -> dict[str, str]:
    """What is wrong, by check; all run at once, so that the answer takes as long as the slowest."""
    faults: dict[str, str] = {}
    with ThreadPoolExecutor(max_workers=max(1, len(checks))) as pool:
        for name, outcome in [(name, pool.submit(check)) for name, check in checks.items()]:
            error = outcome.exception()
            if error is not None:
                faults[name] = str(error) or type(error).__name__
    return faults


def check_database(dsn: str) -> None:
    """Raise unless PostgreSQL answers a question."""
    with psycopg.connect(dsn, connect_timeout=CHECK_SECONDS, application_name="exam-grader probe") as connection:
        connection.execute("SELECT 1")


def check_cassandra(settings: CassandraSettings) -> None:
    """Raise unless one of Cassandra's nodes speaks CQL."""
    faults = []
    for host in settings.hosts:
        try:
            _ask_cql_options(host, settings.port)
        except OSError as error:
            faults.append(f"{host}:{settings.port}: {error}")
        else:
            return
    raise CheckFailedError("; ".join(faults))


def _ask_cql_options(host: str, port: int) -> None:
    """CQL's smallest question, allowed before any login: which options are there?"""
    with socket.create_connection((host, port), timeout=CHECK_SECONDS) as connection:
        connection.sendall(_CQL_OPTIONS)
        answer = connection.makefile("rb").read(_CQL_HEADER)
    if len(answer) < _CQL_HEADER or answer[4] != _CQL_SUPPORTED:
        raise ConnectionError("it does not speak CQL")
