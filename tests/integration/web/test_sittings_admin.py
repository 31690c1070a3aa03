"""Sittings in the admin: marking for solving, publishing, permissions."""

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from exam_web.degrees.models import Degree
from exam_web.sittings.models import Revision, Sitting
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
