"""Parse request bodies: strict JSON objects. An ambiguous body, such as one with a duplicate name, is rejected."""

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from starlette.requests import Request

from exam_core.entry import MAX_CODE
from exam_core.problems import Problem, ProblemKind
from exam_solver.attempts.answers import MAX_ANSWERS
from exam_solver.attempts.plan import AnswerRequest

MAX_QUESTION_DIGITS = 9


async def read_object(request: Request) -> dict[str, Any]:
    """Read the body as a JSON object.

    Raises:
        Problem: UNSUPPORTED_MEDIA_TYPE, BODY_TOO_LARGE, MALFORMED when it is not JSON, INVALID when not an object.
    """
    media_type, _, _ = request.headers.get("content-type", "").partition(";")
    if media_type.strip().lower() != "application/json" or "content-encoding" in request.headers:
        raise Problem(ProblemKind.UNSUPPORTED_MEDIA_TYPE, "send application/json without a content encoding")
    return parse_object(await request.body())


async def read_access_code(request: Request) -> str | None:
    """Read the access code of a start, whose body is optional: ``{"access_code": "…"}``.

    Raises:
        Problem: as `read_object` for a body that is not empty, INVALID when the code is no text or too long.
    """
    if not await request.body():
        return None
    code = (await read_object(request)).get("access_code")
    if code is not None and (not isinstance(code, str) or len(code) > MAX_CODE):
        raise Problem(ProblemKind.INVALID, f"access_code must be a text of at most {MAX_CODE} characters")
    return code


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object: UTF-8, without NaN, Infinity or duplicate names.

    Raises:
        Problem: MALFORMED, INVALID.
    """
    try:
        content = json.loads(body.decode(), parse_constant=_reject_constant, object_pairs_hook=_reject_duplicates)
    except RecursionError as error:
        raise Problem(ProblemKind.MALFORMED, "the body is nested too deeply") from error
    except ValueError as error:
        raise Problem(ProblemKind.MALFORMED, f"the body is not JSON: {_truncate(str(error))}") from error
    if not isinstance(content, dict):
        raise Problem(ProblemKind.INVALID, "the body must be a JSON object")
    return content


def parse_question_number(text: str) -> int:
    """Parse a question's number from the path.

    Raises:
        Problem: UNKNOWN_QUESTION when no paper could have such a number.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_QUESTION_DIGITS):
        raise Problem(ProblemKind.UNKNOWN_QUESTION, "a question is identified by its number in the paper, from 0")
    return int(text)


def parse_answers(body: dict[str, Any]) -> Sequence[AnswerRequest]:
    """Parse a batch of answers: ``{"answers": [{"question": 0, "seq": 1, "choices": [2]}, …]}``.

    Raises:
        Problem: INVALID when the list is invalid; an answer that is invalid otherwise gets a problem of its own later.
    """
    answers = body.get("answers")
    if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
        raise Problem(ProblemKind.INVALID, "answers must be a list of objects")
    if not 1 <= len(answers) <= MAX_ANSWERS:
        raise Problem(ProblemKind.INVALID, f"send 1 to {MAX_ANSWERS} answers at once, not {len(answers)}")
    return [AnswerRequest(_question_of(answer), answer) for answer in answers]


def _question_of(answer: dict[str, Any]) -> int:
    question = answer.get("question")
    if not isinstance(question, int) or isinstance(question, bool):
        raise Problem(ProblemKind.INVALID, "each answer must have its question's number in the member question")
    return question


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("an object has a duplicate name")
    return content


def _truncate(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
