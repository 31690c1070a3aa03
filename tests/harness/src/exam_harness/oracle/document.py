"""The authored exam, parsed from its YAML independently of `exam_core`.

Every scalar is read as text, so that `0.10` stays the number its author wrote and never becomes a binary float.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

import yaml

from exam_harness.oracle.accepted import AcceptedNumber, AcceptedText, number_near, read_accepted_number
from exam_harness.oracle.numbers import parse_credit, parse_number

MARKDOWN: Final = "markdown"
SUM_OF_CREDITS: Final = "sum-of-credits"
_TRUE: Final = {"true", "yes", "on"}
_LISTS: Final = {"single": "choices", "multiple": "choices", "matching": "stems", "ordering": "items"}
"""The member with what a question lists beside its text, by kind."""
_SHUFFLED: Final = {"single", "multiple", "matching"}
"""The kinds that need not be shuffled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A choice, a stem, or an item to put in order, as authored; `image` is the SHA-256 of its bytes."""

    text: str
    image: str | None
    credit: Fraction = Fraction(0)
    """Of a choice."""
    target: str = ""
    """Of a stem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question as authored, with its key.

    Attributes:
        kind: how it is answered.
        text: as authored, in the format `format`.
        image: the SHA-256 of its bytes.
        weight: the points of the best answer.
        format: of the texts of the question and of its items.
        items: choices, stems, or items in the right order; true and false are two choices.
        targets: the different targets of a matching question.
        rule: how choices or orders are scored; empty leaves it to the policy.
        floor: the least share of a multiple-choice answer.
        cap: the greatest one.
        numbers: the accepted numbers, of which the first that matches counts.
        texts: the accepted texts, likewise.
        shown: the members that students see as they were written, such as a unit.
        in_order: whether choices or stems are shown as they were written, and targets by the alphabet.
    """

    kind: str
    text: str
    image: str | None
    weight: Fraction
    format: str = MARKDOWN
    items: tuple[Item, ...] = ()
    targets: frozenset[str] = frozenset()
    rule: str = ""
    floor: Fraction = Fraction(0)
    cap: Fraction = Fraction(1)
    numbers: tuple[AcceptedNumber, ...] = ()
    texts: tuple[AcceptedText, ...] = ()
    shown: Mapping[str, Any] = field(default_factory=dict, hash=False)
    in_order: bool = False

    @property
    def correct(self) -> frozenset[int]:
        """The indices of the choices with a positive credit in the authored list."""
        return frozenset(index for index, item in enumerate(self.items) if item.credit > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of an exam.

    Attributes:
        title: its title, which may be empty.
        instructions: as authored, in the format of the exam.
        numbers: the numbers of its questions.
        draw: how many of them each student gets.
        shuffle: whether each student sees them in an order of the own.
    """

    title: str
    instructions: str
    numbers: range
    draw: int
    shuffle: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole authored exam."""

    exam: str
    level: str
    questions: tuple[Question, ...]
    sections: tuple[Section, ...] = ()
    format: str = MARKDOWN
    """Of the instructions of sections."""

    @property
    def draws(self) -> bool:
        """Whether students get different questions."""
        return any(section.draw < len(section.numbers) for section in self.sections)

    @property
    def maximum(self) -> Fraction:
        """The maximum total, which is the same for every draw."""
        if not self.sections:
            return sum((question.weight for question in self.questions), Fraction(0))
        # Where fewer are drawn than there are, all have one weight.
        firsts = (self.questions[number] for section in self.sections for number in section.numbers[: section.draw])
        return sum((question.weight for question in firsts), Fraction(0))

    def draw_fault(self, drawn: Sequence[int]) -> str:
        """Why these questions cannot be what a student gets; empty if they can."""
        for section in self.sections:
            got = [number for number in drawn if number in section.numbers]
            if len(got) != section.draw or len(set(got)) != len(got):
                return f"of questions {section.numbers} {section.draw} are drawn, not {got}"
        expected = sum(section.draw for section in self.sections) if self.sections else len(self.questions)
        return "" if len(drawn) == expected else f"{expected} questions are drawn, not {len(drawn)}"


def read_document(text: str) -> Document:
    """Parse an exam document; it does not validate, because the oracle only reads documents that web has accepted."""
    root = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - the base loader makes texts, lists and mappings alone
    form = root.get("format", MARKDOWN)
    parts = root.get("sections", ())
    questions = [question for part in parts for question in part["questions"]] or root["questions"]
    return Document(
        exam=root["exam"],
        level=root["level"],
        questions=tuple(_question(question, form) for question in questions),
        sections=tuple(_sections(parts)),
        format=form,
    )


def _sections(parts: Sequence[Mapping[str, Any]]) -> Iterator[Section]:
    first = 0
    for part in parts:
        numbers = range(first, first + len(part["questions"]))
        yield Section(
            title=part.get("title", ""),
            instructions=part.get("instructions", ""),
            numbers=numbers,
            draw=int(part.get("draw", len(numbers))),
            shuffle=part.get("shuffle", "true").lower() in _TRUE,
        )
        first = numbers.stop


def _question(body: Mapping[str, Any], form: str) -> Question:
    kind = body["kind"]
    items = _true_and_false(body) if kind == "true-false" else tuple(map(_item, body.get(_LISTS.get(kind, ""), ())))
    return Question(
        kind=kind,
        text=body["text"].strip(),
        image=_image(body),
        weight=parse_number(body.get("weight", "1")),
        format=body.get("format", form),
        items=items,
        targets=frozenset(item.target for item in items if item.target)
        | frozenset(text.strip() for text in body.get("distractors", ())),
        rule=_rule(kind, body, items),
        floor=parse_credit(body.get("floor", "0")),
        cap=parse_credit(body.get("cap", "1")),
        numbers=tuple(_numbers(body)) if kind == "numeric" else (),
        texts=tuple(_texts(body)) if kind == "text" else (),
        shown=_shown(kind, body, len(items)),
        in_order=kind in _SHUFFLED and body.get("shuffle", "true").lower() not in _TRUE,
    )


def _item(body: Mapping[str, Any]) -> Item:
    correct = Fraction(body.get("correct", "false").lower() in _TRUE)
    return Item(
        text=body.get("text", "").strip(),
        image=_image(body),
        credit=parse_credit(body["credit"]) if "credit" in body else correct,
        target=body.get("target", "").strip(),
    )


def _true_and_false(body: Mapping[str, Any]) -> tuple[Item, Item]:
    other = parse_credit(body.get("other_credit", "0"))
    true, false = (Fraction(1), other) if body["answer"].lower() in _TRUE else (other, Fraction(1))
    return Item(text="true", image=None, credit=true), Item(text="false", image=None, credit=false)


def _rule(kind: str, body: Mapping[str, Any], items: tuple[Item, ...]) -> str:
    if "rule" in body:
        return str(body["rule"])
    if kind == "ordering":
        return "all-or-nothing"
    credited = kind == "multiple" and any(item.credit not in {0, 1} for item in items)
    return SUM_OF_CREDITS if credited else ""


def _numbers(body: Mapping[str, Any]) -> list[AcceptedNumber]:
    if "answer" in body:
        return [number_near(body["answer"]["value"], body["answer"].get("tolerance", "0"))]
    return [read_accepted_number(*_accepted(each)) for each in body["accepted"]]


def _texts(body: Mapping[str, Any]) -> list[AcceptedText]:
    case, wildcards = (body.get(name, "false").lower() in _TRUE for name in ("case", "wildcards"))
    entries = map(_accepted, body["accepted"])
    return [AcceptedText(text=text, credit=credit, case=case, wildcards=wildcards) for text, credit in entries]


def _accepted(entry: str | Mapping[str, str]) -> tuple[str, Fraction]:
    """An accepted answer and its credit."""
    if isinstance(entry, str):
        return entry, Fraction(1)
    return entry["answer"], parse_credit(entry.get("credit", "1"))


def _shown(kind: str, body: Mapping[str, Any], size: int) -> dict[str, Any]:
    """The members that a paper shows beside texts, images and lists."""
    match kind:
        case "single":
            return {"max_choices": 1}
        case "multiple":
            return {"max_choices": int(body.get("max_choices", size))}
        case "numeric":
            return {"unit": body["unit"]} if "unit" in body else {}
        case "text":
            return {"max_length": int(body.get("max_length", 255))}
        case "essay":
            limits = {name: int(body[name]) for name in ("min_words", "max_words") if name in body}
            template = {"template": body["template"]} if "template" in body else {}
            return {"max_characters": int(body.get("max_characters", 20_000))} | limits | template
    return {}


def _image(body: Mapping[str, Any]) -> str | None:
    if "image" not in body:
        return None
    return hashlib.sha256(base64.b64decode("".join(body["image"].split()))).hexdigest()
