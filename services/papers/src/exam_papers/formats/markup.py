"""Texts in several formats: brought to one format, to plain text, and searched for images and elements."""

import html
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from markdown_it import MarkdownIt

from exam_core import limits
from exam_core.authored import TextFormat

IMAGE_SCHEME: Final = "sha256:"
"""How a text refers to an image: the digest of its bytes follows."""
MAX_CONVERTED: Final = 2 * limits.MAX_TEXT
"""Characters of a text that are parsed: a longer one is a fault, and parsing it could take long."""
ALLOWED_ELEMENTS: Final = frozenset(
    re.findall(
        r"\w+",
        """
        p br hr div span strong b em i u s sub sup small code pre kbd samp var blockquote q ul ol li dl dt dd h3 h4 h5
        h6 table caption colgroup col thead tbody tfoot tr th td figure figcaption img abbr dfn bdi bdo ruby rt rp
        mark ins del
        """,
    )
)
"""The elements of HTML that papers show."""
MATH_ELEMENTS: Final = frozenset(
    re.findall(
        r"\w+",
        """
        math mrow mi mn mo mtext mspace ms mfrac msqrt mroot mstyle merror mpadded mphantom msub msup msubsup munder
        mover munderover mmultiscripts mprescripts mtable mtr mtd semantics annotation
        """,
    )
)
"""The elements of MathML in a text; papers show formulas."""
ITEM_IMAGE: Final = '<img class="exam-image" src="{}" alt="">'
"""How the image of a question, a choice, a stem or an item is written behind its text."""
ITEM_IMAGE_AT_END: Final = re.compile(r'<img class="exam-image" src="sha256:([0-9a-f]{64})" alt="">\Z')
"""Finds it, when it refers to an image by its digest."""


class SourceFormat(Enum):
    """How a text in a file is written."""

    MARKDOWN = TextFormat.MARKDOWN
    HTML = TextFormat.HTML
    PLAIN = TextFormat.PLAIN
    MOODLE = "moodle"
    """HTML in which a line end is a line break."""


@dataclass(frozen=True, slots=True)
class SourceText:
    """A text of a file with its format."""

    text: str
    format: SourceFormat


@dataclass(frozen=True, slots=True)
class Unified:
    """Texts in one format, and how many of them had to be turned into it from Markdown."""

    format: TextFormat
    texts: tuple[str, ...]
    from_markdown: int = 0


def unify(sources: Sequence[SourceText]) -> Unified:
    """Bring texts to one format.

    Markdown beside plain texts stays Markdown. Other mixtures become HTML. Plain texts are escaped.
    """
    formats = {source.format for source in sources if source.text}
    if len(formats) == 1 and (only := formats.pop()) is not SourceFormat.MOODLE:
        return Unified(TextFormat(only.value), tuple(source.text for source in sources))
    if formats == {SourceFormat.MARKDOWN, SourceFormat.PLAIN}:
        texts = (
            escape(each.text, TextFormat.MARKDOWN) if each.format is SourceFormat.PLAIN else each.text
            for each in sources
        )
        return Unified(TextFormat.MARKDOWN, tuple(texts))
    if not formats and sources[0].format is not SourceFormat.MOODLE:
        return Unified(TextFormat(sources[0].format.value), tuple("" for _ in sources))
    turned = sum(source.format is SourceFormat.MARKDOWN and bool(source.text) for source in sources)
    return Unified(TextFormat.HTML, tuple(map(as_html, sources)), turned)


def as_html(source: SourceText) -> str:
    """Return a text as HTML; TeX between its delimiters stays as it is."""
    if source.format is SourceFormat.HTML:
        return source.text
    if source.format is SourceFormat.MOODLE:
        return source.text.replace("\n", "<br>")
    if source.format is SourceFormat.PLAIN:
        return escape(source.text, TextFormat.HTML)
    return _render_markdown(source.text)


_MARKDOWN_SIGNS: Final = re.compile(r"[`*_\[\]<>&#~|]|\\(?=[!-'*-/:-@\[-`{-~])")
_MARKDOWN_ESCAPED: Final = re.compile(r"\\([\\`*_\[\]<>&#~|])")


def escape(text: str, target: TextFormat) -> str:
    """Return a text in `target` that is displayed as this plain text is."""
    if target is TextFormat.HTML:
        return html.escape(text, quote=False).replace("\n", "<br>")
    if target is TextFormat.MARKDOWN:
        return _MARKDOWN_SIGNS.sub(lambda match: "\\" + match.group(), text)
    return text


def plain(text: str, source: TextFormat) -> tuple[str, bool]:
    """Return a text without markup, and whether the original can be made of it by `escape`."""
    if source is TextFormat.HTML:
        bare = _words(text)
    elif source is TextFormat.MARKDOWN:
        bare = _MARKDOWN_ESCAPED.sub(r"\1", text)
    else:
        return text, True
    return bare, escape(bare, source) == text


FORMULA: Final = re.compile(r"\\\(.+?\\\)|\$\$.+?\$\$", re.DOTALL)
"""TeX between its delimiters."""
_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).enable("table")
_HELD: Final = re.compile("\ufdde([0-9]+)\ufdde")


def _render_markdown(text: str) -> str:
    """Render Markdown, with formulas as they are; HTML in it is shown as text."""
    if len(text) > MAX_CONVERTED:
        return html.escape(text, quote=False)
    formulas: list[str] = []

    def hold(match: re.Match[str]) -> str:
        formulas.append(html.escape(match.group(), quote=False))
        return f"\ufdde{len(formulas) - 1}\ufdde"

    rendered: str = _MARKDOWN.render(FORMULA.sub(hold, text))
    one = re.fullmatch(r"<p>((?:(?!</?p>).)*)</p>\n", rendered, re.DOTALL)
    bare = one[1] if one else rendered.removesuffix("\n")
    return _HELD.sub(lambda match: formulas[int(match[1])], bare)


_BREAK: Final = re.compile(r"<br\b[^<>]*>", re.IGNORECASE)
_TAG: Final = re.compile(r"<[/!]?[a-zA-Z-][^<>]*>")
_START_TAG: Final = re.compile(r"<([a-zA-Z][a-zA-Z0-9:-]*)([^<>]*)")
_STYLED: Final = re.compile(r"(?:\s|\")style\s*=", re.IGNORECASE)


def _words(text: str) -> str:
    return html.unescape(_TAG.sub("", _BREAK.sub("\n", text)))


def foreign_elements(text: str) -> Iterator[tuple[str, int]]:
    """Yield the elements of an HTML text that papers do not show, with their number; `style` is the attribute too.

    What looks like the start of an element counts as one. What is shown is decided where texts are rendered.
    """
    found: Counter[str] = Counter()
    for name, attributes in _START_TAG.findall(text):
        if name.lower() not in ALLOWED_ELEMENTS | MATH_ELEMENTS:
            found[name.lower()] += 1
        if _STYLED.search(attributes):
            found["style"] += 1
    yield from sorted(found.items())


_HTML_IMAGE: Final = re.compile(r"""(<img\b[^<>]*?\bsrc\s*=\s*)("[^"<>]*"|'[^'<>]*'|[^\s"'<>]+)""", re.IGNORECASE)
_MARKDOWN_IMAGE: Final = re.compile(r"(!\[[^\[\]]*\]\()[ \t]*(<[^<>\n]*>|[^\s()]+)")
_UNQUOTED: Final = re.compile(r"[\w@%/:.+-]+")


def replace_images(text: str, source: TextFormat, replacement: Callable[[str], str]) -> str:
    """Replace what the images of a text refer to; in Markdown those of HTML too, because files mix them."""

    def in_html(match: re.Match[str]) -> str:
        quote = match[2][0] if match[2][0] in "\"'" else ""
        reference = html.unescape(match[2][1:-1] if quote else match[2])
        if (new := replacement(reference)) == reference:
            return match.group()
        quote = quote or ("" if _UNQUOTED.fullmatch(new) else '"')
        return f"{match[1]}{quote}{html.escape(new)}{quote}"

    def in_markdown(match: re.Match[str]) -> str:
        return match[1] + replacement(match[2].strip("<>"))

    if source is TextFormat.PLAIN:
        return text
    if source is TextFormat.MARKDOWN:
        text = _MARKDOWN_IMAGE.sub(in_markdown, text)
    return _HTML_IMAGE.sub(in_html, text)


def image_references(text: str, source: TextFormat) -> list[str]:
    """Return what the images of a text refer to."""
    found: list[str] = []

    def note(reference: str) -> str:
        found.append(reference)
        return reference

    replace_images(text, source, note)
    return found
