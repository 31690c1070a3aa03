"""Which namespaces may hold an exam, and who owns an exam that came by a resource."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from exam_harness.environments.processes.paths import REPOSITORY
from exam_web.exams import ownership
from exam_web.exams.models import Exam
from exam_web.settings import ENVIRONMENT
from exam_web.sittings.models import Sitting

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PAPER = (REPOSITORY / "k8s/samples/papers/algebra-101.yaml").read_text()
SITTING = "finals.midterm.0a1b2c3d"
COMMANDS = {
    "candidates": ("PATCH", "", {"candidates": 200}),
    "window": ("PATCH", "/window", {"duration_us": 60_000_000}),
    "refreeze": ("POST", "/refreeze", {"request": "typo"}),
    "pause": ("POST", "/pause", None),
    "resume": ("POST", "/resume", None),
    "stop": ("POST", "/stop", None),
    "cancel": ("POST", "/cancel", None),
    "accommodation": ("PUT", "/accommodations/sara", {"extra_us": 60_000_000}),
    "entry": ("PATCH", "/entry", {"students": ["sara"]}),
}


def owner() -> str:
    """The username of the exam's author."""
    return Exam.objects.values_list("author__username", flat=True).get()


def by(namespace: str) -> dict[str, str]:
    """The header with which the operator acts for a namespace."""
    return {"Exam-Namespace": namespace}


def refused(answer) -> str:
    """The detail of the problem that a namespace gets for an exam that it may not hold."""
    assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json"), answer.content
    assert answer.json()["type"].endswith("/namespace-not-allowed")
    return str(answer.json()["detail"])


def test_an_exam_of_the_admin_is_held_by_no_namespace_until_its_author_names_one(
    internal, algebra, log_in, people, spec
) -> None:
    """My exam cannot be opened by a resource in any namespace; once I name one, a resource of that one can."""
    detail = refused(internal("PUT", f"/sittings/{SITTING}", spec(), **by("finals")))
    assert "'algebra-101'" in detail
    assert "'finals'" in detail
    assert "Namespaces" in detail, "says what to change"
    assert not Sitting.objects.exists()
    doctor = log_in(people.doctor)
    changed = doctor.send("PATCH", "/api/exams/algebra-101", {"namespaces": ["finals"]})
    assert (changed.status_code, changed.json()["namespaces"]) == (200, ["finals"])
    assert internal("PUT", f"/sittings/{SITTING}", spec(), **by("finals")).status_code == 200
    refused(internal("PUT", "/sittings/other.x.0a1b2c3d", spec(), **by("other")))


def test_a_resource_cannot_overwrite_the_exam_of_another(internal, algebra, people) -> None:
    """If a resource anywhere brings a paper with my exam's slug, my questions and my key stay as they are."""
    before = list(algebra.questions.values())
    forged = PAPER.replace("title: ", "title: Forged ", 1)
    refused(internal("PUT", "/exams?slug=algebra-101&owner=noor", forged, **by("other")))
    algebra.refresh_from_db()
    assert "Forged" not in algebra.title
    assert list(algebra.questions.values()) == before
    Exam.objects.update(namespaces=["finals"])
    refused(internal("PUT", "/exams?slug=algebra-101", forged, **by("other")))
    assert internal("PUT", "/exams?slug=algebra-101", forged, **by("finals")).status_code == 200


@pytest.mark.parametrize("name", COMMANDS)
def test_a_namespace_that_is_no_longer_named_commands_nothing(internal, algebra, spec, name: str) -> None:
    """If I take a namespace off my exam, its resources no longer change the sitting that they created."""
    Exam.objects.update(namespaces=["finals"])
    assert internal("PUT", f"/sittings/{SITTING}", spec(), **by("finals")).status_code == 200
    method, path, body = COMMANDS[name]
    Exam.objects.update(namespaces=["other"])
    before = Sitting.objects.values().get()
    refused(internal(method, f"/sittings/{SITTING}{path}", body, **by("finals")))
    assert Sitting.objects.values().get() == before
    Exam.objects.update(namespaces=["finals"])
    assert internal(method, f"/sittings/{SITTING}{path}", body, **by("finals")).status_code == 200
    if name not in ("stop", "cancel"):
        assert internal(method, f"/sittings/{SITTING}{path}", body).status_code == 200, "the platform itself may"


def test_a_sitting_ends_although_its_namespace_is_no_longer_named(internal, algebra, spec) -> None:
    """If I take the namespace off while students write, the sitting is still closed, drained and graded at its end."""
    Exam.objects.update(namespaces=["finals"])
    internal("PUT", f"/sittings/{SITTING}", spec(), **by("finals"))
    now = timezone.now()
    Sitting.objects.update(opens_at=now - timedelta(minutes=30), closes_at=now - timedelta(minutes=1))
    Exam.objects.update(namespaces=[])
    assert internal("POST", f"/sittings/{SITTING}/close", **by("finals")).json()["state"] == "closing"
    assert internal("POST", f"/sittings/{SITTING}/drain", **by("finals")).json()["drained"]
    refused(internal("POST", f"/sittings/{SITTING}/revisions/1/publish", **by("finals")))


def test_an_exam_that_comes_by_a_resource_has_an_owner_and_a_namespace(internal, log_in, people, spec) -> None:
    """An exam that a resource brings is its owner's: the Doctor sees it; no other namespace holds or overwrites it."""
    assert internal("PUT", "/exams?slug=algebra-101&owner=noor", PAPER, **by("finals")).status_code == 200
    exam = Exam.objects.get()
    assert (owner(), exam.namespaces) == ("noor", ["finals"])
    assert log_in(people.doctor).get("/api/exams/algebra-101").json()["namespaces"] == ["finals"]
    assert log_in(people.other_doctor).get("/api/exams/algebra-101").status_code == 404
    assert internal("PUT", f"/sittings/{SITTING}", spec(), **by("finals")).status_code == 200
    refused(internal("PUT", "/exams?slug=algebra-101&owner=noor", PAPER, **by("other")))
    refused(internal("PUT", "/sittings/other.x.0a1b2c3d", spec(), **by("other")))
    again = internal("PUT", "/exams?slug=algebra-101", PAPER, **by("finals"))
    assert (again.status_code, owner()) == (200, "noor")


def test_an_import_without_an_owner_is_rejected(internal, people, monkeypatch) -> None:
    """If a resource brings an exam and names no owner, the error says where to name one; a default does as well."""
    answer = internal("PUT", "/exams?slug=algebra-101", PAPER, **by("finals"))
    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (422, "owner-required")
    assert "spec.owner" in answer.json()["detail"]
    assert "web.defaultOwner" in answer.json()["detail"]
    assert not Exam.objects.exists()
    monkeypatch.setattr(ownership, "ENVIRONMENT", ENVIRONMENT.model_copy(update={"default_owner": "adel"}))
    assert internal("PUT", "/exams?slug=algebra-101", PAPER, **by("finals")).status_code == 200
    assert owner() == "adel"


@pytest.mark.parametrize("owner", ["unknown", "sara"])
def test_an_owner_must_be_a_doctor(internal, people, owner: str) -> None:
    """If the owner is no Doctor of the platform, the error names it and the exam is not created."""
    answer = internal("PUT", f"/exams?owner={owner}", PAPER, **by("finals"))
    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (422, "owner-required")
    assert repr(owner) in answer.json()["detail"]
    assert not Exam.objects.exists()


def test_an_owner_does_not_take_over_the_exam_of_another(internal, algebra, people) -> None:
    """If my exam names a namespace, a resource there with another owner does not make the exam that Doctor's."""
    Exam.objects.update(namespaces=["finals"])
    answer = internal("PUT", "/exams?owner=adel", PAPER, **by("finals"))
    assert answer.status_code == 409
    assert "another Doctor" in answer.json()["detail"]
    assert owner() == "noor"


@pytest.mark.parametrize("name", ["", "Finals", "a.b", "-a", "a" * 64, "a b", "é"])
def test_a_namespace_that_kubernetes_cannot_have_is_rejected(
    internal, algebra, log_in, people, spec, name: str
) -> None:
    """If I mistype a namespace, the API says so, and no request acts for such a one."""
    answer = log_in(people.doctor).send("PATCH", "/api/exams/algebra-101", {"namespaces": [name]})
    assert answer.status_code == 422
    assert Exam.objects.get().namespaces == []
    header = name.encode().decode("latin-1")
    assert internal("PUT", f"/sittings/{SITTING}", spec(), **by(header)).status_code == 400
    assert not Sitting.objects.exists()


def test_a_command_names_the_namespaces(algebra, tmp_path) -> None:
    """`load_exam --namespace` adds to the namespaces that may hold the exam; an import without it changes none."""
    file = tmp_path / "paper.yaml"
    file.write_text(PAPER)
    call_command("load_exam", str(file), "--namespace", "finals", "--namespace", "exams")
    call_command("load_exam", str(file), "--namespace", "finals")
    call_command("load_exam", str(file))
    assert Exam.objects.get().namespaces == ["exams", "finals"]
    with pytest.raises(CommandError, match="'Finals'"):
        call_command("load_exam", str(file), "--namespace", "Finals")


def test_exams_of_the_release_before_stay_with_their_namespaces(algebra, provision) -> None:
    """After an upgrade, the resources that hold my exam still do, and no others."""
    provision("autumn.final.x.0a1b2c3d")
    provision("autumn.again.0a1b2c3e", opens=86400, closes=90000)
    provision("midterm", opens=2 * 86400, closes=2 * 86400 + 60)
    provision("upper.CASE.0a1b2c3d", opens=3 * 86400, closes=3 * 86400 + 60)
    migration = import_module("exam_web.exams.migrations.0003_namespaces")
    with connection.schema_editor() as editor:
        migration.name_the_holders(apps, editor)
    assert Exam.objects.get().namespaces == ["autumn"]
