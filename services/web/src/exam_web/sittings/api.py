"""The sittings a person may know of."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from exam_web.auth import PersonAuth, person_of
from exam_web.paging import Paging, page_of
from exam_web.sittings.models import Sitting
from exam_web.sittings.selectors import sittings_for

router = Router(tags=["sittings"], auth=PersonAuth())


class SittingListed(Schema):
    """A sitting in a list."""

    id: str
    name: str
    exam: str
    opens_at: datetime
    closes_at: datetime
    duration_seconds: float
    state: str


class SittingPage(Schema):
    """One page of a list; `next` is the offset of the following one."""

    count: int
    next: int | None
    results: list[SittingListed]


@router.get("/sittings", response=SittingPage)
def sitting_list(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """The sittings of your level, or of your exams."""
    return page_of(sittings_for(person_of(request).user), paging, _listed)


def _listed(sitting: Sitting) -> SittingListed:
    return SittingListed(
        id=str(sitting.id),
        name=sitting.name,
        exam=sitting.exam.slug,
        opens_at=sitting.opens_at,
        closes_at=sitting.closes_at,
        duration_seconds=sitting.duration.total_seconds(),
        state=sitting.state,
    )
