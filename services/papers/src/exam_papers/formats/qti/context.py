"""What the readers of one item share: its name, its faults and losses, and the files beside it."""

import base64
import binascii
import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final
from urllib.parse import unquote

from exam_core.images import ImageRef
from exam_core.numbers import NotANumberError
from exam_papers.formats.archives import Archive
from exam_papers.formats.collector import Collector
from exam_papers.formats.markup import IMAGE_SCHEME
from exam_papers.formats.model import LossCode, Place
from exam_papers.formats.moodle import point_number
from exam_papers.formats.qti.names import resolve
from exam_papers.formats.xml_tree import Node

_DATA_URI: Final = re.compile(r"data:image/[\w.+-]+;base64,(.*)", re.DOTALL)
_MAX_BASE64: Final = 20_000_000


class NotUnderstoodError(Exception):
    """A response processing that scores in a way which is not understood."""


class NotTakenError(Exception):
    """A question that has no place here; the message says what it is."""


@dataclass
class Context:
    """Records what is found in one item; `path` is the item's file in `archive`, if there is one."""

    collector: Collector
    label: str
    archive: Archive | None
    path: str
    refs: dict[str, ImageRef] = field(default_factory=dict)
    """The images of the item by digest."""

    def fault(self, node: Node, reason: str) -> None:
        """Record a fault at an element."""
        self.collector.fault(Place(node.line), reason, self.label)

    def warn(self, node: Node, reason: str) -> None:
        """Record a warning at an element."""
        self.collector.warn(Place(node.line), reason, self.label)

    def lose(self, code: LossCode, feature: str, count: int = 1) -> None:
        """Record a loss of the question."""
        self.collector.lose(code, feature, self.label, count)

    def lose_once(self, code: LossCode, feature: str) -> None:
        """Record a loss of the file."""
        self.collector.lose(code, feature)

    def number(self, node: Node, text: str) -> Fraction:
        """Return a number of an element; 0 and a fault if it is none."""
        try:
            return point_number(text)
        except NotANumberError as error:
            self.fault(node, f"has a number in <{node.name}> which {error.reason}")
            return Fraction(0)

    def optional_number(self, node: Node, attribute: str) -> Fraction | None:
        """Return the number in an attribute; None without it."""
        text = node.attributes.get(attribute, "").strip()
        return self.number(node, text) if text else None

    def image(self, node: Node, reference: str) -> str:
        """Return what a text refers to instead of a file: an image by its digest."""
        if inline := _DATA_URI.fullmatch(reference.strip()):
            data = self._decoded(unquote(inline[1]), node)
        else:
            data = self._file(reference)
        if data is None:
            return reference
        try:
            ref = self.collector.image(data)
        except ValueError as error:
            self.fault(node, f"has an image that is not usable: {error}")
            return reference
        self.refs[ref.sha256] = ref
        return IMAGE_SCHEME + ref.sha256

    def _decoded(self, data: str, node: Node) -> bytes | None:
        try:
            if len(data) <= _MAX_BASE64:
                return base64.b64decode("".join(data.split()), validate=True)
            self.fault(node, "has an image that is not usable: it is too large")
        except binascii.Error as error:
            self.fault(node, f"has an image that is not usable: {error}")
        return None

    def _file(self, reference: str) -> bytes | None:
        path = resolve(self.path, reference)
        if path is None:
            self.lose(LossCode.IMAGES, "an image that is not in the package is not taken")
        elif self.archive is None:
            self.lose(LossCode.IMAGES, "an image is a file of a package: import the package")
        elif path not in self.archive:
            self.lose(LossCode.IMAGES, "an image has no file")
        else:
            return self.archive.read(path)
        return None
