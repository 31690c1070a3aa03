"""The tokens: access and refresh (signed by web), attempt (signed by solvers). JWTs with EdDSA alone.

Each kind has its own ``typ`` and ``aud``, so that none passes for another. Time is an argument: the platform's
clock decides what has expired, not the library's.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self, TypeVar
from uuid import UUID

import jwt

from exam_core.instants import SECOND, rfc3339
from exam_core.keys import PublicKeySet, SigningKeys
from exam_core.problems import Problem, ProblemKind

WEB_ISSUER = "exam-web"
SOLVER_ISSUER = "exam-solver"
MAX_TOKEN_LENGTH = 4096
_DIGITS: Final = re.compile(r"[0-9]{1,19}\Z")
_FAR: Final = 2**53
"""Beyond every instant in µs that JSON readers keep exactly."""

T = TypeVar("T")


class Role(StrEnum):
    """What kind of person a token speaks for."""

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
        """Who the token is for."""
        return {TokenKind.ACCESS: "exam-platform", TokenKind.REFRESH: "exam-web", TokenKind.ATTEMPT: "exam-solver"}[
            self
        ]

    @property
    def issuer(self) -> str:
        """Who signs it."""
        return SOLVER_ISSUER if self is TokenKind.ATTEMPT else WEB_ISSUER


class UnknownKeyError(Exception):
    """The token names a key that is not in the set: fetch the set again, or ask whoever issued it."""

    def __init__(self, kid: str) -> None:
        super().__init__(f"no key {kid!r} in the key set")
        self.kid = kid


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who a person is, for a short time. Instants in µs; the wire has whole seconds."""

    subject: int
    role: Role
    level: str | None
    session: UUID
    token: UUID
    issued_at: int
    expires_at: int

    def claims(self) -> dict[str, Any]:
        """The JWT claims."""
        return _times(self.issued_at, self.expires_at) | {
            "sub": str(self.subject),
            "role": self.role.value,
            "level": self.level,
            "sid": str(self.session),
            "jti": str(self.token),
        }

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> Self:
        """The inverse of `claims`; raises ValueError when one is missing or not what it should be."""
        level = claims.get("level")
        return cls(
            subject=_number(claims, "sub"),
            role=Role(_text(claims, "role")),
            level=None if level is None else _text(claims, "level"),
            session=UUID(_text(claims, "sid")),
            token=UUID(_text(claims, "jti")),
            issued_at=_instant(claims, "iat", unit=SECOND),
            expires_at=_instant(claims, "exp", unit=SECOND),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """The right to a new access token, once."""

    subject: int
    session: UUID
    token: UUID
    issued_at: int
    expires_at: int

    def claims(self) -> dict[str, Any]:
        """The JWT claims."""
        return _times(self.issued_at, self.expires_at) | {
            "sub": str(self.subject),
            "sid": str(self.session),
            "jti": str(self.token),
        }

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> Self:
        """The inverse of `claims`; raises ValueError when one is missing or not what it should be."""
        return cls(
            subject=_number(claims, "sub"),
            session=UUID(_text(claims, "sid")),
            token=UUID(_text(claims, "jti")),
            issued_at=_instant(claims, "iat", unit=SECOND),
            expires_at=_instant(claims, "exp", unit=SECOND),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The right to answer one paper in one sitting. It has no expiry: the personal deadline is one."""

    student: int
    sitting: UUID
    started_at: int
    seed: int
    session: UUID
    issued_at: int

    def claims(self) -> dict[str, Any]:
        """The JWT claims; `started_at` in µs, `seed` as text (it may exceed what JSON readers keep)."""
        return {
            "iat": self.issued_at // SECOND,
            "sub": str(self.student),
            "sitting": str(self.sitting),
            "started_at": self.started_at,
            "seed": str(self.seed),
            "sid": str(self.session),
        }

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> Self:
        """The inverse of `claims`; raises ValueError when one is missing or not what it should be."""
        return cls(
            student=_number(claims, "sub"),
            sitting=UUID(_text(claims, "sitting")),
            started_at=_instant(claims, "started_at"),
            seed=_number(claims, "seed"),
            session=UUID(_text(claims, "sid")),
            issued_at=_instant(claims, "iat", unit=SECOND),
        )


def sign_access(access: Access, keys: SigningKeys) -> str:
    """The compact form of an access token."""
    return _sign(TokenKind.ACCESS, access.claims(), keys)


def sign_refresh(refresh: Refresh, keys: SigningKeys) -> str:
    """The compact form of a refresh token."""
    return _sign(TokenKind.REFRESH, refresh.claims(), keys)


def sign_attempt(attempt: Attempt, keys: SigningKeys) -> str:
    """The compact form of an attempt token."""
    return _sign(TokenKind.ATTEMPT, attempt.claims(), keys)


def read_access(token: str, keys: PublicKeySet, *, now: int) -> Access:
    """Check an access token.

    Raises:
        Problem: UNAUTHENTICATED or TOKEN_EXPIRED.
        UnknownKeyError: it is signed by a key that the set lacks.
    """
    return _read(Access.from_claims, _verify(token, TokenKind.ACCESS, keys, now=now))


def read_refresh(token: str, keys: PublicKeySet, *, now: int) -> Refresh:
    """Check a refresh token; raises as `read_access`."""
    return _read(Refresh.from_claims, _verify(token, TokenKind.REFRESH, keys, now=now))


def read_attempt(token: str, keys: PublicKeySet) -> Attempt:
    """Check an attempt token; raises as `read_access`, but never for its age."""
    return _read(Attempt.from_claims, _verify(token, TokenKind.ATTEMPT, keys, now=None))


def kind_of(token: str) -> TokenKind:
    """Which kind a token claims to be, unchecked: it only chooses the check.

    Raises:
        Problem: UNAUTHENTICATED when it is no token of ours.
    """
    if len(token) > MAX_TOKEN_LENGTH:
        raise _refused("it is too long to be one")
    try:
        return TokenKind(str(jwt.get_unverified_header(token).get("typ")))
    except (jwt.InvalidTokenError, ValueError) as error:
        raise _refused("it is not a token of this platform") from error


def _sign(kind: TokenKind, claims: Mapping[str, Any], keys: SigningKeys) -> str:
    payload = {"iss": kind.issuer, "aud": kind.audience, **claims}
    return jwt.encode(payload, keys.private, algorithm="EdDSA", headers={"typ": kind.value, "kid": keys.kid})


def _verify(token: str, kind: TokenKind, keys: PublicKeySet, *, now: int | None) -> dict[str, Any]:
    if kind_of(token) is not kind:
        raise _refused(f"a token of another kind is needed here: {kind.value}")
    header = jwt.get_unverified_header(token)
    if header.get("alg") != "EdDSA":
        raise _refused("it is not signed with EdDSA")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise _refused("it names no key")
    if kid not in keys.keys:
        raise UnknownKeyError(kid)
    required = ["iss", "aud", "sub", "iat"] + ([] if now is None else ["exp"])
    try:
        claims = jwt.decode(
            token,
            keys.keys[kid],
            algorithms=["EdDSA"],
            audience=kind.audience,
            issuer=kind.issuer,
            # The platform's clock judges below, not this machine's.
            options={"require": required, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except jwt.InvalidTokenError as error:
        raise _refused(str(error)) from error
    if now is not None:
        expires_at = _read(lambda verified: _instant(verified, "exp", unit=SECOND), claims)
        if now >= expires_at:
            raise Problem(ProblemKind.TOKEN_EXPIRED, f"the token expired at {rfc3339(expires_at)}")
    return claims


def _read(read: Callable[[Mapping[str, Any]], T], claims: Mapping[str, Any]) -> T:
    try:
        return read(claims)
    except ValueError as error:
        raise _refused(f"its claims are not those of such a token: {error}") from error


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name!r} must be a text")  # noqa: TRY004 - one error for every claim that does not fit
    return value


def _number(claims: Mapping[str, Any], name: str) -> int:
    """A number that travels as text, because it may exceed what JSON readers keep."""
    text = _text(claims, name)
    if not _DIGITS.match(text):
        raise ValueError(f"{name!r} must be a whole number as text")
    return int(text)


def _instant(claims: Mapping[str, Any], name: str, *, unit: int = 1) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value * unit < _FAR:
        raise ValueError(f"{name!r} must be an instant as a whole number")
    return value * unit


def _times(issued_at: int, expires_at: int) -> dict[str, Any]:
    return {"iat": issued_at // SECOND, "exp": expires_at // SECOND}


def _refused(why: str) -> Problem:
    return Problem(ProblemKind.UNAUTHENTICATED, f"the token is not accepted: {why}")
