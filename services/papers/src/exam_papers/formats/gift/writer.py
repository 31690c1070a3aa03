"""Writes GIFT."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final

from exam_core.authored import DEFAULT_WEIGHT, TextFormat
from exam_core.authoring.exam import AcceptedImage
from exam_core.credits import FULL_CREDIT, NO_CREDIT
from exam_core.questions.choices import Choice, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.matching import Matching
from exam_core.questions.numeric import Between, Near, Numeric, Tolerance
from exam_core.questions.ordering import Ordering
from exam_core.questions.text import ShortText
from exam_papers.formats.gift.records import CATEGORY, MARKERS, escape
from exam_papers.formats.losses import Losses, NotWritableError, moodle_credits, percent
from exam_papers.formats.markup import image_references, plain
from exam_papers.formats.model import Exported, FileQuestion, LossCode
from exam_papers.formats.moodle import (
    RULE_NAMES,
    absolute,
    category_names,
    category_path,
    default_length,
    number_text,
    pattern_text,
)

SUFFIX: Final = ".gift"
_ARROW: Final = "->"


def write(questions: Sequence[FileQuestion], images: Mapping[str, AcceptedImage]) -> Exported:
    """Write questions as a GIFT file; images are dropped."""
    del images
    losses = Losses()
    records: list[str] = []
    category: tuple[str, ...] = ()
    for question in questions:
        own = Losses()
        try:
            record = _Writer(question, own).record()
        except NotWritableError as error:
            losses.not_written(question, error)
            continue
        names = _category(question, own)
        losses.merge(own)
        if names != category:
            records.append(f"{CATEGORY} {category_path(names) or 'top'}")
            category = names
        records.append(record)
    return Exported(data=("\n\n".join(records) + "\n").encode(), losses=losses.listed(), suffix=SUFFIX)


def _category(question: FileQuestion, losses: Losses) -> tuple[str, ...]:
    """The category as it can be read again: without line ends, and slashes at the ends of names."""
    names = question.category
    if category_names(category_path(names)) != names or any("\n" in name for name in names):
        losses.add(LossCode.LABELS, "the names of the category are changed", question.question.id)
        names = category_names(category_path([" ".join(name.split()).strip("/$ ") for name in names]))
    return names


class _Writer:
    """Writes one question."""

    def __init__(self, question: FileQuestion, losses: Losses) -> None:
        self.file_question = question
        self.question = question.question
        self.losses = losses

    def record(self) -> str:
        """Return the question's record.

        Raises:
            NotWritableError: GIFT cannot state it.
        """
        question = self.question
        block = self.block()
        text = self.losses.text(question.text, question.id)
        if not text:
            raise NotWritableError("has no text beside its image")
        self.losses.names(self.file_question)
        self.losses.images_of_items(self.file_question)
        self.lose(LossCode.IMAGES, "images are dropped", int(question.image is not None))
        self.lose(LossCode.IMAGES, "images in texts are not carried", len(image_references(text, question.format)))
        self.lose(LossCode.WEIGHT, "the weight becomes 1", int(question.weight != DEFAULT_WEIGHT))
        title = self.title()
        comment = " ".join([f"[id:{question.id}]", *self.tags()])
        head = f"::{escape(title)}::" if title else ""
        return f"// {comment}\n{head}{MARKERS[question.format]}{escape(text)} {{{block}}}"

    def title(self) -> str:
        """Return the title, on one line."""
        title = " ".join(self.file_question.title.split())
        self.lose(LossCode.LABELS, "white space of the title is changed", int(title != self.file_question.title))
        return title

    def tags(self) -> Iterator[str]:
        """Yield the tags, in the comment's notation."""
        for tag in self.file_question.tags:
            kept = " ".join(tag.split()).rstrip("\\")
            self.lose(LossCode.LABELS, "a tag is changed", int(kept != tag))
            if kept:
                yield "[tag:" + kept.replace("]", "\\]") + "]"

    def lose(self, code: LossCode, feature: str, count: int = 1) -> None:
        """Record a loss of this question."""
        self.losses.add(code, feature, self.question.id, count)

    def block(self) -> str:  # noqa: PLR0911 - one line for each kind
        """Return what the braces enclose."""
        interaction = self.question.interaction
        if isinstance(interaction, TrueFalse):
            self.lose(
                LossCode.CREDIT, "the credit of the wrong answer becomes 0", int(interaction.other_credit != NO_CREDIT)
            )
            return "TRUE" if interaction.answer else "FALSE"
        if isinstance(interaction, SingleChoice):
            return self.single(interaction)
        if isinstance(interaction, MultipleChoice):
            credits_ = moodle_credits(interaction, self.question.id, self.losses)
            return self.choices(interaction.choices, credits_, "~")
        if isinstance(interaction, Numeric):
            return self.numeric(interaction)
        if isinstance(interaction, ShortText):
            return self.short_text(interaction)
        if isinstance(interaction, Matching):
            return self.matching(interaction)
        if isinstance(interaction, Ordering):
            items = "\n".join(self.formatted(item.text) for item in interaction.items)
            return f">{len(interaction.items)} ALL VERTICAL {RULE_NAMES[interaction.rule]}\n{items}\n"
        if isinstance(interaction, Essay):
            return self.essay(interaction)
        raise NotWritableError("is of a kind that GIFT does not have")

    def single(self, question: SingleChoice) -> str:
        """Return the choices of which one is selected."""
        if all(choice.credit != FULL_CREDIT for choice in question.choices):
            raise NotWritableError("has no choice that earns the whole weight")
        return self.choices(question.choices, [choice.credit for choice in question.choices], "=")

    def choices(self, choices: Sequence[Choice], credits_: Sequence[Fraction], full: str) -> str:
        """Return choices; `full` is the sign of the first one with full credit, the others are weighted."""
        lines: list[str] = []
        for choice, credit in zip(choices, credits_, strict=True):
            text = self.formatted(choice.text)
            if full == "=" and credit == FULL_CREDIT:
                # Without any ~ the choices would be accepted texts.
                lines.append(f"={text}")
                full = "~"
            elif credit == NO_CREDIT and not text.startswith("%"):
                lines.append(f"~{text}")
            else:
                lines.append(f"~%{percent(credit)}%{text}")
        return "\n" + "\n".join(lines) + "\n"

    def formatted(self, text: str) -> str:
        """Return a text in the question's format, with a marker where it could be misread without one."""
        escaped = escape(self.losses.text(text, self.question.id))
        ambiguous = escaped.startswith(("[", "//", ">")) or escaped == "0"
        return MARKERS[self.question.format] + escaped if ambiguous else escaped

    def short_text(self, question: ShortText) -> str:
        """Return the accepted texts."""
        self.lose(LossCode.CASE, "small and capital letters no longer differ", int(question.case))
        lines: list[str] = []
        for entry in question.accepted:
            text = escape(self.losses.text(pattern_text(question, entry), self.question.id))
            if _ARROW in text:
                raise NotWritableError("has an accepted text with ->, which GIFT reads as a pair")
            if text.startswith("["):
                text = MARKERS[TextFormat.PLAIN] + text
            weighted = entry.credit != FULL_CREDIT or text.startswith("%")
            lines.append(f"=%{percent(entry.credit)}%{text}" if weighted else f"={text}")
        if question.max_length != default_length(question):
            self.lose(LossCode.LIMITS, "the longest length of an answer is dropped")
        return "\n" + "\n".join(lines) + "\n"

    def matching(self, question: Matching) -> str:
        """Return stems with their targets, which are plain text."""
        lines = [f"={self.stem(stem.text)} -> {self.target(stem.target)}" for stem in question.stems]
        lines += [f"= -> {self.target(text)}" for text in question.distractors]
        return "\n" + "\n".join(lines) + "\n"

    def stem(self, text: str) -> str:
        """Return a stem; an arrow in it would end it."""
        formatted = self.formatted(text)
        if _ARROW in formatted:
            raise NotWritableError("has a stem with ->, which ends a stem in GIFT")
        return formatted

    def target(self, text: str) -> str:
        """Return a target without markup."""
        bare, same = plain(self.losses.text(text, self.question.id), self.question.format)
        self.lose(LossCode.TEXT_FORMAT, "the markup of a target is dropped", int(not same))
        if not bare.strip():
            raise NotWritableError("has a target without words")
        return escape(bare)

    def numeric(self, question: Numeric) -> str:
        """Return the accepted values."""
        self.lose(LossCode.UNITS, "the unit is dropped", int(bool(question.unit)))
        lines: list[str] = []
        for entry in question.accepted:
            weight = "" if entry.credit == FULL_CREDIT else f"%{percent(entry.credit)}%"
            lines.append(f"={weight}{self.value(entry)}")
        return "#\n" + "\n".join(lines) + "\n"

    def value(self, entry: Near | Between) -> str:
        """Return an accepted value."""
        if isinstance(entry, Near) and entry.by is not Tolerance.ABSOLUTE:
            self.lose(LossCode.NUMBER, f"a {entry.by} tolerance is written as an absolute one")
        same = absolute(entry)
        if isinstance(same, Near):
            value = self.number(same.value)
            return f"{value}:{self.number(same.tolerance)}" if same.tolerance else value
        if same.low is None and same.high is None:
            return "*"
        if same.low is None or same.high is None:
            raise NotWritableError("has a range that is bounded on one side")
        if same.low_open or same.high_open:
            self.lose(LossCode.NUMBER, "an open end of a range becomes closed")
        return f"{self.number(same.low)}..{self.number(same.high)}"

    def number(self, number: Fraction) -> str:
        """Return a number, rounded if it has no end as a decimal."""
        text, exact = number_text(number)
        self.lose(LossCode.NUMBER, "a number is rounded", int(not exact))
        return text

    def essay(self, question: Essay) -> str:
        """Return nothing: an essay has no answers."""
        default = Essay(notes=question.notes)
        self.lose(LossCode.LIMITS, "limits and template of the essay are dropped", int(question != default))
        self.lose(LossCode.NOTES, "the notes for the marker are dropped", int(bool(question.notes)))
        return ""
