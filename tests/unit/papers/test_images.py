"""Images are validated by their content."""

import hashlib
import io
import struct
import warnings
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags
from PIL import Image as Pillow

from exam_papers.images.acceptance import MAX_BYTES, MAX_SIDE, MAX_UPLOAD, DocumentImages, accept_image


def noise(size: tuple[int, int], kind: str, **options: int) -> bytes:
    """An image of noise."""
    out = io.BytesIO()
    Pillow.effect_noise(size, 60).convert("RGB").save(out, kind, **options)
    return out.getvalue()


def picture(kind: str) -> bytes:
    """A small image."""
    return noise((12, 7), kind)


PICTURES = {kind: picture(kind) for kind in ("PNG", "JPEG", "WEBP")}


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(side: int) -> bytes:
    """A PNG of some hundred bytes with enormous dimensions."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", PICTURES)
def test_type_and_size_come_from_the_content(kind: str) -> None:
    """Type, size and digest come from the bytes, never from a file's name."""
    data = PICTURES[kind]
    accepted = accept_image(data)
    ref = accepted.ref
    assert accepted.data == data
    assert (ref.type, ref.width, ref.height) == (f"image/{kind.lower()}", 12, 7)
    assert ref.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("kind", PICTURES)
def test_a_truncated_image_is_rejected(kind: str) -> None:
    """An image that is truncated anywhere is rejected."""
    data = PICTURES[kind]
    for length in range(0, len(data) - 4, 7):
        with pytest.raises(ValueError, match=r"decoded|not a PNG"):
            accept_image(data[:length])


@pytest.mark.parametrize("side", [MAX_SIDE + 1, 10_000, 50_000])
def test_a_decompression_bomb_is_rejected_by_its_size(side: int) -> None:
    """A few hundred bytes that would decode to gigabytes are rejected before decoding."""
    with warnings.catch_warnings():
        # The library warns of the larger ones itself; in the service that is a log line.
        warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
        with pytest.raises(ValueError, match=f"more than {MAX_SIDE}x{MAX_SIDE} pixels"):
            accept_image(bomb(side))


def test_the_largest_image_is_accepted() -> None:
    """An image may have as many pixels as the limit allows."""
    out = io.BytesIO()
    Pillow.new("L", (MAX_SIDE, MAX_SIDE), 255).save(out, "PNG")
    assert len(out.getvalue()) < MAX_BYTES
    assert accept_image(out.getvalue()).ref.width == MAX_SIDE


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
        accept_image(data)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animated_image_is_rejected(kind: str) -> None:
    """A paper may show only still images."""
    frames = [Pillow.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="animated"):
        accept_image(out.getvalue())


@pytest.mark.parametrize(
    "part",
    [
        chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(8_000_000))),
        chunk(b"iTXt", b"note\0\1\0\0\0" + zlib.compress(bytes(8_000_000))),
        chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(1_000_000))) * 60,
    ],
    ids=["compressed", "international", "many"],
)
def test_texts_in_an_image_are_never_decompressed(part: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes of text that would decompress to megabytes are dropped unread."""
    read: list[object] = []
    monkeypatch.setattr("PIL.PngImagePlugin.PngStream.check_text_memory", lambda _, length: read.append(length))
    png = PICTURES["PNG"]
    assert accept_image(png[:33] + part + png[33:]).data == png
    assert read == []


def test_a_colour_profile_that_decompresses_without_bound_is_rejected() -> None:
    """A colour profile may decompress to a megabyte."""
    png = PICTURES["PNG"]
    profile = chunk(b"iCCP", b"any\0\0" + zlib.compress(bytes(8_000_000)))
    with pytest.raises(ValueError, match="too large"):
        accept_image(png[:33] + profile + png[33:])


def exif(orientation: int) -> Pillow.Exif:
    """What a phone writes: the orientation, its maker and the place."""
    tags = Pillow.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    tags[ExifTags.Base.Make] = "A phone"
    tags.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (30.0, 2.0, 40.0)
    return tags


def photo(orientation: int, kind: str = "JPEG", **options: object) -> bytes:
    """A photo, 64 x 32, the left half red and the right half blue, as the sensor recorded it."""
    image = Pillow.new("RGB", (64, 32), "red")
    image.paste("blue", (32, 0, 64, 32))
    out = io.BytesIO()
    image.save(out, kind, exif=exif(orientation), **({"quality": 95} | options))
    return out.getvalue()


def is_red(image: Pillow.Image, place: tuple[int, int]) -> bool:
    """Whether a pixel is rather red than blue."""
    colour = image.convert("RGB").getpixel(place)
    assert isinstance(colour, tuple)
    return colour[0] > colour[2]


PHOTOS = {kind: photo(6, kind) for kind in PICTURES}


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("orientation", [1, 3, 6, 8, 77])
def test_a_photo_is_stored_upright_without_metadata(kind: str, orientation: int) -> None:
    """A photo taken with the phone on its side is upright; the place, the phone and the note are gone."""
    accepted = accept_image(photo(orientation, kind, comment=b"a note"))
    shown = Pillow.open(io.BytesIO(accepted.data))
    assert shown.size == (accepted.ref.width, accepted.ref.height)
    assert shown.size == ((32, 64) if orientation in {6, 8} else (64, 32))
    # The red half: on the left as recorded, on the right after half a turn, at the top or the bottom after a quarter.
    red = {3: (60, 16), 6: (16, 4), 8: (16, 60)}.get(orientation, (4, 16))
    assert is_red(shown, red)
    assert sum(is_red(shown, (x, y)) for x in (2, shown.width - 3) for y in (2, shown.height - 3)) == 2
    assert not shown.getexif()
    assert not any(word in accepted.data for word in (b"A phone", b"Exif", b"a note"))
    assert accepted.ref.sha256 == hashlib.sha256(accepted.data).hexdigest()
    assert accept_image(accepted.data) == accepted


def test_a_photo_with_further_pictures_is_accepted_as_its_first() -> None:
    """A phone's file with several pictures (MPO), and whatever its maker appended, is the first picture."""
    second = Pillow.new("RGB", (8, 8), "lime")
    data = photo(6, "MPO", save_all=True, append_images=[second]) + b"the maker's trailer"
    assert Pillow.open(io.BytesIO(data)).format == "MPO"
    accepted = accept_image(data)
    shown = Pillow.open(io.BytesIO(accepted.data))
    assert (shown.format, accepted.ref.type, shown.size) == ("JPEG", "image/jpeg", (32, 64))
    assert b"MPF" not in accepted.data
    assert accepted.data.endswith(b"\xff\xd9")
    assert accept_image(photo(1, "MPO", save_all=True, append_images=[second])).ref.width == 64


def test_a_photo_from_a_camera_is_scaled_down_until_it_fits() -> None:
    """A photo of megabytes is stored in half a megabyte, in its proportions."""
    data = noise((2400, 1200), "JPEG", quality=90)
    assert MAX_BYTES < len(data) < MAX_UPLOAD
    accepted = accept_image(data)
    assert len(accepted.data) <= MAX_BYTES
    assert accepted.ref.width == 2 * accepted.ref.height >= 512


def test_a_photo_above_the_limit_of_uploads_is_rejected() -> None:
    """A photo may have five megabytes."""
    with pytest.raises(ValueError, match=f"more than {MAX_UPLOAD} bytes"):
        accept_image(PICTURES["JPEG"] + bytes(MAX_UPLOAD))


def test_the_images_of_a_document_share_a_budget_of_pixels() -> None:
    """A document of many small files with many pixels is rejected; the same image twice counts once."""
    accept = DocumentImages()
    for shade in range(8):
        assert accept(large(shade)) == accept(large(shade))
    with pytest.raises(ValueError, match="in all"):
        accept(large(8))


def large(shade: int) -> bytes:
    """An image of the largest size in a few kilobytes."""
    out = io.BytesIO()
    Pillow.new("L", (MAX_SIDE, MAX_SIDE), shade).save(out, "PNG", compress_level=1)
    return out.getvalue()


@given(st.sampled_from(sorted(PICTURES)), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6))
def test_a_damaged_image_is_accepted_or_rejected(kind: str, damage: list[tuple[int, int]]) -> None:
    """Whatever bytes are damaged, the image is accepted or rejected with a reason, without any other error."""
    data = bytearray(PICTURES[kind])
    for place, byte in damage:
        data[place % len(data)] = byte
    _accepted_or_rejected(bytes(data))


@pytest.mark.parametrize("kind", PICTURES)
@given(damage=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_metadata_is_dropped_or_rejected(kind: str, damage: list[tuple[int, int]]) -> None:
    """Whatever bytes of a photo with EXIF are damaged, it is accepted or rejected with a reason."""
    data = bytearray(PHOTOS[kind])
    for place, byte in damage:
        data[place % len(data)] = byte
    _accepted_or_rejected(bytes(data))


def _accepted_or_rejected(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            accepted = accept_image(data)
        except ValueError:
            return
    assert accepted.ref.sha256 == hashlib.sha256(accepted.data).hexdigest()
    assert b"A phone" not in accepted.data
