"""The log event of a served HTTP request, the same in every service."""

from typing import Protocol

from exam_runtime.health import PROBE_PATHS


class EventLogger(Protocol):
    """What is used of a structlog logger."""

    def info(self, event: str, **fields: object) -> object:
        """Log an event at level INFO."""

    def debug(self, event: str, **fields: object) -> object:
        """Log an event at level DEBUG."""


def log_request(logger: EventLogger, *, method: str, path: str, status: int, seconds: float) -> None:
    """Log ``request_served``; at DEBUG for probes, which come every few seconds and would bury the rest."""
    log = logger.debug if path in PROBE_PATHS else logger.info
    log("request_served", method=method, path=path, status=status, duration_ms=round(seconds * 1000, 2))
