"""What a sitting's statements commit to: the sealed attempts, the degrees of a revision, its key and adjustments.

Every leaf is salted with a value derived from the sitting's secret, which only web and the graders have.
"""

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from exam_core.canonical import Json, JsonObject
from exam_core.fold import SealedAttempt
from exam_core.inclusion import Member, derive_salt


@dataclass(frozen=True, slots=True, kw_only=True)
class DegreeContent:
    """What a proof shows of a degree: points and totals as decimal text, None for an unanswered question."""

    student: int
    total: str
    maximum: str
    answered: int
    points: tuple[str | None, ...]

    def to_json(self) -> dict[str, Json]:
        """Return the content of the leaf."""
        return {
            "student": self.student,
            "total": self.total,
            "maximum": self.maximum,
            "answered": self.answered,
            "points": list(self.points),
        }

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(
            student=body["student"],
            total=body["total"],
            maximum=body["maximum"],
            answered=body["answered"],
            points=tuple(body["points"]),
        )


def attempt_member(secret: bytes, sitting: UUID, attempt: SealedAttempt) -> Member:
    """Return a sealed attempt as a member of its sitting's tree."""
    return Member(content=attempt.to_json(), salt=derive_salt(secret, "attempt", str(sitting), attempt.student))


def degree_member(secret: bytes, sitting: UUID, revision: int, degree: DegreeContent) -> Member:
    """Return a degree as a member of its revision's tree."""
    return Member(content=degree.to_json(), salt=derive_salt(secret, "degree", str(sitting), revision, degree.student))


def commit_to_key(secret: bytes, sitting: UUID, key_digest: str) -> str:
    """Return what is published of a key: its digest salted, because a short key can be guessed from its digest."""
    return derive_salt(secret, "key", str(sitting), key_digest)


def adjustments_salt(secret: bytes, sitting: UUID, revision: int) -> str:
    """Return the salt of a revision's adjustments: the digest of its policy is published, and they could be guessed."""
    return derive_salt(secret, "adjustments", str(sitting), revision)
