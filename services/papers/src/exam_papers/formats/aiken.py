"""Reads and writes Aiken: single-choice questions as plain lines.

A question is one line, then lines ``A) …`` or ``A. …`` with the letters in order, then ``ANSWER: A``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from exam_core import limits
from exam_core.authored import DEFAULT_WEIGHT, TextFormat
from exam_core.authoring.exam import AcceptedImage, AcceptImage
from exam_core.credits import FULL_CREDIT, NO_CREDIT
from exam_core.questions.choices import Choice, SingleChoice, TrueFalse
from exam_papers.formats.collector import Collector, Draft, letters
from exam_papers.formats.encoding import decode
from exam_papers.formats.losses import Losses, NotWritableError
from exam_papers.formats.markup import plain
from exam_papers.formats.model import Exported, FileQuestion, Imported, LossCode, Place

SUFFIX: Final = ".txt"
_CHOICE: Final = re.compile(r"([A-Z])[.)]\s*(.*)")
_ANSWER: Final = re.compile(r"ANSWER:\s*(.*)")
_ANSWER_IN_SMALL: Final = re.compile(r"answer\s*:", re.IGNORECASE)
_LABEL: Final = 80
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass
class _Block:
    """The lines up to an answer."""

    line: int = 0
    stem: str = ""
    choices: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def label(self) -> str:
        """How faults name the question."""
        return self.stem if len(self.stem) <= _LABEL else f"{self.stem[:_LABEL]}…"


def read(data: bytes, *, file: str, accept_image: AcceptImage) -> Imported:
    """Read the questions of an Aiken file.

    Raises:
        ImportFaults: the file has faults.
    """
    reader = _Reader(Collector(file, accept_image))
    for number, raw in enumerate(decode(data, file).split("\n"), 1):
        if line := raw.strip():
            reader.take(number, line)
    reader.end()
    return reader.collector.finish()


@dataclass
class _Reader:
    """Takes line after line."""

    collector: Collector
    block: _Block = field(default_factory=_Block)

    def take(self, number: int, line: str) -> None:
        """Take a line that is not blank."""
        if answer := _ANSWER.fullmatch(line):
            self.answer(number, answer[1])
        elif choice := _CHOICE.fullmatch(line):
            self.choice(number, choice[1], choice[2])
        elif _ANSWER_IN_SMALL.match(line):
            self.collector.fault(Place(number), "is an answer that is not read: write ANSWER: in capital letters")
            self.block = _Block()
        else:
            self.stem(number, line)

    def choice(self, number: int, letter: str, text: str) -> None:
        """Take a choice."""
        if not self.block.stem:
            if not self.block.choices:
                self.collector.fault(
                    Place(number),
                    f"begins like choice {letter} and has no question before it: a question must not begin with a "
                    "capital letter and a point or parenthesis",
                )
            self.block.line = self.block.line or number
        self.block.choices.append((number, letter, text))

    def stem(self, number: int, line: str) -> None:
        """Take a question's line; what came before it has no answer."""
        if self.block.choices:
            self.end()
        elif self.block.stem:
            self.collector.fault(
                Place(number), "is a second line of a question: write the question on one line, and choices below it"
            )
            return
        self.block = _Block(number, line)

    def end(self) -> None:
        """Report what has no answer."""
        if self.block.choices and self.block.stem:
            last = self.block.choices[-1][0]
            self.collector.fault(Place(last), "is not followed by ANSWER:", self.block.label)
        elif self.block.stem:
            self.collector.fault(Place(self.block.line), "has no choices: write A) … below it", self.block.label)
        self.block = _Block()

    def answer(self, number: int, answer: str) -> None:
        """Take the answer, which ends a question."""
        block, self.block = self.block, _Block()
        if not block.stem:
            if not block.choices:
                self.collector.fault(Place(number), "is an answer without a question")
            return
        faults = list(_faults(block, number, answer))
        for line, reason in faults:
            self.collector.fault(Place(line), reason, block.label)
        if faults:
            return
        choices = tuple(
            Choice(id=ident, text=text, credit=FULL_CREDIT if letter == answer else NO_CREDIT)
            for ident, (_, letter, text) in zip(letters(len(block.choices)), block.choices, strict=True)
        )
        self.collector.add(
            Draft(
                place=Place(block.line),
                text=block.stem,
                format=TextFormat.PLAIN,
                interaction=SingleChoice(choices=choices),
                items=tuple(Place(line) for line, _, _ in block.choices),
            )
        )


def _faults(block: _Block, number: int, answer: str) -> Iterator[tuple[int, str]]:
    for expected, (line, letter, _) in zip(_LETTERS, block.choices, strict=False):
        if letter != expected:
            yield line, f"has choice {letter}) where {expected}) must be: the letters run A, B, C, …"
            return
    if len(block.choices) < limits.MIN_CHOICES:
        yield block.line, f"needs {limits.MIN_CHOICES} choices and has {len(block.choices)}"
    if len(block.choices) > limits.MAX_CHOICES:
        yield block.line, f"has more than {limits.MAX_CHOICES} choices"
    if not re.fullmatch("[A-Z]", answer):
        yield number, "has an answer that is not one capital letter: write ANSWER: A"
    elif answer not in [letter for _, letter, _ in block.choices]:
        yield number, "has an answer that names no choice"


def write(questions: Sequence[FileQuestion], images: Mapping[str, AcceptedImage]) -> Exported:
    """Write questions as an Aiken file: single-choice questions, and true or false as two choices."""
    del images
    losses = Losses()
    records: list[str] = []
    for question in questions:
        own = Losses()
        try:
            records.append(_record(question, own))
        except NotWritableError as error:
            losses.not_written(question, error)
        else:
            losses.merge(own)
    return Exported(data="\n".join(records).encode(), losses=losses.listed(), suffix=SUFFIX)


def _record(file_question: FileQuestion, losses: Losses) -> str:
    question = file_question.question
    ident = question.id
    stem = _line(question.text, question.format, ident, losses)
    if _CHOICE.fullmatch(stem) or _ANSWER_IN_SMALL.match(stem):
        raise NotWritableError("begins like a choice or an answer")
    if isinstance(question.interaction, TrueFalse):
        losses.add(LossCode.KIND, "true or false becomes a choice of two texts", ident)
        texts, right = ["True", "False"], [question.interaction.answer, not question.interaction.answer]
        graded = question.interaction.other_credit != NO_CREDIT
    elif isinstance(question.interaction, SingleChoice):
        losses.names(file_question)
        losses.images_of_items(file_question)
        choices = question.interaction.choices
        texts = [_line(choice.text, question.format, ident, losses) for choice in choices]
        right = [choice.credit == FULL_CREDIT for choice in choices]
        graded = any(choice.credit not in {FULL_CREDIT, NO_CREDIT} for choice in choices)
    else:
        raise NotWritableError("is of a kind that Aiken does not have")
    if sum(right) != 1:
        raise NotWritableError("has not exactly one choice that earns the whole weight")
    if len(set(texts)) != len(texts):
        raise NotWritableError("has choices that are the same without their markup")
    losses.add(LossCode.CREDIT, "other credits become 0", ident, int(graded))
    losses.add(LossCode.TEXT_FORMAT, "the text becomes plain", ident, int(question.format is not TextFormat.PLAIN))
    losses.add(LossCode.IMAGES, "images are dropped", ident, int(question.image is not None))
    losses.add(LossCode.WEIGHT, "the weight becomes 1", ident, int(question.weight != DEFAULT_WEIGHT))
    labels = (file_question.title, *file_question.category, *file_question.tags)
    losses.add(LossCode.LABELS, "title, category and tags are dropped", ident, int(any(labels)))
    losses.add(LossCode.IDENTIFIER, "the id is dropped", ident)
    lines = [stem, *(f"{letter}) {text}" for letter, text in zip(_LETTERS, texts, strict=False))]
    return "\n".join([*lines, f"ANSWER: {_LETTERS[right.index(True)]}", ""])


def _line(text: str, source: TextFormat, ident: str, losses: Losses) -> str:
    """Return a text as one plain line."""
    bare, _ = plain(text, source)
    line = " ".join(bare.split("\n"))
    losses.add(LossCode.WHITE_SPACE, "line ends become spaces", ident, int(line != bare))
    if not (stripped := losses.text(line, ident)):
        raise NotWritableError("has a text, choice or target without words")
    return stripped
