"""The admin's login page."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from exam_core.problems import Problem


def admin_login(request: HttpRequest) -> HttpResponse:
    """The admin's login, and a page with status and Retry-After of a login that is limited."""
    try:
        return admin.site.login(request)
    except Problem as problem:
        context = admin.site.each_context(request) | {"title": problem.kind.title, "detail": problem.detail}
        page = render(request, "users/login_limited.html", context, status=problem.kind.status)
        for name, value in {"Cache-Control": "no-store", **problem.headers}.items():
            page[name] = value
        return page
