"""Compare an exam with a paper that was frozen from it earlier, and derive its current key for a regrade.

A question is recognised by its author's id, and what it shows by its content first and by its author's ids second: a
corrected text keeps its credit, and texts that were swapped take theirs along. Papers of format 1 have no ids; their
questions are recognised by their places and content alone. A key may be corrected after the sitting; what students were
shown may not. Line ends and blanks at the ends of a text are no difference, because a browser that posts a form back
changes them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from exam_core.authored import AuthoredExam, AuthoredQuestion
from exam_core.canonical import Json, JsonObject
from exam_core.paper import Key, KeyEntry, Paper, RenderText, frozen_question
from exam_core.questions.choices import ChoicesHalf, MultipleChoice
from exam_core.questions.items import content_of
from exam_core.questions.matching import Matching, MatchingHalf
from exam_core.questions.model import KindName, Numbering, StudentHalf
from exam_core.sections import frozen_sections

NAMED_CHANGES = 5
"""How many differences a comparison names; of more it gives the number."""
_SECTION_MEMBERS: Final = {
    "title": ("title",),
    "instructions": ("instructions", "instructions_html"),
    "draw": ("draw",),
    "shuffling": ("shuffle",),
}
"""What may differ between a section and the frozen one, by its name for a reader."""


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


def compare(paper: Paper, key: Key, exam: AuthoredExam, render: RenderText) -> Comparison:
    """Compare an exam's present content, which may have faults, with a frozen paper and one of its keys."""
    entries = key.entries(paper)
    if changes := tuple(_changes(paper, entries, exam, render)):
        more = len(changes) - NAMED_CHANGES
        rest = (f"{more} more changes",) if more > 0 else ()
        return Comparison(change=Change.PAPER, detail="; ".join((*changes[:NAMED_CHANGES], *rest)))
    try:
        current = rekey(paper, key, exam, render).entries(paper)
    except NotTheSamePaperError as error:
        return Comparison(change=Change.KEY, detail=str(error))
    questions = zip(_matched(paper, entries, exam), current, entries, strict=True)
    if corrected := [question.id for question, now, frozen in questions if now.half != frozen.half]:
        plural = "s" if len(corrected) > 1 else ""
        return Comparison(change=Change.KEY, detail=f"the key of question{plural} {', '.join(corrected)} changed")
    return Comparison(change=Change.NONE, detail="")


def rekey(paper: Paper, key: Key, exam: AuthoredExam, render: RenderText) -> Key:
    """Return the exam's current key in the numbering of a paper and its frozen key.

    Raises:
        NotTheSamePaperError: the exam's questions, or what they list, are no longer those of the paper, or a question
            has no key that an answer to the paper could match.
    """
    entries = key.entries(paper)
    questions = _matched(paper, entries, exam)
    numbers = range(len(entries))
    current = [_entry(questions[n], paper.questions[n].half, entries[n], render) for n in numbers]
    return Key.of(paper=paper.digest, entries=current)


def _matched(paper: Paper, entries: Sequence[KeyEntry], exam: AuthoredExam) -> tuple[AuthoredQuestion, ...]:
    """Return the exam's questions in the paper's order: by their ids, or by their places if those are others."""
    by_id = {question.id: question for question in exam.questions}
    ids = [entry.id for entry in entries]
    if by_id.keys() == set(ids):
        return tuple(by_id[each] for each in ids)
    if len(exam.questions) != len(paper.questions):
        raise NotTheSamePaperError(_other_length(paper, exam))
    return exam.questions


def _entry(question: AuthoredQuestion, half: StudentHalf, entry: KeyEntry, render: RenderText) -> KeyEntry:
    interaction = question.interaction
    if interaction.kind is not half.kind:
        raise NotTheSamePaperError(f"the kind of question {question.id} changed from {half.kind} to {interaction.kind}")
    if fault := next(interaction.faults(), None):
        raise NotTheSamePaperError(f"question {question.id} {fault.reason}")
    numbering = _numbering(question, half, entry.items, render)
    if numbering is None:
        raise NotTheSamePaperError(_other_list(question))
    if isinstance(interaction, MultipleChoice) and isinstance(half, ChoicesHalf):
        # More correct choices than the paper lets a student select: no answer could match.
        bounded = replace(interaction, max_choices=half.max_choices)
        if fault := next(bounded.faults(), None):
            raise NotTheSamePaperError(f"question {question.id} {fault.reason}")
    return KeyEntry(id=question.id, half=interaction.key_half(numbering), items=numbering.ids)


def _numbering(
    question: AuthoredQuestion, half: StudentHalf, ids: Sequence[str], render: RenderText
) -> Numbering | None:
    """Return the paper's numbering of what a question lists, None when that is no longer the same.

    Equal contents are matched first, then contents that differ in blanks, then the author's ids; contents that look the
    same are matched in order, because they cannot be distinguished.
    """
    targets: tuple[str, ...] = ()
    if isinstance(half, MatchingHalf) and isinstance(question.interaction, Matching):
        targets = half.targets
        if set(question.interaction.targets) != {target.strip() for target in targets}:
            return None
    items = question.interaction.items
    shown = [content_of(item, lambda text: render(text, question.format)).to_json() for item in items]
    names = tuple(item.id for item in items)
    found: dict[int, str] = {}
    for frozen_forms, forms in (
        ([content.to_json() for content in half.contents], shown),
        ([_visible(content.to_json()) for content in half.contents], [_visible(each) for each in shown]),
        (list(ids), list(names)),
    ):
        for number, frozen in enumerate(frozen_forms):
            if number not in found:
                free = (n for n, form in zip(names, forms, strict=True) if form == frozen and n not in found.values())
                if (name := next(free, None)) is not None:
                    found[number] = name
    if len(found) != len(half.contents) or len(names) != len(found):
        return None
    return Numbering(ids=tuple(found[number] for number in range(len(found))), targets=targets)


def _changes(paper: Paper, entries: Sequence[KeyEntry], exam: AuthoredExam, render: RenderText) -> Iterator[str]:
    """The differences that students would see."""
    content = paper.content
    if _visible(exam.title) != _visible(content["title"]):
        yield "the title changed"
    instructions = render(exam.instructions, exam.format)
    frozen = (content["instructions"], content.get("instructions_html"))
    if _visible([instructions.text, instructions.html]) != _visible(list(frozen)):
        yield "the instructions changed"
    yield from _section_changes(content.get("sections", []), exam, render)
    try:
        questions = _matched(paper, entries, exam)
    except NotTheSamePaperError as error:
        yield str(error)
        return
    if questions != exam.questions:
        yield "the order of the questions changed"
    for number, question in enumerate(questions):
        half, before = paper.questions[number].half, content["questions"][number]
        yield from _question_changes(question, half, before, entries[number], render)


def _section_changes(frozen: Sequence[JsonObject], exam: AuthoredExam, render: RenderText) -> Iterator[str]:
    now: list[Any] = frozen_sections(exam.sections, lambda text: render(text, exam.format))
    if [section["questions"] for section in now] != [section["questions"] for section in frozen]:
        yield "the sections and their questions changed"
        return
    for section, before, after in zip(exam.sections, frozen, now, strict=True):
        for name, members in _SECTION_MEMBERS.items():
            if any(_visible(after.get(each)) != _visible(before.get(each)) for each in members):
                yield f"the {name} of section {section.id} changed"


def _question_changes(
    question: AuthoredQuestion, half: StudentHalf, frozen: JsonObject, entry: KeyEntry, render: RenderText
) -> Iterator[str]:
    if question.interaction.kind is not half.kind:
        yield f"the kind of question {question.id} changed from {half.kind} to {question.interaction.kind}"
        return
    numbering = _numbering(question, half, entry.items, render)
    if numbering is None:
        yield _other_list(question)
        return
    if question.in_order and numbering.ids != tuple(item.id for item in question.interaction.items):
        yield f"the order of what question {question.id} lists changed"
    now = frozen_question(question, numbering, render)
    names = dict.fromkeys(name.replace("html", "text") for name in sorted({*now, *frozen}))
    for name in names:
        members = ("text", "html") if name == "text" else (name,)
        if _visible([now.get(each) for each in members]) != _visible([frozen.get(each) for each in members]):
            plain = all(isinstance(each, int) for each in (now.get(name), frozen.get(name))) or name == "weight"
            values = f" from {frozen[name]} to {now[name]}" if plain else ""
            yield f"the {name} of question {question.id} changed{values}"


def _other_list(question: AuthoredQuestion) -> str:
    noun = {KindName.MATCHING: "stems or targets", KindName.ORDERING: "items"}.get(question.interaction.kind, "choices")
    return f"the {noun} of question {question.id} are not those of the paper"


def _other_length(paper: Paper, exam: AuthoredExam) -> str:
    return f"it has {len(exam.questions)} questions now, not {len(paper.questions)}"


def _visible(value: Json) -> Json:
    """A value without the differences that a browser makes when it posts texts back."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").strip()
    if isinstance(value, list):
        return [_visible(each) for each in value]
    if isinstance(value, dict):
        return {name: _visible(each) for name, each in value.items()}
    return value
