"""The kinds of questions in sheets: from the rows of a question to the authored form."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Final

from exam_core import limits
from exam_core.authored import TextFormat
from exam_core.credits import FULL_CREDIT, NO_CREDIT, CreditError, parse_credit
from exam_core.images import ImageRef
from exam_core.questions.choices import Choice, ChoiceRule, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored, KindName
from exam_core.questions.numeric import Near, Numeric
from exam_core.questions.ordering import Ordering
from exam_core.questions.ordering_rules import OrderingRule
from exam_core.questions.text import AcceptedText, ShortText
from exam_papers.formats.collector import Collector, letters
from exam_papers.formats.model import Place
from exam_papers.formats.sheets.columns import CHOICE_COLUMNS
from exam_papers.formats.sheets.images import SheetImages
from exam_papers.formats.sheets.rows import Row
from exam_papers.formats.sheets.values import CellError, accepted, chosen, number

_YES, _NO = {"true", "yes", "1"}, {"false", "no", "0"}
_COMMON: Final = frozenset({"id", "kind", "title", "text", "format", "weight", "category", "tags", "section", "image"})


class Cells:
    """The cells of a question; each that is read is noted, so that others are faults."""

    def __init__(
        self, collector: Collector, group: Sequence[Row], images: SheetImages, text_format: TextFormat, label: str
    ) -> None:
        self.collector = collector
        self.first, self.rest = group[0], group[1:]
        self.images = images
        self.format = text_format
        self.label = label
        self.places = tuple[Place, ...]()
        self._used: set[str] = set(_COMMON)

    def fault(self, row: Row, column: str, reason: str) -> None:
        """Record a fault at a cell."""
        self.collector.fault(row.place(column), reason, self.label)

    def get(self, column: str, row: Row | None = None) -> str:
        """Return a cell without the white space around it."""
        self._used.add(column)
        return (row or self.first).get(column)

    def text(self, row: Row, column: str) -> str:
        """Return a text, with its images."""
        self._used.add(column)
        return self.images.text(row.raw(column), self.format, row.place(column), self.label)

    def raw(self, column: str, row: Row | None = None) -> str:
        """Return a cell as it is."""
        self._used.add(column)
        return (row or self.first).raw(column)

    def image(self, row: Row) -> ImageRef | None:
        """Return the image of a further row."""
        name = row.get("image")
        return self.images.named(name, row.place("image"), self.label) if name else None

    def boolean(self, column: str) -> bool:
        """Read TRUE or FALSE; empty is false."""
        typed = self.get(column).lower()
        if typed and typed not in _YES | _NO:
            self.fault(self.first, column, "is neither TRUE nor FALSE")
        return typed in _YES

    def whole(self, column: str) -> int | None:
        """Read a whole number; None if the cell is empty."""
        typed = self.get(column)
        if not typed:
            return None
        if not typed.isascii() or not typed.isdecimal() or len(typed) > len(str(limits.MAX_ESSAY)):
            self.fault(self.first, column, "is not a whole number")
            return None
        return int(typed)

    def credit(self, row: Row, default: Fraction) -> Fraction:
        """Read a credit."""
        if not (typed := self.get("credit", row)):
            return default
        try:
            return parse_credit(typed)
        except CreditError as error:
            self.fault(row, "credit", str(error))
            return default

    def fraction(self, column: str, default: Fraction) -> Fraction:
        """Read a number of the question."""
        typed = self.get(column)
        try:
            return number(typed) if typed else default
        except CellError as error:
            self.fault(self.first, column, str(error))
            return default

    def unused(self) -> None:
        """Record the cells that the question's kind does not have."""
        for row in (self.first, *self.rest):
            for column in row.cells:
                if column not in self._used and row.get(column):
                    self.fault(row, column, "is not used by this kind of question: leave it empty")

    def wide(self) -> list[str]:
        """Return the texts of the columns choice_a to choice_z."""
        texts = [self.text(self.first, column) for column in CHOICE_COLUMNS]
        count = max((place for place, text in enumerate(texts, 1) if text.strip()), default=0)
        for column, text in zip(CHOICE_COLUMNS[:count], texts, strict=False):
            if not text.strip():
                self.fault(self.first, column, "is empty, and a later choice is not")
        if count and self.rest:
            self.fault(self.rest[0], "choice", "is a further row of a question whose choices are in its first row")
        return texts[:count]

    def entries(self) -> Sequence[Row]:
        """Return the further rows; faults of items are reported at them."""
        self.places = tuple(row.place() for row in self.rest)
        return self.rest


def _choices(cells: Cells) -> tuple[Choice, ...]:
    if texts := cells.wide():
        right: set[int] = set()
        try:
            right = chosen(cells.get("key"), texts)
        except CellError as error:
            cells.fault(cells.first, "key", str(error))
        return tuple(
            Choice(id=ident, text=text, credit=FULL_CREDIT if place in right else NO_CREDIT)
            for place, (ident, text) in enumerate(zip(letters(len(texts)), texts, strict=True))
        )
    listed = cells.entries()
    return tuple(
        Choice(id=ident, text=cells.text(row, "choice"), credit=cells.credit(row, NO_CREDIT), image=cells.image(row))
        for ident, row in zip(letters(len(listed)), listed, strict=True)
    )


def _single(cells: Cells) -> Authored:
    return SingleChoice(choices=_choices(cells))


def _multiple(cells: Cells) -> Authored:
    choices = _choices(cells)
    named = cells.get("rule")
    rule = ChoiceRule(named) if named in set(ChoiceRule) else None
    if named and rule is None:
        cells.fault(cells.first, "rule", f"is not one of {', '.join(ChoiceRule)}")
    if rule is None and any(choice.credit not in {NO_CREDIT, FULL_CREDIT} for choice in choices):
        rule = ChoiceRule.SUM_OF_CREDITS
    return MultipleChoice(
        choices=choices,
        max_choices=cells.whole("max_choices"),
        rule=rule,
        floor=cells.fraction("floor", NO_CREDIT),
        cap=cells.fraction("cap", FULL_CREDIT),
    )


def _true_false(cells: Cells) -> Authored:
    if not cells.get("key"):
        cells.fault(cells.first, "key", "is empty: write TRUE or FALSE")
    return TrueFalse(answer=cells.boolean("key"), other_credit=cells.credit(cells.first, NO_CREDIT))


def _answers(cells: Cells) -> list[Row]:
    """The rows with an accepted answer, of which the question's first one may be one."""
    listed = [*([cells.first] if cells.raw("key") else []), *cells.rest]
    cells.places = tuple(row.place("key") for row in listed)
    return listed


def _numeric(cells: Cells) -> Authored:
    entries = []
    for row in _answers(cells):
        credit, tolerance = cells.credit(row, FULL_CREDIT), cells.get("tolerance", row)
        try:
            entries.append(accepted(cells.get("key", row), tolerance, credit))
        except CellError as error:
            cells.fault(row, "key", str(error))
            entries.append(Near(value=NO_CREDIT))
    return Numeric(accepted=tuple(entries), unit=cells.raw("unit"))


def _text(cells: Cells) -> Authored:
    entries = [
        AcceptedText(text=cells.raw("key", row), credit=cells.credit(row, FULL_CREDIT)) for row in _answers(cells)
    ]
    return ShortText(
        accepted=tuple(entries),
        case=cells.boolean("case"),
        wildcards=cells.boolean("wildcards"),
        max_length=_or(cells.whole("max_length"), limits.DEFAULT_SHORT_TEXT),
    )


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _matching(cells: Cells) -> Authored:
    stems: list[Stem] = []
    others: list[str] = []
    for row in cells.entries():
        text, image, target = cells.text(row, "choice"), cells.image(row), cells.text(row, "key")
        if text.strip() or image:
            stems.append(Stem(id=f"s{len(stems) + 1}", text=text, image=image, target=target))
        else:
            others.append(target)
    return Matching(stems=tuple(stems), distractors=tuple(others))


def _ordering(cells: Cells) -> Authored:
    rule = cells.get("rule") or OrderingRule.ALL_OR_NOTHING
    if rule not in set(OrderingRule):
        cells.fault(cells.first, "rule", f"is not one of {', '.join(OrderingRule)}")
        rule = OrderingRule.ALL_OR_NOTHING
    contents: list[tuple[str, ImageRef | None]] = [(text, None) for text in cells.wide()]
    if not contents:
        contents = [(cells.text(row, "choice"), cells.image(row)) for row in cells.entries()]
    items = (Item(id=f"i{place}", text=text, image=image) for place, (text, image) in enumerate(contents, 1))
    return Ordering(items=tuple(items), rule=OrderingRule(rule))


def _essay(cells: Cells) -> Authored:
    return Essay(
        max_characters=_or(cells.whole("max_characters"), limits.MAX_ESSAY),
        min_words=cells.whole("min_words"),
        max_words=cells.whole("max_words"),
        template=cells.raw("template"),
        notes=cells.raw("notes"),
    )


READERS: Final[Mapping[KindName, Callable[[Cells], Authored]]] = {
    KindName.SINGLE: _single,
    KindName.TRUE_FALSE: _true_false,
    KindName.MULTIPLE: _multiple,
    KindName.NUMERIC: _numeric,
    KindName.TEXT: _text,
    KindName.MATCHING: _matching,
    KindName.ORDERING: _ordering,
    KindName.ESSAY: _essay,
}
"""What reads each kind."""
