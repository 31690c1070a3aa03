"""Verifying a sitting whose paper draws questions: receipts, and the audit from the answer log."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import pytest

from exam_cli.audit.recompute import Audit
from exam_cli.audit.records import BucketRecord, ChunkRecord, RevisionRecord, SittingRecord, StoredBucket
from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, Start, answer_id_of
from exam_core.authored import AuthoredExam, AuthoredQuestion, Section
from exam_core.commitments import attempt_member
from exam_core.fold import SealedBucket, root_digest, seal_bucket
from exam_core.inclusion import BucketRoot, InclusionProof
from exam_core.paper import Key, Paper, freeze, plain_text
from exam_core.questions.numeric import Near, Numeric
from exam_core.receipts import Receipt
from exam_core.scoring import Policy
from exam_core.shuffle import drawn
from exam_core.verification import Outcome, verify_receipt

SITTING = UUID("6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10")
SECRET = bytes(32)
STUDENTS = range(1, 6)


def frozen(draw: int) -> tuple[Paper, Key]:
    """A paper of five questions, of which so many are drawn."""
    questions = tuple(
        AuthoredQuestion(
            id=str(n), text="?", weight=Decimal(2), interaction=Numeric(accepted=(Near(value=Fraction(1)),))
        )
        for n in range(5)
    )
    sections = (Section(id="pool", size=5, draw=draw),)
    return freeze(
        AuthoredExam(slug="e", title="E", instructions="", questions=questions, sections=sections), range, plain_text
    )


PAPER, KEY = frozen(2)


def saved(student: int, question: int) -> Answer:
    """A correct answer as a solver writes it."""
    value = AnswerValue(value="1")
    return Answer(
        student=student,
        question=question,
        seq=question + 1,
        answer_id=answer_id_of(sitting=SITTING, student=student, question=question, seq=question + 1, answer=value),
        received_at=10,
        deadline_at=100,
        solver=UUID(int=1),
        epoch=1,
        answer=value,
    )


def record() -> SittingRecord:
    """A correct sitting with one graded revision, in which everyone has answers to all questions in the log."""
    answers = [saved(student, question) for student in STUDENTS for question in range(5)]
    starts = [Start(student=student, started_at=1, solver=UUID(int=1), epoch=1, seed=student) for student in STUDENTS]
    seal = seal_bucket(sitting=SITTING, bucket=0, paper=PAPER, answers=answers, starts=starts, submissions=[])
    root = BucketRoot.of(0, [attempt_member(SECRET, SITTING, attempt) for attempt in seal.students])
    policy = Policy()
    revision = RevisionRecord(
        number=1,
        key=KEY.digest,
        policy=policy.to_json(),
        policy_digest=policy.digest,
        chunks=1,
        finished_at=500,
        ledger=[],
        degrees=[],
    )
    sitting = SittingRecord(
        id=SITTING,
        name="n",
        paper=PAPER.digest,
        paper_body=PAPER.body,
        key=KEY.digest,
        keys={KEY.digest: KEY.body},
        buckets=1,
        closed_at=200,
        drained_at=300,
        sealed_at=400,
        seal=root_digest(SITTING, [seal.digest]),
        secret=SECRET,
        records=[
            BucketRecord(
                bucket=0, answers=seal.count, students=len(seal.students), digest=seal.digest, tree_root=root.root
            )
        ],
        stored=[StoredBucket(answers=answers, starts=starts, submissions=[], seal=seal.data)],
        revisions=[revision],
        students=frozenset(STUDENTS),
    )
    audit = Audit(sitting)
    ledger = [ChunkRecord(chunk=r.bucket, degrees=r.students, tree_root=r.root) for r in audit.degree_roots(revision)]
    degrees = [degree for _, degree in sorted(audit.degrees(revision).items())]
    return replace(sitting, revisions=[replace(revision, ledger=ledger, degrees=degrees)])


RECORD = record()
SEALED = SealedBucket(RECORD.stored[0].seal or b"")


def resealed(**changes: object) -> SittingRecord:
    """The sitting with a change of the first student's sealed attempt."""
    first, *others = SEALED.students
    seal = SealedBucket.of(sitting=SITTING, bucket=0, students=(replace(first, **changes), *others))  # type: ignore[arg-type]
    return replace(RECORD, stored=[replace(RECORD.stored[0], seal=seal.data)])


def test_a_correct_sitting_with_pools_has_no_fault() -> None:
    """If the seal states what the starts drew, and degrees count that, the audit finds nothing."""
    assert list(Audit(RECORD).faults()) == []
    assert {(degree.total, degree.maximum, degree.answered) for degree in RECORD.revisions[0].degrees} == {
        ("4", "4", 2)
    }


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (resealed(drawn=(0, 1, 2)), "the seal of student 1 is not what the answer log gives"),
        (resealed(drawn=None), "the seal of student 1 is not what the answer log gives"),
        (replace(RECORD, paper_body=frozen(3)[0].body), "the seal of student 1 is not what the answer log gives"),
        (replace(RECORD, paper_body=b"[]"), "the paper's content has digest"),
        (replace(RECORD, paper_body=PAPER.body.replace(b'"draw":2', b'"draw":9')), "the paper's content has digest"),
        (
            replace(RECORD, paper_body=PAPER.body.replace(b"[0,1,2,3,4]", b'["a",1,2,3,4]')),
            "the paper's content has digest",
        ),
    ],
)
def test_another_draw_is_found(changed: SittingRecord, expected: str) -> None:
    """If a draw, or the paper from which it follows, was changed, the audit names it (negative control)."""
    seal_faults = list(Audit(replace(changed, revisions=[])).faults())
    assert any(expected in fault for fault in seal_faults), seal_faults


@pytest.mark.parametrize("student", STUDENTS)
def test_a_receipt_of_a_question_that_was_not_drawn_does_not_count(student: int) -> None:
    """If I verify receipts, those of my questions count, and one of a question that my start did not draw does not."""
    audit = Audit(RECORD)
    members = [attempt_member(SECRET, SITTING, attempt) for attempt in SEALED.students]
    proof = InclusionProof.of(student, members, list(audit.roots))
    assert proof is not None
    assert proof.member.content["drawn"] == list(drawn(PAPER, student))
    for question in range(5):
        receipt = Receipt.of(SITTING, saved(student, question))
        verdict = verify_receipt(receipt, audit.seal_statement(), InclusionProof.from_json(proof.to_json()))
        expected = Outcome.COUNTED if question in drawn(PAPER, student) else Outcome.NOT_COUNTED
        assert verdict.outcome is expected
