"""Questions in Moodle's XML format."""

from exam_papers.formats.moodle_xml.reader import read
from exam_papers.formats.moodle_xml.writer import write

__all__ = ["read", "write"]
