"""Receipt verification as a student's own tool would do it: with the published keys and a plain Ed25519 library."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from exam_harness.oracle.history import Acknowledgement

TYPE = "exam-receipt+jwt"
Keys = Mapping[str, Ed25519PublicKey]


class InvalidReceiptError(Exception):
    """The text is no receipt, no published key verifies it, or its claims differ from the acknowledgement."""


def parse_keys(jwks: Mapping[str, Any]) -> Keys:
    """The public keys of a JWK set as ``GET /v1/keys`` returns it.

    Raises:
        InvalidReceiptError: the set contains a private key.
    """
    if any("d" in jwk for jwk in jwks["keys"]):
        raise InvalidReceiptError("the published key set contains a private key")
    return {jwk["kid"]: Ed25519PublicKey.from_public_bytes(_unb64(jwk["x"])) for jwk in jwks["keys"]}


def verify_receipt(text: str, keys: Keys) -> dict[str, Any]:
    """Verify a receipt's signature and return its claims; raises as `verify_jws`."""
    return verify_jws(text, keys, typ=TYPE)


def verify_jws(text: str, keys: Keys, *, typ: str) -> dict[str, Any]:
    """Verify a signed text of a type and return its claims.

    Raises:
        InvalidReceiptError: it is malformed or of another type, or its signature does not verify.
    """
    try:
        head, body, signature = text.split(".")
        header = json.loads(_unb64(head))
        if (header["alg"], header["typ"]) != ("EdDSA", typ):
            raise InvalidReceiptError(f"expected is {typ} signed with EdDSA, not {header}")
        keys[header["kid"]].verify(_unb64(signature), f"{head}.{body}".encode())
        claims: dict[str, Any] = json.loads(_unb64(body))
    except KeyError as error:
        raise InvalidReceiptError(f"the header or the key set lacks {error}") from error
    except (ValueError, binascii.Error) as error:
        raise InvalidReceiptError(f"malformed: {error}") from error
    except InvalidSignature as error:
        raise InvalidReceiptError("the signature does not verify with the platform's key") from error
    return claims


def verify_acknowledgement(entry: Acknowledgement, keys: Keys) -> dict[str, Any]:
    """Verify that a receipt certifies exactly what was acknowledged, and return its claims.

    Raises:
        InvalidReceiptError: it does not.
    """
    claims = verify_receipt(entry.receipt, keys)
    answer = entry.answer
    expected = {
        "sitting": answer.sitting,
        "student": answer.student,
        "question": answer.question,
        "seq": answer.seq,
        "received_at": entry.received_at,
        "answer": answer.digest,
    }
    if wrong := {name: claims.get(name) for name, value in expected.items() if claims.get(name) != value}:
        raise InvalidReceiptError(f"the receipt has {wrong}, expected { ({name: expected[name] for name in wrong}) }")
    if claims["received_at"] > claims["deadline_at"]:
        raise InvalidReceiptError(
            f"the receipt is for a late answer: {claims['received_at']} > {claims['deadline_at']}"
        )
    return claims


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
