"""Logging, the same in every service: one JSON object a line on standard output.

Each line has ``timestamp`` (ISO 8601, UTC), ``level``, ``logger``, ``event`` and ``service``, and ``request_id``
while a request is served. Events are ``snake_case`` verbs in the past. Records of libraries come through the same
renderer. Tracebacks carry no local variables, because an answer key must never reach a log.
"""

import logging
import sys
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

QUIET = ("httpx", "cassandra")
"""Libraries that log a line per request or per node: only their warnings are kept."""


class JsonLineLogger:
    """Writes one line per call.

    Unlike `structlog.WriteLogger` it holds no lock of its own, which a fork (Celery's pool) could copy while held.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def msg(self, line: str) -> None:
        """Write a line."""
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    debug = info = warning = warn = error = critical = exception = fatal = log = msg


def configure_logging(*, service: str, level: str = "INFO", quiet: Iterable[str] = ()) -> None:
    """Send every record of at least `level` to standard output as JSON, uncaught exceptions too.

    Args:
        service: the value of the field ``service``.
        level: the name of the lowest level that is written.
        quiet: loggers of libraries of which only warnings are wanted, beside `QUIET`.
    """

    def add_service(_logger: Any, _method: str, event: EventDict) -> EventDict:  # noqa: ANN401 - structlog's signature
        event["service"] = service
        return event

    shared: tuple[Processor, ...] = (
        structlog.contextvars.merge_contextvars,
        add_service,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    )
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_make_logger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in (*QUIET, *quiet):
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _make_logger(*arguments: object) -> JsonLineLogger:
    return JsonLineLogger(str(arguments[0]) if arguments else "root")


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log an uncaught exception before the interpreter exits; Ctrl-C and sys.exit stay Python's own."""
    if isinstance(error, Exception):
        structlog.get_logger(__name__).critical("process_crashed", exc_info=(kind, error, trace))
    else:
        sys.__excepthook__(kind, error, trace)


def _log_uncaught_in_thread(arguments: threading.ExceptHookArgs) -> None:
    """Log an exception that ended a thread."""
    if arguments.exc_value is not None:
        structlog.get_logger(__name__).critical(
            "thread_crashed",
            thread=arguments.thread.name if arguments.thread else None,
            exc_info=(arguments.exc_type, arguments.exc_value, arguments.exc_traceback),
        )
