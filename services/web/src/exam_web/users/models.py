"""Users of three kinds, the levels of students, login sessions and revocations."""

from collections.abc import Collection
from typing import Any, ClassVar, Self, TypeVar
from uuid import uuid4

from django.contrib.auth.models import AbstractUser, UserManager
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.crypto import salted_hmac

from exam_core.bounds import MAX_EXTRA_PERCENT
from exam_web.common.constraints import instant_bounded
from exam_web.users.names import MAX_KEY, name_key, validate_username

UserT = TypeVar("UserT", bound="User")


class Level(models.Model):
    """A year of study, to which exams and students belong."""

    slug = models.SlugField(max_length=50, unique=True)
    name = models.CharField(max_length=100)

    class Meta:
        """Ordered by slug: year-1, year-2, …."""

        ordering = ("slug",)

    def __str__(self) -> str:
        return self.name


class NamedManager(UserManager[UserT]):
    """Finds users by any spelling of their names."""

    def named(self, username: str) -> UserT | None:
        """The user with this name, in whichever case and width.

        An exact name comes first: accounts of a release that distinguished spellings may have the same key.
        """
        found = self.filter(Q(username=username) | Q(name_key=name_key(username))).select_related("level")
        return min(found, key=lambda user: user.username != username, default=None)

    def get_by_natural_key(self, username: str | None) -> UserT:
        """The user whom Django authenticates."""
        user = None if username is None else self.named(username)
        if user is None:
            raise self.model.DoesNotExist
        return user


class User(AbstractUser):
    """A user who logs in. Only students have a level."""

    class Kind(models.TextChoices):
        """The kind of user, with the values of the claim ``role`` of tokens."""

        STUDENT = "student"
        DOCTOR = "doctor"
        STAFF = "staff"

    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.STAFF)
    level = models.ForeignKey(Level, on_delete=models.PROTECT, null=True, blank=True, related_name="students")
    username = models.CharField(max_length=150, unique=True, validators=[validate_username])
    name_key = models.CharField(max_length=MAX_KEY, unique=True, null=True, editable=False)  # noqa: DJ001
    """See `name_key`; null, of which there may be many, in rows of a release without it: they have exact names only."""

    extra_percent = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        validators=[MaxValueValidator(MAX_EXTRA_PERCENT)],
        help_text="Extra time in all exams, in percent of the duration of an attempt; 0 for none",
    )
    """Of students. `exam_web.sittings.services` changes it: solvers learn of it with their next renewal."""

    objects: ClassVar[NamedManager[Self]] = NamedManager()

    class Meta(AbstractUser.Meta):
        """The database checks that students and only students have a level."""

        indexes: ClassVar = [
            models.Index(fields=("level",), condition=Q(extra_percent__gt=0), name="user_with_extra_time"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(extra_percent__lte=MAX_EXTRA_PERCENT), name="user_extra_percent_bounded"
            ),
            models.CheckConstraint(
                name="student_has_level",
                condition=Q(kind="student", level__isnull=False) | (~Q(kind="student") & Q(level__isnull=True)),
                violation_error_message="Students have a level; other users have none.",
            ),
        ]

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any) -> Self:  # noqa: ANN401 - Django's signature
        """Remember the stored name."""
        user = super().from_db(db, field_names, values, **options)
        user._stored_name = user.__dict__.get("username")  # noqa: SLF001 - its own
        return user

    def _get_session_auth_hash(self, secret: str | bytes | None = None) -> str:
        """Django's hash of what ends sessions of the admin when it changes: the password, the kind and the level."""
        state = "\0".join((self.password, self.kind, str(self.level_id)))
        return salted_hmac("exam_web.users.models.User", state, secret=secret, algorithm="sha256").hexdigest()

    def clean(self) -> None:
        """Check that no other account has the name in another spelling."""
        super().clean()
        if self.username == self._stored_name:
            return
        other = User.objects.filter(name_key=name_key(self.username)).exclude(pk=self.pk).first()
        if other is not None:
            raise ValidationError({"username": f"{other.username} has this name already; case and width do not count"})

    def save(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature
        """Save, with the key of a new or changed name."""
        if self._state.adding or self.username != self._stored_name:
            self.name_key = name_key(self.username)
            if options.get("update_fields") is not None:
                options["update_fields"] = {*options["update_fields"], "name_key"}
        super().save(*arguments, **options)
        self._stored_name = self.username

    _stored_name: str | None = None


class StudentManager(NamedManager["Student"]):
    """Manages students only."""

    def get_queryset(self) -> models.QuerySet["Student"]:
        """Users of this kind."""
        return super().get_queryset().filter(kind=User.Kind.STUDENT)


class DoctorManager(NamedManager["Doctor"]):
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
    expires_at = models.DateTimeField(db_index=True)
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
