"""Exam as code: read a YAML document into an authored exam, refusing with the line and the reason.

Every fault of a document is reported at once, each with its line, so that an author mends it in one go.
See `k8s/samples/papers/` for documents and `docs/papers.md` for the format.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

import yaml

from exam_core.answers import parse_decimal, shown
from exam_core.documents import Fault, compose, invalid
from exam_core.paper import (
    MAX_CHOICES,
    MAX_QUESTIONS,
    AuthoredChoice,
    AuthoredExam,
    AuthoredQuestion,
    ImageRef,
    QuestionKind,
)

MAX_SLUG = 50
MAX_TITLE = 200
MAX_TEXT = 10_000
MAX_CHOICE_TEXT = 2000
MAX_WEIGHT = 1000
WEIGHT_PLACES = 2
KEY_DIGITS = 22
"""Digits before the point of a numeric question's value and tolerance."""
KEY_PLACES = 12
"""Their decimal places."""
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_IDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}\Z")
_WHOLE = re.compile(r"[0-9]{1,4}\Z")
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

InspectImage = Callable[[bytes], ImageRef]
"""Looks at an image's content; raises ValueError with the reason when it is not one we take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamDocument:
    """A whole document: the exam, its level, and what the exam's own words need beside it.

    `question_ids[i]` and `choice_ids[i][j]` are the author's ids; `images` maps a digest to the image's bytes.
    """

    exam: AuthoredExam
    level: str
    question_ids: tuple[str, ...]
    choice_ids: tuple[tuple[str, ...], ...]
    images: Mapping[str, bytes]


def read_exam(text: str, inspect_image: InspectImage) -> ExamDocument:
    """Read an exam document.

    Raises:
        Problem: PAPER_INVALID, its `faults` listing every (line, reason).
    """
    reader = _Reader(inspect_image)
    document = reader.document(compose(text))
    if reader.faults or document is None:
        raise invalid(reader.faults)
    return document


Fields = dict[str, yaml.Node]


@dataclass
class _Reader:
    """Walks the node tree, keeping every fault it meets; what it returns counts only when there are none."""

    inspect_image: InspectImage
    faults: list[Fault] = field(default_factory=list)
    images: dict[str, bytes] = field(default_factory=dict)

    def fault(self, node: yaml.Node, reason: str) -> None:
        """Keep a fault."""
        self.faults.append(Fault(node.start_mark.line + 1, reason))

    # what a paper is made of

    def document(self, root: yaml.Node) -> ExamDocument | None:
        """The whole document."""
        fields = self.mapping(root, required={"exam", "title", "level", "questions"}, optional={"instructions"})
        if fields is None:
            return None
        questions = self.sequence(fields.get("questions"), "questions", most=MAX_QUESTIONS)
        ids = self.unique_ids(questions, "question")
        read = [self.question(node) for node in questions]
        return ExamDocument(
            exam=AuthoredExam(
                slug=self.slug(fields.get("exam"), "exam"),
                title=self.text(fields.get("title"), "title", most=MAX_TITLE),
                instructions=self.text(fields.get("instructions"), "instructions"),
                questions=tuple(question for question, _ in read if question),
            ),
            level=self.slug(fields.get("level"), "level"),
            question_ids=tuple(ids),
            choice_ids=tuple(choice_ids for _, choice_ids in read),
            images=self.images,
        )

    def question(self, node: yaml.Node) -> tuple[AuthoredQuestion | None, tuple[str, ...]]:
        """One question and its choices' ids."""
        fields = self.mapping(
            node,
            required={"id", "kind", "text"},
            optional={"weight", "image", "choices", "max_choices", "answer"},
        )
        kind = None if fields is None else self.kind(fields.get("kind"))
        if fields is None or kind is None:
            return None, ()
        choices: tuple[AuthoredChoice, ...] = ()
        choice_ids: tuple[str, ...] = ()
        value, tolerance, max_choices = None, Decimal(0), None
        if kind is QuestionKind.NUMERIC:
            self.refuse(fields, {"choices", "max_choices"}, "a numeric question has an answer, not choices")
            value, tolerance = self.numeric_key(node, fields.get("answer"))
        else:
            self.refuse(fields, {"answer"}, f"a {kind.value} question marks choices as correct, it has no answer")
            choices, choice_ids = self.choices(node, fields, kind)
            max_choices = self.max_choices(fields, kind, choices)
        question = AuthoredQuestion(
            kind=kind,
            text=self.text(fields.get("text"), "text"),
            weight=self.weight(fields.get("weight")),
            image=self.image(fields.get("image")),
            choices=choices,
            max_choices=max_choices,
            value=value,
            tolerance=tolerance,
        )
        return question, choice_ids

    def kind(self, node: yaml.Node | None) -> QuestionKind | None:
        """A question's kind."""
        text = self.scalar(node, "kind")
        if node is None or text is None:
            return None
        try:
            return QuestionKind(text)
        except ValueError:
            self.fault(node, f"kind {shown(text)} is not one of {', '.join(QuestionKind)}")
            return None

    def choices(
        self, node: yaml.Node, fields: Fields, kind: QuestionKind
    ) -> tuple[tuple[AuthoredChoice, ...], tuple[str, ...]]:
        """A question's choices and their ids; the key must fit the kind."""
        if "choices" not in fields:
            self.fault(node, f"a {kind.value} question needs choices")
            return (), ()
        nodes = self.sequence(fields["choices"], "choices", least=2, most=MAX_CHOICES)
        read = [(at, choice) for at, choice in zip(nodes, map(self.choice, nodes), strict=True) if choice]
        choices = tuple(choice for _, choice in read)
        right = sum(choice.correct for choice in choices)
        if right == 0:
            self.fault(node, "the question has no key: mark a choice with 'correct: true'")
        if kind is QuestionKind.SINGLE and right > 1:
            self.fault(node, f"a single-choice question has one correct choice, not {right}")
        self.refuse_twins(read)
        return choices, tuple(self.unique_ids(nodes, "choice"))

    def choice(self, node: yaml.Node) -> AuthoredChoice | None:
        """One choice."""
        fields = self.mapping(node, required={"id"}, optional={"text", "image", "correct"})
        if fields is None:
            return None
        if "text" not in fields and "image" not in fields:
            self.fault(node, "a choice needs a text or an image")
        return AuthoredChoice(
            text=self.text(fields.get("text"), "text", most=MAX_CHOICE_TEXT),
            correct=self.boolean(fields.get("correct")),
            image=self.image(fields.get("image")),
        )

    def max_choices(self, fields: Fields, kind: QuestionKind, choices: tuple[AuthoredChoice, ...]) -> int | None:
        """How many may be chosen at once, if the author limits it."""
        node = fields.get("max_choices")
        text = self.scalar(node, "max_choices")
        if node is None or text is None:
            return None
        if kind is QuestionKind.SINGLE:
            self.fault(node, "max_choices is for multiple-choice questions")
        least = max(1, sum(choice.correct for choice in choices))
        if not _WHOLE.match(text) or not least <= int(text) <= len(choices):
            self.fault(node, f"max_choices must be a number from {least} (the key) to {len(choices)} (the choices)")
            return None
        return int(text)

    def numeric_key(self, question: yaml.Node, node: yaml.Node | None) -> tuple[Decimal | None, Decimal]:
        """A numeric question's value and tolerance."""
        if node is None:
            self.fault(question, "the question has no key: a numeric question needs 'answer: {value: …}'")
            return None, Decimal(0)
        fields = self.mapping(node, required={"value"}, optional={"tolerance"})
        if fields is None:
            return None, Decimal(0)
        value = self.key_number(fields.get("value"), "value")
        tolerance = self.key_number(fields.get("tolerance"), "tolerance") or Decimal(0)
        if tolerance < 0:
            self.fault(fields["tolerance"], "tolerance must not be negative")
        return value, tolerance

    def key_number(self, node: yaml.Node | None, name: str) -> Decimal | None:
        """A number of the key, of a size that is stored exactly."""
        number = self.number(node, name)
        if node is None or number is None:
            return None
        if abs(number) >= 10**KEY_DIGITS:
            self.fault(node, f"{name} has more than {KEY_DIGITS} digits before the point")
        if not _has_places(number, KEY_PLACES):
            self.fault(node, f"{name} has more than {KEY_PLACES} decimal places")
        return number

    def weight(self, node: yaml.Node | None) -> Decimal:
        """A question's weight; 1 where none is given."""
        weight = self.number(node, "weight")
        if node is None or weight is None:
            return Decimal(1)
        if not 0 <= weight <= MAX_WEIGHT:
            self.fault(node, f"weight must be from 0 to {MAX_WEIGHT}, not {weight}")
        elif not _has_places(weight, WEIGHT_PLACES):
            self.fault(node, f"weight has at most {WEIGHT_PLACES} decimal places")
        return weight

    def image(self, node: yaml.Node | None) -> ImageRef | None:
        """An image given in base64, checked by its content."""
        text = self.scalar(node, "image")
        if node is None or text is None:
            return None
        try:
            data = base64.b64decode("".join(text.split()), validate=True)
            ref = self.inspect_image(data)
        except (binascii.Error, ValueError) as error:
            self.fault(node, f"the image is not usable: {error}")
            return None
        self.images[ref.sha256] = data
        return ref

    # what fields are made of

    def scalar(self, node: yaml.Node | None, name: str) -> str | None:
        """A single value that is there; None, with its fault, where it is not."""
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode):
            self.fault(node, f"{name} must be a single value, not a list or mapping")
            return None
        text = str(node.value)
        if not text.strip() or node.tag == "tag:yaml.org,2002:null":
            self.fault(node, f"{name} must not be empty")
            return None
        return text

    def number(self, node: yaml.Node | None, name: str) -> Decimal | None:
        """A finite decimal."""
        text = self.scalar(node, name)
        if node is None or text is None:
            return None
        try:
            return parse_decimal(text)
        except ValueError as error:
            self.fault(node, f"{name}: {error}")
            return None

    def boolean(self, node: yaml.Node | None) -> bool:
        """A YAML boolean; False where none is given."""
        text = self.scalar(node, "correct")
        if node is None or text is None:
            return False
        if node.tag != "tag:yaml.org,2002:bool" or text.lower() not in _BOOLEANS:
            self.fault(node, f"correct must be true or false, not {shown(text)}")
        return _BOOLEANS.get(text.lower(), False)

    def text(self, node: yaml.Node | None, name: str, *, most: int = MAX_TEXT) -> str:
        """A text that can be stored and shown; empty where none is given."""
        text = self.scalar(node, name)
        if node is None or text is None:
            return ""
        if len(text) > most:
            self.fault(node, f"{name} is longer than {most} characters")
        if bad := next((c for c in text if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t"), None):
            self.fault(node, f"{name} has the character U+{ord(bad):04X}, which cannot be shown")
        return text

    def slug(self, node: yaml.Node | None, name: str) -> str:
        """A short name for addresses."""
        text = self.scalar(node, name)
        if node is None or text is None:
            return ""
        if len(text) > MAX_SLUG or not _SLUG.match(text):
            self.fault(
                node, f"{name} {shown(text)} must be small letters, digits and single dashes, at most {MAX_SLUG}"
            )
        return text

    def mapping(self, node: yaml.Node, *, required: set[str], optional: set[str]) -> Fields | None:
        """A mapping's fields, closed: unknown, missing and repeated ones are faults."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"expected a mapping with {', '.join(sorted(required))}")
            return None
        known = required | optional
        fields: Fields = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else None
            if name is None or name not in known:
                what = "a list or mapping" if name is None else shown(name)
                self.fault(key, f"{what} is not known here; known are {', '.join(sorted(known))}")
            elif name in fields:
                self.fault(key, f"{name!r} is given twice")
            else:
                fields[name] = value
        for name in sorted(required - fields.keys()):
            self.fault(node, f"{name!r} is missing")
        return fields

    def sequence(self, node: yaml.Node | None, name: str, *, least: int = 1, most: int) -> list[yaml.Node]:
        """A list's items."""
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.fault(node, f"{name} must be a list")
            return []
        if not least <= len(node.value) <= most:
            self.fault(node, f"{name} must have {least} to {most} items, not {len(node.value)}")
        return list(node.value[:most])

    def refuse(self, fields: Fields, names: set[str], reason: str) -> None:
        """Fields that do not fit the question's kind."""
        for name in sorted(names & fields.keys()):
            self.fault(fields[name], reason)

    def refuse_twins(self, choices: Iterable[tuple[yaml.Node, AuthoredChoice]]) -> None:
        """Choices that look the same: nobody could tell which of them is meant."""
        seen: dict[tuple[str, str | None], int] = {}
        for node, choice in choices:
            face = (choice.text.strip(), choice.image.sha256 if choice.image else None)
            if face in seen and face != ("", None):
                self.fault(node, f"this choice looks like the one on line {seen[face]}")
            seen.setdefault(face, node.start_mark.line + 1)

    def unique_ids(self, nodes: list[yaml.Node], what: str) -> list[str]:
        """The ids of some mappings: well-formed, none twice; missing ones are the mapping's own fault."""
        seen: dict[str, int] = {}
        for node in nodes:
            given = node.value if isinstance(node, yaml.MappingNode) else ()
            value = next((v for k, v in given if isinstance(k, yaml.ScalarNode) and k.value == "id"), None)
            ident = self.scalar(value, f"a {what}'s id")
            if value is None or ident is None:
                continue
            if not _IDENT.match(ident):
                self.fault(value, f"id {shown(ident)} must be letters, digits, - and _, at most 50")
            if ident in seen:
                self.fault(value, f"duplicate {what} id {shown(ident)}: the first is on line {seen[ident]}")
            seen.setdefault(ident, value.start_mark.line + 1)
        return list(seen)


def _has_places(number: Decimal, places: int) -> bool:
    """Whether a decimal needs no more than some decimal places; zeros at its end need none."""
    shifted: Fraction = Fraction(number) * 10**places
    return shifted.denominator == 1
