"""Texts of Moodle XML with their formats and images."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from exam_core.authored import TextFormat
from exam_core.images import ImageRef
from exam_papers.formats.collector import Collector
from exam_papers.formats.markup import IMAGE_SCHEME, ITEM_IMAGE_AT_END, SourceFormat, SourceText, replace_images
from exam_papers.formats.model import LossCode, Place
from exam_papers.formats.xml_tree import Node

FORMATS: Final = {
    "html": SourceFormat.HTML,
    "moodle_auto_format": SourceFormat.MOODLE,
    "plain_text": SourceFormat.PLAIN,
    "markdown": SourceFormat.MARKDOWN,
}
FORMAT_NAMES: Final = {
    text_format: name
    for name, source in FORMATS.items()
    if source is not SourceFormat.MOODLE
    for text_format in TextFormat
    if text_format is source.value
}
WIKI: Final = "wiki_like"
PLUGIN_FILE: Final = "@@PLUGINFILE@@"
_DATA_URI: Final = re.compile(r"data:image/[\w.+-]+;base64,(.*)", re.DOTALL)
_MAX_BASE64: Final = 20_000_000


@dataclass(frozen=True, slots=True)
class ReadText:
    """A text, and the image behind it if it is one that this platform wrote."""

    source: SourceText
    image: ImageRef | None = None


class Texts:
    """Reads the texts of one question."""

    def __init__(self, collector: Collector, name: str) -> None:
        self.collector = collector
        self.name = name
        self.question_format = SourceFormat.HTML

    def read(self, node: Node | None, default: SourceFormat | None = None) -> ReadText:
        """Read an element with a ``<text>`` and perhaps files, without format in the question's."""
        text_format = default or self.question_format
        if node is None:
            return ReadText(SourceText("", text_format))
        named = node.attributes.get("format")
        if named == WIKI:
            self.lose(LossCode.TEXT_FORMAT, "wiki markup is shown as it is written")
            text_format = SourceFormat.MOODLE
        elif named is not None:
            text_format = FORMATS.get(named, SourceFormat.HTML)
        text = self.bare(node)
        images = _Images(self, node)
        target = text_format.value if isinstance(text_format.value, TextFormat) else TextFormat.HTML
        text = replace_images(text, target, images.reference)
        images.report()
        if target is not TextFormat.PLAIN and (found := ITEM_IMAGE_AT_END.search(text)) and found[1] in images.refs:
            return ReadText(SourceText(text[: found.start()].rstrip(), text_format), images.refs[found[1]])
        return ReadText(SourceText(text, text_format))

    def bare(self, node: Node) -> str:
        """Return what is in the ``<text>`` of an element, or in the element itself."""
        inner = node.first("text") or node
        if inner is not node and inner.children:
            self.fault(inner.children[0], "has elements in a <text>: enclose HTML in <![CDATA[ ]]>")
        return inner.text.strip()

    def image(self, node: Node, data: str) -> ImageRef | None:
        """Accept an image in base64; None and a fault if it is not usable."""
        try:
            if len(data) > _MAX_BASE64:
                raise ValueError("it is too large")  # noqa: TRY301 - reported like the other reasons
            return self.collector.image(base64.b64decode("".join(data.split()), validate=True))
        except (binascii.Error, ValueError) as error:
            self.fault(node, f"has an image that is not usable: {error}")
            return None

    def fault(self, node: Node, reason: str) -> None:
        """Record a fault at an element."""
        self.collector.fault(Place(node.line), reason, self.name)

    def lose(self, code: LossCode, feature: str, count: int = 1) -> None:
        """Record a loss of the question."""
        self.collector.lose(code, feature, self.name, count)


class _Images:
    """The files beside a text, and what the text refers to."""

    def __init__(self, texts: Texts, node: Node) -> None:
        self.texts = texts
        self.node = node
        self.files = {
            f"{each.attributes.get('path', '/')}{each.attributes.get('name', '')}": each for each in node.all("file")
        }
        self.used: dict[str, str] = {}
        self.refs: dict[str, ImageRef] = {}

    def reference(self, reference: str) -> str:
        """Return what a text refers to instead: an image by its digest."""
        if reference in self.used:
            return self.used[reference]
        self.used[reference] = self._replaced(reference)
        return self.used[reference]

    def _replaced(self, reference: str) -> str:
        if reference.startswith(PLUGIN_FILE):
            name = unquote(reference.removeprefix(PLUGIN_FILE).partition("?")[0])
            if (file := self.files.get(name)) is None:
                self.texts.lose(LossCode.IMAGES, "an image has no file")
                return reference
            return self._accepted(file, file.text, reference)
        if inline := _DATA_URI.fullmatch(reference):
            return self._accepted(self.node, unquote(inline[1]), reference)
        self.texts.lose(LossCode.IMAGES, "an image on another server is not taken")
        return reference

    def _accepted(self, node: Node, data: str, reference: str) -> str:
        ref = self.texts.image(node, data)
        if ref is None:
            return reference
        self.refs[ref.sha256] = ref
        return IMAGE_SCHEME + ref.sha256

    def report(self) -> None:
        """Record the files that no image refers to."""
        used = {unquote(reference.removeprefix(PLUGIN_FILE).partition("?")[0]) for reference in self.used}
        self.texts.lose(
            LossCode.IMAGES, "a file that is no image in the text is dropped", len(self.files.keys() - used)
        )
