"""What a revision changes for the students of a sitting, from the degrees that are stored."""

from dataclasses import dataclass
from decimal import Decimal

from exam_core.degree_changes import DEFAULT_BINS, DegreeChanges, PassMark, degree_changes
from exam_core.problems import Problem, ProblemKind
from exam_web.degrees.models import Degree
from exam_web.sittings.models import Revision
from exam_web.sittings.selectors import revision_numbered

_Degrees = dict[int, tuple[Decimal, Decimal]]
_ROWS = 10_000
"""How many degrees PostgreSQL sends at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionChanges:
    """A revision compared with an earlier one."""

    before: Revision
    after: Revision
    degrees: DegreeChanges


def revision_changes(
    revision: Revision, *, against: int | None = None, pass_mark: PassMark | None = None, bins: int = DEFAULT_BINS
) -> RevisionChanges:
    """Compare a graded revision with another one of its sitting.

    Args:
        revision: the later one.
        against: the number of the other one; by default the published one if that is earlier, else the one before.
        pass_mark: what a student needs to pass, if that is asked.
        bins: how many parts the distribution of the degrees has.

    Raises:
        Problem: NOT_FOUND without such an earlier revision, STATE_CONFLICT if either is not graded yet.
    """
    sitting = revision.sitting
    published = sitting.published_revision
    number = against or (published if 0 < published < revision.number else revision.number - 1)
    if number < 1:
        raise Problem(ProblemKind.NOT_FOUND, f"{revision} is the first revision: there is none to compare it with")
    if number == revision.number:
        raise Problem(ProblemKind.INVALID, f"against: {number} is the revision itself")
    before = revision_numbered(sitting, number)
    for each in (before, revision):
        if each.state != Revision.State.GRADED:
            raise Problem(ProblemKind.STATE_CONFLICT, f"{each} is not graded yet: wait for it")
    found: dict[int, _Degrees] = {before.pk: {}, revision.pk: {}}
    # Plain tuples of one query: a hundred thousand students are two hundred thousand rows.
    rows = Degree.objects.filter(revision__in=list(found)).values_list("revision_id", "student_id", "total", "maximum")
    for pk, student, total, maximum in rows.order_by().iterator(chunk_size=_ROWS):
        found[pk][student] = (total, maximum)
    degrees = degree_changes(found[before.pk], found[revision.pk], pass_mark=pass_mark, bins=bins)
    return RevisionChanges(before=before, after=revision, degrees=degrees)
