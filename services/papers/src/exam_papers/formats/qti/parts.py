"""What the readers of interactions are given, and what they return."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from exam_core.credits import FULL_CREDIT
from exam_core.questions.model import Authored
from exam_papers.formats.model import LossCode, Place
from exam_papers.formats.qti.content import Body, Content
from exam_papers.formats.qti.context import Context
from exam_papers.formats.qti.declarations import Outcomes, Response, is_true
from exam_papers.formats.qti.names import usable_idents
from exam_papers.formats.qti.scoring import Chain, Scoring
from exam_papers.formats.xml_tree import Node


@dataclass(frozen=True, slots=True)
class Taken:
    """An interaction that was read, the score that is its whole weight, and the places of its lists."""

    interaction: Authored
    weight: Fraction = FULL_CREDIT
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One interaction of an item with its response, and how this is scored."""

    context: Context
    content: Content
    node: Node
    response: Response
    outcomes: Outcomes
    scoring: Scoring
    body: Body

    def idents(self, nodes: Sequence[Node], derived: Sequence[str]) -> list[str]:
        """Return our ids for the elements of a list."""
        idents, same = usable_idents([node.attributes.get("identifier", "") for node in nodes], derived)
        if not same:
            self.context.lose_once(LossCode.IDENTIFIER, "names of choices, stems or items are replaced")
        return idents

    def check_identifiers(self, nodes: Sequence[Node], used: Sequence[str]) -> None:
        """Record identifiers that are given twice, and those of the key that do not exist."""
        seen: set[str] = set()
        for node in nodes:
            identifier = node.attributes.get("identifier", "")
            if not identifier or identifier in seen:
                self.context.fault(node, f"has a <{node.name}> without an identifier of its own")
            seen.add(identifier)
        for name in used:
            if name not in seen:
                self.context.fault(self.response.node, "has a key with an identifier that is none of the interaction")

    def layout(self, nodes: Sequence[Node]) -> None:
        """Record that a fixed order is shuffled."""
        shuffled = is_true(self.node.attributes.get("shuffle"), default=False)
        if not shuffled or any(is_true(node.attributes.get("fixed"), default=False) for node in nodes):
            self.context.lose_once(LossCode.LAYOUT, "choices in a fixed order are shuffled")

    def chain_weight(self, chain: Chain) -> Fraction:
        """Return the score that is the whole weight of a chain."""
        return self.whole(chain.best) if chain.only_correct else self.outcomes.stated or chain.best

    def whole(self, earned: Fraction) -> Fraction:
        """Return the score of the complete answer as the weight, with a warning if the file states another one."""
        stated = self.outcomes.stated
        if stated is not None and stated != earned:
            self.context.warn(
                self.response.node,
                f"states a maximum of {float(stated):g}, and its complete answer earns {float(earned):g}, "
                "which is taken as its weight",
            )
        return earned


def places(nodes: Sequence[Node]) -> tuple[Place, ...]:
    """Return the lines of elements."""
    return tuple(Place(node.line) for node in nodes)


def limit_of(part: Part, name: str) -> int | None:
    """Return the whole number in an attribute of an interaction; None without it."""
    text = part.node.attributes.get(name, "").strip()
    if not text:
        return None
    if not text.isdecimal() or not text.isascii():
        part.context.fault(part.node, f"has {name} which is no whole number")
        return None
    return int(text)
