"""The forms that every kind of question has, and the outcome of an answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from fractions import Fraction
from typing import Any, Protocol, Self, TypeVar

from exam_core.answer_value import AnswerValue
from exam_core.canonical import Json, JsonObject
from exam_core.images import ImageRef

T = TypeVar("T")

Permute = Callable[[int], Sequence[int]]
"""Returns a permutation of 0 … n-1; the caller supplies the randomness."""


class KindName(StrEnum):
    """How a question is answered."""

    SINGLE = "single"
    TRUE_FALSE = "true-false"
    MULTIPLE = "multiple"
    NUMERIC = "numeric"
    TEXT = "text"
    MATCHING = "matching"
    ORDERING = "ordering"
    ESSAY = "essay"


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that a question violates, or a warning about one that can be frozen.

    `reason` continues a sentence that begins with the question, and tells nothing of the key. `member` is the member of
    the authored form concerned, `item` the index in it.
    """

    reason: str
    member: str
    item: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A text as students see it: plain, and as HTML where it has more than that."""

    text: str
    html: str | None = None


Render = Callable[[str], Rendered]
"""Makes a text as its author wrote it into what students see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A text, an image, or both, as students see them."""

    text: str
    html: str | None = None
    """The text as HTML, if plain text does not show all of it."""
    image: ImageRef | None = None

    def to_json(self) -> dict[str, Json]:
        """The members in a paper."""
        body: dict[str, Json] = {"text": self.text}
        if self.html is not None:
            body["html"] = self.html
        if self.image:
            body["image"] = self.image.to_json()
        return body

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        image = ImageRef.from_json(body["image"]) if "image" in body else None
        return cls(text=body["text"], html=body.get("html"), image=image)


class Named(Protocol):
    """A choice, a stem or an item, with its author's name for it."""

    @property
    def id(self) -> str:
        """The author's name for it."""
        ...

    @property
    def text(self) -> str:
        """Its text."""
        ...

    @property
    def image(self) -> ImageRef | None:
        """Its image."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbering:
    """What a frozen question shows, by number: the ids of its choices, stems or items, and the texts of its targets."""

    ids: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


class Authored(Protocol):
    """A question of one kind as its author wrote it, with its key."""

    @property
    def kind(self) -> KindName:
        """The question's kind."""
        ...

    @property
    def items(self) -> Sequence[Named]:
        """What it lists beside its text: choices, stems, or items in the right order."""
        ...

    def faults(self) -> Iterator[Fault]:
        """Yield every reason why the question cannot be frozen."""
        ...

    def warnings(self) -> Iterator[Fault]:
        """Yield what its author may not have meant; the question has no faults."""
        ...

    def numbering(self, permute: Permute) -> Numbering:
        """Number what is shown, in an order that tells nothing of the key."""
        ...

    def student_half(self, numbering: Numbering, render: Render) -> "StudentHalf":
        """Return what students see, under a numbering of all that the question shows."""
        ...

    def key_half(self, numbering: Numbering) -> "KeyHalf":
        """Return what scores the answers, under the same numbering."""
        ...


class StudentHalf(Protocol):
    """What students and solvers know of a question; nothing in it depends on the key."""

    @property
    def kind(self) -> KindName:
        """The question's kind."""
        ...

    @property
    def contents(self) -> tuple[Content, ...]:
        """What the question lists, by number: choices, stems or items."""
        ...

    @property
    def shuffled(self) -> tuple[int, ...]:
        """The sizes of the lists that each student sees in an order of the own."""
        ...

    def to_json(self) -> dict[str, Json]:
        """Return the members of the question in a paper."""
        ...

    def parse(self, question: int, body: Mapping[str, Any]) -> AnswerValue:
        """Parse what a client sent as the answer to a question; every JSON value gives one or a Problem."""
        ...

    def shown(self, answer: AnswerValue) -> dict[str, Json]:
        """Return the members that a client sends for this answer, and that are shown to the student."""
        ...


class Scoring(Protocol):
    """What scores the answers to a question."""

    def share(self, answer: AnswerValue) -> Fraction | None:
        """Return the part of the weight, -1 … 1, that an answer earns which is not blank.

        None is an answer that is marked by hand. An answer of another kind's form earns 0.
        """
        ...


class KeyHalf(Scoring, Protocol):
    """What scores the answers to a question, as keys contain it."""

    def to_json(self) -> dict[str, Json]:
        """Return the question's entry in a key."""
        ...


class Unscored(Enum):
    """Why an answer has no share."""

    NOT_ATTEMPTED = "not attempted"
    """No answer, or a withdrawn one; a wrong answer is one that earns 0 or less."""
    BY_HAND = "marked by hand"


def outcome(key: Scoring, answer: AnswerValue | None) -> Fraction | Unscored:
    """Return the share that an answer earns, or why it has none."""
    if answer is None or answer.blank:
        return Unscored.NOT_ATTEMPTED
    share = key.share(answer)
    return Unscored.BY_HAND if share is None else share


def plain(text: str) -> Rendered:
    """Show a text as it was written."""
    return Rendered(text=text)


def split(authored: Authored, permute: Permute, render: Render = plain) -> tuple[StudentHalf, KeyHalf]:
    """Renumber what a question shows, and split it into its two halves."""
    numbering = authored.numbering(permute)
    return authored.student_half(numbering, render), authored.key_half(numbering)


def permuted(items: Sequence[T], permute: Permute) -> tuple[T, ...]:
    """Return items in the order that `permute` gives.

    Raises:
        ValueError: `permute` did not return a permutation of all items.
    """
    order = permute(len(items))
    if sorted(order) != list(range(len(items))):
        raise ValueError(f"{order!r} is not a permutation of {len(items)} items")
    return tuple(items[number] for number in order)


def best_warning(best: Fraction, member: str) -> Iterator[Fault]:
    """Yield a warning if the best answer does not earn the whole weight."""
    if best != 1:
        yield Fault(f"gives its best answer {best} of the weight", member)
