"""Receipts: the solver's signed acknowledgement of an answer (Ed25519, compact JWS).

A receipt can be verified with any JOSE library and the solver's published keys alone.
"""

from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import UUID

from exam_core import jws
from exam_core.answers import Answer
from exam_core.canonical import JsonObject
from exam_core.jws import InvalidJwsError, UnknownKeyError, read_integer, read_text, read_uuid
from exam_core.keys import PublicKeySet, SigningKeys

TYPE: Final = "exam-receipt+jwt"
ISSUER: Final = "exam-solver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """An acknowledged answer; `answer` is the digest of its canonical form, instants are in µs."""

    sitting: UUID
    student: int
    question: int
    seq: int
    answer_id: UUID
    received_at: int
    deadline_at: int
    answer: str

    @classmethod
    def of(cls, sitting: UUID, answer: Answer) -> Self:
        """Return the receipt for an answer of a sitting."""
        return cls(
            sitting=sitting,
            student=answer.student,
            question=answer.question,
            seq=answer.seq,
            answer_id=answer.answer_id,
            received_at=answer.received_at,
            deadline_at=answer.deadline_at,
            answer=answer.answer.digest,
        )

    def claims(self) -> dict[str, Any]:
        """Return the signed members; the answer's id is called ``request``."""
        return {
            "iss": ISSUER,
            "sitting": str(self.sitting),
            "student": self.student,
            "question": self.question,
            "seq": self.seq,
            "request": str(self.answer_id),
            "received_at": self.received_at,
            "deadline_at": self.deadline_at,
            "answer": self.answer,
        }

    @classmethod
    def from_claims(cls, claims: JsonObject) -> Self:
        """The inverse of `claims`; raises ValueError for a missing or malformed member."""
        return cls(
            sitting=read_uuid(claims, "sitting"),
            student=read_integer(claims, "student"),
            question=read_integer(claims, "question"),
            seq=read_integer(claims, "seq"),
            answer_id=read_uuid(claims, "request"),
            received_at=read_integer(claims, "received_at"),
            deadline_at=read_integer(claims, "deadline_at"),
            answer=read_text(claims, "answer"),
        )


class BadReceiptError(Exception):
    """The text is not a receipt that one of the keys signed."""


def sign(receipt: Receipt, keys: SigningKeys) -> str:
    """Return the compact form that a student keeps."""
    return jws.sign(receipt.claims(), keys, typ=TYPE)


def read(text: str, keys: PublicKeySet) -> Receipt:
    """Verify a receipt. A receipt does not expire.

    Raises:
        BadReceiptError: it is malformed, of another type, or not signed by one of the keys.
    """
    try:
        return Receipt.from_claims(jws.verify(text, keys, typ=TYPE, issuer=ISSUER))
    except (InvalidJwsError, UnknownKeyError, ValueError) as error:
        raise BadReceiptError(f"not a valid receipt: {error}") from error
