"""Exam as code: read a YAML document into an authored exam, or reject it with lines and reasons.

Every fault of a document is reported at once with its line, so that the author can correct all of them in one pass.
Faults quote nothing of the document, which contains the key: they are also read by people who may not know it.
See `k8s/samples/papers/` for documents and `docs/papers.md` for the format.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Final, TypeVar

import yaml

from exam_core import limits
from exam_core.documents import Fault, compose, invalid
from exam_core.images import ImageRef
from exam_core.numbers import NotANumberError, parse_decimal
from exam_core.paper import AuthoredChoice, AuthoredExam, AuthoredQuestion, QuestionKind
from exam_core.schedule import Attempts
from exam_core.validation import count_fault, question_faults

_SLUG: Final = re.compile(limits.SLUG_PATTERN)
_IDENT: Final = re.compile(limits.IDENT_PATTERN)
_WHOLE: Final = re.compile(r"[0-9]{1,4}")
_BOOLEANS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class AcceptedImage:
    """An image as it is stored, which may have fewer bytes than the author's file, and its description."""

    ref: ImageRef
    data: bytes


AcceptImage = Callable[[bytes], AcceptedImage]
"""Checks an image by its content; raises ValueError with the reason when the image is not accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamDocument:
    """A whole document: the exam, its level, and its images by their digests."""

    exam: AuthoredExam
    level: str
    images: Mapping[str, AcceptedImage]
    attempts: Attempts | None = None
    """How often a student may take the exam; None leaves it as it is, at first one."""


def read_exam(text: str, accept_image: AcceptImage) -> ExamDocument:
    """Read an exam document.

    Raises:
        Problem: PAPER_INVALID, its `faults` listing every (line, reason).
    """
    reader = _Reader(accept_image)
    document = reader.document(compose(text))
    if reader.faults or document is None:
        raise invalid(reader.faults)
    return document


Members = dict[str, yaml.Node]
T = TypeVar("T")


@dataclass
class _Reader:
    """Walks the node tree and collects every fault; the values it returns are valid only when there are none."""

    accept_image: AcceptImage
    faults: list[Fault] = field(default_factory=list)
    images: dict[str, AcceptedImage] = field(default_factory=dict)

    def fault(self, node: yaml.Node, reason: str) -> None:
        """Record a fault at a node's line."""
        self.faults.append(Fault(node.start_mark.line + 1, reason))

    # Parts of an exam

    def document(self, root: yaml.Node) -> ExamDocument | None:
        """Read the whole document."""
        required, optional = {"exam", "title", "level", "questions"}, {"instructions", "attempts"}
        members = self.mapping(root, required=required, optional=optional)
        if members is None:
            return None
        nodes = self.sequence(members.get("questions"), "questions")
        if nodes and (reason := count_fault(len(nodes))):
            self.fault(members["questions"], reason)
        idents: dict[str, int] = {}
        questions = [self.question(node, idents) for node in nodes]
        return ExamDocument(
            exam=AuthoredExam(
                slug=self.slug(members.get("exam"), "exam"),
                title=self.text(members.get("title"), "title", most=limits.MAX_TITLE),
                instructions=self.text(members.get("instructions"), "instructions"),
                questions=tuple(question for question in questions if question),
            ),
            level=self.slug(members.get("level"), "level"),
            images=self.images,
            attempts=self.attempts(members.get("attempts")),
        )

    def question(self, node: yaml.Node, idents: dict[str, int]) -> AuthoredQuestion | None:
        """Read one question and apply the rules of `validation` to it.

        Args:
            node: the question's node.
            idents: the ids of earlier questions with their lines; this question's id is added.
        """
        required = {"id", "kind", "text"}
        optional = {"weight", "image", "choices", "max_choices", "answer"}
        members = self.mapping(node, required=required, optional=optional)
        if members is None:
            return None
        ident = self.ident(members.get("id"), "question", idents)
        kind = self.kind(members.get("kind"))
        if kind is None:
            return None
        unreadable = required - members.keys()

        def read(name: str, reader: Callable[[yaml.Node | None], T]) -> T:
            before = len(self.faults)
            value = reader(members.get(name))
            if len(self.faults) > before:
                unreadable.add(name)
            return value

        value, tolerance = read("answer", self.numeric_key)
        question = AuthoredQuestion(
            id=ident,
            kind=kind,
            text=read("text", lambda text: self.text(text, "text")),
            weight=self.weight(members.get("weight")),
            image=self.image(members.get("image")),
            choices=read("choices", self.choices),
            max_choices=read("max_choices", self.max_choices),
            value=value,
            tolerance=tolerance,
        )
        for fault in question_faults(question):
            # A member that could not be read has a fault already; all rules of choice questions need the choices.
            if not unreadable & {fault.member, "choices"}:
                place = members.get(fault.member, node)
                if fault.choice is not None:
                    place = place.value[fault.choice]
                self.fault(place, f"{f'question {ident}' if ident else 'the question'} {fault.reason}")
        return question

    def kind(self, node: yaml.Node | None) -> QuestionKind | None:
        """Read a question's kind."""
        text = self.scalar(node, "kind")
        if node is None or text is None:
            return None
        try:
            return QuestionKind(text)
        except ValueError:
            self.fault(node, f"kind is not one of {', '.join(QuestionKind)}")
            return None

    def attempts(self, node: yaml.Node | None) -> Attempts | None:
        """Read how often a student may take the exam."""
        text = self.scalar(node, "attempts")
        if node is None or text is None:
            return None
        try:
            return Attempts(text)
        except ValueError:
            self.fault(node, f"attempts is not one of {', '.join(Attempts)}")
            return None

    def choices(self, node: yaml.Node | None) -> tuple[AuthoredChoice, ...]:
        """Read a question's choices."""
        idents: dict[str, int] = {}
        choices = [self.choice(each, idents) for each in self.sequence(node, "choices")]
        return tuple(choice for choice in choices if choice)

    def choice(self, node: yaml.Node, idents: dict[str, int]) -> AuthoredChoice | None:
        """Read one choice; `idents` as for `question`."""
        members = self.mapping(node, required={"id"}, optional={"text", "image", "correct"})
        if members is None:
            return None
        return AuthoredChoice(
            id=self.ident(members.get("id"), "choice", idents),
            text=self.text(members.get("text"), "text", most=limits.MAX_CHOICE_TEXT),
            correct=self.boolean(members.get("correct")),
            image=self.image(members.get("image")),
        )

    def max_choices(self, node: yaml.Node | None) -> int | None:
        """Read how many choices may be selected at once, if the author limits it."""
        text = self.scalar(node, "max_choices")
        if node is None or text is None:
            return None
        if not _WHOLE.fullmatch(text):
            self.fault(node, "max_choices must be a whole number of at most four digits")
            return None
        return int(text)

    def numeric_key(self, node: yaml.Node | None) -> tuple[Decimal | None, Decimal]:
        """Read a numeric question's value and tolerance."""
        members = None if node is None else self.mapping(node, required={"value"}, optional={"tolerance"})
        if members is None:
            return None, Decimal(0)
        value = self.key_number(members.get("value"), "value")
        tolerance = self.key_number(members.get("tolerance"), "tolerance") or Decimal(0)
        if tolerance < 0:
            self.fault(members["tolerance"], "tolerance must not be negative")
        return value, tolerance

    def key_number(self, node: yaml.Node | None, name: str) -> Decimal | None:
        """Read a number of the key that can be stored exactly."""
        number = self.number(node, name)
        if node is None or number is None:
            return None
        if abs(number) >= 10**limits.KEY_DIGITS:
            self.fault(node, f"{name} has more than {limits.KEY_DIGITS} digits before the point")
        if not _has_places(number, limits.KEY_PLACES):
            self.fault(node, f"{name} has more than {limits.KEY_PLACES} decimal places")
        return number

    def weight(self, node: yaml.Node | None) -> Decimal:
        """Read a question's weight; the default is 1."""
        weight = self.number(node, "weight")
        if node is None or weight is None:
            return Decimal(1)
        if not 0 <= weight <= limits.MAX_WEIGHT:
            self.fault(node, f"weight must be from 0 to {limits.MAX_WEIGHT}")
        elif not _has_places(weight, limits.WEIGHT_PLACES):
            self.fault(node, f"weight has at most {limits.WEIGHT_PLACES} decimal places")
        return weight

    def image(self, node: yaml.Node | None) -> ImageRef | None:
        """Read an image in base64 and check its content."""
        text = self.scalar(node, "image")
        if node is None or text is None:
            return None
        try:
            data = base64.b64decode("".join(text.split()), validate=True)
            accepted = self.accept_image(data)
        except (binascii.Error, ValueError) as error:
            self.fault(node, f"the image is not usable: {error}")
            return None
        self.images[accepted.ref.sha256] = accepted
        return accepted.ref

    # Members

    def scalar(self, node: yaml.Node | None, name: str) -> str | None:
        """Read a single value; None when it is absent, None and a fault when it is empty or not a single value."""
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
        """Read a finite decimal, by the rules for students' answers."""
        text = self.scalar(node, name)
        if node is None or text is None:
            return None
        try:
            return parse_decimal(text)
        except NotANumberError as error:
            self.fault(node, f"{name} {error.reason}")
            return None

    def boolean(self, node: yaml.Node | None) -> bool:
        """Read a YAML boolean; the default is False."""
        text = self.scalar(node, "correct")
        if node is None or text is None:
            return False
        if node.tag != "tag:yaml.org,2002:bool" or text.lower() not in _BOOLEANS:
            self.fault(node, "correct must be true or false")
        return _BOOLEANS.get(text.lower(), False)

    def text(self, node: yaml.Node | None, name: str, *, most: int = limits.MAX_TEXT) -> str:
        """Read a text that can be stored and displayed; the default is empty."""
        text = self.scalar(node, name)
        if node is None or text is None:
            return ""
        if len(text) > most:
            self.fault(node, f"{name} is longer than {most} characters")
        if control := next((c for c in text if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t"), None):
            self.fault(node, f"{name} has the character U+{ord(control):04X}, which cannot be displayed")
        return text

    def slug(self, node: yaml.Node | None, name: str) -> str:
        """Read a name that is used in URLs."""
        text = self.scalar(node, name)
        if node is None or text is None:
            return ""
        if len(text) > limits.MAX_SLUG or not _SLUG.fullmatch(text):
            self.fault(node, f"{name} must be small letters, digits and single dashes, at most {limits.MAX_SLUG}")
        return text

    def ident(self, node: yaml.Node | None, owner: str, seen: dict[str, int]) -> str:
        """Read the id of a question or choice; `seen` maps the ids of its earlier siblings to their lines."""
        ident = self.scalar(node, f"a {owner}'s id")
        if node is None or ident is None:
            return ""
        if len(ident) > limits.MAX_IDENT or not _IDENT.fullmatch(ident):
            self.fault(node, f"a {owner}'s id must be letters, digits, - and _, at most {limits.MAX_IDENT}")
            return ""
        if ident in seen:
            self.fault(node, f"duplicate {owner} id: the first is on line {seen[ident]}")
        seen.setdefault(ident, node.start_mark.line + 1)
        return ident

    def mapping(self, node: yaml.Node, *, required: set[str], optional: set[str]) -> Members | None:
        """Read a mapping's members; unknown, missing and repeated ones are faults."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"expected a mapping with {', '.join(sorted(required))}")
            return None
        known = required | optional
        members: Members = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else None
            if name is None or name not in known:
                self.fault(key, f"this member is not known here; known are {', '.join(sorted(known))}")
            elif name in members:
                self.fault(key, f"{name!r} is given twice")
            else:
                members[name] = value
        for name in sorted(required - members.keys()):
            self.fault(node, f"{name!r} is missing")
        return members

    def sequence(self, node: yaml.Node | None, name: str) -> list[yaml.Node]:
        """Read a list's items; the default is an empty list."""
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.fault(node, f"{name} must be a list")
            return []
        if not node.value:
            self.fault(node, f"{name} must not be empty")
        return list(node.value)


def _has_places(number: Decimal, places: int) -> bool:
    """Return whether a decimal needs no more than `places` decimal places, trailing zeros not counted."""
    shifted: Fraction = Fraction(number) * 10**places
    return shifted.denominator == 1
