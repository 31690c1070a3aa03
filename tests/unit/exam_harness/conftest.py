"""A platform in memory for the oracle's tests: `exam_core` freezes, acknowledges, seals and grades."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exam_core import receipts, statements
from exam_core.answers import Answer, Start, Submission, answer_id_of, parse_answer
from exam_core.authoring.exam import read_exam
from exam_core.commitments import DegreeContent, attempt_member, degree_member
from exam_core.fold import SealedBucket, root_digest, seal_bucket
from exam_core.inclusion import BucketRoot, InclusionProof, Member, buckets_root
from exam_core.keys import SigningKeys, new_signing_jwk
from exam_core.numbers import decimal_text
from exam_core.paper import Key, Paper, freeze, plain_text
from exam_core.receipts import Receipt
from exam_core.scoring import Policy, score
from exam_core.shuffle import drawn
from exam_core.statements import DegreesStatement, SealStatement
from exam_harness.oracle.checker import (
    Mismatch,
    ObservedDegree,
    SittingParameters,
    check_degrees,
    check_receipts,
    check_seal,
)
from exam_harness.oracle.content import parse_content
from exam_harness.oracle.document import read_document
from exam_harness.oracle.history import Acknowledgement, AttemptStart, History, SentAnswer
from exam_harness.oracle.proofs import Published
from exam_harness.oracle.receipts import parse_keys
from exam_harness.oracle.seal import RawBucket, Seal, parse_seal

if TYPE_CHECKING:
    from exam_core.answer_value import AnswerValue

SITTING = UUID("6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10")
SOLVER = UUID("11111111-1111-4111-8111-111111111111")
SECRET = bytes(32)
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
OTHER_KINDS = r"""
exam: other-kinds
title: Other kinds
level: year-1
questions:
  - {id: q1, kind: true-false, text: "Two is prime.", answer: true, other_credit: -1}
  - {id: q2, kind: text, weight: 2, text: "Who wrote «La Nausée»?", accepted: [Jean-Paul Sartre, Sartre]}
  - id: q3
    kind: matching
    text: Match.
    stems: [{id: a, text: Italy, target: Rome}, {id: b, text: Spain, target: Madrid}]
    distractors: [Oslo]
  - {id: q4, kind: ordering, text: "Ascending?", items: [{id: a, text: "1"}, {id: b, text: "2"}, {id: c, text: "3"}]}
  - {id: q5, kind: essay, weight: 5, text: "Why?"}
"""
"""The kinds whose answers are stored as texts, and true or false."""
POOLS = """
exam: pools
title: Pools
level: year-1
sections:
  - id: all
    title: For all
    instructions: Answer **it**.
    shuffle: false
    questions:
      - id: q1
        kind: single
        text: "One?"
        shuffle: false
        choices: [{id: a, text: "1", correct: true}, {id: b, text: "2"}]
  - id: pool
    draw: 2
    questions:
      - {id: q2, kind: numeric, weight: 2, text: "Two?", answer: {value: "2"}}
      - {id: q3, kind: numeric, weight: 2, text: "Three?", answer: {value: "3"}}
      - {id: q4, kind: numeric, weight: 2, text: "Four?", answer: {value: "4"}}
      - {id: q5, kind: numeric, weight: 2, text: "Five?", answer: {value: "5"}}
"""
"""A question for all, and two of four others."""


def _no_image(_: bytes) -> NoReturn:
    raise ValueError("the document has no images")


def frozen(document: str) -> tuple[Paper, Key]:
    """A document as `exam_core` freezes it, with its choices reversed."""
    return freeze(read_exam(document, _no_image).exam, lambda size: range(size)[::-1], plain_text)


@dataclass
class FakePlatform:
    """A correct platform, until a test breaks it."""

    paper: Paper
    key: Key
    signing: SigningKeys
    document: str = DOCUMENT
    history: History = field(default_factory=History)
    rows: list[Answer] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    submissions: list[Submission] = field(default_factory=list)

    @property
    def sitting(self) -> SittingParameters:
        """The parameters of the sitting, for the checker."""
        return SittingParameters(
            id=str(SITTING), name="algebra", document=read_document(self.document), closes_at=10_000, duration=5_000
        )

    def start(self, student: int, at: int = 1_000) -> None:
        """Record a student's start, whose seed is the student's id."""
        self.starts.append(Start(student=student, started_at=at, solver=SOLVER, epoch=1, seed=student))
        self.history.record_paper(str(SITTING), student, self.shown(student))
        self.history.record_start(str(SITTING), student, AttemptStart(at, at + 5_000))

    def shown(self, student: int) -> dict[str, Any]:
        """The paper as a student is shown it."""
        got = drawn(self.paper, student)
        body = json.loads(self.paper.body)
        return body | {"questions": [each if number in got else None for number, each in enumerate(body["questions"])]}

    def sent(self, student: int, question: int, seq: int, body: dict[str, Any]) -> SentAnswer:
        """An answer as in the oracle's history."""
        kind = self.paper.questions[question].half.kind
        return SentAnswer(str(SITTING), student, question, seq, parse_content(body, kind))

    def row(self, student: int, question: int, seq: int, body: dict[str, Any], *, at: int = 2_000) -> Answer:
        """An answer as in the platform's log."""
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
        """Store and acknowledge an answer."""
        row = self.row(student, question, seq, body, at=at)
        self.rows.append(row)
        receipt = receipts.sign(Receipt.of(SITTING, row), self.signing)
        self.history.record_acknowledgement(Acknowledgement(self.sent(student, question, seq, body), at, receipt))

    @property
    def bucket(self) -> SealedBucket:
        """The sitting's only bucket, sealed from the current rows."""
        return seal_bucket(
            sitting=SITTING,
            bucket=0,
            paper=self.paper,
            answers=self.rows,
            starts=self.starts,
            submissions=self.submissions,
        )

    def seal(self) -> Seal:
        """The seal as the oracle parses it."""
        bucket = self.bucket
        raw = RawBucket(0, bucket.digest, bucket.data)
        return parse_seal(str(SITTING), [raw], buckets=1, root=root_digest(SITTING, [bucket.digest]))

    def degrees(self) -> list[ObservedDegree]:
        """All degrees as `exam_core` scores the seal."""
        return [self._degree(sealed.student) for sealed in self.bucket.students]

    def seal_proofs(self) -> Published:
        """What is published of the seal."""
        bucket = self.bucket
        members = [attempt_member(SECRET, SITTING, sealed) for sealed in bucket.students]
        statement = SealStatement(
            sitting=SITTING,
            name="algebra",
            paper="p",
            buckets=1,
            students=len(members),
            answers=sum(len(sealed.answers) for sealed in bucket.students),
            root=buckets_root([BucketRoot.of(0, members)]),
            seal=root_digest(SITTING, [bucket.digest]),
            closed_at=1,
            drained_at=2,
            sealed_at=3,
        )
        return Published(statements.sign(statement, self.signing), _proofs(members))

    def degree_proofs(self) -> Published:
        """What is published of the degrees."""
        members = [
            degree_member(
                SECRET,
                SITTING,
                1,
                DegreeContent(
                    student=each.student,
                    total=each.total,
                    maximum=each.maximum,
                    answered=each.answered or 0,
                    points=each.points or (),
                ),
            )
            for each in self.degrees()
        ]
        statement = DegreesStatement(
            sitting=SITTING,
            name="algebra",
            revision=1,
            paper="p",
            key="k",
            policy="p",
            seal=root_digest(SITTING, [self.bucket.digest]),
            buckets=1,
            degrees=len(members),
            root=buckets_root([BucketRoot.of(0, members)]),
            graded_at=4,
        )
        return Published(statements.sign(statement, self.signing), _proofs(members))

    def check(self, seal: Seal | None = None, degrees: list[ObservedDegree] | None = None) -> list[Mismatch]:
        """All mismatches that the checker finds."""
        seal = seal or self.seal()
        keys = parse_keys(json.loads(json.dumps(self.signing.public.to_jwks())))
        observed = self.degrees() if degrees is None else degrees
        return [
            *check_receipts(self.history, self.sitting, seal, keys),
            *check_seal(self.history, self.sitting, seal),
            *check_degrees(self.history, self.sitting, seal, observed),
        ]

    def kinds(self, seal: Seal | None = None, degrees: list[ObservedDegree] | None = None) -> set[str]:
        """The kinds of these mismatches."""
        return {mismatch.kind for mismatch in self.check(seal, degrees)}

    def _degree(self, student: int) -> ObservedDegree:
        sealed = next(sealed for sealed in self.bucket.students if sealed.student == student)
        answers = [(row.question, row.answer) for row in sealed.answers]
        result = score(self.paper, self.key, Policy(), answers, sealed.drawn)
        return ObservedDegree(
            source="database",
            student=student,
            total=str(result.total),
            maximum=str(result.maximum),
            points=tuple(None if points is None else decimal_text(Decimal(points)) for points in result.points),
            answered=result.answered,
        )


def _proofs(members: list[Member]) -> dict[int, Any]:
    """The proofs of the members of the only bucket, as they arrive."""
    found = {each.student: InclusionProof.of(each.student, members, [BucketRoot.of(0, members)]) for each in members}
    return {student: json.loads(json.dumps(proof.to_json())) for student, proof in found.items() if proof}


@pytest.fixture
def new_platform() -> Callable[..., FakePlatform]:
    """A factory of platforms without attempts."""

    def make(document: str = DOCUMENT) -> FakePlatform:
        paper, key = frozen(document)
        signing = SigningKeys.from_jwks({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]})
        return FakePlatform(paper, key, signing, document)

    return make


@pytest.fixture
def platform(new_platform: Callable[[], FakePlatform]) -> FakePlatform:
    """A correct platform with two students: one changed an answer and has all correct, one answered little."""
    platform = new_platform()
    # Freezing reverses the choices: question 0 shows "2", "1"; question 1 shows "4", "3", "2".
    platform.start(1)
    platform.answer(1, 0, 1, {"choices": [0]}, at=2_000)
    platform.answer(1, 0, 2, {"choices": [1]}, at=2_500)
    platform.answer(1, 1, 3, {"choices": [1, 2]}, at=2_600)
    platform.answer(1, 2, 4, {"value": " 3,1500"}, at=2_700)
    platform.start(2)
    platform.answer(2, 2, 1, {"value": "3"}, at=2_000)
    platform.answer(2, 1, 2, {"choices": []}, at=2_100)
    return platform


@pytest.fixture
def other_kinds(new_platform: Callable[..., FakePlatform]) -> FakePlatform:
    """A correct platform with a student who answered every kind of question that takes no number or several choices."""
    platform = new_platform(OTHER_KINDS)
    # Freezing reverses stems, items and the sorted targets: "Spain", "Italy"; "3", "2", "1"; "Rome", "Oslo", "Madrid".
    platform.start(1)
    platform.answer(1, 0, 1, {"choices": [1]}, at=2_000)
    platform.answer(1, 1, 2, {"value": " Jean-Paul SARTRE"}, at=2_100)
    platform.answer(1, 2, 3, {"pairs": {"1": 0, "0": None}}, at=2_200)
    platform.answer(1, 3, 4, {"order": [2, 0, 1]}, at=2_300)
    platform.answer(1, 3, 5, {"order": [2, 1, 0]}, at=2_400)
    platform.answer(1, 4, 6, {"value": "Weil\r\ne\u0301"}, at=2_500)
    return platform


@pytest.fixture
def pools(new_platform: Callable[..., FakePlatform]) -> FakePlatform:
    """Five students, who each answered all that they got: the first one wrong, the others right."""
    platform = new_platform(POOLS)
    for student in range(1, 6):
        platform.start(student)
        for seq, question in enumerate(drawn(platform.paper, student), start=1):
            right = {"choices": [0]} if question == 0 else {"value": str(question + 1)}
            platform.answer(student, question, seq, {"choices": [1]} if student == 1 == seq else right)
    return platform
