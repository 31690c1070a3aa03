"""Images: looked at by their content, bounded, kept under their digest.

The bytes are kept as they came. A document names its images by what they are, so the same document must give the same
digests on every machine and with every release of the library that decodes them; and whoever serves an image says what
it is and forbids a browser to think otherwise.
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
    """What an image is, by decoding all of it.

    Raises:
        ValueError: too large, not one of `FORMATS`, animated, or broken; with the reason.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    try:
        # Opening reads the header alone, so a bomb is refused by its size before a pixel is decoded.
        with Pillow.open(io.BytesIO(data), formats=list(FORMATS)) as image:
            width, height = image.size
            if width > MAX_SIDE or height > MAX_SIDE:
                raise ValueError(f"it is {width}x{height} pixels, more than {MAX_SIDE}x{MAX_SIDE}")
            if getattr(image, "n_frames", 1) > 1:
                raise ValueError("it is animated; send a single picture")
            kind = FORMATS[str(image.format)]
            # Checksums up to the end first, then every pixel: the one finds a torn file, the other a forged one.
            image.verify()
        with Pillow.open(io.BytesIO(data), formats=[str(image.format)]) as image:
            image.load()
    except UnidentifiedImageError as error:
        raise ValueError(f"it is not a {', '.join(FORMATS)} image") from error
    except (OSError, SyntaxError, Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        raise ValueError(f"it cannot be decoded: {error}") from error
    return ImageRef(sha256=digest(data), type=kind, width=width, height=height)


def image_store(*, data: bytes) -> Image:
    """Keep an image; the same content is kept once.

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
