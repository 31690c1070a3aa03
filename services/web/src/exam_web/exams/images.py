"""Images: validated by their content, limited in size, stored under their digest.

The bytes are stored unchanged. A document identifies its images by their content, so that the same document must give
the same digests on every machine and with every release of the decoding library. Handlers that serve an image send its
type and forbid browsers to guess another.
"""

import io

from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from exam_core.canonical import digest
from exam_core.paper import ImageRef
from exam_core.problems import Problem, ProblemKind
from exam_web.exams.models import Image

MAX_BYTES = 512 * 1024
MAX_SIDE = 4096
FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}


def inspect_image(data: bytes) -> ImageRef:
    """Determine an image's type and size by decoding all of it.

    Raises:
        ValueError: it is too large, not one of `FORMATS`, animated or broken.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    try:
        # Opening reads only the header, so that a decompression bomb is rejected by its size before it is decoded.
        with Pillow.open(io.BytesIO(data), formats=list(FORMATS)) as image:
            width, height = image.size
            if width > MAX_SIDE or height > MAX_SIDE:
                raise ValueError(f"it is {width}x{height} pixels, more than {MAX_SIDE}x{MAX_SIDE}")
            if getattr(image, "n_frames", 1) > 1:
                raise ValueError("it is animated; send a single image")
            kind = FORMATS[str(image.format)]
            # Verify checksums, then decode all pixels: the former detects truncated files, the latter forged ones.
            image.verify()
        with Pillow.open(io.BytesIO(data), formats=[str(image.format)]) as image:
            image.load()
    except UnidentifiedImageError as error:
        raise ValueError(f"it is not a {', '.join(FORMATS)} image") from error
    except (OSError, SyntaxError, Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        raise ValueError(f"it cannot be decoded: {error}") from error
    return ImageRef(sha256=digest(data), type=kind, width=width, height=height)


def image_store(*, data: bytes) -> Image:
    """Store an image; the same content is stored once.

    Raises:
        Problem: INVALID with the reason.
    """
    try:
        ref = inspect_image(data)
    except ValueError as error:
        raise Problem(ProblemKind.INVALID, f"the image is not usable: {error}") from error
    image, _ = Image.objects.get_or_create(
        sha256=ref.sha256,
        defaults={"content_type": ref.type, "width": ref.width, "height": ref.height, "data": data},
    )
    return image
