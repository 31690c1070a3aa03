"""Extra time of a student in all exams and in one sitting: together in the deadline, granted before or during."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from exam_core.deadlines import extra_time
from exam_core.instants import MINUTE, span_to_micros, to_micros
from exam_core.schedule import ScheduledSitting
from exam_web.common import locks
from exam_web.sittings import selectors
from exam_web.sittings.models import Accommodation, Schedule, Sitting
from exam_web.users.models import User

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def extras(as_owner: Callable[[], AbstractContextManager[None]]) -> Callable[[str], dict[int, int]]:
    """Reads the extra times of a sitting as a renewal gives them to solvers, of this release or the one before."""

    def read(name: str) -> dict[int, int]:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("SELECT solver_sittings()")
            entries: list[dict[str, Any]] = json.loads(cursor.fetchone()[0])
        found = {entry.id: entry for entry in map(ScheduledSitting.from_json, entries)}
        return dict(found[Sitting.objects.get(name=name).id].accommodations)

    return read


@pytest.fixture
def load(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Loads a list of people with extra time; returns what the command prints."""

    def run(*lines: str, header: str = "username,kind,level,password,extra_percent") -> str:
        path = tmp_path / "people.csv"
        path.write_text("\n".join((header, *lines)) + "\n")
        call_command("load_people", str(path))
        return capsys.readouterr().out

    return run


def percent_of(username: str) -> int:
    """A student's extra time in all exams."""
    return User.objects.get(username=username).extra_percent


def epoch() -> int:
    """The schedule's epoch."""
    return Schedule.objects.get().epoch


def grant(internal, percent: int, username: str = "sara") -> Any:
    """Set extra time in all exams."""
    return internal("PUT", f"/students/{username}/extra-time", {"percent": percent})


@pytest.mark.parametrize("seconds", [1800, 1801.000003])
def test_both_extra_times_are_in_the_deadline(internal, people, provision, extras, seconds: float) -> None:
    """If I have extra time in all exams and in this sitting, solvers add both to my deadline, and the close waits."""
    sitting = provision("midterm", duration=seconds)
    duration = span_to_micros(sitting.duration)
    assert grant(internal, 25).json() == {"username": "sara", "percent": 25}
    assert extras("midterm") == {people.student.pk: duration * 25 // 100}
    internal("PUT", "/sittings/midterm/accommodations/sara", {"extra_us": 7 * MINUTE})
    together = extra_time(duration=duration, percent=25, granted=7 * MINUTE)
    assert extras("midterm") == {people.student.pk: together}
    row = Sitting.objects.get()
    assert selectors.max_extra(row) == together
    assert selectors.sitting_ends_at(row) == to_micros(row.closes_at) + together
    grant(internal, 0)
    assert (extras("midterm"), selectors.max_extra(row)) == ({people.student.pk: 7 * MINUTE}, 7 * MINUTE)


def test_it_is_for_sittings_of_the_own_level(internal, people, provision, extras) -> None:
    """If a student of another level has extra time, it does not delay the close of this one's sittings."""
    sitting = provision("midterm")
    grant(internal, 50, "omar")
    assert (extras("midterm"), selectors.max_extra(sitting)) == ({}, 0)
    User.objects.filter(pk=people.other_student.pk).update(level=people.year_1)
    assert extras("midterm") == {people.other_student.pk: 15 * MINUTE}


def test_a_change_reaches_solvers_with_their_next_renewal(internal, people, provision) -> None:
    """If extra time is granted, or its student changes the level, the schedule has a new epoch; else it keeps it."""
    before = epoch()
    User.objects.filter(pk=people.student.pk).update(last_name="Changed", level=people.year_2)
    assert epoch() == before
    assert grant(internal, 25).status_code == 200
    assert epoch() == before + 1
    assert grant(internal, 25).status_code == 200
    assert epoch() == before + 1
    User.objects.filter(pk=people.student.pk).update(level=people.year_1)
    assert epoch() == before + 2
    User.objects.create(username="new", kind="student", level=people.year_1, extra_percent=10)
    assert epoch() == before + 3


def test_it_may_only_grow_while_a_sitting_is_open(internal, people, open_now, extras) -> None:
    """If a sitting is open, extra time can be granted and raised, but a student in the room does not lose it."""
    assert grant(internal, 25).status_code == 200
    assert grant(internal, 50).status_code == 200
    assert extras("open") == {people.student.pk: 15 * MINUTE}
    refused = grant(internal, 25)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "window-frozen")
    assert "open is open or about to open" in refused.json()["detail"]
    Sitting.objects.update(state="closing")
    assert grant(internal, 0).status_code == 200


def test_an_end_that_has_passed_does_not_move(internal, people, over) -> None:
    """If every deadline of a sitting has passed, extra time waits until it is closed: no attempt opens again."""
    refused = grant(internal, 50)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "window-frozen")
    assert "once it is closed" in refused.json()["detail"]
    assert User.objects.get(pk=people.student.pk).extra_percent == 0


@pytest.mark.parametrize("percent", [-1, 301, 12.5, "25", None])
def test_other_percentages_are_rejected(internal, people, percent: object) -> None:
    """If the percentage is out of bounds or no whole number, it is rejected; the database has the same bounds."""
    assert internal("PUT", "/students/sara/extra-time", {"percent": percent}).status_code == 422
    assert internal("PUT", "/students/unknown/extra-time", {"percent": 5}).status_code == 404
    with pytest.raises(IntegrityError, match="user_extra_percent_bounded"), transaction.atomic():
        User.objects.filter(pk=people.student.pk).update(extra_percent=301)


def test_staff_set_it_on_the_students_page(client, people, open_now) -> None:
    """If I enter a percentage on a student's page, it is stored; one that may not shrink is an error there."""
    client.force_login(people.admin)
    address = reverse("admin:users_student_change", args=[people.student.pk])
    form = {"username": "sara", "level": people.year_1.pk, "kind": "student", "is_active": "on"}
    saved = client.post(address, form | {"extra_percent": 25})
    assert saved.status_code == 302, saved.context["adminform"].form.errors
    assert User.objects.get(pk=people.student.pk).extra_percent == 25
    refused = client.post(address, form | {"extra_percent": 5})
    assert "about to open" in refused.context["adminform"].form.errors["extra_percent"][0]
    assert User.objects.get(pk=people.student.pk).extra_percent == 25


def test_minutes_are_granted_in_the_admin(client, people, open_now, extras) -> None:
    """If my student needs more time in my sitting, I grant minutes in the admin while it is open; they only grow."""
    client.force_login(people.doctor)
    add = reverse("admin:sittings_accommodation_add")
    assert client.get(add).status_code == 200
    form = {"sitting": str(open_now.id), "username": "SARA", "minutes": 10}
    saved = client.post(add, form)
    assert saved.status_code == 302, saved.context["adminform"].form.errors
    assert extras("open") == {people.student.pk: 10 * MINUTE}
    page = reverse("admin:sittings_accommodation_change", args=[Accommodation.objects.get().pk])
    assert 'value="10"' in client.get(page).content.decode()
    assert client.post(page, {"minutes": 20}).status_code == 302
    assert extras("open") == {people.student.pk: 20 * MINUTE}
    assert "may only grow" in client.post(page, {"minutes": 5}).content.decode()
    for fault, field in (
        ({"username": "omar"}, "__all__"),
        ({"username": "none"}, "username"),
        ({"minutes": -1}, "minutes"),
    ):
        refused = client.post(add, form | fault)
        assert field in refused.context["adminform"].form.errors
    assert Accommodation.objects.get().extra == timedelta(minutes=20)


def test_minutes_in_sittings_of_others_are_theirs(client, people, open_now) -> None:
    """If the exam is another Doctor's, I can neither grant nor see extra time in its sittings; viewers change none."""
    Accommodation.objects.create(sitting=open_now, student_id=people.student.pk, extra=timedelta(minutes=5))
    client.force_login(people.other_doctor)
    form = {"sitting": str(open_now.id), "username": "sara", "minutes": 10}
    refused = client.post(reverse("admin:sittings_accommodation_add"), form)
    assert "sitting" in refused.context["adminform"].form.errors
    page = reverse("admin:sittings_accommodation_change", args=[Accommodation.objects.get().pk])
    assert client.get(page).status_code == 302
    viewer = User.objects.create(username="viewer", kind=User.Kind.STAFF, is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_accommodation"))
    client.force_login(viewer)
    assert client.get(page).status_code == 200
    assert client.post(page, {"minutes": 10}).status_code == 403
    assert Accommodation.objects.get().extra == timedelta(minutes=5)


def test_the_time_of_a_sitting_that_is_to_come_can_shrink(internal, people, provision, extras) -> None:
    """If no sitting is open, a percentage that was too high is corrected."""
    provision("midterm")
    Sitting.objects.update(opens_at=timezone.now() + timedelta(minutes=30))
    assert grant(internal, 50).status_code == 200
    assert grant(internal, 10).status_code == 200
    assert extras("midterm") == {people.student.pk: 3 * MINUTE}


def test_a_list_of_people_sets_extra_time(people, provision, extras, load) -> None:
    """If a list has a column for extra time, it is that of new and of existing students; empty cells change nothing."""
    provision("midterm")
    User.objects.filter(username="omar").update(extra_percent=30)
    before = epoch()
    printed = load(
        "SARA,student,year-1,,25",
        "omar,student,year-2,,",
        "new,student,year-1,long pass phrase,50",
        "other,student,year-1,long pass phrase,",
        "lovelace,doctor,,long pass phrase,",
    )
    assert "sara: extra time 0 % -> 25 %\nnew: extra time 0 % -> 50 %\n" in printed
    assert [percent_of(name) for name in ("sara", "omar", "new", "other", "lovelace")] == [25, 30, 50, 0, 0]
    new = User.objects.get(username="new").pk
    assert extras("midterm") == {people.student.pk: 450_000_000, new: 900_000_000}
    assert epoch() > before
    assert load("sara,student,year-1,,0").endswith("sara: extra time 25 % -> 0 %\n")
    assert load("new,student,year-1,", header="username,kind,level,password").count("->") == 0
    assert (percent_of("sara"), percent_of("new")) == (0, 50)


def test_a_list_with_wrong_extra_time_names_the_lines(people, load) -> None:
    """If extra time in a list is no whole number from 0 to 300, or a Doctor's, each line is named."""
    cells = ("301", "-1", "12.5", "25%", "²")
    lines = [f"sara{n},student,year-1,long pass phrase,{cell}" for n, cell in enumerate(cells)]
    with pytest.raises(CommandError) as refused:
        load("sara,student,year-1,,25", *lines, "lovelace,doctor,,long pass phrase,25", "short,student,year-1,")
    for line, cell in enumerate(cells, start=3):
        assert f"line {line}: extra_percent must be empty or a whole number from 0 to 300, not {cell!r}" in str(
            refused.value
        )
    assert "line 8: extra_percent must be empty, as only students have extra time" in str(refused.value)
    assert "line 9: 4 cells instead of 5" in str(refused.value)
    assert "line 2: " not in str(refused.value)
    assert percent_of("sara") == 0
    with pytest.raises(CommandError, match="level,password or username,kind,level,password,extra_percent"):
        load("sara,student,year-1,,25", header="username,kind,level,password,extra")


def test_a_list_follows_the_rules_of_sittings(people, open_now, load) -> None:
    """If a sitting is open, a list can raise extra time; if one of its lines lowers it, nothing is loaded."""
    load("sara,student,year-1,,25")
    with pytest.raises(CommandError, match="line 3: extra_percent: open is open or about to open"):
        load("new,student,year-1,long pass phrase,10", "sara,student,year-1,,5")
    assert percent_of("sara") == 25
    assert not User.objects.filter(username="new").exists()
    load("sara,student,year-1,,50")
    assert percent_of("sara") == 50


def test_a_list_does_not_move_an_end_that_has_passed(people, over, load) -> None:
    """If every deadline of a sitting has passed, a list cannot set extra time of its students until it is closed."""
    with pytest.raises(CommandError, match=r"line 2: extra_percent: .* once it is closed"):
        load("sara,student,year-1,,50")
    assert percent_of("sara") == 0


@pytest.mark.parametrize("by", ["list", "page"])
def test_a_new_level_takes_the_locks_in_the_order_of_renewals(
    client, people, log_in, load, monkeypatch, by: str
) -> None:
    """If a student with extra time gets another level, the locks are taken as renewals take them, so none deadlocks."""
    taken: list[int] = []
    take = locks.lock_exclusively

    def noted(key: int) -> None:
        taken.append(key)
        take(key)

    monkeypatch.setattr(locks, "lock_exclusively", noted)
    log_in(people.student)
    User.objects.filter(username="sara").update(extra_percent=25)
    if by == "list":
        load("sara,student,year-2,", header="username,kind,level,password")
    else:
        client.force_login(people.admin)
        form = {"username": "sara", "level": people.year_2.pk, "is_active": "on", "extra_percent": 25}
        address = reverse("admin:users_student_change", args=[people.student.pk])
        assert client.post(address, form | {"kind": "student"}).status_code == 302
    assert User.objects.get(username="sara").level == people.year_2
    assert taken == [locks.SCHEDULE, locks.REVOCATIONS]
