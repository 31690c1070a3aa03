r"""Formulas between `\(…\)` and `$$…$$` in text."""

import re
from typing import Final

INLINE: Final = re.compile(r"\\\(((?:[^\\]|\\(?![()])[\s\S])*)\\\)")
DISPLAY: Final = re.compile(r"\$\$((?:[^\\$]|\\[\s\S]|\$(?!\$))*)\$\$")
ANY: Final = re.compile(rf"{INLINE.pattern}|{DISPLAY.pattern}|\\\(|\$\$")
"""A formula, or a delimiter that begins none."""

UNCLOSED: Final = {
    "\\(": (
        r"\( begins a formula that has no \) in the same paragraph, table cell or element",
        r"close the formula, or write it in one line; in tables write \vert for |",
    ),
    "$$": ("$$ begins a formula that has no other $$ in the same paragraph or element", "close the formula"),
}
"""By delimiter: the fault, and what to write instead."""
