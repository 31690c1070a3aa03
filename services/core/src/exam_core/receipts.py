"""Receipts: what a student gets for an acknowledged answer, signed (Ed25519, compact JWS) by the solver.

A receipt can be checked with any JOSE library and the solver's published keys alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import UUID

import jwt

from exam_core.answers import Answer, shown
from exam_core.keys import PublicKeySet, SigningKeys

if TYPE_CHECKING:
    from jwt.types import Options

TYPE: Final = "exam-receipt+jwt"
ISSUER: Final = "exam-solver"
MAX_LENGTH: Final = 4096
_NOTHING_EXPIRES: Final["Options"] = {
    "verify_aud": False,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "require": ["iss"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was acknowledged: `answer` is the digest of the answer's canonical form, instants in µs."""

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
        """The receipt for an answer of a sitting."""
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
        """The signed members."""
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
    def from_claims(cls, claims: Mapping[str, Any]) -> Self:
        """The inverse of `claims`; raises ValueError when one is missing or not what it should be."""
        return cls(
            sitting=UUID(_text(claims, "sitting")),
            student=_number(claims, "student"),
            question=_number(claims, "question"),
            seq=_number(claims, "seq"),
            answer_id=UUID(_text(claims, "request")),
            received_at=_number(claims, "received_at"),
            deadline_at=_number(claims, "deadline_at"),
            answer=_text(claims, "answer"),
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
    if len(text) > MAX_LENGTH:
        raise BadReceiptError("it is too long to be a receipt")
    try:
        header = jwt.get_unverified_header(text)
        if header.get("typ") != TYPE:
            raise BadReceiptError(f"this is a {shown(header.get('typ'))}, not a receipt")
        key = keys.keys.get(str(header.get("kid")))
        if key is None:
            raise BadReceiptError(f"no key {shown(header.get('kid'))} in the key set")
        claims = jwt.decode(text, key, algorithms=["EdDSA"], issuer=ISSUER, options=_NOTHING_EXPIRES)
        return Receipt.from_claims(claims)
    except (jwt.InvalidTokenError, ValueError) as error:
        raise BadReceiptError(f"not a receipt that we signed: {error}") from error


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name!r} must be a text")  # noqa: TRY004 - one error for every member that does not fit
    return value


def _number(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name!r} must be a whole number")  # noqa: TRY004 - as above
    return value
