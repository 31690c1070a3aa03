"""Images as papers refer to them."""

from dataclasses import dataclass
from typing import Self

from exam_core.canonical import Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRef:
    """An image by its digest; width and height in pixels. Services decide where it is fetched from."""

    sha256: str
    type: str
    width: int
    height: int

    def to_json(self) -> dict[str, Json]:
        """The image's members in a paper."""
        return {"sha256": self.sha256, "type": self.type, "width": self.width, "height": self.height}

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(sha256=body["sha256"], type=body["type"], width=body["width"], height=body["height"])
