"""Authentication of the services that call the internal API, and which of them may call what."""

import hmac
from collections.abc import Mapping
from functools import cache
from typing import cast

from django.http import HttpRequest
from ninja.security import HttpBearer

from exam_core.keys import PublicKeySet
from exam_core.problems import Problem, ProblemKind
from exam_core.service_tokens import Caller, read_service_token
from exam_web.common.clock import database_now
from exam_web.common.keys import read_signing_keys
from exam_web.internal.ports import is_internal
from exam_web.settings import ENVIRONMENT
from exam_web.users.authentication import signing_keys


class Callers(HttpBearer):
    """Authenticates a service token and permits its caller, if it is one of these."""

    def __init__(self, *allowed: Caller) -> None:
        super().__init__()
        self.allowed = allowed

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        """Return the caller, or raise a Problem."""
        if is_internal(request):
            caller = read_service_token(token, caller_keys(), now=database_now())
        else:
            caller = _former_caller(token)
        if caller not in self.allowed:
            raise Problem(ProblemKind.FORBIDDEN, f"{caller} may not call {request.method} {request.path}")
        return caller


@cache
def caller_keys() -> Mapping[Caller, PublicKeySet]:
    """The keys of each caller, read once; raises as `read_signing_keys`.

    Tools are those whom web's own command has issued a token. A caller without a file is not accepted.
    """
    files = {
        Caller.OPERATOR: ("EXAM_OPERATOR_SERVICE_KEYS_FILE", ENVIRONMENT.operator_service_keys_file),
        Caller.SOLVER: ("EXAM_SOLVER_SERVICE_KEYS_FILE", ENVIRONMENT.solver_service_keys_file),
    }
    read = {caller: read_signing_keys(*file).public for caller, file in files.items() if file[1] is not None}
    return {**read, Caller.TOOLS: signing_keys().public}


def caller_of(request: HttpRequest) -> Caller:
    """The caller of a request that `Callers` authenticated."""
    return cast("Caller", request.auth)  # type: ignore[attr-defined]  # set by ninja


def _former_caller(token: str) -> Caller:
    """The operator of the release before, by the token that all callers shared."""
    if not hmac.compare_digest(token.encode(), ENVIRONMENT.service_token.get_secret_value().encode()):
        raise Problem(ProblemKind.UNAUTHENTICATED, "the service token is required")
    return Caller.OPERATOR
