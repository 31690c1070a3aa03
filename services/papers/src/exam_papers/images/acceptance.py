"""Images: checked by their content, limited in size, and freed of metadata.

`accept_image` is the only way in, whether an image comes by upload, form, document, file of questions or command.
"""

import io
import struct
from threading import Lock
from typing import Final

from PIL import ExifTags, UnidentifiedImageError
from PIL import Image as Pillow

from exam_core.authoring.exam import AcceptedImage
from exam_core.canonical import digest
from exam_core.images import ImageRef
from exam_papers.images.containers import ANIMATED, Format, format_of, is_lossless, still_picture

MAX_BYTES: Final = 512 * 1024
"""Bytes of an image as it is stored."""
MAX_UPLOAD: Final = 5 * 1024 * 1024
"""Bytes of a photo as it comes from a camera; it is scaled down until it has at most `MAX_BYTES`."""
MAX_SIDE: Final = 4096
MAX_DOCUMENT_PIXELS: Final = 8 * MAX_SIDE * MAX_SIDE
"""Pixels of all images of a document: a document of 4 MB may name over a thousand images of the largest size."""
TYPES: Final = {Format.PNG: "image/png", Format.JPEG: "image/jpeg", Format.WEBP: "image/webp"}
_PHOTO_SIDES: Final = (2048, 1536, 1024, 512)
_UPRIGHTING: Final = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
"""What makes a picture with each orientation upright."""
_BROKEN_EXIF: Final = (SyntaxError, ValueError, LookupError, TypeError, ArithmeticError, OSError, struct.error)
_decoding: Final = Lock()
"""One image is decoded at a time, so that memory is bounded whatever the number of requests."""


class DocumentImages:
    """Accepts the images of one document: repeated ones are decoded once, and all share a budget of pixels."""

    def __init__(self) -> None:
        self._pixels = MAX_DOCUMENT_PIXELS
        self._accepted: dict[str, AcceptedImage] = {}

    def __call__(self, data: bytes) -> AcceptedImage:
        """Accept an image.

        Raises:
            ValueError: it is not accepted, or the document's images have too many pixels.
        """
        key = digest(data)
        if key not in self._accepted:
            self._accepted[key] = accept_image(data, budget=self._pixels)
            self._pixels -= self._accepted[key].ref.width * self._accepted[key].ref.height
        return self._accepted[key]


def accept_image(data: bytes, *, budget: int = MAX_DOCUMENT_PIXELS) -> AcceptedImage:
    """Check an image by decoding all of it; return it upright and without metadata.

    Bytes without metadata are kept as they are. A picture that EXIF rotates, or a photo that is too large, is encoded
    anew.

    Args:
        data: the file.
        budget: how many pixels may be decoded.

    Raises:
        ValueError: it is too large, not one of `TYPES`, animated or broken.
    """
    kind = format_of(data)
    most = MAX_UPLOAD if kind is Format.JPEG else MAX_BYTES
    if len(data) > most:
        raise ValueError(f"it has more than {most} bytes")
    if kind is None:
        raise ValueError(f"it is not a {', '.join(TYPES)} image")
    # Texts and other parts that may decompress to anything are dropped before the library sees the file.
    bare, rotated = still_picture(data, kind), still_picture(data, kind, exif=True)
    try:
        with _decoding:
            kept, (width, height) = _decoded(bare, rotated, kind, budget=budget)
    except UnidentifiedImageError as error:
        raise ValueError(f"it is not a {', '.join(TYPES)} image") from error
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        raise ValueError(_TOO_LARGE) from error
    except (OSError, SyntaxError, LookupError, struct.error) as error:
        raise ValueError(f"it cannot be decoded: {error}") from error
    return AcceptedImage(ref=ImageRef(sha256=digest(kept), type=TYPES[kind], width=width, height=height), data=kept)


_TOO_LARGE: Final = f"it has more than {MAX_SIDE}x{MAX_SIDE} pixels"


def _decoded(bare: bytes, rotated: bytes, kind: Format, *, budget: int) -> tuple[bytes, tuple[int, int]]:
    """Return the bytes to store and their size in pixels."""
    # Opening reads only the header, so that an image is rejected by its size before it is decoded. Verifying checksums
    # detects truncated files, decoding all pixels forged ones.
    with Pillow.open(io.BytesIO(rotated), formats=[kind]) as image:
        width, height = image.size
        if width > MAX_SIDE or height > MAX_SIDE:
            raise ValueError(f"{_TOO_LARGE}: {width}x{height}")
        if width * height > budget:
            raise ValueError(f"the document's images have more than {MAX_DOCUMENT_PIXELS} pixels in all")
        image.verify()
    with Pillow.open(io.BytesIO(rotated), formats=[kind]) as image:
        image.load()
        if getattr(image, "n_frames", 1) > 1:
            raise ValueError(ANIMATED)
        turn = _uprighting(image)
        if turn is None and len(bare) <= MAX_BYTES:
            return bare, image.size
        upright = image if turn is None else image.transpose(turn)
        return _encoded(upright, kind, profile=image.info.get("icc_profile"), lossless=is_lossless(bare, kind))


def _uprighting(image: Pillow.Image) -> Pillow.Transpose | None:
    """Return what makes a picture upright; None when it is, or when its EXIF is broken."""
    try:
        return _UPRIGHTING.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _BROKEN_EXIF:
        return None


def _encoded(
    image: Pillow.Image, kind: Format, *, profile: bytes | None, lossless: bool
) -> tuple[bytes, tuple[int, int]]:
    """Encode an image, a photo ever smaller until it fits."""
    options = {"lossless": lossless} if kind is Format.WEBP else {}
    for side in (MAX_SIDE, *_PHOTO_SIDES):
        if side < max(image.size):
            image.thumbnail((side, side))
        out = io.BytesIO()
        image.save(out, kind, quality=90, icc_profile=profile, exif=b"", **options)
        # What the library writes of its own accord is dropped as well.
        if len(kept := still_picture(out.getvalue(), kind)) <= MAX_BYTES:
            return kept, image.size
        if kind is not Format.JPEG:
            break
    raise ValueError(f"it has more than {MAX_BYTES} bytes once it is upright")
