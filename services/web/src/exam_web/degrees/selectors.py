"""Queries about degrees."""

from django.db.models import F, QuerySet

from exam_web.degrees.models import Degree
from exam_web.users.models import User


def degrees_for(
    user: User, *, exam: str | None = None, sitting: str | None = None, revision: int | None = None
) -> QuerySet[Degree]:
    """The degrees that a user may see: a student's own once published, a Doctor's exams' in every revision."""
    rows = Degree.objects.select_related("revision__sitting__exam", "student").order_by(
        "revision__sitting__opens_at", "revision__sitting__name", "-revision__number", "student__username"
    )
    filters = {
        "revision__sitting__exam__slug": exam,
        "revision__sitting__name": sitting,
        "revision__number": revision,
    }
    rows = rows.filter(**{field: value for field, value in filters.items() if value is not None})
    if user.kind == User.Kind.STUDENT:
        return rows.filter(student_id=user.pk, revision__number=F("revision__sitting__published_revision"))
    if user.kind == User.Kind.DOCTOR:
        return rows.filter(revision__sitting__exam__author_id=user.pk)
    return rows if user.has_perm("degrees.view_degree") else rows.none()
