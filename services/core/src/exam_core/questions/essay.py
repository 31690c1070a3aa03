"""Essays: kept as they were written, and marked by hand."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from exam_core import limits
from exam_core.answer_value import AnswerValue
from exam_core.canonical import Json, JsonObject
from exam_core.questions.items import Unlisted, UnlistedHalf
from exam_core.questions.model import Fault, KindName, Numbering, Render
from exam_core.questions.wire import answer_member, check_length, text_in, unstorable


@dataclass(frozen=True, slots=True, kw_only=True)
class Essay(Unlisted):
    """A text of several lines is written. `notes` are for the marker; students never see them.

    The limit of characters bounds what is stored. Those of words are shown to the student and to the marker: a text is
    not rejected for them, because a student would lose what was written since the last accepted one.
    """

    max_characters: int = limits.MAX_ESSAY
    min_words: int | None = None
    max_words: int | None = None
    template: str = ""
    """The text that an answer begins with."""
    notes: str = ""

    def faults(self) -> Iterator[Fault]:
        """Yield every reason why the question cannot be frozen."""
        if not 1 <= self.max_characters <= limits.MAX_ESSAY:
            yield Fault(f"has a limit of characters that is not from 1 to {limits.MAX_ESSAY}", "max_characters")
        for member, words in (("min_words", self.min_words), ("max_words", self.max_words)):
            if words is not None and words < 1:
                yield Fault(f"has {member} below 1", member)
        if self.min_words is not None and self.max_words is not None and self.min_words > self.max_words:
            yield Fault("has min_words above max_words", "min_words")
        if len(self.template) > min(self.max_characters, limits.MAX_TEXT):
            yield Fault("has a template that is longer than an answer or a text may be", "template")
        if len(self.notes) > limits.MAX_TEXT:
            yield Fault(f"has notes of more than {limits.MAX_TEXT} characters", "notes")
        for member, text in (("template", self.template), ("notes", self.notes)):
            if unstorable(text.replace("\n", "").replace("\t", "")) is not None:
                yield Fault(f"has a control character in the {member}", member)

    def warnings(self) -> Iterator[Fault]:
        """Yield nothing."""
        yield from ()

    @property
    def kind(self) -> KindName:
        """The question's kind."""
        return KindName.ESSAY

    def student_half(self, numbering: Numbering, render: Render) -> "EssayHalf":
        """Return the limits and the template."""
        del numbering, render
        return EssayHalf(
            max_characters=self.max_characters,
            min_words=self.min_words,
            max_words=self.max_words,
            template=self.template,
        )

    def key_half(self, numbering: Numbering) -> "EssayKey":
        """Return the notes for the marker."""
        del numbering
        return EssayKey(notes=self.notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class EssayHalf(UnlistedHalf):
    """The limits and the text that an answer begins with."""

    max_characters: int
    min_words: int | None = None
    max_words: int | None = None
    template: str = ""

    @property
    def kind(self) -> KindName:
        """The question's kind."""
        return KindName.ESSAY

    def to_json(self) -> dict[str, Json]:
        """Return the members of the question in a paper."""
        body: dict[str, Json] = {"kind": self.kind.value, "max_characters": self.max_characters}
        optional = {"min_words": self.min_words, "max_words": self.max_words, "template": self.template or None}
        return body | {name: value for name, value in optional.items() if value is not None}

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(
            max_characters=body["max_characters"],
            min_words=body.get("min_words"),
            max_words=body.get("max_words"),
            template=body.get("template", ""),
        )

    def parse(self, question: int, body: Mapping[str, Any]) -> AnswerValue:
        """Parse ``{"value": "…"}``, composed, with LF line ends; null and a text of white space are blank."""
        text = text_in(question, answer_member(question, self.kind, "value", body))
        if not text.strip():
            return AnswerValue(value="")
        composed = unicodedata.normalize("NFC", text)
        check_length(question, composed, self.max_characters)
        return AnswerValue(value=composed)

    def shown(self, answer: AnswerValue) -> dict[str, Json]:
        """Return the members that a client sends for this answer."""
        return answer.to_json()


@dataclass(frozen=True, slots=True, kw_only=True)
class EssayKey:
    """The notes for the marker; no answer is scored by them."""

    notes: str = ""

    def to_json(self) -> dict[str, Json]:
        """Return the question's entry in a key."""
        return {"kind": KindName.ESSAY.value, "notes": self.notes}

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(notes=body["notes"])

    def share(self, answer: AnswerValue) -> None:
        """Return None: essays are marked by hand."""
        del answer
