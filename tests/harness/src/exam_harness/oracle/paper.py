"""The paper as shown to students, matched with the authored exam.

Answers refer to numbers of the frozen paper. The oracle resolves each number by the text and image that was shown
beside it, and uses no mapping that the platform computed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exam_harness.oracle.document import Choice, Document, Question

_PAPER = {"format", "exam", "title", "instructions", "questions"}
_QUESTION = {"kind", "text", "weight", "image", "max_choices", "choices"}
_CHOICE = {"text", "image"}


class PaperMismatchError(Exception):
    """The paper shown differs from the authored exam, or reveals a part of the key."""


@dataclass(frozen=True, slots=True)
class MatchedPaper:
    """The authored question for each number, and for each of its choice numbers the index in the authored list."""

    questions: tuple[Question, ...]
    choices: tuple[tuple[int, ...], ...]

    def authored_choices(self, question: int, numbers: frozenset[int]) -> frozenset[int]:
        """The authored indices of some choice numbers of a question."""
        return frozenset(self.choices[question][number] for number in numbers)


def match_paper(document: Document, paper: Mapping[str, Any]) -> MatchedPaper:
    """Find each shown question and choice in the authored exam.

    Raises:
        PaperMismatchError: something is missing, duplicated, unknown, or belongs to the key.
    """
    _check_members(paper, _PAPER, "the paper")
    unmatched = list(document.questions)
    questions: list[Question] = []
    choices: list[tuple[int, ...]] = []
    for number, shown in enumerate(paper["questions"]):
        _check_members(shown, _QUESTION, f"question {number}")
        found = [
            question
            for question in unmatched
            if (question.kind, question.text, question.image) == (shown["kind"], shown["text"].strip(), _sha256(shown))
        ]
        if len(found) != 1:
            raise PaperMismatchError(
                f"question {number} ({shown['text']!r}) matches {len(found)} authored questions, not one"
            )
        unmatched.remove(found[0])
        questions.append(found[0])
        choices.append(_match_choices(number, found[0], shown.get("choices", ())))
    if unmatched:
        raise PaperMismatchError(f"{len(unmatched)} authored questions are not shown, first {unmatched[0].text!r}")
    return MatchedPaper(tuple(questions), tuple(choices))


def _match_choices(number: int, question: Question, shown: list[Mapping[str, Any]]) -> tuple[int, ...]:
    authored = {_appearance(choice): index for index, choice in enumerate(question.choices)}
    if len(authored) != len(question.choices):
        raise PaperMismatchError(f"question {number} has two choices that look the same")
    for choice_number, choice in enumerate(shown):
        _check_members(choice, _CHOICE, f"question {number}, choice {choice_number}")
    appearances = [(choice["text"].strip(), _sha256(choice)) for choice in shown]
    if sorted(map(str, appearances)) != sorted(map(str, authored)):
        raise PaperMismatchError(f"question {number} does not show the authored choices")
    return tuple(authored[appearance] for appearance in appearances)


def _appearance(choice: Choice) -> tuple[str, str | None]:
    return choice.text, choice.image


def _sha256(shown: Mapping[str, Any]) -> str | None:
    return str(shown["image"]["sha256"]) if "image" in shown else None


def _check_members(body: Mapping[str, Any], allowed: set[str], subject: str) -> None:
    if unknown := body.keys() - allowed:
        raise PaperMismatchError(f"{subject} shows {sorted(unknown)}, which is not for students")
