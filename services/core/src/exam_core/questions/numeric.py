"""Questions that are answered with a number: a list of accepted values and ranges, each with its credit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, Self

from exam_core import limits
from exam_core.answer_value import AnswerValue
from exam_core.canonical import Json, JsonObject
from exam_core.credits import FULL_CREDIT, NO_CREDIT, credit_fault, fraction_of, fraction_text
from exam_core.questions.intervals import Interval, covered
from exam_core.questions.items import Unlisted, UnlistedHalf, count_fault
from exam_core.questions.model import Fault, KindName, Numbering, Render, best_warning
from exam_core.questions.wire import answer_member, one_line, parse_number


class Tolerance(StrEnum):
    """How a tolerance t makes an interval around a value a; its ends are accepted."""

    ABSOLUTE = "absolute"
    """a - t … a + t"""
    RELATIVE = "relative"
    """a - |a| t … a + |a| t: a tolerance of 1/10 is 10 %."""
    GEOMETRIC = "geometric"
    """a / (1 + t) … a (1 + t)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """An accepted value with its tolerance."""

    value: Fraction
    tolerance: Fraction = NO_CREDIT
    by: Tolerance = Tolerance.ABSOLUTE
    credit: Fraction = FULL_CREDIT

    @property
    def interval(self) -> Interval:
        """The numbers that are accepted."""
        if self.by is Tolerance.GEOMETRIC:
            ends = (self.value / (1 + self.tolerance), self.value * (1 + self.tolerance))
        else:
            width = self.tolerance if self.by is Tolerance.ABSOLUTE else abs(self.value) * self.tolerance
            ends = (self.value - width, self.value + width)
        return Interval(low=min(ends), high=max(ends))


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """An accepted range; an end that is None has no bound, and without both every number is accepted."""

    low: Fraction | None
    high: Fraction | None
    low_open: bool = False
    """Whether the lower end itself is not accepted."""
    high_open: bool = False
    credit: Fraction = FULL_CREDIT

    @property
    def interval(self) -> Interval:
        """The numbers that are accepted."""
        return Interval(low=self.low, high=self.high, low_open=self.low_open, high_open=self.high_open)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric(Unlisted):
    """A number is typed; the first entry of `accepted` that accepts it gives its credit. `unit` is shown beside it."""

    accepted: tuple[Near | Between, ...]
    unit: str = ""

    def faults(self) -> Iterator[Fault]:
        """Yield every reason why the question cannot be frozen."""
        if not self.accepted:
            yield Fault("has no key: a numeric question needs a value", "accepted")
        else:
            yield from count_fault(len(self.accepted), 1, limits.MAX_ACCEPTED, "accepted value", "accepted")
        for index, entry in enumerate(self.accepted):
            yield from _entry_faults(entry, index)
        if self.accepted and all(entry.credit <= 0 for entry in self.accepted):
            yield Fault("has no key: give an accepted value a positive credit", "accepted")
        if len(self.unit) > limits.MAX_UNIT or not one_line(self.unit):
            yield Fault(f"has a unit of more than {limits.MAX_UNIT} characters or one line", "unit")

    def warnings(self) -> Iterator[Fault]:
        """Yield entries that an earlier one hides, or from which it takes numbers that would have earned more."""
        yield from best_warning(max(entry.credit for entry in self.accepted), "accepted")
        for index, entry in enumerate(self.accepted):
            earlier = self.accepted[:index]
            if covered(entry.interval, [other.interval for other in earlier]):
                yield Fault(
                    f"has accepted value {index + 1}, which can never match: earlier ones do", "accepted", index
                )
                continue
            for number, other in enumerate(earlier):
                if other.credit < entry.credit and other.interval.overlaps(entry.interval):
                    yield Fault(
                        f"has accepted value {index + 1}, which gives more credit than value {number + 1} where both "
                        "match: the first one counts",
                        "accepted",
                        index,
                    )

    @property
    def kind(self) -> KindName:
        """The question's kind."""
        return KindName.NUMERIC

    def student_half(self, numbering: Numbering, render: Render) -> "NumericHalf":
        """Return the unit."""
        del numbering, render
        return NumericHalf(unit=self.unit)

    def key_half(self, numbering: Numbering) -> "NumericKey":
        """Return the accepted intervals."""
        del numbering
        return NumericKey(accepted=tuple((entry.interval, entry.credit) for entry in self.accepted))


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericHalf(UnlistedHalf):
    """The unit, as plain text; nothing else."""

    unit: str = ""

    @property
    def kind(self) -> KindName:
        """The question's kind."""
        return KindName.NUMERIC

    def to_json(self) -> dict[str, Json]:
        """Return the members of the question in a paper."""
        body: dict[str, Json] = {"kind": self.kind.value}
        return body | {"unit": self.unit} if self.unit else body

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(unit=body.get("unit", ""))

    def parse(self, question: int, body: Mapping[str, Any]) -> AnswerValue:
        """Parse ``{"value": "3.14"}`` into the number's one spelling; null is blank."""
        return parse_number(question, answer_member(question, self.kind, "value", body))

    def shown(self, answer: AnswerValue) -> dict[str, Json]:
        """Return the members that a client sends for this answer."""
        return answer.to_json()


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericKey:
    """The accepted intervals in order, each with its credit."""

    accepted: tuple[tuple[Interval, Fraction], ...]

    def to_json(self) -> dict[str, Json]:
        """Return the question's entry in a key."""
        entries = [interval.to_json() | {"credit": fraction_text(credit)} for interval, credit in self.accepted]
        return {"kind": KindName.NUMERIC.value, "accepted": entries}

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        entries = body["accepted"]
        return cls(accepted=tuple((Interval.from_json(entry), fraction_of(entry["credit"])) for entry in entries))

    def share(self, answer: AnswerValue) -> Fraction | None:
        """Return the credit of the first interval that contains the number."""
        if not answer.value:
            return NO_CREDIT
        number = Fraction(answer.value)
        return next((credit for interval, credit in self.accepted if number in interval), NO_CREDIT)


def _entry_faults(entry: Near | Between, index: int) -> Iterator[Fault]:
    name = f"has accepted value {index + 1}"
    if reason := credit_fault(entry.credit):
        yield Fault(f"{name} with a credit that {reason}", "accepted", index)
    if isinstance(entry, Near) and entry.tolerance < 0:
        yield Fault(f"{name} with a negative tolerance", "accepted", index)
    elif entry.interval.empty:
        yield Fault(f"{name}, a range that contains no number", "accepted", index)
