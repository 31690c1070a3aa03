"""Signed statements about seals and degrees, and each student's proof."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest
from django.test import Client

from exam_answerlog.cassandra import CassandraAnswerLog
from exam_answerlog.settings import CassandraSettings
from exam_answerlog.testing.settings import settings_from
from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, answer_id_of
from exam_core.buckets import bucket_of
from exam_core.fold import SealedBucket, root_digest, seal_bucket
from exam_core.inclusion import InclusionProof
from exam_core.instants import to_micros
from exam_core.keys import PublicKeySet
from exam_core.problems import Problem
from exam_core.receipts import Receipt
from exam_core.statements import BadStatementError, DegreesStatement, SealStatement, read
from exam_core.verification import Outcome, verify_degree, verify_receipt
from exam_harness.environments.processes.servers.cassandra import Cassandra
from exam_web.degrees.models import Degree
from exam_web.degrees.review import review_of
from exam_web.degrees.services import DegreeRow, chunk_record
from exam_web.sittings import seals, services
from exam_web.sittings.models import LedgerEntry, Sitting
from exam_web.sittings.models import SealedBucket as SealedBucketRow
from exam_web.users.models import Student, User

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def reader() -> Iterator[None]:
    """A reader of seals for this test's settings."""
    yield
    if seals.seal_reader.cache_info().currsize:
        seals.seal_reader().close()
    seals.seal_reader.cache_clear()


def saved_answer(sitting: Sitting, student: int, seq: int, choice: int) -> Answer:
    """An answer to question 0 as a solver writes it."""
    value = AnswerValue(choice=choice)
    return Answer(
        student=student,
        question=0,
        seq=seq,
        answer_id=answer_id_of(sitting=sitting.id, student=student, question=0, seq=seq, answer=value),
        received_at=to_micros(sitting.opens_at) + seq,
        deadline_at=to_micros(sitting.closes_at),
        solver=UUID(int=1),
        epoch=1,
        answer=value,
    )


async def store(settings: CassandraSettings, sitting: UUID, buckets: list[SealedBucket]) -> None:
    """Write the seals to Cassandra, as a grader does."""
    log = CassandraAnswerLog.connect(settings)
    try:
        for number, sealed in enumerate(buckets):
            await log.seal(sitting, number, sealed)
    finally:
        await log.close()


@pytest.fixture
def answers(over: Sitting, people) -> list[Answer]:
    """Two answers of one student, who has not attended alone."""
    mine = [saved_answer(over, people.student.pk, seq, seq) for seq in (1, 2)]
    return [*mine, saved_answer(over, people.other_student.pk, 1, 1)]


@pytest.fixture
def sealed(over: Sitting, answers: list[Answer], internal, cassandra: Cassandra) -> Sitting:
    """A sealed sitting with these answers."""
    services.sitting_close(sitting=over.id)
    services.sitting_drain(sitting=over.id)
    buckets = [
        seal_bucket(
            sitting=over.id,
            bucket=number,
            paper=None,
            answers=[a for a in answers if bucket_of(a.student, over.buckets) == number],
            starts=[],
            submissions=[],
        )
        for number in range(over.buckets)
    ]
    asyncio.run(store(settings_from(cassandra.ring.variables("grader")), over.id, buckets))
    for number, bucket in enumerate(buckets):
        services.sealed_bucket_record(sitting=over.id, bucket=number, sealed=bucket)
    return services.sitting_mark_sealed(sitting=over.id, root=root_digest(over.id, [b.digest for b in buckets]))


@pytest.fixture
def graded(sealed: Sitting, people) -> Sitting:
    """The sitting with published degrees; one of the students has been deleted since."""
    revision = services.revision_open(sitting=sealed.id, number=1)
    rows = [degree_row(people.student.pk, "7.50"), degree_row(people.other_student.pk, "3"), degree_row(10**9, "1")]
    for chunk in range(revision.chunks):
        ours = [row for row in rows if bucket_of(row.student, revision.chunks) == chunk]
        chunk_record(revision=revision, chunk=chunk, degrees=ours)
    services.revision_complete(revision=revision)
    return services.revision_publish(revision=revision)


def degree_row(student: int, total: str) -> DegreeRow:
    """A degree out of twenty."""
    return DegreeRow(
        student=student,
        total=Decimal(total),
        maximum=Decimal(20),
        points=[total, None],
        answered=1,
        started_at=None,
        submitted_at=None,
    )


def keys() -> PublicKeySet:
    """The published keys of statements."""
    return PublicKeySet.from_jwks(Client().get("/api/keys").json())


def test_a_receipt_is_verified_with_what_is_published(sealed: Sitting, answers, people, log_in) -> None:
    """With the public seal and my own proof I verify that my answer counts and that the earlier one was superseded."""
    published = Client().get(f"/api/sittings/{sealed.name}/seal").json()["statement"]
    own = log_in(people.student).get(f"/api/sittings/{sealed.id}/seal/proof").json()
    assert own["statement"] == published
    statement = read(SealStatement, published, keys())
    assert (statement.sitting, statement.name, statement.paper) == (sealed.id, sealed.name, sealed.paper_id)
    assert (statement.students, statement.answers, statement.seal) == (2, 2, sealed.seal_digest)
    proof = InclusionProof.from_json(own["proof"])
    first, second, _ = (Receipt.of(sealed.id, answer) for answer in answers)
    assert verify_receipt(first, statement, proof).outcome is Outcome.SUPERSEDED
    assert verify_receipt(second, statement, proof).outcome is Outcome.COUNTED


def test_a_proof_is_given_to_its_student_alone(sealed: Sitting, people, log_in) -> None:
    """A proof needs my login, contains my answers alone, and other people get none."""
    path = f"/api/sittings/{sealed.id}/seal/proof"
    assert Client().get(path).status_code == 401
    body = log_in(people.student).get(path).content.decode()
    assert json.loads(body)["proof"]["content"]["student"] == people.student.pk
    assert f'"student": {people.other_student.pk}' not in body
    assert log_in(people.doctor).get(path).status_code == 404


def test_there_is_no_statement_before_the_seal(over: Sitting, people, log_in) -> None:
    """Before a sitting is sealed nothing is stated about it, and a stranger does not learn whether it exists."""
    for name in (over.name, "none"):
        for part in ("seal", "degrees"):
            response = Client().get(f"/api/sittings/{name}/{part}")
            assert (response.status_code, response.json()["detail"]) == (404, f"no sealed sitting {name!r}")
    assert log_in(people.student).get(f"/api/sittings/{over.id}/seal/proof").status_code == 404


def test_the_same_seal_gives_the_same_statement(sealed: Sitting, internal) -> None:
    """A statement is signed when it is read, always the same; the operator receives it with the status."""
    texts = {Client().get(f"/api/sittings/{sealed.id}/seal").json()["statement"] for _ in range(3)}
    assert texts == {internal("GET", f"/sittings/{sealed.name}").json()["seal"]["statement"]}


def test_keys_of_tokens_sign_no_statement(sealed: Sitting) -> None:
    """The keys that sign logins are not those of statements."""
    tokens = PublicKeySet.from_jwks(Client().get("/.well-known/jwks.json").json())
    with pytest.raises(BadStatementError, match="no key"):
        read(SealStatement, Client().get(f"/api/sittings/{sealed.id}/seal").json()["statement"], tokens)


def test_buckets_of_an_earlier_release_are_completed(sealed: Sitting) -> None:
    """A bucket that was recorded without a root gets it when it is recorded again; until then nothing is stated."""
    rows = dict(SealedBucketRow.objects.values_list("bucket", "tree_root"))
    before = Client().get(f"/api/sittings/{sealed.id}/seal").json()
    SealedBucketRow.objects.filter(bucket=0).update(tree_root="")
    assert Client().get(f"/api/sittings/{sealed.id}/seal").status_code == 404
    bucket = seals.seal_reader().read(sealed.id, 0)
    assert bucket is not None
    services.sealed_bucket_record(sitting=sealed.id, bucket=0, sealed=bucket)
    assert dict(SealedBucketRow.objects.values_list("bucket", "tree_root")) == rows
    assert Client().get(f"/api/sittings/{sealed.id}/seal").json() == before


def test_a_damaged_seal_proves_nothing(sealed: Sitting, people, log_in) -> None:
    """If the stored answers are not those that were recorded, no proof is made from them."""
    SealedBucketRow.objects.update(digest="0" * 64)
    response = log_in(people.student).get(f"/api/sittings/{sealed.id}/seal/proof")
    assert response.status_code == 503
    assert "differs from the one that was recorded" in response.json()["detail"]


@pytest.mark.parametrize("policy", ["degree", "points", "paper", "key"])
def test_a_student_reviews_the_own_attempt(graded: Sitting, people, log_in, provision, policy: str) -> None:
    """If the policy allows it, I see paper, own and right answers, numbered alike, once no sitting is to come."""
    graded.exam.review = policy
    graded.exam.save()
    path = f"/api/sittings/{graded.name}/review"
    student = log_in(people.student)
    body = student.get(path).json()
    assert (body["review"], body["revision"], body["total"]) == (policy, 1, "7.50")
    shown = {name for name in ("points", "paper", "answers", "key") if body[name] is not None}
    expected = {"points": {"points"}, "paper": {"points", "paper", "answers"}}
    assert shown == expected.get(policy, set() if policy == "degree" else expected["paper"] | {"key"})
    if policy == "key":
        assert [answer["question"] for answer in body["answers"]] == [0]
        assert body["key"][0]["kind"] == body["paper"]["questions"][0]["kind"]
        assert len(body["key"][0]["credits"]) == len(body["paper"]["questions"][0]["choices"])
    provision("make-up")
    body = student.get(path).json()
    assert (body["total"], [body[name] for name in ("points", "paper", "answers", "key")]) == ("7.50", [None] * 4)


def test_a_degree_without_an_attempt_in_the_seal_is_not_reviewed(graded: Sitting, people) -> None:
    """If the seal has no attempt to a degree, the review says so, and does not fail."""
    stranger = Student.objects.create(username="stranger", kind=User.Kind.STUDENT, level=people.year_1, password="!")
    Degree.objects.filter(student_id=people.student.pk).update(student_id=stranger.pk)
    with pytest.raises(Problem, match=r"the seal of .* has no attempt of yours"):
        review_of(graded, stranger.pk)


def test_a_degree_is_verified_with_what_is_published(graded: Sitting, people, log_in) -> None:
    """With the public statement and my own proof I verify my degree; the statement names no key that can be guessed."""
    published = Client().get(f"/api/sittings/{graded.name}/degrees").json()["statement"]
    own = log_in(people.student).get(f"/api/sittings/{graded.id}/degrees/proof").json()
    assert own["statement"] == published
    statement = read(DegreesStatement, published, keys())
    assert (statement.revision, statement.degrees, statement.seal) == (1, 2, graded.seal_digest)
    assert statement.key != graded.key_id
    degree = verify_degree(statement, InclusionProof.from_json(own["proof"]))
    assert (degree.student, degree.total, degree.points) == (people.student.pk, "7.5", ("7.50", None))
    assert log_in(people.doctor).get(f"/api/sittings/{graded.id}/degrees/proof").status_code == 404


def test_a_degree_that_was_changed_later_has_no_valid_proof(graded: Sitting, people, log_in) -> None:
    """If a degree is changed in the database after grading, its proof does not lead to the stated root."""
    Degree.objects.filter(student_id=people.student.pk).update(total=Decimal(20))
    own = log_in(people.student).get(f"/api/sittings/{graded.id}/degrees/proof").json()
    statement = read(DegreesStatement, own["statement"], keys())
    proof = InclusionProof.from_json(own["proof"])
    with pytest.raises(Exception, match="leads to the root"):
        verify_degree(statement, proof)
    original = replace(proof, member=replace(proof.member, content={**proof.member.content, "total": "7.5"}))
    assert verify_degree(statement, original).total == "7.5"


def test_nothing_is_stated_about_degrees_that_an_earlier_release_graded(graded: Sitting, people, log_in) -> None:
    """A chunk that was graded without a root can be in no statement; grading a new revision gives one."""
    LedgerEntry.objects.filter(chunk=0).update(tree_root="")
    assert Client().get(f"/api/sittings/{graded.id}/degrees").status_code == 404
    assert log_in(people.student).get(f"/api/sittings/{graded.id}/degrees/proof").status_code == 404


def test_every_sitting_has_a_secret_of_its_own(provision) -> None:
    """The database makes the secret, so a row that an earlier release inserts has one too."""
    secrets = {
        bytes(provision(f"sitting-{n}", opens=3600 * (3 * n + 1), closes=3600 * (3 * n + 2)).proof_secret)
        for n in (0, 1)
    }
    assert len(secrets) == 2
    assert {len(secret) for secret in secrets} == {32}
