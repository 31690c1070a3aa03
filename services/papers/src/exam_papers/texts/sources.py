"""HTML sources with formulas replaced by placeholders, so that the sanitiser sees neither TeX nor MathML."""

import re
from collections import Counter
from collections.abc import Sequence
from html import unescape
from typing import Final

from exam_core.canonical import digest
from exam_papers.texts.delimiters import ANY, UNCLOSED
from exam_papers.texts.faults import TextFault
from exam_papers.texts.formulas.check import lines_before
from exam_papers.texts.formulas.core import Losses
from exam_papers.texts.formulas.formula import Formula, from_mathml, from_tex
from exam_papers.texts.formulas.imported import MathMLError
from exam_papers.texts.formulas.tex import FormulaError
from exam_papers.texts.html import scan
from exam_papers.texts.html.rules import REMOVED_WITH_CONTENT, VERBATIM
from exam_papers.texts.limits import MAX_FORMULAS

_MATH: Final = re.compile(r"<math[\s/>]", re.IGNORECASE)


class Formulas:
    """The formulas of one text, and the placeholders that stand for them while its HTML is sanitised.

    A placeholder contains the digest of the text that it stands in, so that no author can write one.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._key = digest(source.encode())[:32]
        self._found: list[Formula] = []
        self._place = re.compile(rf"{self._key}x(\d+)x")
        self._math_lines = [1 + source.count("\n", 0, match.start()) for match in _MATH.finditer(source)]
        self._math_seen = 0
        self.faults: list[TextFault] = []
        self.losses = Losses()

    def place_tex(self, tex: str, display: bool, line: int) -> str:  # noqa: FBT001 (as `markdown.Place`)
        """Return the placeholder of a formula in TeX; what is wrong with it becomes faults."""
        try:
            formula = from_tex(tex, display=display)
        except FormulaError as error:
            for problem in error.problems:
                where = line + lines_before(tex, problem.offset)
                self.faults.append(TextFault(line=where, reason=problem.reason, instead=problem.instead))
            return ""
        return self._add(formula, line)

    def report_unclosed(self, delimiter: str, line: int) -> None:
        """Report a delimiter that begins no formula."""
        reason, instead = UNCLOSED[delimiter]
        self.faults.append(TextFault(line=line, reason=reason, instead=instead))

    def place_math(self, source: str, tokens: Sequence[scan.Token]) -> str:
        """Return the placeholder of a `math` element."""
        seen, self._math_seen = self._math_seen, self._math_seen + 1
        line = self._math_lines[min(seen, len(self._math_lines) - 1)] if self._math_lines else 1
        try:
            return self._add(from_mathml(source, tokens, self.losses), line)
        except MathMLError as error:
            self.faults.append(
                TextFault(line=line, reason=str(error), instead="write the formula in TeX, or repair it")
            )
            return ""

    def _add(self, formula: Formula, line: int) -> str:
        self._found.append(formula)
        if len(self._found) == MAX_FORMULAS + 1:
            self.faults.append(TextFault(line=line, reason=f"the text has more than {MAX_FORMULAS} formulas"))
        return f"{self._key}x{len(self._found) - 1}x"

    def pieces(self, text: str) -> list[str | Formula]:
        """Return text in pieces: every second one is a formula."""
        parts: list[str | Formula] = list(self._place.split(text))
        parts[1::2] = [self._found[int(str(index))] for index in parts[1::2]]
        return parts

    def plain(self, text: str) -> str:
        """Return text with the source of its formulas."""
        return "".join(part if isinstance(part, str) else part.text for part in self.pieces(text))


def cut_tex(html: str, first_line: int, formulas: Formulas) -> str:
    """Return HTML with placeholders for the TeX in its texts, except in code and where text is not shown."""
    parts = []
    hidden: Counter[str] = Counter()
    for token in scan.tokens(html):
        raw = html[token.start : token.end]
        if isinstance(token, scan.Tag) and token.name in VERBATIM | REMOVED_WITH_CONTENT and not token.empty:
            hidden[token.name] = max(0, hidden[token.name] + (-1 if token.closes else 1))
        elif isinstance(token, scan.Text) and not hidden.total():
            raw = _cut(raw, first_line + html.count("\n", 0, token.start), formulas)
        parts.append(raw)
    return "".join(parts)


def _cut(text: str, line: int, formulas: Formulas) -> str:
    def place(match: re.Match[str]) -> str:
        where = line + text.count("\n", 0, match.start())
        if match[0] in UNCLOSED:
            formulas.report_unclosed(match[0], where)
            return ""
        tex = match[1] if match[1] is not None else match[2]
        return formulas.place_tex(unescape(tex).replace("\xa0", " "), match[2] is not None, where)

    return ANY.sub(place, text)


def cut_math(html: str, formulas: Formulas) -> tuple[str, list[scan.Token]]:
    """Return HTML with placeholders for its `math` elements, and the tokens that a reader would see of the rest."""
    parts: list[str] = []
    shown: list[scan.Token] = []
    inside: list[scan.Token] = []
    name, level = "", 0
    for token in scan.tokens(html):
        tag = token if isinstance(token, scan.Tag) else None
        if not name and tag and not tag.closes and tag.name in REMOVED_WITH_CONTENT:
            name = tag.name
        if not name:
            shown.append(token)
            parts.append(html[token.start : token.end])
            continue
        inside.append(token)
        if tag and tag.name == name and not tag.empty:
            level += -1 if tag.closes else 1
        if level == 0:
            _end(html, name, inside, parts, shown, formulas)
            name, inside = "", []
    if inside:
        _end(html, name, inside, parts, shown, formulas)
    return "".join(parts), shown


def _end(
    html: str, name: str, inside: list[scan.Token], parts: list[str], shown: list[scan.Token], formulas: Formulas
) -> None:
    """Take an element whose content is not read as HTML."""
    raw = html[inside[0].start : inside[-1].end]
    if name == "math":
        source = formulas.plain(raw)
        parts.append(formulas.place_math(source, list(scan.tokens(source))))
    else:
        parts.append(raw)
        shown.append(inside[0])
