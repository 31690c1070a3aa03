"""What can go wrong at the operator's edges."""


class UnavailableError(Exception):
    """Somebody the operator needs does not answer, or not in a usable way; asking again later is right.

    Args:
        who: who it is, for people.
        why: what happened.
        retry_after: seconds after which to ask again, when it said so.
    """

    def __init__(self, who: str, why: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{who}: {why}")
        self.who = who
        self.why = why
        self.retry_after = retry_after


class ConflictError(Exception):
    """What was looked at has changed meanwhile: look again."""


class RejectedError(Exception):
    """A wish that cannot be fulfilled as things are.

    Args:
        reason: one word in CamelCase, as conditions have it.
        message: the sentence a person acts on.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
