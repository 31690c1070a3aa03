"""The commands and environments of TeX that formulas may use, and what to write instead of others."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

from latex2mathml import commands
from latex2mathml.converter import MOVABLE_LIMIT_TEXTS
from latex2mathml.symbols_parser import SYMBOLS

from exam_papers.texts.names import names

_DEFINITIONS: Final = names(
    "newcommand renewcommand providecommand DeclareMathOperator DeclareRobustCommand newenvironment renewenvironment "
    "def gdef edef xdef let futurelet csname expandafter newtheorem require usepackage input include catcode"
)
_NO_EFFECT: Final = "leave it out: browsers would not show it"
_WITHOUT: Final[Mapping[str, str]] = {
    **dict.fromkeys(_DEFINITIONS, "write what the definition stands for"),
    **dict.fromkeys(("href", "url", "class", "style", "cssId", "htmlClass", "htmlStyle"), "leave it out"),
    **dict.fromkeys(("cancel", "bcancel", "xcancel", "sout"), _NO_EFFECT),
    **dict.fromkeys(("raise", "lower", "moveleft", "moveright", "colorbox", "fcolorbox"), _NO_EFFECT),
    **dict.fromkeys(("clap", "llap", "rlap", "mathclap", "mathllap", "shoveleft", "shoveright"), _NO_EFFECT),
    **dict.fromkeys(("hfil", "hfill", "vfill", "label", "ref", "eqref", "cr"), _NO_EFFECT),
    "verb": r"write \texttt{…}",
    "unicode": "write the character itself",
    "includegraphics": "place the image beside the formula",
    "ce": r"write \mathrm{H}_2\mathrm{O} and \rightarrow",
    **{letter: rf"write \mathbb{{{letter}}}" for letter in "RNZQC"},
    **dict.fromkeys(("sgn", "arsinh", "arcosh", "artanh", "arccot", "arcsec", "Tr", "tr", "rank", "diag", "lcm"), ""),
    "brace": r"write \left\{ … \right\}",
    "degrees": r"write ^\circ",
    "euro": "write the character itself",
    "hfilneq": _NO_EFFECT,
}
ENVIRONMENTS: Final[Mapping[str, str]] = {
    # the name that an author writes, and the one that the converter knows
    **{
        f"{prefix}matrix{star}": f"{prefix}matrix{star}"
        for prefix in ("", "p", "b", "B", "v", "V")
        for star in ("", "*")
    },
    **dict.fromkeys(("align", "align*", "aligned", "split", "eqnarray", "eqnarray*"), "split"),
    **dict.fromkeys(("gather", "gather*", "gathered", "equation", "equation*"), "displaylines"),
    **dict.fromkeys(("cases", "dcases"), "cases"),
    "array": "array",
    "smallmatrix": "smallmatrix",
}
ROWS: Final = frozenset({"substack", "matrix", "pmatrix", "cases", "displaylines", "eqalign", "eqalignno"})
r"""Commands whose argument has rows, divided by `\\`."""
LENGTHS: Final = names("hspace hskip kern mkern mskip mspace rule above genfrac abovewithdelims")
"""Commands that take a length such as `2em`."""
TEXTS: Final = names("text textbf textit textmd textnormal textrm textsf texttt textup emph mbox hbox fbox")
"""Commands whose argument is words."""
_STRUCTURE: Final = names(
    "left right middle over atop choose above abovewithdelims atopwithdelims brack frac sqrt root "
    "of limits nolimits not hline hdashline nonumber notag space nobreakspace mathchoice strut mathstrut idotsint "
    "LaTeX TeX skew sideset genfrac textcolor color tag rule smash"
)


def _names(commands_of_tex: Iterable[str]) -> set[str]:
    return {name[1:] for name in commands_of_tex if re.fullmatch(r"\\[A-Za-z]+", name)}


KNOWN: Final = frozenset(
    (
        _names(SYMBOLS)
        | _names(commands.CONVERSION_MAP)
        | _names(commands.LOCAL_FONTS)
        | _names(commands.GLOBAL_FONTS)
        | _names(commands.COMMANDS_WITH_ONE_PARAMETER)
        | _names(commands.COMMANDS_WITH_TWO_PARAMETERS)
        | _names(commands.FUNCTIONS)
        | _names(commands.LIMIT)
        | _names(MOVABLE_LIMIT_TEXTS)
        | _STRUCTURE
    )
    - _WITHOUT.keys()
    - {"array", "align", "split", "smallmatrix", "begin", "end"}
)
"""Names of commands, without the backslash."""
_LENGTHS_APART: Final = 3
ESCAPES: Final = frozenset("\\{}!,:>;|_%#$& ")
r"""Characters that make a command after a backslash, as in `\,`."""


def reason_without(name: str) -> tuple[str, str]:
    """Return why a formula cannot use this command, and what to write instead."""
    if name in _DEFINITIONS:
        return "defines commands", _WITHOUT[name]
    if name in _WITHOUT:
        return "is not supported in formulas", _WITHOUT[name] or rf"write \operatorname{{{name}}}"
    if close := get_close_matches(name, _similar(name), n=1, cutoff=0.75):
        return "is unknown", rf"\{close[0]} has a similar name"
    return "is unknown", rf"for a name, write \operatorname{{{name}}} or \text{{{name}}}"


def _similar(name: str) -> list[str]:
    """Return the commands that may be meant, few enough to be compared."""
    return sorted(known for known in KNOWN if known[0] == name[0] and abs(len(known) - len(name)) < _LENGTHS_APART)
