"""Logins after a change of their account, and the clean-up of old ones."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.test import Client

from exam_core.instants import SECOND, from_micros
from exam_core.tokens import Access, Role
from exam_web.common.clock import database_now
from exam_web.settings import ENVIRONMENT
from exam_web.users import purge, selectors
from exam_web.users.models import LoginSession, Revocation, User
from exam_web.users.services import account_disable

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

PASSWORD = "a long enough pass phrase"
OTHER = "quite another pass phrase"


def post(path: str, **body: str):
    """POST a JSON body."""
    return Client().post(path, json.dumps(body), content_type="application/json")


def login(username: str = "sara", password: str = PASSWORD):
    """Log a student in."""
    return post("/api/auth/students/login", username=username, password=password)


def revocations() -> list[tuple[str, str]]:
    """Kind and value of all revocations."""
    return list(Revocation.objects.order_by("id").values_list("kind", "value"))


def change_in_admin(people) -> None:
    """Change the student's password on its page in the admin."""
    browser = Client()
    browser.force_login(people.admin)
    page = f"/admin/users/student/{people.student.pk}/password/"
    answer = browser.post(page, {"password1": OTHER, "password2": OTHER, "usable_password": "true"})
    assert answer.status_code == 302, answer.context["form"].errors


def change_by_command(people, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change the student's password on the command line."""
    monkeypatch.setattr("getpass.getpass", lambda **_: OTHER)
    call_command("changepassword", people.student.username)


@pytest.mark.parametrize("way", ["admin", "command"])
def test_a_changed_password_ends_the_logins_and_no_attempt(
    people, way: str, monkeypatch: pytest.MonkeyPatch, introspect
) -> None:
    """My password became known and is changed: who is logged in with the old one gets no tokens any more."""
    tokens = [login().json() for _ in range(2)]
    other = post("/api/auth/students/login", username="omar", password=PASSWORD).json()
    change_in_admin(people) if way == "admin" else change_by_command(people, monkeypatch)
    for each in tokens:
        assert post("/api/auth/refresh", refresh=each["refresh"]).status_code == 401
        assert introspect(each["access"]) == {"active": False}
    assert post("/api/auth/refresh", refresh=other["refresh"]).status_code == 200
    # Solvers let attempts continue: a forgotten password is reset in the middle of an exam.
    assert [kind for kind, _ in revocations()] == ["chain", "chain"]
    assert login(password=OTHER).status_code == 200


def test_a_new_hash_of_the_same_password_ends_no_login(people) -> None:
    """The hasher's parameters were raised, and my password is hashed again when I log in: my other device goes on."""
    device = login().json()
    old = Argon2PasswordHasher().encode(PASSWORD, "an old salt of some length")
    User.objects.filter(pk=people.student.pk).update(password=old)
    assert login().status_code == 200
    people.student.refresh_from_db()
    assert people.student.password != old
    assert post("/api/auth/refresh", refresh=device["refresh"]).status_code == 200


def access(user: User, issued_at: int) -> Access:
    """An access token of a login at a given time."""
    return Access(
        subject=user.pk,
        role=Role.STUDENT,
        level="year-1",
        session=uuid4(),
        token=uuid4(),
        issued_at=issued_at // SECOND * SECOND,
        expires_at=issued_at + 600 * SECOND,
    )


def test_disabling_revokes_the_tokens_of_the_present_second_and_no_later_one(people) -> None:
    """My account was disabled and enabled again: tokens of up to that second stay revoked, those of the next work."""
    second = database_now() // SECOND * SECOND
    account_disable(user=people.student, now=second + 900_000)
    assert selectors.is_revoked(access(people.student, second + 999_999))
    assert not selectors.is_revoked(access(people.student, second + SECOND))


def test_a_login_deletes_the_logins_that_expired_long_ago(people) -> None:
    """Rows of old logins do not pile up; those that expired lately are kept, in case the clock was ahead."""
    login()
    LoginSession.objects.update(expires_at=F("expires_at") - timedelta(days=365))
    old = LoginSession.objects.get()
    login()
    lately = LoginSession.objects.exclude(pk=old.pk).get()
    LoginSession.objects.filter(pk=lately.pk).update(expires_at=F("expires_at") - timedelta(days=1))
    login()
    assert LoginSession.objects.filter(pk=lately.pk).exists()
    assert LoginSession.objects.count() == 2


def test_a_revocation_deletes_those_that_expired_long_ago(people) -> None:
    """Rows of old revocations do not pile up; they are kept for twice as long as solvers need them."""
    keep = timedelta(seconds=ENVIRONMENT.revocation_seconds)
    for _ in range(2):
        post("/api/auth/logout", refresh=login().json()["refresh"])
    first, second = Revocation.objects.order_by("id")
    Revocation.objects.filter(pk=first.pk).update(expires_at=F("expires_at") - 2 * keep - timedelta(minutes=1))
    Revocation.objects.filter(pk=second.pk).update(expires_at=F("expires_at") - keep - timedelta(minutes=1))
    post("/api/auth/logout", refresh=login().json()["refresh"])
    assert not Revocation.objects.filter(pk=first.pk).exists()
    assert Revocation.objects.filter(pk=second.pk).exists()
    assert Revocation.objects.count() == 2


def test_a_login_deletes_expired_logins_of_users_who_never_return(people) -> None:
    """Students of former years log in no more: their logins, and old sessions of the admin, are deleted as well."""
    now = database_now()
    long_ago = from_micros(now) - timedelta(days=365)
    other = User.objects.get(username="omar")
    LoginSession.objects.bulk_create(
        LoginSession(user=other, current=uuid4(), expires_at=long_ago) for _ in range(purge.BATCH + 1)
    )
    kept = LoginSession.objects.create(user=other, current=uuid4(), expires_at=from_micros(now))
    Session.objects.create(session_key="old", session_data="", expire_date=long_ago)
    cache.delete(purge._SWEPT)
    for _ in range(2):
        assert login().status_code == 200
    assert set(LoginSession.objects.filter(user=other)) == {kept}
    assert not Session.objects.exists()
    assert purge.purge_sessions(now=now) == 0


def test_a_revocation_deletes_no_more_than_a_batch(people) -> None:
    """My logout does not wait for the rows of 50,000 others, and every logout deletes more than it adds."""
    long_ago = from_micros(database_now()) - timedelta(days=365)
    Revocation.objects.bulk_create(
        Revocation(kind="session", value=str(uuid4()), before=long_ago, expires_at=long_ago)
        for _ in range(purge.BATCH + 10)
    )
    session = login().json()["refresh"]
    assert post("/api/auth/logout", refresh=session).status_code == 204
    assert Revocation.objects.count() == 11


def test_the_clean_up_of_logins_reads_an_index(people) -> None:
    """If the platform has had millions of logins, finding those that expired long ago reads no other ones."""
    assert people
    expired = LoginSession.objects.filter(expires_at__lt=purge.long_ago(database_now()))
    with connection.cursor() as cursor:
        # The tables of tests are too small for an index to be worth it.
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "Index Cond: (expires_at <" in expired.explain()
