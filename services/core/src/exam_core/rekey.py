"""Compare an exam with a paper that was frozen from it earlier, and derive its current key for a regrade.

Papers are identified by their content, and so are questions and choices here: an exam fits a paper while it shows the
same, whatever ids its author gives. A key may be corrected after the sitting; what students were shown may not.
Line ends and blanks at the ends of a text are no difference, because a browser that posts a form back changes them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from exam_core.answer_value import mask_of
from exam_core.canonical import JsonObject
from exam_core.numbers import decimal_text
from exam_core.paper import AuthoredChoice, AuthoredExam, AuthoredQuestion, Key, KeyEntry, Paper, QuestionKind

NAMED_CHANGES = 5
"""How many differences a comparison names; of more it gives the number."""


class NotTheSamePaperError(Exception):
    """The exam differs from the paper in more than its key; the message names the difference."""


class Change(StrEnum):
    """What of an exam changed since a paper and its key were frozen."""

    NONE = "none"
    KEY = "key"
    PAPER = "paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An exam's present content against a frozen paper and key.

    `detail` names the first differences, and is empty without any. A change of the paper hides one of the key.
    """

    change: Change
    detail: str


def compare(paper: Paper, key: Key, exam: AuthoredExam) -> Comparison:
    """Compare an exam's present content, which may have faults, with a frozen paper and one of its keys."""
    if changes := tuple(_changes(paper, exam)):
        more = len(changes) - NAMED_CHANGES
        rest = (f"{more} more changes",) if more > 0 else ()
        return Comparison(change=Change.PAPER, detail="; ".join((*changes[:NAMED_CHANGES], *rest)))
    try:
        entries = rekey(paper, exam).entries
    except NotTheSamePaperError as error:
        return Comparison(change=Change.KEY, detail=str(error))
    questions = zip(exam.questions, entries, key.entries, strict=True)
    if corrected := [question.id for question, now, frozen in questions if now != frozen]:
        plural = "s" if len(corrected) > 1 else ""
        return Comparison(change=Change.KEY, detail=f"the key of question{plural} {', '.join(corrected)} changed")
    return Comparison(change=Change.NONE, detail="")


def rekey(paper: Paper, exam: AuthoredExam) -> Key:
    """Return the exam's current key in the paper's numbering.

    Raises:
        NotTheSamePaperError: more than the key changed, or no answer to the paper could match the key.
    """
    frozen = paper.content["questions"]
    if len(exam.questions) != len(frozen):
        raise NotTheSamePaperError(_other_length(exam, frozen))
    entries = [_entry(*pair) for pair in zip(exam.questions, frozen, strict=True)]
    return Key.of(paper=paper.digest, entries=entries)


def _changes(paper: Paper, exam: AuthoredExam) -> Iterator[str]:
    """The differences that students would see."""
    content = paper.content
    for name, text in (("title", exam.title), ("instructions", exam.instructions)):
        if _visible(text) != _visible(content[name]):
            yield f"the {name} changed"
    if len(exam.questions) != len(content["questions"]):
        yield _other_length(exam, content["questions"])
        return
    for question, frozen in zip(exam.questions, content["questions"], strict=True):
        yield from _question_changes(question, frozen)
        if question.kind is QuestionKind.MULTIPLE and "max_choices" in frozen:
            most = question.max_choices or len(question.choices)
            if most != frozen["max_choices"]:
                yield f"question {question.id} allows {most} choices now, not {frozen['max_choices']}"


def _question_changes(question: AuthoredQuestion, frozen: JsonObject) -> Iterator[str]:
    """The differences of one question that students would see, without how many choices it allows."""
    members = (
        ("kind", question.kind.value, frozen["kind"]),
        ("text", _visible(question.text), _visible(frozen["text"])),
        ("weight", decimal_text(question.weight), frozen["weight"]),
        ("image", _image_of(question), _image_in(frozen)),
    )
    for name, now, before in members:
        if now != before:
            values = f" from {before} to {now}" if name in ("kind", "weight") else ""
            yield f"the {name} of question {question.id} changed{values}"
    if question.kind.value == frozen["kind"] and _match_choices(question, frozen.get("choices", ())) is None:
        yield f"the choices of question {question.id} changed"


def _entry(question: AuthoredQuestion, frozen: JsonObject) -> KeyEntry:
    if changes := tuple(_question_changes(question, frozen)):
        raise NotTheSamePaperError("; ".join(changes))
    if question.kind is QuestionKind.NUMERIC:
        if question.value is None:
            raise NotTheSamePaperError(f"question {question.id} no longer has a key")
        return KeyEntry(value=question.value, tolerance=question.tolerance)
    numbers = _match_choices(question, frozen["choices"]) or ()
    correct = [number for number, choice in zip(numbers, question.choices, strict=True) if choice.correct]
    if not 1 <= len(correct) <= frozen["max_choices"]:
        raise NotTheSamePaperError(
            f"question {question.id} has no correct choice now, or more than the {frozen['max_choices']} that could be "
            "chosen"
        )
    return KeyEntry(choices=mask_of(correct))


def _other_length(exam: AuthoredExam, frozen: Sequence[JsonObject]) -> str:
    return f"it has {len(exam.questions)} questions now, not {len(frozen)}"


def _match_choices(question: AuthoredQuestion, frozen: Sequence[JsonObject]) -> list[int] | None:
    """Return the frozen number of each choice, None when the choices are not those of the paper.

    Equal texts are matched before texts that differ in blanks; choices that look the same are matched in order, because
    they cannot be distinguished.
    """
    numbers: dict[int, int] = {}
    free = dict(enumerate(frozen))
    for form in (_exact, _visible):
        for index, choice in enumerate(question.choices):
            shown = (form(choice.text), _image_of(choice))
            match = (number for number, each in free.items() if (form(each["text"]), _image_in(each)) == shown)
            if index not in numbers and (number := next(match, None)) is not None:
                numbers[index] = number
                del free[number]
    if free or len(numbers) != len(question.choices):
        return None
    return [numbers[index] for index in range(len(numbers))]


def _exact(text: str) -> str:
    return text


def _visible(text: str) -> str:
    """A text without the differences that a browser makes when it posts a form back."""
    return text.replace("\r\n", "\n").strip()


def _image_of(item: AuthoredQuestion | AuthoredChoice) -> str | None:
    return item.image.sha256 if item.image else None


def _image_in(item: JsonObject) -> str | None:
    image = item.get("image")
    return image["sha256"] if image else None
