"""The rows of a sheet as texts by column, from CSV or XLSX."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from exam_papers.formats.collector import Collector
from exam_papers.formats.encoding import decode, refusal
from exam_papers.formats.model import Place
from exam_papers.formats.sheets.columns import COLUMNS, REQUIRED, original

MAX_ROWS: Final = 50_000
_DELIMITERS: Final = ",;\t"


@dataclass(frozen=True, slots=True)
class Row:
    """A row with its number; a column that is empty has no cell."""

    number: int
    cells: Mapping[str, str]
    sheet: str = ""

    def place(self, column: str = "") -> Place:
        """Return the place of a cell, or of the row."""
        return Place(self.number, column, self.sheet)

    def get(self, column: str) -> str:
        """Return a cell without the white space around it."""
        return self.cells.get(column, "").strip()

    def raw(self, column: str) -> str:
        """Return a cell as it is."""
        return self.cells.get(column, "")


def csv_cells(data: bytes, file: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a CSV file, whose delimiter is that of its first row.

    Raises:
        ImportFaults: it is in another encoding, or its quotes are not balanced.
    """
    text = decode(data, file, utf16=True)
    header = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, 1):
            if number > MAX_ROWS:
                raise refusal(file, f"the sheet has more than {MAX_ROWS} rows")
            yield number, cells
    except csv.Error as error:
        reason = "a quoted cell does not end, or text follows its closing quote: write quotes in it twice"
        raise refusal(file, reason, reader.line_num) from error


def rows(cells: Iterator[tuple[int, list[str]]], collector: Collector, sheet: str = "") -> list[Row]:
    """Return the rows below the header; faults of the header and of long rows are recorded."""
    first = next(((number, row) for number, row in cells if any(cell.strip() for cell in row)), None)
    if first is None:
        collector.fault(Place(1, sheet=sheet), "the sheet is empty")
        return []
    names = _header(first[0], first[1], collector, sheet)
    if names is None:
        return []
    found: list[Row] = []
    for number, row in cells:
        if any(cell.strip() for cell in row[len(names) :]):
            collector.fault(
                Place(number, sheet=sheet), "has more cells than the header: enclose a cell with delimiters in quotes"
            )
        filled = {name: original(cell) for name, cell in zip(names, row, strict=False) if cell}
        if any(cell.strip() for cell in filled.values()):
            found.append(Row(number, filled, sheet))
    return found


def _header(number: int, header: list[str], collector: Collector, sheet: str) -> list[str] | None:
    """Return the names of the columns; None and faults if they are not those of a sheet of questions."""
    while header and not header[-1].strip():
        header = header[:-1]
    names = [name.strip().lower() for name in header]
    before, unknown = collector.fault_count, False
    for index, name in enumerate(names):
        place = Place(number, header[index].strip() or str(index + 1), sheet)
        if name not in COLUMNS:
            known = "" if unknown else f": known are {_known()}"
            collector.fault(place, f"is no column of a sheet of questions{known}")
            unknown = True
        elif name in names[:index]:
            collector.fault(place, "is a column that occurs twice")
    for name in REQUIRED:
        if name not in names:
            collector.fault(Place(number, sheet=sheet), f"has no column {name!r}: the first row names the columns")
    return None if collector.fault_count > before else names


def _known() -> str:
    plain = [name for name in COLUMNS if not name.startswith("choice_")]
    return ", ".join([*plain, "choice_a to choice_z"])
