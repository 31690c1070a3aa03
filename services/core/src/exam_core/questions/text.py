"""Questions that are answered with a short text: a list of accepted texts, each with its credit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Self

from exam_core import limits
from exam_core.answer_value import AnswerValue
from exam_core.canonical import Json, JsonObject
from exam_core.credits import FULL_CREDIT, NO_CREDIT, credit_fault, fraction_of, fraction_text
from exam_core.questions.items import Unlisted, UnlistedHalf, count_fault
from exam_core.questions.model import Fault, KindName, Numbering, Render, best_warning
from exam_core.questions.patterns import Pattern, folded, normalised
from exam_core.questions.wire import answer_member, check_length, invalid, one_line, text_in


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedText:
    """An accepted text; in a question with wildcards it is a pattern."""

    text: str
    credit: Fraction = FULL_CREDIT


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortText(Unlisted):
    """A text of one line is typed; the first entry of `accepted` that matches it gives its credit."""

    accepted: tuple[AcceptedText, ...]
    case: bool = False
    """Whether small and capital letters differ."""
    wildcards: bool = False
    r"""Whether `*` in an accepted text is any run of characters, and ``\*`` a star."""
    max_length: int = limits.DEFAULT_SHORT_TEXT
    """The longest answer in characters; students see it, so that it must not follow from the accepted texts."""

    def faults(self) -> Iterator[Fault]:
        """Yield every reason why the question cannot be frozen."""
        if not self.accepted:
            yield Fault("has no key: a text question needs an accepted text", "accepted")
        else:
            yield from count_fault(len(self.accepted), 1, limits.MAX_ACCEPTED, "accepted text", "accepted")
        if not 1 <= self.max_length <= limits.MAX_SHORT_TEXT:
            yield Fault(f"has a longest length that is not from 1 to {limits.MAX_SHORT_TEXT}", "max_length")
        for index, entry in enumerate(self.accepted):
            for reason in self._reasons(entry):
                yield Fault(f"has accepted text {index + 1} {reason}", "accepted", index)
        if self.accepted and all(entry.credit <= 0 for entry in self.accepted):
            yield Fault("has no key: give an accepted text a positive credit", "accepted")

    def _reasons(self, entry: AcceptedText) -> Iterator[str]:
        text = normalised(entry.text)
        if not text:
            yield "which is empty"
        if not one_line(text):
            yield "with a line end or another character that an answer cannot have"
        if len(text) > limits.MAX_SHORT_TEXT or sum(map(len, self._pattern(entry).parts)) > self.max_length:
            yield "which is longer than the longest answer"
        if reason := credit_fault(entry.credit):
            yield f"with a credit that {reason}"

    def _pattern(self, entry: AcceptedText) -> Pattern:
        return Pattern.of(normalised(entry.text), case=self.case, wildcards=self.wildcards)

    def warnings(self) -> Iterator[Fault]:
        """Yield entries that an earlier one hides, or from which it takes texts that would have earned more."""
        yield from best_warning(max(entry.credit for entry in self.accepted), "accepted")
        patterns = [self._pattern(entry) for entry in self.accepted]
        for index, (entry, pattern) in enumerate(zip(self.accepted, patterns, strict=True)):
            earlier = list(enumerate(zip(self.accepted, patterns, strict=True)))[:index]
            if any(other.hides(pattern) for _, (_, other) in earlier):
                yield Fault(
                    f"has accepted text {index + 1}, which can never match: an earlier one does", "accepted", index
                )
                continue
            for number, (first, other) in earlier:
                if first.credit < entry.credit and other.overlaps(pattern):
                    yield Fault(
                        f"has accepted text {index + 1}, which gives more credit than text {number + 1} where both "
                        "match: the first one counts",
                        "accepted",
                        index,
                    )

    @property
    def kind(self) -> KindName:
        """The question's kind."""
        return KindName.TEXT

    def student_half(self, numbering: Numbering, render: Render) -> "ShortTextHalf":
        """Return the longest length of an answer."""
        del numbering, render
        return ShortTextHalf(max_length=self.max_length)

    def key_half(self, numbering: Numbering) -> "ShortTextKey":
        """Return the accepted texts."""
        del numbering
        entries = tuple(AcceptedText(text=normalised(entry.text), credit=entry.credit) for entry in self.accepted)
        return ShortTextKey(accepted=entries, case=self.case, wildcards=self.wildcards)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortTextHalf(UnlistedHalf):
    """The longest answer that is accepted, in characters."""

    max_length: int

    @property
    def kind(self) -> KindName:
        """The question's kind."""
        return KindName.TEXT

    def to_json(self) -> dict[str, Json]:
        """Return the members of the question in a paper."""
        return {"kind": self.kind.value, "max_length": self.max_length}

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(max_length=body["max_length"])

    def parse(self, question: int, body: Mapping[str, Any]) -> AnswerValue:
        """Parse ``{"value": "Paris"}``, trimmed and composed; null and a text of white space are blank."""
        text = normalised(text_in(question, answer_member(question, self.kind, "value", body)))
        if not one_line(text):
            raise invalid(question, "the text has a line end or a tab: send one line")
        check_length(question, text, self.max_length)
        return AnswerValue(value=text)

    def shown(self, answer: AnswerValue) -> dict[str, Json]:
        """Return the members that a client sends for this answer."""
        return answer.to_json()


@dataclass(frozen=True, kw_only=True)
class ShortTextKey:
    """The accepted texts in order, each with its credit."""

    accepted: tuple[AcceptedText, ...]
    case: bool
    wildcards: bool

    def to_json(self) -> dict[str, Json]:
        """Return the question's entry in a key."""
        return {
            "kind": KindName.TEXT.value,
            "accepted": [{"text": entry.text, "credit": fraction_text(entry.credit)} for entry in self.accepted],
            "case": self.case,
            "wildcards": self.wildcards,
        }

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        entries = body["accepted"]
        return cls(
            accepted=tuple(AcceptedText(text=each["text"], credit=fraction_of(each["credit"])) for each in entries),
            case=body["case"],
            wildcards=body["wildcards"],
        )

    def share(self, answer: AnswerValue) -> Fraction | None:
        """Return the credit of the first accepted text that matches."""
        if not answer.value:
            return NO_CREDIT
        text = answer.value if self.case else folded(answer.value)
        return next((credit for pattern, credit in self._patterns if pattern.matches(text)), NO_CREDIT)

    @cached_property
    def _patterns(self) -> list[tuple[Pattern, Fraction]]:
        return [
            (Pattern.of(entry.text, case=self.case, wildcards=self.wildcards), entry.credit) for entry in self.accepted
        ]
