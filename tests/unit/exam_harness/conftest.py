"""A small world for the oracle's tests: our own core freezes, acknowledges, seals and grades; the oracle judges it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exam_core import receipts
from exam_core.answers import Answer, AnswerValue, Start, Submission, answer_id_of, parse_answer
from exam_core.authoring import read_exam
from exam_core.fold import SealedBucket, root_digest, seal_bucket
from exam_core.keys import SigningKeys, new_signing_jwk
from exam_core.paper import ImageRef, Key, Paper, decimal_text, freeze
from exam_core.receipts import Receipt
from exam_core.scoring import Policy, score
from exam_harness.oracle.checker import Mismatch, SeenDegree, SittingFacts, judge_degrees, judge_receipts, judge_seal
from exam_harness.oracle.document import read_document
from exam_harness.oracle.history import Acknowledged, Book, Said, Started, content_of
from exam_harness.oracle.receipts import read_keys
from exam_harness.oracle.seal import RawBucket, Seal, read_seal

SITTING = UUID("6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10")
SOLVER = UUID("11111111-1111-4111-8111-111111111111")
DOCUMENT = """
exam: algebra-101
title: Algebra
level: year-1
questions:
  - {id: q1, kind: single, text: "One?", choices: [{id: a, text: "1", correct: true}, {id: b, text: "2"}]}
  - id: q2
    kind: multiple
    weight: 0.10
    text: Primes?
    choices: [{id: a, text: "2", correct: true}, {id: b, text: "3", correct: true}, {id: c, text: "4"}]
  - {id: q3, kind: numeric, weight: "2.5", text: "Pi?", answer: {value: "3.14", tolerance: "0.01"}}
"""


def _no_image(_: bytes) -> ImageRef:
    raise ValueError("this world has no images")


def frozen() -> tuple[Paper, Key]:
    """The document as our core freezes it, its choices in reverse."""
    return freeze(read_exam(DOCUMENT, _no_image).exam, lambda size: range(size)[::-1])


@dataclass
class World:
    """A platform that does everything right until a test breaks it."""

    paper: Paper
    key: Key
    signing: SigningKeys
    book: Book = field(default_factory=Book)
    rows: list[Answer] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    submissions: list[Submission] = field(default_factory=list)

    @property
    def facts(self) -> SittingFacts:
        """The sitting as the oracle is told of it."""
        return SittingFacts(
            id=str(SITTING), name="algebra", document=read_document(DOCUMENT), closes_at=10_000, duration=5_000
        )

    def start(self, student: int, at: int = 1_000) -> None:
        """A student starts."""
        self.starts.append(Start(student=student, started_at=at, solver=SOLVER, epoch=1, seed=1))
        self.book.shown(str(SITTING), json.loads(self.paper.body))
        self.book.started(str(SITTING), student, Started(at, at + 5_000))

    def said(self, student: int, question: int, seq: int, body: dict[str, Any]) -> Said:
        """An answer as the oracle knows it."""
        return Said(str(SITTING), student, question, seq, content_of(body))

    def row(self, student: int, question: int, seq: int, body: dict[str, Any], *, at: int = 2_000) -> Answer:
        """An answer as the platform stores it."""
        value: AnswerValue = parse_answer(self.paper, question, body)
        answer_id = answer_id_of(sitting=SITTING, student=student, question=question, seq=seq, answer=value)
        return Answer(
            student=student,
            question=question,
            seq=seq,
            answer_id=answer_id,
            received_at=at,
            deadline_at=6_000,
            solver=SOLVER,
            epoch=1,
            answer=value,
        )

    def answer(self, student: int, question: int, seq: int, body: dict[str, Any], *, at: int = 2_000) -> None:
        """An answer is stored and acknowledged."""
        row = self.row(student, question, seq, body, at=at)
        self.rows.append(row)
        receipt = receipts.sign(Receipt.of(SITTING, row), self.signing)
        self.book.acknowledge(Acknowledged(self.said(student, question, seq, body), at, receipt))

    @property
    def bucket(self) -> SealedBucket:
        """The sitting's one bucket, sealed from the rows as they are."""
        return seal_bucket(
            sitting=SITTING, bucket=0, answers=self.rows, starts=self.starts, submissions=self.submissions
        )

    def seal(self) -> Seal:
        """The seal as the oracle reads it."""
        bucket = self.bucket
        raw = RawBucket(0, bucket.digest, bucket.data)
        return read_seal(str(SITTING), [raw], buckets=1, root=root_digest(SITTING, [bucket.digest]))

    def degrees(self) -> list[SeenDegree]:
        """Everybody's degree as our core scores the seal."""
        return [self._degree(sat.student) for sat in self.bucket.students]

    def judge(self, seal: Seal | None = None, degrees: list[SeenDegree] | None = None) -> list[Mismatch]:
        """The whole judgement."""
        seal = seal or self.seal()
        keys = read_keys(json.loads(json.dumps(self.signing.public.to_jwks())))
        seen = self.degrees() if degrees is None else degrees
        return [
            *judge_receipts(self.book, self.facts, seal, keys),
            *judge_seal(self.book, self.facts, seal),
            *judge_degrees(self.book, self.facts, seal, seen),
        ]

    def kinds(self, seal: Seal | None = None, degrees: list[SeenDegree] | None = None) -> set[str]:
        """The kinds of mismatch that the judgement names."""
        return {mismatch.kind for mismatch in self.judge(seal, degrees)}

    def _degree(self, student: int) -> SeenDegree:
        sat = next(sat for sat in self.bucket.students if sat.student == student)
        result = score(self.paper, self.key, Policy(), [(kept.question, kept.answer) for kept in sat.answers])
        return SeenDegree(
            source="database",
            student=student,
            total=str(result.total),
            maximum=str(result.maximum),
            points=tuple(None if points is None else decimal_text(Decimal(points)) for points in result.points),
            answered=result.answered,
        )


@pytest.fixture
def new_world() -> Callable[[], World]:
    """Makes worlds in which nothing has happened yet."""

    def make() -> World:
        paper, key = frozen()
        return World(paper, key, SigningKeys.from_jwks({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]}))

    return make


@pytest.fixture
def world(new_world: Callable[[], World]) -> World:
    """Two students who sat: one changed their mind and has all right, one answered little; nothing is wrong."""
    world = new_world()
    # Reversed by freezing: question 0 shows "2", "1"; question 1 shows "4", "3", "2".
    world.start(1)
    world.answer(1, 0, 1, {"choices": [0]}, at=2_000)
    world.answer(1, 0, 2, {"choices": [1]}, at=2_500)
    world.answer(1, 1, 3, {"choices": [1, 2]}, at=2_600)
    world.answer(1, 2, 4, {"value": " 3,150"}, at=2_700)
    world.start(2)
    world.answer(2, 2, 1, {"value": "3"}, at=2_000)
    world.answer(2, 1, 2, {"choices": []}, at=2_100)
    return world
