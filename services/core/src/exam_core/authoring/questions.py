"""Read a question: what every kind has, and the rules of `validation`."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

import yaml

from exam_core import limits
from exam_core.authored import DEFAULT_WEIGHT, AuthoredQuestion, TextFormat
from exam_core.authoring.interactions import ALL_MEMBERS, MEMBERS, InteractionReader, ReadImage
from exam_core.authoring.nodes import Members, NodeReader
from exam_core.questions.model import KindName
from exam_core.validation import question_faults

_REQUIRED: Final = frozenset({"id", "kind", "text"})
_OPTIONAL: Final = frozenset({"weight", "image", "format", "shuffle"})
_LISTS: Final = frozenset({"choices", "stems", "items", "accepted"})
"""Members on whose items the other rules of a question depend."""


@dataclass(frozen=True)
class QuestionReader:
    """Reads the nodes of questions; faults are recorded by `nodes`."""

    nodes: NodeReader
    image: ReadImage
    format: TextFormat = TextFormat.MARKDOWN
    """The format of texts whose question names none."""

    def question(self, node: yaml.Node, idents: dict[str, int]) -> AuthoredQuestion | None:
        """Read one question and apply the rules of `validation` to it.

        Args:
            node: the question's node.
            idents: the ids of earlier questions with their lines; this question's id is added.
        """
        members = self.nodes.mapping(node, required={*_REQUIRED}, optional={*_OPTIONAL, *ALL_MEMBERS})
        if members is None:
            return None
        ident = self.nodes.ident(members.get("id"), "question", idents)
        kind = self.nodes.member_of(KindName, members.get("kind"), "kind")
        if kind is None:
            return None
        self._check_members(kind, members)
        reader = InteractionReader(self.nodes, self.image, node, members, unreadable={*_REQUIRED - members.keys()})
        before = len(self.nodes.faults)
        text = self.nodes.text(members.get("text"), "text")
        if len(self.nodes.faults) > before:
            reader.unreadable.add("text")
        question = AuthoredQuestion(
            id=ident,
            text=text,
            weight=self.weight(members.get("weight")),
            image=self.image(members.get("image")),
            format=self.nodes.member_of(TextFormat, members.get("format"), "format") or self.format,
            shuffle=self.nodes.boolean(members.get("shuffle"), "shuffle", default=True),
            interaction=reader.read(kind),
        )
        for fault in question_faults(question):
            # A member that could not be read has a fault already, and most rules depend on the question's lists.
            if not reader.unreadable & {fault.member, *_LISTS}:
                name = f"question {ident}" if ident else "the question"
                self.nodes.fault(reader.place(fault), f"{name} {fault.reason}")
        return question

    def _check_members(self, kind: KindName, members: Members) -> None:
        for name in ALL_MEMBERS & members.keys() - MEMBERS[kind]:
            own = ", ".join(sorted(MEMBERS[kind]))
            self.nodes.fault(members[name], f"a question of kind {kind} has no {name!r}; it can have {own}")

    def weight(self, node: yaml.Node | None) -> Decimal:
        """Read a question's weight; the default is 1."""
        weight = self.nodes.number(node, "weight")
        if node is None or weight is None:
            return DEFAULT_WEIGHT
        if not 0 <= weight <= limits.MAX_WEIGHT:
            self.nodes.fault(node, f"weight must be from 0 to {limits.MAX_WEIGHT}")
        elif (Fraction(weight) * 10**limits.WEIGHT_PLACES).denominator != 1:
            self.nodes.fault(node, f"weight has at most {limits.WEIGHT_PLACES} decimal places")
        return weight
