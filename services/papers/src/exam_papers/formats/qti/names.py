"""The names of QTI: versions, elements and attributes, identifiers, and the paths of files in a package."""

import posixpath
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final
from urllib.parse import unquote, urlsplit

from exam_core import limits
from exam_papers.formats.xml_tree import Node

SCORE: Final = "SCORE"
"""The outcome that an item's score is set to."""
MAX_SCORE: Final = "MAXSCORE"
UNIT_CLASS: Final = "exam-unit"
"""The class of the unit behind the field of a number."""
PREFIX: Final = "qti-"
"""How the names of elements begin in QTI 3.0, which are hyphenated."""
_NAMESPACES: Final = re.compile(r"https?://www\.imsglobal\.org/xsd/(imsqti_v2p|imsqtiasi_v3p|imsqti_v3p)\w*")
_EARLY: Final = re.compile(r"v2p[01]")
_IDENT: Final = re.compile(limits.IDENT_PATTERN)


class Version(StrEnum):
    """The versions that are written."""

    V2_1 = "2.1"
    V2_2 = "2.2"
    V3_0 = "3.0"


def is_known(namespace: str) -> bool:
    """Return whether a namespace is one of QTI 2 or 3; a document without one is taken by its names."""
    return not namespace or _NAMESPACES.match(namespace) is not None


def keys_have_case(namespace: str) -> bool:
    """Return whether the keys of a mapping distinguish capital letters where the file does not say so."""
    return _EARLY.search(namespace) is not None


def normalise(node: Node) -> Node:
    """Give the elements of QTI 3.0 and their attributes the names of QTI 2."""
    if node.name.startswith(PREFIX):
        node.name = _camel(node.name.removeprefix(PREFIX))
        node.attributes = {_camel(key): value for key, value in node.attributes.items()}
    for child in node.children:
        normalise(child)
    return node


def _camel(name: str) -> str:
    return re.sub(r"-(\w)", lambda match: match[1].upper(), name)


def hyphenated(name: str) -> str:
    """Return a name of QTI 2 as QTI 3.0 writes it, without the prefix."""
    return re.sub(r"[A-Z]", lambda match: "-" + match.group().lower(), name)


def ident_of(identifier: str) -> str:
    """Return our id for an identifier, which cannot begin with a digit: `written_ident` adds a low line."""
    bare = identifier.removeprefix("_")
    return bare if bare[:1].isdecimal() else identifier


def written_ident(ident: str) -> str:
    """Return the identifier for one of our ids."""
    return f"_{ident}" if ident[:1].isdecimal() else ident


def usable_idents(identifiers: Sequence[str], instead: Sequence[str]) -> tuple[list[str], bool]:
    """Return our ids for the identifiers of a list, and whether they are those of the file."""
    idents = [ident_of(identifier) for identifier in identifiers]
    if all(_IDENT.fullmatch(ident) and len(ident) <= limits.MAX_IDENT for ident in idents):
        return idents, True
    return list(instead), False


def resolve(base: str, reference: str) -> str | None:
    """Return the path in a package that a file of it refers to; None if it is not in the package."""
    try:
        parts = urlsplit(reference.strip())
    except ValueError:
        return None
    if parts.scheme or parts.netloc or not parts.path:
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(parts.path)))
    return None if path.startswith(("/", "../")) or path == ".." else path
