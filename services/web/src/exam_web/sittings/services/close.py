"""The end of a sitting: close, drain, seal."""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from exam_core.commitments import attempt_member
from exam_core.fold import SealedBucket, root_digest
from exam_core.inclusion import BucketRoot
from exam_core.instants import from_micros, rfc3339
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import State
from exam_web.common.clock import database_now
from exam_web.settings import ENVIRONMENT
from exam_web.sittings import models, selectors
from exam_web.sittings.models import Sitting
from exam_web.sittings.services.locking import compare_and_set, locked_sitting, require_state

_CLOSED = (State.CLOSING.value, State.SEALED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A lease under which answers of a closing sitting may still be acknowledged.

    Attributes:
        holder: the solver process.
        acknowledged: the epoch that it has acknowledged.
        expires_at: when the lease no longer counts (µs).
    """

    holder: UUID
    acknowledged: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """The leases that a close still waits for; drained when there are none."""

    waiting: tuple[Waiting, ...]

    @property
    def drained(self) -> bool:
        """Whether every acknowledged answer is stored and no more can be acknowledged."""
        return not self.waiting


def sitting_close(*, sitting: UUID) -> Sitting:
    """Close a sitting after its last personal deadline; does nothing if it is closed.

    Raises:
        Problem: STATE_CONFLICT before the last deadline (checked in this transaction), or when it is cancelled.
    """
    with locked_sitting(sitting) as (row, now):
        if row.state in _CLOSED:
            return row
        require_state(row, State.SCHEDULED)
        end = selectors.sitting_ends_at(row)
        if end is None:
            raise Problem(ProblemKind.STATE_CONFLICT, f"{row.name} is paused: resume it before it can close")
        if now <= end:
            raise Problem(
                ProblemKind.STATE_CONFLICT,
                f"{row.name} has deadlines until {rfc3339(end)}; it is {rfc3339(now)}",
                ends_at=rfc3339(end),
            )
        return compare_and_set(row, expected=State.SCHEDULED, state=State.CLOSING.value, closed_at=from_micros(now))


def sitting_stop(*, sitting: UUID, epoch: int | None = None) -> Sitting:
    """End a sitting before its window closes; does nothing if it is closed. `epoch` as in `locked_sitting`.

    Raises:
        Problem: STATE_CONFLICT when it is cancelled.
    """
    with locked_sitting(sitting, epoch) as (row, now):
        if row.state in _CLOSED:
            return row
        require_state(row, State.SCHEDULED)
        moment = from_micros(now)
        return compare_and_set(
            row, expected=State.SCHEDULED, state=State.CLOSING.value, stopped_at=moment, closed_at=moment
        )


def sitting_drain(*, sitting: UUID) -> Drain:
    """Check whether a closing sitting has drained, and record it once it has.

    A lease counts until it has acknowledged the sitting's epoch with nothing in flight, was released, or has expired by
    the database's clock with a margin. That a process seems to be gone proves nothing: it may still be running.
    """
    with transaction.atomic():
        row = Sitting.objects.get(id=sitting)
        if State(row.state) not in (State.CLOSING, State.SEALED):
            raise Problem(ProblemKind.STATE_CONFLICT, f"{row.name} is {row.state}: only a closing sitting is drained")
        if row.drained_at is not None:
            return Drain(waiting=())
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT holder, drained_epoch,
                       (extract(epoch from renewed_at + ttl + %(margin)s * interval '1 ms') * 1000000)::bigint
                FROM sittings_solverlease
                WHERE drained_epoch < %(epoch)s
                  AND renewed_at + ttl + %(margin)s * interval '1 ms' > clock_timestamp()
                ORDER BY holder
                """,
                {"epoch": row.epoch, "margin": ENVIRONMENT.lease_margin_ms},
            )
            waiting = tuple(
                Waiting(holder=holder, acknowledged=epoch, expires_at=expires)
                for holder, epoch, expires in cursor.fetchall()
            )
        if not waiting:
            Sitting.objects.filter(id=sitting, drained_at=None).update(drained_at=from_micros(database_now()))
            _delete_expired_leases()
        return Drain(waiting=waiting)


def sealed_bucket_record(*, sitting: UUID, bucket: int, sealed: SealedBucket) -> None:
    """Record a bucket's seal as it was read back; idempotent.

    Raises:
        Problem: STATE_CONFLICT before the sitting is drained, CONFLICT when another digest is recorded.
    """
    with transaction.atomic():
        row = Sitting.objects.get(id=sitting)
        require_state(row, State.CLOSING, State.SEALED)
        if row.drained_at is None:
            raise Problem(ProblemKind.STATE_CONFLICT, f"{row.name} is not drained: sealing it now could lose an answer")
        members = [attempt_member(bytes(row.proof_secret), row.id, attempt) for attempt in sealed.students]
        root = BucketRoot.of(bucket, members).root
        recorded, _ = models.SealedBucket.objects.get_or_create(
            sitting=row,
            bucket=bucket,
            defaults={
                "answers": sealed.count,
                "students": len(sealed.students),
                "digest": sealed.digest,
                "tree_root": root,
            },
        )
        if recorded.digest != sealed.digest:
            raise Problem(
                ProblemKind.CONFLICT,
                f"{row.name} bucket {bucket} was sealed as {recorded.digest}, not {sealed.digest}",
            )
        if not recorded.tree_root:
            # A release without statements recorded it.
            models.SealedBucket.objects.filter(pk=recorded.pk).update(tree_root=root)


def sitting_mark_sealed(*, sitting: UUID, root: str) -> Sitting:
    """Mark a sitting as sealed once every bucket is recorded; idempotent.

    Raises:
        Problem: STATE_CONFLICT when a bucket is missing, CONFLICT when their root digest differs from `root`.
    """
    with locked_sitting(sitting) as (row, now):
        require_state(row, State.CLOSING, State.SEALED)
        digests = list(row.sealed_buckets.order_by("bucket").values_list("digest", flat=True))
        if len(digests) != row.buckets:
            raise Problem(ProblemKind.STATE_CONFLICT, f"{row.name}: {len(digests)} of {row.buckets} buckets are sealed")
        if root != root_digest(row.id, digests):
            raise Problem(ProblemKind.CONFLICT, f"{row.name}: the root digest of the recorded buckets is not {root}")
        if row.state == State.SEALED.value:
            return row
        return compare_and_set(
            row, expected=State.CLOSING, state=State.SEALED.value, sealed_at=from_micros(now), seal_digest=root
        )


def _delete_expired_leases() -> None:
    """Delete leases that expired more than an hour ago: no drain can depend on them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM sittings_solverlease WHERE renewed_at + ttl + %s * interval '1 ms' < clock_timestamp()"
            " - interval '1 hour'",
            [ENVIRONMENT.lease_margin_ms],
        )
