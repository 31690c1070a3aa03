"""Papers, sittings and what carries a sitting from its window to its grades.

Only `sittings/services.py` changes a `Sitting` or the `Schedule`.
"""

from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import F, Q

from exam_core.instants import span_to_micros, to_micros
from exam_core.schedule import State
from exam_core.windows import Pause as CorePause
from exam_core.windows import Window
from exam_web.exams.models import Exam, Image
from exam_web.users.models import Level, Student, User


class Paper(models.Model):
    """The students' half of a frozen exam. `source` is the digest of what was frozen: the same exam is frozen once."""

    digest = models.CharField(primary_key=True, max_length=64)
    exam = models.ForeignKey(Exam, on_delete=models.PROTECT, related_name="papers")
    source = models.CharField(max_length=64, unique=True)
    body = models.BinaryField()
    images = models.ManyToManyField(Image, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    distributed_at = models.DateTimeField(null=True, blank=True)
    """Since when it is where solvers find it; None while nobody may count on that."""

    def __str__(self) -> str:
        return f"{self.exam.slug} {self.digest[:12]}"


class PaperKey(models.Model):
    """A key to a paper; a corrected key is another row, so that each revision keeps the one it was graded with."""

    digest = models.CharField(primary_key=True, max_length=64)
    paper = models.ForeignKey(Paper, on_delete=models.PROTECT, related_name="keys")
    body = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"key {self.digest[:12]} to {self.paper_id[:12]}"


class Schedule(models.Model):
    """One row: the epoch, raised with every change of any sitting."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    epoch = models.BigIntegerField(default=1)

    class Meta:
        """There is one schedule."""

        constraints: ClassVar = [models.CheckConstraint(condition=Q(id=1), name="one_schedule")]

    def __str__(self) -> str:
        return f"epoch {self.epoch}"


class SittingQuerySet(models.QuerySet["Sitting"]):
    """Queries of sittings, also for ``exam.sittings``: the `exams` app must not import this one."""

    def visible_to(self, user: User) -> "SittingQuerySet":
        """Sittings not cancelled: for students those of their level, for Doctors of their exams, for staff all."""
        rows = self.exclude(state=State.CANCELLED.value)
        if user.kind == User.Kind.STUDENT:
            return rows.filter(level=user.level)
        if user.kind == User.Kind.DOCTOR:
            return rows.filter(exam__author_id=user.pk)
        return rows

    def over(self) -> "SittingQuerySet":
        """Sittings that closed."""
        return self.filter(state__in=(State.CLOSING.value, State.SEALED.value))


class Sitting(models.Model):
    """One window in which one paper is answered."""

    class Publish(models.TextChoices):
        """Who publishes degrees."""

        MANUAL = "manual"
        AUTOMATIC = "automatic"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=253, unique=True)
    exam = models.ForeignKey(Exam, on_delete=models.PROTECT, related_name="sittings")
    paper = models.ForeignKey(Paper, on_delete=models.PROTECT, related_name="sittings")
    key = models.ForeignKey(PaperKey, on_delete=models.PROTECT, related_name="+")
    level = models.ForeignKey(Level, on_delete=models.PROTECT, related_name="sittings")
    state = models.CharField(max_length=10, choices=[(s.value, s.value) for s in State], default=State.SCHEDULED.value)
    epoch = models.BigIntegerField()
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    duration = models.DurationField()
    extra_past_close = models.BooleanField(default=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    buckets = models.PositiveIntegerField()
    candidates = models.PositiveIntegerField()
    policy = models.JSONField(default=dict)
    publish = models.CharField(max_length=10, choices=Publish.choices, default=Publish.MANUAL)
    published_revision = models.PositiveIntegerField(default=0)
    published_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    drained_at = models.DateTimeField(null=True, blank=True)
    sealed_at = models.DateTimeField(null=True, blank=True)
    seal_digest = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SittingQuerySet.as_manager()

    class Meta:
        """Sittings read by their opening."""

        ordering = ("opens_at", "name")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(closes_at__gt=F("opens_at")), name="sitting_closes_after_opening"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def window(self) -> Window:
        """The window as the core knows it; reads `pauses`."""
        return Window(
            opens_at=to_micros(self.opens_at),
            closes_at=to_micros(self.closes_at),
            duration=span_to_micros(self.duration),
            pauses=tuple(pause.as_core() for pause in sorted(self.pauses.all(), key=lambda pause: pause.began_at)),
            stopped_at=None if self.stopped_at is None else to_micros(self.stopped_at),
            extra_past_close=self.extra_past_close,
        )


class SittingPause(models.Model):
    """A stretch in which nobody's clock runs."""

    sitting = models.ForeignKey(Sitting, on_delete=models.CASCADE, related_name="pauses")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """At most one pause lasts."""

        ordering = ("began_at",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("sitting",), condition=Q(ended_at__isnull=True), name="one_pause_lasts"),
        ]

    def __str__(self) -> str:
        return f"{self.sitting} from {self.began_at:%H:%M:%S}"

    def as_core(self) -> CorePause:
        """The pause as the core knows it."""
        return CorePause(
            began=to_micros(self.began_at), ended=None if self.ended_at is None else to_micros(self.ended_at)
        )


class Accommodation(models.Model):
    """Extra time for a student in a sitting."""

    sitting = models.ForeignKey(Sitting, on_delete=models.CASCADE, related_name="accommodations")
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="accommodations")
    extra = models.DurationField()

    class Meta:
        """One a student and sitting."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=("sitting", "student"), name="accommodation_once"),
        ]

    def __str__(self) -> str:
        return f"{self.student} +{self.extra} in {self.sitting}"


class SolverLease(models.Model):
    """One solver process that may admit answers. Written by the lease functions alone, read by the drain check."""

    holder = models.UUIDField(primary_key=True)
    renewed_at = models.DateTimeField()
    ttl = models.DurationField()
    drained_epoch = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.holder} at epoch {self.drained_epoch}"


class SealedBucket(models.Model):
    """What was read back of one bucket's seal: the bytes are Cassandra's."""

    sitting = models.ForeignKey(Sitting, on_delete=models.CASCADE, related_name="sealed_buckets")
    bucket = models.PositiveIntegerField()
    answers = models.PositiveIntegerField()
    students = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)

    class Meta:
        """A bucket is sealed once."""

        ordering = ("bucket",)
        constraints: ClassVar = [models.UniqueConstraint(fields=("sitting", "bucket"), name="bucket_sealed_once")]

    def __str__(self) -> str:
        return f"{self.sitting} bucket {self.bucket}"


class Revision(models.Model):
    """One grading of a seal: the key and the policy are frozen in it."""

    class State(models.TextChoices):
        """A revision is graded when its ledger is full."""

        GRADING = "grading"
        GRADED = "graded"

    sitting = models.ForeignKey(Sitting, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.GRADING)
    key = models.ForeignKey(PaperKey, on_delete=models.PROTECT, related_name="+")
    policy = models.JSONField()
    policy_digest = models.CharField(max_length=64)
    chunks = models.PositiveIntegerField()
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Revisions of a sitting count from 1."""

        ordering = ("sitting", "number")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("sitting", "number"), name="revision_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="revision_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.sitting} r{self.number}"


class LedgerEntry(models.Model):
    """A chunk of a revision that was graded, in the same transaction as its degrees."""

    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, related_name="ledger")
    chunk = models.PositiveIntegerField()
    degrees = models.PositiveIntegerField()
    graded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """A chunk is graded once."""

        constraints: ClassVar = [models.UniqueConstraint(fields=("revision", "chunk"), name="chunk_graded_once")]

    def __str__(self) -> str:
        return f"{self.revision} chunk {self.chunk}"
