"""One byte form for each value (RFC 8785) and the digest that names it.

What is hashed or signed is always this form, so that anyone with a JSON library can check us.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import rfc8785

Json = None | bool | int | str | Sequence["Json"] | Mapping[str, "Json"]
"""JSON without floats: money-like numbers travel as decimal strings."""

JsonObject = Mapping[str, Any]
"""A JSON object as parsed, before a reader has checked its members."""


def canonical(value: Json) -> bytes:
    """The canonical UTF-8 bytes of a JSON value; integers from 2**53 on and unpaired surrogates raise ValueError."""
    return rfc8785.dumps(value)


def digest(data: bytes) -> str:
    """SHA-256 of some bytes, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest_of(value: Json) -> str:
    """The digest of a value's canonical form."""
    return digest(canonical(value))
