"""NUL characters, which PostgreSQL cannot store: no request that has one is answered with 500."""

from urllib.parse import quote

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from exam_web.users.models import User

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def staff(people) -> Client:
    """An administrator's browser; an exception in a view is a response with 500, as in production."""
    browser = Client(raise_request_exception=False)
    browser.force_login(people.admin)
    return browser


def addresses() -> list[str]:
    """The pages of the admin with a NUL in a parameter of the query, in its name, or in the path."""
    parameters = ("q=%00", "kind=%00", "kind__exact=%00", "username=%00", "%00=1", "o=%00", "p=%00", "e=%00", "all=%00")
    found = ["/admin/%00", "/admin/?next=%00", "/admin/jsi18n/?x=%00", "/admin/r/7/%00/"]
    found.append("/admin/autocomplete/?app_label=exams&model_name=exam&field_name=author&term=%00")
    for model in admin.site._registry:
        label = f"{model._meta.app_label}_{model._meta.model_name}"
        found += [f"{reverse(f'admin:{label}_changelist')}?{parameter}" for parameter in parameters]
        found += [f"{reverse(f'admin:{label}_add')}?{field.name}=%00" for field in model._meta.fields]
        found.append(reverse(f"admin:{label}_change", args=["1"]).replace("1", "%00"))
    return found


def test_a_nul_in_an_address_of_the_admin_is_rejected(staff) -> None:
    """Whichever parameter or part of an address has a NUL, the answer is «bad request»."""
    answers = {address: staff.get(address).status_code for address in addresses()}
    assert {address: status for address, status in answers.items() if status not in {400, 404}} == {}
    assert "kind" in {field.name for field in User._meta.fields}


@pytest.mark.parametrize("name", ["action", "_selected_action", "select_across", "index", "post", "anything", "a\0"])
@pytest.mark.parametrize("multipart", [False, True])
def test_a_nul_in_a_form_of_the_admin_is_rejected(staff, people, name, multipart) -> None:
    """Whichever field of a form has a NUL, the answer is «bad request»."""
    fields = {"action": "disable", "_selected_action": str(people.student.pk), "index": "0"} | {name: "x\0"}
    address = reverse("admin:users_user_changelist")
    if multipart:
        answer = staff.post(address, fields)
    else:
        body = "&".join(f"{quote(key)}={quote(value)}" for key, value in fields.items())
        answer = staff.post(address, body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 400
    assert User.objects.get(pk=people.student.pk).is_active


def test_a_nul_in_the_login_form_is_rejected() -> None:
    """A username or password with a NUL does not reach the database."""
    for fields in ({"username": "root\0", "password": "x"}, {"username": "root", "password": "\0"}):
        answer = Client(raise_request_exception=False).post("/admin/login/", fields)
        assert answer.status_code in {200, 400}


@pytest.mark.parametrize(
    "address",
    ["/api/exams?level=%00", "/api/exams?limit=%00", "/api/exams?%00=1", "/api/exams/%00", "/api/%00", "/%00"],
)
def test_a_nul_in_an_address_of_the_api_is_rejected(people, log_in, address) -> None:
    """The API rejects a NUL as a client's error."""
    api = log_in(people.doctor)
    api.client.raise_request_exception = False
    assert api.get(address).status_code in {400, 404, 422}


def test_an_upload_is_not_read_before_the_caller_is_known(algebra) -> None:
    """A form without a token is unauthenticated at the API, whatever is in it."""
    assert Client().post(f"/api/exams/{algebra.slug}/images", {"file": "x\0"}).status_code == 401
