"""Who of a level may start in a sitting: set by tools and in the admin, and read by solvers."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.urls import reverse

from exam_core.entry import MAX_NAMED, RESTRICTED, EntryRules, code_matches, read_networks
from exam_core.schedule import ScheduledSitting
from exam_web.sittings.models import NamedStudent, Schedule, Sitting
from exam_web.users.models import User

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

NETWORKS = ["10.0.0.0/8", "2001:db8::/32"]
NO_RULES: dict[str, Any] = {"students": None, "code": False, "networks": []}


@pytest.fixture
def entries(as_owner: Callable[[], AbstractContextManager[None]]) -> Callable[[], list[dict[str, Any]]]:
    """Reads the sittings as a renewal gives them to solvers."""

    def read() -> list[dict[str, Any]]:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("SELECT solver_sittings()")
            found: list[dict[str, Any]] = json.loads(cursor.fetchone()[0])
        return found

    return read


def epoch() -> int:
    """The schedule's epoch."""
    return Schedule.objects.get().epoch


def patch(internal, **rules: object) -> Any:
    """Change the rules of the sitting."""
    return internal("PATCH", "/sittings/midterm/entry", rules)


def test_solvers_read_the_rules(internal, people, provision, entries) -> None:
    """If I restrict a sitting, solvers read the rules; those of the release before read a level that no student has."""
    provision("midterm")
    [free] = entries()
    assert (free["level"], free["entry"]) == ("year-1", None)
    status = patch(internal, students=["SARA"], code="Fermat 17", networks=NETWORKS).json()
    assert status["entry"] == {"students": 1, "code": True, "networks": NETWORKS}
    assert "ermat" not in json.dumps(status)
    [restricted] = entries()
    assert restricted["level"] == RESTRICTED
    sitting = ScheduledSitting.from_json(restricted)
    code = Sitting.objects.get().access_code
    assert sitting.level == "year-1"
    assert sitting.entry == EntryRules(
        students=frozenset({people.student.pk}), code=code, networks=read_networks(NETWORKS)
    )
    assert code_matches(code, "fermat 17")


@pytest.mark.parametrize(
    ("rules", "shown"),
    [
        ({"students": []}, {"students": 0}),
        ({"students": ["sara"]}, {"students": 1}),
        ({"code": "Fermat 17"}, {"code": True}),
        ({"networks": ["192.0.2.7"]}, {"networks": ["192.0.2.7/32"]}),
    ],
)
def test_each_rule_alone_restricts_and_is_removed(internal, people, provision, entries, rules, shown) -> None:
    """If I set one rule, the sitting is restricted by it alone; without it, all of the level may start again."""
    provision("midterm")
    assert patch(internal, **rules).json()["entry"] == NO_RULES | shown
    [entry] = entries()
    assert entry["level"] == RESTRICTED
    assert ScheduledSitting.from_json(entry).level == "year-1"
    [name] = rules
    assert patch(internal, **{name: [] if name == "networks" else None}).json()["entry"] == NO_RULES
    assert entries()[0]["entry"] is None


def test_what_is_not_named_stays_and_what_is_the_same_changes_nothing(internal, people, provision) -> None:
    """If I change one rule, the others stay; the same rules again are no change, for solvers neither."""
    provision("midterm")
    patch(internal, students=["sara"], code="Fermat 17", networks=NETWORKS)
    before, stored = epoch(), Sitting.objects.get().access_code
    assert patch(internal).json()["epoch"] == before
    again = patch(internal, students=["Sara"], code="FERMAT 17", networks=NETWORKS).json()
    assert (again["epoch"], epoch(), Sitting.objects.get().access_code) == (before, before, stored)
    changed = patch(internal, students=[]).json()
    assert changed["entry"] == {"students": 0, "code": True, "networks": NETWORKS}
    assert changed["epoch"] == before + 1
    assert patch(internal, code="Euler 2718").json()["epoch"] == before + 2


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        ({"students": ["sara", "nada"]}, "'nada' not found"),
        ({"students": ["omar"]}, "omar are not in the level"),
        ({"students": [f"s{each}" for each in range(MAX_NAMED + 1)]}, "2000"),
        ({"code": "abc"}, "4 to 64"),
        ({"code": "x" * 65}, "64"),
        ({"networks": ["10.0.0.1/8"]}, "10.0.0.1/8"),
        ({"networks": ["here"]}, "here"),
        ({"networks": None}, "networks"),
        ({"level": "year-2"}, "level"),
    ],
)
def test_rules_that_cannot_be_used_are_named(internal, people, provision, rules, fault: str) -> None:
    """If a student, the code or a network cannot be used, it is named, and no rule changes."""
    provision("midterm")
    before = epoch()
    refused = patch(internal, **rules)
    assert refused.status_code == 422
    assert fault in json.dumps(refused.json())
    assert (epoch(), NamedStudent.objects.count()) == (before, 0)


def test_rules_change_until_the_close(internal, people, open_now) -> None:
    """If a sitting is open, I change the rules of starts; once it is closing, there are none to change."""
    assert internal("PATCH", "/sittings/open/entry", {"students": ["sara"]}).status_code == 200
    Sitting.objects.update(state="closing")
    refused = internal("PATCH", "/sittings/open/entry", {"students": None})
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "state-conflict")


def test_a_deleted_student_opens_no_sitting(internal, people, provision, entries) -> None:
    """If the only named student is deleted, the sitting is for none, and not for all."""
    provision("midterm")
    patch(internal, students=["sara"])
    User.objects.get(pk=people.student.pk).delete()
    assert ScheduledSitting.from_json(entries()[0]).entry.students == frozenset()


def test_a_doctor_sets_the_rules_in_the_admin(client, people, provision, entries) -> None:
    """If I enter names, a code and networks on the sitting's page, solvers read them; an empty code keeps the code."""
    sitting = provision("midterm")
    client.force_login(people.doctor)
    page = reverse("admin:sittings_sittingentry_change", args=[sitting.pk])
    assert client.get(reverse("admin:sittings_sittingentry_changelist")).status_code == 200
    form = {"only_named": "on", "students": "sara\r\n", "code": "Fermat 17", "allowed_networks": "\r\n".join(NETWORKS)}
    assert client.post(page, form).status_code == 302
    rules = ScheduledSitting.from_json(entries()[0]).entry
    assert (rules.students, rules.networks) == (frozenset({people.student.pk}), read_networks(NETWORKS))
    shown = client.get(page).content.decode()
    assert "10.0.0.0/8" in shown
    assert "sara" in shown
    assert "scrypt" not in shown
    assert client.post(page, {"code": "", "allowed_networks": ""}).status_code == 302
    rules = ScheduledSitting.from_json(entries()[0]).entry
    assert (rules.students, rules.networks) == (None, ())
    assert rules.code is not None
    assert client.post(page, {"remove_code": "on"}).status_code == 302
    assert entries()[0]["entry"] is None
    refused = client.post(page, {"only_named": "on", "students": "nada"})
    assert "not found" in refused.content.decode()


def test_rules_of_others_are_theirs(client, people, provision) -> None:
    """If the exam is another Doctor's, I see none of its rules; viewers see them without the code, and change none."""
    sitting = provision("midterm")
    page = reverse("admin:sittings_sittingentry_change", args=[sitting.pk])
    client.force_login(people.other_doctor)
    assert client.get(page).status_code == 302
    viewer = User.objects.create(username="viewer", kind=User.Kind.STAFF, is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_sittingentry"))
    client.force_login(viewer)
    assert client.get(page).status_code == 200
    assert client.post(page, {"only_named": "on"}).status_code == 403
    assert Sitting.objects.get().named_only is False
