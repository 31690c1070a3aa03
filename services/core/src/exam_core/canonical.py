"""Canonical JSON (RFC 8785) and digests of it.

Everything that is hashed or signed has this form, so that it can be verified with any JSON library.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import rfc8785

Json = None | bool | int | str | Sequence["Json"] | Mapping[str, "Json"]
"""JSON without floats: exact numbers are sent as decimal strings."""

JsonObject = Mapping[str, Any]
"""A JSON object as parsed, before a reader has checked its members."""


def canonical(value: Json) -> bytes:
    """Return the canonical UTF-8 bytes; integers from 2**53 on and unpaired surrogates raise ValueError."""
    return rfc8785.dumps(value)


def digest(data: bytes) -> str:
    """Return the SHA-256 of bytes as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest_of(value: Json) -> str:
    """Return the digest of a value's canonical form."""
    return digest(canonical(value))
