"""Request bodies: strict JSON objects. What could be read in two ways is refused."""

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from starlette.requests import Request

from exam_core.problems import Problem, ProblemKind
from exam_solver.attempts.answers import MAX_TOGETHER
from exam_solver.attempts.plan import Asked

MAX_QUESTION_DIGITS = 9


async def read_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        Problem: UNSUPPORTED_MEDIA_TYPE, BODY_TOO_LARGE, MALFORMED when it is not JSON, INVALID when not an object.
    """
    media_type, _, _ = request.headers.get("content-type", "").partition(";")
    if media_type.strip().lower() != "application/json" or "content-encoding" in request.headers:
        raise Problem(ProblemKind.UNSUPPORTED_MEDIA_TYPE, "send application/json, not encoded in any other way")
    return parse_object(await request.body())


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object from bytes: UTF-8, no NaN or Infinity, no name twice."""
    try:
        content = json.loads(body.decode(), parse_constant=_no_constant, object_pairs_hook=_no_repeats)
    except RecursionError as error:
        raise Problem(ProblemKind.MALFORMED, "the body is nested too deeply") from error
    except ValueError as error:
        raise Problem(ProblemKind.MALFORMED, f"the body is not JSON: {_bounded(str(error))}") from error
    if not isinstance(content, dict):
        raise Problem(ProblemKind.INVALID, "the body must be a JSON object")
    return content


def question_number(text: str) -> int:
    """A question's number as the address names it.

    Raises:
        Problem: UNKNOWN_QUESTION when it is no number that a paper could have.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_QUESTION_DIGITS):
        raise Problem(ProblemKind.UNKNOWN_QUESTION, "questions are named by their number in the paper, from 0")
    return int(text)


def several(body: dict[str, Any]) -> Sequence[Asked]:
    """Several answers: ``{"answers": [{"question": 0, "seq": 1, "choices": [2]}, …]}``.

    Raises:
        Problem: INVALID when the list itself is wrong; what is wrong with an answer is told of that answer.
    """
    answers = body.get("answers")
    if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
        raise Problem(ProblemKind.INVALID, "answers must be a list of objects")
    if not 1 <= len(answers) <= MAX_TOGETHER:
        raise Problem(ProblemKind.INVALID, f"send 1 to {MAX_TOGETHER} answers at once, not {len(answers)}")
    return [Asked(_question_of(answer), answer) for answer in answers]


def _question_of(answer: dict[str, Any]) -> int:
    question = answer.get("question")
    if not isinstance(question, int) or isinstance(question, bool):
        raise Problem(ProblemKind.INVALID, "each answer names its question by number")
    return question


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("an object has a name twice")
    return content


def _bounded(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
