"""Receipts, verified as any student's own tool would: with the published keys and a plain Ed25519 library."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from exam_harness.oracle.history import Acknowledged

TYPE = "exam-receipt+jwt"
Keys = Mapping[str, Ed25519PublicKey]


class BadReceiptError(Exception):
    """The text is no receipt, nobody published signed it, or it says something else than was acknowledged."""


def read_keys(jwks: Mapping[str, Any]) -> Keys:
    """The public keys of a JWK set as ``GET /v1/keys`` gives it.

    Raises:
        BadReceiptError: the set gives away a private half.
    """
    if any("d" in jwk for jwk in jwks["keys"]):
        raise BadReceiptError("the published key set contains a private key")
    return {jwk["kid"]: Ed25519PublicKey.from_public_bytes(_unb64(jwk["x"])) for jwk in jwks["keys"]}


def read_receipt(text: str, keys: Keys) -> dict[str, Any]:
    """The claims of a receipt whose signature holds.

    Raises:
        BadReceiptError: it does not.
    """
    try:
        head, body, signature = text.split(".")
        header = json.loads(_unb64(head))
        if (header["alg"], header["typ"]) != ("EdDSA", TYPE):
            raise BadReceiptError(f"a receipt is {TYPE} signed with EdDSA, not {header}")
        keys[header["kid"]].verify(_unb64(signature), f"{head}.{body}".encode())
        claims: dict[str, Any] = json.loads(_unb64(body))
    except KeyError as error:
        raise BadReceiptError(f"the receipt's header or the key set lacks {error}") from error
    except (ValueError, binascii.Error) as error:
        raise BadReceiptError(f"not a receipt: {error}") from error
    except InvalidSignature as error:
        raise BadReceiptError("the signature is not the platform's") from error
    return claims


def check_receipt(entry: Acknowledged, keys: Keys) -> dict[str, Any]:
    """Verify that a receipt says exactly what was acknowledged; gives its claims.

    Raises:
        BadReceiptError: it does not.
    """
    claims = read_receipt(entry.receipt, keys)
    said = entry.said
    expected = {
        "sitting": said.sitting,
        "student": said.student,
        "question": said.question,
        "seq": said.seq,
        "received_at": entry.received_at,
        "answer": said.digest,
    }
    if wrong := {name: claims.get(name) for name, value in expected.items() if claims.get(name) != value}:
        raise BadReceiptError(
            f"the receipt says {wrong}, acknowledged was { ({name: expected[name] for name in wrong}) }"
        )
    if claims["received_at"] > claims["deadline_at"]:
        raise BadReceiptError(f"the receipt is for a late answer: {claims['received_at']} > {claims['deadline_at']}")
    return claims


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
