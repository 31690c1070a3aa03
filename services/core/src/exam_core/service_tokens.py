"""Tokens of services: short-lived JWTs that name their caller, by which web's internal API authenticates requests.

Each caller signs with keys of its own. Web accepts every key in a caller's file, so that a new key is accepted beside
the old one while they are rotated.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from exam_core import jws
from exam_core.instants import MINUTE, SECOND, rfc3339
from exam_core.jws import InvalidJwsError, UnknownKeyError, read_instant
from exam_core.keys import PublicKeySet, SigningKeys
from exam_core.problems import Problem, ProblemKind

TYPE: Final = "exam-service+jwt"
AUDIENCE: Final = "exam-web-internal"
LIFETIME: Final = 5 * MINUTE


class Caller(StrEnum):
    """A caller of the internal API; the value is the ``iss`` claim of its tokens."""

    OPERATOR = "exam-operator"
    SOLVER = "exam-solver"
    TOOLS = "exam-tools"
    """Persons who may run web's commands, which issue these tokens."""


def sign_service_token(caller: Caller, keys: SigningKeys, *, now: int, lifetime: int = LIFETIME) -> str:
    """Return a token of a caller that expires `lifetime` µs after `now`, an instant of the platform's clock."""
    claims = {"iss": caller.value, "aud": AUDIENCE, "iat": now // SECOND, "exp": (now + lifetime) // SECOND}
    return jws.sign(claims, keys, typ=TYPE)


def read_service_token(token: str, keys: Mapping[Caller, PublicKeySet], *, now: int) -> Caller:
    """Verify a token and return its caller.

    Raises:
        Problem: UNAUTHENTICATED, or TOKEN_EXPIRED with the platform's time as `now`.
    """
    for caller, own in keys.items():
        try:
            claims = jws.verify(
                token, own, typ=TYPE, issuer=caller.value, audience=AUDIENCE, required=("aud", "iat", "exp")
            )
            expires_at = read_instant(claims, "exp", unit=SECOND)
        except UnknownKeyError:
            continue
        except (InvalidJwsError, ValueError) as error:
            raise _rejected(str(error)) from error
        if now >= expires_at:
            ended, time = rfc3339(expires_at), rfc3339(now)
            detail = f"the service token of {caller} expired at {ended}; the platform's time is {time}"
            raise Problem(ProblemKind.TOKEN_EXPIRED, detail, now=time)
        return caller
    raise _rejected("it is signed with a key of no caller")


def _rejected(reason: str) -> Problem:
    return Problem(ProblemKind.UNAUTHENTICATED, f"the service token is not accepted: {reason}")
