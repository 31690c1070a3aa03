"""Read what is special to each kind of question."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Final, TypeVar

import yaml

from exam_core import limits
from exam_core.authoring.nodes import Members, NodeReader
from exam_core.credits import FULL_CREDIT, NO_CREDIT
from exam_core.images import ImageRef
from exam_core.questions.choices import Choice, ChoiceRule, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored, Fault, KindName
from exam_core.questions.notation import AcceptedNumberError, key_number_fault, parse_accepted
from exam_core.questions.numeric import Between, Near, Numeric
from exam_core.questions.ordering import Ordering
from exam_core.questions.ordering_rules import OrderingRule
from exam_core.questions.text import AcceptedText, ShortText

MEMBERS: Final[Mapping[KindName, frozenset[str]]] = {
    KindName.SINGLE: frozenset({"choices"}),
    KindName.TRUE_FALSE: frozenset({"answer", "other_credit"}),
    KindName.MULTIPLE: frozenset({"choices", "max_choices", "rule", "floor", "cap"}),
    KindName.NUMERIC: frozenset({"answer", "accepted", "unit"}),
    KindName.TEXT: frozenset({"accepted", "case", "wildcards", "max_length"}),
    KindName.MATCHING: frozenset({"stems", "distractors"}),
    KindName.ORDERING: frozenset({"items", "rule"}),
    KindName.ESSAY: frozenset({"max_characters", "min_words", "max_words", "template", "notes"}),
}
"""The members that a question of each kind can have beside those of every question."""
ALL_MEMBERS: Final = frozenset[str]().union(*MEMBERS.values())

ReadImage = Callable[[yaml.Node | None], ImageRef | None]
T = TypeVar("T")


@dataclass
class InteractionReader:
    """Reads the members of one question; `unreadable` has those with a fault of their own."""

    nodes: NodeReader
    image: ReadImage
    node: yaml.Node
    members: Members
    unreadable: set[str] = field(default_factory=set)

    def read(self, kind: KindName) -> Authored:
        """Read what a question of a kind consists of."""
        readers: Mapping[KindName, Callable[[], Authored]] = {
            KindName.SINGLE: lambda: SingleChoice(choices=self._choices()),
            KindName.TRUE_FALSE: self._true_false,
            KindName.MULTIPLE: self._multiple,
            KindName.NUMERIC: self._numeric,
            KindName.TEXT: self._text,
            KindName.MATCHING: self._matching,
            KindName.ORDERING: self._ordering,
            KindName.ESSAY: self._essay,
        }
        return readers[kind]()

    def place(self, fault: Fault) -> yaml.Node:
        """Return the node that a fault of the question is about."""
        node = self.members.get(fault.member, self.node)
        if fault.item is not None and isinstance(node, yaml.SequenceNode) and fault.item < len(node.value):
            items: list[yaml.Node] = node.value
            return items[fault.item]
        return node

    def _member(self, name: str, read: Callable[[yaml.Node | None], T]) -> T:
        before = len(self.nodes.faults)
        value = read(self.members.get(name))
        if len(self.nodes.faults) > before:
            self.unreadable.add(name)
        return value

    def _each(self, name: str, read: Callable[[yaml.Node], T | None]) -> tuple[T, ...]:
        return self._member(name, lambda node: self.nodes.each(node, name, read))

    def _whole(self, name: str) -> int | None:
        return self._member(name, lambda node: self.nodes.whole(node, name))

    def _credit(self, name: str, default: Fraction) -> Fraction:
        return self._member(name, lambda node: self.nodes.credit(node, name, default))

    def _words(self, name: str) -> str:
        return self._member(name, lambda node: self.nodes.text(node, name))

    # Kinds

    def _choices(self) -> tuple[Choice, ...]:
        seen: dict[str, int] = {}

        def choice(node: yaml.Node) -> Choice | None:
            members = self.nodes.mapping(node, required={"id"}, optional={"text", "image", "correct", "credit"})
            if members is None:
                return None
            if "correct" in members and "credit" in members:
                self.nodes.fault(members["credit"], "a choice has either correct or credit, not both")
            correct = self.nodes.boolean(members.get("correct"), "correct")
            default = FULL_CREDIT if correct else NO_CREDIT
            return Choice(
                id=self.nodes.ident(members.get("id"), "choice", seen),
                text=self._item_text(members),
                image=self.image(members.get("image")),
                credit=self.nodes.credit(members.get("credit"), "credit", default),
            )

        return self._each("choices", choice)

    def _true_false(self) -> TrueFalse:
        if "answer" not in self.members:
            self.nodes.fault(self.node, "'answer' is missing: true or false")
        answer = self._member("answer", lambda node: self.nodes.boolean(node, "answer"))
        return TrueFalse(answer=answer, other_credit=self._credit("other_credit", NO_CREDIT))

    def _multiple(self) -> MultipleChoice:
        choices = self._choices()
        rule = self._member("rule", lambda node: self.nodes.member_of(ChoiceRule, node, "rule"))
        if rule is None and any(choice.credit not in (NO_CREDIT, FULL_CREDIT) for choice in choices):
            rule = ChoiceRule.SUM_OF_CREDITS
        return MultipleChoice(
            choices=choices,
            max_choices=self._whole("max_choices"),
            rule=rule,
            floor=self._credit("floor", NO_CREDIT),
            cap=self._credit("cap", FULL_CREDIT),
        )

    def _numeric(self) -> Numeric:
        accepted: list[Near | Between] = []
        if (node := self.members.get("answer")) is not None:
            if "accepted" in self.members:
                self.nodes.fault(node, "a numeric question has either answer or accepted, not both")
            accepted += self._member("answer", self._value)
        accepted += self._each("accepted", self._accepted_number)
        unit = self._member("unit", lambda node: self.nodes.text(node, "unit", most=limits.MAX_UNIT))
        return Numeric(accepted=tuple(accepted), unit=unit)

    def _value(self, node: yaml.Node | None) -> list[Near]:
        """Read a value with an absolute tolerance."""
        members = None if node is None else self.nodes.mapping(node, required={"value"}, optional={"tolerance"})
        if members is None:
            return []
        value = self._key_number(members.get("value"), "value")
        tolerance = self._key_number(members.get("tolerance"), "tolerance") or Decimal(0)
        if tolerance < 0:
            self.nodes.fault(members["tolerance"], "tolerance must not be negative")
        return [] if value is None else [Near(value=Fraction(value), tolerance=Fraction(tolerance))]

    def _key_number(self, node: yaml.Node | None, name: str) -> Decimal | None:
        number = self.nodes.number(node, name)
        if node is not None and number is not None and (reason := key_number_fault(number)):
            self.nodes.fault(node, f"{name} {reason}")
        return number

    def _accepted_number(self, node: yaml.Node) -> Near | Between | None:
        text, credit = self._accepted(node)
        if text is None:
            return None
        try:
            return parse_accepted(text, credit)
        except AcceptedNumberError as error:
            self.nodes.fault(node, f"an accepted number {error}")
            return None

    def _text(self) -> ShortText:
        def accepted(node: yaml.Node) -> AcceptedText | None:
            text, credit = self._accepted(node)
            return None if text is None else AcceptedText(text=text, credit=credit)

        most = self._whole("max_length")
        return ShortText(
            accepted=self._each("accepted", accepted),
            case=self._member("case", lambda node: self.nodes.boolean(node, "case")),
            wildcards=self._member("wildcards", lambda node: self.nodes.boolean(node, "wildcards")),
            max_length=limits.DEFAULT_SHORT_TEXT if most is None else most,
        )

    def _accepted(self, node: yaml.Node) -> tuple[str | None, Fraction]:
        """Read an accepted answer: a single value, or a mapping of it and its credit."""
        if isinstance(node, yaml.ScalarNode):
            return self.nodes.scalar(node, "an accepted answer"), FULL_CREDIT
        members = self.nodes.mapping(node, required={"answer"}, optional={"credit"})
        if members is None:
            return None, FULL_CREDIT
        credit = self.nodes.credit(members.get("credit"), "credit", FULL_CREDIT)
        return self.nodes.scalar(members.get("answer"), "answer"), credit

    def _matching(self) -> Matching:
        seen: dict[str, int] = {}

        def stem(node: yaml.Node) -> Stem | None:
            members = self.nodes.mapping(node, required={"id", "target"}, optional={"text", "image"})
            if members is None:
                return None
            return Stem(
                id=self.nodes.ident(members.get("id"), "stem", seen),
                text=self._item_text(members),
                image=self.image(members.get("image")),
                target=self.nodes.text(members.get("target"), "target", most=limits.MAX_CHOICE_TEXT),
            )

        def distractor(node: yaml.Node) -> str | None:
            return self.nodes.text(node, "a distractor", most=limits.MAX_CHOICE_TEXT) or None

        return Matching(stems=self._each("stems", stem), distractors=self._each("distractors", distractor))

    def _ordering(self) -> Ordering:
        seen: dict[str, int] = {}

        def item(node: yaml.Node) -> Item | None:
            members = self.nodes.mapping(node, required={"id"}, optional={"text", "image"})
            if members is None:
                return None
            ident = self.nodes.ident(members.get("id"), "item", seen)
            return Item(id=ident, text=self._item_text(members), image=self.image(members.get("image")))

        rule = self._member("rule", lambda node: self.nodes.member_of(OrderingRule, node, "rule"))
        return Ordering(items=self._each("items", item), rule=rule or OrderingRule.ALL_OR_NOTHING)

    def _essay(self) -> Essay:
        most = self._whole("max_characters")
        return Essay(
            max_characters=limits.MAX_ESSAY if most is None else most,
            min_words=self._whole("min_words"),
            max_words=self._whole("max_words"),
            template=self._words("template"),
            notes=self._words("notes"),
        )

    def _item_text(self, members: Members) -> str:
        return self.nodes.text(members.get("text"), "text", most=limits.MAX_CHOICE_TEXT)
