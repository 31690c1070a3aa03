"""Degrees in the admin."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from exam_web.common.admin import ReadOnlyAdmin
from exam_web.degrees import changes_admin
from exam_web.degrees.models import Degree
from exam_web.users.selectors import own_rows

MODULES = (changes_admin,)
"""Further modules of the admin: Django imports this one alone."""


@admin.register(Degree)
class DegreeAdmin(ReadOnlyAdmin[Degree]):
    """Degrees; a Doctor sees those of their exams."""

    list_display = ("student", "revision", "total", "maximum", "answered", "graded_at")
    list_select_related = ("student", "revision__sitting")
    unlisted_fields = ("points",)
    # No filter by sitting, which would list the sittings of every Doctor; they can be searched by name.
    search_fields = ("student__username", "revision__sitting__name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Degree]:
        """All degrees, or for a Doctor those of their exams."""
        return own_rows(super().get_queryset(request), request.user, "revision__sitting__exam__author_id")
