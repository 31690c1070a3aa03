"""The content of items as HTML: elements in plain spelling, images by digest, and the places of interactions."""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from exam_core.authored import TextFormat
from exam_core.images import ImageRef
from exam_papers.formats.markup import ITEM_IMAGE_AT_END, plain
from exam_papers.formats.model import LossCode
from exam_papers.formats.qti.context import Context
from exam_papers.formats.qti.names import UNIT_CLASS
from exam_papers.formats.xml_tree import Node

GAP: Final = "_____"
"""What stands in the text for a field in the middle of it."""
VOID: Final = frozenset({"br", "hr", "img", "col", "wbr", "source", "track", "input", "embed"})
BLOCKS: Final = frozenset(
    re.findall(r"\w+", "p div ul ol dl table blockquote pre h1 h2 h3 h4 h5 h6 hr figure section article")
)
INTERACTION: Final = "Interaction"
"""How the names of interactions end."""
INLINE: Final = frozenset({"textEntryInteraction", "inlineChoiceInteraction"})
_FEEDBACK: Final = frozenset({"feedbackInline", "feedbackBlock", "modalFeedback", "infoControl"})
_DROPPED: Final = frozenset({"stylesheet", "script", "style", "catalogInfo", "include", "audio", "video", "iframe"})
_TRANSPARENT: Final = frozenset({"contentBody", "templateInline", "templateBlock"})
_NOT_KEPT: Final = frozenset({"base", "schemaLocation"})
_MARK: Final = "\ufdd1"
"""The place of a field; no text of a file contains this character."""
_LINE_END: Final = re.compile(r"[ \t]*\n[ \t\n]*")
_TAG: Final = re.compile(r"<(?!img|hr|math)[^>]*>")
_UNIT: Final = re.compile(rf'{_MARK}\s*<span class="{UNIT_CLASS}">([^<]*)</span>')


def shows_something(shown: str) -> bool:
    """Return whether an HTML text has words, an image or a formula."""
    return bool(_TAG.sub("", shown).strip())


@dataclass(frozen=True, slots=True)
class ReadText:
    """A text, and the image behind it if it is one that this platform wrote."""

    text: str
    image: ImageRef | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """What an item asks, with the unit behind its field and the notes for the marker."""

    text: ReadText
    unit: str = ""
    notes: str = ""


def interactions(node: Node) -> Iterator[Node]:
    """Yield the interactions in an element, in order."""
    for child in node.children:
        if child.name.endswith(INTERACTION):
            yield child
        else:
            yield from interactions(child)


def has_element(node: Node, name: str) -> bool:
    """Return whether an element of a name is in another one."""
    return any(child.name == name or has_element(child, name) for child in node.children)


class Content:
    """Turns the content of one item into HTML."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def read(self, node: Node) -> ReadText:
        """Return what is in an element, and the image at its end."""
        return self._with_image(self.inner(node).strip())

    def bare(self, node: Node) -> str:
        """Return the words in an element."""
        return plain(self.inner(node), TextFormat.HTML)[0].strip()

    def body(self, node: Node, before: list[Node]) -> Body:
        """Return what an item asks: the elements of its body, and those of its stimulus before them."""
        pieces: list[tuple[Node, str]] = []
        notes: list[str] = []
        unit = ""
        for child in (*before, *node.children):
            if child.name == "rubricBlock" and not self._is_shown(child):
                notes += self._notes(child)
                continue
            shown = self._element(child).strip()
            if found := _UNIT.search(shown):
                unit = html.unescape(found[1])
                shown = _UNIT.sub(_MARK, shown)
            if _TAG.sub("", shown).strip() not in {"", _MARK}:
                pieces.append((child, shown))
        texts = [_unwrapped(*pieces[0])] if len(pieces) == 1 else [shown for _, shown in pieces]
        text = "\n".join(filter(None, (self._text(node.text, pre=False).strip(), *texts)))
        return Body(self._with_image(text.replace(_MARK, GAP)), unit, "\n".join(notes))

    @staticmethod
    def _is_shown(rubric: Node) -> bool:
        view = rubric.attributes.get("view", "candidate").split()
        return "candidate" in view

    def _notes(self, rubric: Node) -> list[str]:
        if "scorer" in rubric.attributes.get("view", "").split():
            return [self.bare(rubric)]
        self.context.lose(LossCode.SECTION_TEXT, "a text for others than students and markers is dropped")
        return []

    def _with_image(self, text: str) -> ReadText:
        if (found := ITEM_IMAGE_AT_END.search(text)) and found[1] in self.context.refs:
            return ReadText(text[: found.start()].rstrip(), self.context.refs[found[1]])
        return ReadText(text)

    def inner(self, node: Node, *, pre: bool = False) -> str:
        """Return what is in an element as HTML."""
        pre = pre or node.name == "pre"
        parts = [self._text(node.text, pre=pre)]
        for child in node.children:
            parts += [self._element(child, pre=pre), self._text(child.tail, pre=pre)]
        return "".join(parts)

    @staticmethod
    def _text(text: str, *, pre: bool) -> str:
        escaped = html.escape(text, quote=False)
        return escaped if pre else _LINE_END.sub("\n", escaped)

    def _element(self, node: Node, *, pre: bool = False) -> str:
        name = node.name
        if name.endswith(INTERACTION):
            return self._interaction(node)
        if name in _FEEDBACK or name in _DROPPED:
            return self._dropped(name)
        if name in _TRANSPARENT:
            return self.inner(node, pre=pre)
        if (special := _SPECIAL.get(name)) is not None:
            return special(self, node)
        start = f"<{name}{self._attributes(node)}>"
        return start if name in VOID else f"{start}{self.inner(node, pre=pre)}</{name}>"

    def _dropped(self, name: str) -> str:
        if name in _FEEDBACK:
            self.context.lose(LossCode.FEEDBACK, "feedback and hints are dropped")
        else:
            self.context.lose(LossCode.MARKUP, f"<{name}> is dropped")
        return ""

    def _rubric(self, node: Node) -> str:
        return f"<div>{self.inner(node)}</div>"

    def _interaction(self, node: Node) -> str:
        if node.name in INLINE:
            return _MARK
        prompt = node.first("prompt")
        if prompt is None:
            return ""
        name = "div" if any(child.name in BLOCKS for child in prompt.children) else "p"
        return f"<{name}>{self.inner(prompt).strip()}</{name}>"

    def _attributes(self, node: Node) -> str:
        return "".join(
            f' {key}="{html.escape(value)}"' for key, value in node.attributes.items() if key not in _NOT_KEPT
        )

    def _image(self, node: Node) -> str:
        source = self.context.image(node, node.attributes.get("src", ""))
        kept = {key: source if key == "src" else value for key, value in node.attributes.items()}
        return f"<img{self._attributes(Node('img', node.line, attributes=kept))}>"

    def _object(self, node: Node) -> str:
        kind, data = node.attributes.get("type", ""), node.attributes.get("data", "")
        if not kind.startswith("image/"):
            self.context.lose(LossCode.MARKUP, "<object> is dropped")
            return ""
        sizes = {key: node.attributes[key] for key in ("width", "height") if key in node.attributes}
        return self._image(Node("img", node.line, attributes={"src": data, "alt": self.bare(node), **sizes}))


_SPECIAL: Final[dict[str, Callable[[Content, Node], str]]] = {
    "img": Content._image,  # noqa: SLF001 - methods of the class above
    "rubricBlock": Content._rubric,  # noqa: SLF001
    "object": Content._object,  # noqa: SLF001
}


def _unwrapped(node: Node, shown: str) -> str:
    """Return a block that stands alone, without the element that only groups it."""
    if node.name == "div" and {"lang", "dir"} & node.attributes.keys():
        return shown
    if node.name in {"div", "rubricBlock"} or node.name.endswith(INTERACTION):
        return shown[shown.index(">") + 1 : shown.rindex("<")].strip()
    return shown
