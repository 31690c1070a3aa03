"""Errors of the operator's clients."""


class UnavailableError(Exception):
    """A service does not answer, or not usably; the call is retried later.

    Args:
        service: the name of the service, for people.
        message: what happened.
        retry_after: seconds until the next try, when the service named them.
    """

    def __init__(self, service: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{service}: {message}")
        self.service = service
        self.message = message
        self.retry_after = retry_after


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
