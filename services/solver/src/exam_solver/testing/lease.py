"""Doubles for the lease: a manual clock, and a schedule with its lease functions in memory.

`MemorySchedule` stands for PostgreSQL: several processes may hold leases from one, and `drained` returns what the
service that closes a sitting would see.
"""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from exam_core.entry import RESTRICTED, EntryRules
from exam_core.instants import MILLISECOND, SECOND
from exam_core.lease_watch import LeaseRow, LeaseWatch
from exam_core.schedule import ScheduledSitting, State
from exam_core.windows import Window
from exam_solver.lease.revocations import Revocation, RevocationKind
from exam_solver.lease.store import LeaseStoreUnavailableError, Renewal


class ManualClock:
    """A boot clock that a test advances."""

    def __init__(self, now: int = 1_000 * SECOND) -> None:
        self.now = now

    def __call__(self) -> int:
        """Microseconds since boot."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += int(seconds * SECOND)


@dataclass
class MemorySchedule:
    """The schedule, its leases and revocations, with the rules of ``solver_renew`` and ``solver_release``.

    Attributes:
        clock: the boot clock, which the platform's time follows.
        offset: the platform's time minus the boot clock.
        watch: which leases the service that closes sittings has seen unchanged, and since when.
    """

    clock: ManualClock
    offset: int = 1_790_000_000 * SECOND
    watch: LeaseWatch = field(default_factory=lambda: LeaseWatch(margin=2 * SECOND))
    epoch: int = 1
    sittings: dict[UUID, ScheduledSitting] = field(default_factory=dict)
    leases: dict[UUID, LeaseRow] = field(default_factory=dict)
    revocations: list[Revocation] = field(default_factory=list)

    @property
    def now(self) -> int:
        """The platform's time."""
        return self.clock.now + self.offset

    def put(self, sitting: ScheduledSitting) -> None:
        """Add or replace a sitting, under a new epoch."""
        self.epoch += 1
        self.sittings[sitting.id] = replace(sitting, epoch=self.epoch)

    def change(self, sitting: UUID, *, state: State | None = None, window: Window | None = None) -> None:
        """Change a sitting's state or window."""
        old = self.sittings[sitting]
        self.put(replace(old, state=state or old.state, window=window or old.window))

    def accommodate(self, sitting: UUID, student: int, extra: int) -> None:
        """Grant a student extra time (µs)."""
        old = self.sittings[sitting]
        self.put(replace(old, accommodations={**old.accommodations, student: extra}))

    def revoke(self, kind: RevocationKind, value: object) -> None:
        """Revoke a session's tokens, or those of a student up to now."""
        self.revocations.append(
            Revocation(
                id=len(self.revocations) + 1,
                kind=kind,
                value=str(value),
                before=self.now,
                expires_at=self.now + 86_400 * SECOND,
            )
        )

    def drained(self, epoch: int) -> bool:
        """Look whether no holder can still acknowledge work that it admitted under an epoch before this one.

        It deletes the leases that are proved expired, as the drain does, by a clock that `offset` does not step.
        """
        for row in self.watch.observe(self.leases.values(), self.clock.now):
            del self.leases[row.holder]
        return all(row.drained_epoch >= epoch for row in self.leases.values())

    def renew(self, holder: UUID, ttl_ms: int, known_epoch: int, drained_epoch: int, known_revocation: int) -> Any:  # noqa: ANN401 - jsonb
        """``solver_renew``."""
        row = self.leases.get(holder)
        if known_epoch and row is None:
            return {"lapsed": True}
        self.leases[holder] = LeaseRow(
            holder=holder,
            renewals=row.renewals + 1 if row else 0,
            ttl=ttl_ms * MILLISECOND,
            drained_epoch=max(min(drained_epoch, self.epoch), row.drained_epoch if row else self.epoch),
        )
        changed = known_epoch != self.epoch
        return {
            "lapsed": False,
            "entered_at": self.now,
            "epoch": self.epoch,
            "sittings": [_sitting_to_json(sitting) for sitting in self.sittings.values()] if changed else None,
            "revocations": [
                {"id": r.id, "kind": r.kind, "value": r.value, "before": r.before, "expires_at": r.expires_at}
                for r in self.revocations
                if r.id > known_revocation and r.expires_at > self.now
            ],
        }


class MemoryLeaseStore:
    """A process's connection to a `MemorySchedule`, which can be cut, be delayed, or lose responses."""

    def __init__(self, schedule: MemorySchedule) -> None:
        self.schedule = schedule
        self.down = False
        self.lose_responses = False
        self.renewals = 0
        self.released: list[UUID] = []
        self.closed = False
        self.gate = asyncio.Event()
        """Responses wait for it; it is set unless a test clears it."""
        self.gate.set()

    async def connect(self) -> None:
        """Raise while down."""
        self._check()

    async def renew(
        self, holder: UUID, *, ttl_ms: int, known_epoch: int, drained_epoch: int, known_revocation: int
    ) -> Renewal | None:
        """Renew in the schedule; the result is parsed from JSON as PostgreSQL's is."""
        self._check()
        result = self.schedule.renew(holder, ttl_ms, known_epoch, drained_epoch, known_revocation)
        self.renewals += 1
        await self.gate.wait()
        if self.lose_responses:
            raise LeaseStoreUnavailableError("the response was lost")
        return Renewal.from_json(result)

    async def release(self, holder: UUID) -> None:
        """Remove the row."""
        self._check()
        self.schedule.leases.pop(holder, None)
        self.released.append(holder)

    async def close(self) -> None:
        """Record the call."""
        self.closed = True

    def _check(self) -> None:
        if self.down:
            raise LeaseStoreUnavailableError("PostgreSQL is down")


def _sitting_to_json(sitting: ScheduledSitting) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": str(sitting.id),
        "state": sitting.state.value,
        "epoch": sitting.epoch,
        "level": sitting.level,
        "paper": sitting.paper,
        "buckets": sitting.buckets,
        "window": sitting.window.to_json(),
        "accommodations": {str(student): extra for student, extra in sitting.accommodations.items()},
    }
    if sitting.exam is not None:
        body["exam"] = {
            "id": sitting.exam.id,
            "attempts": sitting.exam.attempts.value,
            "others": [
                {"id": str(other.id), "state": other.state.value, "buckets": other.buckets}
                for other in sitting.exam.others
            ],
        }
    rules = sitting.entry
    if rules != EntryRules():
        # As solvers of releases without these rules read it: no student has such a level.
        body["level"] = RESTRICTED
        body["entry"] = {
            "level": sitting.level,
            "students": None if rules.students is None else sorted(rules.students),
            "code": rules.code,
            "networks": [str(network) for network in rules.networks],
        }
    return body
