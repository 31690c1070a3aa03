"""Preconditions of changes to a sitting: ``If-Match`` with an epoch, ``If-None-Match: *``."""

import re

from django.http import HttpRequest

from exam_core.problems import Problem, ProblemKind

_EPOCH = re.compile(r'"([0-9]{1,18})"')


def expected_epoch(request: HttpRequest) -> int | None:
    """The epoch in If-Match; None without the header and for ``*``.

    Raises:
        Problem: MALFORMED for anything else: an invalid precondition must not count as none.
    """
    text = request.headers.get("If-Match")
    if text is None or text == "*":
        return None
    match = _EPOCH.fullmatch(text)
    if match is None:
        raise Problem(
            ProblemKind.MALFORMED,
            f'If-Match must be the epoch of the sitting in double quotes, like "7", not {text[:40]!r}',
        )
    return int(match[1])


def expected_absent(request: HttpRequest) -> bool:
    """Whether the request has ``If-None-Match: *``: the sitting must not exist.

    Raises:
        Problem: MALFORMED for another value.
    """
    text = request.headers.get("If-None-Match")
    if text not in (None, "*"):
        raise Problem(ProblemKind.MALFORMED, f"If-None-Match must be *, not {text[:40]!r}")
    return text == "*"
