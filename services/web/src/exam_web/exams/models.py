"""Exams, sections, questions, choices and images."""

import re
from decimal import Decimal
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.lookups import Exact

from exam_core import limits
from exam_core.authored import TextFormat
from exam_core.canonical import Json
from exam_core.credits import CreditError, parse_credit
from exam_core.questions.model import KindName
from exam_core.questions.notation import AcceptedNumberError, parse_accepted
from exam_core.review import Review
from exam_core.schedule import Attempts
from exam_core.scoring import Policy
from exam_web.users.models import Doctor, Level

_NAMESPACE = re.compile(limits.NAMESPACE_PATTERN)
MAX_KIND = 20
MAX_CREDIT = 40
"""Characters of a credit: the longest fraction has two numbers of 13 digits."""


def validate_namespace(name: str) -> None:
    """Raise ValidationError unless a Kubernetes namespace can have this name."""
    if len(name) > limits.MAX_NAMESPACE or _NAMESPACE.fullmatch(name) is None:
        raise ValidationError(
            "%(name)r is no name of a Kubernetes namespace: use lower-case letters, digits and inner hyphens, at most"
            " %(limit)d",
            params={"name": name, "limit": limits.MAX_NAMESPACE},
        )


def validate_credit(text: str) -> None:
    """Raise ValidationError unless a text is a credit, like 1/3 or 0.25."""
    try:
        parse_credit(text)
    except CreditError as error:
        raise ValidationError(str(error)) from error


def validate_policy(body: object) -> None:
    """Raise ValidationError unless a stored form is one of a scoring policy, without adjustments."""
    try:
        policy = Policy.from_json(body) if isinstance(body, dict) else None
    except (KeyError, ValueError, TypeError):
        policy = None
    if policy is None or policy.to_json() != body:
        raise ValidationError("this is no scoring policy")
    if policy.adjustments:
        raise ValidationError("adjustments belong to a grading revision of a sitting, not to the policy of an exam")


def default_policy() -> dict[str, Json]:
    """Return the stored form of the default scoring policy."""
    return Policy().to_json()


def _format_field(help_text: str) -> "models.CharField[str, str]":
    """Return a column with a format of texts.

    The database's default is for rows that a release without formats inserts: their texts are shown as written.
    """
    return models.CharField(
        max_length=10,
        choices=[(each.value, each.value) for each in TextFormat],
        default=TextFormat.MARKDOWN.value,
        db_default=TextFormat.PLAIN.value,
        help_text=help_text,
    )


def _format_known(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(format__in=[each.value for each in TextFormat]), name=name)


class Image(models.Model):
    """An image by its digest; `exam_papers.images` checks it before it is stored."""

    sha256 = models.CharField(primary_key=True, max_length=64)
    content_type = models.CharField(max_length=20)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.content_type} {self.width}x{self.height} {self.sha256[:12]}"


class Exam(models.Model):
    """A set of questions for a level. Sittings use papers frozen from it, so that it may change at any time."""

    slug = models.SlugField(max_length=limits.MAX_SLUG, unique=True)
    title = models.CharField(max_length=limits.MAX_TITLE)
    instructions = models.TextField(blank=True)
    format = _format_field("How the instructions are written, and the texts of new questions")
    level = models.ForeignKey(Level, on_delete=models.PROTECT, related_name="exams")
    author = models.ForeignKey(Doctor, on_delete=models.PROTECT, null=True, blank=True, related_name="exams")
    namespaces = ArrayField(
        models.CharField(max_length=limits.MAX_NAMESPACE, validators=[validate_namespace]),
        size=limits.MAX_NAMESPACES,
        blank=True,
        default=list,
        db_default=[],
        help_text="The Kubernetes namespaces, separated by commas, whose Exam resources may schedule and command its"
        " sittings; none if empty",
    )
    """See `exam_web.exams.ownership`."""
    published = models.BooleanField(
        default=False, db_default=True, help_text="The level sees the exam; sittings can be scheduled."
    )
    """A draft is visible to its author and staff only. The database's default is for rows that a release without drafts
    inserts: its exams are visible at once."""
    attempts = models.CharField(
        max_length=12,
        choices=[(Attempts.ONE.value, "one"), (Attempts.EACH_SITTING.value, "one in each sitting")],
        default=Attempts.ONE.value,
        db_default=Attempts.ONE.value,
        help_text="How often a student may take the exam if it has several sittings, for example to make up a"
        " missed one",
    )
    """Solvers learn of a change with their next renewal: a trigger raises the schedule's epoch."""
    policy = models.JSONField(default=default_policy, db_default=Policy().to_json(), validators=[validate_policy])
    """The scoring policy of its sittings, which each takes when its paper is frozen, unless it was given its own."""
    review = models.CharField(
        max_length=10,
        choices=[
            (Review.NOTHING.value, "nothing"),
            (Review.DEGREE.value, "the degree"),
            (Review.POINTS.value, "the degree and the points of each question"),
            (Review.PAPER.value, "points, the paper and the own answers"),
            (Review.KEY.value, "points, the paper, the own answers and the right ones"),
        ],
        default=Review.PAPER.value,
        db_default=Review.PAPER.value,
        help_text="What students may see afterwards: the degree once it is published, the rest once no sitting of the"
        " exam is open or to come",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        """Exams are ordered by slug."""

        ordering = ("slug",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(attempts__in=[each.value for each in Attempts]), name="exam_attempts_known"
            ),
            _format_known("exam_format_known"),
            models.CheckConstraint(condition=Q(review__in=[each.value for each in Review]), name="exam_review_known"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def scoring(self) -> Policy:
        """The scoring policy as a core value."""
        return Policy.from_json(self.policy)

    @property
    def review_policy(self) -> Review:
        """The review policy as a core value."""
        return Review(self.review)


class Section(models.Model):
    """A part of an exam; `exam_web.exams.sections` reads it with its questions, which follow one another."""

    exam = models.ForeignKey(Exam, on_delete=models.CASCADE, related_name="sections")
    ident = models.SlugField(max_length=limits.MAX_IDENT)
    position = models.PositiveIntegerField()
    title = models.CharField(max_length=limits.MAX_TITLE, blank=True)
    instructions = models.TextField(max_length=limits.MAX_TEXT, blank=True)
    draw = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="How many of its questions each student gets; all if empty",
    )
    shuffle = models.BooleanField(
        default=True, db_default=True, help_text="Each student sees its questions in an own order"
    )

    class Meta:
        """Positions and ids are unique within an exam."""

        ordering = ("exam", "position")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("exam", "ident"), name="section_ident_once"),
            models.UniqueConstraint(
                fields=("exam", "position"), name="section_position_once", deferrable=models.Deferrable.DEFERRED
            ),
            models.CheckConstraint(condition=Q(draw__isnull=True) | Q(draw__gte=1), name="section_draw_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.ident}: {self.title}" if self.title else self.ident


class Question(models.Model):
    """A question of an exam, with its key; `exam_web.exams.interactions` reads it and its parts.

    A numeric question's value and tolerance, if set, are its first accepted number.
    """

    exam = models.ForeignKey(Exam, on_delete=models.CASCADE, related_name="questions")
    section = models.ForeignKey(
        Section,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="questions",
        help_text="If the exam has sections, each question is in one, and those of a section follow one another",
    )
    ident = models.SlugField(max_length=limits.MAX_IDENT)
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=MAX_KIND, choices=[(kind.value, kind.value) for kind in KindName])
    text = models.TextField(max_length=limits.MAX_TEXT)
    format = _format_field("How the question's texts are written")
    weight = models.DecimalField(
        max_digits=limits.WEIGHT_DIGITS + limits.WEIGHT_PLACES,
        decimal_places=limits.WEIGHT_PLACES,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(limits.MAX_WEIGHT))],
    )
    shuffle = models.BooleanField(
        default=True,
        db_default=True,
        help_text="single, multiple, matching: each student sees choices, stems and targets in an own order. If not,"
        " choices and stems are in this order, and targets in the alphabet's",
    )
    image = models.ForeignKey(Image, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    max_choices = models.PositiveSmallIntegerField(null=True, blank=True)
    value = models.DecimalField(
        max_digits=limits.KEY_DIGITS + limits.KEY_PLACES, decimal_places=limits.KEY_PLACES, null=True, blank=True
    )
    tolerance = models.DecimalField(
        max_digits=limits.KEY_DIGITS + limits.KEY_PLACES, decimal_places=limits.KEY_PLACES, default=Decimal(0)
    )
    settings = models.JSONField(blank=True, default=dict, db_default={})
    """The members of the kind that have no column and are no lists: see `exam_web.exams.kinds`."""

    class Meta:
        """Positions and ids are unique within an exam."""

        ordering = ("exam", "position")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("exam", "ident"), name="question_ident_once"),
            models.UniqueConstraint(
                fields=("exam", "position"), name="question_position_once", deferrable=models.Deferrable.DEFERRED
            ),
            models.CheckConstraint(condition=Q(weight__gte=0), name="question_weight_not_negative"),
            models.CheckConstraint(condition=Q(tolerance__gte=0), name="question_tolerance_not_negative"),
            # PostgreSQL sorts NaN above every number, so that an upper bound excludes it.
            models.CheckConstraint(condition=Q(weight__lte=limits.MAX_WEIGHT), name="question_weight_bounded"),
            models.CheckConstraint(condition=Q(tolerance__lt=10**limits.KEY_DIGITS), name="question_tolerance_bounded"),
            models.CheckConstraint(
                condition=Q(value__isnull=True) | Q(value__lt=10**limits.KEY_DIGITS), name="question_value_bounded"
            ),
            models.CheckConstraint(condition=Q(kind__in=[kind.value for kind in KindName]), name="question_kind_known"),
            _format_known("question_format_known"),
            models.CheckConstraint(
                condition=Exact(
                    models.Func(models.F("settings"), function="jsonb_typeof", output_field=models.TextField()),
                    models.Value("object"),
                ),
                name="question_settings_object",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ident}: {self.text[:60]}"


class Choice(models.Model):
    """A part of a question, by its kind: a choice, an accepted number or text, a stem or a target, or an item.

    An accepted number is a text in the notation of `exam_core.questions.notation`; a target without a stem has neither
    text nor image. The items of an ordering question are in the right order.
    """

    question = models.ForeignKey(Question, on_delete=models.CASCADE, related_name="choices")
    ident = models.SlugField(max_length=limits.MAX_IDENT)
    position = models.PositiveIntegerField()
    text = models.CharField(max_length=limits.MAX_CHOICE_TEXT, blank=True)
    image = models.ForeignKey(Image, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    correct = models.BooleanField(default=False)
    credit = models.CharField(  # noqa: DJ001 - null is no credit of the own, which an empty text is not
        max_length=MAX_CREDIT,
        null=True,
        blank=True,
        validators=[validate_credit],
        help_text="A choice or an accepted answer: the part of the points that it earns, like 1/3, 0.25 or -1/2. If"
        " empty, 1 for a correct choice and for an accepted answer, else 0",
    )
    target = models.CharField(
        max_length=limits.MAX_CHOICE_TEXT,
        blank=True,
        default="",
        db_default="",
        help_text="Matching: the target of the stem; with neither text nor image, a target without a stem",
    )

    class Meta:
        """Positions and ids are unique within a question."""

        ordering = ("question", "position")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("question", "ident"), name="choice_ident_once"),
            models.UniqueConstraint(
                fields=("question", "position"), name="choice_position_once", deferrable=models.Deferrable.DEFERRED
            ),
            models.CheckConstraint(condition=~Q(credit=""), name="choice_credit_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.ident}: {self.text[:60]}"

    def clean(self) -> None:
        """Derive `correct` from a credit, for releases without credits, and check the notation of a number."""
        super().clean()
        if self.credit is not None:
            try:
                self.correct = parse_credit(self.credit) > 0
            except CreditError:
                return  # the field's validator reports it
        try:
            if self.question.kind == KindName.NUMERIC:
                parse_accepted(self.text)
        except Question.DoesNotExist:
            return  # none was selected, which the field's own check reports
        except AcceptedNumberError as error:
            raise ValidationError({"text": f"an accepted number {error}"}) from error
