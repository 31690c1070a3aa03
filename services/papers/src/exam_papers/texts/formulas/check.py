"""What is wrong with a formula in TeX, found first: the converter would show unknown commands as letters."""

import re
from dataclasses import dataclass, field
from typing import Final

from latex2mathml.tokenizer import PATTERN

from exam_papers.texts.formulas.commands import ENVIRONMENTS, ESCAPES, KNOWN, LENGTHS, ROWS, TEXTS, reason_without
from exam_papers.texts.limits import MAX_FORMULA

_SHOWN: Final = 30
"""Length to which names of commands are cut in faults."""
_TEXT_ESCAPE: Final = re.compile(r"\\([%#$&_ ])")
_COLOUR: Final = re.compile(r"\s*(?:[a-z]{3,20}|#[0-9a-fA-F]{3}|#[0-9a-fA-F]{6})\s*")
_OPENED: Final = {"}": "{", "right": "left"}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, what to write instead, and the place in the formula."""

    reason: str
    instead: str
    offset: int


@dataclass(slots=True)
class Checked:
    """A formula as the converter takes it, and what is wrong with it."""

    tex: str = ""
    problems: list[Problem] = field(default_factory=list)


def check(tex: str) -> Checked:
    """Check a formula, and write what the converter would misunderstand in another way."""
    if len(tex) > MAX_FORMULA:
        instead = f"use at most {MAX_FORMULA} characters, in several formulas"
        return Checked(problems=[Problem("the formula is too long", instead, 0)])
    if not tex.strip():
        return Checked(problems=[Problem("the formula is empty", "leave its delimiters out", 0)])
    return _Check().run(tex)


class _Check:
    """One pass over the tokens of a formula, with what is open at each."""

    def __init__(self) -> None:
        self._open: list[tuple[str, str, int]] = []
        self._last = ""
        self._result = Checked()

    def run(self, tex: str) -> Checked:
        end, parts = 0, []
        for match in PATTERN.finditer(tex):
            parts += [tex[end : match.start()], self._token(match)]
            end = match.end()
        for kind, name, offset in self._open:
            if kind == "environment":
                self._fault(rf"\begin{{{name}}} has no \end", rf"close it with \end{{{name}}}", offset)
            elif kind == "left":
                self._fault(r"\left has no \right", r"close it with \right and a delimiter, or \right.", offset)
            else:
                self._fault("{ has no }", "close the brace", offset)
        self._result.tex = "".join([*parts, tex[end:]])
        return self._result

    def _fault(self, reason: str, instead: str, offset: int) -> None:
        self._result.problems.append(Problem(reason, instead, offset))

    def _unsupported(self, name: str, offset: int) -> None:
        reason, instead = reason_without(name[:_SHOWN])
        self._fault(rf"\{name[:_SHOWN]} {reason}", instead, offset)

    def _token(self, match: re.Match[str]) -> str:
        """Check a token, and return it as the converter takes it."""
        whole, offset = match[0], match.start()
        if match["text_cmd"]:
            return self._with_text(match["text_cmd"][1:], match["text_content"], offset)
        if match["command"]:
            self._command(whole[1:], offset)
        elif match["begin_end"]:
            return self._environment(whole, offset)
        elif match["math_font"]:
            return self._with_font(match["math_font"][1:], match["math_arg"], offset)
        elif match["escaped"]:
            return self._escaped(whole, match.string[match.end() : match.end() + 1], offset)
        elif match["dimension"] and self._last not in LENGTHS:
            return re.sub(r"\s*([a-z])([a-z])$", r"{\1}\2", whole)
        else:
            self._sign(match, whole, offset)
        return whole

    def _sign(self, match: re.Match[str], whole: str, offset: int) -> None:
        if match["comment"] or whole == "%":
            self._fault("% begins a comment in TeX", r"for the sign, write \%", offset)
        elif match["verb"]:
            self._unsupported("verb", offset)
        elif match["char"]:
            self._char(whole, match.string, offset)

    def _with_text(self, command: str, content: str, offset: int) -> str:
        if command in {"color", "textcolor"}:
            if not _COLOUR.fullmatch(content):
                self._fault(rf"\{command} has an unknown colour", "write a name such as red, or #cc0000", offset)
        elif command not in TEXTS and not command.startswith("tag"):
            self._unsupported(command, offset)
        if re.search(r"(?<!\\)[$]|\\(?:[^%#$&_ ]|$)|[{]", content):
            self._fault(rf"\{command} contains a command, a formula or braces", "close it before them", offset)
        return rf"\{command}{{{_words(content) if command in TEXTS else content}}}"

    def _with_font(self, command: str, letter: str, offset: int) -> str:
        if command not in KNOWN:
            self._unsupported(command, offset)
        # the converter's symbol for one upright letter would be the italic one
        return rf"\{command}{{{{{letter}}}}}" if command == "mathrm" else rf"\{command}{{{letter}}}"

    def _command(self, name: str, offset: int) -> None:
        self._last = name
        if name not in KNOWN:
            if name in TEXTS | {"color"}:
                self._fault(rf"\{name} has no braces", rf"write \{name}{{…}}", offset)
            elif name.startswith("operatorname"):
                self._fault(rf"\{name} contains more than letters and spaces", r"write \operatorname{argmax}", offset)
            elif name in {"begin", "end"}:
                self._fault(rf"\{name} has no name of an environment", rf"write \{name}{{…}}", offset)
            else:
                self._unsupported(name, offset)
        elif name in TEXTS:
            self._fault(rf"\{name} has no braces, or no end of them", rf"write \{name}{{…}}", offset)
        elif name == "left":
            self._open.append(("left", name, offset))
        elif name == "right":
            self._close("left", name, offset)
        elif name in {"hline", "hdashline"} and not self._in_rows():
            self._fault(rf"\{name} is in no table", "leave it out", offset)

    def _environment(self, whole: str, offset: int) -> str:
        name = whole[whole.index("{") + 1 : -1]
        if name not in ENVIRONMENTS:
            if whole.startswith(r"\begin"):
                choices = "aligned, gathered, cases, array or pmatrix"
                self._fault(rf"\begin{{{name[:_SHOWN]}}} is unknown", f"use {choices}", offset)
        elif whole.startswith(r"\begin"):
            self._open.append(("environment", name, offset))
            return rf"\begin{{{ENVIRONMENTS[name]}}}"
        else:
            self._close("environment", name, offset)
            return rf"\end{{{ENVIRONMENTS[name]}}}"
        return whole

    def _close(self, kind: str, name: str, offset: int) -> None:
        if self._open and self._open[-1][0] == kind and (kind != "environment" or self._open[-1][1] == name):
            self._open.pop()
            return
        shown = {"left": r"\right", "brace": "}"}.get(kind, rf"\end{{{name}}}")
        self._fault(f"{shown} closes nothing that is open here", "look for what is missing before it", offset)

    def _in_rows(self) -> bool:
        return any(kind in {"environment", "rows"} for kind, _, _ in self._open)

    def _escaped(self, whole: str, after: str, offset: int) -> str:
        char = whole[1]
        if char.isspace():
            return "\\ "
        if char not in ESCAPES:
            self._fault(f"\\{char} is unknown in a formula", rf"write \{char} outside of formulas only", offset)
        elif char == "\\" and not self._in_rows():
            self._fault(
                r"\\ begins a line outside of an environment", r"use \begin{aligned} or \begin{gathered}", offset
            )
        elif char == "\\" and after == "[":
            self._fault(r"\\ is followed by the height of a gap", "leave it out: [ and what it contains", offset)
        return whole

    def _char(self, char: str, tex: str, offset: int) -> None:
        if char == "{":
            self._open.append(("rows" if self._last in ROWS else "brace", char, offset))
        elif char == "}":
            self._close(self._open[-1][0] if self._open and self._open[-1][0] == "rows" else "brace", char, offset)
        elif char == "&" and not self._in_rows():
            self._fault("& divides columns, and is in no table", r"for the sign, write \&", offset)
        elif char in "$#":
            self._fault(f"{char} is not a sign of formulas", rf"for the sign, write \{char}", offset)
        elif char == "\\":
            named = tex[offset + 1 : offset + 2]
            self._fault(f"\\{named} is unknown in a formula", "leave the backslash out", offset)


def _words(content: str) -> str:
    """Return words as references where the converter would take them for a comment, a length or a reference."""
    plain = _TEXT_ESCAPE.sub(r"\1", content).replace("&", "&#x26;")
    return f"&#x{ord(plain[0]):x};{plain[1:]}" if plain and plain[0] != "&" else plain


def lines_before(tex: str, offset: int) -> int:
    """Return how many lines end before a place in a formula."""
    return tex.count("\n", 0, offset)
