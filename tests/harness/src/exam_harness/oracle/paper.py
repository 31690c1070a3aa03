"""The paper as shown to students, matched with the authored exam.

Answers refer to numbers of the frozen paper. The oracle resolves each number by the text and image that was shown
beside it, and uses no mapping that the platform computed.
"""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from exam_harness.oracle.document import Document, Item, Question

_PAPER: Final = {"format", "exam", "title", "instructions", "instructions_html", "questions"}
_QUESTION: Final = {"kind", "text", "html", "weight", "image"}
_ITEM: Final = {"text", "html", "image"}
_LIST: Final = {"single": "choices", "multiple": "choices", "matching": "stems", "ordering": "items"}
"""The member with what a question shows beside its text, by kind."""
_MARKUP: Final = re.compile(r"\*\*|__|`|\\[()]|\$\$")
"""The marks of emphasis, code and TeX, which a reader does not see."""
_TAG: Final = re.compile(r"<[^>]*>")


class PaperMismatchError(Exception):
    """The paper shown differs from the authored exam, or reveals a part of the key."""


@dataclass(frozen=True, slots=True)
class MatchedPaper:
    """The authored question for each number, and what the numbers in its answers mean.

    Attributes:
        questions: the authored questions.
        items: for each choice, stem or item number of a question, the index in the authored list.
        targets: for each target number of a question, the target.
    """

    questions: tuple[Question, ...]
    items: tuple[tuple[int, ...], ...]
    targets: tuple[tuple[str, ...], ...]

    def authored_choices(self, question: int, numbers: frozenset[int]) -> frozenset[int]:
        """The authored indices of some choice numbers of a question."""
        return frozenset(self.items[question][number] for number in numbers)


def match_paper(document: Document, paper: Mapping[str, Any]) -> MatchedPaper:
    """Find each shown question, choice, stem, target and item in the authored exam.

    Raises:
        PaperMismatchError: something is missing, duplicated, unknown, or belongs to the key.
    """
    _check_members(paper, _PAPER, "the paper")
    unmatched = list(document.questions)
    questions: list[Question] = []
    items: list[tuple[int, ...]] = []
    targets: list[tuple[str, ...]] = []
    for number, shown in enumerate(paper["questions"]):
        found = [question for question in unmatched if _looks_like(question, shown)]
        if len(found) != 1:
            raise PaperMismatchError(
                f"question {number} ({shown['text']!r}) matches {len(found)} authored questions, not one"
            )
        unmatched.remove(found[0])
        _check_question(number, found[0], shown)
        questions.append(found[0])
        items.append(_match_items(number, found[0], shown))
        targets.append(_match_targets(number, found[0], shown.get("targets", ())))
    if unmatched:
        raise PaperMismatchError(f"{len(unmatched)} authored questions are not shown, first {unmatched[0].text!r}")
    return MatchedPaper(tuple(questions), tuple(items), tuple(targets))


def kinds_of(paper: Mapping[str, Any]) -> tuple[str, ...]:
    """The kind of each question of a paper as shown."""
    return tuple(question["kind"] for question in paper["questions"])


def shown_text(text: str, form: str = "plain") -> str:
    """What of a text, in its author's format, identifies it for a reader; texts of papers are plain."""
    if form == "html":
        text = html.unescape(_TAG.sub("", text))
    return " ".join(_MARKUP.sub("", text).split())


def _looks_like(question: Question, shown: Mapping[str, Any]) -> bool:
    appearance = (question.kind, shown_text(question.text, question.format), question.image)
    return appearance == (shown["kind"], shown_text(shown["text"]), _sha256(shown))


def _check_question(number: int, question: Question, shown: Mapping[str, Any]) -> None:
    lists = {_LIST[question.kind]} if question.kind in _LIST else set()
    as_written = {"max_choices", "unit", "max_length", "max_characters", "min_words", "max_words", "template"}
    members = _QUESTION | lists | question.shown.keys() | ({"targets"} if question.kind == "matching" else set())
    _check_members(shown, members, f"question {number}")
    found = {name: shown[name] for name in as_written & shown.keys()}
    if found != question.shown or Fraction(shown["weight"]) != question.weight:
        raise PaperMismatchError(f"question {number} shows {found} and weight {shown['weight']}, not {question.shown}")


def _match_items(number: int, question: Question, shown: Mapping[str, Any]) -> tuple[int, ...]:
    if question.kind == "true-false":
        return (0, 1)
    authored = {_appearance(question, item): index for index, item in enumerate(question.items)}
    if len(authored) != len(question.items):
        raise PaperMismatchError(f"question {number} has two choices, stems or items that look the same")
    listed = shown[_LIST[question.kind]] if question.kind in _LIST else ()
    for item_number, item in enumerate(listed):
        _check_members(item, _ITEM, f"question {number}, item {item_number}")
    appearances = [(shown_text(item["text"]), _sha256(item)) for item in listed]
    if sorted(map(str, appearances)) != sorted(map(str, authored)):
        raise PaperMismatchError(f"question {number} does not show the authored choices, stems or items")
    return tuple(authored[appearance] for appearance in appearances)


def _match_targets(number: int, question: Question, shown: Sequence[str]) -> tuple[str, ...]:
    authored = {shown_text(text, question.format): text for text in question.targets}
    appearances = [shown_text(text) for text in shown]
    if sorted(appearances) != sorted(authored):
        raise PaperMismatchError(f"question {number} does not show the authored targets")
    return tuple(authored[appearance] for appearance in appearances)


def _appearance(question: Question, item: Item) -> tuple[str, str | None]:
    return shown_text(item.text, question.format), item.image


def _sha256(shown: Mapping[str, Any]) -> str | None:
    return str(shown["image"]["sha256"]) if "image" in shown else None


def _check_members(body: Mapping[str, Any], allowed: set[str], subject: str) -> None:
    if unknown := body.keys() - allowed:
        raise PaperMismatchError(f"{subject} shows {sorted(unknown)}, which is not for students")
