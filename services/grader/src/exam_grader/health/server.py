"""Serves /metrics, /healthz and /readyz of a worker, beat or coordinator, in a thread of the parent process."""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import structlog

from exam_grader.health.checks import Check, run_checks
from exam_runtime.addresses import ALL, bind_tcp
from exam_runtime.health import health_report
from exam_runtime.metrics import CONTENT_TYPE

log = structlog.get_logger(__name__)


class ProbeServer:
    """Serves until it is closed.

    Args:
        port: the port to bind; 0 for any, see `port`.
        metrics: renders the response to a scrape.
        liveness: checks of /healthz; each fails only if restarting the process helps.
        readiness: checks of /readyz: whether the process can do its work now.
    """

    def __init__(
        self, port: int, *, metrics: Callable[[], bytes], liveness: Mapping[str, Check], readiness: Mapping[str, Check]
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            """Handles the three paths."""

            def do_GET(self) -> None:
                match self.path.partition("?")[0]:
                    case "/metrics":
                        self._respond(HTTPStatus.OK, CONTENT_TYPE, metrics())
                    case "/healthz":
                        self._respond_checks(liveness)
                    case "/readyz":
                        self._respond_checks(readiness)
                    case _:
                        self._respond(HTTPStatus.NOT_FOUND, "text/plain", b"/metrics, /healthz or /readyz\n")

            def _respond_checks(self, checks: Mapping[str, Check]) -> None:
                status, body = health_report(run_checks(checks))
                self._respond(status, "application/json", json.dumps(body).encode() + b"\n")

            def _respond(self, status: int, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                log.debug("probe_served", request=format % args)

        self._server = ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = bind_tcp(ALL, port)
        self._server.server_address = self._server.socket.getsockname()
        self._server.server_activate()
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, name="probe", daemon=True)
        self._thread.start()
        log.info("probe_server_started", port=self.port)

    @property
    def port(self) -> int:
        """The bound port."""
        return int(self._server.socket.getsockname()[1])

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
