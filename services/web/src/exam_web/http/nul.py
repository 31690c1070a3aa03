"""Requests with NUL characters, which PostgreSQL cannot store or compare."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from django.http import HttpRequest, HttpResponse

from exam_core.problems import Problem, ProblemKind
from exam_web.http.problems import problem_response

FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


class RejectNul:
    """Middleware that rejects a NUL in the address or in a form.

    Forms check their own fields, but the admin also compares filters of lists and selected rows with the database. A
    body of JSON is checked by the API. It comes after the check of the CSRF token, which reads the form as well; a form
    for an API, which has no such check, is not read before the API has authenticated the caller.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, *_: Any) -> HttpResponse | None:  # noqa: ANN401 - Django's signature
        """Reject the request, or None."""
        forms = not getattr(view, "csrf_exempt", False)
        if _has_nul((request.path_info,)) or any(_has_nul(texts) for texts in _fields(request, forms=forms)):
            return problem_response(Problem(ProblemKind.MALFORMED, "the request has a NUL character"))
        return None


def _fields(request: HttpRequest, *, forms: bool) -> Iterable[Iterable[str]]:
    yield from ((name, *values) for name, values in request.GET.lists())
    if forms and request.content_type in FORMS:
        yield from ((name, *values) for name, values in request.POST.lists())


def _has_nul(texts: Iterable[str]) -> bool:
    return any("\0" in text for text in texts)
