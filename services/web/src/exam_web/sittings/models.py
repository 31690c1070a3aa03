"""Papers, sittings, and the records of leases, seals and grading.

Only `exam_web.sittings.services` changes a `Sitting` or the `Schedule`.
"""

from datetime import timedelta
from typing import ClassVar
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from exam_core import bounds
from exam_core.entry import MAX_NETWORKS
from exam_core.instants import span_to_micros, to_micros
from exam_core.schedule import State
from exam_core.scoring import Policy
from exam_core.windows import Pause as CorePause
from exam_core.windows import Window
from exam_web.common.constraints import instant_bounded
from exam_web.exams.models import Exam, Image
from exam_web.users.models import Level, Student, User

MAX_STORED_CODE = 200
"""Characters of a stored access code."""
MAX_NETWORK = 49
"""Characters of a network in CIDR notation."""
MAX_NOTE = 1000
"""Characters of what a revision changed and why."""
MAX_REFREEZE = 63
"""The maximum length of a named request to freeze anew."""


class Paper(models.Model):
    """The students' half of a frozen exam. `source` is the digest of the frozen content, which is frozen once."""

    digest = models.CharField(primary_key=True, max_length=64)
    exam = models.ForeignKey(Exam, on_delete=models.PROTECT, related_name="papers")
    source = models.CharField(max_length=64, unique=True)
    body = models.BinaryField()
    images = models.ManyToManyField(Image, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    distributed_at = models.DateTimeField(null=True, blank=True)
    """When it was stored for the solvers; None until then."""

    def __str__(self) -> str:
        return f"{self.exam.slug} {self.digest[:12]}"


class PaperKey(models.Model):
    """A key of a paper; a corrected key is a new row, so that each revision keeps the key it was graded with."""

    digest = models.CharField(primary_key=True, max_length=64)
    paper = models.ForeignKey(Paper, on_delete=models.PROTECT, related_name="keys")
    body = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"key {self.digest[:12]} to {self.paper_id[:12]}"


class Schedule(models.Model):
    """A single row with the epoch, which every change of any sitting increments."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    epoch = models.BigIntegerField(default=1)

    class Meta:
        """At most one row."""

        constraints: ClassVar = [models.CheckConstraint(condition=Q(id=1), name="one_schedule")]

    def __str__(self) -> str:
        return f"epoch {self.epoch}"


class SittingQuerySet(models.QuerySet["Sitting"]):
    """Queries that `exams` uses through ``exam.sittings``, because it must not import this app."""

    def visible_to(self, user: User) -> "SittingQuerySet":
        """Sittings not cancelled: for students those of their level, for Doctors of their exams, for staff all.

        A draft has none that students may see, whichever release scheduled it.
        """
        rows = self.exclude(state=State.CANCELLED.value)
        if user.kind == User.Kind.STUDENT:
            return rows.filter(level=user.level, exam__published=True)
        if user.kind == User.Kind.DOCTOR:
            return rows.filter(exam__author_id=user.pk)
        return rows

    def scheduled(self) -> "SittingQuerySet":
        """Sittings that have neither closed nor been cancelled."""
        return self.filter(state=State.SCHEDULED.value)

    def sharing(self, *, exam: object, paper: object) -> "SittingQuerySet":
        """Scheduled sittings of an exam or with a paper: until they are over, nothing is shown that would help them."""
        return self.scheduled().filter(Q(exam=exam) | Q(paper=paper))

    def names(self) -> list[str]:
        """The names of the sittings that were not cancelled."""
        return list(self.exclude(state=State.CANCELLED.value).values_list("name", flat=True))

    def over(self) -> "SittingQuerySet":
        """Sittings that closed."""
        return self.filter(state__in=(State.CLOSING.value, State.SEALED.value))


class RandomSecret(models.Func):
    """32 random bytes made by the database, so that rows inserted by an earlier release have a secret too."""

    template = "sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))"
    arity = 0


class Sitting(models.Model):
    """One window in which one paper is answered."""

    class Publish(models.TextChoices):
        """Whether degrees are published by a Doctor or as soon as they are graded."""

        MANUAL = "manual"
        AUTOMATIC = "automatic"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=bounds.MAX_NAME, unique=True)
    exam = models.ForeignKey(Exam, on_delete=models.PROTECT, related_name="sittings")
    paper = models.ForeignKey(Paper, on_delete=models.PROTECT, related_name="sittings")
    key = models.ForeignKey(PaperKey, on_delete=models.PROTECT, related_name="+")
    level = models.ForeignKey(Level, on_delete=models.PROTECT, related_name="sittings")
    state = models.CharField(max_length=10, choices=[(s.value, s.value) for s in State], default=State.SCHEDULED.value)
    frozen_at = models.DateTimeField(db_default=Now())
    """When the paper and key were frozen from the exam; later edits of the exam are not in them."""
    refreeze = models.CharField(max_length=MAX_REFREEZE, blank=True, db_default="", default="")
    """The last named request to freeze anew that was applied, so that it is applied once."""
    epoch = models.BigIntegerField()
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    duration = models.DurationField()
    extra_past_close = models.BooleanField(default=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    buckets = models.PositiveIntegerField()
    candidates = models.PositiveIntegerField()
    policy = models.JSONField(default=dict)
    own_policy = models.BooleanField(default=False, db_default=True)
    """Whether the policy was given to this sitting; otherwise it is the exam's when the paper was frozen. The
    database's default is for rows of a release without policies of exams: theirs stay."""
    named_only = models.BooleanField(default=False, db_default=False)
    """Whether only the students who are named for it may start: see `NamedStudent`."""
    access_code = models.CharField(max_length=MAX_STORED_CODE, blank=True, default="", db_default="", editable=False)
    """The hash of the code that a start needs (`exam_core.entry`); empty without one."""
    networks = ArrayField(
        models.CharField(max_length=MAX_NETWORK), size=MAX_NETWORKS, blank=True, default=list, db_default=[]
    )
    """The networks in which an attempt may be started or resumed, in CIDR notation; everywhere if empty."""
    publish = models.CharField(max_length=10, choices=Publish.choices, default=Publish.MANUAL)
    published_revision = models.PositiveIntegerField(default=0)
    published_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    drained_at = models.DateTimeField(null=True, blank=True)
    sealed_at = models.DateTimeField(null=True, blank=True)
    seal_digest = models.CharField(max_length=64, blank=True)
    proof_secret = models.BinaryField(max_length=32, db_default=RandomSecret(output_field=models.BinaryField()))
    """Salts the leaves of the sitting's trees; see `exam_core.commitments`. Never published."""
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = SittingQuerySet.as_manager()

    class Meta:
        """Ordered by opening; the schedule is within the bounds that solvers can read."""

        ordering = ("opens_at", "name")
        indexes: ClassVar = [models.Index(fields=("opens_at", "name"), name="sitting_by_opening")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(closes_at__gt=F("opens_at")), name="sitting_closes_after_opening"),
            instant_bounded("opens_at", name="sitting_opens_at_bounded"),
            instant_bounded("closes_at", name="sitting_closes_at_bounded"),
            instant_bounded("stopped_at", name="sitting_stopped_at_bounded"),
            models.CheckConstraint(
                condition=Q(duration__gt=timedelta(0), duration__lte=bounds.MAX_SPAN), name="sitting_duration_bounded"
            ),
            models.CheckConstraint(
                condition=Q(candidates__gte=1, candidates__lte=bounds.MAX_CANDIDATES), name="sitting_candidates_bounded"
            ),
            models.CheckConstraint(
                condition=Q(buckets__gte=1, buckets__lte=bounds.MAX_BUCKETS), name="sitting_buckets_bounded"
            ),
            models.CheckConstraint(condition=Q(state__in=[state.value for state in State]), name="sitting_state_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def scoring(self) -> Policy:
        """The scoring policy as a core value."""
        return Policy.from_json(self.policy)

    @property
    def window(self) -> Window:
        """The window as a core value; queries `pauses`."""
        return Window(
            opens_at=to_micros(self.opens_at),
            closes_at=to_micros(self.closes_at),
            duration=span_to_micros(self.duration),
            pauses=tuple(pause.as_core() for pause in sorted(self.pauses.all(), key=lambda pause: pause.began_at)),
            stopped_at=None if self.stopped_at is None else to_micros(self.stopped_at),
            extra_past_close=self.extra_past_close,
        )


class SittingPause(models.Model):
    """A pause, which extends deadlines by its length."""

    sitting = models.ForeignKey(Sitting, on_delete=models.CASCADE, related_name="pauses")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """At most one pause has not ended; times are within the bounds of instants."""

        ordering = ("began_at",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("sitting",), condition=Q(ended_at__isnull=True), name="one_pause_lasts"),
            instant_bounded("began_at", name="pause_began_at_bounded"),
            instant_bounded("ended_at", name="pause_ended_at_bounded"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("began_at")), name="pause_ends_after_it_began"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sitting} from {self.began_at:%H:%M:%S}"

    def as_core(self) -> CorePause:
        """The pause as a core value."""
        return CorePause(
            began=to_micros(self.began_at), ended=None if self.ended_at is None else to_micros(self.ended_at)
        )


class Accommodation(models.Model):
    """Extra time for a student in a sitting."""

    sitting = models.ForeignKey(Sitting, on_delete=models.CASCADE, related_name="accommodations")
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="accommodations")
    extra = models.DurationField()

    class Meta:
        """One per student and sitting."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=("sitting", "student"), name="accommodation_once"),
            models.CheckConstraint(
                condition=Q(extra__gte=timedelta(0), extra__lte=bounds.MAX_SPAN), name="accommodation_extra_bounded"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.student} +{self.extra} in {self.sitting}"


class NamedStudent(models.Model):
    """A student who may start in a sitting that is for named students."""

    sitting = models.ForeignKey(Sitting, on_delete=models.CASCADE, related_name="named_students")
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="+")

    class Meta:
        """Named once."""

        constraints: ClassVar = [models.UniqueConstraint(fields=("sitting", "student"), name="student_named_once")]

    def __str__(self) -> str:
        return f"{self.student} in {self.sitting}"


class SittingEntry(Sitting):
    """A sitting, as the page about who may start in it shows it."""

    class Meta:
        """The same rows as `Sitting`."""

        proxy = True
        verbose_name = "rules of starts"
        verbose_name_plural = "rules of starts"


class SolverLease(models.Model):
    """A solver process that may admit answers. Only the lease functions write it; the drain check reads it."""

    holder = models.UUIDField(primary_key=True)
    renewed_at = models.DateTimeField()
    ttl = models.DurationField()
    drained_epoch = models.BigIntegerField()
    renewals = models.BigIntegerField(db_default=0)

    def __str__(self) -> str:
        return f"{self.holder} at epoch {self.drained_epoch}"


class SealedBucket(models.Model):
    """Counts and digest of one bucket's seal as it was read back; the bytes are in Cassandra."""

    sitting = models.ForeignKey(Sitting, on_delete=models.CASCADE, related_name="sealed_buckets")
    bucket = models.PositiveIntegerField()
    answers = models.PositiveIntegerField()
    students = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    tree_root = models.CharField(max_length=64, db_default="")
    """The root over its students' attempts; empty if a release without statements recorded it."""

    class Meta:
        """A bucket is sealed once."""

        ordering = ("bucket",)
        constraints: ClassVar = [models.UniqueConstraint(fields=("sitting", "bucket"), name="bucket_sealed_once")]

    def __str__(self) -> str:
        return f"{self.sitting} bucket {self.bucket}"


class Revision(models.Model):
    """One grading of a seal, with frozen key and policy."""

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
    note = models.CharField(max_length=MAX_NOTE, blank=True, db_default="", default="")
    """What changed and why, for those who regrade; each adjustment has its own reason in the policy."""
    chunks = models.PositiveIntegerField()
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Revisions are numbered from 1 in each sitting."""

        ordering = ("sitting", "number")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("sitting", "number"), name="revision_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="revision_from_one"),
            models.CheckConstraint(condition=Q(chunks__lte=bounds.MAX_BUCKETS), name="revision_chunks_bounded"),
        ]

    def __str__(self) -> str:
        return f"{self.sitting} r{self.number}"

    @property
    def scoring(self) -> Policy:
        """The scoring policy, with the adjustments of this revision, as a core value."""
        return Policy.from_json(self.policy)


class LedgerEntry(models.Model):
    """A graded chunk of a revision, written in the same transaction as its degrees."""

    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, related_name="ledger")
    chunk = models.PositiveIntegerField()
    degrees = models.PositiveIntegerField()
    tree_root = models.CharField(max_length=64, db_default="")
    """The root over its degrees; empty if a release without statements graded it."""
    graded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        """A chunk is graded once."""

        constraints: ClassVar = [models.UniqueConstraint(fields=("revision", "chunk"), name="chunk_graded_once")]

    def __str__(self) -> str:
        return f"{self.revision} chunk {self.chunk}"
