"""Reads one item of QTI 2 or 3."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Final

from exam_core.authored import TextFormat
from exam_papers.formats.collector import Collector, Draft, weight_of
from exam_papers.formats.model import LossCode, Place
from exam_papers.formats.moodle import number_text
from exam_papers.formats.qti.choices import choice, inline_choice
from exam_papers.formats.qti.content import Body, Content, has_element, interactions
from exam_papers.formats.qti.context import Context, NotTakenError, NotUnderstoodError
from exam_papers.formats.qti.declarations import Outcomes, outcomes, responses
from exam_papers.formats.qti.lists import matching, ordering
from exam_papers.formats.qti.names import ident_of
from exam_papers.formats.qti.parts import Part, Taken
from exam_papers.formats.qti.processing import scoring_of
from exam_papers.formats.qti.scoring import CORRECT, correct_earns
from exam_papers.formats.qti.typed import essay, slider, text_entry
from exam_papers.formats.xml_tree import Node

ROOT: Final = "assessmentItem"
READERS: Final[Mapping[str, Callable[[Part], Taken]]] = {
    "choiceInteraction": choice,
    "inlineChoiceInteraction": inline_choice,
    "textEntryInteraction": text_entry,
    "sliderInteraction": slider,
    "extendedTextInteraction": essay,
    "matchInteraction": matching,
    "orderInteraction": ordering,
}
"""What reads each interaction."""
_TEMPLATES: Final = ("templateDeclaration", "templateProcessing")
_METADATA: Final = frozenset({"catalogInfo", "companionMaterialsInfo", "apipAccessibility", "contextDeclaration"})


@dataclass(frozen=True, slots=True)
class Placed:
    """What a package states of an item: its category and tags, the weight in the test, and texts before it."""

    category: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    factor: Fraction = Fraction(1)
    before: tuple[Node, ...] = ()


class ItemReader:
    """Reads one item, whose element has the names of QTI 2."""

    def __init__(self, collector: Collector, root: Node, context: Context, placed: Placed) -> None:
        self.collector = collector
        self.root = root
        self.context = context
        self.placed = placed
        self.content = Content(context)

    def read(self) -> None:
        """Read the item and give it to the collector."""
        before = self.collector.fault_count
        self._named_losses()
        try:
            node = self._interaction()
            body_node = self.root.first("itemBody") or self.root
            body = self.content.body(body_node, list(self.placed.before))
            taken = self._taken(node, body)
        except NotTakenError as error:
            self.context.lose(LossCode.NOT_TAKEN, f"{error} is not taken")
            return
        except NotUnderstoodError:
            if self.collector.fault_count == before:
                self.context.fault(
                    self.root.first("responseProcessing") or self.root,
                    "has a response processing that is not understood, and no correct response: add one",
                )
            return
        weight = self._weight(taken.weight)
        if body.notes and node.name != "extendedTextInteraction":
            self.context.lose(LossCode.NOTES, "notes for the marker are dropped")
        if self.collector.fault_count > before:
            return
        identifier = self.root.attributes.get("identifier", "")
        title = self.root.attributes.get("title", "")
        self.collector.add(
            Draft(
                place=Place(self.root.line),
                ident=ident_of(identifier) or None,
                title="" if title == identifier else title,
                category=self.placed.category,
                tags=self.placed.tags,
                text=body.text.text,
                image=body.text.image,
                format=TextFormat.HTML,
                weight=weight,
                interaction=taken.interaction,
                items=taken.places,
            )
        )

    def _interaction(self) -> Node:
        """The only interaction of the item."""
        if any(self.root.first(name) is not None for name in _TEMPLATES):
            raise NotTakenError("an item whose values are drawn")
        body = self.root.first("itemBody")
        found = list(interactions(body)) if body is not None else []
        if not found:
            raise NotTakenError("an item without an interaction")
        if len(found) > 1:
            raise NotTakenError(f"an item with {len(found)} interactions (make an item of each)")
        if found[0].name not in READERS:
            raise NotTakenError(f"an item with the interaction <{found[0].name}>")
        return found[0]

    def _taken(self, node: Node, body: Body) -> Taken:
        declared = responses(self.context, self.root)
        response = declared.get(node.attributes.get("responseIdentifier", ""))
        if response is None:
            self.context.fault(node, "has an interaction whose responseIdentifier is not declared")
            raise NotUnderstoodError
        results, read = outcomes(self.context, self.root), READERS[node.name]
        part = Part(self.context, self.content, node, response, results, CORRECT, body)
        if read is essay:
            return read(part)
        try:
            return read(replace(part, scoring=scoring_of(self.root.first("responseProcessing"), response, results)))
        except NotUnderstoodError:
            return self._all_or_nothing(part, read)

    def _all_or_nothing(self, part: Part, read: Callable[[Part], Taken]) -> Taken:
        """Read the item by its correct response alone."""
        if not part.response.correct:
            raise NotUnderstoodError
        self.context.lose(
            LossCode.CREDIT,
            "the response processing is not understood: the correct response earns everything, any other nothing",
        )
        scoring = correct_earns(part.outcomes.stated or Fraction(1))
        return read(replace(part, outcomes=Outcomes(None, None, Fraction(0)), scoring=scoring))

    def _weight(self, weight: Fraction) -> Decimal:
        """Return the question's weight."""
        try:
            return weight_of(number_text(weight * self.placed.factor)[0])
        except ValueError as error:
            self.context.fault(self.root, str(error))
            return Decimal(1)

    def _named_losses(self) -> None:
        """Record what the item has beside its content and key."""
        self.context.lose(
            LossCode.FEEDBACK, "feedback and hints are dropped", len(list(self.root.all("modalFeedback")))
        )
        if self.root.attributes.get("adaptive", "false") in {"true", "1"}:
            self.context.lose(LossCode.PENALTY, "further tries of an adaptive item are dropped")
        if self.root.first("stylesheet") is not None or has_element(self.root, "stylesheet"):
            self.context.lose_once(LossCode.MARKUP, "style sheets are dropped")
        for name in sorted(_METADATA & {child.name for child in self.root.children}):
            self.context.lose_once(LossCode.METADATA, f"<{name}> is dropped")
