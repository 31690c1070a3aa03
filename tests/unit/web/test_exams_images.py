"""Images are validated by their content."""

import hashlib
import io
import struct
import warnings
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from exam_web.exams.images import MAX_BYTES, MAX_SIDE, inspect_image


def picture(kind: str, size: tuple[int, int] = (12, 7)) -> bytes:
    """A small image."""
    out = io.BytesIO()
    Pillow.effect_noise(size, 60).convert("RGB").save(out, kind)
    return out.getvalue()


PICTURES = {kind: picture(kind) for kind in ("PNG", "JPEG", "WEBP")}


def bomb(side: int) -> bytes:
    """A PNG of some hundred bytes with enormous dimensions."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", PICTURES)
def test_type_and_size_come_from_the_content(kind: str) -> None:
    """Type, size and digest come from the bytes, never from a file's name."""
    data = PICTURES[kind]
    ref = inspect_image(data)
    assert (ref.type, ref.width, ref.height) == (f"image/{kind.lower()}", 12, 7)
    assert ref.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("kind", PICTURES)
def test_a_truncated_image_is_rejected(kind: str) -> None:
    """An image that is truncated anywhere is rejected."""
    data = PICTURES[kind]
    for length in range(0, len(data) - 4, 7):
        with pytest.raises(ValueError, match=r"decoded|not a PNG"):
            inspect_image(data[:length])


@pytest.mark.parametrize("side", [MAX_SIDE + 1, 10_000, 60_000])
def test_a_decompression_bomb_is_rejected_by_its_size(side: int) -> None:
    """A few hundred bytes that would decode to gigabytes are rejected before decoding."""
    with warnings.catch_warnings():
        # The library warns of the larger ones itself; in the service that is a log line.
        warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
        with pytest.raises(ValueError, match=r"pixels|decoded"):
            inspect_image(bomb(side))


def test_the_largest_image_is_accepted() -> None:
    """An image may have as many pixels as the limit allows."""
    out = io.BytesIO()
    Pillow.new("L", (MAX_SIDE, MAX_SIDE), 255).save(out, "PNG")
    assert len(out.getvalue()) < MAX_BYTES
    assert inspect_image(out.getvalue()).width == MAX_SIDE


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "not a PNG"),
        (b"GIF89a" + bytes(50), "not a PNG"),
        (b"%PDF-1.7", "not a PNG"),
        (picture("BMP"), "not a PNG"),
        (PICTURES["PNG"] + bytes(MAX_BYTES), "bytes"),
    ],
)
def test_other_formats_are_rejected(data: bytes, reason: str) -> None:
    """SVG, GIF, BMP, documents and oversized files are rejected, each with the reason."""
    with pytest.raises(ValueError, match=reason):
        inspect_image(data)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animated_image_is_rejected(kind: str) -> None:
    """A paper may show only still images."""
    frames = [Pillow.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="animated"):
        inspect_image(out.getvalue())


@given(st.sampled_from(sorted(PICTURES)), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6))
def test_a_damaged_image_is_accepted_or_rejected(kind: str, damage: list[tuple[int, int]]) -> None:
    """Whatever bytes are damaged, the image is accepted or rejected with a reason, without any other error."""
    data = bytearray(PICTURES[kind])
    for place, byte in damage:
        data[place % len(data)] = byte
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ref = inspect_image(bytes(data))
        except ValueError:
            return
    assert ref.sha256 == hashlib.sha256(data).hexdigest()
