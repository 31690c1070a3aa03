"""The paper as shown to students, matched with the authored exam.

Answers refer to numbers of the frozen paper. The oracle resolves each number by the text and image that was shown
beside it, and uses no mapping that the platform computed.
"""

import html
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from exam_harness.oracle.document import Document, Item, Question

_PAPER: Final = {"format", "exam", "title", "instructions", "instructions_html", "questions", "sections"}
_SECTION: Final = {"title", "instructions", "instructions_html", "questions", "draw", "shuffle"}
_QUESTION: Final = {"kind", "text", "html", "weight", "image", "shuffle"}
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

    Of a question that was not shown, which is null, neither items nor targets are known.

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
    _check_sections(document, paper.get("sections", ()))
    surplus = len(paper["questions"]) - len(document.questions)
    if surplus:
        what = "questions are shown that are not authored" if surplus > 0 else "authored questions are not shown"
        raise PaperMismatchError(f"{abs(surplus)} {what}")
    unmatched = list(document.questions)
    questions: list[Question] = []
    items: list[tuple[int, ...]] = []
    targets: list[tuple[str, ...]] = []
    for number, shown in enumerate(paper["questions"]):
        if shown is None:
            questions.append(document.questions[number])
            items.append(())
            targets.append(())
            continue
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
    return MatchedPaper(tuple(questions), tuple(items), tuple(targets))


def kinds_of(paper: Mapping[str, Any]) -> tuple[str, ...]:
    """The kind of each question of a paper as shown; empty if it was not shown."""
    return tuple("" if question is None else question["kind"] for question in paper["questions"])


def drawn_of(paper: Mapping[str, Any]) -> tuple[int, ...]:
    """The numbers of the questions that a student was shown."""
    return tuple(number for number, question in enumerate(paper["questions"]) if question is not None)


def merge_papers(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """The questions that two students were shown of one paper.

    Raises:
        PaperMismatchError: they were not shown the same paper.
    """
    pairs = list(itertools.zip_longest(one["questions"], other["questions"]))
    questions = [theirs if ours is None else ours for ours, theirs in pairs]
    frames = [{**paper, "questions": len(paper["questions"])} for paper in (one, other)]
    if frames[0] != frames[1] or any(None not in pair and pair[0] != pair[1] for pair in pairs):
        raise PaperMismatchError("two students were shown different papers")
    return {**one, "questions": questions}


def shown_text(text: str, form: str = "plain") -> str:
    """What of a text, in its author's format, identifies it for a reader; texts of papers are plain."""
    if form == "html":
        text = html.unescape(_TAG.sub("", text))
    return " ".join(_MARKUP.sub("", text).split())


def _looks_like(question: Question, shown: Mapping[str, Any]) -> bool:
    appearance = (question.kind, shown_text(question.text, question.format), question.image)
    return appearance == (shown["kind"], shown_text(shown["text"]), _sha256(shown))


def _check_sections(document: Document, shown: Sequence[Mapping[str, Any]]) -> None:
    """The sections are those of the author."""
    if len(shown) != len(document.sections):
        raise PaperMismatchError(f"{len(shown)} sections are shown, not {len(document.sections)}")
    for number, (section, part) in enumerate(zip(document.sections, shown, strict=True)):
        _check_members(part, _SECTION, f"section {number}")
        found = (
            part["title"],
            shown_text(part["instructions"]),
            part["questions"],
            part.get("draw", len(part["questions"])),
            part.get("shuffle", True),
        )
        expected = (
            section.title,
            shown_text(section.instructions, document.format),
            list(section.numbers),
            section.draw,
            section.shuffle,
        )
        if found != expected:
            raise PaperMismatchError(f"section {number} is shown as {found}, not {expected}")


def _check_question(number: int, question: Question, shown: Mapping[str, Any]) -> None:
    lists = {_LIST[question.kind]} if question.kind in _LIST else set()
    as_written = {"max_choices", "unit", "max_length", "max_characters", "min_words", "max_words", "template"}
    members = _QUESTION | lists | question.shown.keys() | ({"targets"} if question.kind == "matching" else set())
    _check_members(shown, members, f"question {number}")
    found = {name: shown[name] for name in as_written & shown.keys()}
    if found != question.shown or Fraction(shown["weight"]) != question.weight:
        raise PaperMismatchError(f"question {number} shows {found} and weight {shown['weight']}, not {question.shown}")
    if shown.get("shuffle", True) is question.in_order:
        raise PaperMismatchError(f"question {number} is shuffled, or is not, unlike the author wants")


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
    found = tuple(authored[appearance] for appearance in appearances)
    if question.in_order and list(found) != sorted(found):
        raise PaperMismatchError(f"question {number} does not show its choices or stems in the author's order")
    return found


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
