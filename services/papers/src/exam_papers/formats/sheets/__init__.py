"""Questions in sheets: CSV, XLSX, and either of them in a ZIP archive with images."""

from exam_papers.formats.sheets.reader import read
from exam_papers.formats.sheets.writer import write_csv, write_xlsx

__all__ = ["read", "write_csv", "write_xlsx"]
