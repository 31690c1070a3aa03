"""Signed claims as compact JWS with Ed25519 (RFC 7515, RFC 8037), and readers of single claims.

Tokens and receipts are both made of this. The time of day plays no part: what has expired is decided by the caller.
"""

import re
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import jwt

from exam_core.canonical import JsonObject
from exam_core.keys import PublicKeySet, SigningKeys

MAX_LENGTH: Final = 4096
_ALGORITHM: Final = "EdDSA"
_DIGITS: Final = re.compile(r"[0-9]{1,19}")
_MAX_INSTANT: Final = 2**53
"""Every JSON reader keeps integers below this one exactly."""


class InvalidJwsError(Exception):
    """The text is not what one of the keys signed for this use; the message completes «…: it …»."""


class UnknownKeyError(Exception):
    """The text names a key that is not in the set; a newer set may have it."""

    def __init__(self, kid: str) -> None:
        super().__init__(f"no key {kid!r} in the key set")
        self.kid = kid


def sign(claims: JsonObject, keys: SigningKeys, *, typ: str) -> str:
    """Return the compact form of claims in their order, without spaces, signed with the first key."""
    return jwt.encode(dict(claims), keys.private, algorithm=_ALGORITHM, headers={"typ": typ, "kid": keys.kid})


def type_of(text: str) -> str:
    """Return the ``typ`` that a text claims, unverified; empty when it has none.

    Raises:
        InvalidJwsError: the text is not a JWS.
    """
    typ = _header(text).get("typ")
    return typ if isinstance(typ, str) else ""


def verify(
    text: str, keys: PublicKeySet, *, typ: str, issuer: str, audience: str | None = None, required: Sequence[str] = ()
) -> JsonObject:
    """Verify a signature and what it was made for; return the claims.

    Args:
        text: the compact form.
        keys: the keys that may have signed it.
        typ: the ``typ`` that the header must have.
        issuer: the ``iss`` that the claims must have.
        audience: the ``aud`` that the claims must have; None if they need none.
        required: further claims that must be present.

    Raises:
        InvalidJwsError: the text is malformed, of another type, not signed by the key it names, or for another use.
        UnknownKeyError: the named key is not in the set.
    """
    header = _header(text)
    if header.get("typ") != typ:
        raise InvalidJwsError(f"it is not of type {typ!r}")
    if header.get("alg") != _ALGORITHM:
        raise InvalidJwsError(f"it is not signed with {_ALGORITHM}")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise InvalidJwsError("it names no key")
    if kid not in keys.keys:
        raise UnknownKeyError(kid)
    try:
        return jwt.decode(
            text,
            keys.keys[kid],
            algorithms=[_ALGORITHM],
            audience=audience,
            issuer=issuer,
            options={
                "require": ["iss", *required],
                "verify_aud": audience is not None,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.InvalidTokenError, ValueError) as error:
        raise InvalidJwsError(str(error)) from error


def read_text(claims: JsonObject, name: str) -> str:
    """Return a claim that is a text; any other raises ValueError, as in all readers below."""
    value = claims.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name!r} must be a text")  # noqa: TRY004 - one error for every malformed claim
    return value


def read_uuid(claims: JsonObject, name: str) -> UUID:
    """Return a claim that is a UUID."""
    return UUID(read_text(claims, name))


def read_integer(claims: JsonObject, name: str) -> int:
    """Return a claim that is a whole number."""
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name!r} must be a whole number")  # noqa: TRY004 - as above
    return value


def read_digits(claims: JsonObject, name: str) -> int:
    """Return a whole number that is sent as text, because it may exceed what JSON readers keep."""
    text = read_text(claims, name)
    if not _DIGITS.fullmatch(text):
        raise ValueError(f"{name!r} must be a whole number as text")
    return int(text)


def read_instant(claims: JsonObject, name: str, *, unit: int = 1) -> int:
    """Return an instant in µs from a claim that counts `unit` µs."""
    instant = read_integer(claims, name) * unit
    if not 0 <= instant < _MAX_INSTANT:
        raise ValueError(f"{name!r} is not an instant")
    return instant


def _header(text: str) -> dict[str, Any]:
    if len(text) > MAX_LENGTH:
        raise InvalidJwsError(f"it is longer than {MAX_LENGTH} characters")
    try:
        return jwt.get_unverified_header(text)
    except (jwt.InvalidTokenError, ValueError) as error:
        raise InvalidJwsError("it is malformed") from error
