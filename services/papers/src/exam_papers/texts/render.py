"""A text as its author wrote it, rendered: the HTML that papers contain, and plain text."""

import re
from dataclasses import dataclass
from typing import Final

from exam_core.authored import TextFormat
from exam_papers.texts.faults import Loss, TextError, TextFault
from exam_papers.texts.html import fragment
from exam_papers.texts.html.fragment import FragmentError, parse
from exam_papers.texts.html.plain import plain_text
from exam_papers.texts.html.sanitise import UnstableError, losses, sanitise, unclosed
from exam_papers.texts.html.scan import Tag
from exam_papers.texts.limits import MAX_HTML_DEPTH, MAX_MARKDOWN, MAX_SOURCE, MAX_TAGS, MAX_UNCLOSED
from exam_papers.texts.markdown import to_html
from exam_papers.texts.sources import Formulas, cut_math, cut_tex

_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_NO_IMAGES: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A text for students: sanitised HTML with MathML, and plain text; `losses` names what the HTML does not keep.

    Images in the HTML have `src="sha256:…"`, the digest of their content. Services decide where it is fetched from.
    """

    html: str
    text: str
    losses: tuple[Loss, ...] = ()


def render(source: str, text_format: TextFormat, *, images: frozenset[str] = _NO_IMAGES) -> Rendered:
    """Render a text; `images` are the SHA-256 digests of the images that it may show.

    The result depends on nothing else. A text that cannot be rendered raises TextError with all its faults.
    """
    _check_characters(source, MAX_MARKDOWN if text_format is TextFormat.MARKDOWN else MAX_SOURCE)
    lines = source.replace("\r\n", "\n").replace("\r", "\n")
    if text_format is TextFormat.PLAIN:
        return Rendered(html=_plain_html(lines), text=source)
    formulas = Formulas(lines)
    if text_format is TextFormat.MARKDOWN:
        html = to_html(
            lines, formulas.place_tex, formulas.report_unclosed, lambda html, line: cut_tex(html, line, formulas)
        )
    else:
        html = cut_tex(lines, 1, formulas)
    return _sanitised(html, formulas, images)


def _check_characters(source: str, most: int) -> None:
    if len(source) > most:
        raise TextError([TextFault(line=1, reason=f"the text is longer than {most} characters")])
    if faults := [
        TextFault(
            line=1 + source.count("\n", 0, match.start()),
            reason=f"the text contains the control character U+{ord(match[0]):04X}",
            instead="remove it, or write the backslash of a formula in single quotes",
        )
        for match in _FORBIDDEN.finditer(source)
    ]:
        raise TextError(faults)


def _plain_html(source: str) -> str:
    paragraphs = re.split(r"\n(?:[ \t]*\n)+", source.strip("\n"))
    written = (
        "<br>\n".join(fragment.guarded(line) for line in text.split("\n")) for text in paragraphs if text.strip()
    )
    return "\n".join(f"<p>{text}</p>" for text in written)


def _sanitised(html: str, formulas: Formulas, images: frozenset[str]) -> Rendered:
    html, tokens = cut_math(html, formulas)
    formulas.losses.update(losses(tokens, images))
    root = None
    if sum(isinstance(token, Tag) for token in tokens) > MAX_TAGS:
        formulas.faults.append(TextFault(line=1, reason=f"the HTML has more than {MAX_TAGS} tags"))
    elif unclosed(tokens) > MAX_UNCLOSED:
        reason = f"more than {MAX_UNCLOSED} elements such as <b> are not closed"
        formulas.faults.append(TextFault(line=1, reason=reason, instead="close them"))
    else:
        root = _tree(html, formulas, images)
    if formulas.faults or root is None:
        raise TextError(formulas.faults)
    _resolve(root, formulas)
    return Rendered(
        html=fragment.serialise(root, lambda text, verbatim: _html_of(text, verbatim, formulas), images).strip(),
        text=plain_text(root, formulas.plain),
        losses=tuple(
            Loss(element=element[:50], attribute=attribute[:50], count=count)
            for (element, attribute), count in sorted(formulas.losses.items())
        ),
    )


def _tree(html: str, formulas: Formulas, images: frozenset[str]) -> fragment.Element | None:
    """Return sanitised HTML as a tree. What the strict reader does not know is refused."""
    try:
        root, levels = parse(sanitise(html, images))
    except (FragmentError, UnstableError):
        reason = "the elements of the HTML are nested in a way that is not allowed"
        formulas.faults.append(TextFault(line=1, reason=reason, instead="close each element inside the one around it"))
        return None
    if levels > MAX_HTML_DEPTH:
        formulas.faults.append(TextFault(line=1, reason=f"elements are nested deeper than {MAX_HTML_DEPTH} levels"))
        return None
    return root


def _resolve(element: fragment.Element, formulas: Formulas) -> None:
    """Write formulas in attributes as their source, and images that are not shown as their descriptions."""
    element.attributes = {name: formulas.plain(value) for name, value in element.attributes.items()}
    for index, child in enumerate(element.children):
        if isinstance(child, str):
            continue
        _resolve(child, formulas)
        if child.name == "img" and "src" not in child.attributes:
            element.children[index] = child.attributes.get("alt", "")


def _html_of(text: str, verbatim: bool, formulas: Formulas) -> str:  # noqa: FBT001 (one of two arguments)
    if verbatim:
        return fragment.escaped(formulas.plain(text))
    return "".join(fragment.guarded(part) if isinstance(part, str) else part.html for part in formulas.pieces(text))
