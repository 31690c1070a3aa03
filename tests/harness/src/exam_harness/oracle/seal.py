"""The sealed set, parsed from its raw bytes and checked against every digest that covers it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from exam_harness.oracle.content import Content, stored_content
from exam_harness.oracle.history import canonical_json


@dataclass(frozen=True, slots=True)
class RawBucket:
    """A bucket's row as stored; `digest` is 64 hexadecimal digits."""

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
    """One student's sealed attempt; answers by question."""

    started_at: int | None
    submitted_at: int | None
    answers: Mapping[int, SealedAnswer]
    drawn: tuple[int, ...] | None = None
    """The questions that the student got, if the paper has pools."""


@dataclass
class Seal:
    """A sitting's sealed set; `integrity_errors` are digests that do not match, as sentences."""

    sitting: str
    root: str = ""
    """The published digest over all buckets."""
    students: dict[int, SealedStudent] = field(default_factory=dict)
    raw: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    """Each student's part as stored."""
    integrity_errors: list[str] = field(default_factory=list)

    @property
    def answer_count(self) -> int:
        """The number of answers that count."""
        return sum(len(student.answers) for student in self.students.values())


def parse_seal(sitting: str, rows: Iterable[RawBucket], *, buckets: int, root: str) -> Seal:
    """Parse a sitting's buckets; `root` is the published digest over all of them."""
    seal = Seal(sitting, root)
    ordered = sorted(rows, key=lambda row: row.bucket)
    if [row.bucket for row in ordered] != list(range(buckets)):
        seal.integrity_errors.append(f"sealed are buckets {[row.bucket for row in ordered]}, the sitting has {buckets}")
    for row in ordered:
        if hashlib.sha256(row.data).hexdigest() != row.digest:
            seal.integrity_errors.append(f"bucket {row.bucket}: the data does not match its digest")
        _parse_bucket(seal, row)
    manifest = {"format": 1, "sitting": sitting, "buckets": [row.digest for row in ordered]}
    if hashlib.sha256(canonical_json(manifest)).hexdigest() != root:
        seal.integrity_errors.append(f"the published root {root!r} is not the digest of the buckets' digests")
    return seal


def _parse_bucket(seal: Seal, row: RawBucket) -> None:
    body = json.loads(row.data)
    form = 2 if any("drawn" in student for student in body["students"]) else 1
    if body["format"] != form:
        seal.integrity_errors.append(f"bucket {row.bucket} has format {body['format']}, not {form}")
    if (body["sitting"], body["bucket"]) != (seal.sitting, row.bucket):
        seal.integrity_errors.append(f"bucket {row.bucket} holds bucket {body['bucket']} of sitting {body['sitting']}")
    for student in body["students"]:
        if student["student"] in seal.students:
            seal.integrity_errors.append(f"student {student['student']} is sealed twice")
        seal.raw[student["student"]] = student
        seal.students[student["student"]] = SealedStudent(
            started_at=student["started_at"],
            submitted_at=student["submitted_at"],
            answers={answer[0]: _answer(answer) for answer in student["answers"]},
            drawn=tuple(student["drawn"]) if "drawn" in student else None,
        )


def _answer(row: list[Any]) -> SealedAnswer:
    _, seq, request, received_at, mask, value = row
    return SealedAnswer(seq=seq, request=request, received_at=received_at, content=stored_content(mask, value))
