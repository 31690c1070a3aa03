"""Write an exam as the YAML document that `exam_core.authoring` reads, images included."""

import base64
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import islice
from typing import Any, Final

import yaml

from exam_core.authored import DEFAULT_WEIGHT, AuthoredQuestion, Section, TextFormat
from exam_core.authoring.exam import ExamDocument
from exam_core.credits import FULL_CREDIT, NO_CREDIT, fraction_text
from exam_core.images import ImageRef
from exam_core.limits import DEFAULT_SHORT_TEXT, MAX_ESSAY
from exam_core.numbers import decimal_text
from exam_core.questions.choices import Choice, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.matching import Matching
from exam_core.questions.model import Authored, Named
from exam_core.questions.notation import accepted_text
from exam_core.questions.numeric import Numeric
from exam_core.questions.ordering import Ordering
from exam_core.questions.ordering_rules import OrderingRule
from exam_core.questions.text import ShortText

Body = dict[str, Any]
WriteImage = Callable[[ImageRef], str]
_WIDTH: Final = 120


def write_exam(document: ExamDocument) -> str:
    """Return the YAML text of an exam; `read_exam` reads the same exam from it.

    Raises:
        AcceptedNumberError: an accepted number has no finite decimal form.
        KeyError: an image's bytes are missing.
    """
    exam = document.exam

    def image(ref: ImageRef) -> str:
        return base64.b64encode(document.images[ref.sha256].data).decode()

    body: Body = {"exam": exam.slug, "title": exam.title, "level": document.level}
    body |= _given(format=(exam.format.value, TextFormat.MARKDOWN.value))
    body |= _given(instructions=(exam.instructions, ""))
    body |= _given(attempts=(document.attempts.value if document.attempts else None, None))
    if document.scoring is not None:
        rules = {"multiple": document.scoring.multiple.value, "negative_total": document.scoring.negative_total}
        body["scoring"] = rules
    body |= _given(review=(document.review.value if document.review else None, None))
    questions = [question_body(question, exam.format, image) for question in exam.questions]
    if exam.sections:
        body["sections"] = _sections(exam.sections, questions)
    else:
        body["questions"] = questions
    return yaml.dump(body, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=_WIDTH)


def _sections(sections: Sequence[Section], questions: Sequence[Body]) -> list[Body]:
    """The sections with their questions."""
    remaining = iter(questions)
    return [
        {"id": section.id}
        | _given(
            title=(section.title, ""),
            instructions=(section.instructions, ""),
            draw=(section.draw, None),
            shuffle=(section.shuffle_questions, True),
        )
        | {"questions": list(islice(remaining, section.size))}
        for section in sections
    ]


def question_body(question: AuthoredQuestion, default: TextFormat, image: WriteImage) -> Body:
    """Return a question as a document lists it, in an exam whose texts have the format `default`.

    Raises:
        AcceptedNumberError: an accepted number has no finite decimal form.
    """
    body: Body = {"id": question.id, "kind": question.interaction.kind.value}
    body |= _given(weight=(question.weight, DEFAULT_WEIGHT))
    if "weight" in body:
        body["weight"] = decimal_text(question.weight)
    body |= _given(format=(question.format.value, default.value), shuffle=(question.shuffle, True))
    body["text"] = question.text
    if question.image:
        body["image"] = image(question.image)
    return body | _interaction(question.interaction, image)


def _interaction(interaction: Authored, image: WriteImage) -> Body:  # noqa: PLR0911 - a kind each
    match interaction:
        case SingleChoice():
            return {"choices": [_choice(choice, image) for choice in interaction.choices]}
        case TrueFalse():
            return {"answer": interaction.answer} | _credits(other_credit=(interaction.other_credit, NO_CREDIT))
        case MultipleChoice():
            rule = {"rule": interaction.rule.value} if interaction.rule else {}
            limits = _given(max_choices=(interaction.max_choices, None)) | rule
            bounds = _credits(floor=(interaction.floor, NO_CREDIT), cap=(interaction.cap, FULL_CREDIT))
            return limits | bounds | {"choices": [_choice(choice, image) for choice in interaction.choices]}
        case Numeric():
            accepted = [_accepted(accepted_text(entry), entry.credit) for entry in interaction.accepted]
            return _given(unit=(interaction.unit, "")) | {"accepted": accepted}
        case ShortText():
            return _given(
                case=(interaction.case, False),
                wildcards=(interaction.wildcards, False),
                max_length=(interaction.max_length, DEFAULT_SHORT_TEXT),
            ) | {"accepted": [_accepted(entry.text, entry.credit) for entry in interaction.accepted]}
        case Matching():
            stems = [_item(stem, image) | {"target": stem.target} for stem in interaction.stems]
            return {"stems": stems} | _given(distractors=(list(interaction.distractors), []))
        case Ordering():
            rule = _given(rule=(interaction.rule.value, OrderingRule.ALL_OR_NOTHING.value))
            return rule | {"items": [_item(item, image) for item in interaction.items]}
        case Essay():
            return _given(
                max_characters=(interaction.max_characters, MAX_ESSAY),
                min_words=(interaction.min_words, None),
                max_words=(interaction.max_words, None),
                template=(interaction.template, ""),
                notes=(interaction.notes, ""),
            )
    raise TypeError(f"{interaction.kind} cannot be written")


def _choice(choice: Choice, image: WriteImage) -> Body:
    body = _item(choice, image)
    if choice.credit == FULL_CREDIT:
        return body | {"correct": True}
    return body | _credits(credit=(choice.credit, NO_CREDIT))


def _item(item: Named, image: WriteImage) -> Body:
    body: Body = {"id": item.id} | _given(text=(item.text, ""))
    return body | {"image": image(item.image)} if item.image else body


def _accepted(text: str, credit: Fraction) -> str | Body:
    return text if credit == FULL_CREDIT else {"answer": text, "credit": fraction_text(credit)}


def _given(**members: tuple[Any, Any]) -> Body:
    """The members whose value is not the default, given as (value, default)."""
    return {name: value for name, (value, default) in members.items() if value != default}


def _credits(**members: tuple[Fraction, Fraction]) -> Body:
    return {name: fraction_text(value) for name, (value, default) in members.items() if value != default}


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and repeats what occurs twice instead of naming it."""

    def ignore_aliases(self, data: object) -> bool:
        """Return True: documents have no aliases."""
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    block = "|" if "\n" in text and text == text.strip() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=block)


_Dumper.add_representer(str, _text)
