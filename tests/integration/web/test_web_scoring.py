"""The scoring policy of an exam, and of the sittings that take it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from exam_harness.environments.processes.paths import REPOSITORY
from exam_web.exams.models import Exam
from exam_web.sittings import services
from exam_web.sittings.models import Sitting

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PAPER = (REPOSITORY / "k8s/samples/papers/algebra-101.yaml").read_text()
DEFAULT = {"multiple": "all-or-nothing", "negative_total": False}
PROPORTIONAL = {"format": 1, "multiple": "proportional"}
NEGATIVE = PROPORTIONAL | {"negative_total": True}


def rules(status: dict[str, Any]) -> tuple[str, bool]:
    """The rules of a sitting's policy as its status shows them."""
    return status["multiple"], status["negative_total"]


def test_an_author_sets_the_policy_in_the_api(log_in, people) -> None:
    """If I set rules of scoring by the API, the others stay; a new exam has the defaults; students see them."""
    doctor = log_in(people.doctor)
    new = {"slug": "new", "title": "New", "level": "year-1", "published": True}
    assert doctor.send("POST", "/api/exams", new).json()["scoring"] == DEFAULT
    changed = doctor.send("PATCH", "/api/exams/new", {"scoring": {"multiple": "proportional"}})
    assert changed.json()["scoring"] == DEFAULT | {"multiple": "proportional"}
    both = {"multiple": "proportional", "negative_total": True}
    assert doctor.send("PATCH", "/api/exams/new", {"scoring": {"negative_total": True}}).json()["scoring"] == both
    assert Exam.objects.get().policy == NEGATIVE
    assert doctor.send("PATCH", "/api/exams/new", {"title": "Other", "scoring": None}).json()["scoring"] == both
    assert log_in(people.student).get("/api/exams/new").json()["scoring"] == both
    assert doctor.send("PATCH", "/api/exams/new", {"scoring": {"multiple": "half"}}).status_code == 422
    other = doctor.send("POST", "/api/exams", new | {"slug": "other", "scoring": {"negative_total": True}})
    assert other.json()["scoring"] == DEFAULT | {"negative_total": True}


def test_a_document_may_name_the_policy(internal, people) -> None:
    """If my exam is a document, its member `scoring` is applied; without it, what was set before stays."""
    document = PAPER.replace("title:", "scoring: {multiple: proportional}\ntitle:", 1)
    assert internal("PUT", "/exams", document).status_code == 200
    assert Exam.objects.get().policy == PROPORTIONAL
    assert internal("PUT", "/exams", PAPER).status_code == 200
    assert Exam.objects.get().policy == PROPORTIONAL


def test_a_sitting_takes_the_policy_of_its_exam(internal, spec, people) -> None:
    """If a sitting names no rule, it has the exam's; one that it names is its own, the other one the exam's."""
    internal("PUT", "/exams", PAPER)
    Exam.objects.update(policy=NEGATIVE)
    assert rules(internal("PUT", "/sittings/midterm", spec()).json()) == ("proportional", True)
    later = {name: (timezone.now() + timedelta(days=n)).isoformat() for n, name in ((1, "opens_at"), (2, "closes_at"))}
    own = internal("PUT", "/sittings/own", spec() | later | {"multiple": "all-or-nothing"})
    assert rules(own.json()) == ("all-or-nothing", True)


def test_the_policy_is_frozen_with_the_paper(internal, spec, people) -> None:
    """If I change the exam's policy, its sitting keeps the frozen one, says so, and takes it when I freeze anew."""
    internal("PUT", "/exams", PAPER)
    wanted = spec()
    assert internal("PUT", "/sittings/midterm", wanted).status_code == 200
    Exam.objects.update(policy=NEGATIVE)
    again = internal("PUT", "/sittings/midterm", wanted).json()
    assert rules(again) == ("all-or-nothing", False)
    assert again["content"] == {"change": "paper", "detail": "the scoring policy changed"}
    frozen = internal("POST", "/sittings/midterm/refreeze").json()
    assert (rules(frozen), frozen["content"]["change"]) == (("proportional", True), "none")
    assert internal("POST", "/sittings/midterm/refreeze").json()["epoch"] == frozen["epoch"]


def test_a_policy_of_the_sitting_stays(internal, spec, people) -> None:
    """If a sitting has a policy of its own, neither the exam nor freezing anew changes it; a PUT without one does."""
    internal("PUT", "/exams", PAPER)
    wanted = spec()
    internal("PUT", "/sittings/midterm", wanted)
    assert rules(internal("PATCH", "/sittings/midterm", {"negative_total": True}).json()) == ("all-or-nothing", True)
    Exam.objects.update(policy=PROPORTIONAL)
    frozen = internal("POST", "/sittings/midterm/refreeze").json()
    assert (rules(frozen), frozen["content"]["change"]) == (("all-or-nothing", True), "none")
    assert rules(internal("PUT", "/sittings/midterm", wanted).json()) == ("proportional", False)
    assert Sitting.objects.get().own_policy is False


def test_an_open_sitting_keeps_the_policy(internal, spec, people) -> None:
    """If I change the exam's policy while students answer, the sitting is graded by the one that they began with."""
    internal("PUT", "/exams", PAPER)
    wanted = spec()
    internal("PUT", "/sittings/midterm", wanted)
    Sitting.objects.update(opens_at=timezone.now())
    Exam.objects.update(policy=NEGATIVE)
    window = internal("GET", "/sittings/midterm").json()["window"]
    same = wanted | {name: window[name] for name in ("opens_at", "closes_at")}
    again = internal("PUT", "/sittings/midterm", same)
    assert (again.status_code, rules(again.json())) == (200, ("all-or-nothing", False))
    refused = internal("POST", "/sittings/midterm/refreeze")
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "paper-frozen")


def test_a_release_without_policies_of_exams_writes_beside_this_one(provision, people) -> None:
    """During an upgrade, exams and sittings that the release before creates have the policies that it gave them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO exams_exam (slug, title, instructions, level_id, created_at, updated_at)"
            " VALUES ('former', 'Former', '', %s, now(), now())",
            [people.year_1.pk],
        )
        cursor.execute("SELECT column_default FROM information_schema.columns WHERE column_name = 'own_policy'")
        assert cursor.fetchall() == [("true",)]
    former = Exam.objects.get(slug="former")
    assert (former.policy, former.review) == ({"format": 1, "multiple": "all-or-nothing"}, "paper")
    sitting = provision("midterm")
    Sitting.objects.update(own_policy=True)
    Exam.objects.update(policy=NEGATIVE)
    frozen = services.sitting_refreeze(sitting=sitting.id, distribute=lambda _paper: None)
    assert frozen.policy == {"format": 1, "multiple": "all-or-nothing"}
