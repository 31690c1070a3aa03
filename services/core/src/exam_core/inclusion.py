"""Proofs that one student's part is in a signed whole: a sealed attempt in a seal, a degree in a revision.

A tree has two levels, so that a bucket can be sealed or graded alone: one tree over the students of each bucket, and
one over the buckets. Every leaf is salted: a proof contains hashes of neighbours, from which their content must not be
guessed.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

from exam_core.buckets import bucket_of
from exam_core.canonical import Json, JsonObject, canonical
from exam_core.merkle import HASH_BYTES, inclusion_path, leaf_hash, root_of_path, tree_root

MAX_PATH: Final = 64
"""More levels than any tree of students has."""


class InvalidProofError(Exception):
    """A proof is malformed or does not lead to the signed root; the message is a sentence about the proof."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """What a tree holds of one student, with the salt of its leaf (hexadecimal)."""

    content: JsonObject
    salt: str

    @property
    def student(self) -> int:
        """The student whom the content is about."""
        return int(self.content["student"])

    @cached_property
    def leaf(self) -> bytes:
        """The hash of the leaf, computed once: every proof of a bucket needs those of all its students."""
        return leaf_hash(canonical({"content": self.content, "salt": self.salt}))


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRoot:
    """A bucket of a tree: its number, how many students it holds, and the root over them (hexadecimal)."""

    bucket: int
    students: int
    root: str

    @classmethod
    def of(cls, bucket: int, members: Sequence[Member]) -> Self:
        """Compute the root over the members of a bucket, in the order of the students' ids."""
        return cls(bucket=bucket, students=len(members), root=tree_root([member.leaf for member in members]).hex())

    @property
    def leaf(self) -> bytes:
        """The hash of the bucket as a leaf of the tree over buckets."""
        return leaf_hash(canonical([self.bucket, self.students, self.root]))


def derive_salt(secret: bytes, *context: Json) -> str:
    """Derive the salt for one use from a sitting's secret: each reveals nothing of the secret or of another one."""
    return hmac.digest(secret, canonical(list(context)), "sha256").hex()


def buckets_root(buckets: Sequence[BucketRoot]) -> str:
    """Return the root over all buckets, which are numbered from 0 in order."""
    return tree_root([bucket.leaf for bucket in buckets]).hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """Leads from one student's content to the root over all students.

    Attributes:
        member: the student's own content and salt.
        bucket: the number of the student's bucket.
        students: how many students the bucket holds.
        index: the place among them.
        path: the hashes from the leaf to the bucket's root.
        bucket_path: the hashes from the bucket to the root.
    """

    member: Member
    bucket: int
    students: int
    index: int
    path: tuple[bytes, ...]
    bucket_path: tuple[bytes, ...]

    @classmethod
    def of(cls, student: int, members: Sequence[Member], buckets: Sequence[BucketRoot]) -> Self | None:
        """Prove the content of a student, given the members of the bucket and all buckets; None if it has none."""
        index = next((place for place, member in enumerate(members) if member.student == student), None)
        if index is None:
            return None
        bucket = bucket_of(student, len(buckets))
        return cls(
            member=members[index],
            bucket=bucket,
            students=len(members),
            index=index,
            path=tuple(inclusion_path([member.leaf for member in members], index)),
            bucket_path=tuple(inclusion_path([bucket.leaf for bucket in buckets], bucket)),
        )

    def verify(self, *, student: int, root: str, buckets: int) -> None:
        """Check that a student's content is in the tree with a root over a number of buckets.

        Raises:
            InvalidProofError: it is not, or the proof is another student's.
        """
        if self.member.student != student:
            raise InvalidProofError(f"the proof is about student {self.member.student}, not {student}")
        if self.bucket != bucket_of(student, buckets):
            raise InvalidProofError(f"student {student} does not belong in bucket {self.bucket} of {buckets}")
        try:
            bucket_root = root_of_path(self.member.leaf, index=self.index, size=self.students, path=self.path)
            bucket = BucketRoot(bucket=self.bucket, students=self.students, root=bucket_root.hex())
            computed = root_of_path(bucket.leaf, index=self.bucket, size=buckets, path=self.bucket_path)
        except ValueError as error:
            raise InvalidProofError(f"the proof is malformed: {error}") from error
        if computed.hex() != root:
            raise InvalidProofError(f"the proof leads to the root {computed.hex()}, the signed one is {root}")

    def to_json(self) -> dict[str, Json]:
        """Return the form that web sends."""
        return {
            "content": self.member.content,
            "salt": self.member.salt,
            "bucket": self.bucket,
            "students": self.students,
            "index": self.index,
            "path": [node.hex() for node in self.path],
            "bucket_path": [node.hex() for node in self.bucket_path],
        }

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`.

        Raises:
            InvalidProofError: a member is missing or malformed.
        """
        try:
            content = body["content"]
            _whole(content["student"])
            return cls(
                member=Member(content=content, salt=bytes.fromhex(body["salt"]).hex()),
                bucket=_whole(body["bucket"]),
                students=_whole(body["students"]),
                index=_whole(body["index"]),
                path=_hashes(body["path"]),
                bucket_path=_hashes(body["bucket_path"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidProofError(f"the proof is malformed: {error!r}") from error


def _whole(value: Any) -> int:  # noqa: ANN401 - JSON from anywhere
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _hashes(values: Sequence[str]) -> tuple[bytes, ...]:
    if len(values) > MAX_PATH:
        raise ValueError("a path is too long")
    hashes = tuple(bytes.fromhex(value) for value in values)
    if any(len(node) != HASH_BYTES for node in hashes):
        raise ValueError("a hash has another length")
    return hashes
