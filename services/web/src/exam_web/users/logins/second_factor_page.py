"""The page on which staff enrol an authenticator app, replace it, or remove it."""

from io import BytesIO
from typing import cast

import django_otp
import segno
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.safestring import SafeString

from exam_web.users.logins import second_factor
from exam_web.users.models import User


def second_factor_page(request: HttpRequest) -> HttpResponse:
    """Show the app's secret as a picture and as text; a code of the app confirms it."""
    user = cast("User", request.user)
    if request.method == "POST":
        return _change(request, user)
    return _page(request, user)


def _change(request: HttpRequest, user: User) -> HttpResponse:
    code = request.POST.get("code", "")
    if "remove" in request.POST:
        if second_factor.verified_device(user, code) is None:
            return _page(request, user, error="This is no code of your present app, or it was used already.")
        second_factor.remove(user)
        messages.success(request, "Your authenticator app was removed.")
        return HttpResponseRedirect(request.path)
    codes = second_factor.enrol(user, code)
    if codes is None:
        return _page(request, user, error="This is no code of the app, or it is too old: enter the present one.")
    # The session that enrols need not log in again.
    django_otp.login(request, second_factor.app_of(user))
    return _page(request, user, codes=codes)


def _page(request: HttpRequest, user: User, **context: object) -> HttpResponse:
    enrolled = second_factor.is_enrolled(user)
    app = second_factor.offered_app(user)
    context |= admin.site.each_context(request) | {
        "title": "Second factor",
        "enrolled": enrolled,
        "required": settings.STAFF_SECOND_FACTOR == "required",
        "secret": second_factor.secret_text(app),
        "address": app.config_url,
        "picture": _picture(app.config_url),
    }
    return render(request, "users/second_factor.html", context)


def _picture(text: str) -> SafeString:
    """A QR code as SVG."""
    out = BytesIO()
    code = segno.make(text)
    code.save(out, kind="svg", xmldecl=False, svgclass=None, lineclass=None, scale=4, light="#fff", title="QR code")
    return SafeString(out.getvalue().decode())
