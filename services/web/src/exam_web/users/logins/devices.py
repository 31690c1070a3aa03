"""Known devices: a cookie says on which device a user has logged in before.

It replaces no password. It only keeps the failures of other devices from using up this one's tries.
"""

import secrets
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from exam_core.canonical import digest

DEVICE_COOKIE: Final = "exam_device"
DEVICE_SECONDS: Final = 180 * 24 * 3600
_SALT: Final = "exam_web.users.device"
_CHANGE: Final = "exam_web.device_cookie"


def is_known_device(request: HttpRequest, user: str) -> bool:
    """Whether a user, given by the key of the name, has logged in on this device."""
    try:
        known, _ = signing.loads(request.COOKIES.get(DEVICE_COOKIE, ""), salt=_SALT, max_age=DEVICE_SECONDS)
    except signing.BadSignature:
        return False
    return bool(known == _value(user))


def remember_device(request: HttpRequest, user: str) -> None:
    """Set the cookie in the response to this request."""
    # Random, so that two devices never have the same cookie, and with it the same tries.
    request.META[_CHANGE] = signing.dumps([_value(user), secrets.token_hex(8)], salt=_SALT)


def forget_device(request: HttpRequest) -> None:
    """Delete the cookie in the response to this request."""
    request.META[_CHANGE] = ""


class DeviceCookies:
    """Middleware that sets and deletes the cookie."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request."""
        response = self.get_response(request)
        change = request.META.get(_CHANGE)
        if change:
            response.set_cookie(
                DEVICE_COOKIE,
                change,
                max_age=DEVICE_SECONDS,
                httponly=True,
                secure=bool(settings.SESSION_COOKIE_SECURE),
                samesite="Strict",
            )
        elif change == "":
            response.delete_cookie(DEVICE_COOKIE, samesite="Strict")
        return response


def _value(user: str) -> str:
    # A digest, so that the cookie does not show the next user of a computer the name of the last.
    return digest(user.encode())
