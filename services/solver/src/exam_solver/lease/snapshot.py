"""What one renewal returned, and an admission under it."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from exam_core.lease import Admission, Lease
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import ScheduledSitting


@dataclass(frozen=True, slots=True)
class LeaseSnapshot:
    """What one renewal told; swapped as one, so that nobody sees one renewal's lease with another's sittings."""

    lease: Lease
    sittings: Mapping[UUID, ScheduledSitting]


@dataclass(frozen=True, slots=True)
class Admitted:
    """An admission and what was known at its moment."""

    admission: Admission
    snapshot: LeaseSnapshot
    lease_age: int

    @property
    def now(self) -> int:
        """The platform's time at the admission."""
        return self.admission.received_at

    def sitting(self, sitting: UUID) -> ScheduledSitting:
        """A sitting as it was known; raises `Problem` NOT_FOUND."""
        return find_sitting(self.snapshot, sitting)


def no_lease() -> Problem:
    """What every call that needs a lease is told without one."""
    return Problem(
        ProblemKind.UNAVAILABLE,
        "this solver has not heard from the platform's clock for too long; send it again",
        retry_after=1,
    )


def find_sitting(snapshot: LeaseSnapshot, sitting: UUID) -> ScheduledSitting:
    """The sitting of this id; raises `Problem` NOT_FOUND."""
    found = snapshot.sittings.get(sitting)
    if found is None:
        raise Problem(ProblemKind.NOT_FOUND, f"there is no sitting {sitting} near its window")
    return found
