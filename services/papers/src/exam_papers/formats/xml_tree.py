"""Parses XML into plain nodes, within bounds and without entities, document types or the network."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lxml import etree

from exam_papers.formats.encoding import decode, refusal

MAX_XML: Final = 50_000_000
"""Bytes of a document; images are a part of it."""
MAX_DEPTH: Final = 60
MAX_ELEMENTS: Final = 200_000
_DECLARED: Final = re.compile(r"\s*<\?xml[^>]*?\bencoding\s*=\s*[\"']([^\"']*)[\"']")
_SUBSET: Final = re.compile(r"(?:\s|<\?[^>]*\?>|<!--(?:(?!-->).)*-->)*<!DOCTYPE[^>\[]*\[", re.DOTALL)


@dataclass(slots=True)
class Node:
    """An element: its name without the namespace, its attributes, its own text, and its elements."""

    name: str
    line: int
    namespace: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    """The text before the first element."""
    tail: str = ""
    """The text behind it."""
    children: list["Node"] = field(default_factory=list)

    def all(self, name: str) -> Iterator["Node"]:
        """Yield the elements of a name directly in this one."""
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> "Node | None":
        """Return the first element of a name directly in this one."""
        return next(self.all(name), None)

    def value(self, name: str) -> str | None:
        """Return the trimmed text of the first element of a name, or None without one."""
        child = self.first(name)
        return None if child is None else child.text.strip()


def parse(data: bytes, file: str) -> Node:
    """Parse a document and return its root.

    Raises:
        ImportFaults: it is not UTF-8, not well-formed, too large, or has an internal document type or entities.
    """
    text = decode(data, file, most=MAX_XML)
    declared = _DECLARED.match(text)
    if declared and declared[1].lower() not in {"utf-8", "utf8", "us-ascii", "ascii"}:
        raise refusal(file, "the XML declaration names another encoding than UTF-8: save the file as UTF-8")
    if _SUBSET.match(text):
        raise refusal(file, "the document type declares entities or elements: leave out what is in its [ ]")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=False,
        encoding="utf-8",
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise refusal(file, f"is not XML: {_reason(error.msg or '')}", error.lineno or 1) from error
    if (dtd := root.getroottree().docinfo.internalDTD) is not None and any(True for _ in dtd.iterentities()):
        raise refusal(file, "the document type declares entities: leave them out")
    return _Converter(file).node(root, 1)


def _reason(message: str) -> str:
    if message.startswith("Entity "):
        return "an entity is not defined: enclose HTML in <![CDATA[ ]]>, and write &amp; for &"
    return re.sub(r", line \d+, column \d+.*", "", message)


class _Converter:
    """Turns elements into nodes, and counts them."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.count = 0

    def node(self, element: Any, depth: int) -> Node:  # noqa: ANN401 - lxml has no types
        """Return an element and all in it."""
        self.count += 1
        line = element.sourceline or 1
        if depth > MAX_DEPTH or self.count > MAX_ELEMENTS:
            raise refusal(self.file, f"has more than {MAX_DEPTH} levels or {MAX_ELEMENTS} elements", line)
        name = etree.QName(element)
        node = Node(
            name.localname,
            line,
            name.namespace or "",
            {etree.QName(key).localname: value for key, value in element.attrib.items()},
            element.text or "",
            element.tail or "",
        )
        for child in element:
            if isinstance(child.tag, str):
                node.children.append(self.node(child, depth + 1))
            elif child.tag is etree.Entity:
                raise refusal(self.file, "has an entity: write the character itself", child.sourceline or line)
            elif node.children:
                node.children[-1].tail += child.tail or ""
            else:
                node.text += child.tail or ""
        return node
