"""The grammar of GIFT's answer blocks, in which escaped signs are marks that no terminal contains."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lark import Lark, Token, Tree

_GRAMMAR: Final = r"""
answers: first? entry*
first: WEIGHT TEXT? feedback? | TEXT feedback? | feedback
entry: SIGN WEIGHT? TEXT? feedback?
feedback: HASH (TEXT | HASH)*

pairs: SIDE? pair*
pair: EQUALS SIDE? (ARROW SIDE?)*

SIGN: "=" | "~"
HASH: "#"
WEIGHT.2: /\s*%-?[0-9]{1,2}\.?[0-9]*%/
TEXT: /[^=~#]+/
EQUALS: "="
ARROW: "->"
SIDE: /((?!->)[^=])+/
"""
_PARSER: Final = Lark(_GRAMMAR, start=["answers", "pairs"], parser="lalr")


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer: `sign` is `=`, `~`, or empty before the first sign; `percent` is what stands between percent signs."""

    sign: str
    percent: str | None
    text: str
    feedback: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A stem and its target; None if there is no arrow."""

    stem: str
    target: str | None
    offset: int


def answers(block: str) -> Iterator[Entry]:
    """Yield the answers of a block; white space before the first sign is none."""
    for tree in _trees(_PARSER.parse(block, start="answers")):
        tokens = _tokens(tree)
        entry = Entry(
            sign=str(tokens.get("SIGN", "")),
            percent=tokens["WEIGHT"].strip().strip("%") if "WEIGHT" in tokens else None,
            text=str(tokens.get("TEXT", "")),
            feedback=any(_tokens(each).get("TEXT", "").strip() for each in _trees(tree)),
            offset=_offset(tokens),
        )
        if entry.sign or entry.text.strip() or entry.percent or entry.feedback:
            yield entry


def pairs(block: str) -> Iterator[Pair]:
    """Yield the pairs of a block; a text before the first sign is a pair without an arrow."""
    tree = _PARSER.parse(block, start="pairs")
    for child in tree.children:
        if isinstance(child, Token):
            if child.strip():
                yield Pair(str(child), None, child.start_pos or 0)
            continue
        tokens = [token for token in child.children if isinstance(token, Token)]
        text = "".join(tokens[1:])
        stem, arrow, target = text.partition("->")
        yield Pair(stem, target if arrow else None, tokens[0].start_pos or 0)


def _trees(tree: Tree[Token]) -> list[Tree[Token]]:
    return [child for child in tree.children if isinstance(child, Tree)]


def _tokens(tree: Tree[Token]) -> dict[str, Token]:
    """The tokens of a tree, the first of each type."""
    found: dict[str, Token] = {}
    for child in tree.children:
        if isinstance(child, Token):
            found.setdefault(child.type, child)
    return found


def _offset(tokens: dict[str, Token]) -> int:
    return min((token.start_pos or 0 for token in tokens.values()), default=0)
