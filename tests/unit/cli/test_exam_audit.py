"""Recomputing a sitting: correct records have no fault, and each change of one is found."""

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exam_cli import verify_sitting
from exam_cli.__main__ import main
from exam_cli.audit.recompute import Audit
from exam_cli.audit.records import BucketRecord, ChunkRecord, RevisionRecord, SittingRecord, StoredBucket
from exam_core.adjustments.listing import Adjustments
from exam_core.adjustments.model import LeaveOut, SetWeight
from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, Start, answer_id_of
from exam_core.authored import AuthoredExam, AuthoredQuestion
from exam_core.buckets import bucket_of
from exam_core.commitments import attempt_member
from exam_core.fold import SealedBucket, root_digest, seal_bucket
from exam_core.inclusion import BucketRoot
from exam_core.keys import SigningKeys, new_signing_jwk
from exam_core.paper import freeze, plain_text
from exam_core.questions.choices import Choice, SingleChoice
from exam_core.scoring import MultipleRule, Policy
from exam_core.statements import sign

SITTING = UUID("6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10")
SECRET = bytes(32)
BUCKETS = 2
WEB = SigningKeys.from_jwks({"keys": [new_signing_jwk(Ed25519PrivateKey.from_private_bytes(bytes(32)))]})
STUDENTS = range(1, 8)


def exam(correct: int) -> AuthoredExam:
    """An exam of two questions with three choices each."""
    choices = tuple(Choice(id=str(n), text=str(n), credit=Fraction(n == correct)) for n in range(3))
    interaction = SingleChoice(choices=choices)
    questions = (
        AuthoredQuestion(id="1", text="?", weight=Decimal("1.5"), interaction=interaction),
        AuthoredQuestion(id="2", text="!", weight=Decimal(1), interaction=interaction),
    )
    return AuthoredExam(slug="e", title="E", instructions="", questions=questions)


PAPER, KEY = freeze(exam(1), range, plain_text)
_, OTHER_KEY = freeze(exam(0), range, plain_text)


def saved_answer(student: int, seq: int, choice: int) -> Answer:
    """An answer to question 0 as a solver writes it."""
    value = AnswerValue(choice=1 << choice)
    return Answer(
        student=student,
        question=0,
        seq=seq,
        answer_id=answer_id_of(sitting=SITTING, student=student, question=0, seq=seq, answer=value),
        received_at=10 + seq,
        deadline_at=100,
        solver=UUID(int=1),
        epoch=1,
        answer=value,
    )


def stored_bucket(number: int) -> StoredBucket:
    """A bucket's rows and seal: each student changed the answer once."""
    ours = [student for student in STUDENTS if bucket_of(student, BUCKETS) == number]
    answers = [saved_answer(student, seq, (student + seq) % 3) for student in ours for seq in (1, 2)]
    starts = [Start(student=student, started_at=1, solver=UUID(int=1), epoch=1, seed=1) for student in ours]
    seal = seal_bucket(sitting=SITTING, bucket=number, paper=None, answers=answers, starts=starts, submissions=[])
    return StoredBucket(answers=answers, starts=starts, submissions=[], seal=seal.data)


def record() -> SittingRecord:
    """A correct sitting with one graded revision."""
    stored = [stored_bucket(number) for number in range(BUCKETS)]
    seals = [SealedBucket(bucket.seal or b"") for bucket in stored]
    policy = Policy(multiple=MultipleRule.ALL_OR_NOTHING)
    sitting = SittingRecord(
        id=SITTING,
        name="n",
        paper=PAPER.digest,
        paper_body=PAPER.body,
        key=KEY.digest,
        keys={KEY.digest: KEY.body},
        buckets=BUCKETS,
        closed_at=200,
        drained_at=300,
        sealed_at=400,
        seal=root_digest(SITTING, [seal.digest for seal in seals]),
        secret=SECRET,
        records=[
            BucketRecord(
                bucket=number,
                answers=seal.count,
                students=len(seal.students),
                digest=seal.digest,
                tree_root=BucketRoot.of(number, [attempt_member(SECRET, SITTING, a) for a in seal.students]).root,
            )
            for number, seal in enumerate(seals)
        ],
        stored=stored,
        revisions=[],
        students=frozenset(STUDENTS),
    )
    revision = RevisionRecord(
        number=1,
        key=KEY.digest,
        policy=policy.to_json(),
        policy_digest=policy.digest,
        chunks=BUCKETS,
        finished_at=500,
        ledger=[],
        degrees=[],
    )
    audit = Audit(replace(sitting, revisions=[revision]))
    ledger = [ChunkRecord(chunk=r.bucket, degrees=r.students, tree_root=r.root) for r in audit.degree_roots(revision)]
    degrees = [degree for _, degree in sorted(audit.degrees(revision).items())]
    return replace(sitting, revisions=[replace(revision, ledger=ledger, degrees=degrees)])


RECORD = record()
(REVISION,) = RECORD.revisions


def faults(sitting: SittingRecord) -> list[str]:
    """The faults of a sitting."""
    return list(Audit(sitting).faults())


def with_revision(**changes: Any) -> SittingRecord:
    """The sitting with a changed revision."""
    return replace(RECORD, revisions=[replace(REVISION, **changes)])


def with_bucket(**changes: Any) -> SittingRecord:
    """The sitting with a changed record of its first bucket."""
    return replace(RECORD, records=[replace(RECORD.records[0], **changes), *RECORD.records[1:]])


def with_stored(**changes: Any) -> SittingRecord:
    """The sitting with a changed first bucket in Cassandra."""
    return replace(RECORD, stored=[replace(RECORD.stored[0], **changes), *RECORD.stored[1:]])


def test_a_correct_sitting_has_no_fault() -> None:
    """If nothing was changed, everything follows from the answer log, and points were earned and missed."""
    assert faults(RECORD) == []
    assert {degree.total for degree in REVISION.degrees} == {"0", "1.5"}


ADJUSTMENTS = Adjustments(
    (
        LeaveOut(question=1, reason="Not part of the course."),
        SetWeight(question=0, weight=Decimal(3), reason="Announced."),
    ),
    salt="6f1c2e",
)


def regraded(adjustments: Adjustments) -> RevisionRecord:
    """A second revision with adjustments, as web and graders record it."""
    policy = Policy(adjustments=adjustments)
    revision = replace(REVISION, number=2, policy=policy.to_json(), policy_digest=policy.digest, ledger=[], degrees=[])
    audit = Audit(replace(RECORD, revisions=[revision]))
    roots = audit.degree_roots(revision)
    ledger = [ChunkRecord(chunk=root.bucket, degrees=root.students, tree_root=root.root) for root in roots]
    return replace(revision, ledger=ledger, degrees=list(audit.degrees(revision).values()))


def test_a_regrade_with_adjustments_has_no_fault() -> None:
    """A revision with adjustments is recomputed with them, beside the one before, which keeps its degrees."""
    second = regraded(ADJUSTMENTS)
    assert faults(replace(RECORD, revisions=[REVISION, second])) == []
    assert {degree.total for degree in second.degrees} == {"0", "3"}
    assert {degree.maximum for degree in second.degrees} == {"3"}


def test_changed_adjustments_are_found() -> None:
    """If a reason, an adjustment or the salt is changed later, the audit names the policy, or the degrees."""
    second = regraded(ADJUSTMENTS)
    leave_out, weight = ADJUSTMENTS.entries
    others = (
        Adjustments((replace(leave_out, reason="Another one."), weight), salt=ADJUSTMENTS.salt),
        Adjustments(ADJUSTMENTS.entries, salt="other"),
        Adjustments((weight,), salt=ADJUSTMENTS.salt),
    )
    for other in others:
        changed = replace(second, policy=Policy(adjustments=other).to_json())
        assert any("revision 2: policy: digest" in each for each in faults(replace(RECORD, revisions=[changed])))
    policy = Policy(adjustments=others[-1])
    consistent = replace(second, policy=policy.to_json(), policy_digest=policy.digest)
    assert any("student 1 has" in each for each in faults(replace(RECORD, revisions=[consistent])))
    unreadable = replace(second, policy={**second.policy, "adjustments": {"entries": [{"change": "none"}]}})
    assert any("its policy cannot be read" in each for each in faults(replace(RECORD, revisions=[unreadable])))


SEALED = SealedBucket(RECORD.stored[0].seal or b"")
FEWER = SealedBucket.of(sitting=SITTING, bucket=0, students=SEALED.students[1:])


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (with_bucket(digest="0" * 64), "bucket 0: digest 000"),
        (with_bucket(answers=99), "bucket 0: answers 99 is recorded"),
        (with_bucket(students=99), "bucket 0: students 99 is recorded"),
        (with_bucket(tree_root="0" * 64), "bucket 0: root of the tree 000"),
        (replace(RECORD, records=RECORD.records[1:]), "buckets [1] are recorded, the sitting has 2"),
        (replace(RECORD, seal="0" * 64), "sitting: digest 000"),
        (with_stored(seal=None), "bucket 0: there is no intact seal"),
        (with_stored(seal=b"{"), "bucket 0: there is no intact seal"),
        (with_stored(seal=FEWER.data), f"bucket 0: the seal of student {SEALED.students[0].student} is not what"),
        (with_stored(answers=RECORD.stored[0].answers[2:]), "is not what the answer log gives"),
        (replace(RECORD, paper_body=PAPER.body.replace(b"!", b".")), "the paper's content has digest"),
        (replace(RECORD, keys={KEY.digest: OTHER_KEY.body}), "a key's content has digest"),
        (replace(RECORD, keys={KEY.digest: b"{"}), "the paper or a key cannot be read"),
        (replace(RECORD, key="0" * 64), "revision 1: it was graded with key"),
        (with_revision(policy=Policy(multiple=MultipleRule.PROPORTIONAL).to_json()), "revision 1: policy: digest"),
        (with_revision(policy={}), "revision 1: its policy cannot be read"),
        (with_revision(degrees=[replace(REVISION.degrees[0], total="9"), *REVISION.degrees[1:]]), "student 1 has 9 of"),
        (with_revision(degrees=[replace(REVISION.degrees[0], points=(None,)), *REVISION.degrees[1:]]), "student 1 has"),
        (with_revision(degrees=REVISION.degrees[1:]), "student 1 has no degree"),
        (with_revision(degrees=[*REVISION.degrees, replace(REVISION.degrees[0], student=9)]), "student 9 has"),
        (with_revision(ledger=REVISION.ledger[1:]), "revision 1: chunks [1] of 2 are in the ledger"),
        (with_revision(ledger=[replace(REVISION.ledger[0], degrees=9), REVISION.ledger[1]]), "chunk 0: degrees 9"),
        (with_revision(ledger=[replace(REVISION.ledger[0], tree_root=""), REVISION.ledger[1]]), "chunk 0: root of"),
    ],
)
def test_each_change_is_found(changed: SittingRecord, expected: str) -> None:
    """If an owner of the database changes one value, the audit names it (negative control)."""
    assert any(expected in fault for fault in faults(changed)), faults(changed)


def test_a_key_that_was_replaced_consistently_contradicts_the_published_statement() -> None:
    """If the key is replaced together with degrees and roots, only the earlier statement shows it, and it does."""
    changed = replace(RECORD, key=OTHER_KEY.digest, keys={OTHER_KEY.digest: OTHER_KEY.body})
    revision = replace(REVISION, key=OTHER_KEY.digest)
    audit = Audit(replace(changed, revisions=[revision]))
    roots = audit.degree_roots(revision)
    revision = replace(
        revision,
        ledger=[ChunkRecord(chunk=root.bucket, degrees=root.students, tree_root=root.root) for root in roots],
        degrees=[degree for _, degree in sorted(audit.degrees(revision).items())],
    )
    changed = replace(changed, revisions=[revision])
    assert faults(changed) == []
    before, after = Audit(RECORD).degrees_statement(REVISION), Audit(changed).degrees_statement(revision)
    assert before.key != after.key
    assert before.root != after.root


@pytest.mark.parametrize(
    "changed",
    [
        replace(RECORD, keys={KEY.digest: b"{"}),
        replace(RECORD, keys={}),
        replace(RECORD, paper_body=b"{}"),
        with_revision(policy={}),
        with_revision(chunks=0),
        replace(RECORD, revisions=[]),
        replace(RECORD, buckets=0),
    ],
)
def test_content_that_cannot_be_read_is_reported(
    changed: SittingRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If a key, paper or policy was changed so that it cannot be read, the command reports it and exits with 1."""
    audit = Audit(RECORD)
    for name, statement in (("seal", audit.seal_statement()), ("degrees", audit.degrees_statement(REVISION))):
        (tmp_path / f"{name}.json").write_text(json.dumps({"statement": sign(statement, WEB)}))
    (tmp_path / "keys.json").write_text(json.dumps(WEB.public.to_jwks()))
    read = RECORD
    monkeypatch.setattr(verify_sitting, "_read", lambda *_: read)
    command = ["verify-sitting", "n", "--database", "unused", "--from", str(tmp_path)]
    assert main(command) == 0
    assert capsys.readouterr().out == (
        "verified: n: 7 answers of 7 students, 1 revisions; compared with the statement about the seal"
        " and the statement about revision 1\n"
    )
    read = changed
    assert main(command) == 1
    assert "fault: " in capsys.readouterr().out


def test_a_student_who_was_deleted_has_no_degree() -> None:
    """A student without an account has no degree, and that is no fault."""
    assert Audit(replace(RECORD, students=frozenset(STUDENTS) - {1})).degrees(REVISION).keys() == set(STUDENTS) - {1}
