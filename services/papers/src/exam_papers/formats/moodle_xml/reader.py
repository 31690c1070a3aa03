"""Reads Moodle XML."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from exam_core.authored import DEFAULT_WEIGHT
from exam_core.authoring.exam import AcceptImage
from exam_core.images import ImageRef
from exam_papers.formats.collector import Collector, Draft, weight_of
from exam_papers.formats.encoding import refusal
from exam_papers.formats.markup import SourceFormat, unify
from exam_papers.formats.model import Imported, LossCode, Place
from exam_papers.formats.moodle import category_names
from exam_papers.formats.moodle_xml.kinds import READERS, is_yes
from exam_papers.formats.moodle_xml.texts import Texts
from exam_papers.formats.xml_tree import Node, parse

ROOT: Final = "quiz"
_FEEDBACK: Final = (
    "generalfeedback",
    "correctfeedback",
    "partiallycorrectfeedback",
    "incorrectfeedback",
    "feedback",
    "hint",
)
_LAYOUT: Final = (
    "answernumbering",
    "layouttype",
    "numberingstyle",
    "showgrading",
    "responsefieldlines",
    "showunits",
)
_USUAL_EDITORS: Final = {"editor", "plain"}
_ADMINISTRATION: Final = re.compile(
    "hidden|shownumcorrect|showstandardinstruction|responserequired|attachmentsrequired|maxbytes|filetypeslist"
    "|instructions|unitsleft|unitpenalty|responseformat"
)
_READ: Final = re.compile(
    "name|questiontext|defaultgrade|penalty|idnumber|tags|answer|single|shuffleanswers|usecase|units|unitgradingtype"
    "|subquestion|selecttype|selectcount|gradingtype|minwordlimit|maxwordlimit|attachments|graderinfo|responsetemplate"
    "|image|image_base64"
)


def read(data: bytes, *, file: str, accept_image: AcceptImage) -> Imported:
    """Read the questions of a Moodle XML file.

    Raises:
        ImportFaults: the file has faults.
    """
    root = parse(data, file)
    if root.name != ROOT:
        raise refusal(file, f"the root element is <{root.name}> and not <{ROOT}>", root.line)
    collector = Collector(file, accept_image)
    category: tuple[str, ...] = ()
    for node in root.children:
        if node.name != "question":
            collector.lose(LossCode.METADATA, f"<{node.name}> is dropped")
            continue
        kind = node.attributes.get("type", "")
        if kind == "category":
            path = node.first("category")
            category = category_names((path.value("text") or "") if path else "")
        else:
            _Question(collector, node, kind, category).read()
    return collector.finish()


class _Question:
    """Reads one question."""

    def __init__(self, collector: Collector, node: Node, kind: str, category: tuple[str, ...]) -> None:
        self.collector = collector
        self.node = node
        self.kind = kind
        self.category = category
        name = node.first("name")
        self.title = ((name.value("text") if name.first("text") else name.text.strip()) or "") if name else ""
        self.ident = node.value("idnumber") or None
        self.label = self.title or self.ident or f"line {node.line}"
        self.texts = Texts(collector, self.label)

    def lose(self, code: LossCode, feature: str, count: int = 1) -> None:
        """Record a loss of this question."""
        self.collector.lose(code, feature, self.label, count)

    def read(self) -> None:
        """Read the question and give it to the collector."""
        if self.kind == "description":
            self.lose(LossCode.SECTION_TEXT, "a text without answers is not taken")
            return
        if self.kind not in READERS:
            self.lose(LossCode.NOT_TAKEN, f"a question of the type {self.kind!r} is not taken")
            return
        before = self.collector.fault_count
        text = self.texts.read(self.node.first("questiontext"), SourceFormat.HTML).source
        self.texts.question_format = text.format
        content = READERS[self.kind](self.texts, self.node)
        image, weight = self.old_image(), self.weight()
        self.named_losses()
        if self.collector.fault_count > before:
            return
        unified = unify((text, *content.texts))
        self.lose(LossCode.TEXT_FORMAT, "Markdown becomes HTML", unified.from_markdown)
        self.collector.add(
            Draft(
                place=Place(self.node.line),
                ident=self.ident,
                title="" if self.title == self.ident else self.title,
                category=self.category,
                tags=tuple(self.tags()),
                text=unified.texts[0],
                format=unified.format,
                weight=weight,
                image=image,
                interaction=content.build(unified.texts[1:]),
                items=content.places,
            )
        )

    def weight(self) -> Decimal:
        """Return the weight."""
        grade = self.node.first("defaultgrade")
        if grade is None or not grade.text.strip():
            return DEFAULT_WEIGHT
        try:
            return weight_of(grade.text)
        except ValueError as error:
            self.texts.fault(grade, str(error))
            return DEFAULT_WEIGHT

    def old_image(self) -> ImageRef | None:
        """Return the image that is apart from the text."""
        node = self.node.first("image_base64")
        if node is None or not node.text.strip():
            image = self.node.value("image")
            self.lose(LossCode.IMAGES, "an image has no file", int(bool(image)))
            return None
        return self.texts.image(node, node.text)

    def tags(self) -> Iterator[str]:
        """Yield the tags."""
        for group in self.node.all("tags"):
            for tag in group.all("tag"):
                if name := (tag.value("text") or tag.text.strip()):
                    yield name

    def named_losses(self) -> None:
        """Record what the question has beside its content."""
        node = self.node
        inner = [part for name in ("answer", "subquestion") for part in node.all(name)]
        texts = [each for part in (node, *inner) for name in _FEEDBACK for each in part.all(name)]
        filled = sum(bool((each.value("text") or "") or each.text.strip()) for each in texts)
        self.lose(LossCode.FEEDBACK, "feedback and hints are dropped", filled)
        if (node.value("penalty") or "0").strip("0.") and self.kind != "essay":
            self.collector.lose(LossCode.PENALTY, "penalties for further tries are dropped")
        unusual = (node.value("responseformat") or "editor") not in _USUAL_EDITORS
        if unusual or any(node.value(name) for name in _LAYOUT):
            self.collector.lose(LossCode.LAYOUT, "numbering and layout are dropped")
        shuffled = is_yes(node.value("shuffleanswers"), default=False)
        if self.kind in {"multichoice", "matching", "match"} and not shuffled:
            self.collector.lose(LossCode.LAYOUT, "choices in a fixed order are shuffled")
        self.lose(LossCode.METADATA, "the question is hidden in Moodle", int(node.value("hidden") == "1"))
        for name in sorted({child.name for child in node.children}.difference(_FEEDBACK, _LAYOUT)):
            if not (_ADMINISTRATION.fullmatch(name) or _READ.fullmatch(name)):
                self.lose(LossCode.METADATA, f"<{name}> is dropped")
