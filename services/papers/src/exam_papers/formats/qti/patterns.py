"""Regular expressions that are texts with runs of any characters, as this platform writes them."""

import re
from typing import Final

from exam_core.questions.patterns import Pattern
from exam_papers.formats.qti.context import NotUnderstoodError
from exam_papers.formats.qti.scoring import IsText

_SIGNS: Final = frozenset("\\|.?*+(){}[]-^$")
"""The characters that mean something in a pattern."""
_TOKEN: Final = re.compile(r"(?P<run>\.\*)|\[(?P<pair>[^\[\]\\^-]{2})\]|\\(?P<sign>[\\|.?*+(){}\[\]^$-])|(?P<plain>.)")


def pattern_of(pattern: str) -> IsText:
    """Return the test of a pattern.

    Raises:
        NotUnderstoodError: it has more than texts, both cases of letters, and runs.
    """
    parts, cases, end = [""], set[bool](), 0
    for token in _TOKEN.finditer(pattern):
        end = token.end()
        if token["run"]:
            parts.append("")
            continue
        letter = token["pair"] or token["sign"] or token["plain"]
        if token["pair"]:
            letter = token["pair"][0]
            if token["pair"] != letter + _other(letter):
                raise NotUnderstoodError
        elif token["plain"] and letter in _SIGNS:
            raise NotUnderstoodError
        if _other(letter):
            cases.add(token["pair"] is None)
        parts[-1] += letter
    if end != len(pattern) or len(cases) > 1:
        raise NotUnderstoodError
    text = "*".join(part.replace("*", "\\*") for part in parts)
    return IsText(text, case=next(iter(cases), None), pattern=True)


def written_pattern(text: str, *, case: bool) -> str:
    """Return the pattern of an accepted text with wildcards."""
    parts = Pattern.of(text, case=True, wildcards=True).parts
    return ".*".join("".join(_token(letter, case=case) for letter in part) for part in parts)


def _token(letter: str, *, case: bool) -> str:
    if not case and (other := _other(letter)):
        return f"[{letter}{other}]"
    return f"\\{letter}" if letter in _SIGNS else letter


def _other(letter: str) -> str:
    """Return a letter in the other case; empty for all other characters."""
    for other in (letter.lower(), letter.upper()):
        if other != letter and len(other) == 1:
            return other
    return ""
