"""What students see of an exam before and between its sittings: drafts, papers and points."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from exam_core.authoring.exam import read_exam
from exam_core.problems import Problem, ProblemKind
from exam_core.review import Review
from exam_harness.environments.processes.paths import REPOSITORY
from exam_papers.images.acceptance import accept_image
from exam_web.degrees.models import Degree
from exam_web.exams.models import Exam
from exam_web.exams.services import exam_import, exam_update
from exam_web.sittings.models import Revision, Sitting
from exam_web.users.models import Level

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

SAMPLES = REPOSITORY / "k8s/samples/papers"
EXAM = "/api/exams/algebra-101"


@pytest.fixture
def sealed(provision, people) -> Sitting:
    """A sitting that was sealed, graded and published, with a degree of the first student."""
    sitting = provision("first")
    past = timezone.now() - timedelta(hours=3)
    Sitting.objects.filter(id=sitting.id).update(
        opens_at=past, closes_at=past + timedelta(hours=1), state="sealed", sealed_at=past, published_revision=1
    )
    revision = Revision.objects.create(
        sitting=sitting, number=1, state="graded", key=sitting.key, policy={}, policy_digest="0" * 64, chunks=1
    )
    revision.ledger.create(chunk=0, degrees=1, tree_root="0" * 64)
    Revision.objects.filter(pk=revision.pk).update(finished_at=timezone.now())
    Degree.objects.create(
        revision=revision, student_id=people.student.pk, total=1, maximum=2, points=["1", None], answered=1
    )
    return Sitting.objects.get(id=sitting.id)


@pytest.mark.parametrize("opens", [3600, -60])
def test_a_finished_sitting_shows_no_paper_while_another_is_to_come(log_in, people, sealed, provision, opens) -> None:
    """While a make-up is to come or open, a student who sits it later cannot read its questions."""
    student = log_in(people.student)
    assert student.get(EXAM).json()["paper"] is not None
    make_up = provision("make-up")
    Sitting.objects.filter(id=make_up.id).update(opens_at=timezone.now() + timedelta(seconds=opens))
    answer = student.get(EXAM)
    assert answer.json()["paper"] is None
    for question in Exam.objects.get().questions.all():
        assert question.text not in answer.content.decode()


@pytest.mark.parametrize("state", ["sealed", "cancelled"])
def test_a_paper_is_shown_once_its_last_sitting_is_over(log_in, people, sealed, provision, state) -> None:
    """When the make-up is sealed or cancelled, the paper is shown again."""
    Sitting.objects.filter(id=provision("make-up").id).update(state=state)
    assert len(log_in(people.student).get(EXAM).json()["paper"]["questions"]) == 20


def test_a_sitting_of_another_level_hides_the_paper_too(log_in, people, sealed, provision) -> None:
    """A paper is not shown while students of another level are to sit it, who may know students of this one."""
    Sitting.objects.filter(id=provision("other-year").id).update(level=people.year_2)
    assert log_in(people.student).get(EXAM).json()["paper"] is None


def test_points_are_withheld_while_another_sitting_is_to_come(log_in, people, sealed, provision) -> None:
    """Which answers were right is shown once no student is to sit the exam any more; the total is shown at once."""
    student, doctor = log_in(people.student), log_in(people.doctor)
    proof = f"/api/sittings/{sealed.name}/degrees/proof"
    [before] = student.get("/api/degrees").json()["results"]
    assert (before["total"], before["points"]) == ("1.00", ["1", None])
    make_up = provision("make-up")
    [during] = student.get("/api/degrees").json()["results"]
    assert (during["total"], during["points"]) == ("1.00", None)
    withheld = student.get(proof)
    assert (withheld.status_code, withheld.json()["type"].rsplit("/", 1)[-1]) == (409, "points-withheld")
    assert "points" in withheld.json()["detail"]
    [own] = doctor.get("/api/degrees").json()["results"]
    assert own["points"] == ["1", None]
    Sitting.objects.filter(id=make_up.id).update(state="sealed")
    [after] = student.get("/api/degrees").json()["results"]
    assert after["points"] == ["1", None]


@pytest.mark.parametrize("to_come", [False, True])
@pytest.mark.parametrize("policy", list(Review))
def test_the_review_policy_decides_what_students_see(log_in, people, sealed, provision, policy, to_come) -> None:
    """If I select what students may see afterwards, they see that, and points and paper after the last sitting only."""
    doctor, student = log_in(people.doctor), log_in(people.student)
    assert doctor.send("PATCH", EXAM, {"review": policy.value}).json()["review"] == policy.value
    if to_come:
        provision("make-up")
    degrees = student.get("/api/degrees").json()["results"]
    assert [each["total"] for each in degrees] == (["1.00"] if policy.shows(Review.DEGREE) else [])
    points = policy.shows(Review.POINTS) and not to_come
    assert [each["points"] for each in degrees if each["points"]] == ([["1", None]] if points else [])
    paper = policy.shows(Review.PAPER) and not to_come
    assert (student.get(EXAM).json()["paper"] is not None) == paper
    proof = student.get(f"/api/sittings/{sealed.name}/degrees/proof")
    kind = proof.json().get("type", "").rsplit("/", 1)[-1]
    if not policy.shows(Review.POINTS):
        assert (proof.status_code, kind) == (403, "review-withheld")
        assert f"is '{policy.value}'" in proof.json()["detail"]
    else:
        assert (kind == "points-withheld") == to_come
    [own] = doctor.get("/api/degrees").json()["results"]
    assert own["points"] == ["1", None]


def test_a_policy_of_nothing_shows_no_review(log_in, people, sealed) -> None:
    """If students may see nothing, the review of an attempt says why; one without a degree has no review anyway."""
    Exam.objects.update(review="nothing")
    path = f"/api/sittings/{sealed.name}/review"
    refused = log_in(people.student).get(path)
    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[-1]) == (403, "review-withheld")
    assert log_in(people.other_student).get(path).status_code == 404
    assert log_in(people.doctor).get(path).status_code == 404


def test_a_sitting_that_shares_the_paper_hides_it(log_in, people, sealed, provision) -> None:
    """If a sitting of another exam with the same paper is to come, points and paper are shown when it is over."""
    other = Exam.objects.create(slug="other", title="Other", level=people.year_2, policy={"format": 1})
    make_up = provision("make-up")
    Sitting.objects.filter(id=make_up.id).update(exam=other)
    student = log_in(people.student)
    assert student.get(EXAM).json()["paper"] is None
    assert student.get("/api/degrees").json()["results"][0]["points"] is None
    Sitting.objects.filter(id=make_up.id).update(state="sealed")
    assert student.get(EXAM).json()["paper"] is not None


def test_only_known_review_policies_are_stored(log_in, people, algebra) -> None:
    """If I send another policy, the API and the database reject it; a document may name one, and keeps it otherwise."""
    assert log_in(people.doctor).send("PATCH", EXAM, {"review": "all"}).status_code == 422
    with pytest.raises(IntegrityError, match="exam_review_known"), transaction.atomic():
        Exam.objects.update(review="all")
    paper = (SAMPLES / "algebra-101.yaml").read_text()
    for text, review in ((paper.replace("title:", "review: key\ntitle:", 1), "key"), (paper, "key")):
        exam_import(document=read_exam(text, accept_image), author=None)
        assert Exam.objects.get().review == review


@pytest.mark.django_db(transaction=True)
def test_a_draft_is_visible_to_its_author_alone(log_in, people) -> None:
    """A new exam is a draft: its level sees neither title nor instructions until its author publishes it."""
    doctor, student = log_in(people.doctor), log_in(people.student)
    new = {"slug": "sums", "title": "Sums", "level": "year-1", "instructions": "Add."}
    assert doctor.send("POST", "/api/exams", new).json()["published"] is False
    assert student.get("/api/exams").json()["results"] == []
    assert student.get("/api/exams/sums").status_code == 404
    [listed] = doctor.get("/api/exams").json()["results"]
    assert listed["published"] is False
    assert doctor.send("PATCH", "/api/exams/sums", {"published": True}).json()["published"] is True
    assert [exam["title"] for exam in student.get("/api/exams").json()["results"]] == ["Sums"]
    assert student.get("/api/exams/sums").json()["instructions"] == "Add."
    assert doctor.send("PATCH", "/api/exams/sums", {"published": None}).status_code == 422


def test_a_draft_has_no_sittings(people, algebra, provision, log_in) -> None:
    """A sitting of a draft is refused with what to do; one that another release scheduled is not listed."""
    exam_update(exam=algebra, changes={"published": False})
    with pytest.raises(Problem) as refused:
        provision()
    assert refused.value.kind is ProblemKind.EXAM_DRAFT
    assert "publish it" in refused.value.detail
    exam_update(exam=algebra, changes={"published": True})
    provision()
    student = log_in(people.student)
    assert student.get("/api/sittings").json()["count"] == 1
    Exam.objects.update(published=False)
    assert student.get("/api/sittings").json()["count"] == 0


def test_an_exam_with_sittings_stays_published(people, algebra, provision, log_in, client) -> None:
    """An exam whose students have a sitting or results cannot become a draft, in the API and in the admin."""
    sitting = provision()
    refused = log_in(people.doctor).send("PATCH", EXAM, {"published": False})
    assert refused.status_code == 409
    assert sitting.name in refused.json()["detail"]
    client.force_login(people.doctor)
    page = f"/admin/exams/exam/{algebra.pk}/change/"
    form = {
        "slug": algebra.slug,
        "title": "New",
        "instructions": "",
        "attempts": "one",
        "multiple": "all-or-nothing",
        "review": "paper",
        "format": "plain",
        "level": people.year_1.pk,
    }
    rows = {f"{rows}-{forms}_FORMS": 0 for rows in ("sections", "questions") for forms in ("TOTAL", "INITIAL")}
    saved = client.post(page, form | rows)
    assert sitting.name in saved.context["adminform"].form.errors["published"][0]
    assert client.post(page, form | rows | {"published": "on"}).status_code == 302
    Sitting.objects.update(state="cancelled")
    assert client.post(page, form | rows).status_code == 302
    assert not Exam.objects.get().published


def test_a_change_of_the_title_keeps_a_concurrent_publication(algebra) -> None:
    """An edit that read the exam before it was published does not make it a draft again."""
    exam_update(exam=algebra, changes={"published": False})
    read_before = Exam.objects.get()
    exam_update(exam=algebra, changes={"published": True})
    assert exam_update(exam=read_before, changes={"title": "New"}).published


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("absent.yaml", None, "cannot read .*absent.yaml: No such file or directory"),
        ("", None, "cannot read .*: Is a directory"),
        ("latin.yaml", "title: Größe".encode("latin-1"), "latin.yaml: line 1: not UTF-8 at byte 10"),
        ("quiz.xml", b"<quiz/>", "quiz.xml: line 1: the document is an XML document"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named(people, tmp_path, name: str, data: bytes | None, reason: str) -> None:
    """If I import a file that is missing, a folder, or no YAML, the command says which and why, without a traceback."""
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(CommandError, match=reason):
        call_command("load_exam", str(tmp_path / name))


def test_imports_publish_what_they_create(people, tmp_path, capsys, internal) -> None:
    """An imported exam is published, unless --draft is given; importing again changes nothing of it."""
    text = (SAMPLES / "algebra-101.yaml").read_text()
    file = tmp_path / "exam.yaml"
    file.write_text(text.replace("exam: algebra-101", "exam: drafted"))
    call_command("load_exam", str(file), "--draft")
    assert "(a draft)" in capsys.readouterr().out
    call_command("load_exam", str(file))
    assert "(a draft)" in capsys.readouterr().out
    assert internal("PUT", "/exams", text).status_code == 200
    assert dict(Exam.objects.values_list("slug", "published")) == {"drafted": False, "algebra-101": True}


def test_exams_that_a_former_release_inserts_are_visible(people) -> None:
    """During an upgrade, a process of a release without drafts inserts exams, which its students see at once."""
    level = Level.objects.get(slug="year-1")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO exams_exam (slug, title, instructions, level_id, created_at, updated_at)"
            " VALUES ('old', 'Old', '', %s, now(), now())",
            [level.pk],
        )
    assert Exam.objects.get(slug="old").published
