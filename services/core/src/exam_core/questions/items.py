"""What a question shows in lists: choices, stems, and items to be put in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from exam_core.canonical import Json, JsonObject
from exam_core.images import ImageRef
from exam_core.questions.model import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A text, an image, or both, as students see them."""

    text: str
    image: ImageRef | None = None

    def to_json(self) -> dict[str, Json]:
        """The members in a paper."""
        return {"text": self.text} | ({"image": self.image.to_json()} if self.image else {})

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(text=body["text"], image=ImageRef.from_json(body["image"]) if "image" in body else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A content as its author wrote it; `id` is the author's name for it."""

    id: str
    text: str
    image: ImageRef | None = None

    @property
    def content(self) -> Content:
        """What students see of it."""
        return Content(text=self.text, image=self.image)


class Named(Protocol):
    """A content with its author's name for it."""

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


def appearance_faults(items: Sequence[Named], noun: str, member: str) -> Iterator[Fault]:
    """Yield items that show nothing, or the same as an earlier one: a student could not tell them apart."""
    seen: dict[tuple[str, str | None], str] = {}
    for index, item in enumerate(items):
        appearance = (item.text.strip(), item.image.sha256 if item.image else None)
        if appearance == ("", None):
            yield Fault(f"has {noun} {item.id} with neither text nor image", member, index)
        elif appearance in seen:
            yield Fault(f"has {noun}s {seen[appearance]} and {item.id} that look the same", member, index)
        seen.setdefault(appearance, item.id)


def count_fault(count: int, least: int, most: int, noun: str, member: str) -> Iterator[Fault]:
    """Yield a fault if a list is too short or too long."""
    if not least <= count <= most:
        yield Fault(f"needs {least} to {most} {noun}s and has {count}", member)
