"""The leases of solver processes, as the services that change and close sittings see them."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from exam_core.instants import MILLISECOND, span_to_micros, to_micros
from exam_core.lease_watch import LeaseRow, LeaseWatch
from exam_core.schedule import State
from exam_core.windows import opening_fixed
from exam_web.common.clock import monotonic_now
from exam_web.settings import ENVIRONMENT
from exam_web.sittings.models import Sitting, SolverLease


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A lease under which answers of a closing sitting may still be acknowledged.

    Attributes:
        holder: the solver process.
        acknowledged: the epoch that it has acknowledged.
        expires_in: after which time it no longer counts, unless it is renewed (µs).
    """

    holder: UUID
    acknowledged: int
    expires_in: int


class LeaseMonitor:
    """Reads the leases and proves by a monotonic clock which of them have expired.

    Args:
        watch: since when each lease is unchanged.
        clock: this machine's monotonic clock (µs).
    """

    def __init__(self, watch: LeaseWatch, clock: Callable[[], int] = monotonic_now) -> None:
        self._watch = watch
        self._clock = clock

    def blockers(self, epoch: int) -> tuple[Waiting, ...]:
        """The leases that have not acknowledged an epoch, in the order of their holders; deletes nothing."""
        rows = _rows()
        now = self._clock()
        self._watch.observe(rows, now)
        return tuple(
            Waiting(holder=row.holder, acknowledged=row.drained_epoch, expires_in=self._watch.remaining(row, now))
            for row in rows
            if row.drained_epoch < epoch
        )

    def delete_expired(self) -> None:
        """Delete the leases that are proved expired, unless they were renewed since they were read.

        The holder of a deleted lease becomes a new holder with its next renewal.
        """
        rows = _rows()
        # In the order of the holders, so that two processes that delete the same rows cannot deadlock.
        for row in self._watch.observe(rows, self._clock()):
            SolverLease.objects.filter(holder=row.holder, renewals=row.renewals).delete()


LEASES = LeaseMonitor(LeaseWatch(margin=ENVIRONMENT.lease_margin_ms * MILLISECOND))
"""This process's."""


def leases_delete_expired(*, leases: LeaseMonitor = LEASES) -> None:
    """Delete the leases of processes that are gone, so that no later close waits for them."""
    with transaction.atomic():
        leases.delete_expired()


def longest_ttl() -> int:
    """For how long some solver may still apply the present schedule after a change (µs).

    A solver that applies it has a row, and whichever takes a lease later receives the changed one: the caller holds the
    schedule's lock.
    """
    ttl = SolverLease.objects.aggregate(longest=Max("ttl"))["longest"]
    return 0 if ttl is None else span_to_micros(ttl)


def is_fixed(sitting: Sitting, now: int) -> bool:
    """Whether paper, policy and buckets are fixed: a student may start before solvers read a change of them.

    Reliable only under the schedule's lock, as `longest_ttl`; elsewhere for information.
    """
    return sitting.state != State.SCHEDULED.value or opening_fixed(sitting.window, now=now, lease_ttl=longest_ttl())


def fixed_at(sitting: Sitting) -> int:
    """The moment (µs) from which `is_fixed` holds for a scheduled sitting, by the present leases."""
    return to_micros(sitting.opens_at) - longest_ttl()


def _rows() -> list[LeaseRow]:
    return [
        LeaseRow(holder=holder, renewals=renewals, ttl=span_to_micros(ttl), drained_epoch=drained_epoch)
        for holder, renewals, ttl, drained_epoch in SolverLease.objects.order_by("holder").values_list(
            "holder", "renewals", "ttl", "drained_epoch"
        )
    ]
