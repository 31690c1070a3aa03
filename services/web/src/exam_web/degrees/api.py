"""The degrees API."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from exam_core.degree_changes import PassMark, read_pass_mark
from exam_core.problems import Problem, ProblemKind
from exam_core.statements import sign
from exam_web.degrees.changes import revision_changes
from exam_web.degrees.changes_shown import changes_shown
from exam_web.degrees.models import Degree
from exam_web.degrees.points_note import points_note
from exam_web.degrees.review import review_of
from exam_web.degrees.schemas import ChangesQuery, ChangesShown, DegreeListed, DegreePage, Filters, ReviewShown
from exam_web.degrees.selectors import degrees_for, require_points_shown
from exam_web.degrees.statements import degree_proof, degrees_statement, published_revision
from exam_web.http.paging import Paging, page_of
from exam_web.sittings.schemas import SignedProof, SignedStatement
from exam_web.sittings.selectors import revision_numbered, sitting_to_grade
from exam_web.sittings.statements import sealed_sitting, statement_keys
from exam_web.users.authentication import PersonAuth, person_of

router = Router(tags=["degrees"], auth=PersonAuth())


@router.get("/degrees", response=DegreePage)
def degree_list(request: HttpRequest, filters: Query[Filters], paging: Query[Paging]) -> dict[str, Any]:
    """List degrees: a student's own once published, for Doctors those of their exams."""
    rows = degrees_for(person_of(request).user, **filters.model_dump())
    return page_of(rows, paging, _listed)


@router.get("/sittings/{name}/degrees", response=SignedStatement, auth=None)
def degrees(request: HttpRequest, name: str) -> SignedStatement:
    """What was graded and published: a signed statement, the same for every caller."""
    del request
    revision = published_revision(sealed_sitting(name))
    return SignedStatement(statement=sign(degrees_statement(revision), statement_keys()))


@router.get("/sittings/{name}/degrees/proof", response=SignedProof)
def degree_proof_own(request: HttpRequest, name: str) -> SignedProof:
    """The proof that your degree is the one that was graded, once no other sitting of the exam is to come.

    It contains the points of each question, which the exam's review policy must show.
    """
    sitting = sealed_sitting(name)
    revision = published_revision(sitting)
    require_points_shown(sitting)
    statement = sign(degrees_statement(revision), statement_keys())
    return SignedProof(statement=statement, proof=degree_proof(revision, person_of(request).user.pk).to_json())


@router.get("/sittings/{name}/review", response=ReviewShown)
def review_own(request: HttpRequest, name: str) -> ReviewShown:
    """What you may see of your attempt, by the exam's review policy, once degrees are published."""
    return review_of(sealed_sitting(name), person_of(request).user.pk)


@router.get("/sittings/{name}/revisions/{number}/changes", response=ChangesShown)
def revision_changes_retrieve(
    request: HttpRequest, name: str, number: int, query: Query[ChangesQuery], paging: Query[Paging]
) -> ChangesShown:
    """What a graded revision changes against the published one: who moves, passes or fails, and both distributions.

    For the Doctor whose exam it is, before it is published. Both revisions must be graded (409 `state-conflict`).
    """
    sitting = sitting_to_grade(person_of(request).user, name, "degrees.view_degree")
    mark = None if query.pass_mark is None else _pass_mark(query.pass_mark)
    changes = revision_changes(
        revision_numbered(sitting, number), against=query.against, pass_mark=mark, bins=query.bins
    )
    return changes_shown(changes, limit=paging.limit, offset=paging.offset)


def _pass_mark(text: str) -> PassMark:
    try:
        return read_pass_mark(text)
    except ValueError as error:
        raise Problem(ProblemKind.INVALID, f"pass_mark: {error}") from error


def _listed(degree: Degree) -> DegreeListed:
    sitting = degree.revision.sitting
    published = sitting.published_revision == degree.revision.number
    withheld = getattr(degree, "points_withheld", True)
    return DegreeListed(
        exam=sitting.exam.slug,
        sitting=sitting.name,
        revision=degree.revision.number,
        student=degree.student.username,
        total=degree.total,
        maximum=degree.maximum,
        answered=degree.answered,
        points=None if withheld else degree.points,
        points_note=None if withheld else points_note(degree),
        published_at=sitting.published_at if published else None,
    )
