"""People in bulk, the first administrator, and what ends when somebody leaves."""

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


def table(path: Path, *rows: tuple[str, ...]) -> str:
    """A CSV file of people."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return str(path)


def test_a_years_list_loads_on_every_core(schedule, tmp_path, capsys, client, monkeypatch) -> None:
    """A list is loaded at once, levels and all, its passwords hashed side by side, and everyone on it can log in."""
    threads = set()

    def hashed(password: str) -> str:
        threads.add(threading.get_ident())
        return make_password(password)

    monkeypatch.setattr(people_module, "make_password", hashed)
    monkeypatch.setattr(people_module.os, "cpu_count", lambda: 2)
    rows = [(f"student-{n:03}", "student", f"year-{n % 3 + 1}", f"pass phrase {n}") for n in range(60)]
    file = table(tmp_path / "people.csv", *rows, ("noether", "doctor", "", "another phrase"))
    call_command("load_people", file)
    assert len(threads) == 2
    assert "61 users created, 0 already exist" in capsys.readouterr().out
    assert [level.slug for level in Level.objects.all()] == ["year-1", "year-2", "year-3"]
    body = {"username": "student-059", "password": "pass phrase 59"}
    answer = client.post("/api/auth/students/login", body, content_type="application/json")
    assert answer.status_code == 200


def test_loading_people_again_leaves_them_alone(people, tmp_path, capsys) -> None:
    """Who is there keeps the password; who is new on the list is added."""
    before = User.objects.get(username="sara").password
    file = table(tmp_path / "people.csv", ("sara", "student", "year-1", "other"), ("new", "student", "year-1", "x y z"))
    call_command("load_people", file)
    assert "1 users created, 1 already exist" in capsys.readouterr().out
    assert User.objects.get(username="sara").password == before


def test_a_faulty_list_loads_nobody_and_names_every_line(people, tmp_path) -> None:
    """Each wrong line of a list is named with its reason, and nobody of the list is created."""
    count = User.objects.count()
    file = table(
        tmp_path / "people.csv",
        ("fine", "student", "year-1", "a b c"),
        ("x", "teacher", "", "a b c"),
        ("y", "student", "", "a b c"),
        ("z", "doctor", "year-1", "a b c"),
        ("fine", "student", "year-1", ""),
        ("a b", "student", "Year One", "a b c"),
        ("short",),
    )
    with pytest.raises(CommandError) as refused:
        call_command("load_people", file)
    said = str(refused.value)
    for line, reason in (
        (3, "kind must be student or doctor"),
        (4, "a student must have a level"),
        (5, "a student must have a level, a doctor must not"),
        (6, "the password must not be empty"),
        (6, "fine is already on line 2"),
        (7, "username: "),
        (7, "level: "),
        (8, "kind must be"),
    ):
        assert f"line {line}: {reason}" in said
    assert "line 2: " not in said
    assert User.objects.count() == count


@pytest.mark.parametrize("content", [b"name,password\n", b"", b"\xff\xfe\x00"])
def test_what_is_no_list_of_people_is_refused(schedule, tmp_path, content: bytes) -> None:
    """Another header, an empty file and a file that is no text are refused with the file's name."""
    file = tmp_path / "people.csv"
    file.write_bytes(content)
    with pytest.raises(CommandError, match=r"people\.csv"):
        call_command("load_people", str(file))


@pytest.mark.parametrize("password", [None, "", "password", "12345678", "boss"])
def test_an_administrator_needs_a_real_password(schedule, monkeypatch, password: str | None) -> None:
    """A missing, empty, common or short password makes no administrator."""
    monkeypatch.delenv("ADMIN_PASSWORD", raising=False)
    if password is not None:
        monkeypatch.setenv("ADMIN_PASSWORD", password)
    with pytest.raises(CommandError, match="ADMIN_PASSWORD"):
        call_command("create_admin", "--username", "boss", "--password-env", "ADMIN_PASSWORD")
    assert not User.objects.filter(username="boss").exists()


def test_creating_the_administrator_again_changes_nothing(schedule, monkeypatch, capsys, client) -> None:
    """The command says that the administrator is there; only --reset gives another password."""

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


def test_a_student_is_never_made_an_administrator(people, monkeypatch) -> None:
    """Resetting a name that is a student's is refused: whoever typed it meant somebody else."""
    monkeypatch.setenv("ADMIN_PASSWORD", "correct horse battery")
    with pytest.raises(CommandError, match="is a student, not staff"):
        call_command("create_admin", "--username", "sara", "--password-env", "ADMIN_PASSWORD", "--reset")
    assert not User.objects.get(username="sara").is_staff


def test_taking_the_tick_from_active_ends_every_login(people, log_in, client) -> None:
    """An administrator who disables a student in the admin ends the student's logins, and solvers hear of it."""
    student = log_in(people.student)
    client.force_login(people.admin)
    page = client.get(f"/admin/users/user/{people.student.pk}/change/")
    form = page.context["adminform"].form
    values = {name: value for name, value in form.initial.items() if value is not None}
    for name in ("is_active", "last_login", "date_joined", "groups", "user_permissions", "password"):
        values.pop(name, None)
    values |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    saved = client.post(f"/admin/users/user/{people.student.pk}/change/", values)
    assert saved.status_code == 302, saved.context["adminform"].form.errors
    assert student.get("/api/me").status_code == 401
    assert LoginSession.objects.get().revoked_at is not None
    assert Revocation.objects.get().kind == Revocation.Kind.SUBJECT


def test_deleting_people_ends_their_logins(people, log_in, client) -> None:
    """Solvers know tokens, not accounts: who is deleted is revoked too."""
    log_in(people.student)
    client.force_login(people.admin)
    body = {"action": "delete_selected", "_selected_action": [people.student.pk], "post": "yes"}
    assert client.post("/admin/users/student/", body).status_code == 302
    assert not User.objects.filter(pk=people.student.pk).exists()
    assert Revocation.objects.get().value == str(people.student.pk)


def test_only_who_may_change_people_may_disable_them(people, client) -> None:
    """A Doctor sees nobody's account in the admin, and no action on it."""
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


def await_waiter(work: Future[None]) -> bool:
    """Wait until somebody waits for a lock of ours, or the work is done without; whether somebody waits."""
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
def test_no_revocation_overtakes_another(people, monkeypatch, locked) -> None:
    """A revocation that is not there for others to read yet holds back those with higher ids; without its lock not."""
    if not locked:
        monkeypatch.setattr(locks, "lock_exclusively", lambda _: None)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            account_disable(user=people.student, now=database_now())
            work = pool.submit(disable, people.other_student)
            assert await_waiter(work) is locked
        work.result(timeout=20)
    assert Revocation.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_revocation_waits_for_a_renewal_that_reads(people) -> None:
    """While a lease function holds the lock shared, no revocation appears below what it is about to read."""
    with ThreadPoolExecutor(1) as pool, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s, %s)", [locks.NAMESPACE, locks.REVOCATIONS])
        work = pool.submit(disable, people.student)
        assert await_waiter(work)
        assert not Revocation.objects.exists()
        cursor.execute("SELECT pg_advisory_unlock_shared(%s, %s)", [locks.NAMESPACE, locks.REVOCATIONS])
        work.result(timeout=20)
    assert Revocation.objects.count() == 1


def test_a_lock_outside_of_a_transaction_is_refused(transactional_db: None) -> None:
    """A lock that would be gone before it served is an error of ours, told at once."""
    with pytest.raises(RuntimeError, match="outside"):
        locks.lock_exclusively(locks.REVOCATIONS)
