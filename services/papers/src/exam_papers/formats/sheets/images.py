"""Images of a sheet: files beside it in a ZIP archive, which cells and texts name."""

from collections.abc import Mapping
from typing import Final

from exam_core.authored import TextFormat
from exam_core.authoring.exam import AcceptedImage
from exam_core.images import ImageRef
from exam_papers.formats.archives import Archive
from exam_papers.formats.collector import Collector
from exam_papers.formats.losses import Losses
from exam_papers.formats.markup import IMAGE_SCHEME, replace_images
from exam_papers.formats.model import LossCode, Place

FOLDER: Final = "images"


class SheetImages:
    """Reads the images that cells name, from the archive around the sheet if there is one."""

    def __init__(self, collector: Collector, archive: Archive | None) -> None:
        self.collector = collector
        self.archive = archive

    def named(self, name: str, place: Place, question: str) -> ImageRef | None:
        """Return the image of a name; None and a fault if it is not usable."""
        if self.archive is None:
            reason = "names an image: put the sheet and its images into a ZIP archive, and import this"
        elif name not in self.archive:
            reason = "names an image that is not in the archive"
        else:
            try:
                return self.collector.image(self.archive.read(name))
            except ValueError as error:
                reason = f"has an image that is not usable: {error}"
        self.collector.fault(place, reason, question)
        return None

    def text(self, text: str, source: TextFormat, place: Place, question: str) -> str:
        """Return a text in which the images of the archive are named by their digests."""

        def reference(name: str) -> str:
            if self.archive is None or name not in self.archive:
                self.collector.lose(LossCode.IMAGES, "an image in a text is not in the archive", question)
                return name
            image = self.named(name, place, question)
            return name if image is None else IMAGE_SCHEME + image.sha256

        return replace_images(text, source, reference)


class WrittenImages:
    """The images of the questions that are written, as files beside the sheet."""

    def __init__(self, images: Mapping[str, AcceptedImage]) -> None:
        self.images = images
        self.files: dict[str, bytes] = {}

    def name(self, sha256: str, question: str, losses: Losses) -> str:
        """Return the name of an image's file; empty and a loss if its bytes are not there."""
        accepted = self.images.get(sha256)
        if accepted is None:
            losses.add(LossCode.IMAGES, "an image has no bytes", question)
            return ""
        name = f"{FOLDER}/{sha256}.{accepted.ref.type.removeprefix('image/')}"
        self.files[name] = accepted.data
        return name

    def text(self, text: str, source: TextFormat, question: str, losses: Losses) -> str:
        """Return a text in which images are named by their files."""

        def reference(old: str) -> str:
            if not old.startswith(IMAGE_SCHEME):
                losses.add(LossCode.IMAGES, "an image on another server is not carried", question)
                return old
            return self.name(old.removeprefix(IMAGE_SCHEME), question, losses) or old

        return replace_images(text, source, reference)
