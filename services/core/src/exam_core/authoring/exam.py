"""Read an exam document: the exam, its level, its questions and their images."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import yaml

from exam_core import limits
from exam_core.authored import AuthoredExam, AuthoredQuestion, Section, TextFormat
from exam_core.authoring.nodes import Members, NodeReader
from exam_core.authoring.questions import QuestionReader
from exam_core.documents import compose, invalid
from exam_core.images import ImageRef
from exam_core.review import Review
from exam_core.schedule import Attempts
from exam_core.scoring import MultipleRule, Policy
from exam_core.sections import section_faults
from exam_core.validation import count_fault

_OF_EXAM: Final = frozenset({"instructions", "attempts", "format", "scoring", "review", "questions", "sections"})
_RULES: Final = {"multiple", "negative_total"}


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
    scoring: Policy | None = None
    """The scoring policy; None leaves it as it is, at first the default one."""
    review: Review | None = None
    """What students may see afterwards; None leaves it as it is, at first the paper."""


def read_exam(text: str, accept_image: AcceptImage) -> ExamDocument:
    """Read an exam document.

    Raises:
        Problem: PAPER_INVALID, its `faults` listing every (line, reason).
    """
    return read_exam_node(compose(text), accept_image)


def read_exam_node(root: yaml.Node, accept_image: AcceptImage) -> ExamDocument:
    """Read a composed exam document; raises as `read_exam`."""
    reader = _Reader(accept_image)
    document = reader.document(root)
    if reader.nodes.faults or document is None:
        raise invalid(reader.nodes.faults)
    return document


@dataclass
class _Reader:
    accept_image: AcceptImage
    nodes: NodeReader = field(default_factory=NodeReader)
    images: dict[str, AcceptedImage] = field(default_factory=dict)
    format: TextFormat = TextFormat.MARKDOWN
    """The format of texts whose question names none."""

    def document(self, root: yaml.Node) -> ExamDocument | None:
        """Read the whole document."""
        members = self.nodes.mapping(root, required={"exam", "title", "level"}, optional={*_OF_EXAM})
        if members is None:
            return None
        self.format = self.nodes.member_of(TextFormat, members.get("format"), "format") or self.format
        questions, sections = self._content(root, members)
        return ExamDocument(
            exam=AuthoredExam(
                slug=self.nodes.slug(members.get("exam"), "exam"),
                title=self.nodes.text(members.get("title"), "title", most=limits.MAX_TITLE),
                instructions=self.nodes.text(members.get("instructions"), "instructions"),
                format=self.format,
                questions=questions,
                sections=sections,
            ),
            level=self.nodes.slug(members.get("level"), "level"),
            images=self.images,
            attempts=self.nodes.member_of(Attempts, members.get("attempts"), "attempts"),
            scoring=self.scoring(members.get("scoring")),
            review=self.nodes.member_of(Review, members.get("review"), "review"),
        )

    def scoring(self, node: yaml.Node | None) -> Policy | None:
        """Read a scoring policy; a rule that it leaves out has its default."""
        members = None if node is None else self.nodes.mapping(node, required=set(), optional=_RULES)
        if members is None:
            return None
        multiple = self.nodes.member_of(MultipleRule, members.get("multiple"), "multiple")
        negative = self.nodes.boolean(members.get("negative_total"), "negative_total")
        return Policy(negative_total=negative).with_rules(multiple=multiple)

    def _content(self, root: yaml.Node, members: Members) -> tuple[tuple[AuthoredQuestion, ...], tuple[Section, ...]]:
        """Read the questions, which are listed either directly or in sections."""
        if "questions" in members and "sections" in members:
            self.nodes.fault(members["sections"], "an exam has either 'questions' or 'sections', not both")
        elif "sections" not in members and "questions" not in members:
            self.nodes.fault(root, "'questions' is missing")
        idents: dict[str, int] = {}
        if "sections" not in members:
            questions, count = self._questions(members.get("questions"), idents)
            self._check_count(members.get("questions"), count)
            return questions, ()
        names: dict[str, int] = {}
        parts = self.nodes.each(members["sections"], "sections", lambda node: self._section(node, names, idents))
        self._check_count(members["sections"], sum(count for _, count, _ in parts))
        return tuple(question for part, *_ in parts for question in part), tuple(section for *_, section in parts)

    def _questions(self, node: yaml.Node | None, idents: dict[str, int]) -> tuple[tuple[AuthoredQuestion, ...], int]:
        """Read a list of questions; return those that could be read, and how many it lists."""
        nodes = self.nodes.sequence(node, "questions")
        reader = QuestionReader(self.nodes, self.image, self.format)
        questions = [reader.question(each, idents) for each in nodes]
        return tuple(question for question in questions if question), len(nodes)

    def _check_count(self, node: yaml.Node | None, count: int) -> None:
        if node is not None and count and (reason := count_fault(count)):
            self.nodes.fault(node, reason)

    def _section(
        self, node: yaml.Node, names: dict[str, int], idents: dict[str, int]
    ) -> tuple[tuple[AuthoredQuestion, ...], int, Section] | None:
        """Read a section with its questions, and how many it lists."""
        before = len(self.nodes.faults)
        optional = {"title", "instructions", "draw", "shuffle"}
        members = self.nodes.mapping(node, required={"id", "questions"}, optional=optional)
        if members is None:
            return None
        questions, count = self._questions(members.get("questions"), idents)
        section = Section(
            id=self.nodes.ident(members.get("id"), "section", names),
            size=count,
            title=self.nodes.text(members.get("title"), "title", most=limits.MAX_TITLE),
            instructions=self.nodes.text(members.get("instructions"), "instructions"),
            draw=self.nodes.whole(members.get("draw"), "draw"),
            shuffle_questions=self.nodes.boolean(members.get("shuffle"), "shuffle", default=True),
        )
        if len(self.nodes.faults) == before:
            for _, member, reason in section_faults([section], [question.weight for question in questions]):
                self.nodes.fault(members.get(member, node), f"section {section.id} {reason}")
        return questions, count, section

    def image(self, node: yaml.Node | None) -> ImageRef | None:
        """Read an image in base64 and check its content."""
        text = self.nodes.scalar(node, "image")
        if node is None or text is None:
            return None
        try:
            data = base64.b64decode("".join(text.split()), validate=True)
            accepted = self.accept_image(data)
        except (binascii.Error, ValueError) as error:
            self.nodes.fault(node, f"the image is not usable: {error}")
            return None
        self.images[accepted.ref.sha256] = accepted
        return accepted.ref
