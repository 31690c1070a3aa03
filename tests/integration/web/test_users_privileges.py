"""Who may change which account in the admin, and what ends with a change: privileges, sessions, tokens."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from exam_web.users.models import Doctor, Student, User

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

PASSWORD = "a long enough pass phrase"
NEW_PASSWORD = "another long pass phrase"
MODELS = (User, Student, Doctor)


@pytest.fixture
def secretary(people) -> User:
    """A member of staff with all permissions for users, students and Doctors, and for groups."""
    user = User(username="secretary", kind=User.Kind.STAFF, is_staff=True)
    user.set_password(PASSWORD)
    user.save()
    names = ("user", "student", "doctor", "group")
    verbs = ("add", "change", "delete", "view")
    codes = [f"{verb}_{name}" for verb in verbs for name in names]
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    return user


@pytest.fixture
def browser(secretary) -> Client:
    """The browser of that member of staff."""
    client = Client()
    client.force_login(secretary)
    return client


@pytest.fixture
def root(people) -> Client:
    """A superuser's browser."""
    client = Client()
    client.force_login(people.admin)
    return client


def form_of(user: User, **more: Any) -> dict[str, Any]:
    """The form of an account's page."""
    form: dict[str, Any] = {
        "username": user.username,
        "first_name": "",
        "last_name": "",
        "email": "",
        "is_active": "on",
        "extra_percent": user.extra_percent,
    }
    form |= {"level": user.level_id or "", "kind": user.kind}
    return form | more


PRIVILEGES = {"is_superuser": "on", "is_staff": "on", "kind": "staff"}


@pytest.mark.parametrize("model", ["user", "student"])
def test_staff_give_no_privileges(browser, people, model) -> None:
    """If a member of staff posts privileges with a student's form, the student gets none; the name is saved."""
    group = Group.objects.create(name="all")
    permission = Permission.objects.first()
    assert permission is not None
    form = form_of(people.student, first_name="Sara", groups=[group.pk], user_permissions=[permission.pk], **PRIVILEGES)
    assert browser.post(f"/admin/users/{model}/{people.student.pk}/change/", form).status_code == 302
    student = User.objects.get(pk=people.student.pk)
    assert (student.first_name, student.kind) == ("Sara", User.Kind.STUDENT)
    assert not student.is_superuser
    assert not student.is_staff
    assert not student.groups.exists()
    assert not student.user_permissions.exists()


def test_staff_do_not_promote_themselves(browser, secretary) -> None:
    """The form of one's own account, and that of any group, is for superusers alone."""
    group = Group.objects.create(name="all")
    secretary.groups.add(group)
    assert (
        browser.post(f"/admin/users/user/{secretary.pk}/change/", form_of(secretary, **PRIVILEGES)).status_code == 403
    )
    permission = Permission.objects.get(codename="delete_exam")
    form = {"name": "all", "permissions": [permission.pk]}
    assert browser.post(f"/admin/auth/group/{group.pk}/change/", form).status_code == 403
    assert browser.post("/admin/auth/group/add/", form | {"name": "new"}).status_code == 403
    assert not User.objects.get(pk=secretary.pk).is_superuser
    assert not User.objects.get(pk=secretary.pk).has_perm("exams.delete_exam")


def test_staff_change_no_account_with_privileges(browser, people) -> None:
    """A superuser's name, password and account are out of reach of staff, also by the actions of lists."""
    admin = people.admin
    base = f"/admin/users/user/{admin.pk}"
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    assert browser.post(f"{base}/password/", passwords | {"set-password": "1"}).status_code == 403
    assert browser.post(f"{base}/change/", form_of(admin, username="other")).status_code == 403
    assert browser.post(f"{base}/delete/", {"post": "yes"}).status_code == 403
    for action in ("disable", "delete_selected"):
        body = {"action": action, "_selected_action": [admin.pk, people.student.pk], "post": "yes"}
        browser.post("/admin/users/user/", body)
    found = User.objects.get(pk=admin.pk)
    assert found.is_active
    assert found.username == "root"
    assert found.check_password(PASSWORD)
    assert User.objects.get(pk=people.student.pk).is_active


def test_staff_change_passwords_of_students(browser, people) -> None:
    """A student's forgotten password is replaced by staff, and the student disabled and deleted."""
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true", "set-password": "1"}
    assert browser.post(f"/admin/users/student/{people.student.pk}/password/", passwords).status_code == 302
    assert User.objects.get(pk=people.student.pk).check_password(NEW_PASSWORD)
    for action in ("disable", "delete_selected"):
        body = {"action": action, "_selected_action": [people.student.pk], "post": "yes"}
        assert browser.post("/admin/users/student/", body).status_code == 302
    assert not User.objects.filter(pk=people.student.pk).exists()


def new(username: str, **more: Any) -> dict[str, Any]:
    """The form of a new account."""
    return {"username": username, "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"} | more


@pytest.mark.parametrize("client_of", ["browser", "root"])
def test_add_student_makes_a_student(request, people, client_of) -> None:
    """«Add student» makes a student and «Add doctor» a Doctor who may use the admin, whatever kind is posted."""
    client = request.getfixturevalue(client_of)
    assert client.get("/admin/users/student/add/").status_code == 200
    form = new("new.student", level=people.year_1.pk, **PRIVILEGES)
    assert client.post("/admin/users/student/add/", form).status_code == 302
    student = User.objects.get(username="new.student")
    assert (student.kind, student.level, student.is_staff) == (User.Kind.STUDENT, people.year_1, False)
    assert client.post("/admin/users/doctor/add/", new("new.doctor", **PRIVILEGES)).status_code == 302
    doctor = User.objects.get(username="new.doctor")
    assert (doctor.kind, doctor.level, doctor.is_staff) == (User.Kind.DOCTOR, None, True)
    assert not doctor.is_superuser


def test_superusers_alone_add_staff(browser, root) -> None:
    """Only a superuser adds an account of any kind."""
    assert browser.post("/admin/users/user/add/", new("friend", kind="staff")).status_code == 403
    assert root.post("/admin/users/user/add/", new("friend", kind="staff")).status_code == 302


@pytest.mark.parametrize("changed", ["level", "kind"])
def test_a_changed_level_or_kind_ends_tokens(root, people, log_in, changed) -> None:
    """After my level or kind was changed in the admin, my tokens of before are rejected."""
    api = log_in(people.student)
    assert api.get("/api/me").status_code == 200
    more = {"level": people.year_2.pk} if changed == "level" else {"kind": "doctor", "level": ""}
    answer = root.post(f"/admin/users/user/{people.student.pk}/change/", form_of(people.student, **more))
    assert answer.status_code == 302
    assert api.get("/api/me").status_code == 401


def test_a_removed_password_ends_tokens(browser, people, log_in) -> None:
    """After staff removed my password, my tokens of before are rejected."""
    api = log_in(people.student)
    fields = {"usable_password": "false", "unset-password": "1", "password1": "", "password2": ""}
    assert browser.post(f"/admin/users/student/{people.student.pk}/password/", fields).status_code == 302
    assert not User.objects.get(pk=people.student.pk).has_usable_password()
    assert api.get("/api/me").status_code == 401


def test_an_unchanged_level_ends_nothing(root, people, log_in) -> None:
    """A corrected name leaves me logged in."""
    api = log_in(people.student)
    root.post(f"/admin/users/user/{people.student.pk}/change/", form_of(people.student, first_name="Sara"))
    assert api.get("/api/me").status_code == 200


def test_a_level_that_a_list_changes_ends_tokens(people, log_in, tmp_path) -> None:
    """After a list moved me to another level, my tokens of before are rejected; those of others are not."""
    mine, theirs = log_in(people.student), log_in(people.other_student)
    path = tmp_path / "people.csv"
    path.write_text(f"username,kind,level,password\nsara,student,year-2,{PASSWORD}\nomar,student,year-2,{PASSWORD}\n")
    call_command("load_people", str(path))
    assert mine.get("/api/me").status_code == 401
    assert theirs.get("/api/me").status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda user: user.set_password(NEW_PASSWORD),
        lambda user: setattr(user, "kind", User.Kind.STAFF),
    ],
    ids=["password", "kind"],
)
def test_a_changed_password_or_kind_ends_sessions_of_the_admin(people, change: Callable[[User], None]) -> None:
    """A browser that is logged in to the admin has to log in again once the account has another password or kind."""
    client = Client()
    client.force_login(people.doctor)
    assert client.get("/admin/").status_code == 200
    user = User.objects.get(pk=people.doctor.pk)
    change(user)
    user.save()
    assert client.get("/admin/").status_code == 302


def test_a_doctor_who_becomes_a_student_leaves_the_admin(root, people) -> None:
    """With another kind the access to the admin that came with being a Doctor ends."""
    form = form_of(people.doctor, kind="student", level=people.year_1.pk, is_staff="on")
    assert root.post(f"/admin/users/user/{people.doctor.pk}/change/", form).status_code == 302
    assert not User.objects.get(pk=people.doctor.pk).is_staff


def test_sessions_of_the_admin_end_when_idle(root) -> None:
    """Each page of the admin prolongs the session by the idle time and no more."""
    root.get("/admin/")
    first = root.session.get_expiry_date()
    assert (first - timezone.now()).total_seconds() <= settings.SESSION_COOKIE_AGE == 3600
    answer = root.get("/admin/")
    assert answer.cookies["sessionid"]["max-age"] == 3600
