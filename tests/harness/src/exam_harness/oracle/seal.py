"""The sealed set, parsed from its raw bytes and checked against every digest that vouches for it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from exam_harness.oracle.document import number
from exam_harness.oracle.history import plain_json
from exam_harness.oracle.scoring import Content


@dataclass(frozen=True, slots=True)
class RawBucket:
    """A bucket's row as it lies in the store; `digest` is 64 hexadecimal digits."""

    bucket: int
    digest: str
    data: bytes


@dataclass(frozen=True, slots=True)
class SealedAnswer:
    """One answer that counts."""

    seq: int
    request: str
    received_at: int
    content: Content


@dataclass(frozen=True, slots=True)
class SealedStudent:
    """What one student did; answers by question."""

    started_at: int | None
    submitted_at: int | None
    answers: Mapping[int, SealedAnswer]


@dataclass
class Seal:
    """A sitting's sealed set; `faults` are digests that do not hold, as sentences."""

    sitting: str
    students: dict[int, SealedStudent] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many answers count."""
        return sum(len(student.answers) for student in self.students.values())


def read_seal(sitting: str, rows: Iterable[RawBucket], *, buckets: int, root: str) -> Seal:
    """Read a sitting's buckets; `root` is the published digest of the whole."""
    seal = Seal(sitting)
    ordered = sorted(rows, key=lambda row: row.bucket)
    if [row.bucket for row in ordered] != list(range(buckets)):
        seal.faults.append(f"sealed are buckets {[row.bucket for row in ordered]}, the sitting has {buckets}")
    for row in ordered:
        if hashlib.sha256(row.data).hexdigest() != row.digest:
            seal.faults.append(f"bucket {row.bucket}: the bytes are not the ones that the digest names")
        _read_bucket(seal, row)
    whole = {"format": 1, "sitting": sitting, "buckets": [row.digest for row in ordered]}
    if hashlib.sha256(plain_json(whole)).hexdigest() != root:
        seal.faults.append(f"the published root {root!r} is not the digest of the buckets' digests")
    return seal


def _read_bucket(seal: Seal, row: RawBucket) -> None:
    body = json.loads(row.data)
    if (body["format"], body["sitting"], body["bucket"]) != (1, seal.sitting, row.bucket):
        seal.faults.append(f"bucket {row.bucket} holds bucket {body['bucket']} of sitting {body['sitting']}")
    for student in body["students"]:
        if student["student"] in seal.students:
            seal.faults.append(f"student {student['student']} is sealed twice")
        seal.students[student["student"]] = SealedStudent(
            started_at=student["started_at"],
            submitted_at=student["submitted_at"],
            answers={answer[0]: _answer(answer) for answer in student["answers"]},
        )


def _answer(row: list[Any]) -> SealedAnswer:
    _, seq, request, received_at, mask, value = row
    return SealedAnswer(seq=seq, request=request, received_at=received_at, content=_content(mask, value))


def _content(mask: int | None, value: str | None) -> Content:
    """A mask of choice numbers, or the text of a number; an empty text is a number taken back."""
    if mask is not None:
        return frozenset(place for place in range(mask.bit_length()) if mask >> place & 1)
    return number(value) if value else None
