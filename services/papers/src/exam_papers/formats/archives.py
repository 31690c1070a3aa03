"""Reads ZIP archives within bounds: each entry is checked before any is read, and nothing is extracted."""

import io
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import Final

from exam_papers.formats.encoding import refusal

MAX_ARCHIVE: Final = 100_000_000
"""Bytes of an archive."""
MAX_ENTRIES: Final = 5000
MAX_ENTRY: Final = 30_000_000
"""Bytes of one file in it."""
MAX_TOTAL: Final = 150_000_000
"""Bytes of all of them."""
MAX_RATIO: Final = 250
"""Bytes that one byte of compressed data may become; small files may exceed it."""
MAGIC: Final = b"PK\x03\x04"
_BOOK: Final = ".xlsx"
_SMALL: Final = 100_000
_LINK, _TYPE_MASK, _ENCRYPTED = 0o120000, 0o170000, 0x1
_LOCAL_HEADER: Final = 30
_METHODS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The date of each file that is written, so that equal questions give equal archives."""


class Archive:
    """The files of an archive by name."""

    def __init__(self, data: bytes, file: str) -> None:
        """Check an archive.

        Raises:
            ImportFaults: it is damaged, too large, or has an entry that is not accepted.
        """
        self.file = file
        if len(data) > MAX_ARCHIVE:
            raise refusal(file, f"the archive has more than {MAX_ARCHIVE} bytes")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise refusal(file, f"is not a readable ZIP archive: {error}") from error
        entries = self._zip.infolist()
        if reason := _reason(entries):
            raise refusal(file, reason)
        self._entries = {entry.filename: entry for entry in entries if not entry.is_dir()}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all files."""
        return tuple(self._entries)

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(entry.file_size for entry in self._entries.values())

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def read(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            ImportFaults: it is larger than declared, or damaged.
        """
        entry = self._entries[name]
        try:
            with self._zip.open(entry) as stream:
                data = stream.read(entry.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise refusal(self.file, f"the file {name!r} in the archive is damaged") from error
        if len(data) != entry.file_size:
            raise refusal(self.file, f"the file {name!r} in the archive has another size than declared")
        return data


def expanded_size(data: bytes, file: str) -> int:
    """Return the bytes of all files of an archive, those of workbooks in it included; 0 for a file that is none.

    Raises:
        ImportFaults: the archive is not accepted.
    """
    if not data.startswith(MAGIC):
        return 0
    archive = Archive(data, file)
    books = (archive.read(name) for name in archive.names if name.lower().endswith(_BOOK))
    return archive.size + sum(Archive(book, file).size for book in books if book.startswith(MAGIC))


def _reason(entries: list[zipfile.ZipInfo]) -> str | None:
    """Why an archive is not accepted, or None."""
    if len(entries) > MAX_ENTRIES:
        return f"the archive has more than {MAX_ENTRIES} files"
    if sum(entry.file_size for entry in entries) > MAX_TOTAL:
        return f"the files of the archive have more than {MAX_TOTAL} bytes"
    seen: set[str] = set()
    for entry in entries:
        name = unicodedata.normalize("NFC", entry.filename).casefold()
        if name in seen:
            return f"the archive has the file {entry.filename!r} twice"
        seen.add(name)
        if reason := _entry_reason(entry):
            return f"the archive's file {entry.filename!r} {reason}"
    end = 0
    for entry in sorted(entries, key=lambda each: each.header_offset):
        if entry.header_offset < end:
            return "the files of the archive overlap"
        end = entry.header_offset + _LOCAL_HEADER + len(entry.filename) + entry.compress_size
    return None


def _entry_reason(entry: zipfile.ZipInfo) -> str | None:
    parts = entry.orig_filename.rstrip("/").split("/")
    rules = (
        (entry.flag_bits & _ENCRYPTED, "is encrypted"),
        (entry.compress_type not in _METHODS, "is compressed in a way that is not read"),
        ((entry.external_attr >> 16) & _TYPE_MASK == _LINK, "is a link"),
        (
            any(part in {"", ".", ".."} for part in parts) or any(sign in entry.orig_filename for sign in "\\\0:"),
            "has a path that is not accepted",
        ),
        (entry.file_size > MAX_ENTRY, f"has more than {MAX_ENTRY} bytes"),
        (entry.file_size > max(_SMALL, MAX_RATIO * entry.compress_size), "is compressed too much"),
    )
    return next((reason for broken, reason in rules if broken), None)


def pack(files: Mapping[str, bytes] | Iterable[tuple[str, bytes]]) -> bytes:
    """Return an archive of files; equal files give equal bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items() if isinstance(files, Mapping) else files:
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, compress_type=zipfile.ZIP_DEFLATED)
    return stream.getvalue()
