"""Conditions on changes of a sitting: the epoch that the change was decided on, or that there was no sitting."""

import re

from django.http import HttpRequest

from exam_core.problems import Problem, ProblemKind

_EPOCH = re.compile(r'"([0-9]{1,18})"')


def expected_epoch(request: HttpRequest) -> int | None:
    """The epoch that a sitting must still have; None when the request does not say, or takes any (``*``).

    Raises:
        Problem: MALFORMED when it is no epoch: what cannot be read must not pass for no condition.
    """
    text = request.headers.get("If-Match")
    if text is None or text == "*":
        return None
    found = _EPOCH.fullmatch(text)
    if found is None:
        raise Problem(
            ProblemKind.MALFORMED,
            f'If-Match takes the epoch of the sitting in double quotes, as "7", not {text[:40]!r}',
        )
    return int(found[1])


def expected_absent(request: HttpRequest) -> bool:
    """Whether there must be no sitting of the name yet (``If-None-Match: *``).

    Raises:
        Problem: MALFORMED when it is anything else.
    """
    text = request.headers.get("If-None-Match")
    if text not in (None, "*"):
        raise Problem(ProblemKind.MALFORMED, f"If-None-Match takes * alone here, not {text[:40]!r}")
    return text == "*"
