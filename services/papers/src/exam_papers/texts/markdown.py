"""CommonMark with tables, strikethrough and formulas, made into HTML that is still to be sanitised."""

from collections.abc import Callable, Sequence
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from exam_papers.texts.delimiters import DISPLAY, INLINE

Place = Callable[[str, bool, int], str]
"""Takes a formula's TeX, whether it is displayed, and its line; returns what stands for it in HTML."""
Report = Callable[[str, int], None]
"""Takes a delimiter that begins no formula, and its line."""
Region = Callable[[str, int], str]
"""Takes raw HTML and its first line; returns it with what stands for its formulas."""

_FORMULA: Final = "formula"
_UNCLOSED: Final = "formula_unclosed"
_INDENTED_CODE: Final = 4


def to_html(source: str, place: Place, report: Report, region: Region) -> str:
    """Return a text in Markdown as HTML, with formulas cut out before their backslashes and `_` mean anything else."""
    env: EnvType = {}
    tokens = _PARSER.parse(source, env)
    line = 0
    for token in tokens:
        if token.map:
            line = token.map[0]
        if token.type == "html_block":
            token.content = region(token.content, line + 1)
        _place(token.children or [], line + 1, place, report)
    html = _PARSER.renderer.render(tokens, _PARSER.options, env)
    return str(html)


def _place(children: Sequence[Token], line: int, place: Place, report: Report) -> None:
    """Put what stands for formulas into the tokens of a paragraph."""
    for token in children:
        if token.type == _FORMULA:
            token.content = place(token.content, token.block, line + token.meta["line"])
        elif token.type == _UNCLOSED:
            report(token.content, line + token.meta["line"])
        elif token.children:
            _place(token.children, line, place, report)


def _formula(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 (called by the parser)
    """Take a formula in a paragraph."""
    delimiter = state.src[state.pos : state.pos + 2]
    if delimiter not in {"\\(", "$$"}:
        return False
    match = (DISPLAY if delimiter == "$$" else INLINE).match(state.src, state.pos)
    if not silent:
        token = state.push(_FORMULA if match else _UNCLOSED, "", 0)
        token.content = match[1] if match else delimiter
        token.block = delimiter == "$$"
        token.meta = {"line": state.src.count("\n", 0, state.pos)}
    state.pos = match.end() if match else state.pos + 2
    return True


def _displayed(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001 (called by the parser)
    """Keep the lines of a displayed formula in one paragraph, whatever they look like."""
    first = state.bMarks[start] + state.tShift[start]
    if state.sCount[start] - state.blkIndent >= _INDENTED_CODE or not state.src.startswith("$$", first):
        return False
    last = start
    while True:
        last += 1
        content = state.getLines(start, last, state.blkIndent, False)
        if match := DISPLAY.match(content.lstrip()):
            break
        if last >= end or state.isEmpty(last) or state.sCount[last] < state.blkIndent:
            return False
    if last == start + 1 and content.lstrip()[match.end() :].strip():
        return False
    if silent:
        return True
    state.line = last
    state.push("paragraph_open", "p", 1).map = [start, last]
    token = state.push("inline", "", 0)
    token.content, token.map, token.children = content.strip(), [start, last], []
    state.push("paragraph_close", "p", -1)
    return True


def _render_formula(_renderer: RendererHTML, tokens: Sequence[Token], index: int, *_: object) -> str:
    return tokens[index].content


def _render_image(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """Write an image with the formulas of its description."""
    token = tokens[index]
    children = [
        Token("text", "", 0, content=child.content) if child.type == _FORMULA else child
        for child in token.children or []
    ]
    token.attrs["alt"] = renderer.renderInlineAsText(children, options, env)
    return renderer.renderToken(tokens, index, options, env)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    parser.inline.ruler.before("escape", _FORMULA, _formula)
    interrupts = ["paragraph", "reference", "blockquote", "list"]
    parser.block.ruler.before("fence", _FORMULA, _displayed, {"alt": interrupts})
    parser.add_render_rule(_FORMULA, _render_formula)
    parser.add_render_rule(_UNCLOSED, _render_formula)
    parser.add_render_rule("image", _render_image)
    return parser


_PARSER: Final = _parser()
