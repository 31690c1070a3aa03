r"""Commands of TeX that escapes of YAML have eaten: in double quotes, `\times` is a tab and «imes»."""

import re
from dataclasses import dataclass
from typing import Final

from exam_papers.texts.formulas.commands import KNOWN

_ESCAPE: Final = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|([abefnrtvNLP0])([A-Za-z]*)|[\s\S])")
_ENVIRONMENTS: Final = frozenset({"begin", "end"})
_WORDS: Final = frozenset({"n", "ni", "nin", "nis", "nisd", "third", "top", "taurus", "toea", "tona"})
"""Names of commands that are more often a line end or a tab before a word."""
_TEXTS: Final = frozenset({"text", "textbf", "textit", "textrm", "textcolor"})


@dataclass(frozen=True, slots=True)
class EatenCommand:
    r"""A place where YAML reads an escape, and the author probably meant a command (`\times`) or a character (`\_`).

    `line` counts from 1 in the scalar, `offset` from 0.
    """

    line: int
    offset: int
    escape: str
    meant: str

    def __str__(self) -> str:
        """Return what to write instead."""
        instead = rf"for {self.meant} use single quotes, or write \{self.meant}"
        return f"{self.escape} is an escape of YAML in double quotes; {instead}"


def eaten_commands(scalar: str, *, double_quoted: bool) -> tuple[EatenCommand, ...]:
    """Return the escapes of a YAML scalar that have eaten a command of TeX; `scalar` is its source, without the quotes.

    Readers of documents warn of them: the text without the command may be valid, and mean something else.
    """
    if not double_quoted:
        return ()
    return tuple(
        EatenCommand(1 + scalar.count("\n", 0, match.start()), match.start(), match[0][:2], meant)
        for match in _ESCAPE.finditer(scalar)
        if (meant := _meant(match))
    )


def _meant(match: re.Match[str]) -> str | None:
    if match[0] == "\\_":
        return "\\_"
    if match[1] is None:
        return None
    name = match[1] + match[2]
    if name in _WORDS or (name not in KNOWN and name not in _ENVIRONMENTS | _TEXTS):
        return None
    return f"\\{name}"
