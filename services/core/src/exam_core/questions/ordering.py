"""Questions that are answered by putting items in order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

from exam_core import limits
from exam_core.answer_value import AnswerValue
from exam_core.canonical import Json, JsonObject
from exam_core.credits import NO_CREDIT
from exam_core.questions.items import Item, appearance_faults, contents, count_fault, numbered
from exam_core.questions.model import Content, Fault, KindName, Numbering, Permute, Render
from exam_core.questions.ordering_rules import OrderingRule, share_of
from exam_core.questions.wire import answer_member, invalid, numbers_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordering:
    """Items in the right order, and the rule that scores another one."""

    items: tuple[Item, ...]
    rule: OrderingRule = OrderingRule.ALL_OR_NOTHING

    def faults(self) -> Iterator[Fault]:
        """Yield every reason why the question cannot be frozen."""
        yield from count_fault(len(self.items), limits.MIN_ITEMS, limits.MAX_ITEMS, "item", "items")
        yield from appearance_faults(self.items, "item", "items")

    def warnings(self) -> Iterator[Fault]:
        """Yield nothing: the right order earns the whole weight."""
        yield from ()

    @property
    def kind(self) -> KindName:
        """The question's kind."""
        return KindName.ORDERING

    def numbering(self, permute: Permute) -> Numbering:
        """Number the items."""
        # Sorted first, so that even a permutation that is not random tells nothing of the right order.
        by_appearance = sorted(self.items, key=_appearance)
        return Numbering(ids=numbered(by_appearance, permute))

    def student_half(self, numbering: Numbering, render: Render) -> "OrderingHalf":
        """Return the items by number."""
        return OrderingHalf(items=contents(self.items, numbering.ids, render))

    def key_half(self, numbering: Numbering) -> "OrderingKey":
        """Return the numbers of the items in the right order, and the rule."""
        numbers = {each: number for number, each in enumerate(numbering.ids)}
        return OrderingKey(order=tuple(numbers[item.id] for item in self.items), rule=self.rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderingHalf:
    """The items by their numbers."""

    items: tuple[Content, ...]

    @property
    def kind(self) -> KindName:
        """The question's kind."""
        return KindName.ORDERING

    @property
    def contents(self) -> tuple[Content, ...]:
        """The items."""
        return self.items

    @property
    def shuffled(self) -> tuple[int, ...]:
        """The items are shuffled."""
        return (len(self.items),)

    def to_json(self) -> dict[str, Json]:
        """Return the members of the question in a paper."""
        return {"kind": self.kind.value, "items": [item.to_json() for item in self.items]}

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(items=tuple(Content.from_json(item) for item in body["items"]))

    def parse(self, question: int, body: Mapping[str, Any]) -> AnswerValue:
        """Parse ``{"order": [2, 0, 1]}``: the numbers of all items, first one first; null and an empty list are blank.

        The stored form is ``2 0 1``.
        """
        order = answer_member(question, self.kind, "order", body)
        if order is None or order == []:
            return AnswerValue(value="")
        numbers = numbers_in(question, order, "order must be a list of item numbers")
        last = len(self.items) - 1
        if sorted(numbers) != list(range(len(self.items))):
            raise invalid(
                question, f"order must have each of the items 0 to {last} once; send [] to withdraw the answer"
            )
        return AnswerValue(value=" ".join(map(str, numbers)))

    def shown(self, answer: AnswerValue) -> dict[str, Json]:
        """Return the members that a client sends for this answer."""
        return {"order": list(order_of(answer))}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderingKey:
    """The numbers of the items in the right order."""

    order: tuple[int, ...]
    rule: OrderingRule

    def to_json(self) -> dict[str, Json]:
        """Return the question's entry in a key."""
        return {"kind": KindName.ORDERING.value, "order": list(self.order), "rule": self.rule.value}

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(order=tuple(body["order"]), rule=OrderingRule(body["rule"]))

    def share(self, answer: AnswerValue) -> Fraction | None:
        """Return the share of an order under the rule."""
        if not answer.value:
            return NO_CREDIT
        places = {number: place for place, number in enumerate(self.order)}
        return share_of(self.rule, [places[number] for number in order_of(answer)])


def order_of(answer: AnswerValue) -> tuple[int, ...]:
    """Return the numbers of the items in a stored answer."""
    return tuple(map(int, (answer.value or "").split()))


def _appearance(item: Item) -> tuple[str, str]:
    return item.text, item.image.sha256 if item.image else ""
