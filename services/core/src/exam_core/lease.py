"""The lease as pure state: until when a solver process may admit and acknowledge answers.

Validity is measured on the boot clock (µs, it advances during suspend), from *before* a renewal was sent. The
platform's time is derived from PostgreSQL's clock at that renewal.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from exam_core.instants import SECOND

MAX_CLOCK_STEP: Final = SECOND
"""Difference between the advances of two clocks that a slow renewal explains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One holder's lease as of its last renewal.

    Attributes:
        holder: the id of the process while the lease lasts; after a lapse the process is a new holder.
        sent_at: the boot clock before the renewal was sent.
        entered_at: PostgreSQL's clock when the renewal arrived there, before it waited for any lock.
        ttl: the span of validity from `sent_at`.
        epoch: the highest schedule epoch that this holder has read.
    """

    holder: UUID
    sent_at: int
    entered_at: int
    ttl: int
    epoch: int

    def valid(self, boot_now: int) -> bool:
        """Return whether the holder may still admit and acknowledge."""
        return boot_now < self.sent_at + self.ttl

    def age(self, boot_now: int) -> int:
        """Return the maximum age of the last renewal's data (µs)."""
        return boot_now - self.sent_at

    def time(self, boot_now: int) -> int:
        """Return the platform's time, never earlier than PostgreSQL's: no late answer is admitted as in time."""
        return self.entered_at + (boot_now - self.sent_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The lease under which a request was admitted, kept until it is acknowledged."""

    holder: UUID
    epoch: int
    received_at: int


def clocks_agree(earlier: Lease, later: Lease) -> bool:
    """Return whether the platform's clock advanced by as much as the boot clock between two renewals.

    They differ by up to the time that a renewal is under way, so a step of less than `MAX_CLOCK_STEP` is no step.
    """
    return abs((later.entered_at - earlier.entered_at) - (later.sent_at - earlier.sent_at)) <= MAX_CLOCK_STEP


def admit(lease: Lease, boot_now: int) -> Admission | None:
    """Admit a request now; return None when the lease is not valid."""
    if not lease.valid(boot_now):
        return None
    return Admission(holder=lease.holder, epoch=lease.epoch, received_at=lease.time(boot_now))


def held_since(admission: Admission, lease: Lease | None, boot_now: int) -> bool:
    """Return whether the lease was held without a gap since admission.

    A process whose lease lapses becomes a new holder, so that the same valid holder proves that there was no gap.
    """
    return lease is not None and lease.holder == admission.holder and lease.valid(boot_now)
