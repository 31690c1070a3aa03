"""From a closed sitting to published degrees: idempotent, in order, never back."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone

from exam_core.fold import SealedBucket, root_digest, seal_bucket
from exam_core.instants import MINUTE, to_micros
from exam_core.problems import Problem, ProblemKind
from exam_web.common.clock import database_now
from exam_web.degrees.models import Degree
from exam_web.degrees.services import DegreeRow, chunk_record
from exam_web.exams.models import Choice
from exam_web.sittings import selectors
from exam_web.sittings.models import LedgerEntry, Sitting
from exam_web.sittings.services import (
    revision_complete,
    revision_open,
    revision_publish,
    sealed_bucket_record,
    sitting_close,
    sitting_drain,
    sitting_mark_sealed,
)

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


def raises(kind: ProblemKind, call, **arguments: object) -> None:
    """Assert that a call raises a Problem of a kind."""
    with pytest.raises(Problem) as problem:
        call(**arguments)
    assert problem.value.kind is kind, problem.value.detail


def empty(sitting: Sitting, bucket: int) -> SealedBucket:
    """The seal of a bucket without answers."""
    return seal_bucket(sitting=sitting.id, bucket=bucket, paper=None, answers=[], starts=[], submissions=[])


def degree(student: int, total: str) -> DegreeRow:
    """A degree out of twenty."""
    return DegreeRow(
        student=student,
        total=Decimal(total),
        maximum=Decimal(20),
        points=[total, None],
        answered=1,
        started_at=timezone.now(),
        submitted_at=None,
    )


@pytest.fixture
def sealed(over: Sitting) -> Sitting:
    """A sealed sitting without answers."""
    sitting_close(sitting=over.id)
    assert sitting_drain(sitting=over.id).drained
    digests = []
    for bucket in range(over.buckets):
        sealed_bucket_record(sitting=over.id, bucket=bucket, sealed=empty(over, bucket))
        digests.append(empty(over, bucket).digest)
    return sitting_mark_sealed(sitting=over.id, root=root_digest(over.id, digests))


def test_a_sitting_is_due_after_its_last_deadline(open_now: Sitting, provision) -> None:
    """The periodic close finds a sitting once its last deadline has passed, extra time included."""
    assert selectors.sittings_due() == []
    Sitting.objects.filter(id=open_now.id).update(closes_at=timezone.now() - timedelta(seconds=1))
    assert [row.id for row in selectors.sittings_due()] == [open_now.id]


def test_sealing_needs_the_drain(over: Sitting) -> None:
    """A bucket is recorded only once no acknowledged answer can still be in flight."""
    raises(ProblemKind.STATE_CONFLICT, sealed_bucket_record, sitting=over.id, bucket=0, sealed=empty(over, 0))
    sitting_close(sitting=over.id)
    raises(ProblemKind.STATE_CONFLICT, sealed_bucket_record, sitting=over.id, bucket=0, sealed=empty(over, 0))
    sitting_drain(sitting=over.id)
    for _ in range(2):
        sealed_bucket_record(sitting=over.id, bucket=0, sealed=empty(over, 0))
    other = seal_bucket(sitting=uuid4(), bucket=0, paper=None, answers=[], starts=[], submissions=[])
    raises(ProblemKind.CONFLICT, sealed_bucket_record, sitting=over.id, bucket=0, sealed=other)


def test_a_seal_needs_every_bucket_and_their_root(over: Sitting) -> None:
    """A sitting is marked as sealed once every bucket is recorded, under their root digest."""
    sitting_close(sitting=over.id)
    sitting_drain(sitting=over.id)
    raises(ProblemKind.STATE_CONFLICT, sitting_mark_sealed, sitting=over.id, root="0" * 64)
    digests = [empty(over, bucket).digest for bucket in range(over.buckets)]
    for bucket in range(over.buckets):
        sealed_bucket_record(sitting=over.id, bucket=bucket, sealed=empty(over, bucket))
    raises(ProblemKind.CONFLICT, sitting_mark_sealed, sitting=over.id, root="0" * 64)
    root = root_digest(over.id, digests)
    assert sitting_mark_sealed(sitting=over.id, root=root).seal_digest == root
    assert sitting_mark_sealed(sitting=over.id, root=root).state == "sealed"


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_revision_begins_by_the_platforms_clock(sealed: Sitting, hours: int) -> None:
    """If the clock of the machine that opens a revision is wrong, lost tasks of its grading are sent again in time."""
    with time_machine.travel(timezone.now() + timedelta(hours=hours)):
        started_at = revision_open(sitting=sealed.id, number=1).started_at
    assert abs(to_micros(started_at) - database_now()) < MINUTE


def test_a_revision_freezes_its_key(sealed: Sitting) -> None:
    """The first revision has the paper's key, a later one the corrected; revision numbers have no gaps."""
    raises(ProblemKind.STATE_CONFLICT, revision_open, sitting=sealed.id, number=2)
    first = revision_open(sitting=sealed.id, number=1)
    choice = Choice.objects.filter(question__kind="single", correct=True).earliest("pk")
    other = choice.question.choices.filter(correct=False).earliest("pk")
    Choice.objects.filter(pk=choice.pk).update(correct=False)
    Choice.objects.filter(pk=other.pk).update(correct=True)
    assert revision_open(sitting=sealed.id, number=1).key_id == first.key_id
    assert revision_open(sitting=sealed.id, number=2).key_id != first.key_id


def test_recording_a_chunk_is_idempotent(sealed: Sitting, people) -> None:
    """A chunk that is recorded again has no effect; a degree of a deleted student is skipped."""
    revision = revision_open(sitting=sealed.id, number=1)
    gone = 10**9
    assert chunk_record(revision=revision, chunk=0, degrees=[degree(people.student.pk, "7.5"), degree(gone, "1")])
    assert not chunk_record(revision=revision, chunk=0, degrees=[degree(people.student.pk, "20")])
    assert [(d.student_id, d.total, d.points) for d in Degree.objects.all()] == [
        (people.student.pk, Decimal("7.50"), ["7.5", None])
    ]
    assert LedgerEntry.objects.count() == 1


def test_a_student_sees_only_own_published_degrees(sealed: Sitting, people, log_in) -> None:
    """Degrees are shown once their revision is complete and published, to their student and their Doctor."""
    revision = revision_open(sitting=sealed.id, number=1)
    raises(ProblemKind.STATE_CONFLICT, revision_complete, revision=revision)
    raises(ProblemKind.STATE_CONFLICT, revision_publish, revision=revision)
    for chunk in range(revision.chunks):
        rows = [degree(people.student.pk, "7.5"), degree(people.other_student.pk, "3")] if chunk == 0 else []
        chunk_record(revision=revision, chunk=chunk, degrees=rows)
    assert selectors.missing_chunks(revision) == []
    revision_complete(revision=revision)
    student, doctor = log_in(people.student), log_in(people.doctor)
    assert student.get("/api/degrees").json()["count"] == 0
    assert doctor.get("/api/degrees", exam="algebra-101").json()["count"] == 2
    revision_publish(revision=revision)
    (mine,) = student.get("/api/degrees").json()["results"]
    assert (mine["total"], mine["student"], mine["points"]) == ("7.50", "sara", ["7.5", None])
    assert log_in(people.other_doctor).get("/api/degrees").json()["count"] == 0


def test_an_earlier_revision_cannot_be_published(sealed: Sitting) -> None:
    """Once a later revision is published, an earlier one is rejected."""
    revisions = []
    for number in (1, 2):
        revision = revision_open(sitting=sealed.id, number=number)
        for chunk in range(revision.chunks):
            chunk_record(revision=revision, chunk=chunk, degrees=[])
        revisions.append(revision_complete(revision=revision))
    assert revision_publish(revision=revisions[1]).published_revision == 2
    assert revision_publish(revision=revisions[1]).published_revision == 2
    raises(ProblemKind.CONFLICT, revision_publish, revision=revisions[0])
    assert Sitting.objects.get().published_revision == 2
