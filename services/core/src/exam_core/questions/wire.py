"""Reading the body of an answer, as a client sends it."""

import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from exam_core.answer_value import AnswerValue, mask_of
from exam_core.messages import shown
from exam_core.numbers import NotANumberError, decimal_text, parse_decimal
from exam_core.problems import Problem, ProblemKind

ANSWER_MEMBERS: Final = ("choices", "value", "pairs", "order")
"""The members that an answer can have, of which each kind uses one."""
MAX_NUMBER_TEXT: Final = 64
UNSTORABLE: Final = frozenset({"Cc", "Cs"})
"""Unicode's categories of control characters and of halves of surrogate pairs."""
LINE_ENDS: Final = frozenset({"Zl", "Zp"})


def members_of(body: object) -> Mapping[str, Any]:
    """Return the members of an answer's body.

    Raises:
        Problem: MALFORMED when the body is not a JSON object.
    """
    if not isinstance(body, Mapping):
        raise Problem(ProblemKind.MALFORMED, f"an answer must be a JSON object, not {shown(body)}")
    return body


def answer_member(question: int, kind: str, expected: str, body: object) -> Any:  # noqa: ANN401 - any JSON value
    """Return the one member of an answer's body that a kind uses.

    Raises:
        Problem: WRONG_ANSWER_KIND when it is missing, or another kind's member is there; MALFORMED.
    """
    members = members_of(body)
    others = [name for name in ANSWER_MEMBERS if name != expected and name in members]
    if expected not in members or others:
        instead = f" and not {', '.join(map(repr, others))}" if others else ""
        raise Problem(
            ProblemKind.WRONG_ANSWER_KIND,
            f"question {question} is {kind}: send {expected!r}{instead}",
            question=question,
        )
    return members[expected]


def parse_choices(question: int, chosen: object, *, size: int, most: int) -> AnswerValue:
    """Parse the numbers of chosen choices; an empty list is blank.

    Raises:
        Problem: INVALID, UNKNOWN_CHOICE, TOO_MANY_CHOICES.
    """
    numbers = numbers_in(question, chosen, "choices must be a list of choice numbers")
    if unknown := [c for c in numbers if not 0 <= c < size]:
        raise Problem(
            ProblemKind.UNKNOWN_CHOICE,
            f"question {question} has choices 0 to {size - 1}, not {shown(unknown[0])}",
            question=question,
        )
    if len(set(numbers)) != len(numbers):
        raise invalid(question, "a choice is given twice")
    if len(numbers) > most:
        raise Problem(
            ProblemKind.TOO_MANY_CHOICES,
            f"question {question} takes at most {most} choice(s), not {len(numbers)}",
            question=question,
        )
    return AnswerValue(choice=mask_of(numbers))


def parse_number(question: int, value: object) -> AnswerValue:
    """Parse a number that is sent as text; null is blank.

    Raises:
        Problem: BAD_NUMBER.
    """
    if value is None:
        return AnswerValue(value="")
    if not isinstance(value, str):
        raise _bad_number(question, 'send numbers as text, like "3.14", so that no digit is lost')
    if not value.strip():
        raise _bad_number(question, "the number is empty; send null to withdraw the answer")
    if len(value) > MAX_NUMBER_TEXT:
        raise _bad_number(question, f"the number is longer than {MAX_NUMBER_TEXT} characters")
    try:
        return AnswerValue(value=decimal_text(parse_decimal(value)))
    except NotANumberError as error:
        raise _bad_number(question, str(error)) from error


def text_in(question: int, value: object) -> str:
    """Return a text as it was sent, with LF line ends; null is empty.

    Raises:
        Problem: INVALID when it is no text, or has a character that cannot be stored.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid(question, f"value must be a text, not {shown(value)}")
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    if (code := unstorable(text.replace("\n", "").replace("\t", ""))) is not None:
        raise invalid(question, f"the text has the character U+{code:04X}, which cannot be stored: leave it out")
    return text


def unstorable(text: str) -> int | None:
    """Return the code of a text's first control character or unpaired surrogate, or None."""
    return next((ord(c) for c in text if unicodedata.category(c) in UNSTORABLE), None)


def one_line(text: str) -> bool:
    """Return whether a text has no line end and no other character that ends a line."""
    return not any(unicodedata.category(c) in UNSTORABLE | LINE_ENDS for c in text)


def check_length(question: int, text: str, most: int) -> None:
    """Check a text's length.

    Raises:
        Problem: INVALID.
    """
    if len(text) > most:
        raise invalid(question, f"the text has {len(text)} characters; at most {most} are accepted")


def numbers_in(question: int, value: object, reason: str) -> list[int]:
    """Return a list of whole numbers.

    Raises:
        Problem: INVALID with the reason.
    """
    if not isinstance(value, list) or not all(isinstance(n, int) and not isinstance(n, bool) for n in value):
        raise invalid(question, reason)
    return value


def invalid(question: int, reason: str) -> Problem:
    """An INVALID answer to a question."""
    return Problem(ProblemKind.INVALID, f"question {question}: {reason}", question=question)


def _bad_number(question: int, reason: str) -> Problem:
    return Problem(ProblemKind.BAD_NUMBER, f"question {question}: {reason}", question=question)
