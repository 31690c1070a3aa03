"""Why the points of a degree do not add up to its total."""

from decimal import Decimal

from exam_core.shown_points import shown_total
from exam_web.degrees.models import Degree


def points_note(degree: Degree) -> str | None:
    """Return the sentence that belongs under the points of a degree; None if they add up to its total."""
    points = [None if each is None else Decimal(each) for each in degree.points]
    # Reading the policy takes longer than the rest, and it explains no other total.
    negative = degree.total == 0 and degree.revision.scoring.effective.negative_total
    return shown_total(points, degree.total, negative_total=negative).sentence or None
