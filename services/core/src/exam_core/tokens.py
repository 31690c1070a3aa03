"""Tokens: access and refresh (signed by web), attempt (signed by solvers), as JWTs with EdDSA only.

Each kind has its own ``typ`` and ``aud``, so that none is accepted as another. Time is an argument: the platform's
clock decides what has expired, not the library's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, Self, TypeVar
from uuid import UUID

from exam_core import jws
from exam_core.canonical import JsonObject
from exam_core.instants import SECOND, rfc3339
from exam_core.jws import InvalidJwsError, read_digits, read_instant, read_text, read_uuid
from exam_core.keys import PublicKeySet, SigningKeys
from exam_core.problems import Problem, ProblemKind

WEB_ISSUER = "exam-web"
SOLVER_ISSUER = "exam-solver"
T = TypeVar("T")


class Role(StrEnum):
    """The kind of user that a token identifies."""

    STUDENT = "student"
    DOCTOR = "doctor"
    STAFF = "staff"


class TokenKind(StrEnum):
    """A token's ``typ`` header; the audience follows from it."""

    ACCESS = "at+jwt"
    REFRESH = "exam-refresh+jwt"
    ATTEMPT = "exam-attempt+jwt"

    @property
    def audience(self) -> str:
        """The ``aud`` claim: the service that accepts the token."""
        return {TokenKind.ACCESS: "exam-platform", TokenKind.REFRESH: "exam-web", TokenKind.ATTEMPT: "exam-solver"}[
            self
        ]

    @property
    def issuer(self) -> str:
        """The ``iss`` claim: the service that signs the token."""
        return SOLVER_ISSUER if self is TokenKind.ATTEMPT else WEB_ISSUER


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Identifies a user for a short time. Instants are in µs here, in whole seconds in the token."""

    subject: int
    role: Role
    level: str | None
    session: UUID
    token: UUID
    issued_at: int
    expires_at: int

    def claims(self) -> dict[str, Any]:
        """Return the JWT claims."""
        return _times(self.issued_at, self.expires_at) | {
            "sub": str(self.subject),
            "role": self.role.value,
            "level": self.level,
            "sid": str(self.session),
            "jti": str(self.token),
        }

    @classmethod
    def from_claims(cls, claims: JsonObject) -> Self:
        """The inverse of `claims`; raises ValueError for a missing or malformed claim."""
        return cls(
            role=Role(read_text(claims, "role")),
            level=None if claims.get("level") is None else read_text(claims, "level"),
            **_session_fields(claims),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """Grants one new access token."""

    subject: int
    session: UUID
    token: UUID
    issued_at: int
    expires_at: int

    def claims(self) -> dict[str, Any]:
        """Return the JWT claims."""
        return _times(self.issued_at, self.expires_at) | {
            "sub": str(self.subject),
            "sid": str(self.session),
            "jti": str(self.token),
        }

    @classmethod
    def from_claims(cls, claims: JsonObject) -> Self:
        """The inverse of `claims`; raises ValueError for a missing or malformed claim."""
        return cls(**_session_fields(claims))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Grants answering one paper in one sitting. It does not expire: the personal deadline ends it."""

    student: int
    sitting: UUID
    started_at: int
    seed: int
    session: UUID
    issued_at: int

    def claims(self) -> dict[str, Any]:
        """Return the JWT claims; `started_at` in µs, `seed` as text (it may exceed what JSON readers keep)."""
        return {
            "iat": self.issued_at // SECOND,
            "sub": str(self.student),
            "sitting": str(self.sitting),
            "started_at": self.started_at,
            "seed": str(self.seed),
            "sid": str(self.session),
        }

    @classmethod
    def from_claims(cls, claims: JsonObject) -> Self:
        """The inverse of `claims`; raises ValueError for a missing or malformed claim."""
        return cls(
            student=read_digits(claims, "sub"),
            sitting=read_uuid(claims, "sitting"),
            started_at=read_instant(claims, "started_at"),
            seed=read_digits(claims, "seed"),
            session=read_uuid(claims, "sid"),
            issued_at=read_instant(claims, "iat", unit=SECOND),
        )


def routing_key(student: int) -> str:
    """Return the ``route`` claim: the same in all of a student's tokens, and always 16 characters long.

    It is the first claim, so that the payload of every access and attempt token of a student begins with the same 36
    characters: the base64 of ``{"route":"…"``, 27 bytes. The gateway hashes them to choose a solver; services ignore
    the claim.
    """
    return sha256(b"exam-route:%d" % student).hexdigest()[:16]


def sign_access(access: Access, keys: SigningKeys) -> str:
    """Return the compact form of an access token."""
    return _sign(TokenKind.ACCESS, {"route": routing_key(access.subject)}, access.claims(), keys)


def sign_refresh(refresh: Refresh, keys: SigningKeys) -> str:
    """Return the compact form of a refresh token."""
    return _sign(TokenKind.REFRESH, {}, refresh.claims(), keys)


def sign_attempt(attempt: Attempt, keys: SigningKeys) -> str:
    """Return the compact form of an attempt token."""
    return _sign(TokenKind.ATTEMPT, {"route": routing_key(attempt.student)}, attempt.claims(), keys)


def read_access(token: str, keys: PublicKeySet, *, now: int) -> Access:
    """Verify an access token.

    Raises:
        Problem: UNAUTHENTICATED or TOKEN_EXPIRED.
        exam_core.jws.UnknownKeyError: the set lacks the key that it names.
    """
    return _read(Access.from_claims, token, TokenKind.ACCESS, keys, now=now)


def read_refresh(token: str, keys: PublicKeySet, *, now: int) -> Refresh:
    """Verify a refresh token; raises as `read_access`."""
    return _read(Refresh.from_claims, token, TokenKind.REFRESH, keys, now=now)


def read_attempt(token: str, keys: PublicKeySet) -> Attempt:
    """Verify an attempt token; raises as `read_access`, except TOKEN_EXPIRED."""
    return _read(Attempt.from_claims, token, TokenKind.ATTEMPT, keys)


def kind_of(token: str) -> TokenKind:
    """Return the kind that a token claims, unverified, to choose how it is verified.

    Raises:
        Problem: UNAUTHENTICATED when it is not a token of this platform.
    """
    try:
        return TokenKind(jws.type_of(token))
    except (InvalidJwsError, ValueError) as error:
        raise _rejected("it is not a token of this platform") from error


def _sign(kind: TokenKind, first: JsonObject, claims: JsonObject, keys: SigningKeys) -> str:
    """Sign claims, those in `first` at the beginning of the payload."""
    return jws.sign({**first, "iss": kind.issuer, "aud": kind.audience, **claims}, keys, typ=kind.value)


def _read(
    parse: Callable[[JsonObject], T], token: str, kind: TokenKind, keys: PublicKeySet, *, now: int | None = None
) -> T:
    """Verify a token and parse its claims; reject it as expired unless `now` is None."""
    if kind_of(token) is not kind:
        raise _rejected(f"a token of another kind is needed here: {kind.value}")
    required = ("aud", "sub", "iat") if now is None else ("aud", "sub", "iat", "exp")
    try:
        claims = jws.verify(token, keys, typ=kind.value, issuer=kind.issuer, audience=kind.audience, required=required)
    except InvalidJwsError as error:
        raise _rejected(str(error)) from error
    try:
        # The platform's clock decides, not this machine's; an expired token needs no further look.
        if now is not None and now >= (expires_at := read_instant(claims, "exp", unit=SECOND)):
            raise Problem(ProblemKind.TOKEN_EXPIRED, f"the token expired at {rfc3339(expires_at)}")
        return parse(claims)
    except ValueError as error:
        raise _rejected(f"its claims are malformed: {error}") from error


def _session_fields(claims: JsonObject) -> dict[str, Any]:
    """Read the claims that access and refresh tokens share."""
    return {
        "subject": read_digits(claims, "sub"),
        "session": read_uuid(claims, "sid"),
        "token": read_uuid(claims, "jti"),
        "issued_at": read_instant(claims, "iat", unit=SECOND),
        "expires_at": read_instant(claims, "exp", unit=SECOND),
    }


def _times(issued_at: int, expires_at: int) -> dict[str, Any]:
    return {"iat": issued_at // SECOND, "exp": expires_at // SECOND}


def _rejected(reason: str) -> Problem:
    return Problem(ProblemKind.UNAUTHENTICATED, f"the token is not accepted: {reason}")
