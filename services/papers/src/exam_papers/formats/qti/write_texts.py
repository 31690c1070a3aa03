"""Writes the texts of one question, and the images in them."""

from collections.abc import Mapping
from typing import Final

from exam_core.authored import AuthoredQuestion, TextFormat
from exam_core.authoring.exam import AcceptedImage
from exam_core.images import ImageRef
from exam_papers.formats.collector import Collector
from exam_papers.formats.losses import Losses, NotWritableError
from exam_papers.formats.markup import FORMULA, IMAGE_SCHEME, SourceFormat, SourceText, as_html
from exam_papers.formats.model import LossCode
from exam_papers.formats.qti.content import Content, shows_something
from exam_papers.formats.qti.context import Context
from exam_papers.formats.qti.names import Version
from exam_papers.formats.qti.written import html_element
from exam_papers.formats.qti.xhtml import elements_of
from exam_papers.formats.xml_tree import Node

FOLDER: Final = "images"
_INSTEAD: Final = dict.fromkeys(
    ("u", "s", "mark", "ins", "del", "bdi", "bdo", "ruby", "rt", "rp"), "span"
) | dict.fromkeys(("figure", "figcaption"), "div")
"""Elements that QTI 2 does not have, and what is written for them."""


class _AsWritten(Context):
    """Reads texts again without their images, to see whether they stay as they are."""

    def image(self, node: Node, reference: str) -> str:
        """Return the reference."""
        del node
        return reference


def _no_image(data: bytes) -> AcceptedImage:
    raise ValueError(f"no image is read ({len(data)} bytes)")


class Texts:
    """Turns the texts of a question into elements, and collects the files of its images."""

    def __init__(
        self, question: AuthoredQuestion, images: Mapping[str, AcceptedImage], losses: Losses, version: Version
    ) -> None:
        self.question = question
        self.images = images
        self.losses = losses
        self.version = version
        self.files: dict[str, bytes] = {}
        self._again = Content(_AsWritten(Collector("", _no_image), "", None, ""))

    def lose(self, code: LossCode, feature: str, count: int = 1) -> None:
        """Record a loss of the question."""
        self.losses.add(code, feature, self.question.id, count)

    def formats(self) -> None:
        """Record that texts become HTML."""
        if self.question.format is not TextFormat.HTML:
            name = "Markdown becomes" if self.question.format is TextFormat.MARKDOWN else "plain texts become"
            self.lose(LossCode.TEXT_FORMAT, f"{name} HTML")

    def text(self, text: str, image: ImageRef | None = None, what: str = "text") -> Node:
        """Return the content of a text, with an image behind it.

        Raises:
            NotWritableError: nothing of it can be seen.
        """
        kept = self.losses.text(text, self.question.id)
        root, dropped = elements_of(as_html(SourceText(kept, SourceFormat(self.question.format))))
        for name, count in sorted(dropped.items()):
            self.lose(LossCode.MARKUP, f"<{name}> is not written", count)
        if self.version is not Version.V3_0:
            self._without_html5(root)
        if self.question.format is TextFormat.HTML and self.shown(root) != kept:
            self.lose(LossCode.TEXT_FORMAT, "the HTML is written in another spelling")
        if self.question.format is not TextFormat.PLAIN:
            self.lose(LossCode.TEXT_FORMAT, "formulas are written as TeX", len(FORMULA.findall(kept)))
        self._replace_images(root)
        if image is not None and (path := self._file(image.sha256)):
            root.children.append(html_element("img", **{"class": "exam-image", "src": path, "alt": ""}))
        if not shows_something(self.shown(root)):
            raise NotWritableError(f"has a {what} without words")
        return root

    def texts(self, items: list[tuple[str, ImageRef | None]], what: str) -> list[Node]:
        """Return the contents of a list.

        Raises:
            NotWritableError: two of them become the same.
        """
        nodes = [self.text(text, image, what) for text, image in items]
        if len({self.shown(node) for node in nodes}) < len(nodes):
            raise NotWritableError(f"has two {what}s that are the same as HTML")
        return nodes

    def shown(self, node: Node) -> str:
        """Return the HTML that is read again."""
        return self._again.inner(node).strip()

    def _without_html5(self, node: Node) -> None:
        for child in node.children:
            if (instead := _INSTEAD.get(child.name)) is not None:
                self.lose(LossCode.MARKUP, f"<{child.name}> becomes <{instead}>")
                child.name = instead
            self._without_html5(child)

    def _replace_images(self, node: Node) -> None:
        for child in node.children:
            if child.name == "img":
                source: str = child.attributes.get("src", "")
                if source.startswith(IMAGE_SCHEME):
                    source = self._file(source.removeprefix(IMAGE_SCHEME)) or source
                else:
                    self.lose(LossCode.IMAGES, "an image on another server is not carried")
                child.attributes = {**child.attributes, "src": source}
            self._replace_images(child)

    def _file(self, sha256: str) -> str | None:
        """Return what a text refers to: the path from an item's folder to an image; None without its bytes."""
        accepted = self.images.get(sha256)
        if accepted is None:
            self.lose(LossCode.IMAGES, "an image has no bytes")
            return None
        name = f"{FOLDER}/{sha256}.{accepted.ref.type.removeprefix('image/')}"
        self.files[name] = accepted.data
        return f"../{name}"
