"""Bytes of a file as text: UTF-8, or a fault that names the encoding."""

import codecs
import re
from typing import Final

from exam_papers.formats.model import Finding, ImportFaults, Place

MAX_TEXT_FILE: Final = 4_000_000
"""Bytes of a file without images."""
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UNUSABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef]")
"""Control characters, halves of surrogate pairs, and code points that no text contains, which readers use as marks."""


def refusal(file: str, reason: str, line: int = 1, question: str | None = None) -> ImportFaults:
    """Return the exception for a file with one fault."""
    return ImportFaults((Finding(file, Place(line), question, reason),))


def decode(data: bytes, file: str, *, utf16: bool = False, most: int = MAX_TEXT_FILE) -> str:
    """Decode a file and return it with LF line ends.

    Args:
        data: the file's bytes.
        file: its name, for faults.
        utf16: whether UTF-16 with a byte order mark is accepted.
        most: the largest size in bytes.

    Raises:
        ImportFaults: it is too large, in another encoding, or contains characters that no text has.
    """
    if len(data) > most:
        raise refusal(file, f"the file has {len(data)} bytes; at most {most} are accepted: divide it")
    if data.startswith(_UTF16):
        if not utf16:
            raise refusal(file, "the file is UTF-16: save it as UTF-8")
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        name = "UTF-16" if utf16 and encoding == "utf-16" else _legacy(data)
        raise refusal(file, f"byte {error.start + 1} is not {_expected(encoding)}: {name}", line) from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if bad := _UNUSABLE.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        raise refusal(file, f"the character U+{ord(bad.group()):04X} cannot be displayed: leave it out", line)
    return text


def _expected(encoding: str) -> str:
    return "UTF-16" if encoding == "utf-16" else "UTF-8"


def _legacy(data: bytes) -> str:
    """Name the encoding that a file of one byte for each character probably has."""
    if b"\0" in data:
        return "the file is no text, or UTF-16 without a byte order mark: save it as UTF-8"
    if not any(0x80 <= byte < 0xA0 for byte in data):  # noqa: PLR2004 - control characters of Latin-1
        return "the file seems to be in Latin-1 (ISO 8859-1): save it as UTF-8"
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return "the encoding is not known: save it as UTF-8"
    return "the file seems to be in Windows-1252 (cp1252), as Excel writes it: save it as UTF-8"
