"""Ed25519 keys: private keys for signing, as JSON Web Keys (RFC 8037) or PEM, and public sets for verification."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from exam_core.canonical import Json, digest_of

_PEM = re.compile(r"-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----", re.DOTALL)


@dataclass(frozen=True)
class PublicKeySet:
    """Keys that verify signatures, by their id."""

    keys: Mapping[str, Ed25519PublicKey]

    @classmethod
    def from_jwks(cls, jwks: object) -> Self:
        """Read a JWK set; keys that are not Ed25519 or lack a member are skipped (RFC 7517, section 5).

        Raises:
            ValueError: it is not a JWK set.
        """
        listed = jwks.get("keys") if isinstance(jwks, Mapping) else None
        if not isinstance(listed, list):
            raise ValueError("not a JWK set: it has no list of keys")  # noqa: TRY004 - one error for every malformed set
        found = ((jwk["kid"], _public_from(jwk)) for jwk in listed if _is_named_ed25519(jwk))
        return cls({kid: key for kid, key in found if key is not None})

    def to_jwks(self) -> dict[str, Json]:
        """Return the set as ``/.well-known/jwks.json`` publishes it."""
        return {"keys": [_public_jwk(kid, key) for kid, key in self.keys.items()]}


@dataclass(frozen=True)
class SigningKeys:
    """Private keys in order: the first signs, the others only verify, so that keys can be rotated."""

    keys: Sequence[tuple[str, Ed25519PrivateKey]]

    def __post_init__(self) -> None:
        if not self.keys:
            raise ValueError("a signing key set needs at least one Ed25519 private key")

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a key file: a private JWK set, or PKCS #8 keys in PEM, one after the other, as OpenSSL makes them.

        Raises:
            ValueError: it is neither; the message contains no part of the keys.
        """
        if not text.lstrip().startswith("-----"):
            return cls.from_jwks(json.loads(text))
        keys = [load_pem_private_key(block.encode(), password=None) for block in _PEM.findall(text)]
        if not all(isinstance(key, Ed25519PrivateKey) for key in keys):
            raise ValueError("a PEM file of signing keys may have Ed25519 keys only")
        return cls([(key_id(key), key) for key in keys if isinstance(key, Ed25519PrivateKey)])

    @classmethod
    def from_jwks(cls, jwks: Mapping[str, Any]) -> Self:
        """Read a private JWK set.

        Raises:
            ValueError: it does not hold Ed25519 keys; the message contains no part of them.
        """
        try:
            return cls([(jwk["kid"], Ed25519PrivateKey.from_private_bytes(_unb64(jwk["d"]))) for jwk in jwks["keys"]])
        except (KeyError, TypeError, ValueError):
            raise ValueError("not a JWK set of Ed25519 private keys, each with 'kid' and 'd'") from None

    @property
    def kid(self) -> str:
        """The id of the signing key."""
        return self.keys[0][0]

    @property
    def private(self) -> Ed25519PrivateKey:
        """The signing key."""
        return self.keys[0][1]

    def derived(self, purpose: str) -> bytes:
        """Return a secret of 32 bytes for a purpose, derived from the signing key by HKDF; it changes with the key."""
        key = self.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return HKDF(hashes.SHA256(), length=32, salt=None, info=purpose.encode()).derive(key)

    @property
    def public(self) -> PublicKeySet:
        """The public halves of all keys."""
        return PublicKeySet({kid: key.public_key() for kid, key in self.keys})


def new_signing_jwk(private: Ed25519PrivateKey) -> dict[str, Json]:
    """Return a private JWK with its `key_id`."""
    seed = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return _public_jwk(key_id(private), private.public_key()) | {"d": _b64(seed)}


def key_id(private: Ed25519PrivateKey) -> str:
    """Return the default id of a key: the first digits of its RFC 7638 thumbprint (SHA-256, hexadecimal)."""
    return digest_of({"crv": "Ed25519", "kty": "OKP", "x": _public_x(private.public_key())})[:16]


def _is_named_ed25519(jwk: object) -> bool:
    if not isinstance(jwk, Mapping):
        return False
    texts = all(isinstance(jwk.get(member), str) for member in ("kid", "x"))
    return texts and jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519"


def _public_from(jwk: Mapping[str, Any]) -> Ed25519PublicKey | None:
    try:
        return Ed25519PublicKey.from_public_bytes(_unb64(jwk["x"]))
    except ValueError:
        return None


def _public_jwk(kid: str, key: Ed25519PublicKey) -> dict[str, Json]:
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": _public_x(key)}


def _public_x(key: Ed25519PublicKey) -> str:
    return _b64(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
