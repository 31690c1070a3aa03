"""Rules that an exam must satisfy before it can be frozen.

YAML import, admin and API all apply these rules. Their reasons tell nothing of the key. Lengths and formats of single
members are checked where a member is parsed, against `exam_core.limits`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from exam_core import limits
from exam_core.paper import MAX_QUESTIONS, AuthoredQuestion, QuestionKind
from exam_core.questions.items import appearance_faults


@dataclass(frozen=True, slots=True)
class QuestionFault:
    """A rule that a question violates.

    `reason` continues a sentence that begins with the question. `member` is the document's member concerned, `choice`
    the index of the choice concerned.
    """

    reason: str
    member: Literal["text", "answer", "choices", "max_choices"]
    choice: int | None = None


def exam_faults(questions: Sequence[AuthoredQuestion]) -> list[str]:
    """List every reason why an exam of these questions cannot be frozen."""
    faults = [f"question {each.id} {fault.reason}" for each in questions for fault in question_faults(each)]
    count = count_fault(len(questions))
    return faults if count is None else [*faults, count]


def count_fault(questions: int) -> str | None:
    """Return the reason why an exam cannot have this many questions, or None."""
    if 1 <= questions <= MAX_QUESTIONS:
        return None
    return f"the exam needs 1 to {MAX_QUESTIONS} questions and has {questions}"


def question_faults(question: AuthoredQuestion) -> Iterator[QuestionFault]:
    """Yield every rule that a question violates."""
    if not question.text.strip():
        yield QuestionFault("has no text", "text")
    yield from _numeric_faults(question) if question.kind is QuestionKind.NUMERIC else _choice_faults(question)


def _numeric_faults(question: AuthoredQuestion) -> Iterator[QuestionFault]:
    if question.value is None:
        yield QuestionFault("has no key: a numeric question needs a value", "answer")
    if question.choices:
        yield QuestionFault("is numeric and has choices", "choices")
    if question.max_choices is not None:
        yield QuestionFault("is numeric and has max_choices", "max_choices")


def _choice_faults(question: AuthoredQuestion) -> Iterator[QuestionFault]:
    choices = question.choices
    correct = sum(choice.correct for choice in choices)
    if not limits.MIN_CHOICES <= len(choices) <= limits.MAX_CHOICES:
        yield QuestionFault(
            f"needs {limits.MIN_CHOICES} to {limits.MAX_CHOICES} choices and has {len(choices)}", "choices"
        )
    elif correct == 0:
        yield QuestionFault("has no key: mark a choice as correct", "choices")
    if question.value is not None:
        yield QuestionFault(f"is {question.kind}-choice and has a value", "answer")
    if question.kind is QuestionKind.SINGLE:
        if correct > 1:
            yield QuestionFault("is single-choice and has more than one correct choice", "choices")
        if question.max_choices is not None:
            yield QuestionFault("is single-choice and has max_choices", "max_choices")
    elif question.max_choices is not None and not max(1, correct) <= question.max_choices <= len(choices):
        yield QuestionFault(
            f"has max_choices {question.max_choices}: it must be at least 1 and the number of correct choices, at most "
            f"{len(choices)}",
            "max_choices",
        )
    for fault in appearance_faults(choices, "choice", "choices"):
        yield QuestionFault(fault.reason, "choices", fault.item)
