"""Rows of questions and their parts as the core's authored questions, and the inverse.

Reading never fails: what cannot be read is a fault of the question, listed with the core's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from exam_core import limits
from exam_core.authored import AuthoredQuestion, TextFormat
from exam_core.credits import FULL_CREDIT, NO_CREDIT, CreditError, fraction_text, parse_credit
from exam_core.images import ImageRef
from exam_core.questions.choices import Choice as CoreChoice
from exam_core.questions.choices import MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored, Fault, KindName
from exam_core.questions.notation import AcceptedNumberError, accepted_text, parse_accepted
from exam_core.questions.numeric import Between, Near, Numeric, Tolerance
from exam_core.questions.ordering import Ordering
from exam_core.questions.text import AcceptedText, ShortText
from exam_core.validation import count_fault, question_faults
from exam_web.exams.kinds import MAX_PARTS, read_settings, settings_of
from exam_web.exams.models import Choice, Exam, Image, Question, Section

LISTS: Final = frozenset({"choices", "stems", "distractors", "items", "accepted"})
"""Members on whose items the other rules of a question depend."""
CREDITED: Final = frozenset({KindName.SINGLE, KindName.MULTIPLE, KindName.NUMERIC, KindName.TEXT})
"""The kinds whose parts have credits."""
ACCEPTED: Final = frozenset({KindName.NUMERIC, KindName.TEXT})
"""The kinds whose parts are accepted answers, which students do not see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """A fault or a warning: `member` of the authored form is concerned, or the part with the index `part`."""

    reason: str
    member: str
    part: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadQuestion:
    """A question as the core knows it, as far as its rows can be read."""

    question: AuthoredQuestion
    faults: tuple[RowFault, ...]
    warnings: tuple[RowFault, ...] = ()
    """What the author may not have meant; none if there are faults."""


def read_question(row: Question, parts: Iterable[Choice]) -> ReadQuestion:
    """Read a question and its parts, in their order."""
    reader = _Reader(row, tuple(parts))
    question = AuthoredQuestion(
        id=row.ident,
        text=row.text,
        interaction=reader.interaction(),
        weight=row.weight,
        image=_ref(row.image),
        format=TextFormat(row.format),
        shuffle=row.shuffle,
    )
    # A member that could not be read has a fault already, and most rules depend on the question's lists.
    core = (fault for fault in question_faults(question) if not reader.unreadable & {fault.member, *LISTS})
    faults = (*reader.faults, *map(reader.located, core))
    warnings = () if faults else tuple(map(reader.located, question.interaction.warnings()))
    return ReadQuestion(question=question, faults=faults, warnings=warnings)


def listed(questions: Sequence[ReadQuestion]) -> list[str]:
    """List every reason why an exam of these questions cannot be frozen."""
    faults = [f"question {each.question.id} {fault.reason}" for each in questions for fault in each.faults]
    count = count_fault(len(questions))
    return faults if count is None else [*faults, count]


def listed_warnings(questions: Sequence[ReadQuestion]) -> list[str]:
    """List what the author of these questions may not have meant."""
    return [f"question {each.question.id} {warning.reason}" for each in questions for warning in each.warnings]


@dataclass
class _Reader:
    """Reads the rows of one question; `places` has the part of each item of its lists."""

    row: Question
    parts: tuple[Choice, ...]
    faults: list[RowFault] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)
    places: dict[str, list[int | None]] = field(default_factory=dict)

    def interaction(self) -> Authored:
        kind = KindName(self.row.kind)
        self._check_foreign(kind)
        values, faults = read_settings(kind, self.row.settings)
        self.faults += [RowFault(reason=fault.reason, member=fault.member) for fault in faults]
        self.unreadable |= {fault.member for fault in faults}
        readers: Mapping[KindName, Callable[..., Authored]] = {
            KindName.SINGLE: self._single,
            KindName.TRUE_FALSE: self._true_false,
            KindName.MULTIPLE: self._multiple,
            KindName.NUMERIC: self._numeric,
            KindName.TEXT: self._text,
            KindName.MATCHING: self._matching,
            KindName.ORDERING: self._ordering,
            KindName.ESSAY: Essay,
        }
        return readers[kind](**values)

    def located(self, fault: Fault) -> RowFault:
        """Return a fault of the core with the part that it concerns."""
        places = self.places.get(fault.member, ())
        part = places[fault.item] if fault.item is not None and fault.item < len(places) else None
        return RowFault(reason=fault.reason, member=fault.member, part=part)

    def _fault(self, reason: str, member: str, part: int | None = None) -> None:
        self.faults.append(RowFault(reason=reason, member=member, part=part))

    def _unreadable(self, reason: str, member: str, part: int) -> None:
        self._fault(reason, member, part)
        self.unreadable.add(member)

    def _check_foreign(self, kind: KindName) -> None:
        """Find what other kinds have, which the author may have entered for another kind."""
        columns = {"max_choices": KindName.MULTIPLE, "value": KindName.NUMERIC}
        for name, owner in columns.items():
            if kind is not owner and getattr(self.row, name) is not None:
                self._fault(f"is of the kind {kind}, which has no {name}", name)
        if self.parts and not MAX_PARTS[kind]:
            self._fault(f"is of the kind {kind}, which has no choices", "choices")
            return
        for index, part in enumerate(self.parts):
            if part.target and kind is not KindName.MATCHING:
                self._fault(f"has {part.ident} with a target, which only matching has", "choices", index)
            if part.credit is not None and kind not in CREDITED:
                self._fault(f"has {part.ident} with a credit, which the kind {kind} has not", "choices", index)
            if part.image is not None and kind in ACCEPTED:
                self._fault(f"has {part.ident} with an image, which no student would see", "choices", index)

    def _places(self, member: str) -> list[int | None]:
        return self.places.setdefault(member, [])

    def _credit(self, part: Choice, index: int, member: str, default: Fraction) -> Fraction:
        if part.credit is None:
            return default
        try:
            return parse_credit(part.credit)
        except CreditError as error:
            self._unreadable(f"has {part.ident} with a credit that {error}", member, index)
            return default

    def _choices(self) -> tuple[CoreChoice, ...]:
        choices = []
        for index, part in enumerate(self.parts):
            self._places("choices").append(index)
            default = FULL_CREDIT if part.correct else NO_CREDIT
            credit = self._credit(part, index, "choices", default)
            choices.append(CoreChoice(id=part.ident, text=part.text, image=_ref(part.image), credit=credit))
        return tuple(choices)

    def _single(self) -> SingleChoice:
        return SingleChoice(choices=self._choices())

    def _true_false(self, **values: Any) -> TrueFalse:  # noqa: ANN401 - members as they were read
        if "answer" not in values and not self.unreadable & {"answer", "settings"}:
            self._fault("has no key: choose whether it is true or false", "answer")
        return TrueFalse(**({"answer": False} | values))

    def _multiple(self, **values: Any) -> MultipleChoice:  # noqa: ANN401
        return MultipleChoice(choices=self._choices(), max_choices=self.row.max_choices, **values)

    def _numeric(self, **values: Any) -> Numeric:  # noqa: ANN401
        accepted: list[Near | Between] = []
        places = self._places("accepted")
        if self.row.value is not None:
            accepted.append(Near(value=Fraction(self.row.value), tolerance=Fraction(self.row.tolerance)))
            places.append(None)
        for index, part in enumerate(self.parts):
            credit = self._credit(part, index, "accepted", FULL_CREDIT)
            try:
                accepted.append(parse_accepted(part.text, credit))
                places.append(index)
            except AcceptedNumberError as error:
                self._unreadable(f"has accepted value {index + 1} that {error}", "accepted", index)
        return Numeric(accepted=tuple(accepted), **values)

    def _text(self, **values: Any) -> ShortText:  # noqa: ANN401
        accepted = []
        for index, part in enumerate(self.parts):
            self._places("accepted").append(index)
            accepted.append(AcceptedText(text=part.text, credit=self._credit(part, index, "accepted", FULL_CREDIT)))
        return ShortText(accepted=tuple(accepted), **values)

    def _matching(self) -> Matching:
        stems, distractors = [], []
        for index, part in enumerate(self.parts):
            if part.text.strip() or part.image is not None:
                self._places("stems").append(index)
                stems.append(Stem(id=part.ident, text=part.text, image=_ref(part.image), target=part.target))
            else:
                self._places("distractors").append(index)
                distractors.append(part.target)
        return Matching(stems=tuple(stems), distractors=tuple(distractors))

    def _ordering(self, **values: Any) -> Ordering:  # noqa: ANN401
        items = []
        for index, part in enumerate(self.parts):
            self._places("items").append(index)
            items.append(Item(id=part.ident, text=part.text, image=_ref(part.image)))
        return Ordering(items=tuple(items), **values)


def question_row(question: AuthoredQuestion, *, exam: Exam, position: int, section: Section | None = None) -> Question:
    """Return the row of a question, not saved, with its image's digest."""
    interaction = question.interaction
    value, tolerance = _first_number(interaction) or (None, Decimal(0))
    return Question(
        exam=exam,
        section=section,
        ident=question.id,
        position=position,
        kind=interaction.kind.value,
        text=question.text,
        format=question.format.value,
        weight=question.weight,
        shuffle=question.shuffle,
        image_id=question.image.sha256 if question.image else None,
        max_choices=interaction.max_choices if isinstance(interaction, MultipleChoice) else None,
        value=value,
        tolerance=tolerance,
        settings=settings_of(interaction),
    )


def part_rows(interaction: Authored, row: Question) -> list[Choice]:
    """Return the parts of a question, not saved, with their images' digests."""
    return [Choice(question=row, position=position, **columns) for position, columns in enumerate(_parts(interaction))]


def _parts(interaction: Authored) -> Iterable[dict[str, Any]]:
    match interaction:
        case SingleChoice() | MultipleChoice():
            return [_shown(choice) | _credit_columns(choice.credit, NO_CREDIT) for choice in interaction.choices]
        case Numeric():
            listed_numbers = interaction.accepted[0 if _first_number(interaction) is None else 1 :]
            return [_accepted(n, accepted_text(entry), entry.credit) for n, entry in enumerate(listed_numbers)]
        case ShortText():
            return [_accepted(n, entry.text, entry.credit) for n, entry in enumerate(interaction.accepted)]
        case Matching():
            return _matching_parts(interaction)
        case Ordering():
            return map(_shown, interaction.items)
        case _:
            return ()


def _matching_parts(matching: Matching) -> Iterator[dict[str, Any]]:
    for stem in matching.stems:
        yield _shown(stem) | {"target": stem.target}
    taken = {stem.id for stem in matching.stems}
    for number, target in enumerate(matching.distractors):
        yield {"ident": _free(f"target-{number + 1}", taken), "target": target}


def _shown(item: CoreChoice | Stem | Item) -> dict[str, Any]:
    return {"ident": item.id, "text": item.text, "image_id": item.image.sha256 if item.image else None}


def _accepted(number: int, text: str, credit: Fraction) -> dict[str, Any]:
    return {"ident": f"answer-{number + 1}", "text": text} | _credit_columns(credit, FULL_CREDIT)


def _credit_columns(credit: Fraction, default: Fraction) -> dict[str, Any]:
    """Return the columns of a credit, which is null where `correct`, or the default of accepted answers, says it."""
    plain = credit == default or (default == NO_CREDIT and credit == FULL_CREDIT)
    return {"correct": credit > 0, "credit": None if plain else fraction_text(credit)}


def _free(ident: str, taken: set[str]) -> str:
    while ident in taken:
        ident += "-"
    return ident


def _first_number(interaction: Authored) -> tuple[Decimal, Decimal] | None:
    """Return value and tolerance of a question's first accepted number, if the columns can hold it."""
    first = interaction.accepted[0] if isinstance(interaction, Numeric) and interaction.accepted else None
    if not isinstance(first, Near) or first.by is not Tolerance.ABSOLUTE or first.credit != FULL_CREDIT:
        return None
    value, tolerance = _column(first.value), _column(first.tolerance)
    return None if value is None or tolerance is None else (value, tolerance)


def _column(number: Fraction) -> Decimal | None:
    scaled = number * 10**limits.KEY_PLACES
    if scaled.denominator != 1 or abs(number) >= 10**limits.KEY_DIGITS:
        return None
    return Decimal(f"{scaled.numerator}e-{limits.KEY_PLACES}")


def _ref(image: Image | None) -> ImageRef | None:
    if image is None:
        return None
    return ImageRef(sha256=image.sha256, type=image.content_type, width=image.width, height=image.height)
