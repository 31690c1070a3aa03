"""The second factor of staff: who has enrolled an authenticator app needs its code at every login."""

import re
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from exam_web.users.logins import second_factor
from exam_web.users.models import User

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

PAGE = "/admin/second-factor/"
PASSWORD = "a long enough pass phrase"


def code_of(device: TOTPDevice, *, later: int = 0) -> str:
    """The code that an app shows now, or some steps of half a minute later."""
    totp = TOTP(device.bin_key, drift=device.drift + later)
    return f"{totp.token():06d}"


@pytest.fixture
def staff(people) -> User:
    """An administrator with a password."""
    user: User = people.admin
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def codes(staff) -> list[str]:
    """The backup codes of the administrator, who has enrolled an app."""
    device = second_factor.offered_app(staff)
    codes = second_factor.enrol(staff, code_of(device))
    assert codes is not None
    return list(codes)


def log_in_api(user: User, **more: Any) -> Any:
    """The reply to a login of the API."""
    kind = "students" if user.kind == User.Kind.STUDENT else "doctors"
    body = {"username": user.username, "password": PASSWORD, **more}
    return Client().post(f"/api/auth/{kind}/login", body, content_type="application/json")


def log_in(user: User, **more: Any) -> Client | None:
    """A browser after the admin's login; None if the login was rejected."""
    client = Client()
    form = {"username": user.username, "password": PASSWORD, "next": "/admin/", **more}
    reply = client.post("/admin/login/", form)
    return client if reply.status_code == 302 else None


def present_code(user: User, *, later: int = 1) -> str:
    """A code that was not used yet."""
    device = TOTPDevice.objects.get(user=user, confirmed=True)
    return code_of(device, later=later)


def test_the_password_alone_logs_in_without_an_app(staff) -> None:
    """If I have enrolled no app, nothing changes."""
    browser = log_in(staff)
    assert browser is not None
    assert "Second factor" in browser.get("/admin/").content.decode()


def test_an_app_is_enrolled_in_the_admin(staff) -> None:
    """I scan the picture, enter the app's code, get backup codes once, and stay logged in."""
    browser = log_in(staff)
    assert browser is not None
    page = browser.get(PAGE).content.decode()
    assert "<svg" in page
    assert "script" not in page.partition("<svg")[2].partition("</svg>")[0]
    device = TOTPDevice.objects.get(user=staff, confirmed=False)
    assert second_factor.secret_text(device) in page
    assert "This is no code" in browser.post(PAGE, {"code": "000000x"}).content.decode()
    device.refresh_from_db()
    device.throttle_reset()
    enrolled = browser.post(PAGE, {"code": code_of(device)})
    assert "no-store" in enrolled["Cache-Control"]
    assert len(re.findall(r"<li><code>\w+</code></li>", enrolled.content.decode())) == second_factor.BACKUP_CODES
    assert browser.get("/admin/").status_code == 200


def test_a_login_needs_the_code(staff, codes) -> None:
    """Once I have enrolled an app, my password alone is rejected, and so is a wrong or a used code."""
    assert log_in(staff) is None
    code = present_code(staff)
    assert log_in(staff, code=code) is not None
    assert log_in(staff, code=code) is None


def test_a_backup_code_is_used_once(staff, codes) -> None:
    """Without my phone I log in with a backup code, once; others do."""
    assert log_in(staff, code=codes[0]) is not None
    assert log_in(staff, code=codes[0]) is None


def test_the_api_needs_the_code_too(people) -> None:
    """A Doctor who has enrolled an app gets no token by the password alone; a student needs no code."""
    for user in (people.doctor, people.student):
        user.set_password(PASSWORD)
        user.save()
    doctor = people.doctor
    device = second_factor.offered_app(doctor)
    assert second_factor.enrol(doctor, code_of(device)) is not None
    refused = log_in_api(doctor)
    assert (refused.status_code, refused.json()["detail"]) == (401, "the code of the authenticator app is missing")
    assert log_in_api(doctor, code=present_code(doctor)).status_code == 200
    assert log_in_api(people.student).status_code == 200


def test_an_app_is_removed_with_its_code(staff, codes) -> None:
    """I remove my app with one of its codes; then the password alone logs in."""
    browser = log_in(staff, code=codes[0])
    assert browser is not None
    assert "This is no code" in browser.post(PAGE, {"code": codes[0], "remove": "1"}).content.decode()
    TOTPDevice.objects.get(user=staff, confirmed=True).throttle_reset()
    assert browser.post(PAGE, {"code": present_code(staff), "remove": "1"}).status_code == 302
    assert log_in(staff) is not None


def test_an_open_session_does_not_replace_an_app(staff, codes) -> None:
    """If I leave my browser open, another person cannot put an app of theirs in the place of mine."""
    browser = log_in(staff, code=codes[0])
    assert browser is not None
    other = second_factor.offered_app(staff)
    page = browser.post(PAGE, {"code": code_of(other)}).content.decode()
    assert "This is no code" in page
    assert second_factor.secret_text(other) not in page
    assert not TOTPDevice.objects.get(pk=other.pk).confirmed
    assert log_in(staff, code=present_code(staff)) is not None


def test_a_superuser_removes_a_lost_second_factor(people, staff, codes, monkeypatch) -> None:
    """If I have lost app and codes, a superuser removes them in the admin; at a terminal, --reset does."""
    browser = Client()
    browser.force_login(people.admin)
    action = {"action": "remove_second_factor", "_selected_action": [staff.pk]}
    browser.post("/admin/users/user/", action)
    assert not second_factor.is_enrolled(staff)
    assert second_factor.enrol(staff, code_of(second_factor.offered_app(staff))) is not None
    monkeypatch.setenv("NEW", PASSWORD)
    call_command("create_admin", username=staff.username, password_env="NEW", reset=True)
    assert log_in(staff) is not None


def test_a_second_factor_may_be_required(staff, settings) -> None:
    """Where staff must have a second factor, I see only the page to enrol one until I have."""
    settings.STAFF_SECOND_FACTOR = "required"
    browser = log_in(staff)
    assert browser is not None
    for path in ("/admin/", "/admin/users/user/"):
        reply = browser.get(path)
        assert (reply.status_code, reply["Location"]) == (302, PAGE)
    assert "Staff need a second factor" in browser.get(PAGE).content.decode()
    device = TOTPDevice.objects.get(user=staff, confirmed=False)
    browser.post(PAGE, {"code": code_of(device)})
    assert browser.get("/admin/users/user/").status_code == 200


def test_a_required_second_factor_holds_at_the_api(people, settings) -> None:
    """Where staff must have a second factor, a Doctor without one gets no token; students do."""
    settings.STAFF_SECOND_FACTOR = "required"
    for user in (people.doctor, people.student):
        user.set_password(PASSWORD)
        user.save()
    refused = log_in_api(people.doctor)
    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        "staff need a second factor: log in at /admin/ to enrol one",
    )
    assert log_in_api(people.student).status_code == 200


def test_no_page_shows_the_secret_of_another(people, staff, codes) -> None:
    """The admin has no page that shows the secret of an app or the backup codes."""
    browser = Client()
    browser.force_login(people.admin)
    for path in ("otp_totp/totpdevice/", "otp_static/staticdevice/"):
        assert browser.get(f"/admin/{path}").status_code == 404


def test_a_code_is_checked_after_the_password(staff, codes) -> None:
    """A wrong password says nothing about a second factor."""
    client = Client()
    form = {"username": staff.username, "password": "wrong", "code": present_code(staff), "next": "/admin/"}
    assert "authenticator app is" not in client.post("/admin/login/", form).content.decode()
