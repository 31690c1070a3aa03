"""The sittings API."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Query, Router

from exam_core.statements import sign
from exam_web.http.paging import Paging, page_of
from exam_web.sittings.models import Sitting
from exam_web.sittings.schemas import SignedProof, SignedStatement, SittingListed, SittingPage
from exam_web.sittings.selectors import sittings_for
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
