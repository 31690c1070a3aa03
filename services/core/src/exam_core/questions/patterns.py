"""Comparing short texts: normalised, with or without case, and with `*` for any run of characters.

Case is compared one character at a time, so that ß is not ss and no text changes its length.
"""

import unicodedata
from dataclasses import dataclass
from typing import Final, Self

_RUN: Final = "\n"
"""Stands for any run of characters where two patterns are compared; no text of one line contains it."""


def normalised(text: str) -> str:
    """Return a text without white space at its ends, composed (NFC): texts that look alike are equal."""
    return unicodedata.normalize("NFC", text.strip())


def folded(text: str) -> str:
    """Return a text without differences of case, one character for one."""
    return unicodedata.normalize("NFC", "".join(map(_fold, text)))


@dataclass(frozen=True, slots=True)
class Pattern:
    """Literal parts with any run of characters, also an empty one, between two of them."""

    parts: tuple[str, ...]

    @classmethod
    def of(cls, text: str, *, case: bool, wildcards: bool) -> Self:
        r"""Read an accepted text: with wildcards `*` is any run and ``\*`` a star; all else is literal."""
        parts = _split(text) if wildcards else [text]
        return cls(tuple(parts if case else map(folded, parts)))

    def matches(self, text: str) -> bool:
        """Return whether a text, folded as the pattern is, matches as a whole."""
        first, *rest = self.parts
        if not rest:
            return text == first
        *middle, last = rest
        if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
            return False
        # The leftmost place of each part leaves most for the next one, so that no other needs to be tried.
        place, end = len(first), len(text) - len(last)
        for part in middle:
            found = text.find(part, place, end)
            if found < 0:
                return False
            place = found + len(part)
        return True

    def hides(self, other: "Pattern") -> bool:
        """Return whether it is seen that each text that `other` matches is matched by this pattern too."""
        return self.matches(_RUN.join(other.parts))

    def overlaps(self, other: "Pattern") -> bool:
        """Return whether a text matches both."""
        mine, others = _RUN.join(self.parts), _RUN.join(other.parts)
        # reach[j]: the first i characters of one pattern and the first j of the other match a common text.
        reach = [True] + [False] * len(others)
        for j, character in enumerate(others):
            reach[j + 1] = reach[j] and character == _RUN
        for one in mine:
            row = [reach[0] and one == _RUN]
            for j, character in enumerate(others):
                if _RUN in (one, character):
                    # A run takes one more character of the other pattern, or none.
                    row.append(reach[j + 1] or row[j])
                else:
                    row.append(reach[j] and one == character)
            reach = row
        return reach[-1]


def _split(text: str) -> list[str]:
    parts = [""]
    escaped = False
    for character in text:
        if character == "*" and not escaped:
            parts.append("")
        elif character == "*":
            parts[-1] = parts[-1][:-1] + "*"
        else:
            parts[-1] += character
        escaped = character == "\\"
    return parts


def _fold(character: str) -> str:
    # Full case folding where it is one character (the final sigma), else the small letter (ẞ is ß, and ß stays).
    return next((form for form in (character.casefold(), character.lower()) if len(form) == 1), character)
