"""Reads GIFT."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from exam_core.authoring.exam import AcceptImage
from exam_core.credits import FULL_CREDIT, NO_CREDIT, CreditError, credit_of_percent
from exam_core.numbers import NotANumberError
from exam_core.questions.choices import Choice, ChoiceRule, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored
from exam_core.questions.numeric import Between, Near, Numeric
from exam_core.questions.ordering import Ordering
from exam_core.questions.text import AcceptedText
from exam_papers.formats.collector import Collector, Draft, letters
from exam_papers.formats.encoding import decode
from exam_papers.formats.gift.grammar import Entry, answers, pairs
from exam_papers.formats.gift.records import (
    CATEGORY,
    Parts,
    Record,
    UnbalancedError,
    parts_of,
    records,
    restore,
    source_text,
    unescaped,
)
from exam_papers.formats.markup import SourceFormat, SourceText, unify
from exam_papers.formats.model import Imported, LossCode, Place
from exam_papers.formats.moodle import DEFAULT_RULE, RULES, category_names, point_number, short_text

_TRUE_FALSE: Final = {"T": True, "TRUE": True, "F": False, "FALSE": False}
_GENERAL: Final = "####"
_ORDERING: Final = re.compile(r"\s*>\s*([0-9]{0,4})(.*)")
_OPTIONS: Final = (
    {"ALL", "EXACT", "RANDOM", "REL", "CONTIGUOUS", "CONTIG"},
    {"HORIZONTAL", "HORI", "H", "1", "VERTICAL", "VERT", "V", "0"},
    RULES.keys() - set(map(str, range(-1, 8))),
    {"SHOW", "TRUE", "YES", "1", "HIDE", "FALSE", "NO", "0"},
    {"none", "123", "abc", "ABCD", "iii", "IIII"},
)
"""The options of an ordering question, in their order; each may be left out."""
_PLAIN_LAYOUT: Final = {"", "VERTICAL", "VERT", "V", "0", "HIDE", "FALSE", "NO", "none"}
_ALL: Final = {"", "ALL", "EXACT"}
_STRAY: Final = re.compile(r"^\s*[=~]", re.MULTILINE)
_LIKE_A_WEIGHT: Final = re.compile(r"\s*%[-0-9.,]+%")


def read(data: bytes, *, file: str, accept_image: AcceptImage) -> Imported:
    """Read the questions of a GIFT file.

    Raises:
        ImportFaults: the file has faults.
    """
    collector = Collector(file, accept_image)
    category: tuple[str, ...] = ()
    for record in records(decode(data, file)):
        collector.lose(LossCode.METADATA, "comments are dropped", count=record.remarks)
        if not record.lines:
            continue
        if record.text.startswith(CATEGORY):
            category = _category(record, collector)
        elif nested := next((line for line, text in record.lines if text.startswith(CATEGORY)), None):
            collector.fault(Place(nested), f"{CATEGORY} must begin a record: put a blank line before it")
        else:
            _Question(collector, record, category).read()
    return collector.finish()


def _category(record: Record, collector: Collector) -> tuple[str, ...]:
    if len(record.lines) > 1:
        collector.fault(Place(record.lines[1][0]), f"follows {CATEGORY} directly: put a blank line between them")
    return category_names(unescaped(record.lines[0][1])[len(CATEGORY) :])


@dataclass(frozen=True, slots=True)
class _Read:
    """What an answer block contains; the texts among it are in the question's format when `build` is called."""

    texts: tuple[SourceText, ...]
    build: Callable[[tuple[str, ...]], Authored]
    lines: tuple[int, ...] = ()


class _Question:
    """Reads one record."""

    def __init__(self, collector: Collector, record: Record, category: tuple[str, ...]) -> None:
        self.collector = collector
        self.record = record
        self.category = category
        self.title = ""
        self.offset = 0
        self.default = SourceFormat.MOODLE

    def read(self) -> None:
        """Read the record and give the question to the collector."""
        try:
            parts = parts_of(self.record.text)
        except UnbalancedError as error:
            self.fault(0, str(error))
            return
        ident = next(iter(self.record.named("id")), None)
        self.title = parts.title
        if parts.block is None:
            name = parts.title or ident or f"line {self.record.line}"
            self.collector.lose(LossCode.SECTION_TEXT, "a text without answers is not taken", name)
            return
        self.offset, self.default = parts.offset, parts.text.format
        if stray := _STRAY.search(parts.after):
            self.fault(
                len(parts.block) + stray.end(),
                "has an answer after the closing brace: enclose all answers in { }, and write \\{ and \\} for braces "
                "in the text",
            )
            return
        before = self.collector.fault_count
        content = self.content(parts)
        if self.collector.fault_count > before:
            return
        self.take(parts, ident, content)

    def take(self, parts: Parts, ident: str | None, content: _Read) -> None:
        """Give the question to the collector."""
        unified = unify((parts.text, *content.texts))
        name = self.title or ident
        self.collector.lose(LossCode.TEXT_FORMAT, "Markdown becomes HTML", name, unified.from_markdown)
        self.collector.add(
            Draft(
                place=Place(self.record.line),
                ident=ident,
                title=self.title,
                category=self.category,
                tags=tuple(self.record.named("tag")),
                text=unified.texts[0],
                format=unified.format,
                interaction=content.build(unified.texts[1:]),
                items=tuple(map(Place, content.lines)),
            )
        )

    def line(self, offset: int) -> int:
        """Return the line of a character of the answer block."""
        return self.record.line_at(self.offset + offset)

    def fault(self, offset: int, reason: str) -> None:
        """Record a fault at a character of the answer block."""
        self.collector.fault(Place(self.line(offset)), reason, self.title or None)

    def lose(self, code: LossCode, feature: str, count: int = 1) -> None:
        """Record a loss of this question."""
        self.collector.lose(code, feature, self.title or f"line {self.record.line}", count)

    def content(self, parts: Parts) -> _Read:
        """Read the answer block: the first of these kinds that fits."""
        block, general, text = (parts.block or "").partition(_GENERAL)
        self.feedback(int(bool(general and text.strip())))
        first, *feedback = block.split("#")
        if not block.strip():
            return _Read((), lambda _: Essay())
        if (answer := _TRUE_FALSE.get(first.strip())) is not None and "~" not in block and "=" not in block:
            self.feedback(sum(bool(each.strip()) for each in feedback))
            return _Read((), lambda _: TrueFalse(answer=answer))
        return self.reader(block)(block)

    def reader(self, block: str) -> Callable[[str], _Read]:
        """Return what reads a block of answers."""
        match block.strip()[0]:
            case ">":
                return self.ordering
            case "#":
                return self.numeric
        if "~" in block:
            return self.choices
        return self.matching if "=" in block and "->" in block else self.short_text

    def feedback(self, count: int) -> None:
        """Record feedback."""
        self.lose(LossCode.FEEDBACK, "feedback is dropped", count)

    def credit(self, entry: Entry, default: Fraction) -> Fraction:
        """Return the credit of an answer; a fault and the default if it has none that files can state."""
        if entry.percent is None:
            return default
        try:
            return credit_of_percent(entry.percent)
        except CreditError as error:
            self.fault(entry.offset, f"has a weight that is not a credit: {error}")
            return default

    def choices(self, block: str) -> _Read:
        """Read choices: with any `=` one of them is selected, else several."""
        entries = list(answers(block))
        self.feedback(sum(entry.feedback for entry in entries))
        credits_: list[Fraction] = []
        texts: list[SourceText] = []
        for entry in entries:
            text = entry.text
            if entry.sign == "=":
                # A weight counts after ~ only; after = it is part of the text.
                credits_.append(FULL_CREDIT)
                text = f"%{entry.percent}%{text}" if entry.percent is not None else text
            else:
                credits_.append(self.credit(entry, NO_CREDIT))
            if _LIKE_A_WEIGHT.match(text):
                self.collector.warn(
                    Place(self.line(entry.offset)),
                    "has a choice that begins like a weight, which is part of its text here: write ~%50% for a weight",
                    self.title or None,
                )
            texts.append(source_text(text, self.default))
        ids = letters(len(entries))

        def build(unified: tuple[str, ...]) -> Authored:
            listed = tuple(
                Choice(id=ident, text=text, credit=credit)
                for ident, text, credit in zip(ids, unified, credits_, strict=True)
            )
            if any(entry.sign == "=" for entry in entries):
                return SingleChoice(choices=listed)
            return MultipleChoice(choices=listed, rule=ChoiceRule.SUM_OF_CREDITS)

        return _Read(tuple(texts), build, tuple(self.line(entry.offset) for entry in entries))

    def short_text(self, block: str) -> _Read:
        """Read accepted texts."""
        entries = list(answers(block))
        self.feedback(sum(entry.feedback for entry in entries))
        accepted = tuple(
            AcceptedText(text=source_text(entry.text, self.default).text, credit=self.credit(entry, FULL_CREDIT))
            for entry in entries
        )
        return _Read((), lambda _: short_text(accepted), tuple(self.line(entry.offset) for entry in entries))

    def matching(self, block: str) -> _Read:
        """Read stems with their targets; an empty stem makes a target without one."""
        listed = list(pairs(block))
        for pair in listed:
            if pair.target is None:
                self.fault(pair.offset, "has a stem without ->: write =stem -> target")
        if any(pair.target is None for pair in listed):
            return _Read((), lambda _: Essay())
        stems = [source_text(pair.stem, self.default) for pair in listed]
        targets = [SourceText(restore(pair.target or ""), SourceFormat.PLAIN) for pair in listed]

        def build(unified: tuple[str, ...]) -> Authored:
            couples = list(zip(unified[: len(stems)], unified[len(stems) :], strict=True))
            shown = [couple for couple in couples if couple[0]]
            return Matching(
                stems=tuple(Stem(id=f"s{n}", text=text, target=target) for n, (text, target) in enumerate(shown, 1)),
                distractors=tuple(target for text, target in couples if not text),
            )

        lines = tuple(self.line(pair.offset) for pair, stem in zip(listed, stems, strict=True) if stem.text)
        return _Read((*stems, *targets), build, lines)

    def ordering(self, block: str) -> _Read:
        """Read the options of an ordering question and its items, one on each line."""
        lines = block.split("\n")
        first = next(number for number, line in enumerate(lines) if line.strip())
        found = _ORDERING.fullmatch(lines[first])
        number, words = (found[1], found[2].split()) if found else ("", [])
        options = [words.pop(0) if words and words[0] in known else "" for known in _OPTIONS]
        rest = [" ".join(words), *lines[first + 1 :]]
        items = [(first + n, text) for n, text in enumerate(rest) if text.strip()]
        select, layout, rule, show, numbering = options
        if not {layout, show, numbering} <= _PLAIN_LAYOUT:
            self.collector.lose(LossCode.LAYOUT, "layout and numbering of ordering questions are dropped")
        if select not in _ALL and number and int(number) < len(items):
            self.lose(LossCode.SUBSET, f"all items are shown, not {number} of them")

        def build(unified: tuple[str, ...]) -> Authored:
            return Ordering(
                items=tuple(Item(id=f"i{n}", text=text) for n, text in enumerate(unified, 1)),
                rule=RULES[rule] if rule else DEFAULT_RULE,
            )

        offsets = [sum(len(line) + 1 for line in lines[:n]) for n, _ in items]
        return _Read(tuple(source_text(text, self.default) for _, text in items), build, tuple(map(self.line, offsets)))

    def numeric(self, block: str) -> _Read:
        """Read accepted values, each exact, with a tolerance or as a range."""
        start = block.index("#") + 1
        accepted: list[Near | Between] = []
        lines: list[int] = []
        for entry in answers(block[start:]):
            if entry.sign == "~":
                self.feedback(int(bool(entry.feedback or entry.text.strip())))
                continue
            self.feedback(int(entry.feedback))
            credit = self.credit(entry, FULL_CREDIT)
            try:
                accepted.append(_accepted(restore(entry.text), credit))
            except NotANumberError as error:
                self.fault(start + entry.offset, f"has accepted value {len(lines) + 1} which {error.reason}")
            lines.append(self.line(start + entry.offset))
        entries = tuple(accepted)
        return _Read((), lambda _: Numeric(accepted=entries), tuple(lines))


def _accepted(text: str, credit: Fraction) -> Near | Between:
    """Read ``3``, ``3:0.5``, ``1..5`` or ``*``.

    Raises:
        NotANumberError: it is none of these.
    """
    if text == "*":
        return Between(low=None, high=None, credit=credit)
    low, dots, high = text.partition("..")
    if dots and low:
        return Between(low=point_number(low), high=point_number(high), credit=credit)
    value, colon, tolerance = text.partition(":")
    width = abs(point_number(tolerance)) if colon else NO_CREDIT
    return Near(value=point_number(value), tolerance=width, credit=credit)
