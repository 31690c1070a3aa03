"""Writes the item of one question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from exam_core import limits
from exam_core.authoring.exam import AcceptedImage
from exam_core.questions.choices import ChoiceRule, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.matching import Matching
from exam_core.questions.numeric import Near, Numeric
from exam_core.questions.ordering import Ordering
from exam_core.questions.ordering_rules import OrderingRule
from exam_core.questions.patterns import Pattern, folded, normalised
from exam_core.questions.text import AcceptedText, ShortText
from exam_papers.formats.losses import Losses, NotWritableError
from exam_papers.formats.markup import SourceFormat, SourceText, as_html
from exam_papers.formats.model import FileQuestion, LossCode
from exam_papers.formats.moodle import default_length
from exam_papers.formats.qti.names import SCORE, UNIT_CLASS, Version, written_ident
from exam_papers.formats.qti.write_keys import MAP_RESPONSE, MATCH_CORRECT, RESPONSE, Keys, correct, full_only
from exam_papers.formats.qti.write_texts import Texts
from exam_papers.formats.qti.written import document, element, filled, html_element
from exam_papers.formats.qti.xhtml import elements_of
from exam_papers.formats.xml_tree import Node

_TRUTH = ("true", "false")


@dataclass(frozen=True, slots=True)
class _Parts:
    """The response, what stands in the body behind the text, and the response processing."""

    response: Node
    interaction: Node
    processing: Node | None
    before: Node | None = None


class ItemWriter:
    """Writes one question."""

    def __init__(
        self, question: FileQuestion, images: Mapping[str, AcceptedImage], losses: Losses, version: Version
    ) -> None:
        self.file_question = question
        self.question = question.question
        self.losses = losses
        self.version = version
        self.texts = Texts(self.question, images, losses, version)
        self.keys = Keys(self.question.id, losses, version)

    def lose(self, code: LossCode, feature: str, count: int = 1) -> None:
        """Record a loss of the question."""
        self.losses.add(code, feature, self.question.id, count)

    def item(self) -> bytes:
        """Return the item's document.

        Raises:
            NotWritableError: QTI cannot state the question.
        """
        question = self.question
        self.texts.formats()
        text = html_element("div", self.texts.text(question.text, question.image))
        parts = self._parts()
        title = self.losses.text(self.file_question.title, question.id) or question.id
        body = element("itemBody", *([parts.before] if parts.before else []), text, parts.interaction)
        scored = {} if parts.processing is not None or self.version is Version.V2_1 else {"externalScored": "human"}
        score = element(
            "outcomeDeclaration",
            element("defaultValue", element("value", "0")),
            **{"identifier": SCORE, "cardinality": "single", "baseType": "float", "normalMaximum": "1", **scored},
        )
        return document(
            element(
                "assessmentItem",
                parts.response,
                score,
                body,
                *([parts.processing] if parts.processing is not None else []),
                identifier=written_ident(question.id),
                title=title,
                adaptive="false",
                timeDependent="false",
            ),
            self.version,
        )

    def _parts(self) -> _Parts:
        interaction = self.question.interaction
        if isinstance(interaction, SingleChoice):
            return self._single(interaction)
        if isinstance(interaction, MultipleChoice):
            return self._multiple(interaction)
        if isinstance(interaction, TrueFalse):
            return self._true_false(interaction)
        if isinstance(interaction, Numeric):
            return self._numeric(interaction)
        if isinstance(interaction, ShortText):
            return self._short_text(interaction)
        return self._other_parts()

    def _other_parts(self) -> _Parts:
        interaction = self.question.interaction
        if isinstance(interaction, Matching):
            return self._matching(interaction)
        if isinstance(interaction, Ordering):
            return self._ordering(interaction)
        if isinstance(interaction, Essay):
            return self._essay(interaction)
        raise NotWritableError("is of a kind that QTI does not have")

    def _choices(self, question: SingleChoice | MultipleChoice, most: int) -> tuple[list[str], Node]:
        contents = self.texts.texts([(choice.text, choice.image) for choice in question.choices], "choice")
        names = [written_ident(choice.id) for choice in question.choices]
        nodes = [filled("simpleChoice", node, identifier=name) for name, node in zip(names, contents, strict=True)]
        words = sorted(self.texts.shown(node).lower() for node in contents)
        if isinstance(question, SingleChoice) and words == sorted(_TRUTH):
            self.lose(LossCode.KIND, "two choices «true» and «false» become a true or false question")
        return names, self._interaction("choiceInteraction", *nodes, shuffle="true", maxChoices=str(most))

    @staticmethod
    def _interaction(name: str, *content: Node, **attributes: str) -> Node:
        return element(name, *content, responseIdentifier=RESPONSE, **attributes)

    def _single(self, question: SingleChoice) -> _Parts:
        names, node = self._choices(question, 1)
        return self._one_of(names, [choice.credit for choice in question.choices], node)

    def _one_of(self, names: Sequence[str], credits_: Sequence[Fraction], node: Node) -> _Parts:
        best = correct([names[credits_.index(max(credits_))]])
        if full_only(credits_):
            response = self.keys.response("single", "identifier", best)
            return _Parts(response, node, self.keys.template(MATCH_CORRECT))
        mapping = self.keys.mapping(list(zip(names, credits_, strict=True)))
        response = self.keys.response("single", "identifier", best, mapping)
        return _Parts(response, node, self.keys.template(MAP_RESPONSE))

    def _true_false(self, question: TrueFalse) -> _Parts:
        nodes = [element("simpleChoice", name.capitalize(), identifier=name) for name in _TRUTH]
        node = self._interaction("choiceInteraction", *nodes, shuffle="false", maxChoices="1")
        credits_ = [Fraction(1) if question.answer else question.other_credit]
        credits_.append(question.other_credit if question.answer else Fraction(1))
        return self._one_of(_TRUTH, credits_, node)

    def _multiple(self, question: MultipleChoice) -> _Parts:
        names, node = self._choices(question, question.max_choices or 0)
        credits_ = [choice.credit for choice in question.choices]
        right = correct([name for name, credit in zip(names, credits_, strict=True) if credit > 0])
        if question.rule is None:
            self.lose(LossCode.CREDIT, "the policy's rule becomes all-or-nothing")
        if question.rule is not ChoiceRule.SUM_OF_CREDITS:
            others = sum(credit not in {0, 1} for credit in credits_)
            self.lose(LossCode.CREDIT, "credits become 1 or 0, because only the complete answer earns", others)
            response = self.keys.response("multiple", "identifier", right)
            return _Parts(response, node, self.keys.template(MATCH_CORRECT))
        mapping = self.keys.mapping(list(zip(names, credits_, strict=True)))
        bounds = {"lowerBound": self.keys.credit(question.floor), "upperBound": self.keys.credit(question.cap)}
        mapping.attributes = {**bounds, **mapping.attributes}
        response = self.keys.response("multiple", "identifier", right, mapping)
        return _Parts(response, node, self.keys.template(MAP_RESPONSE))

    def _numeric(self, question: Numeric) -> _Parts:
        branches = [(self.keys.number_condition(entry), entry.credit) for entry in question.accepted]
        values = [entry for entry in question.accepted if isinstance(entry, Near)]
        best = max(values, key=lambda entry: entry.credit, default=None)
        right = correct([self.keys.number(best.value)] if best is not None else [])
        field = html_element("div")
        field.children.append(self._interaction("textEntryInteraction"))
        if unit := self.losses.text(question.unit, self.question.id):
            field.children.append(html_element("span", **{"class": UNIT_CLASS}))
            field.children[0].tail, field.children[1].text = " ", unit
        return _Parts(self.keys.response("single", "float", right), field, self.keys.chain(branches))

    def _short_text(self, question: ShortText) -> _Parts:
        changed = int(question.max_length != default_length(question))
        self.lose(LossCode.LIMITS, "the longest length of an answer is dropped", changed)
        field = html_element("div")
        field.children.append(self._interaction("textEntryInteraction"))
        best = max(question.accepted, key=lambda entry: entry.credit)
        if question.wildcards:
            return self._patterns(question, field)
        kept: dict[str, AcceptedText] = {}
        for entry in question.accepted:
            text = self.losses.text(entry.text, self.question.id)
            same = normalised(text) if question.case else folded(normalised(text))
            kept.setdefault(same, AcceptedText(text=text, credit=entry.credit))
        if all(entry.credit <= 0 for entry in kept.values()):
            raise NotWritableError("has only texts that earn points after others that accept the same")
        hidden = len(question.accepted) - len(kept)
        self.lose(LossCode.CREDIT, "an accepted text that can never match is dropped", hidden)
        mapping = self.keys.mapping(
            [(entry.text, entry.credit) for entry in kept.values()], caseSensitive=str(question.case).lower()
        )
        right = correct([self.losses.text(best.text, self.question.id)])
        return _Parts(self.keys.response("single", "string", right, mapping), field, self.keys.template(MAP_RESPONSE))

    def _patterns(self, question: ShortText, field: Node) -> _Parts:
        texts = [self.losses.text(entry.text, self.question.id) for entry in question.accepted]
        parts = [Pattern.of(text, case=True, wildcards=True).parts for text in texts]
        literal = ["*".join(each) for each in parts if len(each) == 1]
        if all(len(each) == 1 for each in parts):
            self.lose(LossCode.TEXT_FORMAT, "patterns without a run become texts", int(any("*" in t for t in literal)))
        if question.case and not any(text.lower() != text.upper() for text in texts):
            self.lose(LossCode.CASE, "the difference of capital letters is dropped: no text has one")
        branches = [
            (self.keys.text_condition(question, text), entry.credit)
            for text, entry in zip(texts, question.accepted, strict=True)
        ]
        return _Parts(self.keys.response("single", "string", correct(literal[:1])), field, self.keys.chain(branches))

    def _matching(self, question: Matching) -> _Parts:
        stems = self.texts.texts([(stem.text, stem.image) for stem in question.stems], "stem")
        targets = list(dict.fromkeys(stem.target.strip() for stem in question.stems))
        others = [text.strip() for text in question.distractors if text.strip() not in targets]
        repeated = len(question.distractors) - len(dict.fromkeys(others))
        self.lose(LossCode.LAYOUT, "a target that is given twice is written once", repeated)
        targets += dict.fromkeys(others)
        names = [written_ident(stem.id) for stem in question.stems]
        ends = [f"target-{number}" for number in range(1, len(targets) + 1)]
        while set(ends) & set(names):
            ends = [f"{end}_" for end in ends]
        sets = [
            element(
                "simpleMatchSet",
                *(
                    filled("simpleAssociableChoice", node, identifier=name, matchMax=most)
                    for name, node in zip(idents, nodes, strict=True)
                ),
            )
            for idents, nodes, most in (
                (names, stems, "1"),
                (ends, self.texts.texts([(text, None) for text in targets], "target"), "0"),
            )
        ]
        pairs = [
            f"{name} {ends[targets.index(stem.target.strip())]}"
            for name, stem in zip(names, question.stems, strict=True)
        ]
        spaces = sum(stem.target.strip() != stem.target for stem in question.stems)
        spaces += sum(text.strip() != text for text in question.distractors)
        self.lose(LossCode.WHITE_SPACE, "white space at the ends of texts is dropped", spaces)
        mapping = self.keys.mapping([(pair, Fraction(1, len(pairs))) for pair in pairs])
        mapping.attributes = {"lowerBound": "0", "upperBound": "1", **mapping.attributes}
        node = self._interaction("matchInteraction", *sets, shuffle="true", maxAssociations=str(len(pairs)))
        response = self.keys.response("multiple", "directedPair", correct(pairs), mapping)
        return _Parts(response, node, self.keys.template(MAP_RESPONSE))

    def _ordering(self, question: Ordering) -> _Parts:
        contents = self.texts.texts([(item.text, item.image) for item in question.items], "item")
        names = [written_ident(item.id) for item in question.items]
        # Sorted by their texts, so that the order in the file tells nothing of the right one.
        shown = sorted(zip(names, contents, strict=True), key=lambda each: self.texts.shown(each[1]))
        nodes = [filled("simpleChoice", node, identifier=name) for name, node in shown]
        if question.rule is OrderingRule.PLACES:
            processing = self.keys.places(len(names))
        else:
            others = int(question.rule is not OrderingRule.ALL_OR_NOTHING)
            self.lose(LossCode.CREDIT, f"the rule {question.rule} becomes all-or-nothing", others)
            processing = self.keys.template(MATCH_CORRECT)
        response = self.keys.response("ordered", "identifier", correct(names))
        return _Parts(response, self._interaction("orderInteraction", *nodes, shuffle="true"), processing)

    def _essay(self, question: Essay) -> _Parts:
        limited = (question.max_characters != limits.MAX_ESSAY, question.min_words, question.max_words)
        self.lose(LossCode.LIMITS, "a limit of characters or words is dropped", sum(map(bool, limited)))
        default = element("defaultValue", element("value", question.template)) if question.template else None
        notes = None
        if kept := self.losses.text(question.notes, self.question.id):
            content = elements_of(as_html(SourceText(kept, SourceFormat.PLAIN)))[0]
            notes = element("rubricBlock", html_element("div", content), view="scorer")
            if self.version is Version.V3_0:
                notes = element("rubricBlock", element("contentBody", *notes.children), view="scorer", use="scoring")
        node = self._interaction("extendedTextInteraction")
        return _Parts(self.keys.response("single", "string", default), node, None, notes)
