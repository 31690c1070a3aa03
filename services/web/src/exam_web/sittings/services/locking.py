"""What every change of a sitting goes through."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import transaction
from django.db.models import F

from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import State
from exam_web.common import locks
from exam_web.common.clock import database_now
from exam_web.sittings.models import Schedule, Sitting


@contextmanager
def locked_sitting(sitting: UUID, epoch: int | None = None) -> Iterator[tuple[Sitting, int]]:
    """A transaction that may change one sitting: (the sitting as it is now, the platform's time).

    The schedule's lock is held from before the row is read, so nothing a caller checks can change before it writes.

    Args:
        sitting: which one.
        epoch: what its epoch must be, for a change that was decided on an earlier look; None for whatever it is.

    Raises:
        Problem: EPOCH_CHANGED when it is another.
    """
    with transaction.atomic():
        locks.lock_exclusively(locks.SCHEDULE)
        row = Sitting.objects.prefetch_related("pauses").get(id=sitting)
        if epoch is not None and row.epoch != epoch:
            raise Problem(
                ProblemKind.EPOCH_CHANGED,
                f"{row.name} is at epoch {row.epoch}, no longer at {epoch}: look again before you change it",
                epoch=row.epoch,
            )
        yield row, database_now()


def next_epoch() -> int:
    """Raise the schedule's epoch; the caller holds the lock."""
    Schedule.objects.update(epoch=F("epoch") + 1)
    return Schedule.objects.values_list("epoch", flat=True).get()


def compare_and_set(sitting: Sitting, *, expected: State, **changes: object) -> Sitting:
    """Write a change under a new epoch if the sitting is still in the expected state.

    Raises:
        Problem: CONFLICT when somebody else was faster.
    """
    changes["epoch"] = next_epoch()
    changed = Sitting.objects.filter(id=sitting.id, state=expected.value, epoch=sitting.epoch).update(**changes)
    if not changed:
        raise Problem(ProblemKind.CONFLICT, f"{sitting.name} changed meanwhile: look again")
    return Sitting.objects.prefetch_related("pauses").get(id=sitting.id)


def require_state(sitting: Sitting, *allowed: State) -> None:
    """Refuse a sitting in another state.

    Raises:
        Problem: STATE_CONFLICT naming both.
    """
    if State(sitting.state) not in allowed:
        raise Problem(
            ProblemKind.STATE_CONFLICT,
            f"{sitting.name} is {sitting.state}; this needs {' or '.join(state.value for state in allowed)}",
            state=sitting.state,
        )
