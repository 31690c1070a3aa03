"""The second factor of staff: one-time codes of an authenticator app (TOTP, RFC 6238), and codes for a lost app.

A user who has enrolled an app needs a code at each login, of the admin and of the API. Students need none: an exam is
no place to look for a phone.
"""

from base64 import b32encode
from collections.abc import Callable, Sequence
from typing import Final

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from exam_core.problems import Problem, ProblemKind
from exam_web.users.models import User

BACKUP_CODES: Final = 10
_APP, _BACKUP = "app", "backup codes"
_OPEN_PAGES: Final = ("admin:login", "admin:logout", "admin:jsi18n", "second-factor")
"""The pages of the admin that need no second factor."""


def is_enrolled(user: User) -> bool:
    """Whether a user has an app that was confirmed by a code."""
    return app_of(user) is not None


def verified_device(user: User, code: str) -> TOTPDevice | StaticDevice | None:
    """The app or the backup codes that a code is of; None if it is wrong, was used, or follows a wrong one at once."""
    code = code.replace(" ", "")
    model = TOTPDevice if code.isdecimal() else StaticDevice
    with transaction.atomic():
        for device in model.objects.select_for_update().filter(user=user, confirmed=True):
            if device.verify_token(code):
                return device
    return None


def check_code(user: User, code: str) -> TOTPDevice | StaticDevice | None:
    """Check the code of a login whose password is right; returns its device, None for a user who needs no code.

    Raises:
        Problem: BAD_CREDENTIALS.
    """
    if user.kind == User.Kind.STUDENT or not is_enrolled(user):
        return None
    device = verified_device(user, code) if code else None
    if device is None:
        hint = "wrong code of the authenticator app" if code else "the code of the authenticator app is missing"
        raise Problem(ProblemKind.BAD_CREDENTIALS, hint)
    return device


def is_missing(user: User) -> bool:
    """Whether a user must have a second factor and has none."""
    return settings.STAFF_SECOND_FACTOR == "required" and user.kind != User.Kind.STUDENT and not is_enrolled(user)


def offered_app(user: User) -> TOTPDevice:
    """The app that a user may confirm: the same secret until then."""
    device, _ = TOTPDevice.objects.get_or_create(user=user, confirmed=False, defaults={"name": _APP})
    return device


def enrol(user: User, code: str) -> Sequence[str] | None:
    """Confirm the offered app by one of its codes; returns new backup codes, None if the code is wrong.

    A user who has an app has to remove it first, which needs one of its codes: an open session alone must not replace
    it.
    """
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False).first()
        if device is None or is_enrolled(user) or not device.verify_token(code.replace(" ", "")):
            return None
        device.confirmed = True
        device.save()
        backup = StaticDevice.objects.create(user=user, name=_BACKUP)
        codes = [StaticToken.random_token() for _ in range(BACKUP_CODES)]
        StaticToken.objects.bulk_create(StaticToken(device=backup, token=each) for each in codes)
    return codes


def app_of(user: User) -> TOTPDevice | None:
    """The confirmed app of a user."""
    return TOTPDevice.objects.filter(user=user, confirmed=True).first()


def secret_text(app: TOTPDevice) -> str:
    """An app's secret as a person types it: base32 in groups of four."""
    text = b32encode(app.bin_key).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def remove(user: User) -> None:
    """Remove the confirmed app and the backup codes of a user, who logs in with the password alone from then on."""
    TOTPDevice.objects.filter(user=user, confirmed=True).delete()
    StaticDevice.objects.filter(user=user).delete()


class RequireSecondFactor:
    """Middleware: where staff must have a second factor, a session without one sees no page but that to enrol."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request."""
        if settings.STAFF_SECOND_FACTOR == "required" and _needs_code(request):
            return HttpResponseRedirect(reverse("second-factor"))
        return self.get_response(request)


def _needs_code(request: HttpRequest) -> bool:
    if not request.path.startswith(reverse("admin:index")) or request.path in map(reverse, _OPEN_PAGES):
        return False
    return request.user.is_authenticated and not request.user.is_verified()  # type: ignore[attr-defined]  # set by django-otp
