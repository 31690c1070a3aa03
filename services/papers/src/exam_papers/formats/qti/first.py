"""Reads QTI 1.2 as Canvas and others write it; it is not written."""

from fractions import Fraction
from typing import Final

from exam_core.authored import TextFormat
from exam_papers.formats.archives import Archive
from exam_papers.formats.collector import Collector, Draft, weight_of
from exam_papers.formats.model import LossCode, Place
from exam_papers.formats.moodle import number_text, point_number
from exam_papers.formats.qti.context import Context, NotTakenError
from exam_papers.formats.qti.first_kinds import READERS, FirstItem, kind_of
from exam_papers.formats.qti.first_texts import FirstTexts, inside
from exam_papers.formats.xml_tree import Node

FIRST_ROOT: Final = "questestinterop"
_TEXT_ONLY: Final = "text_only_question"


class FirstReader:
    """Reads the items of one document."""

    def __init__(self, collector: Collector, archive: Archive | None, path: str) -> None:
        self.collector = collector
        self.archive = archive
        self.path = path

    def read(self, root: Node) -> None:
        """Read all items, in their sections."""
        for child in root.children:
            if child.name in {"assessment", "objectbank"}:
                sections = list(child.all("section"))
                for section in sections:
                    self._section(section, (), None, named=len(sections) > 1)
                self._items(child, (), None)
        self._items(root, (), None)

    def _section(self, node: Node, names: tuple[str, ...], points: Fraction | None, *, named: bool) -> None:
        title = node.attributes.get("title", "").strip()
        if named and title:
            names = (*names, title)
        for selection in inside(node.first("selection_ordering") or Node("", 0), "selection"):
            count = selection.value("selection_number") or "1"
            self.collector.lose(LossCode.SUBSET, f"all questions of a section are taken, not {count} of them")
            each = next(iter(inside(selection, "points_per_item")), None)
            if selection.first("sourcebank_ref") is not None:
                self.collector.lose(LossCode.NOT_TAKEN, "questions of a bank that is not in the file are not taken")
            if each is not None:
                try:
                    points = point_number(each.text)
                except ValueError as error:
                    self.collector.fault(Place(each.line), f"has points of a section which are not usable: {error}")
        for section in node.all("section"):
            self._section(section, names, points, named=True)
        self._items(node, names, points)

    def _items(self, node: Node, names: tuple[str, ...], points: Fraction | None) -> None:
        for item in node.all("item"):
            self._item(item, names, points)

    def _item(self, node: Node, category: tuple[str, ...], points: Fraction | None) -> None:
        ident, title = node.attributes.get("ident", ""), node.attributes.get("title", "").strip()
        context = Context(self.collector, title or ident or f"line {node.line}", self.archive, self.path)
        stated = {
            field.value("fieldlabel") or "": field.value("fieldentry") or ""
            for field in inside(node, "qtimetadatafield")
        }
        context.lose(LossCode.FEEDBACK, "feedback and hints are dropped", len(list(node.all("itemfeedback"))))
        named = stated.get("question_type", "")
        if named == _TEXT_ONLY:
            context.lose(LossCode.SECTION_TEXT, "a text without answers is not taken")
            return
        before = self.collector.fault_count
        weight = context.number(node, stated.get("points_possible") or "1")
        item = FirstItem(context, FirstTexts(context), node, weight)
        try:
            kind = kind_of(item, named)
            if kind not in READERS or not item.responses:
                raise NotTakenError(f"a question of the type {named or kind!r}")  # noqa: TRY301 - named as below
            interaction = READERS[kind](item)
        except NotTakenError as error:
            context.lose(LossCode.NOT_TAKEN, f"{error} is not taken")
            return
        try:
            value = weight_of(number_text(weight if points is None else points)[0])
        except ValueError as error:
            context.fault(node, str(error))
            return
        if self.collector.fault_count == before:
            presentation = node.first("presentation")
            self.collector.add(
                Draft(
                    place=Place(node.line),
                    ident=ident or None,
                    title="" if title == ident else title,
                    category=category,
                    text=item.texts.text(presentation),
                    format=TextFormat.HTML,
                    weight=value,
                    interaction=interaction,
                )
            )
