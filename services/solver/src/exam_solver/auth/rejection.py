"""The problem for a bearer token that is not accepted."""

from typing import Final

from exam_core.problems import Problem, ProblemKind

UNKNOWN_KEY: Final = "it is signed with an unknown key"


def token_rejected(reason: str) -> Problem:
    """UNAUTHENTICATED, with the reason for which the token is not accepted."""
    return Problem(ProblemKind.UNAUTHENTICATED, f"the token is not accepted: {reason}")
