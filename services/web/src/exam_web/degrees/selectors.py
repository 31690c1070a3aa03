"""Queries about degrees."""

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value

from exam_core.problems import Problem, ProblemKind
from exam_core.review import Review
from exam_web.degrees.models import Degree
from exam_web.sittings.models import Sitting
from exam_web.users.models import User

_EXAM, _PAPER = OuterRef("revision__sitting__exam"), OuterRef("revision__sitting__paper")
_WITHOUT_POINTS = [review.value for review in Review if not review.shows(Review.POINTS)]


def degrees_for(
    user: User, *, exam: str | None = None, sitting: str | None = None, revision: int | None = None
) -> QuerySet[Degree]:
    """The degrees that a user may see: a student's own once published, a Doctor's exams' in every revision.

    Each has `points_withheld`: a student's is true while others are to sit the exam, to whom the points would be a key,
    and if the exam's review policy does not show them.
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
        to_come = Exists(Sitting.objects.sharing(exam=_EXAM, paper=_PAPER))
        rows = rows.annotate(points_withheld=to_come | Q(revision__sitting__exam__review__in=_WITHOUT_POINTS))
        rows = rows.exclude(revision__sitting__exam__review=Review.NOTHING.value)
        return rows.filter(student_id=user.pk, revision__number=F("revision__sitting__published_revision"))
    rows = rows.annotate(points_withheld=Value(False))
    if user.kind == User.Kind.DOCTOR:
        return rows.filter(revision__sitting__exam__author_id=user.pk)
    return rows if user.has_perm("degrees.view_degree") else rows.none()


def require_points_shown(sitting: Sitting) -> None:
    """Check that students may see the points of each question; see `degrees_for`.

    Raises:
        Problem: REVIEW_WITHHELD by the review policy, POINTS_WITHHELD while another sitting of the exam is to come.
    """
    require_shown(sitting, Review.POINTS, "the proof contains the points of each question")
    if is_held_back(sitting):
        raise Problem(
            ProblemKind.POINTS_WITHHELD,
            f"the proof contains the points of each question, shown once no sitting of {sitting.exam.slug} is "
            "open or to come; ask again then",
        )


def require_shown(sitting: Sitting, part: Review, what: str) -> None:
    """Check that the review policy of a sitting's exam shows a part.

    Raises:
        Problem: REVIEW_WITHHELD.
    """
    policy = sitting.exam.review_policy
    if not policy.shows(part):
        raise Problem(
            ProblemKind.REVIEW_WITHHELD,
            f"{what}; the review policy of {sitting.exam.slug} is {policy.value!r}, which does not show it",
        )


def is_held_back(sitting: Sitting) -> bool:
    """Whether a sitting of the same exam, or with the same paper, is open or to come."""
    return Sitting.objects.sharing(exam=sitting.exam_id, paper=sitting.paper_id).exists()
