"""The interface of the lease store.

Its functions, `solver_renew` and `solver_release`, are described in ``docs/architecture.md``, «The lease functions».
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self
from uuid import UUID

import structlog

from exam_core.canonical import JsonObject
from exam_core.problems import Problem
from exam_core.schedule import ScheduledSitting
from exam_solver.lease.revocations import Revocation

logger = structlog.get_logger(__name__)


class LeaseStoreUnavailableError(Exception):
    """The store did not respond, or its response is invalid. The lease may or may not have been written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """The result of a renewal; `sittings` is None when nothing changed since the known epoch.

    `unreadable` has the ids of the sittings that were skipped because this release cannot read them.
    """

    entered_at: int
    epoch: int
    sittings: tuple[ScheduledSitting, ...] | None
    revocations: tuple[Revocation, ...]
    unreadable: frozenset[str] = frozenset()

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self | None:
        """Parse the result of the lease function; None when the lease has lapsed."""
        if body["lapsed"]:
            return None
        sittings = body["sittings"]
        readable = [read for sitting in sittings or () if (read := _read_sitting(sitting)) is not None]
        return cls(
            entered_at=int(body["entered_at"]),
            epoch=int(body["epoch"]),
            sittings=None if sittings is None else tuple(readable),
            unreadable=frozenset(str(body["id"]) for body in sittings or ())
            - {str(sitting.id) for sitting in readable},
            revocations=tuple(Revocation.from_json(revocation) for revocation in body["revocations"]),
        )


def _read_sitting(body: JsonObject) -> ScheduledSitting | None:
    """Read one sitting; None, with a log event, for one that the function reports or that this release cannot read.

    A sitting that is skipped is not served, and every other one is.
    """
    try:
        if "error" not in body:
            return ScheduledSitting.from_json(body)
        reason = str(body["error"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, Problem) as error:
        reason = repr(error)
    logger.warning("sitting_skipped", sitting=body.get("id"), state=body.get("state"), error=reason)
    return None


class LeaseStore(Protocol):
    """Stores leases. Every method may raise `LeaseStoreUnavailableError`; the next call tries again."""

    async def connect(self) -> None:
        """Connect beforehand, so that the measured time of a renewal includes no handshake."""

    async def renew(
        self, holder: UUID, *, ttl_ms: int, known_epoch: int, drained_epoch: int, known_revocation: int
    ) -> Renewal | None:
        """Renew a lease, or create a holder when `known_epoch` is 0; None when the lease has lapsed."""

    async def release(self, holder: UUID) -> None:
        """Release a lease."""

    async def close(self) -> None:
        """Close the connection."""
