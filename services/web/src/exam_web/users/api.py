"""The users API: login, logout, tokens, the current user."""

import uuid

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router, Status

from exam_core.problems import Problem
from exam_web import metrics
from exam_web.common.clock import database_now
from exam_web.users import services
from exam_web.users.authentication import PersonAuth, person_of, signing_keys
from exam_web.users.logins import throttle
from exam_web.users.models import User
from exam_web.users.schemas import Credentials, Me, RefreshToken, TokenPair

router = Router(tags=["people"])


@router.post("/auth/students/login", response=TokenPair, auth=None)
def login_student(request: HttpRequest, credentials: Credentials) -> services.Tokens:
    """Log a student in.

    Too many failures within a minute are 429, too many logins at once 503; both have Retry-After. The cookie
    `exam_device` gives this device tries of its own, which failures of other devices do not use up.
    """
    return _login(request, credentials, User.Kind.STUDENT)


@router.post("/auth/doctors/login", response=TokenPair, auth=None)
def login_doctor(request: HttpRequest, credentials: Credentials) -> services.Tokens:
    """Log a Doctor in, with the limits and the cookie of students; after enrolling an authenticator app with `code`."""
    return _login(request, credentials, User.Kind.DOCTOR)


@router.post("/auth/refresh", response=TokenPair, auth=None)
def refresh(request: HttpRequest, body: RefreshToken) -> services.Tokens:
    """Exchange a refresh token for new tokens, and use the new refresh token from then on.

    A request whose reply was lost may be repeated with the same token for some seconds (30 by default): the reply
    has the same successor. Later, a used token is taken for stolen: the login's refresh and access tokens are revoked
    (401 `token-revoked`), while an attempt that is running continues.
    """
    with throttle.token_attempt(request):
        return services.refresh(token=body.refresh, issuer=_issuer())


@router.post("/auth/logout", response={204: None}, auth=None)
def logout(request: HttpRequest, body: RefreshToken) -> Status[None]:
    """Revoke a login: its refresh and access tokens, and the tokens of attempts that were started with it."""
    with throttle.token_attempt(request):
        services.logout(token=body.refresh, issuer=_issuer())
    return Status(204, None)


@router.get("/me", response=Me, auth=PersonAuth())
def me(request: HttpRequest) -> Me:
    """The user of the access token."""
    user = person_of(request).user
    return Me(
        id=user.pk,
        username=user.username,
        name=user.get_full_name(),
        kind=user.kind,
        level=user.level.slug if user.level else None,
    )


def jwks(request: HttpRequest) -> HttpResponse:
    """The public keys of access tokens, as a JWK set."""
    del request
    return JsonResponse(signing_keys().public.to_jwks(), headers={"Cache-Control": "public, max-age=300"})


def _login(request: HttpRequest, credentials: Credentials, kind: User.Kind) -> services.Tokens:
    with throttle.login_attempt(request, credentials.username):
        try:
            tokens = services.login(
                username=credentials.username,
                password=credentials.password,
                code=credentials.code,
                kind=kind,
                issuer=_issuer(),
            )
        except Problem:
            metrics.LOGINS.labels(kind.value, "refused").inc()
            raise
    metrics.LOGINS.labels(kind.value, "accepted").inc()
    return tokens


def _issuer() -> services.Issuer:
    return services.Issuer(keys=signing_keys(), now=database_now(), new_id=uuid.uuid4)
