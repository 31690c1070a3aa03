"""The degrees API."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from exam_web.auth import PersonAuth, person_of
from exam_web.degrees.models import Degree
from exam_web.degrees.selectors import degrees_for
from exam_web.paging import Paging, page_of

router = Router(tags=["degrees"], auth=PersonAuth())


class DegreeShown(Schema):
    """A degree; `points` holds one number a question, null where nothing was answered."""

    exam: str
    sitting: str
    revision: int
    student: str
    total: Decimal
    maximum: Decimal
    answered: int
    points: list[Decimal | None]
    published_at: datetime | None


class DegreePage(Schema):
    """One page of a list; `next` is the offset of the following one."""

    count: int
    next: int | None
    results: list[DegreeShown]


class Filters(Schema):
    """Which degrees are wanted."""

    exam: str | None = None
    sitting: str | None = None
    revision: int | None = None


@router.get("/degrees", response=DegreePage)
def degree_list(request: HttpRequest, filters: Query[Filters], paging: Query[Paging]) -> dict[str, Any]:
    """Your degrees once published; for Doctors those of their exams."""
    rows = degrees_for(person_of(request).user, **filters.model_dump())
    return page_of(rows, paging, _shown)


def _shown(degree: Degree) -> DegreeShown:
    sitting = degree.revision.sitting
    published = sitting.published_revision == degree.revision.number
    return DegreeShown(
        exam=sitting.exam.slug,
        sitting=sitting.name,
        revision=degree.revision.number,
        student=degree.student.username,
        total=degree.total,
        maximum=degree.maximum,
        answered=degree.answered,
        points=degree.points,
        published_at=sitting.published_at if published else None,
    )
