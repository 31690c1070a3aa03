"""Reading the members of a JSON object strictly: each has its one type and spelling, and none is left over."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final, TypeVar

from exam_core.credits import fraction_of
from exam_core.messages import shown
from exam_core.numbers import decimal_text
from exam_core.questions.wire import unstorable

E = TypeVar("E", bound=StrEnum)

MAX_NUMBER: Final = 9999
"""More than the number of any question, choice, stem, target, item or accepted answer."""
_MAX_DECIMAL: Final = 20


class MemberError(ValueError):
    """A member that is missing, unknown, or not as it would have been written; the message names it."""


class Members:
    """The members of an object that have not been read yet."""

    def __init__(self, body: object) -> None:
        if not isinstance(body, Mapping):
            raise MemberError(f"must be a JSON object, not {shown(body)}")
        self._left: dict[str, Any] = dict(body)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str) -> Any:  # noqa: ANN401 - any JSON value
        """Read a member of any type."""
        if name not in self._left:
            raise MemberError(f"has no {name!r}")
        return self._left.pop(name)

    def text(self, name: str) -> str:
        """Read a text that can be stored."""
        value = self.take(name)
        if not isinstance(value, str):
            raise MemberError(f"has {name!r} {shown(value)}, which is not a text")
        if (code := unstorable(value.replace("\n", ""))) is not None:
            raise MemberError(f"has {name!r} with the character U+{code:04X}, which cannot be stored")
        return value

    def number(self, name: str) -> int:
        """Read the number of a question, or of something in one."""
        return _number(name, self.take(name))

    def numbers(self, name: str) -> tuple[int, ...]:
        """Read a list of numbers."""
        value = self.take(name)
        if not isinstance(value, list | tuple):
            raise MemberError(f"has {name!r} {shown(value)}, which is not a list of numbers")
        return tuple(_number(name, each) for each in value)

    def flag(self, name: str) -> bool:
        """Read true or false."""
        value = self.take(name)
        if not isinstance(value, bool):
            raise MemberError(f"has {name!r} {shown(value)}, which is neither true nor false")
        return value

    def fraction(self, name: str) -> Fraction:
        """Read an exact number in lowest terms."""
        value = self.take(name)
        try:
            return fraction_of(value if isinstance(value, str) else "")
        except ValueError as error:
            raise MemberError(f"has {name!r} {shown(value)}, which is not a fraction in lowest terms") from error

    def decimal(self, name: str) -> Decimal:
        """Read an exact decimal in plain notation."""
        value = self.take(name)
        try:
            number = Decimal(value) if isinstance(value, str) and len(value) <= _MAX_DECIMAL else Decimal("NaN")
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or decimal_text(number) != value:
            raise MemberError(f"has {name!r} {shown(value)}, which is not a decimal in plain notation")
        return number

    def option(self, name: str, options: type[E]) -> E:
        """Read one of several names."""
        value = self.take(name)
        try:
            return options(value)
        except ValueError as error:
            known = ", ".join(options)
            raise MemberError(f"has {name!r} {shown(value)}, which is none of: {known}") from error

    def end(self) -> None:
        """Raise MemberError if a member was not read."""
        if self._left:
            raise MemberError(f"has {shown(min(self._left, key=str))}, which is not a member of it")


def _number(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_NUMBER:
        raise MemberError(f"has {name!r} {shown(value)}, which is not a number from 0 to {MAX_NUMBER}")
    return value
