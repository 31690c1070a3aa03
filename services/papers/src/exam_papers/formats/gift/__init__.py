"""Questions in the GIFT format."""

from exam_papers.formats.gift.reader import read
from exam_papers.formats.gift.writer import write

__all__ = ["read", "write"]
