"""The URLs of the public port: all that is not selected by `exam_web.internal.ports`."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

from exam_web.api import public_api
from exam_web.http import errors
from exam_web.http.openapi import solver_docs
from exam_web.users.api import jwks
from exam_web.users.logins.page import admin_login
from exam_web.users.logins.second_factor_page import second_factor_page

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/login/", admin_login),
    path("admin/second-factor/", admin.site.admin_view(second_factor_page), name="second-factor"),
    path("admin/", admin.site.urls),
    path("api/docs/solver", solver_docs),
    path("api/", public_api.urls),
    path(".well-known/jwks.json", jwks),
]

handler400 = errors.bad_request
handler404 = errors.not_found
handler500 = errors.internal
