"""Writes sheets, which state everything of a question; with images they are in a ZIP archive."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from exam_core import limits
from exam_core.authored import DEFAULT_WEIGHT, TextFormat
from exam_core.authoring.exam import AcceptedImage
from exam_core.credits import FULL_CREDIT, NO_CREDIT
from exam_core.images import ImageRef
from exam_core.numbers import decimal_text
from exam_core.questions.choices import Choice, ChoiceRule, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.matching import Matching
from exam_core.questions.model import KindName
from exam_core.questions.numeric import Numeric
from exam_core.questions.ordering import Ordering
from exam_core.questions.text import ShortText
from exam_papers.formats.archives import pack
from exam_papers.formats.losses import Losses, NotWritableError
from exam_papers.formats.model import Exported, FileQuestion, LossCode
from exam_papers.formats.moodle import category_names, category_path
from exam_papers.formats.sheets import xlsx
from exam_papers.formats.sheets.columns import CHOICE_COLUMNS, COLUMNS, neutralised
from exam_papers.formats.sheets.images import WrittenImages
from exam_papers.formats.sheets.values import accepted_cells, cell_number, key_of

_Cells = dict[str, str]
_ALWAYS: Final = ("id", "kind", "text")


def write_csv(questions: Sequence[FileQuestion], images: Mapping[str, AcceptedImage]) -> Exported:
    """Write questions as CSV in UTF-8 with a byte order mark, as Excel reads it."""
    return _write(questions, images, _csv, ".csv")


def write_xlsx(questions: Sequence[FileQuestion], images: Mapping[str, AcceptedImage]) -> Exported:
    """Write questions as a workbook with one sheet."""
    return _write(questions, images, xlsx.write, ".xlsx")


def _csv(table: Sequence[Sequence[str]]) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\r\n").writerows(table)
    return stream.getvalue().encode("utf-8-sig")


def _write(
    questions: Sequence[FileQuestion],
    images: Mapping[str, AcceptedImage],
    render: Callable[[Sequence[Sequence[str]]], bytes],
    suffix: str,
) -> Exported:
    losses = Losses()
    written = WrittenImages(images)
    listed: list[_Cells] = []
    for question in questions:
        own = Losses()
        try:
            listed += _Writer(question, written, own).rows()
        except NotWritableError as error:
            losses.not_written(question, error)
        else:
            losses.merge(own)
    used = [name for name in COLUMNS if name in _ALWAYS or any(row.get(name) for row in listed)]
    table = [used, *([neutralised(row.get(name, "")) for name in used] for row in listed)]
    sheet = render(table)
    if not written.files:
        return Exported(data=sheet, losses=losses.listed(), suffix=suffix)
    data = pack({f"questions{suffix}": sheet} | written.files)
    return Exported(data=data, losses=losses.listed(), suffix=".zip")


class _Writer:
    """Writes the rows of one question."""

    def __init__(self, question: FileQuestion, images: WrittenImages, losses: Losses) -> None:
        self.file_question = question
        self.question = question.question
        self.images = images
        self.losses = losses

    def rows(self) -> list[_Cells]:
        """Return the question's rows."""
        question = self.question
        self.losses.names(self.file_question)
        kind, cells, further = self.content()
        first = {
            "id": question.id,
            "kind": kind.value,
            "title": self.file_question.title,
            "text": self.text(question.text),
            "format": "" if question.format is TextFormat.MARKDOWN else question.format.value,
            "weight": "" if question.weight == DEFAULT_WEIGHT else decimal_text(question.weight),
            "image": self.image(question.image),
            **self.labels(),
            **cells,
        }
        return [first, *({"id": question.id, **row} for row in further)]

    def labels(self) -> _Cells:
        """Return the category and the tags."""
        names, tags = self.file_question.category, self.file_question.tags
        kept_tags = tuple(tag for tag in (tag.replace(";", ",").strip() for tag in tags) if tag)
        path = category_path(names)
        if category_names(path) != names or kept_tags != tags:
            self.losses.add(LossCode.LABELS, "names of the category or tags are changed", self.question.id)
        return {"category": path, "tags": ";".join(kept_tags)}

    def text(self, text: str) -> str:
        """Return a text of the question."""
        if not text.strip() and text:
            self.losses.add(LossCode.WHITE_SPACE, "a text of white space is dropped", self.question.id)
            return ""
        return self.images.text(text, self.question.format, self.question.id, self.losses)

    def image(self, image: ImageRef | None) -> str:
        """Return the name of an image's file."""
        return "" if image is None else self.images.name(image.sha256, self.question.id, self.losses)

    def content(self) -> tuple[KindName, _Cells, list[_Cells]]:
        """Return the kind, the cells of the first row, and the further rows."""
        interaction = self.question.interaction
        if isinstance(interaction, SingleChoice):
            return KindName.SINGLE, *self.choices(interaction.choices)
        if isinstance(interaction, MultipleChoice):
            return KindName.MULTIPLE, *self.multiple(interaction)
        if isinstance(interaction, TrueFalse):
            key = {"key": "TRUE" if interaction.answer else "FALSE"}
            other = interaction.other_credit
            return KindName.TRUE_FALSE, key | ({"credit": str(other)} if other else {}), []
        if isinstance(interaction, Numeric):
            return KindName.NUMERIC, *self.numeric(interaction)
        return self.other_content()

    def other_content(self) -> tuple[KindName, _Cells, list[_Cells]]:
        """Return what `content` does, for the other kinds."""
        interaction = self.question.interaction
        if isinstance(interaction, ShortText):
            return KindName.TEXT, *self.short_text(interaction)
        if isinstance(interaction, Matching):
            stems = [
                {"choice": self.text(stem.text), "key": self.text(stem.target), "image": self.image(stem.image)}
                for stem in interaction.stems
            ]
            return KindName.MATCHING, {}, [*stems, *({"key": self.text(text)} for text in interaction.distractors)]
        if isinstance(interaction, Ordering):
            items = [{"choice": self.text(item.text), "image": self.image(item.image)} for item in interaction.items]
            return KindName.ORDERING, {"rule": interaction.rule.value}, items
        if isinstance(interaction, Essay):
            return KindName.ESSAY, _essay(interaction), []
        raise NotWritableError("is of a kind that sheets do not have")

    def choices(self, choices: Sequence[Choice]) -> tuple[_Cells, list[_Cells]]:
        """Return choices in columns with a key, or a row each if credits or images need it."""
        texts = [self.text(choice.text) for choice in choices]
        right = {place for place, choice in enumerate(choices) if choice.credit == FULL_CREDIT}
        plain = all(choice.image is None and choice.credit in {FULL_CREDIT, NO_CREDIT} for choice in choices)
        if plain and right and (key := key_of(right, texts)):
            return dict(zip(CHOICE_COLUMNS, texts, strict=False)) | {"key": key}, []
        return {}, [
            {"choice": text, "credit": str(choice.credit), "image": self.image(choice.image)}
            for text, choice in zip(texts, choices, strict=True)
        ]

    def multiple(self, question: MultipleChoice) -> tuple[_Cells, list[_Cells]]:
        """Return choices with the rule that scores them."""
        first, further = self.choices(question.choices)
        first |= {"rule": question.rule.value} if question.rule else {}
        if question.rule is ChoiceRule.SUM_OF_CREDITS:
            first |= {"floor": cell_number(question.floor), "cap": cell_number(question.cap)}
        return first | _whole("max_choices", question.max_choices, None), further

    def numeric(self, question: Numeric) -> tuple[_Cells, list[_Cells]]:
        """Return the accepted values, the first one in the question's own row."""
        entries: list[_Cells] = []
        for entry in question.accepted:
            key, tolerance = accepted_cells(entry)
            credit = "" if entry.credit == FULL_CREDIT else str(entry.credit)
            entries.append({"key": key, "tolerance": tolerance, "credit": credit})
        return {"unit": question.unit} | entries[0], entries[1:]

    def short_text(self, question: ShortText) -> tuple[_Cells, list[_Cells]]:
        """Return the accepted texts, the first one in the question's own row."""
        entries = [
            {"key": entry.text, "credit": "" if entry.credit == FULL_CREDIT else str(entry.credit)}
            for entry in question.accepted
        ]
        members = {name: "TRUE" for name in ("case", "wildcards") if getattr(question, name)}
        length = _whole("max_length", question.max_length, limits.DEFAULT_SHORT_TEXT)
        return members | length | entries[0], entries[1:]


def _essay(question: Essay) -> _Cells:
    return {
        **_whole("max_characters", question.max_characters, limits.MAX_ESSAY),
        **_whole("min_words", question.min_words, None),
        **_whole("max_words", question.max_words, None),
        "template": question.template,
        "notes": question.notes,
    }


def _whole(name: str, value: int | None, default: int | None) -> _Cells:
    return {} if value is None or value == default else {name: str(value)}
