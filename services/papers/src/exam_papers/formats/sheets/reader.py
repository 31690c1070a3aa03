"""Reads sheets: each question is a row, or a row and one more for each of its choices, stems, items or answers."""

from collections.abc import Sequence
from typing import Final

from exam_core.authored import DEFAULT_WEIGHT, TextFormat
from exam_core.authoring.exam import AcceptImage
from exam_core.questions.model import KindName
from exam_papers.formats.archives import MAGIC, Archive
from exam_papers.formats.collector import Collector, Draft, weight_of
from exam_papers.formats.encoding import refusal
from exam_papers.formats.model import Imported, LossCode
from exam_papers.formats.moodle import category_names
from exam_papers.formats.sheets import xlsx
from exam_papers.formats.sheets.columns import QUESTION_COLUMNS
from exam_papers.formats.sheets.images import SheetImages
from exam_papers.formats.sheets.kinds import READERS, Cells
from exam_papers.formats.sheets.rows import Row, csv_cells, rows

_SHEETS: Final = (".csv", ".tsv", ".xlsx")


def read(data: bytes, *, file: str, accept_image: AcceptImage) -> Imported:
    """Read the questions of a CSV or XLSX sheet, or of a ZIP archive with one and its images.

    Raises:
        ImportFaults: the file has faults.
    """
    collector = Collector(file, accept_image, ids_are_ours=True)
    archive: Archive | None = None
    if data.startswith(MAGIC) and not xlsx.is_workbook(outer := Archive(data, file)):
        archive = outer
        data = outer.read(sheet_in(outer))
    if data.startswith(MAGIC):
        sheet, cells = xlsx.cells(Archive(data, file), data, collector)
    else:
        sheet, cells = "", csv_cells(data, file)
    images = SheetImages(collector, archive)
    for group in _questions(rows(cells, collector, sheet), collector):
        _read(group, collector, images)
    return collector.finish()


def sheet_in(archive: Archive) -> str:
    """Return the name of the only sheet of an archive.

    Raises:
        ImportFaults: there is none, or several.
    """
    names = [name for name in archive.names if name.lower().endswith(_SHEETS)]
    if len(names) != 1:
        raise refusal(archive.file, f"the archive has {len(names)} sheets: put one CSV or XLSX file into it")
    return names[0]


def _questions(found: Sequence[Row], collector: Collector) -> list[list[Row]]:
    """Group rows: a question begins where a kind or a text is given, or another id."""
    groups: list[list[Row]] = []
    for row in found:
        ident = row.get("id")
        if row.get("kind") or row.raw("text"):
            groups.append([row])
        elif not groups or (ident and ident != groups[-1][0].get("id")):
            collector.fault(row.place("kind"), "is empty: a question needs a kind, and its further rows its id")
        else:
            groups[-1].append(row)
            for column in QUESTION_COLUMNS[1:]:
                if row.raw(column):
                    collector.fault(row.place(column), "belongs into the first row of the question")
    return groups


def _read(group: list[Row], collector: Collector, images: SheetImages) -> None:
    first = group[0]
    label = first.get("title") or first.get("id") or f"row {first.number}"
    before = collector.fault_count
    kind = first.get("kind").lower()
    if kind not in READERS:
        collector.fault(first.place("kind"), f"is not one of {', '.join(KindName)}", label)
        return
    named = first.get("format").lower() or TextFormat.MARKDOWN
    if named not in set(TextFormat):
        collector.fault(first.place("format"), f"is not one of {', '.join(TextFormat)}", label)
        return
    text_format = TextFormat(named)
    cells = Cells(collector, group, images, text_format, label)
    interaction = READERS[KindName(kind)](cells)
    cells.unused()
    weight = DEFAULT_WEIGHT
    if typed := first.get("weight"):
        try:
            weight = weight_of(typed)
        except ValueError as error:
            collector.fault(first.place("weight"), str(error), label)
    image = images.named(first.get("image"), first.place("image"), label) if first.get("image") else None
    text = cells.text(first, "text")
    if collector.fault_count > before:
        return
    if first.get("section"):
        collector.lose(LossCode.LABELS, "sections are not taken")
    collector.add(
        Draft(
            place=first.place(),
            ident=first.get("id") or None,
            title=first.raw("title"),
            category=category_names(first.get("category")),
            tags=tuple(tag.strip() for tag in first.get("tags").split(";") if tag.strip()),
            text=text,
            format=text_format,
            weight=weight,
            image=image,
            interaction=interaction,
            items=cells.places,
        )
    )
