"""Names of users: those that differ by case or width are one, and rosters say what is wrong with a line."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client

from exam_web.users.models import Level, User

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

PASSWORD = "a long enough pass phrase"
HEADER = "username,kind,level,password\n"


def roster(folder: Path, *lines: str) -> str:
    """Write a roster as spreadsheets do, with a byte order mark and CRLF."""
    path = folder / "people.csv"
    path.write_bytes(("\ufeff" + HEADER + "".join(f"{line}\n" for line in lines)).replace("\n", "\r\n").encode())
    return str(path)


def refused(file: str, *options: str) -> str:
    """Load a roster that is refused as a whole; returns the message."""
    before = User.objects.count()
    with pytest.raises(CommandError) as error:
        call_command("load_people", file, *options)
    assert User.objects.count() == before
    return str(error.value)


def log_in(username: str, *, kind: str = "students", password: str = PASSWORD) -> int:
    """Log in at the API; returns the status."""
    body = {"username": username, "password": password}
    return Client().post(f"/api/auth/{kind}/login", body, content_type="application/json").status_code


def test_names_that_differ_by_case_or_width_are_reported_with_both_lines(people, tmp_path) -> None:
    """A roster with sample-one, Sample-One and a full-width ｓample-one is refused, and both lines are named."""  # noqa: RUF002
    names = ("sample-one", "Sample-One", "ｓample-one")  # noqa: RUF001
    message = refused(roster(tmp_path, *(f"{name},student,year-1,{PASSWORD}" for name in names)))
    assert "line 3: Sample-One is the same name as sample-one on line 2" in message
    assert "line 4: sample-one is the same name as sample-one on line 2" in message


def test_a_roster_with_another_spelling_of_a_name_finds_the_account(people, tmp_path, capsys) -> None:
    """SARA is sara, who exists: no second account is made."""
    call_command("load_people", roster(tmp_path, f"SARA,student,year-1,{PASSWORD}"))
    assert "0 users created, 1 already exist" in capsys.readouterr().out
    assert not User.objects.filter(username="SARA").exists()


@pytest.mark.parametrize("name", ["sara", "Sara", "SARA", "ｓａｒａ"])  # noqa: RUF001
def test_every_spelling_of_a_name_logs_in_at_the_api(people, name: str) -> None:
    """A student logs in with the name in any case and width."""
    assert log_in(name) == 200


@pytest.mark.parametrize("name", ["noor", "Noor", "ｎoor"])  # noqa: RUF001
def test_every_spelling_of_a_name_logs_in_at_the_admin(people, name: str) -> None:
    """A Doctor logs in at the admin with the name in any case and width."""
    answer = Client().post("/admin/login/?next=/admin/", {"username": name, "password": PASSWORD})
    assert answer.status_code == 302


def test_a_name_with_combining_marks_is_loaded_and_logs_in_at_both_doors(people, tmp_path) -> None:
    """Vowel signs are letters: names in Arabic, Devanagari and decomposed Latin are accepted."""
    names = ("طالب-1", "طَالِب-2", "छात्र-3", "e\u0301le\u0300ve-4")
    lines = [f"{name},doctor,,{PASSWORD}" for name in names]
    call_command("load_people", roster(tmp_path, *lines))
    assert User.objects.filter(username="élève-4").exists()
    for name in names:
        assert log_in(name, kind="doctors") == 200
        answer = Client().post("/admin/login/?next=/admin/", {"username": name, "password": PASSWORD})
        assert answer.status_code == 302, name


@pytest.mark.parametrize("name", ["\u0301sara", "sa\u200bra", "sa ra", "sa\u202era", "sa/ra"])
def test_other_characters_are_refused_with_the_line(people, tmp_path, name: str) -> None:
    """A mark without a letter, invisible characters, blanks and other signs are no name."""
    assert "line 2: username: " in refused(roster(tmp_path, f"{name},student,year-1,{PASSWORD}"))


def test_accounts_from_before_that_differ_by_case_still_log_in(people) -> None:
    """Two accounts of a former release whose names differ by case each log in with their exact name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO users_user (username, password, kind, level_id, is_superuser, is_staff, is_active, first_name,"
            " last_name, email, date_joined) SELECT 'Sara', password, kind, level_id, false, false, true, '', '', '',"
            " now() FROM users_user WHERE username = 'sara'"
        )
    twin = User.objects.get(username="Sara")
    twin.set_password("another long pass phrase")
    twin.save()
    assert log_in("sara") == log_in("Sara", password="another long pass phrase") == 200
    assert log_in("Sara") == 401


def test_the_database_refuses_a_second_spelling(people) -> None:
    """Of two concurrent requests for one name in two spellings, one fails."""
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(username="SaRa", kind=User.Kind.STAFF)


def test_the_admin_refuses_a_second_spelling(people, client) -> None:
    """The forms for new and changed accounts refuse a name that another one has, in any spelling."""
    client.force_login(people.admin)
    User.objects.create(username="straße", kind=User.Kind.STAFF)
    form = {"username": "STRASSE", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    answer = client.post("/admin/users/user/add/", form | {"kind": "staff"})
    assert answer.status_code == 200
    assert "straße has this name already" in answer.context["adminform"].form.errors["username"][0]
    page = f"/admin/users/user/{people.admin.pk}/change/"
    values = {name: value for name, value in client.get(page).context["adminform"].form.initial.items() if value}
    values |= {"username": "ＳＡＲＡ", "groups": [], "user_permissions": []}  # noqa: RUF001
    values.pop("password", None)
    answer = client.post(page, values)
    assert "sara has this name already" in answer.context["adminform"].form.errors["username"][0]


def test_a_line_with_too_many_or_too_few_cells_is_refused(people, tmp_path) -> None:
    """A password with a comma that is not quoted is refused with its line; in quotes it is whole."""
    lines = (
        "sample-two,student,year-1,long,with,commas-9",
        "short",
        'sample-three,student,year-1,"long,with,commas-9"',
    )
    message = refused(roster(tmp_path, *lines))
    assert "line 2: 6 cells instead of 4: put a cell that contains a comma in double quotes" in message
    assert "line 3: 1 cells instead of 4" in message
    assert "line 4" not in message
    call_command("load_people", roster(tmp_path, lines[2]))
    assert log_in("sample-three", password="long,with,commas-9") == 200


def test_a_changed_level_is_applied_and_reported(people, tmp_path, capsys) -> None:
    """A roster of the next year moves existing students to their new level; passwords stay."""
    call_command("load_people", roster(tmp_path, f"sara,student,year-2,{PASSWORD}-new"))
    printed = capsys.readouterr().out
    assert "sara: year-1 -> year-2" in printed
    assert "passwords of existing users are not changed" in printed
    assert User.objects.get(username="sara").level == people.year_2
    assert log_in("sara") == 200


def test_an_existing_user_of_another_kind_is_refused(people, tmp_path) -> None:
    """A Doctor who is listed as a student is a fault of the line."""
    message = refused(roster(tmp_path, f"noor,student,year-1,{PASSWORD}"))
    assert "line 2: noor exists and is a doctor, not a student" in message


def test_a_level_is_not_created_unasked(people, tmp_path) -> None:
    """A level with a slip is refused with the levels that exist; --create-levels creates it."""
    file = roster(tmp_path, f"new,student,yaer-1,{PASSWORD}")
    message = refused(file)
    assert "line 2: level 'yaer-1' does not exist (--create-levels creates it); levels are: year-1, year-2" in message
    assert not Level.objects.filter(slug="yaer-1").exists()
    call_command("load_people", file, "--create-levels")
    assert User.objects.get(username="new").level.slug == "yaer-1"


@pytest.mark.parametrize(
    ("password", "reason"),
    [("x", "too short"), ("password1", "too common"), ("new-student", "too similar"), ("long enough\0 x", "U+0000")],
)
def test_passwords_meet_the_validators(people, tmp_path, password: str, reason: str) -> None:
    """A password that the admin would refuse is refused in a roster, with its line."""
    message = refused(roster(tmp_path, f"new-student,student,year-1,{password}"))
    assert "line 2: password: " in message
    assert reason in message
