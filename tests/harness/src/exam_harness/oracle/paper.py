"""The paper as a student was shown it, and which authored question and choice each of its numbers means.

Answers name numbers of the frozen paper. What such a number *means* is what stood beside it on the student's
screen, so the oracle finds it by text and image and trusts no table of ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exam_harness.oracle.document import Choice, Document, Question

_PAPER = {"format", "exam", "title", "instructions", "questions"}
_QUESTION = {"kind", "text", "weight", "image", "max_choices", "choices"}
_CHOICE = {"text", "image"}


class StrangePaperError(Exception):
    """The paper shown is not the authored one, or says more than a student may know."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The authored question behind each number, and the authored place of each of its choices' numbers."""

    questions: tuple[Question, ...]
    choices: tuple[tuple[int, ...], ...]

    def authored(self, question: int, numbers: frozenset[int]) -> frozenset[int]:
        """The authored places of some choice numbers of a question."""
        return frozenset(self.choices[question][number] for number in numbers)


def match(document: Document, paper: Mapping[str, Any]) -> Shown:
    """Find each shown question and choice in the authored exam.

    Raises:
        StrangePaperError: something is missing, twice, unknown, or belongs to the key.
    """
    _only(paper, _PAPER, "the paper")
    left = list(document.questions)
    questions: list[Question] = []
    choices: list[tuple[int, ...]] = []
    for place, shown in enumerate(paper["questions"]):
        _only(shown, _QUESTION, f"question {place}")
        found = [
            question
            for question in left
            if (question.kind, question.text, question.image) == (shown["kind"], shown["text"].strip(), _sha(shown))
        ]
        if len(found) != 1:
            raise StrangePaperError(f"question {place} ({shown['text']!r}) is authored {len(found)} times, not once")
        left.remove(found[0])
        questions.append(found[0])
        choices.append(_choices(place, found[0], shown.get("choices", ())))
    if left:
        raise StrangePaperError(f"{len(left)} authored questions are not shown, first {left[0].text!r}")
    return Shown(tuple(questions), tuple(choices))


def _choices(place: int, question: Question, shown: list[Mapping[str, Any]]) -> tuple[int, ...]:
    places = {_face(choice): authored for authored, choice in enumerate(question.choices)}
    if len(places) != len(question.choices):
        raise StrangePaperError(f"question {place} has two choices that look the same: nobody can tell them apart")
    for number, choice in enumerate(shown):
        _only(choice, _CHOICE, f"question {place}, choice {number}")
    faces = [(choice["text"].strip(), _sha(choice)) for choice in shown]
    if sorted(map(str, faces)) != sorted(map(str, places)):
        raise StrangePaperError(f"question {place} does not show the authored choices")
    return tuple(places[face] for face in faces)


def _face(choice: Choice) -> tuple[str, str | None]:
    return choice.text, choice.image


def _sha(shown: Mapping[str, Any]) -> str | None:
    return str(shown["image"]["sha256"]) if "image" in shown else None


def _only(body: Mapping[str, Any], known: set[str], what: str) -> None:
    if unknown := body.keys() - known:
        raise StrangePaperError(f"{what} shows {sorted(unknown)}, which no student should see")
