"""Login, refresh and logout; revocation of logins and accounts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import transaction

from exam_core.instants import SECOND, from_micros, to_micros
from exam_core.jws import UnknownKeyError
from exam_core.keys import SigningKeys
from exam_core.problems import Problem, ProblemKind
from exam_core.tokens import Access, Refresh, Role, read_refresh, sign_access, sign_refresh
from exam_web.common import locks
from exam_web.settings import ENVIRONMENT
from exam_web.users import purge
from exam_web.users.chain import Chain, Outcome
from exam_web.users.logins import second_factor
from exam_web.users.models import LoginSession, Revocation, User

NewId = Callable[[], UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The tokens of a login: two JWTs, and the lifetime of the access token in seconds."""

    access: str
    refresh: str
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """What issuing tokens depends on: keys, the database's time (µs), new ids."""

    keys: SigningKeys
    now: int
    new_id: NewId


def login(*, username: str, password: str, code: str = "", kind: User.Kind, issuer: Issuer) -> Tokens:
    """Check username, password and code, and start a login session.

    A wrong name, a wrong password, another kind of user and a disabled account give the same error in the same time.

    Raises:
        Problem: BAD_CREDENTIALS; FORBIDDEN without a second factor where one is required.
    """
    user = User.objects.named(username)
    if user is None or user.kind != kind:
        user = None
        # Hash anyway, so that the time taken does not reveal whether the name exists.
        make_password(password)
    if user is None or not user.check_password(password) or not user.is_active:
        raise Problem(ProblemKind.BAD_CREDENTIALS, "wrong username or password")
    if second_factor.check_code(user, code) is None and second_factor.is_missing(user):
        raise Problem(ProblemKind.FORBIDDEN, "staff need a second factor: log in at /admin/ to enrol one")
    return _start_session(user, issuer)


def refresh(*, token: str, issuer: Issuer) -> Tokens:
    """Exchange a refresh token for new tokens; one that has a successor ends the chain once its grace is over.

    Raises:
        Problem: UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED.
    """
    refresh_token = _read_refresh(token, issuer)
    with transaction.atomic():
        session = LoginSession.objects.select_for_update().filter(id=refresh_token.session).first()
        if session is None or session.revoked_at is not None:
            raise _revoked()
        chain = _chain_of(session)
        outcome = chain.decide(refresh_token.token, now=issuer.now, grace=ENVIRONMENT.refresh_grace_seconds * SECOND)
        if outcome is not Outcome.THEFT:
            user = User.objects.select_related("level").get(pk=session.user_id)
            if not user.is_active:
                raise _revoked()
            if outcome is Outcome.ROTATE:
                _store_chain(session, chain.rotate(issuer.new_id(), now=issuer.now))
            return _tokens(user, session, issuer)
        chain_revoke(session=session, now=issuer.now)
    raise Problem(
        ProblemKind.TOKEN_REVOKED, "the refresh token was already used, so the login was revoked; log in again"
    )


def logout(*, token: str, issuer: Issuer) -> None:
    """Revoke the login of a refresh token, and with it the attempts started with it; idempotent.

    Raises:
        Problem: UNAUTHENTICATED when it is not a valid refresh token, TOKEN_EXPIRED.
    """
    refresh_token = _read_refresh(token, issuer)
    with transaction.atomic():
        session = LoginSession.objects.select_for_update().filter(id=refresh_token.session).first()
        if session is not None and not _attempts_revoked(session):
            session_revoke(session=session, now=issuer.now)


def session_revoke(*, session: LoginSession, now: int) -> None:
    """Revoke a login; solvers receive the revocation with their next lease renewal."""
    _end(session, Revocation.Kind.SESSION, now)


def chain_revoke(*, session: LoginSession, now: int) -> None:
    """Revoke the refresh and access tokens of a login; attempts that were started with it continue.

    A replayed token must not be a means to end a student's exam.
    """
    _end(session, Revocation.Kind.CHAIN, now)


def logins_revoke(*, user: User, now: int) -> None:
    """Revoke the refresh and access tokens of all logins of a user; attempts continue (`chain_revoke`)."""
    with transaction.atomic():
        logins = LoginSession.objects.select_for_update().order_by("id")
        for session in logins.filter(user=user, revoked_at=None, expires_at__gt=from_micros(now)):
            chain_revoke(session=session, now=now)


def account_disable(*, user: User, now: int) -> None:
    """Disable an account and revoke all its tokens."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_active=False)
        LoginSession.objects.filter(user=user, revoked_at=None).update(revoked_at=from_micros(now))
        # Tokens carry whole seconds, so the revocation includes those issued within the present second.
        _revoke(Revocation.Kind.SUBJECT, str(user.pk), (now // SECOND + 1) * SECOND)


def _end(session: LoginSession, kind: Revocation.Kind, now: int) -> None:
    with transaction.atomic():
        session.revoked_at = from_micros(now)
        session.save(update_fields=["revoked_at"])
        _revoke(kind, str(session.id), now)


def _attempts_revoked(session: LoginSession) -> bool:
    """Whether a login was revoked including its attempts: not so after `chain_revoke`."""
    return Revocation.objects.filter(kind=Revocation.Kind.SESSION, value=str(session.id)).exists()


def _revoke(kind: Revocation.Kind, value: str, before: int) -> None:
    # Ids must become visible in order: solvers request revocations above the highest id they have.
    locks.lock_exclusively(locks.REVOCATIONS)
    purge.purge_revocations(now=before)
    expires_at = from_micros(before) + timedelta(seconds=ENVIRONMENT.revocation_seconds)
    Revocation.objects.create(kind=kind, value=value, before=from_micros(before), expires_at=expires_at)


def _start_session(user: User, issuer: Issuer) -> Tokens:
    LoginSession.objects.filter(user=user, expires_at__lt=purge.long_ago(issuer.now)).delete()
    purge.purge_sessions(now=issuer.now)
    session = LoginSession.objects.create(
        id=issuer.new_id(),
        user=user,
        current=issuer.new_id(),
        expires_at=from_micros(issuer.now) + timedelta(seconds=ENVIRONMENT.refresh_token_seconds),
    )
    return _tokens(user, session, issuer)


def _chain_of(session: LoginSession) -> Chain:
    rotated_at = None if session.rotated_at is None else to_micros(session.rotated_at)
    return Chain(current=session.current, previous=session.previous, rotated_at=rotated_at)


def _store_chain(session: LoginSession, chain: Chain) -> None:
    session.current, session.previous = chain.current, chain.previous
    session.rotated_at = None if chain.rotated_at is None else from_micros(chain.rotated_at)
    session.save(update_fields=["current", "previous", "rotated_at"])


def _tokens(user: User, session: LoginSession, issuer: Issuer) -> Tokens:
    access = Access(
        subject=user.pk,
        role=Role(user.kind),
        level=user.level.slug if user.level else None,
        session=session.id,
        token=issuer.new_id(),
        issued_at=issuer.now,
        expires_at=issuer.now + ENVIRONMENT.access_token_seconds * SECOND,
    )
    refresh_token = Refresh(
        subject=user.pk,
        session=session.id,
        token=session.current,
        issued_at=issuer.now,
        expires_at=to_micros(session.expires_at),
    )
    return Tokens(
        access=sign_access(access, issuer.keys),
        refresh=sign_refresh(refresh_token, issuer.keys),
        expires_in=ENVIRONMENT.access_token_seconds,
    )


def _read_refresh(token: str, issuer: Issuer) -> Refresh:
    try:
        return read_refresh(token, issuer.keys.public, now=issuer.now)
    except UnknownKeyError as error:
        raise Problem(ProblemKind.UNAUTHENTICATED, "the token is signed with an unknown key") from error


def _revoked() -> Problem:
    return Problem(ProblemKind.TOKEN_REVOKED, "the login was revoked; log in again")
