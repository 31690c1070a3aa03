"""Rows of sections as the core's sections, and the inverse; what cannot be frozen is a fault."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, cast

from django.db.models import Count, Prefetch, QuerySet

from exam_core.authored import Section as CoreSection
from exam_core.authored import TextFormat
from exam_core.sections import section_faults
from exam_web.exams.models import Exam, Question, Section
from exam_web.exams.rendering import faults_of


def section_row(section: CoreSection, *, exam: Exam, position: int) -> Section:
    """Return the row of a section, not saved."""
    return Section(
        exam=exam,
        ident=section.id,
        position=position,
        title=section.title,
        instructions=section.instructions,
        draw=section.draw,
        shuffle=section.shuffle_questions,
    )


def sections_of(exam: Exam) -> list[Section]:
    """Return an exam's sections in order."""
    return list(exam.sections.order_by("position"))


def section_at(exam: Exam, position: int) -> Section | None:
    """Return the section of a question that is added at a position: that of the one before it, else the first."""
    before = exam.questions.filter(position__lt=position).select_related("section").order_by("position").last()
    return exam.sections.order_by("position").first() if before is None else before.section


def read_sections(sections: Sequence[Section], questions: Sequence[Question]) -> tuple[CoreSection, ...]:
    """Return the sections as the core knows them: without faults, their questions are the exam's, in this order."""
    return tuple(
        CoreSection(
            id=row.ident,
            size=sum(question.section_id == row.pk for question in questions),
            title=row.title,
            instructions=row.instructions,
            draw=row.draw,
            shuffle_questions=row.shuffle,
        )
        for row in sections
    )


def listed_faults(exam: Exam, sections: Sequence[Section], questions: Sequence[Question]) -> list[str]:
    """List every reason why an exam with these sections, and these questions in order, cannot be frozen."""
    if not sections:
        return []
    order = {row.pk: place for place, row in enumerate(sections)}
    placed = sorted((order[each.section_id], n) for n, each in enumerate(questions) if each.section_id in order)
    core = read_sections(sections, questions)
    rules = section_faults(core, [questions[n].weight for _, n in placed])
    return [
        *_text_faults(exam, sections),
        *(f"section {core[index].id} {reason}" for index, _, reason in rules),
        *_place_faults(sections, questions),
    ]


def with_pools(exams: QuerySet[Exam]) -> QuerySet[Exam]:
    """Return exams with what `given_of` needs, in one more query however many there are."""
    return exams.prefetch_related(Prefetch("sections", _pools(), to_attr="pools"))


def given_of(exam: Exam, questions: int) -> int:
    """Return how many of its questions an exam of `with_pools` gives each student."""
    return questions - _left_out(cast("Any", exam).pools)


def given_in(exam: Exam) -> int:
    """Return how many of its questions an exam gives each student."""
    return exam.questions.count() - _left_out(_pools().filter(exam=exam))


def _pools() -> QuerySet[Section]:
    return Section.objects.filter(draw__isnull=False).annotate(size=Count("questions")).order_by("pk")


def _left_out(pools: Iterable[Any]) -> int:
    return sum(max(0, pool.size - pool.draw) for pool in pools)


def _text_faults(exam: Exam, sections: Sequence[Section]) -> Iterator[str]:
    for row in sections:
        for reason in faults_of(row.instructions, TextFormat(exam.format)):
            yield f"section {row.ident} has a fault in its instructions: {reason}"


def _place_faults(sections: Sequence[Section], questions: Sequence[Question]) -> Iterator[str]:
    """Yield where the order of the questions contradicts that of the sections, so that numbers would be others."""
    order = {row.pk: place for place, row in enumerate(sections)}
    runs = [(pk, list(run)) for pk, run in groupby(questions, key=lambda question: question.section_id)]
    last, seen = -1, set[int]()
    for pk, run in runs:
        if pk not in order:
            where = "in no section, though the exam has some" if pk is None else "in a section of another exam"
            yield from (f"question {question.ident} is {where}" for question in run)
            continue
        name, place = sections[order[pk]].ident, order[pk]
        if place in seen:
            yield f"section {name} has question {run[0].ident} apart from its others: give them positions in a row"
        elif place < last:
            before = sections[last].ident
            yield f"section {name} is before section {before}, and its question {run[0].ident} is after that one's"
        seen.add(place)
        last = max(last, place)
