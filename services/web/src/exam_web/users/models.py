"""Users of three kinds, the levels of students, login sessions and revocations."""

from typing import ClassVar
from uuid import uuid4

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.db.models import Q

from exam_web.common.constraints import instant_bounded


class Level(models.Model):
    """A year of study, to which exams and students belong."""

    slug = models.SlugField(max_length=50, unique=True)
    name = models.CharField(max_length=100)

    class Meta:
        """Ordered by slug: year-1, year-2, …."""

        ordering = ("slug",)

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A user who logs in. Only students have a level."""

    class Kind(models.TextChoices):
        """The kind of user, with the values of the claim ``role`` of tokens."""

        STUDENT = "student"
        DOCTOR = "doctor"
        STAFF = "staff"

    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.STAFF)
    level = models.ForeignKey(Level, on_delete=models.PROTECT, null=True, blank=True, related_name="students")

    class Meta(AbstractUser.Meta):
        """The database checks that students and only students have a level."""

        constraints: ClassVar = [
            models.CheckConstraint(
                name="student_has_level",
                condition=Q(kind="student", level__isnull=False) | (~Q(kind="student") & Q(level__isnull=True)),
                violation_error_message="Students have a level; other users have none.",
            )
        ]


class StudentManager(UserManager["Student"]):
    """Manages students only."""

    def get_queryset(self) -> models.QuerySet["Student"]:
        """Users of this kind."""
        return super().get_queryset().filter(kind=User.Kind.STUDENT)


class DoctorManager(UserManager["Doctor"]):
    """Manages Doctors only."""

    def get_queryset(self) -> models.QuerySet["Doctor"]:
        """Users of this kind."""
        return super().get_queryset().filter(kind=User.Kind.DOCTOR)


class Student(User):
    """A user who takes exams."""

    objects: ClassVar[StudentManager] = StudentManager()

    class Meta:
        """The same rows as `User`."""

        proxy = True


class Doctor(User):
    """A user who writes exams."""

    objects: ClassVar[DoctorManager] = DoctorManager()

    class Meta:
        """The same rows as `User`."""

        proxy = True


class LoginSession(models.Model):
    """A login: a chain of refresh tokens (`exam_web.users.chain`), of which `current` is the last."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="login_sessions")
    current = models.UUIDField()
    previous = models.UUIDField(null=True, blank=True)
    rotated_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.user} since {self.created_at:%Y-%m-%d %H:%M}"


class Revocation(models.Model):
    """A login or user whose tokens solvers must reject; delivered to them with their lease, in the order of ids."""

    class Kind(models.TextChoices):
        """What is revoked: a login, its refresh and access tokens only, or all tokens of a user."""

        SESSION = "session"
        CHAIN = "chain"
        SUBJECT = "subject"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    value = models.CharField(max_length=40)
    before = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        """Indexed because every request with a token checks for revocations."""

        indexes: ClassVar = [models.Index(fields=("kind", "value"), name="revocation_of")]
        constraints: ClassVar = [
            instant_bounded("before", name="revocation_before_bounded"),
            instant_bounded("expires_at", name="revocation_expires_at_bounded"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"
