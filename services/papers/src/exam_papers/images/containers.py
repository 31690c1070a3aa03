"""The containers of PNG, JPEG and WebP files, without what a still picture does not need.

Only parts that decide how the picture looks are kept. Dropped are EXIF with the place where a photo was taken, texts,
thumbnails, the further pictures of a phone's photo, and whatever follows the picture's end. The pixels are not encoded
anew, so that the same file gives the same bytes with every release of the decoding library, and a file without such
parts keeps its own.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Format(StrEnum):
    """The formats that are accepted, as the decoding library names them."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WEBP"


_CHUNK: Final = 8
"""Length of a chunk's name and length in PNG and WebP."""
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT: Final = frozenset(
    (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"cICP", b"bKGD")
)
_WEBP_KEPT: Final = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP"))
_WEBP_ANIMATION, _WEBP_EXIF, _WEBP_XMP = 0x02, 0x08, 0x04
_WEBP_HEADER, _VP8X = 12, 10
"""Lengths of the file's header, and of what the chunk of its features contains."""
_JPEG_FRAME: Final = frozenset((*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDD)) - {0xC8}
"""Segments that the decoder needs: frames, scans, tables and restart intervals."""
_JFIF, _ADOBE = 14, 12
"""Lengths of what these segments contain."""
_EOI, _SOS = 0xD9, 0xDA
_MARKER: Final = re.compile(rb"\xff+([^\x00\xff])")
"""A marker, preceded by any number of fill bytes."""
_NEXT_MARKER: Final = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
"""The end of a scan's data, in which 0xFF is followed by zero or is a restart marker."""

TRUNCATED: Final = "it cannot be decoded: it is truncated"
MALFORMED: Final = "it cannot be decoded: it is malformed"
ANIMATED: Final = "it is animated; send a single image"


@dataclass(frozen=True, slots=True)
class _Part:
    name: bytes
    content: bytes
    raw: bytes


def format_of(data: bytes) -> Format | None:
    """Return a file's format by its first bytes."""
    if data.startswith(_PNG):
        return Format.PNG
    if data.startswith(b"\xff\xd8\xff"):
        return Format.JPEG
    return Format.WEBP if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def still_picture(data: bytes, kind: Format, *, exif: bool = False) -> bytes:
    """Return a file with the parts of a still picture alone, of a JPEG the first picture; `exif` keeps EXIF as well.

    Raises:
        ValueError: it is animated, truncated or malformed.
    """
    match kind:
        case Format.PNG:
            return _png(data, _PNG_KEPT | ({b"eXIf"} if exif else set()))
        case Format.JPEG:
            return _jpeg(data, exif=exif)
        case Format.WEBP:
            return _webp(data, _WEBP_KEPT | ({b"EXIF"} if exif else set()))


def is_lossless(data: bytes, kind: Format) -> bool:
    """Return whether a file's pixels are compressed without loss."""
    return kind is Format.PNG or (kind is Format.WEBP and any(part.name == b"VP8L" for part in _webp_parts(data)))


def _png(data: bytes, kept: frozenset[bytes]) -> bytes:
    parts = list(_png_parts(data))
    if any(part.name == b"acTL" for part in parts):
        raise ValueError(ANIMATED)
    # The case of a name's first letter tells whether a decoder may ignore the chunk.
    if any(part.name[:1].isupper() and part.name not in kept for part in parts):
        raise ValueError(MALFORMED)
    return _PNG + b"".join(part.raw for part in parts if part.name in kept)


def _png_parts(data: bytes) -> Iterator[_Part]:
    place, name = len(_PNG), b""
    while name != b"IEND":
        header = data[place : place + 8]
        if len(header) < _CHUNK:
            raise ValueError(TRUNCATED)
        (length,), name = struct.unpack(">I", header[:4]), header[4:]
        end = place + 12 + length
        if end > len(data):
            raise ValueError(TRUNCATED)
        yield _Part(name, data[place + 8 : end - 4], data[place:end])
        place = end


def _webp(data: bytes, kept: frozenset[bytes]) -> bytes:
    parts = list(_webp_parts(data))
    if any(
        part.name in {b"ANIM", b"ANMF"}
        or (part.name == b"VP8X" and part.content[:1] and part.content[0] & _WEBP_ANIMATION)
        for part in parts
    ):
        raise ValueError(ANIMATED)
    dropped = 0xFF ^ _WEBP_XMP ^ (0 if b"EXIF" in kept else _WEBP_EXIF)
    body = b"".join(
        part.raw[:8] + bytes((part.raw[8] & dropped,)) + part.raw[9:] if part.name == b"VP8X" else part.raw
        for part in parts
        if part.name in kept
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _webp_parts(data: bytes) -> Iterator[_Part]:
    if len(data) < _WEBP_HEADER:
        raise ValueError(TRUNCATED)
    stop, place = 8 + struct.unpack("<I", data[4:8])[0], _WEBP_HEADER
    if stop > len(data):
        raise ValueError(TRUNCATED)
    while place < stop:
        header = data[place : place + 8]
        if len(header) < _CHUNK:
            raise ValueError(TRUNCATED)
        name, (length,) = header[:4], struct.unpack("<I", header[4:])
        end = place + 8 + length
        padded = end + length % 2
        if padded > stop or (name == b"VP8X" and length < _VP8X):
            raise ValueError(TRUNCATED)
        yield _Part(name, data[place + 8 : end], data[place:padded])
        place = padded


def _jpeg(data: bytes, *, exif: bool) -> bytes:
    kept = [data[:2]]
    place = 2
    while True:
        marker = _MARKER.match(data, place)
        if marker is None:
            raise ValueError(TRUNCATED if place >= len(data) - 1 else MALFORMED)
        code = marker[1][0]
        if code == _EOI:
            return b"".join((*kept, b"\xff\xd9"))
        start = marker.end()
        if start + 2 > len(data):
            raise ValueError(TRUNCATED)
        end = start + struct.unpack(">H", data[start : start + 2])[0]
        content = data[start + 2 : end]
        if code == _SOS:
            following = _NEXT_MARKER.search(data, end)
            end = len(data) + 1 if following is None else following.start()
        if end > len(data):
            raise ValueError(TRUNCATED)
        if _jpeg_keeps(code, content, exif=exif):
            kept.append(data[marker.start() : end])
        place = end


def _jpeg_keeps(code: int, content: bytes, *, exif: bool) -> bool:
    match code:
        case _ if code in _JPEG_FRAME:
            return True
        case 0xE0:  # without a thumbnail
            return content.startswith(b"JFIF\0") and len(content) == _JFIF
        case 0xE1:
            return exif and content.startswith(b"Exif\0")
        case 0xE2:
            return content.startswith(b"ICC_PROFILE\0")
        case 0xEE:
            return content.startswith(b"Adobe") and len(content) == _ADOBE
        case _:
            return False
