"""The end of a sitting: close, drain, seal."""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from exam_core.commitments import attempt_member
from exam_core.fold import SealedBucket, root_digest
from exam_core.inclusion import BucketRoot
from exam_core.instants import from_micros, rfc3339
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import State
from exam_web.common.clock import database_now
from exam_web.sittings import models, selectors
from exam_web.sittings.models import Sitting
from exam_web.sittings.services.leases import LEASES, LeaseMonitor, Waiting
from exam_web.sittings.services.locking import compare_and_set, locked_sitting, require_state

_CLOSED = (State.CLOSING.value, State.SEALED.value)


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


def sitting_drain(*, sitting: UUID, leases: LeaseMonitor = LEASES) -> Drain:
    """Check whether a closing sitting has drained, and record it once it has; idempotent.

    A lease counts until it has acknowledged the sitting's epoch with nothing in flight, was released, or is proved
    expired by this process's monotonic clock. That a process seems to be gone proves nothing: it may still be running.

    Raises:
        Problem: STATE_CONFLICT when the sitting is not closed.
    """
    with transaction.atomic():
        row = Sitting.objects.get(id=sitting)
        if row.state not in _CLOSED:
            raise Problem(ProblemKind.STATE_CONFLICT, f"{row.name} is {row.state}: only a closing sitting is drained")
        if row.drained_at is not None:
            return Drain(waiting=())
        leases.delete_expired()
        waiting = leases.blockers(row.epoch)
        if not waiting:
            Sitting.objects.filter(id=sitting, drained_at=None).update(drained_at=from_micros(database_now()))
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
