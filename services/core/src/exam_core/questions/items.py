"""What a question shows in lists: choices, stems, and items to be put in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from exam_core.images import ImageRef
from exam_core.questions.model import Content, Fault, Named, Numbering, Permute, Render, permuted

N = TypeVar("N", bound=Named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A content as its author wrote it; `id` is the author's name for it."""

    id: str
    text: str
    image: ImageRef | None = None


class Unlisted:
    """The authored form of a question that lists nothing beside its text."""

    __slots__ = ()

    @property
    def items(self) -> tuple[Named, ...]:
        """Nothing."""
        return ()

    def numbering(self, permute: Permute) -> Numbering:
        """Return the empty numbering."""
        del permute
        return Numbering()


class UnlistedHalf:
    """The student half of such a question."""

    __slots__ = ()

    @property
    def contents(self) -> tuple[Content, ...]:
        """Nothing."""
        return ()

    @property
    def shuffled(self) -> tuple[int, ...]:
        """Nothing is shuffled."""
        return ()


def content_of(item: Named, render: Render) -> Content:
    """Return what students see of an item."""
    rendered = render(item.text)
    return Content(text=rendered.text, html=rendered.html, image=item.image)


def contents(items: Sequence[Named], ids: Sequence[str], render: Render) -> tuple[Content, ...]:
    """Return what students see of items, in the order of their ids."""
    return tuple(content_of(item, render) for item in in_order(items, ids))


def in_order(items: Sequence[N], ids: Sequence[str]) -> tuple[N, ...]:
    """Return items in the order of their ids.

    Raises:
        ValueError: these are not the ids of all items.
    """
    by_id = {item.id: item for item in items}
    if len(by_id) != len(ids) or by_id.keys() != set(ids):
        raise ValueError("the ids are not those of the question's items")
    return tuple(by_id[each] for each in ids)


def numbered(items: Sequence[Named], permute: Permute) -> tuple[str, ...]:
    """Return the ids of items in the order that `permute` gives."""
    return tuple(item.id for item in permuted(items, permute))


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
