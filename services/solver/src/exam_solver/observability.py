"""What an operator sees: a log line and a measurement of each request, and counters of what became of answers."""

import logging
import re
import sys
import time
from typing import Final
from uuid import uuid4

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, ProcessCollector
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exam_solver.errors import internal, problem_response
from exam_solver.health import Lifecycle
from exam_solver.leasing import LeaseKeeper

logger = structlog.get_logger(__name__)

HANG_UP: Final = 499
"""The status that a request is counted under when its client did not wait for one."""
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_REQUEST_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")


class Metrics:
    """The solver's metrics, in a registry of their own, so that two apps in one process do not collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._requests = Histogram(
            "exam_solver_request_seconds",
            "How long requests took.",
            ("method", "route", "status"),
            registry=self.registry,
            buckets=BUCKETS,
        )
        self._answers = Counter(
            "exam_solver_answers",
            "Answers by what became of them: acknowledged, repeated, late, refused, unsaved.",
            ("outcome", "reason"),
            registry=self.registry,
        )
        self._in_flight = Gauge("exam_solver_requests_in_flight", "Requests being served now.", registry=self.registry)

    def watch(self, keeper: LeaseKeeper) -> None:
        """Show a lease's state whenever somebody looks."""
        for name, what, read in (
            ("age_seconds", "Seconds since the last successful renewal was sent.", lambda: keeper.age),
            ("valid", "1 while the lease is valid.", lambda: float(keeper.valid)),
            ("epoch", "The schedule's epoch as known here.", lambda: float(keeper.epoch)),
            ("admissions_in_flight", "Admitted work that is not finished.", lambda: float(keeper.in_flight)),
        ):
            Gauge(f"exam_solver_lease_{name}", what, registry=self.registry).set_function(read)

    def requested(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """A request that ended."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def in_flight(self, count: int) -> None:
        """How many requests are being served."""
        self._in_flight.set(count)

    def answered(self, outcome: str, *, reason: str = "", count: int = 1) -> None:
        """Answers that became what `outcome` says."""
        self._answers.labels(outcome, reason).inc(count)


class RequestContext:
    """Pure ASGI, outermost: names each request, logs and measures it, and turns our faults into a problem.

    While the process drains it closes connections after their answer, so that nothing new comes in on them.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, lifecycle: Lifecycle) -> None:
        self._app = app
        self._metrics = metrics
        self._lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        status = HANG_UP
        answered = False

        async def named(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                headers = [*message.get("headers", ()), (b"x-request-id", request_id)]
                if self._lifecycle.draining:
                    headers.append((b"connection", b"close"))
                message = {**message, "headers": headers}
            await send(message)

        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id.decode()):
            try:
                await self._app(scope, receive, named)
            except ClientDisconnect:
                logger.info("client_hung_up", path=scope["path"])
            except Exception:
                logger.exception("fault", method=scope["method"], path=scope["path"])
                if answered:
                    raise
                await problem_response(internal(), instance=scope["path"])(scope, receive, named)
            finally:
                self._ended(scope, status, time.perf_counter() - began)

    def _ended(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.requested(method=_method(scope), route=route, status=status, seconds=seconds)
        # Probes come every few seconds from everywhere: they would bury what people do.
        say = logger.info if scope["path"].startswith("/v1/") else logger.debug
        say("request", method=scope["method"], path=scope["path"], status=status, ms=round(seconds * 1000, 2))


def configure_logging(level: str) -> None:
    """JSON lines on standard output, for our own events and for those of libraries alike."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    rendered: list[structlog.typing.Processor] = [
        structlog.processors.dict_tracebacks,
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=[*shared, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _request_id(scope: Scope) -> bytes:
    """The id a proxy gave the request, if it is one; otherwise a new one."""
    given: bytes = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex.encode()


def _method(scope: Scope) -> str:
    """The method as a label: strangers may invent methods, but not time series."""
    method: str = scope["method"]
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "OTHER"
