"""The lease functions in PostgreSQL: the only thing a solver may ask of it.

`solver_renew` and `solver_release` are described in ``docs/architecture.md``, «The lease functions».
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self
from uuid import UUID

from exam_core.schedule import ScheduledSitting
from exam_solver.lease.revocations import Revocation


class LeaseStoreUnavailableError(Exception):
    """The store did not answer, or answered nothing usable. Whether the lease was written is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What a renewal told; `sittings` is None when nothing changed since the epoch that was known."""

    entered_at: int
    epoch: int
    sittings: tuple[ScheduledSitting, ...] | None
    revocations: tuple[Revocation, ...]

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self | None:
        """Read the lease function's answer; None when the lease has lapsed."""
        if body["lapsed"]:
            return None
        sittings = body["sittings"]
        return cls(
            entered_at=int(body["entered_at"]),
            epoch=int(body["epoch"]),
            sittings=None if sittings is None else tuple(ScheduledSitting.from_json(sitting) for sitting in sittings),
            revocations=tuple(Revocation.from_json(revocation) for revocation in body["revocations"]),
        )


class LeaseStore(Protocol):
    """Where leases are. Every method raises `LeaseStoreUnavailableError`; the next call tries anew."""

    async def connect(self) -> None:
        """Be ready, so that a renewal's time is that of the renewal alone and not of a handshake."""

    async def renew(
        self, holder: UUID, *, ttl_ms: int, known_epoch: int, drained_epoch: int, known_revocation: int
    ) -> Renewal | None:
        """Renew a lease, or make a holder when `known_epoch` is 0; None when the lease has lapsed."""

    async def release(self, holder: UUID) -> None:
        """Give a lease back."""

    async def close(self) -> None:
        """Give up the connection."""
