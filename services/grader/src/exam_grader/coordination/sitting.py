"""The sitting as the coordinator reads and changes it: web's selectors and services, the answer log, the broker."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from celery import Celery
from django.db import connection
from django.db.models import Max

from exam_core.fold import SealedBucket
from exam_core.instants import SECOND, to_micros
from exam_core.schedule import State
from exam_grader import metrics
from exam_grader.answerlog import SyncAnswerLog
from exam_grader.broker.celery_app import GRADE_CHUNK
from exam_grader.broker.redis_broker import CHUNKS, RedisBroker
from exam_grader.coordination.next_step import RevisionSnapshot, SittingSnapshot
from exam_grader.grading.chunk import grade_chunk
from exam_grader.grading.revision_inputs import read_paper
from exam_grader.sealing.seal import seal_sitting, verify_buckets
from exam_web.common.clock import database_now
from exam_web.sittings import selectors, services
from exam_web.sittings.models import Revision, Sitting
from exam_web.sittings.models import SealedBucket as SealedBucketRow


@dataclass(frozen=True, kw_only=True)
class SittingDependencies:
    """What `DjangoSitting` uses besides web's models.

    Attributes:
        app: sends chunks to the graders.
        broker: queue depths, and the mark of enqueued chunks.
        answerlog: the answer log.
        stall_seconds: for how long chunks count as recently enqueued.
        seal_parallelism: how many buckets are sealed concurrently.
    """

    app: Celery
    broker: RedisBroker
    answerlog: SyncAnswerLog
    stall_seconds: float
    seal_parallelism: int


class DjangoSitting:
    """Implements `port.SittingPort` for one sitting and one revision."""

    def __init__(self, dependencies: SittingDependencies, sitting: UUID, number: int) -> None:
        self._dependencies = dependencies
        self._sitting = sitting
        self._number = number

    def snapshot(self) -> SittingSnapshot:
        """Read the current facts."""
        if connection.errors_occurred:
            connection.close_if_unusable_or_obsolete()
        row = Sitting.objects.prefetch_related("pauses").get(id=self._sitting)
        scheduled = row.state == State.SCHEDULED
        ends_at = selectors.sitting_ends_at(row) if scheduled else None
        return SittingSnapshot(
            name=row.name,
            state=State(row.state),
            over=scheduled and ends_at is not None and database_now() > ends_at,
            ends_at=ends_at,
            number=self._number,
            revision=self._revision_snapshot(),
            published=row.published_revision,
        )

    def stop(self) -> None:
        """End the window now."""
        services.sitting_stop(sitting=self._sitting)

    def close(self) -> None:
        """Close the sitting if its last deadline has passed."""
        services.sitting_close(sitting=self._sitting)

    def drain_blockers(self) -> Sequence[str]:
        """The solver processes that may still acknowledge an answer."""
        drain = services.sitting_drain(sitting=self._sitting)
        return [
            f"solver process {lease.holder} (for {lease.expires_in / SECOND:.0f} s at most, unless it renews its lease)"
            for lease in drain.waiting
        ]

    def seal(self, on_progress: Callable[[int, int], None], stop_requested: Callable[[], bool]) -> None:
        """Seal every bucket, then the sitting."""
        buckets, paper = Sitting.objects.values_list("buckets", "paper_id").get(id=self._sitting)
        seal_sitting(
            sitting=self._sitting,
            buckets=buckets,
            paper=read_paper(paper),
            answerlog=self._dependencies.answerlog,
            records=DjangoSealRecords(self._sitting),
            parallelism=self._dependencies.seal_parallelism,
            on_progress=on_progress,
            stop_requested=stop_requested,
            observe=metrics.SEAL_SECONDS.observe,
        )

    def open_revision(self) -> None:
        """Open the first revision, which records key and policy."""
        services.revision_open(sitting=self._sitting, number=1)

    def enqueue(self, chunks: Sequence[int]) -> None:
        """Send a task for each chunk."""
        app = self._dependencies.app
        with app.producer_or_acquire() as producer:
            for chunk in chunks:
                app.send_task(GRADE_CHUNK, (str(self._sitting), self._number, chunk), producer=producer)
        self._dependencies.broker.mark_enqueued(self._revision().pk, self._dependencies.stall_seconds)

    def recently_enqueued(self) -> bool:
        """Whether the broker still has the mark that chunks of this revision were enqueued."""
        return self._dependencies.broker.is_marked_enqueued(self._revision().pk)

    def queue_depth(self) -> int:
        """The number of chunks that wait for a grader."""
        return self._dependencies.broker.queue_depth(CHUNKS)

    def verify_seals(self, chunks: Sequence[int]) -> None:
        """Check the chunks' seals against their recorded digests."""
        rows = SealedBucketRow.objects.filter(sitting=self._sitting, bucket__in=chunks)
        digests = dict(rows.values_list("bucket", "digest"))
        self._dependencies.answerlog.run(lambda answers: verify_buckets(answers, self._sitting, digests))

    def grade_chunk(self, chunk: int) -> bool:
        """Grade a chunk in this process."""
        return grade_chunk(self._dependencies.answerlog, self._revision(), chunk)

    def complete_revision(self) -> None:
        """Declare the revision graded."""
        services.revision_complete(revision=self._revision())

    def publish_revision(self) -> None:
        """Show its degrees to the students."""
        services.revision_publish(revision=self._revision())

    def _revision(self) -> Revision:
        return Revision.objects.select_related("sitting").get(sitting=self._sitting, number=self._number)

    def _revision_snapshot(self) -> RevisionSnapshot | None:
        row = Revision.objects.filter(sitting=self._sitting, number=self._number).first()
        if row is None:
            return None
        last_entry_at = row.ledger.aggregate(last=Max("graded_at"))["last"] or row.started_at
        return RevisionSnapshot(
            graded=row.state == Revision.State.GRADED,
            due_for_publication=selectors.is_due_for_publication(row),
            chunks=row.chunks,
            missing=tuple(selectors.missing_chunks(row)),
            idle_seconds=(database_now() - to_micros(last_entry_at)) / SECOND,
        )


class DjangoSealRecords:
    """Implements `seal.SealRecords` in PostgreSQL."""

    def __init__(self, sitting: UUID) -> None:
        self._sitting = sitting

    def digests(self) -> Mapping[int, str]:
        """The digest of each recorded bucket, without those of a release that recorded no root of a tree."""
        rows = SealedBucketRow.objects.filter(sitting=self._sitting).exclude(tree_root="")
        return dict(rows.values_list("bucket", "digest"))

    def record(self, bucket: int, sealed: SealedBucket) -> None:
        """Record a bucket."""
        services.sealed_bucket_record(sitting=self._sitting, bucket=bucket, sealed=sealed)

    def complete(self, root: str) -> None:
        """Declare the sitting sealed."""
        services.sitting_mark_sealed(sitting=self._sitting, root=root)
