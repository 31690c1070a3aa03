"""Authentication of users by their bearer tokens."""

from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from django.http import HttpRequest
from ninja.security import HttpBearer

from exam_core.jws import UnknownKeyError
from exam_core.keys import SigningKeys
from exam_core.problems import Problem, ProblemKind
from exam_core.tokens import Access, read_access
from exam_web.common.clock import database_now
from exam_web.common.keys import read_signing_keys
from exam_web.settings import ENVIRONMENT
from exam_web.users import selectors
from exam_web.users.models import Doctor, User


@cache
def signing_keys() -> SigningKeys:
    """The keys that sign tokens, read once; raises as `read_signing_keys`."""
    return read_signing_keys("EXAM_SIGNING_KEYS_FILE", ENVIRONMENT.signing_keys_file)


@dataclass(frozen=True, slots=True)
class Person:
    """The user of a valid access token."""

    user: User
    access: Access

    @property
    def doctor(self) -> Doctor:
        """The user as a Doctor.

        Raises:
            Problem: FORBIDDEN when the user is not a Doctor.
        """
        if self.user.kind != User.Kind.DOCTOR:
            raise Problem(ProblemKind.FORBIDDEN, "only Doctors may do this")
        return Doctor.objects.get(pk=self.user.pk)


class PersonAuth(HttpBearer):
    """Authenticates an access token; revoked logins and disabled accounts are rejected at once."""

    def authenticate(self, request: HttpRequest, token: str) -> Person:
        """Return the principal, or raise a Problem."""
        del request
        access = read_token(token)
        user = selectors.active_user(access.subject)
        if user is None or selectors.is_revoked(access):
            raise Problem(ProblemKind.TOKEN_REVOKED, "the login was revoked; log in again")
        return Person(user, access)


def read_token(token: str) -> Access:
    """Verify an access token.

    Raises:
        Problem: it is invalid or expired.
    """
    try:
        return read_access(token, signing_keys().public, now=database_now())
    except UnknownKeyError as error:
        raise Problem(ProblemKind.UNAUTHENTICATED, "the token is signed with an unknown key") from error


def introspect(token: str) -> dict[str, Any]:
    """Whether an access token is active, and its claims (after RFC 7662)."""
    try:
        access = read_token(token)
    except Problem:
        return {"active": False}
    if selectors.active_user(access.subject) is None or selectors.is_revoked(access):
        return {"active": False}
    return {"active": True} | access.claims()


def person_of(request: HttpRequest) -> Person:
    """The principal of a request that `PersonAuth` authenticated."""
    return cast("Person", request.auth)  # type: ignore[attr-defined]  # set by ninja
