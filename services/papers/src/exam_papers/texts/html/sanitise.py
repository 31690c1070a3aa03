"""HTML without what could run, load or restyle anything; all of nh3's sets are explicit, its defaults allow links."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

import nh3

from exam_papers.texts.html.rules import ATTRIBUTES, ELEMENTS, REMOVED_WITH_CONTENT, kept
from exam_papers.texts.html.scan import Comment, Tag, Token
from exam_papers.texts.names import names

_ROUNDS: Final = 8
_PRE: Final = re.compile(r"<pre(?: [^>]*)?>\n")
_FORMATTING: Final = names("a b big code em font i nobr s small strike strong tt u")


class UnstableError(ValueError):
    """HTML that is nested so that each reading changes it."""


def sanitise(html: str, images: frozenset[str]) -> str:
    """Return sanitised HTML that a browser reads as it is written.

    Markup is sanitised until that changes nothing: what a parser moves (mutation XSS) is checked where it ends up.
    """

    def value(element: str, attribute: str, given: str) -> str | None:
        return given if kept(element, attribute, given, images) else None

    cleaner = nh3.Cleaner(
        tags=ELEMENTS,
        clean_content_tags=REMOVED_WITH_CONTENT,
        attributes=ATTRIBUTES,
        attribute_filter=value,
        strip_comments=True,
        link_rel=None,
        generic_attribute_prefixes=frozenset(),
        tag_attribute_values={},
        set_tag_attribute_values={},
        url_schemes=frozenset({"sha256"}),
        allowed_classes={},
        filter_style_properties=frozenset(),
        url_relative="deny",
        id_prefix=None,
    )
    for _ in range(_ROUNDS):
        cleaned = _keep_first_line(cleaner.clean(html))
        if cleaned == html:
            return cleaned
        html = cleaned
    raise UnstableError("sanitising the HTML changes it each time")


def _keep_first_line(html: str) -> str:
    """Double an empty first line of preformatted text, of which parsers drop one."""
    return _PRE.sub("\\g<0>\n", html)


def losses(tokens: Iterable[Token], images: frozenset[str]) -> Counter[tuple[str, str]]:
    """Count the elements and attributes of a source that sanitising removes."""
    result: Counter[tuple[str, str]] = Counter()
    for token in tokens:
        if isinstance(token, Comment):
            continue
        if not isinstance(token, Tag) or token.closes:
            continue
        if token.name not in ELEMENTS or not token.complete:
            result[token.name, ""] += 1
            continue
        for attribute, given in token.attributes.items():
            if not kept(token.name, attribute, given, images):
                result[token.name, attribute] += 1
        if token.name == "img" and "src" not in token.attributes:
            result["img", "src"] += 1
    return result


def unclosed(tokens: Iterable[Token]) -> int:
    """Count the elements such as `b` that are not closed: parsers repeat them in each block that follows."""
    open_tags: Counter[str] = Counter()
    for token in tokens:
        if isinstance(token, Tag) and token.name in _FORMATTING:
            open_tags[token.name] = max(0, open_tags[token.name] + (-1 if token.closes else 1))
    return open_tags.total()
