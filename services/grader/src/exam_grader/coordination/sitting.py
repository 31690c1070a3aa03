"""A coordinator's desk in the real world: web's services for every change, the answer log, the broker."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from celery import Celery
from django.db import connection
from django.db.models import Max

from exam_core.fold import SealedBucket
from exam_core.instants import SECOND, rfc3339, to_micros
from exam_core.schedule import State
from exam_grader import metrics
from exam_grader.answerlog import Store
from exam_grader.broker.celery_app import GRADE_CHUNK
from exam_grader.broker.redis_broker import CHUNKS, Broker
from exam_grader.coordination.next_step import RevisionView, View
from exam_grader.grading.chunk import grade_chunk
from exam_grader.sealing.seal import seal_sitting, verify_buckets
from exam_web.common.clock import database_now
from exam_web.sittings import selectors, services
from exam_web.sittings.models import Revision, Sitting
from exam_web.sittings.models import SealedBucket as SealedBucketRow


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What a desk works with, besides web's models.

    Attributes:
        app: sends chunks to the graders.
        broker: tells what became of them, as far as it remembers.
        store: the answer log.
        stall_seconds: for how long chunks count as handed out.
        seal_parallelism: how many buckets are sealed at once.
    """

    app: Celery
    broker: Broker
    store: Store
    stall_seconds: float
    seal_parallelism: int


class DjangoSitting:
    """One sitting and one revision of it; see `coordinator.SittingPort`."""

    def __init__(self, tools: Tools, sitting: UUID, number: int) -> None:
        self._tools = tools
        self._sitting = sitting
        self._number = number

    def look(self) -> View:
        """The facts, read anew."""
        if connection.errors_occurred:
            connection.close_if_unusable_or_obsolete()
        row = Sitting.objects.prefetch_related("pauses").get(id=self._sitting)
        open_still = row.state == State.SCHEDULED
        ends_at = selectors.sitting_ends_at(row) if open_still else None
        return View(
            name=row.name,
            state=State(row.state),
            over=open_still and ends_at is not None and database_now() > ends_at,
            ends_at=ends_at,
            revision=self._look_at_revision(),
            published=row.published_revision,
        )

    def stop(self) -> None:
        """End the window now."""
        services.sitting_stop(sitting=self._sitting)

    def close(self) -> None:
        """Close the sitting, if its every deadline has passed."""
        services.sitting_close(sitting=self._sitting)

    def awaited(self) -> Sequence[str]:
        """The solver processes that may still acknowledge an answer."""
        drain = services.sitting_drain(sitting=self._sitting)
        return [
            f"solver process {wait.holder} (at the latest until {rfc3339(wait.expires_at)})" for wait in drain.waiting
        ]

    def seal(self, tell: Callable[[int, int], None], halt: Callable[[], bool]) -> None:
        """Seal every bucket and then the sitting."""
        seal_sitting(
            sitting=self._sitting,
            buckets=Sitting.objects.values_list("buckets", flat=True).get(id=self._sitting),
            store=self._tools.store,
            register=DatabaseRegister(self._sitting),
            parallelism=self._tools.seal_parallelism,
            tell=tell,
            halt=halt,
            took=metrics.SEAL_SECONDS.observe,
        )

    def open_revision(self) -> None:
        """Freeze key and policy."""
        services.revision_open(sitting=self._sitting, number=self._number)

    def enqueue(self, chunks: Sequence[int]) -> None:
        """Send a task for each chunk."""
        with self._tools.app.producer_or_acquire() as producer:
            for chunk in chunks:
                self._tools.app.send_task(GRADE_CHUNK, (str(self._sitting), self._number, chunk), producer=producer)
        self._tools.broker.note_handed_out(self._revision().pk, self._tools.stall_seconds)

    def handed_out(self) -> bool:
        """Whether the broker remembers that chunks of this revision were handed out lately."""
        return self._tools.broker.handed_out(self._revision().pk)

    def queued(self) -> int:
        """How many chunks wait for a grader."""
        return self._tools.broker.depth(CHUNKS)

    def verify(self, chunks: Sequence[int]) -> None:
        """Compare the chunks' seals with what was recorded."""
        recorded = DatabaseRegister(self._sitting).recorded()
        self._tools.store.run(
            lambda answers: verify_buckets(answers, self._sitting, {chunk: recorded[chunk] for chunk in chunks})
        )

    def grade(self, chunk: int) -> bool:
        """Grade a chunk in this process."""
        return grade_chunk(self._tools.store, self._revision(), chunk)

    def complete(self) -> None:
        """Declare the revision graded."""
        services.revision_complete(revision=self._revision())

    def publish(self) -> None:
        """Show its degrees."""
        services.revision_publish(revision=self._revision())

    def _revision(self) -> Revision:
        return Revision.objects.select_related("sitting").get(sitting=self._sitting, number=self._number)

    def _look_at_revision(self) -> RevisionView | None:
        row = Revision.objects.filter(sitting=self._sitting, number=self._number).first()
        if row is None:
            return None
        grew_at = row.ledger.aggregate(last=Max("graded_at"))["last"] or row.started_at
        return RevisionView(
            graded=row.state == Revision.State.GRADED,
            due_for_publication=selectors.is_due_for_publication(row),
            chunks=row.chunks,
            missing=tuple(selectors.missing_chunks(row)),
            idle=(database_now() - to_micros(grew_at)) / SECOND,
        )


class DatabaseRegister:
    """PostgreSQL's side of a seal; see `seal.SealRegister`."""

    def __init__(self, sitting: UUID) -> None:
        self._sitting = sitting

    def recorded(self) -> Mapping[int, str]:
        """The digest of each recorded bucket."""
        return dict(SealedBucketRow.objects.filter(sitting=self._sitting).values_list("bucket", "digest"))

    def record(self, bucket: int, sealed: SealedBucket) -> None:
        """Record a bucket."""
        services.sealed_bucket_record(sitting=self._sitting, bucket=bucket, sealed=sealed)

    def finish(self, root: str) -> None:
        """Declare the sitting sealed."""
        services.sitting_mark_sealed(sitting=self._sitting, root=root)
