"""Cells of an XLSX workbook as texts.

The archive is checked first, and each of its documents for a document type, before openpyxl parses any.
"""

import datetime as dt
import io
import posixpath
import re
import warnings
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import openpyxl
from openpyxl.utils import get_column_letter

from exam_core.numbers import decimal_text
from exam_papers.formats.archives import Archive, pack
from exam_papers.formats.collector import Collector
from exam_papers.formats.encoding import refusal
from exam_papers.formats.model import Place
from exam_papers.formats.sheets.rows import MAX_ROWS
from exam_papers.formats.xml_tree import Node, parse

WORKBOOK: Final = "xl/workbook.xml"
_RELATIONS: Final = "xl/_rels/workbook.xml.rels"
NAME: Final = "questions"
"""The sheet that is read if a workbook has several."""
_CELL: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_DOCTYPE: Final = re.compile(rb"<!(DOCTYPE|ENTITY)|\A(\xff\xfe|\xfe\xff)")
"""Also documents in UTF-16, in which neither would be found."""
_CREATED: Final = "2000-01-01T00:00:00Z"


def is_workbook(archive: Archive) -> bool:
    """Return whether an archive is an XLSX workbook."""
    return WORKBOOK in archive


def cells(archive: Archive, data: bytes, collector: Collector) -> tuple[str, Iterator[tuple[int, list[str]]]]:
    """Return the name of a workbook's sheet, and its rows.

    Raises:
        ImportFaults: the workbook is damaged, or has several sheets of which none is named for questions.
    """
    for name in archive.names:
        if name.endswith((".xml", ".rels")) and re.search(
            rb"<!(DOCTYPE|ENTITY)|\A(\xff\xfe|\xfe\xff)", archive.read(name)
        ):
            raise refusal(archive.file, f"the document {name!r} of the workbook has a document type")
    sheet, part = _sheet(archive)
    structure = parse(archive.read(part), archive.file)
    _check_structure(structure, sheet, collector)
    return sheet, _values(data, sheet, archive.file, collector)


def _sheet(archive: Archive) -> tuple[str, str]:
    """The name of the sheet with the questions, and its document."""
    workbook = parse(archive.read(WORKBOOK), archive.file)
    listed = [sheet for group in workbook.all("sheets") for sheet in group.all("sheet")]
    visible = [sheet for sheet in listed if sheet.attributes.get("state", "visible") == "visible"]
    named = [sheet for sheet in visible if sheet.attributes.get("name", "").lower() == NAME]
    chosen = named or visible
    if len(chosen) != 1 or _RELATIONS not in archive:
        names = ", ".join(repr(sheet.attributes.get("name", "")) for sheet in visible)
        raise refusal(archive.file, f"the workbook has the sheets {names}: name the one with the questions {NAME!r}")
    ident = chosen[0].attributes.get("id", "")
    relations = parse(archive.read(_RELATIONS), archive.file)
    targets = (each.attributes.get("Target", "") for each in relations.children if each.attributes.get("Id") == ident)
    target = next(targets, "")
    part = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join("xl", target))
    if part not in archive:
        raise refusal(archive.file, "the workbook does not contain its sheet")
    return chosen[0].attributes.get("name", ""), part


def _check_structure(root: Node, sheet: str, collector: Collector) -> None:
    """Record merged and hidden cells, errors, and formulas without a value: they would be read otherwise than shown."""
    for merged in (cell for group in root.all("mergeCells") for cell in group.all("mergeCell")):
        cells_ = merged.attributes.get("ref", "")
        collector.fault(Place(_row_of(cells_), sheet=sheet), f"has the merged cells {cells_}: unmerge them")
    for column in (each for group in root.all("cols") for each in group.all("col")):
        if column.attributes.get("hidden") in {"1", "true"}:
            collector.fault(Place(1, sheet=sheet), "has a hidden column: show or delete it")
    for row in (each for group in root.all("sheetData") for each in group.all("row")):
        named = row.attributes.get("r", "0")
        number = int(named) if re.fullmatch("[0-9]{1,7}", named) else MAX_ROWS + 1
        if number > MAX_ROWS:
            raise refusal(collector.file, f"the sheet has more than {MAX_ROWS} rows")
        if row.attributes.get("hidden") in {"1", "true"}:
            collector.fault(Place(number, sheet=sheet), "is hidden: show or delete it")
        for cell in row.all("c"):
            place = Place(number, re.sub("[0-9]", "", cell.attributes.get("r", "")), sheet)
            if cell.attributes.get("t") == "e":
                collector.fault(place, "is an error")
            elif cell.first("f") is not None and not cell.value("v"):
                collector.fault(place, "is a formula without a value: open and save the workbook, or write the value")


def _row_of(reference: str) -> int:
    found = _CELL.match(reference)
    return int(found[2]) if found else 1


def _values(data: bytes, sheet: str, file: str, collector: Collector) -> Iterator[tuple[int, list[str]]]:
    try:
        with warnings.catch_warnings():
            # openpyxl warns of features that it leaves out; none of them is a value.
            warnings.simplefilter("ignore")
            workbook = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
            listed = [list(row) for row in workbook[sheet].iter_rows()]
            workbook.close()
    except Exception as error:
        raise refusal(file, "the workbook is damaged: open and save it again") from error
    for number, row in enumerate(listed, 1):
        yield (
            number,
            [
                _text(cell, Place(number, get_column_letter(index), sheet), collector)
                for index, cell in enumerate(row, 1)
            ],
        )


def _text(cell: Any, place: Place, collector: Collector) -> str:  # noqa: ANN401 - openpyxl has no types
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return decimal_text(Decimal(repr(value)))
    if isinstance(value, dt.date | dt.time | dt.timedelta):
        collector.fault(place, "is a date or time: format the column as text, and write the value again")
    return str(value).replace("\r\n", "\n").replace("\r", "\n")


def write(table: Sequence[Sequence[str]]) -> bytes:
    """Return a workbook of texts; equal tables give equal bytes."""
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = NAME
    for number, row in enumerate(table, 1):
        for index, text in enumerate(row, 1):
            if text:
                cell = sheet.cell(number, index, text)
                cell.data_type = "s"
                cell.number_format = "@"
    stream = io.BytesIO()
    workbook.save(stream)
    archive = Archive(stream.getvalue(), "workbook")
    return pack((name, _without_time(archive.read(name))) for name in archive.names)


def _without_time(data: bytes) -> bytes:
    return re.sub(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*", rb"\g<1>" + _CREATED.encode(), data)
