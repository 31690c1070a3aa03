"""Images, stored under their digest once `exam_papers.images` has accepted them.

Handlers that serve an image send its type and forbid browsers to guess another.
"""

from exam_core.authoring.exam import AcceptedImage
from exam_core.problems import Problem, ProblemKind
from exam_papers.images.acceptance import accept_image
from exam_web.exams.models import Image


def image_store(*, data: bytes) -> Image:
    """Check and store an image; the same content is stored once.

    Raises:
        Problem: INVALID with the reason.
    """
    try:
        accepted = accept_image(data)
    except ValueError as error:
        raise Problem(ProblemKind.INVALID, f"the image is not usable: {error}") from error
    return image_keep(accepted=accepted)


def image_keep(*, accepted: AcceptedImage) -> Image:
    """Store an image that was accepted; the same content is stored once."""
    ref = accepted.ref
    image, _ = Image.objects.get_or_create(
        sha256=ref.sha256,
        defaults={"content_type": ref.type, "width": ref.width, "height": ref.height, "data": accepted.data},
    )
    return image
