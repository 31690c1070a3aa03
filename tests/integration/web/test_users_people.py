"""Bulk creation of users, the first administrator, and revocation when a user is disabled or deleted."""

import csv
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from django.contrib.auth.hashers import make_password
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from exam_web.common import locks
from exam_web.common.clock import database_now
from exam_web.users import people as people_module
from exam_web.users.models import Level, LoginSession, Revocation, User
from exam_web.users.services import account_disable

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

HEADER = ("username", "kind", "level", "password")


def write_csv(path: Path, *rows: tuple[str, ...]) -> str:
    """Write a CSV file of users; returns its path."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return str(path)


def test_load_people_hashes_in_parallel(schedule, tmp_path, capsys, client, monkeypatch) -> None:
    """A list is loaded with its levels, passwords are hashed on all cores, and everyone on it can log in."""
    threads = set()

    def hashed(password: str) -> str:
        threads.add(threading.get_ident())
        return make_password(password)

    monkeypatch.setattr(people_module, "make_password", hashed)
    monkeypatch.setattr(people_module.os, "cpu_count", lambda: 2)
    rows = [(f"student-{n:03}", "student", f"year-{n % 3 + 1}", f"pass phrase {n}") for n in range(60)]
    file = write_csv(tmp_path / "people.csv", *rows, ("noether", "doctor", "", "another phrase"))
    call_command("load_people", file, "--create-levels")
    assert len(threads) == 2
    assert "61 users created, 0 already exist" in capsys.readouterr().out
    assert [level.slug for level in Level.objects.all()] == ["year-1", "year-2", "year-3"]
    body = {"username": "student-059", "password": "pass phrase 59"}
    answer = client.post("/api/auth/students/login", body, content_type="application/json")
    assert answer.status_code == 200


def test_load_people_keeps_existing_users(people, tmp_path, capsys) -> None:
    """Existing users keep their passwords; new ones on the list are created."""
    before = User.objects.get(username="sara").password
    file = write_csv(
        tmp_path / "people.csv",
        ("sara", "student", "year-1", "other"),
        ("new", "student", "year-1", "long pass phrase"),
    )
    call_command("load_people", file)
    assert "1 users created, 1 already exist" in capsys.readouterr().out
    assert User.objects.get(username="sara").password == before


def test_load_people_reports_every_faulty_line(people, tmp_path) -> None:
    """Each faulty line is reported with its reason, and no user of the list is created."""
    count = User.objects.count()
    file = write_csv(
        tmp_path / "people.csv",
        ("fine", "student", "year-1", "long pass phrase"),
        ("x", "teacher", "", "a b c"),
        ("y", "student", "", "a b c"),
        ("z", "doctor", "year-1", "a b c"),
        ("fine", "student", "year-1", ""),
        ("a b", "student", "Year One", "a b c"),
        ("short",),
    )
    with pytest.raises(CommandError) as refused:
        call_command("load_people", file)
    message = str(refused.value)
    for line, reason in (
        (3, "kind must be student or doctor"),
        (4, "a student must have a level"),
        (5, "a student must have a level, a doctor must not"),
        (6, "the password must not be empty"),
        (6, "fine is already on line 2"),
        (7, "username: "),
        (7, "level: "),
        (8, "1 cells instead of 4"),
    ):
        assert f"line {line}: {reason}" in message
    assert "line 2: " not in message
    assert User.objects.count() == count


@pytest.mark.parametrize("content", [b"name,password\n", b"", b"\xff\xfe\x00"])
def test_load_people_rejects_other_files(schedule, tmp_path, content: bytes) -> None:
    """A file with another header, an empty file and a binary file are rejected with the file's name."""
    file = tmp_path / "people.csv"
    file.write_bytes(content)
    with pytest.raises(CommandError, match=r"people\.csv"):
        call_command("load_people", str(file))


@pytest.mark.parametrize("password", [None, "", "password", "12345678", "boss"])
def test_create_admin_rejects_weak_passwords(schedule, monkeypatch, password: str | None) -> None:
    """With a missing, empty, common or short password no administrator is created."""
    monkeypatch.delenv("ADMIN_PASSWORD", raising=False)
    if password is not None:
        monkeypatch.setenv("ADMIN_PASSWORD", password)
    with pytest.raises(CommandError, match="ADMIN_PASSWORD"):
        call_command("create_admin", "--username", "boss", "--password-env", "ADMIN_PASSWORD")
    assert not User.objects.filter(username="boss").exists()


def test_create_admin_is_idempotent(schedule, monkeypatch, capsys, client) -> None:
    """The command reports an existing administrator; only --reset changes the password."""

    def create(*more: str, password: str) -> str:
        monkeypatch.setenv("ADMIN_PASSWORD", password)
        call_command("create_admin", "--username", "boss", "--password-env", "ADMIN_PASSWORD", *more)
        return capsys.readouterr().out

    assert "can log in" in create(password="correct horse battery")
    assert "unchanged" in create(password="another horse battery")
    assert client.login(username="boss", password="correct horse battery")
    create("--reset", password="another horse battery")
    assert client.login(username="boss", password="another horse battery")
    assert client.get("/admin/").status_code == 200


def test_create_admin_rejects_a_students_name(people, monkeypatch) -> None:
    """Resetting a student's name is rejected: the name was probably a mistake."""
    monkeypatch.setenv("ADMIN_PASSWORD", "correct horse battery")
    with pytest.raises(CommandError, match="is a student, not staff"):
        call_command("create_admin", "--username", "sara", "--password-env", "ADMIN_PASSWORD", "--reset")
    assert not User.objects.get(username="sara").is_staff


def test_clearing_active_revokes_all_logins(people, log_in, client) -> None:
    """If an administrator disables a student in the admin, the student's logins are revoked, also for solvers."""
    student = log_in(people.student)
    client.force_login(people.admin)
    page = client.get(f"/admin/users/user/{people.student.pk}/change/")
    form = page.context["adminform"].form
    values = {name: value for name, value in form.initial.items() if value is not None}
    for name in ("is_active", "groups", "user_permissions", "password"):
        values.pop(name, None)
    saved = client.post(f"/admin/users/user/{people.student.pk}/change/", values)
    assert saved.status_code == 302, saved.context["adminform"].form.errors
    assert student.get("/api/me").status_code == 401
    assert LoginSession.objects.get().revoked_at is not None
    assert Revocation.objects.get().kind == Revocation.Kind.SUBJECT


def test_the_admin_accepts_no_dates_of_a_user(people, client) -> None:
    """A form that is sent with the year 1 or 9999 changes neither the last login nor when a user joined."""
    client.force_login(people.admin)
    page = client.get(f"/admin/users/user/{people.student.pk}/change/")
    values = {name: value for name, value in page.context["adminform"].form.initial.items() if value is not None}
    values |= {"date_joined_0": "0001-01-01", "date_joined_1": "00:00:00", "groups": [], "user_permissions": []}
    values |= {"last_login_0": "9999-12-31", "last_login_1": "23:59:59"}
    values.pop("password", None)
    assert client.post(f"/admin/users/user/{people.student.pk}/change/", values).status_code == 302
    saved = User.objects.get(pk=people.student.pk)
    assert (saved.date_joined, saved.last_login) == (people.student.date_joined, None)


def test_deleting_a_user_revokes_their_tokens(people, log_in, client) -> None:
    """Solvers verify tokens without looking at accounts, so deleting a user also revokes their tokens."""
    log_in(people.student)
    client.force_login(people.admin)
    body = {"action": "delete_selected", "_selected_action": [people.student.pk], "post": "yes"}
    assert client.post("/admin/users/student/", body).status_code == 302
    assert not User.objects.filter(pk=people.student.pk).exists()
    assert Revocation.objects.get().value == str(people.student.pk)


def test_disabling_needs_permission(people, client) -> None:
    """A Doctor sees no accounts in the admin and cannot disable any."""
    client.force_login(people.doctor)
    assert client.get("/admin/users/user/").status_code == 403
    body = {"action": "disable", "_selected_action": [people.student.pk]}
    assert client.post("/admin/users/user/", body).status_code == 403
    assert User.objects.get(pk=people.student.pk).is_active


def disable(user: User) -> None:
    """Disable an account on a connection of its own."""
    try:
        account_disable(user=user, now=database_now())
    finally:
        connection.close()


def waits_for_lock(work: Future[None]) -> bool:
    """Wait until another transaction waits for one of our locks (True) or the work is done without (False)."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid::bigint = %s"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(waiting, [locks.NAMESPACE])
            if cursor.fetchone()[0]:
                return True
        if work.done():
            return False
    raise TimeoutError("neither waiting nor done")


@pytest.mark.parametrize("locked", [True, False])
@pytest.mark.django_db(transaction=True)
def test_revocations_commit_in_order(people, monkeypatch, locked) -> None:
    """An uncommitted revocation blocks those with higher ids; without the lock it does not."""
    if not locked:
        monkeypatch.setattr(locks, "lock_exclusively", lambda _: None)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            account_disable(user=people.student, now=database_now())
            work = pool.submit(disable, people.other_student)
            assert waits_for_lock(work) is locked
        work.result(timeout=20)
    assert Revocation.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_revocation_waits_for_a_renewal(people) -> None:
    """While a lease function holds the lock shared, no revocation appears below the ids that it is about to read."""
    with ThreadPoolExecutor(1) as pool, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s, %s)", [locks.NAMESPACE, locks.REVOCATIONS])
        work = pool.submit(disable, people.student)
        assert waits_for_lock(work)
        assert not Revocation.objects.exists()
        cursor.execute("SELECT pg_advisory_unlock_shared(%s, %s)", [locks.NAMESPACE, locks.REVOCATIONS])
        work.result(timeout=20)
    assert Revocation.objects.count() == 1


def test_locking_outside_a_transaction_raises(transactional_db: None) -> None:
    """A lock that would be released at once is a programming error and raises."""
    with pytest.raises(RuntimeError, match="outside"):
        locks.lock_exclusively(locks.REVOCATIONS)
