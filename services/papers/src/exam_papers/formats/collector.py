"""Collects what a reader finds in a file: questions, images, faults, warnings and losses."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from exam_core import limits
from exam_core.authored import DEFAULT_WEIGHT, AuthoredQuestion, TextFormat
from exam_core.authoring.exam import AcceptedImage, AcceptImage
from exam_core.images import ImageRef
from exam_core.numbers import NotANumberError, decimal_text, parse_decimal
from exam_core.questions.choices import MultipleChoice, SingleChoice
from exam_core.questions.matching import Matching
from exam_core.questions.model import Authored
from exam_core.questions.ordering import Ordering
from exam_papers.formats.markup import foreign_elements
from exam_papers.formats.model import FileQuestion, Finding, Imported, ImportFaults, Loss, LossCode, Place

_IDENT: Final = re.compile(limits.IDENT_PATTERN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A question as a reader found it; `ident` is the name that the file gives it, `items` the places of its lists."""

    place: Place
    text: str
    interaction: Authored
    format: TextFormat
    ident: str | None = None
    title: str = ""
    category: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    weight: Decimal = DEFAULT_WEIGHT
    image: ImageRef | None = None
    items: tuple[Place, ...] = ()


@dataclass
class Collector:
    """What was found so far; `finish` returns it, or raises all faults."""

    file: str
    """The file that is read; readers of archives set it to the file in the archive."""
    accept_image: AcceptImage
    ids_are_ours: bool = False
    """Whether a name that is no id, or given twice, is a fault; in files of other platforms it is a loss."""
    _drafts: list[Draft] = field(default_factory=list)
    _faults: list[Finding] = field(default_factory=list)
    _warnings: list[Finding] = field(default_factory=list)
    _losses: Counter[tuple[LossCode, str, str | None]] = field(default_factory=Counter)
    _images: dict[str, AcceptedImage] = field(default_factory=dict)

    def fault(self, place: Place, reason: str, question: str | None = None) -> None:
        """Record a fault."""
        self._faults.append(Finding(self.file, place, question, reason))

    def warn(self, place: Place, reason: str, question: str | None = None) -> None:
        """Record a warning."""
        self._warnings.append(Finding(self.file, place, question, reason))

    def lose(self, code: LossCode, feature: str, question: str | None = None, count: int = 1) -> None:
        """Record what has no place here."""
        if count:
            self._losses[code, feature, question] += count

    @property
    def fault_count(self) -> int:
        """How many faults there are."""
        return len(self._faults)

    def image(self, data: bytes) -> ImageRef:
        """Accept an image and keep its bytes.

        Raises:
            ValueError: the image is not accepted; the message is the reason.
        """
        accepted = self.accept_image(data)
        self._images[accepted.ref.sha256] = accepted
        return accepted.ref

    def add(self, draft: Draft) -> None:
        """Take a question and check it."""
        self._drafts.append(draft)
        name = draft.title or draft.ident or f"number {len(self._drafts)}"
        before = len(self._faults)
        for place, reason in _text_faults(draft):
            self.fault(place, reason, name)
        for fault in draft.interaction.faults():
            place = draft.place
            if fault.item is not None and fault.item < len(draft.items):
                place = draft.items[fault.item]
            self.fault(place, fault.reason, name)
        if len(self._faults) == before:
            for fault in draft.interaction.warnings():
                self.warn(draft.place, fault.reason, name)
        if draft.format is TextFormat.HTML:
            for text in (draft.text, *(text for _, text in displayed(draft.interaction))):
                for element, count in foreign_elements(text):
                    self.lose(LossCode.MARKUP, f"<{element}> is not shown", name, count)

    def finish(self) -> Imported:
        """Return everything that was found.

        Raises:
            ImportFaults: there are faults, or no questions.
        """
        idents = self._idents()
        if not self._drafts and not self._faults:
            reasons = sorted({feature for code, feature, _ in self._losses if code is LossCode.NOT_TAKEN})
            self.fault(Place(1), ": ".join(["the file contains no question", *reasons[:1]]))
        if self._faults:
            raise ImportFaults(tuple(sorted(self._faults, key=self._order)))
        questions = tuple(_question(draft, ident) for draft, ident in zip(self._drafts, idents, strict=True))
        losses = tuple(Loss(code, feature, name, count) for (code, feature, name), count in self._losses.items())
        return Imported(questions=questions, images=dict(self._images), losses=losses, warnings=tuple(self._warnings))

    @staticmethod
    def _order(fault: Finding) -> tuple[str, int, str]:
        return fault.file, fault.place.line, fault.place.column

    def _idents(self) -> list[str]:
        """The ids of all questions: those that the file gives, and q1, q2, … for the others."""
        given: dict[str, Place] = {}
        idents: list[str | None] = []
        for draft in self._drafts:
            ident = draft.ident
            if ident is not None and (reason := self._ident_fault(ident, given)):
                if self.ids_are_ours:
                    self.fault(draft.place, reason, draft.title or ident)
                else:
                    self.lose(LossCode.IDENTIFIER, reason, draft.title or ident)
                ident = None
            if ident is not None:
                given[ident] = draft.place
            idents.append(ident)
        return [ident or _derived(number, given) for number, ident in enumerate(idents, 1)]

    @staticmethod
    def _ident_fault(ident: str, given: dict[str, Place]) -> str | None:
        if len(ident) > limits.MAX_IDENT or not _IDENT.fullmatch(ident):
            return f"has an id that is not letters, digits, - and _, at most {limits.MAX_IDENT}"
        if ident in given:
            return f"has an id that is given twice: the first is on {given[ident]}"
        return None


def displayed(interaction: Authored) -> Iterator[tuple[str, str]]:
    """Yield the texts of a question's lists that are in its format, each with the name of its place."""
    if isinstance(interaction, SingleChoice | MultipleChoice):
        yield from ((f"choice {choice.id}", choice.text) for choice in interaction.choices)
    elif isinstance(interaction, Matching):
        yield from ((f"stem {stem.id}", stem.text) for stem in interaction.stems)
        yield from ((f"the target of stem {stem.id}", stem.target) for stem in interaction.stems)
        yield from ((f"target {number} without a stem", text) for number, text in enumerate(interaction.distractors, 1))
    elif isinstance(interaction, Ordering):
        yield from ((f"item {item.id}", item.text) for item in interaction.items)


def weight_of(text: str) -> Decimal:
    """Read a question's weight.

    Raises:
        ValueError: it cannot be one; the message is the reason.
    """
    try:
        weight = Decimal(decimal_text(parse_decimal(text)))
    except NotANumberError as error:
        raise ValueError(f"has a weight which {error.reason}") from error
    if not 0 <= weight <= limits.MAX_WEIGHT:
        raise ValueError(f"has a weight that is not from 0 to {limits.MAX_WEIGHT}")
    if weight != round(weight, limits.WEIGHT_PLACES):
        raise ValueError(f"has a weight of more than {limits.WEIGHT_PLACES} decimal places")
    return weight


def letters(count: int) -> Sequence[str]:
    """Return the ids of choices that a file does not name: a to z, then c27, …."""
    return [chr(ord("a") + number) if number < limits.MAX_CHOICES else f"c{number + 1}" for number in range(count)]


def _question(draft: Draft, ident: str) -> FileQuestion:
    question = AuthoredQuestion(
        id=ident,
        text=draft.text,
        interaction=draft.interaction,
        weight=draft.weight,
        image=draft.image,
        format=draft.format,
    )
    return FileQuestion(question=question, title=draft.title, category=draft.category, tags=draft.tags)


def _derived(number: int, given: dict[str, Place]) -> str:
    ident = f"q{number}"
    while ident in given:
        ident += "_"
    given[ident] = Place(0)
    return ident


def _text_faults(draft: Draft) -> Iterator[tuple[Place, str]]:
    if not draft.text.strip() and draft.image is None:
        yield draft.place, "has no text: write what is asked before its answers"
    texts = [("text", draft.text, limits.MAX_TEXT), ("title", draft.title, limits.MAX_TITLE)]
    texts += [(name, text, limits.MAX_CHOICE_TEXT) for name, text in displayed(draft.interaction)]
    for name, text, most in texts:
        if len(text) > most:
            yield draft.place, f"has {_article(name)} of more than {most} characters"
        if control := next((c for c in text if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t"), None):
            yield draft.place, f"has the character U+{ord(control):04X} in {name}, which cannot be displayed"


def _article(name: str) -> str:
    return f"a {name}" if name in {"text", "title"} else name
