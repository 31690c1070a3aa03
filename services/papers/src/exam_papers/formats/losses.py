"""Collects what a format does not state of the questions that are written to it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from exam_core.credits import FULL_CREDIT, NO_CREDIT, CreditError, percent_text
from exam_core.questions.choices import Choice, ChoiceRule, MultipleChoice, SingleChoice
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored
from exam_core.questions.ordering import Ordering
from exam_papers.formats.collector import letters
from exam_papers.formats.model import FileQuestion, Loss, LossCode


class NotWritableError(ValueError):
    """A question that a format cannot state; the message is the reason."""


@dataclass
class Losses:
    """The losses so far, in the order in which they were first found."""

    _found: Counter[tuple[LossCode, str, str | None]] = field(default_factory=Counter)

    def add(self, code: LossCode, feature: str, question: str | None = None, count: int = 1) -> None:
        """Record a loss."""
        if count:
            self._found[code, feature, question] += count

    def merge(self, other: "Losses") -> None:
        """Add the losses of a question that is written."""
        for loss in other.listed():
            self.add(loss.code, loss.feature, loss.question, loss.count)

    def not_written(self, question: FileQuestion, reason: NotWritableError) -> None:
        """Record that a question is left out."""
        self.add(LossCode.NOT_WRITTEN, f"the question is not written: it {reason}", question.question.id)

    def listed(self) -> tuple[Loss, ...]:
        """Return all losses."""
        return tuple(Loss(code, feature, question, count) for (code, feature, question), count in self._found.items())

    def text(self, text: str, question: str) -> str:
        """Return a text without the white space at its ends and without CR."""
        kept = text.replace("\r\n", "\n").replace("\r", "\n").strip()
        self.add(LossCode.WHITE_SPACE, "white space at the ends of texts is dropped", question, int(kept != text))
        return kept

    def names(self, question: FileQuestion) -> None:
        """Record that the names of choices, stems and items are replaced, if they are not those that readers give."""
        if names_of(question.question.interaction) != derived_names(question.question.interaction):
            self.add(LossCode.IDENTIFIER, "the names of choices, stems or items are replaced", question.question.id)

    def images_of_items(self, question: FileQuestion) -> None:
        """Record the images of choices, stems and items.

        Raises:
            NotWritableError: one of them has no text beside its image.
        """
        items = items_of(question.question.interaction)
        if any(not item.text.strip() for item in items):
            raise NotWritableError("has a choice, stem or item that is an image alone")
        images = sum(item.image is not None for item in items)
        self.add(LossCode.IMAGES, "images are dropped", question.question.id, images)


def items_of(interaction: Authored) -> Sequence[Choice | Stem | Item]:
    """Return the choices, stems or items of a question."""
    if isinstance(interaction, SingleChoice | MultipleChoice):
        return interaction.choices
    if isinstance(interaction, Matching):
        return interaction.stems
    return interaction.items if isinstance(interaction, Ordering) else ()


def names_of(interaction: Authored) -> list[str]:
    """Return the names of the choices, stems or items of a question."""
    return [item.id for item in items_of(interaction)]


def derived_names(interaction: Authored) -> list[str]:
    """Return the names that readers give to the choices, stems or items of a question."""
    count = len(items_of(interaction))
    if isinstance(interaction, SingleChoice | MultipleChoice):
        return list(letters(count))
    prefix = "s" if isinstance(interaction, Matching) else "i"
    return [f"{prefix}{number}" for number in range(1, count + 1)]


def percent(credit: Fraction) -> str:
    """Return a credit as a percentage.

    Raises:
        NotWritableError: files cannot state it.
    """
    try:
        return percent_text(credit)
    except CreditError as error:
        raise NotWritableError(f"has a credit of {error}") from error


def moodle_credits(question: MultipleChoice, ident: str, losses: Losses) -> list[Fraction]:
    """Return the credits by which Moodle scores a multiple-choice question, whose rule is their sum from 0 to 1.

    All-or-nothing, and the rule of a policy, become equal parts for correct choices and -1 for each wrong one.
    """
    if question.max_choices is not None:
        losses.add(LossCode.LIMITS, "the limit of selected choices is dropped", ident)
    if question.rule is not ChoiceRule.SUM_OF_CREDITS:
        right = sum(choice.credit > 0 for choice in question.choices)
        rule = question.rule or "the policy's rule"
        losses.add(LossCode.CREDIT, f"{rule} becomes 1/{right} for a correct and -1 for a wrong choice", ident)
        return [Fraction(1, right) if choice.credit > 0 else -FULL_CREDIT for choice in question.choices]
    if (question.floor, question.cap) != (NO_CREDIT, FULL_CREDIT):
        losses.add(LossCode.CREDIT, "the floor becomes 0 and the cap 1", ident)
    return [choice.credit for choice in question.choices]
