"""The lease and schedule as of one renewal, and an admission under them."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from exam_core.lease import Admission, Lease
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import ScheduledSitting


@dataclass(frozen=True, slots=True)
class LeaseSnapshot:
    """The result of one renewal. Replaced as a whole, so that a lease is never read with another renewal's sittings."""

    lease: Lease
    sittings: Mapping[UUID, ScheduledSitting]
    unreadable: frozenset[str] = frozenset()
    """The ids of scheduled sittings that this release cannot read."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """An admission and the snapshot at its moment."""

    admission: Admission
    snapshot: LeaseSnapshot

    @property
    def now(self) -> int:
        """The platform's time at the admission."""
        return self.admission.received_at

    @property
    def as_of(self) -> int:
        """The platform's time at which the snapshot's sittings were read, or an earlier one."""
        return self.snapshot.lease.entered_at

    def sitting(self, sitting: UUID) -> ScheduledSitting:
        """A sitting of the snapshot; raises `Problem` NOT_FOUND."""
        return find_sitting(self.snapshot, sitting)


def find_sitting(snapshot: LeaseSnapshot, sitting: UUID) -> ScheduledSitting:
    """A sitting of a snapshot.

    Raises:
        Problem: NOT_FOUND, UNAVAILABLE when this release cannot read the sitting.
    """
    found = snapshot.sittings.get(sitting)
    if found is None and str(sitting) in snapshot.unreadable:
        raise Problem(ProblemKind.UNAVAILABLE, "this solver cannot read the sitting; try again", retry_after=1)
    if found is None:
        raise Problem(ProblemKind.NOT_FOUND, f"no sitting {sitting} is scheduled around this time")
    return found


def no_lease() -> Problem:
    """The problem for every call that needs a lease while there is none."""
    return Problem(
        ProblemKind.UNAVAILABLE,
        "this solver has no valid lease: its schedule could not be renewed in time; try again",
        retry_after=1,
    )
