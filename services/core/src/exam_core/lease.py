"""The lease, as pure state: what a solver process may do, and when it stopped being allowed to.

All instants that judge validity are the boot clock's (µs, it goes on while a machine sleeps), counted from *before* a
renewal was sent; the platform's time is derived from PostgreSQL's at that renewal.
"""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One holder's lease as of its last renewal.

    Attributes:
        holder: the process's name while the lease lasts; a lapsed lease is dead and its process a new holder.
        sent_at: the boot clock before the renewal was sent.
        entered_at: PostgreSQL's clock when the renewal arrived there, before it waited for any lock.
        ttl: for how long the lease is valid from `sent_at`.
        epoch: the highest schedule epoch this holder knows.
    """

    holder: UUID
    sent_at: int
    entered_at: int
    ttl: int
    epoch: int

    def valid(self, boot_now: int) -> bool:
        """Whether the holder may still admit and acknowledge."""
        return boot_now < self.sent_at + self.ttl

    def age(self, boot_now: int) -> int:
        """How old this knowledge is at most (µs)."""
        return boot_now - self.sent_at

    def time(self, boot_now: int) -> int:
        """The platform's time: never earlier than PostgreSQL's own, so nothing late passes for in time."""
        return self.entered_at + (boot_now - self.sent_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The lease under which something was admitted, kept until it is acknowledged."""

    holder: UUID
    epoch: int
    received_at: int


def admit(lease: Lease, boot_now: int) -> Admission | None:
    """An admission at this moment, or None when the lease is not valid."""
    if not lease.valid(boot_now):
        return None
    return Admission(holder=lease.holder, epoch=lease.epoch, received_at=lease.time(boot_now))


def unbroken(admission: Admission, lease: Lease | None, boot_now: int) -> bool:
    """Whether the lease was valid without a gap since admission: the same holder, still valid.

    A process that lapsed became a new holder, so the holder's name alone tells of a gap.
    """
    return lease is not None and lease.holder == admission.holder and lease.valid(boot_now)
