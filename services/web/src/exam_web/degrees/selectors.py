"""Queries about degrees."""

from django.db.models import Exists, F, OuterRef, QuerySet, Value

from exam_core.problems import Problem, ProblemKind
from exam_web.degrees.models import Degree
from exam_web.sittings.models import Sitting
from exam_web.users.models import User

_EXAM = OuterRef("revision__sitting__exam")


def degrees_for(
    user: User, *, exam: str | None = None, sitting: str | None = None, revision: int | None = None
) -> QuerySet[Degree]:
    """The degrees that a user may see: a student's own once published, a Doctor's exams' in every revision.

    Each has `points_withheld`: a student's is true while others are to sit the exam, to whom the points would be a key.
    """
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
        rows = rows.annotate(points_withheld=Exists(Sitting.objects.scheduled().filter(exam=_EXAM)))
        return rows.filter(student_id=user.pk, revision__number=F("revision__sitting__published_revision"))
    rows = rows.annotate(points_withheld=Value(False))
    if user.kind == User.Kind.DOCTOR:
        return rows.filter(revision__sitting__exam__author_id=user.pk)
    return rows if user.has_perm("degrees.view_degree") else rows.none()


def require_points_shown(sitting: Sitting) -> None:
    """Check that no other sitting of the exam is to come; see `degrees_for`.

    Raises:
        Problem: POINTS_WITHHELD.
    """
    if Sitting.objects.scheduled().filter(exam=sitting.exam_id).exists():
        raise Problem(
            ProblemKind.POINTS_WITHHELD,
            f"the proof contains the points of each question, shown once no sitting of {sitting.exam.slug} is "
            "open or to come; ask again then",
        )
