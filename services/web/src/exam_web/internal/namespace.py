"""The namespace that a request acts for, in its header ``Exam-Namespace``."""

from django.core.exceptions import ValidationError
from django.http import HttpRequest

from exam_core.problems import Problem, ProblemKind
from exam_web.exams.models import validate_namespace

HEADER = "Exam-Namespace"


def acting_namespace(request: HttpRequest) -> str | None:
    """The namespace whose resource the operator acts for; None without the header: the platform itself.

    Raises:
        Problem: MALFORMED for a name that no namespace can have, which must not count as none.
    """
    name = request.headers.get(HEADER)
    if name is None:
        return None
    try:
        validate_namespace(name)
    except ValidationError as error:
        raise Problem(ProblemKind.MALFORMED, f"{HEADER}: {error.messages[0]}") from error
    return name
