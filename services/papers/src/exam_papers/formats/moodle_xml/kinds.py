"""The kinds of questions of Moodle XML: from a question's element to the authored form."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from exam_core.authored import TextFormat
from exam_core.credits import FULL_CREDIT, NO_CREDIT, CreditError, credit_near, credit_of_percent
from exam_core.numbers import NotANumberError
from exam_core.questions.choices import Choice, ChoiceRule, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored
from exam_core.questions.numeric import Between, Near, Numeric
from exam_core.questions.ordering import Ordering
from exam_core.questions.text import AcceptedText
from exam_papers.formats.collector import letters
from exam_papers.formats.markup import SourceFormat, SourceText, as_html, plain
from exam_papers.formats.model import LossCode, Place
from exam_papers.formats.moodle import DEFAULT_RULE, RULES, point_number, short_text
from exam_papers.formats.moodle_xml.texts import ReadText, Texts
from exam_papers.formats.xml_tree import Node

_WHOLE: Final = re.compile("[0-9]{1,6}")
_NO: Final = {"false", "0", ""}


@dataclass(frozen=True, slots=True)
class Content:
    """What a question's element contains; `build` takes the texts in the question's format."""

    texts: tuple[SourceText, ...]
    build: Callable[[Sequence[str]], Authored]
    places: tuple[Place, ...] = ()


def _fixed(interaction: Authored, nodes: Sequence[Node] = ()) -> Content:
    return Content((), lambda _: interaction, _places(nodes))


def _places(nodes: Sequence[Node]) -> tuple[Place, ...]:
    return tuple(Place(node.line) for node in nodes)


def is_yes(text: str | None, *, default: bool) -> bool:
    """Read a boolean; an empty one is false, and `default` is for none."""
    return default if text is None else text.lower() not in _NO


def _credit(texts: Texts, node: Node) -> Fraction:
    """The credit of an answer: a percentage as an attribute, or in old files a ratio as an element."""
    percent, ratio = node.attributes.get("fraction"), node.value("fraction")
    try:
        if percent is not None:
            return credit_of_percent(percent)
        credit = credit_near(point_number(ratio)) if ratio else NO_CREDIT
        if credit is None:
            raise CreditError("its fraction is none of those that files can state")  # noqa: TRY301 - as above
    except (CreditError, NotANumberError) as error:
        texts.fault(node, f"has an answer with a fraction that is not a credit: {error}")
        return FULL_CREDIT
    return credit


def multichoice(texts: Texts, node: Node) -> Content:
    """Read choices."""
    nodes = list(node.all("answer"))
    read = [texts.read(each) for each in nodes]
    credits_ = [_credit(texts, each) for each in nodes]
    single = is_yes(node.value("single"), default=True)

    def build(unified: Sequence[str]) -> Authored:
        choices = tuple(
            Choice(id=ident, text=text, credit=credit, image=each.image)
            for ident, text, credit, each in zip(letters(len(nodes)), unified, credits_, read, strict=True)
        )
        if single:
            return SingleChoice(choices=choices)
        return MultipleChoice(choices=choices, rule=ChoiceRule.SUM_OF_CREDITS)

    return Content(_sources(read), build, _places(nodes))


def truefalse(texts: Texts, node: Node) -> Content:
    """Read which of two answers is correct; they are named true and false, or stand in this order."""
    answers = list(node.all("answer"))
    names = [texts.bare(each).lower() for each in answers]
    if sorted(names) != ["false", "true"]:
        names = ["true", "false"]
    if len(answers) != len(names):
        texts.fault(node, f"needs two answers and has {len(answers)}")
        return _fixed(TrueFalse(answer=True))
    credits_ = {name: _credit(texts, each) for name, each in zip(names, answers, strict=True)}
    answer = credits_["true"] == FULL_CREDIT
    other = credits_["false" if answer else "true"]
    if not answer and credits_["false"] != FULL_CREDIT:
        texts.fault(node, 'has no key: give one answer the fraction "100"')
    elif other != NO_CREDIT:
        texts.lose(LossCode.DIFFERS_FROM_MOODLE, f"the other answer earns {other}; Moodle ignores this")
    return _fixed(TrueFalse(answer=answer, other_credit=other))


def shortanswer(texts: Texts, node: Node) -> Content:
    """Read accepted texts."""
    nodes = list(node.all("answer"))
    accepted = [AcceptedText(text=texts.bare(each), credit=_credit(texts, each)) for each in nodes]
    return _fixed(short_text(accepted, case=is_yes(node.value("usecase"), default=False)), nodes)


def numerical(texts: Texts, node: Node) -> Content:
    """Read accepted numbers; a unit is shown beside the field."""
    nodes = list(node.all("answer"))
    accepted: list[Near | Between] = []
    for number, each in enumerate(nodes, 1):
        credit, value = _credit(texts, each), texts.bare(each)
        try:
            if value == "*":
                accepted.append(Between(low=None, high=None, credit=credit))
            else:
                tolerance = abs(point_number(each.value("tolerance") or "0"))
                accepted.append(Near(value=point_number(value), tolerance=tolerance, credit=credit))
        except NotANumberError as error:
            texts.fault(each, f"has accepted value {number} which {error.reason}")
    return _fixed(Numeric(accepted=tuple(accepted), unit=_unit(texts, node)), nodes)


def _unit(texts: Texts, node: Node) -> str:
    units = [unit for group in node.all("units") for unit in group.all("unit")]
    graded = (node.value("unitgradingtype") or "0") != "0"
    own = [unit.value("unit_name") or "" for unit in units if _is_one(unit.value("multiplier"))]
    lost = graded or len(units) > 1 or len(own) < len(units)
    texts.lose(LossCode.UNITS, "other units and what they earn are dropped", int(lost))
    return own[0] if own else ""


def _is_one(multiplier: str | None) -> bool:
    try:
        return point_number(multiplier or "1") == 1
    except NotANumberError:
        return False


def matching(texts: Texts, node: Node) -> Content:
    """Read stems with their targets; an empty stem makes a target without one."""
    nodes = list(node.all("subquestion"))
    stems = [texts.read(each) for each in nodes]
    targets = [SourceText(_answer(texts, each), SourceFormat.PLAIN) for each in nodes]
    is_stem = [bool(each.source.text or each.image) for each in stems]

    def build(unified: Sequence[str]) -> Authored:
        shown, rest = unified[: len(stems)], unified[len(stems) :]
        found = [
            (text, each.image, target)
            for text, each, target, real in zip(shown, stems, rest, is_stem, strict=True)
            if real
        ]
        return Matching(
            stems=tuple(
                Stem(id=f"s{number}", text=text, image=image, target=target)
                for number, (text, image, target) in enumerate(found, 1)
            ),
            distractors=tuple(target for target, real in zip(rest, is_stem, strict=True) if not real),
        )

    places = _places([each for each, real in zip(nodes, is_stem, strict=True) if real])
    return Content((*_sources(stems), *targets), build, places)


def _answer(texts: Texts, node: Node) -> str:
    answer = node.first("answer")
    return "" if answer is None else texts.bare(answer)


def ordering(texts: Texts, node: Node) -> Content:
    """Read items in the right order; an answer's fraction is its place and no credit."""
    nodes = list(node.all("answer"))
    read = [texts.read(each) for each in nodes]
    named = node.value("gradingtype")
    if named is not None and named not in RULES:
        texts.fault(node.first("gradingtype") or node, "has a gradingtype that is not known")
    count = node.value("selectcount") or "0"
    if (node.value("selecttype") or "ALL") not in {"ALL", "0"} and _WHOLE.fullmatch(count) and int(count) < len(nodes):
        texts.lose(LossCode.SUBSET, f"all items are shown, not {count} of them")

    def build(unified: Sequence[str]) -> Authored:
        items = (
            Item(id=f"i{number}", text=text, image=each.image)
            for number, (text, each) in enumerate(zip(unified, read, strict=True), 1)
        )
        return Ordering(items=tuple(items), rule=RULES.get(named or "", DEFAULT_RULE))

    return Content(_sources(read), build, _places(nodes))


def essay(texts: Texts, node: Node) -> Content:
    """Read the limits, the template and the notes for the marker."""
    attachments = node.value("attachments") or "0"
    texts.lose(LossCode.ATTACHMENTS, "files cannot be handed in", int(attachments != "0"))
    words: dict[str, int | None] = {}
    for name in ("minwordlimit", "maxwordlimit"):
        limit = node.value(name) or "0"
        if not _WHOLE.fullmatch(limit):
            texts.fault(node.first(name) or node, f"has a {name} that is no whole number")
            limit = "0"
        words[name] = int(limit) or None
    return _fixed(
        Essay(
            min_words=words["minwordlimit"],
            max_words=words["maxwordlimit"],
            template=_plain(texts, node.first("responsetemplate")),
            notes=_plain(texts, node.first("graderinfo")),
        )
    )


def _plain(texts: Texts, node: Node | None) -> str:
    """Read a text that is plain here."""
    source = texts.read(node).source
    if source.format is SourceFormat.PLAIN or not source.text:
        return source.text
    bare, same = plain(as_html(source), TextFormat.HTML)
    texts.lose(LossCode.TEXT_FORMAT, "the markup of a template or of notes is dropped", int(not same))
    return bare.strip()


def _sources(read: Sequence[ReadText]) -> tuple[SourceText, ...]:
    return tuple(each.source for each in read)


READERS: Final[Mapping[str, Callable[[Texts, Node], Content]]] = {
    "multichoice": multichoice,
    "truefalse": truefalse,
    "shortanswer": shortanswer,
    "numerical": numerical,
    "matching": matching,
    "match": matching,
    "ordering": ordering,
    "essay": essay,
}
"""What reads each type of question."""
