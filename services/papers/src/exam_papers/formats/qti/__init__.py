"""Questions as QTI packages and items: versions 2.1, 2.2 and 3.0."""

from exam_papers.formats.qti.names import Version
from exam_papers.formats.qti.reader import read
from exam_papers.formats.qti.writer import write

__all__ = ["Version", "read", "write"]
