"""Errors of the operator's clients."""

from enum import StrEnum


class Service(StrEnum):
    """What the operator calls, as people name it."""

    WEB = "web"
    API_SERVER = "the API server"


WEB = Service.WEB
API_SERVER = Service.API_SERVER
_REASONS = {WEB: "Web", API_SERVER: "ApiServer"}
"""How the reasons of conditions begin, by service."""


class UnavailableError(Exception):
    """A service does not answer, or not usably; the call is retried later.

    Args:
        service: the service.
        message: what happened.
        kind: one CamelCase word after the service's name in the condition's reason.
        retry_after: seconds until the next try, when the service named them.
    """

    def __init__(
        self, service: Service, message: str, *, kind: str = "Unavailable", retry_after: float | None = None
    ) -> None:
        super().__init__(f"{service}: {message}")
        self.service = service
        self.message = message
        self.reason = f"{_REASONS[service]}{kind}"
        """One CamelCase word, as in conditions: ``WebUnavailable``."""
        self.retry_after = retry_after


class UnreachableError(UnavailableError):
    """A service did not answer at all."""


class UnexpectedAnswerError(UnavailableError):
    """A service answered what its API does not have; another answers in its place, or their releases do not fit."""

    def __init__(self, service: Service, message: str) -> None:
        super().__init__(service, message, kind="UnexpectedAnswer")


class NotLeadingError(Exception):
    """This process may not change anything: another replica may hold the operator's Lease."""


class ConflictError(Exception):
    """The object has changed since it was read; it is read and planned again."""


class RejectedError(Exception):
    """The request cannot be fulfilled in the present state.

    Args:
        reason: one CamelCase word, as in conditions.
        message: a sentence that says what to do.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
