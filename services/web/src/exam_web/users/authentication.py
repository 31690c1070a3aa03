"""Who is asking: bearer tokens of people, and the service token of operator and tools."""

import hmac
from dataclasses import dataclass
from functools import cache
from typing import cast

from django.http import HttpRequest
from ninja.security import HttpBearer

from exam_core.keys import SigningKeys
from exam_core.problems import Problem, ProblemKind
from exam_core.tokens import Access, UnknownKeyError, read_access
from exam_web.common.clock import database_now
from exam_web.settings import ENVIRONMENT
from exam_web.users import selectors
from exam_web.users.models import Doctor, User


@cache
def signing_keys() -> SigningKeys:
    """Web's signing keys, read once; a missing or unusable file stops the service with its name."""
    path = ENVIRONMENT.signing_keys_file
    if path is None:
        raise RuntimeError("EXAM_SIGNING_KEYS_FILE is not set: this component signs nothing")
    try:
        return SigningKeys.read(path.read_text())
    except (OSError, ValueError) as error:
        raise RuntimeError(f"EXAM_SIGNING_KEYS_FILE {path} has no signing keys: {error}") from error


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever a valid access token speaks for."""

    user: User
    access: Access

    @property
    def doctor(self) -> Doctor:
        """The person as a Doctor.

        Raises:
            Problem: FORBIDDEN for anybody else.
        """
        if self.user.kind != User.Kind.DOCTOR:
            raise Problem(ProblemKind.FORBIDDEN, "this is for Doctors")
        return Doctor.objects.get(pk=self.user.pk)


class PersonAuth(HttpBearer):
    """A person's access token; revoked logins and disabled accounts are refused at once."""

    def authenticate(self, request: HttpRequest, token: str) -> Person:
        """The person, or a Problem."""
        del request
        access = read_token(token)
        user = selectors.active_user(access.subject)
        if user is None or selectors.revoked(access):
            raise Problem(ProblemKind.TOKEN_REVOKED, "this login was ended; log in again")
        return Person(user, access)


class ServiceAuth(HttpBearer):
    """The service token, compared in constant time."""

    def authenticate(self, request: HttpRequest, token: str) -> bool:
        """True, or a Problem."""
        del request
        if not hmac.compare_digest(token.encode(), ENVIRONMENT.service_token.get_secret_value().encode()):
            raise Problem(ProblemKind.UNAUTHENTICATED, "this takes the service token")
        return True


def read_token(token: str) -> Access:
    """Check an access token of ours.

    Raises:
        Problem: it is not one, or has expired.
    """
    try:
        return read_access(token, signing_keys().public, now=database_now())
    except UnknownKeyError as error:
        raise Problem(ProblemKind.UNAUTHENTICATED, "the token is signed by a key that is not in use") from error


def person_of(request: HttpRequest) -> Person:
    """The person that `PersonAuth` let in."""
    return cast("Person", request.auth)  # type: ignore[attr-defined]  # ninja puts it there
