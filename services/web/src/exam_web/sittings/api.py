"""The sittings API."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from exam_web.http.paging import Paging, page_of
from exam_web.sittings.models import Sitting
from exam_web.sittings.schemas import SittingListed, SittingPage
from exam_web.sittings.selectors import sittings_for
from exam_web.users.authentication import PersonAuth, person_of

router = Router(tags=["sittings"], auth=PersonAuth())


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
