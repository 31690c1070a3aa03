"""The content of an answer, in the form in which the answer log stores it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from exam_core.canonical import Json, canonical, digest


@dataclass(frozen=True)
class AnswerValue:
    """The content of an answer: either a mask of choices, or a text in the canonical form of the question's kind.

    A blank answer, with which a student withdraws an earlier one, is mask 0 or an empty text.
    """

    choice: int | None = None
    value: str | None = None

    def __post_init__(self) -> None:
        if (self.choice is None) == (self.value is None):
            raise ValueError("an answer is either choices or a value")

    @property
    def blank(self) -> bool:
        """Whether the answer withdraws an earlier one."""
        return not self.choice and not self.value

    def to_json(self) -> dict[str, Json]:
        """Return the members that a client sends and receives."""
        if self.choice is not None:
            return {"choices": list(numbers_of(self.choice))}
        return {"value": self.value or None}

    @cached_property
    def canonical(self) -> bytes:
        """The canonical form of `to_json`, computed once: the answer's id and its receipt are both derived from it."""
        return canonical(self.to_json())

    @cached_property
    def digest(self) -> str:
        """The digest of the canonical form, which a receipt carries."""
        return digest(self.canonical)


def mask_of(numbers: Iterable[int]) -> int:
    """Return the bit mask of choice numbers."""
    mask = 0
    for number in numbers:
        mask |= 1 << number
    return mask


def numbers_of(mask: int) -> list[int]:
    """Return the choice numbers in a bit mask, ascending."""
    return [n for n in range(mask.bit_length()) if mask >> n & 1]
