"""Exam as code: read a YAML document into an authored exam, refusing with the line and the reason.

Every fault of a document is reported at once, each with its line, so that an author mends it in one go.
See `k8s/samples/papers/` for documents and `docs/papers.md` for the format.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import yaml

from exam_core.answers import parse_decimal
from exam_core.paper import (
    MAX_CHOICES,
    MAX_QUESTIONS,
    AuthoredChoice,
    AuthoredExam,
    AuthoredQuestion,
    ImageRef,
    QuestionKind,
)
from exam_core.problems import Problem, ProblemKind

MAX_DOCUMENT = 4_000_000
"""Characters; a Secret holds no more than 1 MiB anyway."""
MAX_TEXT = 10_000
MAX_WEIGHT = 1000
WEIGHT_PLACES = 2
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_IDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}\Z")

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


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: the line (from 1) and the reason."""

    line: int
    reason: str


def read_exam(text: str, inspect_image: InspectImage) -> ExamDocument:
    """Read an exam document.

    Raises:
        Problem: PAPER_INVALID, its `faults` listing every (line, reason).
    """
    if len(text) > MAX_DOCUMENT:
        raise _invalid([Fault(1, f"the document is longer than {MAX_DOCUMENT} characters")])
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _invalid([Fault(line, f"not YAML: {error.problem}")]) from error
    except yaml.YAMLError as error:
        raise _invalid([Fault(1, f"not YAML: {error}")]) from error
    reader = _Reader(inspect_image)
    document = reader.document(root) if root else reader.fault(None, "the document is empty")
    if reader.faults or document is None:
        raise _invalid(sorted(reader.faults, key=lambda fault: fault.line))
    return document


def _invalid(faults: list[Fault]) -> Problem:
    lines = "; ".join(f"line {fault.line}: {fault.reason}" for fault in faults)
    return Problem(
        ProblemKind.PAPER_INVALID,
        lines,
        faults=[{"line": fault.line, "reason": fault.reason} for fault in faults],
    )


Fields = dict[str, yaml.Node]


@dataclass
class _Reader:
    """Walks the node tree, keeping every fault it meets; what it returns counts only when there are none."""

    inspect_image: InspectImage
    faults: list[Fault] = field(default_factory=list)
    images: dict[str, bytes] = field(default_factory=dict)

    def fault(self, node: yaml.Node | None, reason: str) -> None:
        """Keep a fault."""
        self.faults.append(Fault(node.start_mark.line + 1 if node else 1, reason))

    def document(self, root: yaml.Node) -> ExamDocument | None:
        """The whole document."""
        fields = self.mapping(root, required={"exam", "title", "level", "questions"}, optional={"instructions"})
        if fields is None:
            return None
        questions = list(self.sequence(fields.get("questions"), "questions", most=MAX_QUESTIONS))
        ids = self.unique_ids(questions, "question")
        read = [self.question(node) for node in questions]
        return ExamDocument(
            exam=AuthoredExam(
                slug=self.text(fields.get("exam"), "exam", pattern=_SLUG),
                title=self.text(fields.get("title"), "title", most=200),
                instructions=self.text(fields["instructions"], "instructions") if "instructions" in fields else "",
                questions=tuple(question for question, _ in read if question),
            ),
            level=self.text(fields.get("level"), "level", pattern=_SLUG),
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
        if fields is None:
            return None, ()
        kind = self.kind(fields.get("kind"))
        if kind is None:
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
        if node is None:
            return None
        try:
            return QuestionKind(str(node.value))
        except ValueError:
            self.fault(node, f"kind {node.value!r} is not one of {', '.join(QuestionKind)}")
            return None

    def choices(
        self, node: yaml.Node, fields: Fields, kind: QuestionKind
    ) -> tuple[tuple[AuthoredChoice, ...], tuple[str, ...]]:
        """A question's choices and their ids; the key must fit the kind."""
        if "choices" not in fields:
            self.fault(node, f"a {kind.value} question needs choices")
            return (), ()
        nodes = list(self.sequence(fields["choices"], "choices", least=2, most=MAX_CHOICES))
        choices = tuple(choice for choice in map(self.choice, nodes) if choice)
        right = sum(choice.correct for choice in choices)
        if right == 0:
            self.fault(node, "the question has no key: mark a choice with 'correct: true'")
        if kind is QuestionKind.SINGLE and right > 1:
            self.fault(node, f"a single-choice question has one correct choice, not {right}")
        return choices, tuple(self.unique_ids(nodes, "choice"))

    def choice(self, node: yaml.Node) -> AuthoredChoice | None:
        """One choice."""
        fields = self.mapping(node, required={"id"}, optional={"text", "image", "correct"})
        if fields is None:
            return None
        if "text" not in fields and "image" not in fields:
            self.fault(node, "a choice needs a text or an image")
        return AuthoredChoice(
            text=self.text(fields["text"], "text", most=2000) if "text" in fields else "",
            correct=self.boolean(fields.get("correct")),
            image=self.image(fields.get("image")),
        )

    def max_choices(self, fields: Fields, kind: QuestionKind, choices: tuple[AuthoredChoice, ...]) -> int | None:
        """How many may be chosen at once, if the author limits it."""
        node = fields.get("max_choices")
        if node is None:
            return None
        if kind is QuestionKind.SINGLE:
            self.fault(node, "max_choices is for multiple-choice questions")
        right = sum(choice.correct for choice in choices)
        text = str(node.value)
        if not text.isdecimal() or not max(1, right) <= int(text) <= max(1, len(choices)):
            self.fault(
                node, f"max_choices must be a number from {max(1, right)} (the key) to {len(choices)} (the choices)"
            )
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
        tolerance = self.number(fields.get("tolerance"), "tolerance")
        if tolerance is not None and tolerance < 0:
            self.fault(fields["tolerance"], "tolerance must not be negative")
        return self.number(fields.get("value"), "value"), tolerance or Decimal(0)

    def weight(self, node: yaml.Node | None) -> Decimal:
        """A question's weight; 1 where none is given."""
        if node is None:
            return Decimal(1)
        weight = self.number(node, "weight")
        if weight is None:
            return Decimal(1)
        if not 0 <= weight <= MAX_WEIGHT:
            self.fault(node, f"weight must be from 0 to {MAX_WEIGHT}, not {weight}")
        elif -int(weight.as_tuple().exponent) > WEIGHT_PLACES:
            self.fault(node, f"weight has at most {WEIGHT_PLACES} decimal places")
        return weight

    def image(self, node: yaml.Node | None) -> ImageRef | None:
        """An image given in base64, checked by its content."""
        if node is None:
            return None
        try:
            data = base64.b64decode("".join(str(node.value).split()), validate=True)
            ref = self.inspect_image(data)
        except (binascii.Error, ValueError) as error:
            self.fault(node, f"the image is not usable: {error}")
            return None
        self.images[ref.sha256] = data
        return ref

    def number(self, node: yaml.Node | None, name: str) -> Decimal | None:
        """A finite decimal."""
        if node is None:
            return None
        try:
            return parse_decimal(str(node.value))
        except ValueError as error:
            self.fault(node, f"{name}: {error}")
            return None

    def boolean(self, node: yaml.Node | None) -> bool:
        """A YAML boolean; False where none is given."""
        if node is None:
            return False
        if node.tag != "tag:yaml.org,2002:bool":
            self.fault(node, f"correct must be true or false, not {node.value!r}")
        return str(node.value).lower() in {"true", "yes", "on"}

    def text(
        self, node: yaml.Node | None, name: str, *, most: int = MAX_TEXT, pattern: re.Pattern[str] | None = None
    ) -> str:
        """A text that is not empty."""
        if node is None:
            return ""
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            self.fault(node, f"{name} must be a text that is not empty")
            return ""
        text: str = node.value
        if len(text) > most:
            self.fault(node, f"{name} is longer than {most} characters")
        if pattern and not pattern.match(text):
            self.fault(node, f"{name} {text!r} must be small letters, digits and single dashes")
        return text

    def mapping(self, node: yaml.Node, *, required: set[str], optional: set[str]) -> Fields | None:
        """A mapping's fields, closed: unknown, missing and repeated ones are faults."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"expected a mapping with {', '.join(sorted(required))}")
            return None
        fields: Fields = {}
        for key, value in node.value:
            if key.value in fields:
                self.fault(key, f"{key.value!r} is given twice")
            elif key.value not in required | optional:
                self.fault(key, f"{key.value!r} is not known here; known are {', '.join(sorted(required | optional))}")
            fields[key.value] = value
        for name in sorted(required - fields.keys()):
            self.fault(node, f"{name!r} is missing")
        return fields

    def refuse(self, fields: Fields, names: set[str], reason: str) -> None:
        """Fields that do not fit the question's kind."""
        for name in sorted(names & fields.keys()):
            self.fault(fields[name], reason)

    def sequence(self, node: yaml.Node | None, name: str, *, least: int = 1, most: int) -> Iterator[yaml.Node]:
        """A list's items."""
        if node is None:
            return
        if not isinstance(node, yaml.SequenceNode):
            self.fault(node, f"{name} must be a list")
            return
        if not least <= len(node.value) <= most:
            self.fault(node, f"{name} must have {least} to {most} items, not {len(node.value)}")
        yield from node.value

    def unique_ids(self, nodes: list[yaml.Node], what: str) -> list[str]:
        """The ids of some mappings: well-formed, none twice."""
        seen: dict[str, int] = {}
        for node in nodes:
            for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
                if key.value != "id":
                    continue
                ident, line = str(value.value), value.start_mark.line + 1
                if not _IDENT.match(ident):
                    self.fault(value, f"id {ident!r} must be letters, digits, - and _, at most 50")
                if ident in seen:
                    self.fault(value, f"duplicate {what} id {ident!r}: the first is on line {seen[ident]}")
                seen.setdefault(ident, line)
        return list(seen)
