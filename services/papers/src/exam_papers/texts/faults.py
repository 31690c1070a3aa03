"""What is wrong with a text, and what its HTML loses when it is sanitised."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class TextFault:
    """A reason why a text cannot be rendered; `line` counts from 1 in the text.

    Nothing of the text is quoted except names of commands and elements: faults are logged, texts are confidential.
    """

    line: int
    reason: str
    instead: str = ""

    def __str__(self) -> str:
        """Return the fault as one line."""
        return f"line {self.line}: {self.reason}" + (f"; {self.instead}" if self.instead else "")


class TextError(ValueError):
    """A text that cannot be rendered, with all its faults in the order of their lines."""

    def __init__(self, faults: Iterable[TextFault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(str(fault) for fault in self.faults))


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Loss:
    """Something that sanitised HTML does not keep: an element, or an attribute of one, with how often it occurred.

    The words inside a removed element are kept, except those of scripts, styles and other content that is not text.
    """

    element: str
    attribute: str = ""
    count: int = 1

    def __str__(self) -> str:
        """Return the loss as an author would look for it."""
        name = f"{self.attribute} of <{self.element}>" if self.attribute else f"<{self.element}>"
        return name if self.count == 1 else f"{name} ({self.count} times)"
