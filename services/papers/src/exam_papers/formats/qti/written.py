"""Builds the elements of QTI, and writes them in the spelling of a version."""

from collections.abc import Mapping
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from exam_papers.formats.qti.names import PREFIX, Version, hyphenated
from exam_papers.formats.qti.xhtml import MATHML, XHTML
from exam_papers.formats.xml_tree import Node

NAMESPACES: Final[Mapping[Version, str]] = {
    Version.V2_1: "http://www.imsglobal.org/xsd/imsqti_v2p1",
    Version.V2_2: "http://www.imsglobal.org/xsd/imsqti_v2p2",
    Version.V3_0: "http://www.imsglobal.org/xsd/imsqtiasi_v3p0",
}
TEMPLATES: Final[Mapping[Version, str]] = {
    Version.V2_1: "http://www.imsglobal.org/question/qti_v2p1/rptemplates/{}",
    Version.V2_2: "http://www.imsglobal.org/question/qti_v2p2/rptemplates/{}",
    Version.V3_0: "https://purl.imsglobal.org/spec/qti/v3p0/rptemplates/{}.xml",
}
"""The templates of response processing."""
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


def element(name: str, /, *content: Node | str, **attributes: str) -> Node:
    """Return an element of QTI with texts and elements in it."""
    node = Node(name, 0, attributes=attributes)
    for part in content:
        if isinstance(part, Node):
            node.children.append(part)
        elif node.children:
            node.children[-1].tail += part
        else:
            node.text += part
    return node


def html_element(name: str, content: Node | None = None, /, **attributes: str) -> Node:
    """Return an element of HTML with the content of another one."""
    node = Node(name, 0, XHTML, attributes)
    if content is not None:
        node.text, node.children = content.text, content.children
    return node


def filled(name: str, content: Node, /, **attributes: str) -> Node:
    """Return an element of QTI with the content of another one."""
    return Node(name, 0, attributes=attributes, text=content.text, children=content.children)


def document(root: Node, version: Version) -> bytes:
    """Return a document of QTI."""
    root.attributes = {"xmlns": NAMESPACES[version], **root.attributes}
    return (_DECLARATION + xml(root, version) + "\n").encode()


def plain_document(root: Node) -> bytes:
    """Return a document whose names are the same in every version."""
    return (_DECLARATION + xml(root, Version.V2_2) + "\n").encode()


def xml(node: Node, version: Version) -> str:
    """Return an element as XML."""
    name, attributes = node.name, dict(node.attributes)
    if not node.namespace and version is Version.V3_0:
        name = PREFIX + hyphenated(name)
        attributes = {hyphenated(key): value for key, value in attributes.items()}
    if node.name == "math" and node.namespace == MATHML:
        attributes = {"xmlns": MATHML, **attributes}
    start = "".join(f" {'xml:lang' if key == 'lang' else key}={quoteattr(value)}" for key, value in attributes.items())
    inner = escape(node.text) + "".join(xml(child, version) + escape(child.tail) for child in node.children)
    return f"<{name}{start}>{inner}</{name}>" if inner else f"<{name}{start}/>"
