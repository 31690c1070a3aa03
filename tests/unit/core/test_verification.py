"""Proofs of inclusion, statements, and what they say about receipts and degrees."""

import hashlib
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, answer_id_of
from exam_core.buckets import bucket_of
from exam_core.commitments import DegreeContent, attempt_member, commit_to_key, degree_member
from exam_core.fold import SealedAttempt, fold_answers, seal_bucket
from exam_core.inclusion import BucketRoot, InclusionProof, InvalidProofError, Member, buckets_root
from exam_core.keys import SigningKeys
from exam_core.receipts import Receipt
from exam_core.receipts import sign as sign_receipt
from exam_core.statements import BadStatementError, DegreesStatement, SealStatement, read, sign
from exam_core.verification import Outcome, verify_degree, verify_receipt

SITTING = UUID("6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10")
SECRET = bytes(range(32))
BUCKETS = 3
STATEMENT = SealStatement(
    sitting=SITTING,
    name="algebra-midterm",
    paper="ab" * 32,
    buckets=BUCKETS,
    students=0,
    answers=0,
    root="",
    seal="cd" * 32,
    closed_at=1,
    drained_at=2,
    sealed_at=3,
)
DEGREES = DegreesStatement(
    sitting=SITTING,
    name="algebra-midterm",
    revision=1,
    paper="ab" * 32,
    key=commit_to_key(SECRET, SITTING, "ef" * 32),
    policy="12" * 32,
    seal="cd" * 32,
    buckets=BUCKETS,
    degrees=0,
    root="",
    graded_at=4,
)


def saved_answer(student: int, question: int, seq: int, choice: int, at: int = 10, until: int = 100) -> Answer:
    """An answer as a solver writes it."""
    value = AnswerValue(choice=choice)
    return Answer(
        student=student,
        question=question,
        seq=seq,
        answer_id=answer_id_of(sitting=SITTING, student=student, question=question, seq=seq, answer=value),
        received_at=at,
        deadline_at=until,
        solver=UUID(int=1),
        epoch=1,
        answer=value,
    )


ANSWERS = st.lists(
    st.builds(
        saved_answer,
        student=st.integers(1, 9),
        question=st.integers(0, 1),
        seq=st.integers(1, 3),
        choice=st.integers(0, 2),
        at=st.integers(0, 12),
        until=st.integers(5, 12),
    ),
    max_size=25,
)


def trees(members: list[Member]) -> tuple[list[list[Member]], list[BucketRoot]]:
    """The members by bucket, and the buckets' roots."""
    groups: list[list[Member]] = [[] for _ in range(BUCKETS)]
    for member in sorted(members, key=lambda member: member.student):
        groups[bucket_of(member.student, BUCKETS)].append(member)
    return groups, [BucketRoot.of(number, group) for number, group in enumerate(groups)]


def proof_of(student: int, members: list[Member]) -> InclusionProof:
    """The proof of a student, as it arrives."""
    groups, buckets = trees(members)
    proof = InclusionProof.of(student, groups[bucket_of(student, BUCKETS)], buckets)
    assert proof is not None
    return InclusionProof.from_json(json.loads(json.dumps(proof.to_json())))


def sealed(answers: list[Answer]) -> tuple[SealStatement, list[Member]]:
    """The statement about these answers, and the members of its tree."""
    attempts = seal_bucket(sitting=SITTING, bucket=0, paper=None, answers=answers, starts=[], submissions=[]).students
    members = [attempt_member(SECRET, SITTING, attempt) for attempt in attempts]
    return replace(STATEMENT, root=buckets_root(trees(members)[1])), members


@given(ANSWERS)
def test_every_receipt_is_counted_or_superseded(answers: list[Answer]) -> None:
    """Each receipt I have proves that its answer counts, or shows the later answer of mine that does."""
    statement, members = sealed(answers)
    counted = fold_answers(answers)
    for answer in (answer for answer in answers if answer.in_time):
        verdict = verify_receipt(Receipt.of(SITTING, answer), statement, proof_of(answer.student, members))
        winner = counted[answer.student, answer.question]
        assert verdict.outcome is (Outcome.COUNTED if winner.answer_id == answer.answer_id else Outcome.SUPERSEDED)
        assert verdict.counted is not None
        assert verdict.counted.answer_id == winner.answer_id


@given(ANSWERS, st.data())
def test_a_seal_that_lost_an_answer_is_found_out(answers: list[Answer], data: st.DataObject) -> None:
    """Negative control: if an acknowledged answer or a later one is not in the seal, my receipt shows it."""
    counted = fold_answers(answers)
    if not counted:
        return
    lost = data.draw(st.sampled_from(sorted(counted.values(), key=lambda answer: (answer.student, answer.question))))
    # A start keeps the student in the seal; without one there would be no proof at all.
    kept = [answer for answer in answers if answer.answer_id != lost.answer_id]
    statement, members = sealed([*kept, saved_answer(lost.student, 9, 1, 0)])
    verdict = verify_receipt(Receipt.of(SITTING, lost), statement, proof_of(lost.student, members))
    assert verdict.outcome is Outcome.NOT_COUNTED


def test_another_content_under_my_receipts_answer_is_found_out() -> None:
    """An answer whose content was changed after it was acknowledged is not the one that was acknowledged."""
    answer = saved_answer(1, 0, 1, choice=1)
    statement, members = sealed([answer])
    forged = replace(Receipt.of(SITTING, answer), answer="00" * 32)
    assert verify_receipt(forged, statement, proof_of(1, members)).outcome is Outcome.NOT_COUNTED


def test_a_proof_of_another_student_sitting_or_seal_is_rejected() -> None:
    """Only my own proof from the sitting of my receipt says anything about my answer."""
    mine, other = saved_answer(1, 0, 1, 1), saved_answer(2, 0, 1, 1)
    statement, members = sealed([mine, other])
    receipt = Receipt.of(SITTING, mine)
    with pytest.raises(InvalidProofError, match="about student 2, not 1"):
        verify_receipt(receipt, statement, proof_of(2, members))
    with pytest.raises(InvalidProofError, match="of sitting"):
        verify_receipt(replace(receipt, sitting=UUID(int=1)), statement, proof_of(1, members))
    with pytest.raises(InvalidProofError, match="leads to the root"):
        verify_receipt(receipt, sealed([other])[0], proof_of(1, members))


@given(ANSWERS.filter(lambda answers: any(answer.in_time for answer in answers)), st.data())
def test_a_changed_proof_is_rejected(answers: list[Answer], data: st.DataObject) -> None:
    """No member of a proof can be changed: not my answers, not the salt, not a place, not a hash."""
    statement, members = sealed(answers)
    student = data.draw(st.sampled_from(members)).student
    body: dict[str, Any] = dict(proof_of(student, members).to_json())
    name = data.draw(st.sampled_from(sorted(body)))
    if name == "content":
        change: Any = body["content"] | {"started_at": 12345}
    elif name == "salt":
        change = data.draw(st.binary(min_size=32, max_size=32)).hex()
    elif name in {"path", "bucket_path"}:
        change = data.draw(st.lists(st.binary(min_size=32, max_size=32).map(bytes.hex), max_size=4))
    else:
        change = data.draw(st.integers(-1, 12))
    if change == body[name]:
        return
    with pytest.raises(InvalidProofError):
        InclusionProof.from_json(body | {name: change}).verify(student=student, root=statement.root, buckets=BUCKETS)


STRANGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(proof_of(1, [Member(content={"student": 1}, salt="00")]).to_json())), STRANGE)
def test_any_content_of_a_proof_is_read_or_rejected(name: str, value: Any) -> None:
    """Whatever stands in a proof, it holds or is rejected with InvalidProofError."""
    members = [Member(content={"student": 1}, salt="00")]
    body = dict(proof_of(1, members).to_json()) | {name: value}
    root = buckets_root(trees(members)[1])
    try:
        proof = InclusionProof.from_json(body)
        proof.verify(student=1, root=root, buckets=BUCKETS)
    except InvalidProofError:
        return
    with pytest.raises(InvalidProofError, match="not of a sealed attempt"):
        verify_receipt(Receipt.of(SITTING, saved_answer(1, 0, 1, 1)), replace(STATEMENT, root=root), proof)


def test_a_proof_shows_nothing_of_neighbours() -> None:
    """Who proves an own answer learns hashes of others alone, and cannot test a guess of their answers with them."""
    ours = [saved_answer(student, 0, 1, choice=1) for student in range(1, 40)]
    _, members = sealed(ours)
    proof = proof_of(1, members)
    hashes = {*proof.path, *proof.bucket_path}
    guess = next(m for m in members if m.student != 1 and bucket_of(m.student, BUCKETS) == proof.bucket)
    assert proof.to_json().keys() == {"content", "salt", "bucket", "students", "index", "path", "bucket_path"}
    assert proof.member.content["student"] == 1
    # The neighbour's leaf is in the proof, but cannot be computed without a salt or with the salt of the prover.
    neighbours = [m for m in members if m.leaf in hashes]
    assert len(neighbours) == 1
    for salt in ("", proof.member.salt):
        assert not {replace(m, salt=salt).leaf for m in (*neighbours, guess)} & hashes


def test_salts_differ_by_student_use_and_secret() -> None:
    """The salt of my degree or of another sitting says nothing about that of another leaf."""
    attempts = [SealedAttempt(student=n, started_at=None, submitted_at=None, answers=()) for n in (1, 2)]
    degrees = [DegreeContent(student=n, total="1", maximum="2", answered=0, points=(None,)) for n in (1, 2)]
    salts = [attempt_member(SECRET, SITTING, attempt).salt for attempt in attempts]
    salts += [degree_member(SECRET, SITTING, revision, degree).salt for degree in degrees for revision in (1, 2)]
    salts += [
        attempt_member(bytes(32), SITTING, attempts[0]).salt,
        attempt_member(SECRET, UUID(int=1), attempts[0]).salt,
    ]
    assert len(set(salts)) == len(salts)
    assert all(len(salt) == 64 for salt in salts)


def test_a_student_who_is_not_in_the_seal_has_no_proof() -> None:
    """There is no proof for a student without a sealed attempt."""
    groups, buckets = trees(sealed([saved_answer(1, 0, 1, 1)])[1])
    assert InclusionProof.of(2, groups[bucket_of(2, BUCKETS)], buckets) is None


def test_a_degree_is_proved_to_be_in_its_revision() -> None:
    """I can prove which degree was published for me, and no other one."""
    degrees = [DegreeContent(student=n, total="1.5", maximum="2", answered=2, points=("1.5", "0")) for n in range(1, 9)]
    members = [degree_member(SECRET, SITTING, 1, degree) for degree in degrees]
    statement = replace(DEGREES, root=buckets_root(trees(members)[1]))
    assert verify_degree(statement, proof_of(3, members)) == degrees[2]
    better = replace(proof_of(3, members), member=replace(members[2], content={**members[2].content, "total": "2"}))
    with pytest.raises(InvalidProofError, match="leads to the root"):
        verify_degree(statement, better)


def test_an_attempt_cannot_pass_as_a_degree() -> None:
    """The proof of a sealed attempt proves no degree."""
    statement, members = sealed([saved_answer(1, 0, 1, 1)])
    with pytest.raises(InvalidProofError, match="not of a degree"):
        verify_degree(replace(DEGREES, root=statement.root), proof_of(1, members))


@pytest.mark.parametrize("statement", [STATEMENT, DEGREES])
def test_a_statement_is_read_as_it_was_signed(statement: Any, keys: SigningKeys, other_keys: SigningKeys) -> None:
    """A statement contains what was signed, always in the same text, and only web's keys can make one."""
    text = sign(statement, keys)
    assert text == sign(statement, keys)
    assert read(type(statement), text, keys.public) == statement
    with pytest.raises(BadStatementError, match="no key"):
        read(type(statement), text, other_keys.public)
    with pytest.raises(BadStatementError):
        read(type(statement), text[:-8] + "AAAAAAAA", keys.public)


def test_one_kind_of_statement_is_not_read_as_another(keys: SigningKeys) -> None:
    """A receipt is no statement, and a statement about degrees is none about a seal."""
    with pytest.raises(BadStatementError, match="not of type"):
        read(SealStatement, sign(DEGREES, keys), keys.public)
    receipt = sign_receipt(Receipt.of(SITTING, saved_answer(1, 0, 1, 1)), keys)
    with pytest.raises(BadStatementError, match="not of type"):
        read(SealStatement, receipt, keys.public)


def test_a_leaf_can_be_computed_from_the_published_description() -> None:
    """The leaf is the hash of a zero byte and the canonical JSON of content and salt."""
    member = Member(content={"student": 1}, salt="00")
    assert member.leaf == hashlib.sha256(b'\x00{"content":{"student":1},"salt":"00"}').digest()
