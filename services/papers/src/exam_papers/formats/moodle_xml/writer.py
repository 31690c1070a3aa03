"""Writes Moodle XML."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final
from xml.sax.saxutils import escape as xml_escape
from xml.sax.saxutils import quoteattr

from exam_core import limits
from exam_core.authored import TextFormat
from exam_core.authoring.exam import AcceptedImage
from exam_core.credits import FULL_CREDIT, NO_CREDIT
from exam_core.images import ImageRef
from exam_core.numbers import decimal_text
from exam_core.questions.choices import MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.matching import Matching
from exam_core.questions.numeric import Between, Near, Numeric, Tolerance
from exam_core.questions.ordering import Ordering
from exam_core.questions.text import ShortText
from exam_papers.formats.losses import Losses, NotWritableError, items_of, moodle_credits, percent
from exam_papers.formats.markup import IMAGE_SCHEME, ITEM_IMAGE, escape, plain, replace_images
from exam_papers.formats.model import Exported, FileQuestion, LossCode
from exam_papers.formats.moodle import (
    RULE_NAMES,
    absolute,
    category_names,
    category_path,
    default_length,
    number_text,
    pattern_text,
)
from exam_papers.formats.moodle_xml.texts import FORMAT_NAMES, PLUGIN_FILE

SUFFIX: Final = ".xml"
_PLAIN: Final = FORMAT_NAMES[TextFormat.PLAIN]


def write(questions: Sequence[FileQuestion], images: Mapping[str, AcceptedImage]) -> Exported:
    """Write questions as a Moodle XML file."""
    losses = Losses()
    parts: list[str] = []
    category: tuple[str, ...] = ()
    for question in questions:
        own = Losses()
        try:
            written = _Writer(question, images, own).question_element()
        except NotWritableError as error:
            losses.not_written(question, error)
            continue
        names = _category(question, own)
        losses.merge(own)
        if names != category:
            path = element("text", cdata("/".join(["top", *([category_path(names)] if names else [])])))
            parts.append(element("question", element("category", path), type="category"))
            category = names
        parts.append(written)
    body = "\n".join(parts)
    data = f'<?xml version="1.0" encoding="UTF-8"?>\n<quiz>\n{body}\n</quiz>\n'.encode()
    return Exported(data=data, losses=losses.listed(), suffix=SUFFIX)


def element(name: str, content: str, /, **attributes: str) -> str:
    """Return an element; the content is XML."""
    start = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{name}{start}>{content}</{name}>"


def cdata(text: str) -> str:
    """Return a text as XML, in CDATA if it contains markup."""
    if not {"<", "&"} & set(text):
        return xml_escape(text)
    return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"


def _category(question: FileQuestion, losses: Losses) -> tuple[str, ...]:
    names = question.category
    if category_names(f"top/{category_path(names)}") != names:
        losses.add(LossCode.LABELS, "the names of the category are changed", question.question.id)
        names = category_names(f"top/{category_path([name.strip().strip('/') for name in names])}")
    return names


class _Writer:
    """Writes one question."""

    def __init__(self, question: FileQuestion, images: Mapping[str, AcceptedImage], losses: Losses) -> None:
        self.file_question = question
        self.question = question.question
        self.images = images
        self.losses = losses
        self.format = self.question.format
        if self.format is TextFormat.PLAIN and any(item.image for item in items_of(self.question.interaction)):
            # An image is written behind the text of its choice, which plain text cannot have.
            self.lose(LossCode.TEXT_FORMAT, "plain texts become HTML")
            self.format = TextFormat.HTML

    def lose(self, code: LossCode, feature: str, count: int = 1) -> None:
        """Record a loss of this question."""
        self.losses.add(code, feature, self.question.id, count)

    def question_element(self) -> str:
        """Return the question.

        Raises:
            NotWritableError: Moodle XML cannot state it.
        """
        question = self.question
        self.losses.names(self.file_question)
        title = self.losses.text(self.file_question.title, question.id)
        kind, parts = self.content()
        members = [
            element("name", element("text", cdata(title or question.id))),
            self.text("questiontext", question.text),
            element("defaultgrade", decimal_text(question.weight)),
            element("idnumber", cdata(question.id)),
            *self.image(),
            *parts,
            *self.tags(),
        ]
        return element("question", "\n  " + "\n  ".join(members) + "\n", type=kind)

    def image(self) -> Iterator[str]:
        """Yield the question's own image, which Moodle puts behind the text."""
        if (image := self.question.image) is not None and (data := self.bytes_of(image.sha256)) is not None:
            yield element("image", _file_name(image))
            yield element("image_base64", base64.b64encode(data).decode())

    def bytes_of(self, sha256: str) -> bytes | None:
        """Return the bytes of an image; None and a loss if they are not there."""
        if (accepted := self.images.get(sha256)) is not None:
            return accepted.data
        self.lose(LossCode.IMAGES, "an image has no bytes")
        return None

    def tags(self) -> Iterator[str]:
        """Yield the tags."""
        tags = [tag.strip() for tag in self.file_question.tags if tag.strip()]
        self.lose(LossCode.LABELS, "white space of tags is dropped", int(tuple(tags) != self.file_question.tags))
        if tags:
            yield element("tags", "".join(element("tag", element("text", cdata(tag))) for tag in tags))

    def text(self, name: str, text: str, image: ImageRef | None = None, *, inner: str = "", **attributes: str) -> str:
        """Return an element with a text, in the question's format, and the images in it."""
        kept = self.losses.text(text, self.question.id)
        if self.format is not self.question.format:
            kept = escape(kept, self.format)
        files: dict[str, str] = {}

        def reference(old: str) -> str:
            sha256 = old.removeprefix(IMAGE_SCHEME)
            if not old.startswith(IMAGE_SCHEME):
                self.lose(LossCode.IMAGES, "an image on another server is not carried")
                return old
            return self.attach(sha256, files) or old

        kept = replace_images(kept, self.format, reference)
        if image is not None and (attached := self.attach(image.sha256, files)):
            kept = (f"{kept} " if kept else "") + ITEM_IMAGE.format(attached)
        content = element("text", cdata(kept)) + "".join(files.values()) + inner
        return element(name, content, format=FORMAT_NAMES[self.format], **attributes)

    def attach(self, sha256: str, files: dict[str, str]) -> str | None:
        """Add an image to the files of a text, and return what the text refers to."""
        data = self.bytes_of(sha256)
        if data is None:
            return None
        name = _file_name(self.images[sha256].ref)
        content = base64.b64encode(data).decode()
        files[name] = element("file", content, name=name, path="/", encoding="base64")
        return f"{PLUGIN_FILE}/{name}"

    def content(self) -> tuple[str, list[str]]:
        """Return the type, and the elements that only this type has."""
        interaction = self.question.interaction
        if isinstance(interaction, SingleChoice):
            return "multichoice", self.choices(interaction, [choice.credit for choice in interaction.choices], "true")
        if isinstance(interaction, MultipleChoice):
            credits_ = moodle_credits(interaction, self.question.id, self.losses)
            return "multichoice", self.choices(interaction, credits_, "false")
        if isinstance(interaction, TrueFalse):
            return "truefalse", self.true_false(interaction)
        if isinstance(interaction, ShortText):
            return "shortanswer", self.short_text(interaction)
        return self.other_content()

    def other_content(self) -> tuple[str, list[str]]:
        """Return what `content` does, for the other kinds."""
        interaction = self.question.interaction
        if isinstance(interaction, Numeric):
            return "numerical", self.numeric(interaction)
        if isinstance(interaction, Matching):
            return "matching", self.matching(interaction)
        if isinstance(interaction, Ordering):
            items = [
                self.text("answer", item.text, item.image, fraction=str(place))
                for place, item in enumerate(interaction.items, 1)
            ]
            return "ordering", [element("gradingtype", RULE_NAMES[interaction.rule]), *items]
        if isinstance(interaction, Essay):
            return "essay", self.essay(interaction)
        raise NotWritableError("is of a kind that Moodle XML does not have")

    def choices(self, question: SingleChoice | MultipleChoice, credits_: Sequence[Fraction], single: str) -> list[str]:
        """Return choices with their credits."""
        answers = [
            self.text("answer", choice.text, choice.image, fraction=percent(credit))
            for choice, credit in zip(question.choices, credits_, strict=True)
        ]
        return [element("single", single), element("shuffleanswers", "true"), *answers]

    def true_false(self, question: TrueFalse) -> list[str]:
        """Return the two answers; Moodle ignores the credit of the other one."""
        if question.other_credit != NO_CREDIT:
            self.lose(LossCode.DIFFERS_FROM_MOODLE, "Moodle ignores the credit of the wrong answer")
        return [
            _answer(text, FULL_CREDIT if right else question.other_credit)
            for text, right in (("true", question.answer), ("false", not question.answer))
        ]

    def short_text(self, question: ShortText) -> list[str]:
        """Return the accepted texts."""
        changed = int(question.max_length != default_length(question))
        self.lose(LossCode.LIMITS, "the longest length of an answer is dropped", changed)
        answers = [
            _answer(self.losses.text(pattern_text(question, entry), self.question.id), entry.credit)
            for entry in question.accepted
        ]
        return [element("usecase", str(int(question.case))), *answers]

    def numeric(self, question: Numeric) -> list[str]:
        """Return the accepted values and the unit."""
        answers = [self.value(entry) for entry in question.accepted]
        if not question.unit:
            return answers
        unit = self.losses.text(question.unit, self.question.id)
        members = element("multiplier", "1") + element("unit_name", cdata(unit))
        return [*answers, element("unitgradingtype", "0"), element("units", element("unit", members))]

    def value(self, entry: Near | Between) -> str:
        """Return an accepted value with its absolute tolerance."""
        same = absolute(entry)
        if isinstance(entry, Near) and entry.by is not Tolerance.ABSOLUTE:
            self.lose(LossCode.NUMBER, f"a {entry.by} tolerance is written as an absolute one")
        if isinstance(same, Between):
            if same.low is None and same.high is None:
                return _answer("*", entry.credit)
            if same.low is None or same.high is None:
                raise NotWritableError("has a range that is bounded on one side")
            self.lose(LossCode.NUMBER, "a range is written as a value with a tolerance")
            if same.low_open or same.high_open:
                self.lose(LossCode.NUMBER, "an open end of a range becomes closed")
            same = Near(value=(same.low + same.high) / 2, tolerance=(same.high - same.low) / 2)
        tolerance = element("tolerance", self.number(same.tolerance))
        return _answer(self.number(same.value), entry.credit, tolerance)

    def number(self, number: Fraction) -> str:
        """Return a number, rounded if it has no end as a decimal."""
        text, exact = number_text(number)
        self.lose(LossCode.NUMBER, "a number is rounded", int(not exact))
        return text

    def matching(self, question: Matching) -> list[str]:
        """Return stems with their targets, which are plain text."""
        stems = [
            self.text("subquestion", stem.text, stem.image, inner=self.target(stem.target)) for stem in question.stems
        ]
        others = [self.text("subquestion", "", inner=self.target(text)) for text in question.distractors]
        return [element("shuffleanswers", "true"), *stems, *others]

    def target(self, text: str) -> str:
        """Return a target without markup."""
        bare, same = plain(self.losses.text(text, self.question.id), self.question.format)
        self.lose(LossCode.TEXT_FORMAT, "the markup of a target is dropped", int(not same))
        if not bare.strip():
            raise NotWritableError("has a target without words")
        return element("answer", element("text", cdata(bare)))

    def essay(self, question: Essay) -> list[str]:
        """Return the limits of words, the template and the notes for the marker."""
        self.lose(
            LossCode.LIMITS, "the limit of characters is dropped", int(question.max_characters != limits.MAX_ESSAY)
        )
        parts = [element("responseformat", "plain")]
        for name, words in (("minwordlimit", question.min_words), ("maxwordlimit", question.max_words)):
            parts += [element(name, str(words))] if words is not None else []
        for name, text in (("graderinfo", question.notes), ("responsetemplate", question.template)):
            kept = self.losses.text(text, self.question.id)
            parts += [element(name, element("text", cdata(kept)), format=_PLAIN)] if kept else []
        return parts


def _answer(text: str, credit: Fraction, inner: str = "") -> str:
    return element("answer", element("text", cdata(text)) + inner, fraction=percent(credit), format=_PLAIN)


def _file_name(image: ImageRef) -> str:
    return f"{image.sha256}.{image.type.removeprefix('image/')}"
