"""Statements: what web signs about a sitting, so that anyone can check it later (Ed25519, compact JWS).

A statement about a seal commits to the answers that count, one about degrees to the results of a revision. Both are
verified with web's published statement keys alone.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self, TypeVar
from uuid import UUID

from exam_core import jws
from exam_core.canonical import JsonObject
from exam_core.jws import InvalidJwsError, UnknownKeyError, read_instant, read_integer, read_text, read_uuid
from exam_core.keys import PublicKeySet, SigningKeys

ISSUER: Final = "exam-web"
FORMAT: Final = 1


class BadStatementError(Exception):
    """The text is not a statement of the expected kind that one of the keys signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealStatement:
    """What was sealed. Instants are in µs.

    Attributes:
        sitting: the sitting's id.
        name: the sitting's name.
        paper: the digest of the paper.
        buckets: how many buckets the sitting has.
        students: how many students have a sealed attempt.
        answers: how many answers count.
        root: the root over all students' sealed attempts (`exam_core.inclusion`).
        seal: the root digest of the stored seal (`exam_core.fold.root_digest`).
        closed_at: when solvers stopped admitting answers.
        drained_at: when no answer could be acknowledged any more.
        sealed_at: when every bucket was sealed.
    """

    TYPE: ClassVar[str] = "exam-seal+jwt"

    sitting: UUID
    name: str
    paper: str
    buckets: int
    students: int
    answers: int
    root: str
    seal: str
    closed_at: int
    drained_at: int
    sealed_at: int

    def claims(self) -> dict[str, Any]:
        """Return the signed members."""
        return {
            "sitting": str(self.sitting),
            "name": self.name,
            "paper": self.paper,
            "buckets": self.buckets,
            "students": self.students,
            "answers": self.answers,
            "root": self.root,
            "seal": self.seal,
            "closed_at": self.closed_at,
            "drained_at": self.drained_at,
            "sealed_at": self.sealed_at,
        }

    @classmethod
    def from_claims(cls, claims: JsonObject) -> Self:
        """The inverse of `claims`; raises ValueError for a missing or malformed member."""
        return cls(
            sitting=read_uuid(claims, "sitting"),
            name=read_text(claims, "name"),
            paper=read_text(claims, "paper"),
            buckets=read_integer(claims, "buckets"),
            students=read_integer(claims, "students"),
            answers=read_integer(claims, "answers"),
            root=read_text(claims, "root"),
            seal=read_text(claims, "seal"),
            closed_at=read_instant(claims, "closed_at"),
            drained_at=read_instant(claims, "drained_at"),
            sealed_at=read_instant(claims, "sealed_at"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DegreesStatement:
    """The outcome of one revision. Instants are in µs.

    Attributes:
        sitting: the sitting's id.
        name: the sitting's name.
        revision: the number of the revision.
        paper: the digest of the paper.
        key: a salted commitment to the key's digest: from the digest itself a short key could be guessed.
        policy: the digest of the policy.
        seal: the root digest of the seal that was graded.
        buckets: how many buckets the sitting has.
        degrees: how many students have a degree.
        root: the root over all degrees (`exam_core.inclusion`).
        graded_at: when the revision was complete.
    """

    TYPE: ClassVar[str] = "exam-degrees+jwt"

    sitting: UUID
    name: str
    revision: int
    paper: str
    key: str
    policy: str
    seal: str
    buckets: int
    degrees: int
    root: str
    graded_at: int

    def claims(self) -> dict[str, Any]:
        """Return the signed members."""
        return {
            "sitting": str(self.sitting),
            "name": self.name,
            "revision": self.revision,
            "paper": self.paper,
            "key": self.key,
            "policy": self.policy,
            "seal": self.seal,
            "buckets": self.buckets,
            "degrees": self.degrees,
            "root": self.root,
            "graded_at": self.graded_at,
        }

    @classmethod
    def from_claims(cls, claims: JsonObject) -> Self:
        """The inverse of `claims`; raises ValueError for a missing or malformed member."""
        return cls(
            sitting=read_uuid(claims, "sitting"),
            name=read_text(claims, "name"),
            revision=read_integer(claims, "revision"),
            paper=read_text(claims, "paper"),
            key=read_text(claims, "key"),
            policy=read_text(claims, "policy"),
            seal=read_text(claims, "seal"),
            buckets=read_integer(claims, "buckets"),
            degrees=read_integer(claims, "degrees"),
            root=read_text(claims, "root"),
            graded_at=read_instant(claims, "graded_at"),
        )


Statement = TypeVar("Statement", SealStatement, DegreesStatement)


def sign(statement: SealStatement | DegreesStatement, keys: SigningKeys) -> str:
    """Return the compact form. The same statement and key always give the same text (RFC 8032)."""
    return jws.sign({"iss": ISSUER, "format": FORMAT} | statement.claims(), keys, typ=statement.TYPE)


def read(kind: type[Statement], text: str, keys: PublicKeySet) -> Statement:
    """Verify a statement of a kind. A statement does not expire.

    Raises:
        BadStatementError: it is malformed, of another kind or format, or not signed by one of the keys.
    """
    try:
        claims = jws.verify(text, keys, typ=kind.TYPE, issuer=ISSUER)
        statement = kind.from_claims(claims)
    except (InvalidJwsError, UnknownKeyError, ValueError) as error:
        raise BadStatementError(f"not a valid statement of type {kind.TYPE!r}: {error}") from error
    if claims.get("format") != FORMAT:
        raise BadStatementError(f"format {claims.get('format')!r} is not {FORMAT}: this release cannot read it")
    return statement
