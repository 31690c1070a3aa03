"""Sittings in the admin: marking for solving, publishing, permissions."""

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.urls import reverse

from exam_web.degrees.models import Degree
from exam_web.exams.models import Exam, Question
from exam_web.sittings import admin as sittings_admin
from exam_web.sittings.models import Revision, Sitting
from exam_web.sittings.services import revision_open
from exam_web.users.models import User

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

LIST = reverse("admin:sittings_sitting_changelist")


@pytest.fixture
def noor(client, people):
    """The exam's Doctor, logged in to the admin."""
    client.force_login(people.doctor)
    return client


def mark_for_solving(client, sitting: Sitting, **more: str):
    """Run the action «mark for solving» on a sitting."""
    body = {"action": "mark_for_solving", "_selected_action": str(sitting.pk)}
    return client.post(LIST, body | more, follow=True)


def test_marking_an_open_sitting_needs_confirmation(noor, open_now: Sitting) -> None:
    """If I mark an open sitting for solving, the admin asks for confirmation before it stops the sitting."""
    confirmation = mark_for_solving(noor, open_now)
    assert "Ending a sitting cannot be undone" in confirmation.content.decode()
    assert Sitting.objects.get().state == "scheduled"
    mark_for_solving(noor, open_now, confirmed="yes")
    stopped = Sitting.objects.get()
    assert (stopped.state, stopped.stopped_at is not None) == ("closing", True)


def test_marking_a_finished_sitting_closes_it(noor, over: Sitting) -> None:
    """A sitting whose deadlines have passed is closed without confirmation."""
    answer = mark_for_solving(noor, over)
    assert "graders will seal and grade it" in answer.content.decode()
    closed = Sitting.objects.get()
    assert (closed.state, closed.stopped_at) == ("closing", None)


def test_a_doctor_cannot_stop_anothers_sitting(client, people, open_now: Sitting) -> None:
    """Another Doctor neither sees the sitting nor can stop it."""
    client.force_login(people.other_doctor)
    mark_for_solving(client, open_now, confirmed="yes")
    assert Sitting.objects.get().state == "scheduled"


def test_publishing_an_ungraded_sitting_warns(noor, over: Sitting) -> None:
    """Publishing before a revision is graded shows a warning."""
    answer = noor.post(LIST, {"action": "publish", "_selected_action": str(over.pk)}, follow=True)
    assert "has no graded revision" in answer.content.decode()


def test_a_doctor_grades_a_sitting_again_once_it_is_graded(noor, over: Sitting) -> None:
    """I correct the key and choose «Grade again»: one more revision is open, however often I choose it."""
    Sitting.objects.filter(id=over.id).update(state="sealed")
    assert "revision 1 of" in act(noor, "grade_again", over)
    assert not Revision.objects.exists()
    first = revision_open(sitting=over.id, number=1)
    assert "is not graded yet" in act(noor, "grade_again", over)
    Revision.objects.filter(pk=first.pk).update(state=Revision.State.GRADED)
    assert "revision 2 is being graded" in act(noor, "grade_again", over)
    assert "revision 2 of" in act(noor, "grade_again", over)
    assert list(Revision.objects.values_list("number", "state")) == [(1, "graded"), (2, "grading")]


def test_another_doctor_cannot_grade_again(client, people, over: Sitting) -> None:
    """Another Doctor neither sees the sitting nor can have it graded again."""
    Sitting.objects.filter(id=over.id).update(state="sealed")
    first = revision_open(sitting=over.id, number=1)
    Revision.objects.filter(pk=first.pk).update(state=Revision.State.GRADED)
    client.force_login(people.other_doctor)
    act(client, "grade_again", over)
    assert Revision.objects.count() == 1


def test_a_doctor_sees_only_own_revisions_and_degrees(client, people, over: Sitting) -> None:
    """A Doctor sees the revisions and degrees of their own exams, and no names of others' sittings."""
    revision = Revision.objects.create(
        sitting=over, number=1, key=over.key, policy={}, policy_digest="0" * 64, chunks=over.buckets
    )
    Degree.objects.create(revision=revision, student_id=people.student.pk, total=1, maximum=20, points=[], answered=0)
    for model in ("sittings_revision", "degrees_degree"):
        address = reverse(f"admin:{model}_changelist")
        client.force_login(people.doctor)
        assert client.get(address).context["cl"].result_count == 1, model
        client.force_login(people.other_doctor)
        page = client.get(address)
        assert page.context["cl"].result_count == 0, model
        assert over.name not in page.content.decode(), model


def test_create_admin_creates_the_first_administrator(client, people, monkeypatch, capsys) -> None:
    """The command creates an administrator who can log in, rejects a weak password, and keeps an existing account."""
    monkeypatch.setenv("FIRST_PASSWORD", "12345")
    with pytest.raises(CommandError, match="invalid password in FIRST_PASSWORD"):
        call_command("create_admin", username="first", password_env="FIRST_PASSWORD")
    assert not User.objects.filter(username="first").exists()
    monkeypatch.setenv("FIRST_PASSWORD", "a long enough pass phrase")
    call_command("create_admin", username="first", password_env="FIRST_PASSWORD")
    call_command("create_admin", username="first", password_env="FIRST_PASSWORD")
    assert "unchanged" in capsys.readouterr().out
    credentials = {"username": "first", "password": "a long enough pass phrase"}
    assert client.post(reverse("admin:login"), credentials).status_code == 302
    with pytest.raises(CommandError, match="choose another name"):
        call_command("create_admin", username="sara", password_env="FIRST_PASSWORD", reset=True)


def act(client, action: str, *sittings: Sitting) -> str:
    """Run an action on sittings; returns the page after it."""
    body = {"action": action, "_selected_action": [str(sitting.pk) for sitting in sittings]}
    return str(client.post(LIST, body, follow=True).content.decode())


@pytest.fixture
def distributed(monkeypatch) -> list[str]:
    """The digests of the papers that the admin distributed; no Cassandra runs in these tests."""
    digests: list[str] = []
    monkeypatch.setattr(sittings_admin, "paper_distribute", lambda paper: digests.append(paper.digest))
    return digests


def page_of(client, row: Sitting | Exam) -> str:
    """The page of a row in the admin."""
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return str(client.get(reverse(name, args=[row.pk])).content.decode())


def test_the_pages_show_what_changed_since_the_paper_was_frozen(noor, provision, algebra) -> None:
    """If I edit my exam, its page and the sitting's page say which sitting keeps which paper, and what differs."""
    sitting = provision()
    for row in (algebra, sitting):
        page = page_of(noor, row)
        assert f"paper {sitting.paper_id[:12]}, frozen at" in page
        assert "the exam has the same content" in page
    Question.objects.filter(ident="linear-equation").update(text="Corrected")
    for row in (algebra, sitting):
        page = page_of(noor, row)
        assert "the text of question linear-equation changed" in page
        assert "unless you freeze anew" in page
    assert f'href="{reverse("admin:sittings_sitting_change", args=[sitting.pk])}"' in page_of(noor, algebra)


def test_the_page_of_an_open_sitting_says_that_its_paper_stays(noor, open_now: Sitting) -> None:
    """During the sitting, the page says that a changed text is not used, and a changed key only by a regrade."""
    Question.objects.filter(kind="numeric").update(tolerance=9)
    assert "used only by another grading revision" in page_of(noor, open_now)
    Question.objects.filter(kind="numeric").update(text="Corrected")
    assert "not used in this sitting; a grading revision needs" in page_of(noor, open_now)


def test_saving_an_exam_names_the_sittings_that_keep_their_paper(noor, provision, algebra) -> None:
    """When I save a question, the admin warns at once that a scheduled sitting keeps its frozen paper."""
    question = Question.objects.get(ident="linear-equation")
    address = reverse("admin:exams_question_change", args=[question.pk])
    form = noor.get(address).context["adminform"].form
    fields = {name: form.initial.get(name) for name in form.fields if form.initial.get(name) is not None}
    inlines = {"choices-TOTAL_FORMS": "0", "choices-INITIAL_FORMS": "0"}
    before = noor.post(address, fields | inlines, follow=True).content.decode()
    assert "keep the paper" not in before
    provision("midterm")
    after = noor.post(address, fields | inlines, follow=True).content.decode()
    assert "Sittings that keep the paper frozen for them: midterm" in after


def test_a_doctor_freezes_anew_with_one_action(noor, provision, distributed: list[str]) -> None:
    """If I correct text and key before the opening, one action makes the sitting use them."""
    sitting = provision()
    Question.objects.filter(ident="linear-equation").update(text="Corrected")
    assert "Midterm has the exam&#x27;s present content now" in act(noor, "freeze_anew", sitting)
    frozen = Sitting.objects.get()
    assert frozen.paper_id != sitting.paper_id
    assert distributed == [frozen.paper_id]
    assert "the exam has the same content" in page_of(noor, frozen)
    assert "Midterm has the exam&#x27;s present content already" in act(noor, "freeze_anew", frozen)


def test_an_open_sitting_is_not_frozen_anew(noor, open_now: Sitting, distributed: list[str]) -> None:
    """Once students may have started, the action is refused with the reason and the way."""
    Question.objects.filter(ident="linear-equation").update(text="Corrected")
    page = act(noor, "freeze_anew", open_now)
    assert "keeps the paper that was frozen at" in page
    assert "cancel the sitting and create another one" in page
    assert (Sitting.objects.get().paper_id, distributed) == (open_now.paper_id, [])


def test_another_doctor_cannot_freeze_anew(client, people, provision, distributed: list[str]) -> None:
    """Another Doctor can neither see nor replace my sitting's paper; staff without the permission cannot either."""
    sitting = provision()
    Question.objects.filter(ident="linear-equation").update(text="Corrected")
    viewer = User.objects.create(username="viewer", kind=User.Kind.STAFF, is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_sitting"))
    for user in (people.other_doctor, viewer):
        client.force_login(user)
        act(client, "freeze_anew", sitting)
    assert (Sitting.objects.get().paper_id, distributed) == (sitting.paper_id, [])
