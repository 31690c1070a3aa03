"""Sittings in the admin: marking for solving, publishing, and whose they are."""

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
    """The Doctor whose exam it is, in the admin."""
    client.force_login(people.doctor)
    return client


def mark(client, sitting: Sitting, **more: str):
    """Choose «mark for solving» for a sitting."""
    body = {"action": "mark_for_solving", "_selected_action": str(sitting.pk)}
    return client.post(LIST, body | more, follow=True)


def test_marking_an_open_sitting_asks_before_it_ends_it(noor, open_now: Sitting) -> None:
    """A Doctor marks an open sitting for solving: the admin asks first, and ends it only when told yes."""
    asked = mark(noor, open_now)
    assert "Ending a sitting cannot be undone" in asked.content.decode()
    assert Sitting.objects.get().state == "scheduled"
    mark(noor, open_now, confirmed="yes")
    stopped = Sitting.objects.get()
    assert (stopped.state, stopped.stopped_at is not None) == ("closing", True)


def test_marking_what_is_over_closes_it_at_once(noor, over: Sitting) -> None:
    """A sitting whose deadlines have passed needs no question."""
    answer = mark(noor, over)
    assert "graders will seal and grade it" in answer.content.decode()
    closed = Sitting.objects.get()
    assert (closed.state, closed.stopped_at) == ("closing", None)


def test_nobody_ends_anothers_sitting(client, people, open_now: Sitting) -> None:
    """Another Doctor neither sees the sitting nor ends it."""
    client.force_login(people.other_doctor)
    mark(client, open_now, confirmed="yes")
    assert Sitting.objects.get().state == "scheduled"


def test_publishing_says_when_there_is_nothing_to_publish(noor, over: Sitting) -> None:
    """Publishing before anything is graded is answered with the reason."""
    answer = noor.post(LIST, {"action": "publish", "_selected_action": str(over.pk)}, follow=True)
    assert "has no graded revision" in answer.content.decode()


def test_revisions_and_degrees_are_their_doctors(client, people, over: Sitting) -> None:
    """A Doctor sees the revisions and degrees of the own exams, and the names of nobody else's sittings."""
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


def test_the_first_administrator_is_made_by_a_command(client, people, monkeypatch, capsys) -> None:
    """The command makes an administrator who can log in, refuses a weak password, and leaves an existing one alone."""
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
