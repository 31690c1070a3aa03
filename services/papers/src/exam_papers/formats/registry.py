"""Formats by name, and the format of a file by its name and content."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from exam_core.authoring.exam import AcceptedImage, AcceptImage
from exam_papers.formats import aiken, gift, moodle_xml, qti, sheets
from exam_papers.formats.archives import MAGIC, Archive
from exam_papers.formats.model import Exported, FileQuestion, Imported, ImportFaults

_HEAD: Final = 200_000
"""Bytes that are looked at to recognise a format."""


class Reader(Protocol):
    """Reads the questions of a file; raises ImportFaults with all its faults."""

    def __call__(self, data: bytes, *, file: str, accept_image: AcceptImage) -> Imported:
        """Read the questions of a file."""
        ...


Writer = Callable[[Sequence[FileQuestion], Mapping[str, AcceptedImage]], Exported]
"""Writes questions with the images that they refer to, by digest."""


@dataclass(frozen=True, slots=True)
class QuestionFormat:
    """A format of question files; `suffixes` are the ends of the names of such files."""

    name: str
    title: str
    suffixes: tuple[str, ...]
    read: Reader
    write: Writer


FORMATS: Final[Mapping[str, QuestionFormat]] = {
    each.name: each
    for each in (
        QuestionFormat("gift", "GIFT", (".gift",), gift.read, gift.write),
        QuestionFormat("aiken", "Aiken", (".aiken",), aiken.read, aiken.write),
        QuestionFormat("moodle-xml", "Moodle XML", (".xml",), moodle_xml.read, moodle_xml.write),
        QuestionFormat("csv", "a CSV sheet", (".csv", ".tsv"), sheets.read, sheets.write_csv),
        QuestionFormat("xlsx", "an XLSX sheet", (".xlsx",), sheets.read, sheets.write_xlsx),
        QuestionFormat("qti", "a QTI package", (".zip",), qti.read, qti.write),
    )
}
"""The formats by name."""

_XML_ROOT: Final = re.compile(
    r"\s*(?:<\?[^>]*\?>\s*|<!--(?:(?!-->).)*-->\s*|<!DOCTYPE[^>\[]*>\s*)*<([\w:.-]+)", re.DOTALL
)
_ROOTS: Final = {"quiz": "moodle-xml", "assessmentItem": "qti", "qti-assessment-item": "qti", "questestinterop": "qti"}
_FOREIGN_ROOTS: Final = {"assessmentTest": "a QTI test without its package"}
_AIKEN: Final = re.compile(r"^[ \t]*ANSWER:[ \t]*[A-Z][ \t\r]*$", re.MULTILINE)
_GIFT: Final = re.compile(r"^[ \t]*(::.*::|\$CATEGORY:)|\{[^{}]*\}", re.MULTILINE)
_EXAM: Final = re.compile(r"^exam[ \t]*:", re.MULTILINE)
_SHEET: Final = re.compile(r"\A\s*\"?[\w ]+\"?\s*[,;\t]")


class UnknownFormatError(ValueError):
    """A file in a format that is not known; the message says what it seems to be."""


def format_named(name: str) -> QuestionFormat:
    """Return the format of a name.

    Raises:
        UnknownFormatError: there is none.
    """
    try:
        return FORMATS[name.lower()]
    except KeyError as error:
        raise UnknownFormatError(f"{name!r} is not a format of questions: known are {', '.join(FORMATS)}") from error


def detect(file: str, data: bytes) -> QuestionFormat:
    """Return the format of a file by its content, and where this does not decide by its name.

    Raises:
        UnknownFormatError: it is in none of the formats.
    """
    by_name = next((each for each in FORMATS.values() if file.lower().endswith(each.suffixes)), None)
    if data.startswith(MAGIC):
        return _archive(file, data)
    text = data[:_HEAD].decode("utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig", errors="replace")
    if text.lstrip().startswith("<"):
        return _xml(file, text)
    if _EXAM.search(text):
        raise UnknownFormatError(f"{file}: this is an exam document, which is read as a whole and not as questions")
    if by_name is not None and by_name.name != "moodle-xml":
        return by_name
    if _AIKEN.search(text):
        return FORMATS["aiken"]
    if _GIFT.search(text):
        return FORMATS["gift"]
    if _SHEET.match(text):
        return FORMATS["csv"]
    raise UnknownFormatError(f"{file}: the format is not known: {_known()}")


def _xml(file: str, text: str) -> QuestionFormat:
    root = _XML_ROOT.match(text)
    name = root[1].rpartition(":")[2] if root else ""
    if name in _ROOTS:
        return FORMATS[_ROOTS[name]]
    found = _FOREIGN_ROOTS.get(name, f"an XML document of the element <{name}>" if name else "markup")
    raise UnknownFormatError(f"{file}: this is {found}, which is not read: {_known()}")


def _archive(file: str, data: bytes) -> QuestionFormat:
    try:
        archive = Archive(data, file)
    except ImportFaults as error:
        raise UnknownFormatError(str(error)) from error
    if "xl/workbook.xml" in archive:
        return FORMATS["xlsx"]
    if "imsmanifest.xml" in archive:
        return FORMATS["qti"]
    if any(name.lower().endswith((".csv", ".tsv", ".xlsx")) for name in archive.names):
        return FORMATS["csv"]
    names = ", ".join(archive.names[:3]) or "nothing"
    raise UnknownFormatError(f"{file}: this is a ZIP archive with {names}, in which there is no sheet: {_known()}")


def _known() -> str:
    return "known are " + ", ".join(f"{each.title} ({', '.join(each.suffixes)})" for each in FORMATS.values())
