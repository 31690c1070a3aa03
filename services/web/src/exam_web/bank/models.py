"""Categories, questions of the bank with their versions, and the exams' questions that were taken from them."""

from typing import ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from exam_core import limits
from exam_core.questions.model import KindName
from exam_web.exams.models import MAX_KIND, Image, Question
from exam_web.users.models import Doctor, User

MAX_DEPTH: Final = 8
"""Categories in each other."""
MAX_PATH: Final = MAX_DEPTH * (limits.MAX_SLUG + 1)
MAX_TAG: Final = 50
MAX_TAGS: Final = 20
MAX_COMMENT: Final = 500


class Category(models.Model):
    """A subject; its path has the slugs of the categories around it, like `maths/algebra`."""

    slug = models.CharField(
        max_length=limits.MAX_SLUG,
        validators=[RegexValidator(limits.SLUG_PATTERN, "use small letters, digits and single dashes")],
    )
    name = models.CharField(max_length=limits.MAX_TITLE)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")
    path = models.CharField(max_length=MAX_PATH, unique=True, editable=False)

    class Meta:
        """In the order of a tree; no two categories have one path."""

        ordering = ("path",)
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.path


class BankQuestion(models.Model):
    """A question of the bank. What it asks is in its versions; kind and text are those of the newest one."""

    ident = models.SlugField(max_length=limits.MAX_IDENT, unique=True)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="questions")
    tags = ArrayField(models.CharField(max_length=MAX_TAG), size=MAX_TAGS, blank=True, default=list, db_default=[])
    author = models.ForeignKey(Doctor, on_delete=models.PROTECT, null=True, blank=True, related_name="bank_questions")
    """The Doctor who may change it; null if staff put it into the bank."""
    newest = models.PositiveIntegerField()
    """The number of the newest version."""
    kind = models.CharField(max_length=MAX_KIND, choices=[(kind.value, kind.value) for kind in KindName])
    text = models.TextField(max_length=limits.MAX_TEXT)
    created_at = models.DateTimeField(auto_now_add=True, db_default=Now())

    class Meta:
        """Ordered by id, which is unique in the bank."""

        ordering = ("ident",)
        indexes: ClassVar = [GinIndex(fields=("tags",), name="bankquestion_tags")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in KindName]), name="bankquestion_kind_known"
            ),
            models.CheckConstraint(condition=Q(newest__gte=1), name="bankquestion_has_version"),
        ]

    def __str__(self) -> str:
        return self.ident


class Version(models.Model):
    """One state of a question's content. The database rejects its change, and its deletion without the question."""

    question = models.ForeignKey(BankQuestion, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    """See `exam_papers.documents.questions`."""
    digest = models.CharField(max_length=64)
    """Of the content in canonical JSON."""
    author = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    comment = models.CharField(max_length=MAX_COMMENT, blank=True, default="", db_default="")
    created_at = models.DateTimeField(auto_now_add=True, db_default=Now())

    class Meta:
        """Counted from 1 in each question."""

        ordering = ("question", "number")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("question", "number"), name="version_number_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="version_number_from_1"),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"


class VersionImage(models.Model):
    """An image that a version shows, which therefore cannot be deleted."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="images")
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="+")

    class Meta:
        """Each image of a version once."""

        constraints: ClassVar = [models.UniqueConstraint(fields=("version", "image"), name="version_image_once")]

    def __str__(self) -> str:
        return f"{self.version_id}: {self.image_id}"


class Use(models.Model):
    """An exam's question that has the content of a version, or had it before it was edited in the exam."""

    # The constraint is made by the migration: it deletes the use with the question in the database, so that a release
    # that does not know this table can delete questions as well.
    question = models.OneToOneField(
        Question, on_delete=models.CASCADE, primary_key=True, related_name="bank_use", db_constraint=False
    )
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="uses")
    taken_at = models.DateTimeField(auto_now_add=True, db_default=Now())

    def __str__(self) -> str:
        return f"{self.question_id}: {self.version_id}"
