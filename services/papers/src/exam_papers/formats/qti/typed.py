"""Interactions in which a text or a number is typed, or a number is set."""

from dataclasses import replace
from fractions import Fraction

from exam_core.numbers import NotANumberError
from exam_core.questions.essay import Essay
from exam_core.questions.numeric import Between, Near, Numeric
from exam_core.questions.patterns import folded, normalised
from exam_core.questions.text import AcceptedText
from exam_papers.formats.model import LossCode, Place
from exam_papers.formats.moodle import point_number, short_text
from exam_papers.formats.qti.context import NotTakenError, NotUnderstoodError
from exam_papers.formats.qti.credit_values import credit_of, mapped_weight
from exam_papers.formats.qti.declarations import NUMBERS, Entry, Mapping
from exam_papers.formats.qti.parts import Part, Taken, limit_of
from exam_papers.formats.qti.scoring import Chain, IsAnything, IsCorrect, IsNumber, IsText, IsValue, Mapped, Test


def text_entry(part: Part) -> Taken:
    """Read the field of a text or a number; the type of the response decides."""
    if part.node.attributes.get("patternMask"):
        part.context.lose(LossCode.LIMITS, "the pattern of answers is dropped")
    if part.response.cardinality != "single":
        part.context.fault(part.response.node, f"has a field and a response {part.response.cardinality!r}")
    if part.node.attributes.get("base", "10") != "10":
        raise NotTakenError("a number that is not decimal")
    if part.response.base_type in NUMBERS:
        return _numeric(part)
    if part.response.base_type != "string":
        part.context.fault(part.response.node, f"has a field of the base type {part.response.base_type!r}")
    return _text(part)


def slider(part: Part) -> Taken:
    """Read a number that is set on a scale; here it is typed."""
    part.context.lose(LossCode.LAYOUT, "a slider becomes a field: its ends and steps are dropped")
    return _numeric(part)


def essay(part: Part) -> Taken:
    """Read a text that is marked by hand."""
    if (limit_of(part, "maxStrings") or 1) > 1 or part.response.cardinality != "single":
        part.context.lose(LossCode.LAYOUT, "several texts become one")
    if part.node.attributes.get("format", "plain") != "plain":
        part.context.lose_once(LossCode.LAYOUT, "texts of essays have no format")
    if part.node.attributes.get("patternMask"):
        part.context.lose(LossCode.LIMITS, "the pattern of answers is dropped")
    if part.response.correct or part.response.mapping:
        part.context.lose(LossCode.CREDIT, "an essay is marked by hand: its key is dropped")
    interaction = Essay(template=part.response.default, notes=part.body.notes)
    return Taken(interaction, part.outcomes.stated or Fraction(1))


def _numeric(part: Part) -> Taken:
    entries: list[tuple[Near | Between, Fraction]]
    if isinstance(part.scoring, Mapped):
        mapping = _mapping(part)
        weight = mapped_weight(mapping, part.outcomes, single=True)
        entries = [(_exactly(each.key), mapping.bounded(each.value)) for each in mapping.entries]
        otherwise = mapping.bounded(mapping.default)
    elif isinstance(part.scoring, Chain):
        weight = part.chain_weight(part.scoring)
        entries = [(_number(part, branch.test), branch.score) for branch in part.scoring.branches]
        otherwise = part.scoring.otherwise
    else:
        raise NotUnderstoodError
    if otherwise:
        entries.append((Between(low=None, high=None), otherwise))
    accepted = tuple(replace(entry, credit=credit_of(score / weight)) for entry, score in entries)
    return Taken(Numeric(accepted=accepted, unit=part.body.unit), weight)


def _number(part: Part, test: Test) -> Near | Between:
    if isinstance(test, IsNumber):
        return test.entry
    if isinstance(test, IsAnything):
        return Between(low=None, high=None)
    if isinstance(test, IsCorrect):
        return _exactly(_only_correct(part))
    raise NotUnderstoodError


def _exactly(text: str) -> Near:
    try:
        return Near(value=point_number(text))
    except NotANumberError as error:
        raise NotUnderstoodError from error


def _only_correct(part: Part) -> str:
    if len(part.response.correct) != 1:
        part.context.fault(part.response.node, "needs one correct response")
        return "0"
    return part.response.correct[0]


def _mapping(part: Part) -> Mapping:
    if part.response.mapping is None:
        raise NotUnderstoodError
    return part.response.mapping


def _text(part: Part) -> Taken:
    found: list[tuple[IsText, Fraction]]
    if isinstance(part.scoring, Mapped):
        mapping = _mapping(part)
        weight = mapped_weight(mapping, part.outcomes, single=True)
        kept = _without_overlap(part, mapping)
        found = [(IsText(each.key, each.case), mapping.bounded(each.value)) for each in kept]
        otherwise = mapping.bounded(mapping.default)
    elif isinstance(part.scoring, Chain):
        weight = part.chain_weight(part.scoring)
        found = [(_tested(part, branch.test), branch.score) for branch in part.scoring.branches]
        otherwise = part.scoring.otherwise
    else:
        raise NotUnderstoodError
    if otherwise:
        found.append((IsText("*", None, pattern=True), otherwise))
    cases = {test.case for test, _ in found} - {None}
    if len(cases) > 1:
        part.context.lose(LossCode.CASE, "small and capital letters are the same in all accepted texts")
    accepted = [
        AcceptedText(
            text=test.text if test.pattern else test.text.replace("*", "\\*"), credit=credit_of(score / weight)
        )
        for test, score in found
    ]
    return Taken(short_text(accepted, case=cases == {True}), weight)


def _tested(part: Part, test: Test) -> IsText:
    if isinstance(test, IsText):
        return test
    if isinstance(test, IsAnything):
        return IsText("*", None, pattern=True)
    if isinstance(test, IsValue):
        return IsText(test.value, case=True)
    if isinstance(test, IsCorrect):
        return IsText(_only_correct(part), case=True)
    raise NotUnderstoodError


def _without_overlap(part: Part, mapping: Mapping) -> list[Entry]:
    """The entries of a mapping without repetitions; two that fit a text and earn different scores are a fault."""
    kept: list[Entry] = []
    for entry in mapping.entries:
        same = [other for other in kept if _overlap(entry, other)]
        if any(other.value != entry.value for other in same):
            part.context.collector.fault(
                Place(entry.line),
                "has two keys that accept the same text and earn different scores: write caseSensitive, or drop one",
                part.context.label,
            )
        elif not any(entry.case or not other.case for other in same):
            kept.append(entry)
    return kept


def _overlap(one: Entry, other: Entry) -> bool:
    texts = [normalised(one.key), normalised(other.key)]
    if not (one.case and other.case):
        texts = [folded(text) for text in texts]
    return texts[0] == texts[1]
