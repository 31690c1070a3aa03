"""Interactions in which stems are matched with targets, and items put in order."""

from collections import defaultdict
from fractions import Fraction
from typing import Final

from exam_core.credits import NO_CREDIT
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.ordering import Ordering
from exam_core.questions.ordering_rules import OrderingRule
from exam_papers.formats.model import LossCode
from exam_papers.formats.qti.context import NotTakenError, NotUnderstoodError
from exam_papers.formats.qti.declarations import Mapping, is_true
from exam_papers.formats.qti.parts import Part, Taken, limit_of, places
from exam_papers.formats.qti.scoring import Chain, Mapped, Places
from exam_papers.formats.xml_tree import Node

_PAIR: Final = 2
_ROUNDING: Final = Fraction(1, 10**4)


def matching(part: Part) -> Taken:
    """Read stems with their targets: each stem must have one."""
    sets = [list(each.all("simpleAssociableChoice")) for each in part.node.all("simpleMatchSet")]
    if len(sets) != _PAIR or part.response.cardinality != "multiple":
        part.context.fault(part.node, "needs two sets to match, and a response of the cardinality multiple")
        raise NotUnderstoodError
    stems, targets = sets
    pairs, weight = _pairs(part)
    part.check_identifiers([*stems, *targets], [name for pair in pairs for name in pair])
    part.layout([*stems, *targets])
    _limits(part, stems, targets)
    found = _targets(pairs, stems, targets)
    texts = {_name(node): part.content.read(node) for node in targets}
    if any(text.image for text in texts.values()):
        part.context.lose(LossCode.IMAGES, "images behind targets are dropped")
    idents = part.idents(stems, [f"s{number}" for number in range(1, len(stems) + 1)])
    read = [part.content.read(node) for node in stems]
    interaction = Matching(
        stems=tuple(
            Stem(id=ident, text=text.text, image=text.image, target=texts[found[_name(node)]].text)
            for ident, text, node in zip(idents, read, stems, strict=True)
        ),
        distractors=tuple(text.text for name, text in texts.items() if name not in found.values()),
    )
    return Taken(interaction, weight, places(stems))


def _name(node: Node) -> str:
    return node.attributes.get("identifier", "")


def _pairs(part: Part) -> tuple[list[list[str]], Fraction]:
    """The right pairs, and the score of all of them."""
    if isinstance(part.scoring, Mapped):
        if part.response.mapping is None:
            raise NotUnderstoodError
        pairs, weight = _mapped_pairs(part, part.response.mapping)
    elif isinstance(part.scoring, Chain) and part.scoring.only_correct:
        part.context.lose(LossCode.CREDIT, "each right pair earns its part, and not only all of them together")
        pairs, weight = [value.split() for value in part.response.correct], part.whole(part.scoring.best)
    else:
        raise NotUnderstoodError
    if any(len(pair) != _PAIR for pair in pairs):
        part.context.fault(part.response.node, "has a key that is not two identifiers, of a stem and of its target")
        raise NotUnderstoodError
    return pairs, weight


def _mapped_pairs(part: Part, mapping: Mapping) -> tuple[list[list[str]], Fraction]:
    right = [entry for entry in mapping.entries if entry.value > 0]
    total = sum((entry.value for entry in right), NO_CREDIT)
    if len({entry.value for entry in right}) > 1:
        part.context.lose(LossCode.CREDIT, "each right pair earns the same part")
    if mapping.default or any(entry.value < 0 for entry in mapping.entries):
        part.context.lose(LossCode.CREDIT, "a wrong pair costs nothing")
    if mapping.upper is not None and mapping.upper < total - _ROUNDING:
        part.context.lose(LossCode.CREDIT, "fewer than all right pairs do not earn everything")
    stated = part.outcomes.stated
    if stated is not None and abs(total - stated) < _ROUNDING:
        return [entry.key.split() for entry in right], stated
    return [entry.key.split() for entry in right], part.whole(Fraction(round(total * 100), 100))


def _limits(part: Part, stems: list[Node], targets: list[Node]) -> None:
    if any(node.attributes.get("matchMax", "1") != "1" for node in stems):
        part.context.lose(LossCode.LIMITS, "a stem takes one target")
    if any(node.attributes.get("matchMax", "1") != "0" for node in targets):
        part.context.lose_once(LossCode.LAYOUT, "a target may be given to several stems")
    most = limit_of(part, "maxAssociations") or 0
    if 0 < most < len(stems):
        part.context.lose(LossCode.LIMITS, "the number of pairs is not limited")


def _targets(pairs: list[list[str]], stems: list[Node], targets: list[Node]) -> dict[str, str]:
    """The target of each stem."""
    names = {_name(node) for node in stems}
    found: dict[str, list[str]] = defaultdict(list)
    for one, other in pairs:
        stem, target = (one, other) if one in names else (other, one)
        found[stem].append(target)
    ends = {_name(node) for node in targets}
    if set(found) != names or any(len(each) != 1 or each[0] not in ends for each in found.values()):
        raise NotTakenError("a matching in which a stem has several targets or none")
    return {stem: each[0] for stem, each in found.items()}


def ordering(part: Part) -> Taken:
    """Read items, and their right order."""
    nodes = list(part.node.all("simpleChoice"))
    if part.response.cardinality != "ordered":
        part.context.fault(part.response.node, f"has an order and a response {part.response.cardinality!r}")
    part.check_identifiers(nodes, part.response.correct)
    by_name = {_name(node): node for node in nodes}
    order = part.response.correct
    if sorted(order) != sorted(by_name):
        raise NotTakenError("an order of some of its items")
    if any(limit_of(part, name) not in {None, 0, len(nodes)} for name in ("maxChoices", "minChoices")):
        part.context.lose(LossCode.SUBSET, "all items are put in order")
    if not is_true(part.node.attributes.get("shuffle"), default=False):
        part.context.lose_once(LossCode.LAYOUT, "choices in a fixed order are shuffled")
    rule, weight = _rule(part, len(nodes))
    items = [by_name[name] for name in order]
    idents = part.idents(items, [f"i{number}" for number in range(1, len(items) + 1)])
    read = [part.content.read(node) for node in items]
    interaction = Ordering(
        items=tuple(Item(id=ident, text=text.text, image=text.image) for ident, text in zip(idents, read, strict=True)),
        rule=rule,
    )
    return Taken(interaction, weight, places(items))


def _rule(part: Part, count: int) -> tuple[OrderingRule, Fraction]:
    scoring = part.scoring
    if isinstance(scoring, Places) and scoring.count == count and scoring.each > 0:
        total, stated = scoring.each * count, part.outcomes.stated
        if stated is not None and abs(total - stated) < _ROUNDING:
            return OrderingRule.PLACES, stated
        return OrderingRule.PLACES, part.whole(Fraction(round(total * 100), 100))
    if isinstance(scoring, Chain) and scoring.only_correct:
        return OrderingRule.ALL_OR_NOTHING, part.whole(scoring.best)
    raise NotUnderstoodError
