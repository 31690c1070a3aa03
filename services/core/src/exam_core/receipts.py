"""Receipts: what a student gets for an acknowledged answer, signed (Ed25519, compact JWS) by the solver.

A receipt can be checked with any JOSE library and the solver's published keys alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import jwt

from exam_core.answers import Answer
from exam_core.keys import PublicKeySet, SigningKeys

TYPE = "exam-receipt+jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was acknowledged: `answer` is the digest of the answer's canonical form, instants in µs."""

    sitting: UUID
    student: int
    question: int
    seq: int
    request: UUID
    received_at: int
    deadline_at: int
    answer: str

    @classmethod
    def of(cls, sitting: UUID, answer: Answer) -> Self:
        """The receipt for an answer of a sitting."""
        return cls(
            sitting=sitting,
            student=answer.student,
            question=answer.question,
            seq=answer.seq,
            request=answer.request,
            received_at=answer.received_at,
            deadline_at=answer.deadline_at,
            answer=answer.answer.digest,
        )

    def claims(self) -> dict[str, Any]:
        """The signed members."""
        return {
            "iss": "exam-solver",
            "sitting": str(self.sitting),
            "student": self.student,
            "question": self.question,
            "seq": self.seq,
            "request": str(self.request),
            "received_at": self.received_at,
            "deadline_at": self.deadline_at,
            "answer": self.answer,
        }

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> Self:
        """The inverse of `claims`."""
        return cls(
            sitting=UUID(claims["sitting"]),
            student=claims["student"],
            question=claims["question"],
            seq=claims["seq"],
            request=UUID(claims["request"]),
            received_at=claims["received_at"],
            deadline_at=claims["deadline_at"],
            answer=claims["answer"],
        )


class BadReceiptError(Exception):
    """The text is not a receipt that one of the keys signed."""


def sign(receipt: Receipt, keys: SigningKeys) -> str:
    """The compact form that a student keeps."""
    return jwt.encode(receipt.claims(), keys.private, algorithm="EdDSA", headers={"typ": TYPE, "kid": keys.kid})


def read(text: str, keys: PublicKeySet) -> Receipt:
    """Check a receipt.

    Raises:
        BadReceiptError: it is malformed, of another kind, or signed by nobody we know.
    """
    try:
        header = jwt.get_unverified_header(text)
        if header.get("typ") != TYPE:
            raise BadReceiptError(f"this is a {header.get('typ')!r}, not a receipt")
        key = keys.keys.get(str(header.get("kid")))
        if key is None:
            raise BadReceiptError(f"no key {header.get('kid')!r} in the key set")
        return Receipt.from_claims(jwt.decode(text, key, algorithms=["EdDSA"], options={"verify_aud": False}))
    except (jwt.InvalidTokenError, KeyError, ValueError) as error:
        raise BadReceiptError(f"not a receipt that we signed: {error}") from error
