"""How often a student may take an exam that has several sittings: set by its author, and known to solvers."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from exam_core.authoring.exam import read_exam
from exam_core.problems import Problem
from exam_core.schedule import Attempts, ScheduledSitting, State
from exam_harness.environments.processes.paths import REPOSITORY
from exam_papers.images.acceptance import accept_image
from exam_web.exams.models import Exam
from exam_web.exams.services import exam_import
from exam_web.sittings.models import Schedule, Sitting

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PAPER = (REPOSITORY / "k8s/samples/papers/algebra-101.yaml").read_text()


@pytest.fixture
def scheduled(as_owner: Callable[[], AbstractContextManager[None]]) -> Callable[[], dict[str, ScheduledSitting]]:
    """Reads the sittings as a renewal gives them to solvers; the function within it is its owner's alone."""

    def read() -> dict[str, ScheduledSitting]:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("SELECT solver_sittings()")
            entries: list[dict[str, Any]] = json.loads(cursor.fetchone()[0])
        return {str(entry["id"]): ScheduledSitting.from_json(entry) for entry in entries}

    return read


def epoch() -> int:
    """The schedule's epoch."""
    return Schedule.objects.get().epoch


def test_solvers_know_the_other_sittings_of_an_exam(provision, scheduled) -> None:
    """If an exam has a second sitting, solvers know of the first one, however long ago it was."""
    first = provision("midterm")
    assert scheduled()[str(first.id)].exam is not None
    long_ago = timezone.now() - timedelta(days=400)
    Sitting.objects.filter(id=first.id).update(
        opens_at=long_ago, closes_at=long_ago + timedelta(hours=1), state=State.SEALED.value
    )
    second = provision("make-up")
    assert set(scheduled()) == {str(second.id)}
    exam = scheduled()[str(second.id)].exam
    assert exam is not None
    assert (exam.id, exam.attempts) == (second.exam_id, Attempts.ONE)
    assert [(other.id, other.state, other.buckets) for other in exam.others] == [
        (first.id, State.SEALED, first.buckets)
    ]


def test_a_change_reaches_solvers_with_their_next_renewal(log_in, people, provision, scheduled) -> None:
    """If I allow an attempt in each sitting, solvers read the schedule anew; other changes are not for them."""
    sitting = provision("midterm")
    doctor = log_in(people.doctor)
    before = epoch()
    assert doctor.send("PATCH", "/api/exams/algebra-101", {"title": "Algebra"}).status_code == 200
    assert epoch() == before
    answer = doctor.send("PATCH", "/api/exams/algebra-101", {"attempts": "each-sitting"})
    assert (answer.status_code, answer.json()["attempts"]) == (200, "each-sitting")
    assert epoch() == before + 1
    exam = scheduled()[str(sitting.id)].exam
    assert exam is not None
    assert exam.attempts is Attempts.EACH_SITTING
    assert doctor.send("PATCH", "/api/exams/algebra-101", {"attempts": "each-sitting"}).status_code == 200
    assert epoch() == before + 1
    assert log_in(people.student).get("/api/exams/algebra-101").json()["attempts"] == "each-sitting"


def test_an_exam_may_be_taken_once_unless_it_says_otherwise(log_in, people, algebra) -> None:
    """A new exam allows one attempt; another value than the two is rejected by the API and by the database."""
    doctor = log_in(people.doctor)
    new = {"slug": "new", "title": "New", "level": "year-1"}
    assert doctor.send("POST", "/api/exams", new).json()["attempts"] == "one"
    assert doctor.send("POST", "/api/exams", new | {"slug": "b", "attempts": "twice"}).status_code == 422
    with pytest.raises(IntegrityError, match="exam_attempts_known"), transaction.atomic():
        Exam.objects.update(attempts="twice")
    assert set(Exam.objects.values_list("attempts", flat=True)) == {"one"}


def test_a_document_may_say_how_often(people, algebra) -> None:
    """If my exam is a document, its member `attempts` is applied; without it, what was set in the admin stays."""
    document = PAPER.replace("title:", "attempts: each-sitting\ntitle:", 1)
    exam_import(document=read_exam(document, accept_image), author=None)
    assert Exam.objects.get().attempts == "each-sitting"
    exam_import(document=read_exam(PAPER, accept_image), author=None)
    assert Exam.objects.get().attempts == "each-sitting"
    with pytest.raises(Problem) as caught:
        read_exam(PAPER.replace("title:", "attempts: twice\ntitle:", 1), accept_image)
    assert "attempts is not one of one, each-sitting" in str(caught.value.extra)


def test_the_admin_shows_the_choice(client, people, algebra) -> None:
    """I allow an attempt in each sitting on the exam's page."""
    client.force_login(people.admin)
    page = client.get(f"/admin/exams/exam/{algebra.pk}/change/").content.decode()
    assert 'name="attempts"' in page
    assert "one in each sitting" in page
