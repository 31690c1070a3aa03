"""How an item scores a response, in the forms that are understood."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from exam_core.questions.numeric import Between, Near


@dataclass(frozen=True, slots=True)
class IsCorrect:
    """The response is the correct one."""


@dataclass(frozen=True, slots=True)
class IsValue:
    """The response is one value."""

    value: str


@dataclass(frozen=True, slots=True)
class IsText:
    """The response is a text; in a pattern `*` is any run of characters, and a star has a backslash before it."""

    text: str
    case: bool | None
    """Whether capital letters matter; None for a text in which none could."""
    pattern: bool = False


@dataclass(frozen=True, slots=True)
class IsNumber:
    """The response is a number near a value or in a range."""

    entry: Near | Between


@dataclass(frozen=True, slots=True)
class IsAnything:
    """There is a response."""


@dataclass(frozen=True, slots=True)
class IsNull:
    """There is no response."""


Test = IsCorrect | IsValue | IsText | IsNumber | IsAnything | IsNull


@dataclass(frozen=True, slots=True)
class Branch:
    """What a response earns that passes a test."""

    test: Test
    score: Fraction


@dataclass(frozen=True, slots=True)
class Chain:
    """The first branch whose test is passed decides; `otherwise` is for all other responses."""

    branches: tuple[Branch, ...]
    otherwise: Fraction = Fraction(0)

    @property
    def only_correct(self) -> bool:
        """Whether the correct response earns something, and any other nothing."""
        return [branch.test for branch in self.branches] == [IsCorrect()] and not self.otherwise

    @property
    def best(self) -> Fraction:
        """The largest score, or 1 if there is no positive one."""
        best = max((branch.score for branch in self.branches), default=Fraction(0))
        return best if best > 0 else Fraction(1)


@dataclass(frozen=True, slots=True)
class Mapped:
    """The mapping of the response decides."""


@dataclass(frozen=True, slots=True)
class Places:
    """Each item at its place earns the same."""

    count: int
    each: Fraction


Scoring = Chain | Mapped | Places


def correct_earns(score: Fraction) -> Chain:
    """Return the scoring in which the correct response earns a score, and any other nothing."""
    return Chain((Branch(IsCorrect(), score),))


CORRECT: Final = correct_earns(Fraction(1))
