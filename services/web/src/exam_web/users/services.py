"""Logging in and out, and ending what was issued."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import transaction

from exam_core.instants import SECOND, from_micros, to_micros
from exam_core.keys import SigningKeys
from exam_core.problems import Problem, ProblemKind
from exam_core.tokens import Access, Refresh, Role, UnknownKeyError, read_refresh, sign_access, sign_refresh
from exam_web.common import locks
from exam_web.settings import ENVIRONMENT
from exam_web.users.models import LoginSession, Revocation, User

NewId = Callable[[], UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a login gives: two compact JWTs and the seconds the first lasts."""

    access: str
    refresh: str
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """What issuing needs beside the person: keys, the platform's time (µs), new ids."""

    keys: SigningKeys
    now: int
    new_id: NewId


def login(*, username: str, password: str, kind: User.Kind, issuer: Issuer) -> Tokens:
    """Check a name and a password and begin a login session.

    A wrong name, a wrong password, another kind of person and a disabled account read and take the same.

    Raises:
        Problem: BAD_CREDENTIALS.
    """
    user = User.objects.select_related("level").filter(username=username, kind=kind).first()
    if user is None:
        # Hash all the same, so that the time taken does not tell whether the name exists.
        make_password(password)
    if user is None or not user.check_password(password) or not user.is_active:
        raise Problem(ProblemKind.BAD_CREDENTIALS, "the name or the password is wrong")
    return _begin(user, issuer)


def refresh(*, token: str, issuer: Issuer) -> Tokens:
    """Exchange a refresh token for new tokens; it is good once. Using it again ends the login.

    Raises:
        Problem: UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED.
    """
    shown = _read_refresh(token, issuer)
    with transaction.atomic():
        session = LoginSession.objects.select_for_update().filter(id=shown.session).first()
        if session is None or session.revoked_at is not None:
            raise _ended()
        if session.current == shown.token:
            user = User.objects.select_related("level").get(pk=session.user_id)
            if not user.is_active:
                raise _ended()
            session.current = issuer.new_id()
            session.save(update_fields=["current"])
            return _tokens(user, session, issuer)
        session_revoke(session=session, now=issuer.now)
    raise Problem(
        ProblemKind.TOKEN_REVOKED, "this refresh token was used before; the login was ended for safety, log in again"
    )


def logout(*, token: str, issuer: Issuer) -> None:
    """End the login that a refresh token belongs to; again changes nothing.

    Raises:
        Problem: UNAUTHENTICATED when it is not a refresh token of ours, TOKEN_EXPIRED.
    """
    shown = _read_refresh(token, issuer)
    with transaction.atomic():
        session = LoginSession.objects.select_for_update().filter(id=shown.session).first()
        if session is not None and session.revoked_at is None:
            session_revoke(session=session, now=issuer.now)


def session_revoke(*, session: LoginSession, now: int) -> None:
    """End one login everywhere; solvers hear of it with their next renewal."""
    with transaction.atomic():
        session.revoked_at = from_micros(now)
        session.save(update_fields=["revoked_at"])
        _revoke(Revocation.Kind.SESSION, str(session.id), now)


def account_disable(*, user: User, now: int) -> None:
    """Disable an account and end everything issued to it."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_active=False)
        LoginSession.objects.filter(user=user, revoked_at=None).update(revoked_at=from_micros(now))
        # Tokens carry whole seconds: what was issued in this very second goes too.
        _revoke(Revocation.Kind.SUBJECT, str(user.pk), now + SECOND)


def _revoke(kind: Revocation.Kind, value: str, before: int) -> None:
    # Ids must appear in their order: solvers ask for what is above the highest they know.
    locks.lock_exclusively(locks.REVOCATIONS)
    expires_at = from_micros(before) + timedelta(seconds=ENVIRONMENT.revocation_seconds)
    Revocation.objects.create(kind=kind, value=value, before=from_micros(before), expires_at=expires_at)


def _begin(user: User, issuer: Issuer) -> Tokens:
    session = LoginSession.objects.create(
        id=issuer.new_id(),
        user=user,
        current=issuer.new_id(),
        expires_at=from_micros(issuer.now) + timedelta(seconds=ENVIRONMENT.refresh_token_seconds),
    )
    return _tokens(user, session, issuer)


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
    again = Refresh(
        subject=user.pk,
        session=session.id,
        token=session.current,
        issued_at=issuer.now,
        expires_at=to_micros(session.expires_at),
    )
    return Tokens(
        access=sign_access(access, issuer.keys),
        refresh=sign_refresh(again, issuer.keys),
        expires_in=ENVIRONMENT.access_token_seconds,
    )


def _read_refresh(token: str, issuer: Issuer) -> Refresh:
    try:
        return read_refresh(token, issuer.keys.public, now=issuer.now)
    except UnknownKeyError as error:
        raise Problem(ProblemKind.UNAUTHENTICATED, "the token is signed by a key that is not in use") from error


def _ended() -> Problem:
    return Problem(ProblemKind.TOKEN_REVOKED, "this login was ended; log in again")
