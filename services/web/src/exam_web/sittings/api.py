"""The sittings API."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Query, Router, Status

from exam_core.statements import sign
from exam_web.http.paging import Paging, page_of
from exam_web.sittings import services
from exam_web.sittings.models import Sitting
from exam_web.sittings.revision_schemas import RevisionNew, RevisionShown
from exam_web.sittings.schemas import SignedProof, SignedStatement, SittingListed, SittingPage
from exam_web.sittings.selectors import revision_numbered, sitting_to_grade, sittings_for
from exam_web.sittings.statements import seal_proof, seal_statement, sealed_sitting, statement_keys
from exam_web.users.authentication import PersonAuth, person_of

router = Router(tags=["sittings"], auth=PersonAuth())


@router.get("/sittings", response=SittingPage)
def sitting_list(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """The sittings of your level, or of your exams."""
    return page_of(sittings_for(person_of(request).user), paging, _listed)


@router.get("/sittings/{name}/seal", response=SignedStatement, auth=None)
def seal(request: HttpRequest, name: str) -> SignedStatement:
    """What was sealed: a signed statement, the same for every caller."""
    del request
    return SignedStatement(statement=sign(seal_statement(sealed_sitting(name)), statement_keys()))


@router.get("/sittings/{name}/seal/proof", response=SignedProof)
def seal_proof_own(request: HttpRequest, name: str) -> SignedProof:
    """The proof that your attempt is in the seal, with your answers as they count."""
    sitting = sealed_sitting(name)
    statement = sign(seal_statement(sitting), statement_keys())
    return SignedProof(statement=statement, proof=seal_proof(sitting, person_of(request).user.pk).to_json())


@router.get("/sittings/{name}/revisions", response=list[RevisionShown])
def revision_list(request: HttpRequest, name: str) -> list[RevisionShown]:
    """The grading revisions of a sitting of your exam, the latest first: what each changed and why."""
    sitting = sitting_to_grade(person_of(request).user, name, "sittings.view_revision")
    rows = sitting.revisions.select_related("sitting").order_by("-number")
    return [RevisionShown.of(revision) for revision in rows]


@router.post("/sittings/{name}/revisions", response={201: RevisionShown})
def revision_create(request: HttpRequest, name: str, body: RevisionNew) -> Status[RevisionShown]:
    """Regrade a sitting of your exam by its present key, with adjustments.

    The last revision must be graded (409 `state-conflict`). 422 `invalid` lists every fault of the adjustments, and
    nothing is stored then. The graders grade the revision soon; students see it once it is published by hand, also if
    the sitting published its first degrees automatically.
    """
    sitting = sitting_to_grade(person_of(request).user, name, "sittings.change_sitting")
    revision = services.revision_regrade(sitting=sitting.id, note=body.note, adjustments=body.adjustments)
    return Status(201, RevisionShown.of(revision))


@router.get("/sittings/{name}/revisions/{number}", response=RevisionShown)
def revision_retrieve(request: HttpRequest, name: str, number: int) -> RevisionShown:
    """A grading revision of a sitting of your exam: what it changed and why, and how far it is."""
    sitting = sitting_to_grade(person_of(request).user, name, "sittings.view_revision")
    return RevisionShown.of(revision_numbered(sitting, number))


@router.get("/keys", auth=None)
def keys(request: HttpRequest) -> HttpResponse:
    """The public keys of statements, as a JWK set."""
    del request
    return JsonResponse(statement_keys().public.to_jwks(), headers={"Cache-Control": "public, max-age=300"})


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


@router.post("/sittings/{name}/revisions/{number}/publish", response=RevisionShown)
def revision_publish(request: HttpRequest, name: str, number: int) -> RevisionShown:
    """Publish a graded revision of a sitting of your exam: students see its degrees instead of earlier ones.

    Idempotent. 409 `state-conflict` before it is graded, 409 `conflict` when a later one is published.
    """
    sitting = sitting_to_grade(person_of(request).user, name, "sittings.change_sitting")
    published = services.revision_publish(revision=revision_numbered(sitting, number))
    return RevisionShown.of(revision_numbered(published, number))
