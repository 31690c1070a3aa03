"""The namespace that a request acts for, in its header ``Exam-Namespace``."""

from django.core.exceptions import ValidationError
from django.http import HttpRequest

from exam_core.problems import Problem, ProblemKind
from exam_core.service_tokens import Caller
from exam_web.exams.models import validate_namespace
from exam_web.internal.authentication import caller_of

HEADER = "Exam-Namespace"


def acting_namespace(request: HttpRequest) -> str | None:
    """The namespace whose resource the operator acts for; None without the header: the platform itself, for tools.

    Raises:
        Problem: MALFORMED for a name that no namespace can have, which must not count as none; FORBIDDEN for an
            operator without the header.
    """
    name = request.headers.get(HEADER)
    if name is None:
        if caller_of(request) is Caller.OPERATOR:
            raise Problem(ProblemKind.FORBIDDEN, f"{Caller.OPERATOR} acts for the namespace of an Exam: send {HEADER}")
        return None
    try:
        validate_namespace(name)
    except ValidationError as error:
        raise Problem(ProblemKind.MALFORMED, f"{HEADER}: {error.messages[0]}") from error
    return name
