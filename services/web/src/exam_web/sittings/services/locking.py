"""Locking, compare-and-set and preconditions of changes to a sitting."""

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
    """Open a transaction that may change one sitting; yields (the current row, the database's time).

    The schedule's lock is taken before the row is read, so what the caller checks cannot change before it writes.

    Args:
        sitting: its id.
        epoch: the epoch that the change was decided on; None accepts any.

    Raises:
        Problem: EPOCH_CHANGED when the sitting has another epoch.
    """
    with transaction.atomic():
        locks.lock_exclusively(locks.SCHEDULE)
        row = Sitting.objects.prefetch_related("pauses").get(id=sitting)
        if epoch is not None and row.epoch != epoch:
            raise Problem(
                ProblemKind.EPOCH_CHANGED,
                f"{row.name} is at epoch {row.epoch}, not {epoch}: read it again before you change it",
                epoch=row.epoch,
            )
        yield row, database_now()


def next_epoch() -> int:
    """Increment and return the schedule's epoch; the caller holds the lock."""
    Schedule.objects.update(epoch=F("epoch") + 1)
    return Schedule.objects.values_list("epoch", flat=True).get()


def compare_and_set(sitting: Sitting, *, expected: State, **changes: object) -> Sitting:
    """Write a change under a new epoch if state and epoch of the sitting are unchanged.

    Raises:
        Problem: CONFLICT after a concurrent change.
    """
    changes["epoch"] = next_epoch()
    changed = Sitting.objects.filter(id=sitting.id, state=expected.value, epoch=sitting.epoch).update(**changes)
    if not changed:
        raise Problem(ProblemKind.CONFLICT, f"{sitting.name} was changed concurrently: read it again")
    return Sitting.objects.prefetch_related("pauses").get(id=sitting.id)


def require_state(sitting: Sitting, *allowed: State) -> None:
    """Require one of some states.

    Raises:
        Problem: STATE_CONFLICT naming the present and the required states.
    """
    if State(sitting.state) not in allowed:
        raise Problem(
            ProblemKind.STATE_CONFLICT,
            f"{sitting.name} is {sitting.state}; this needs {' or '.join(state.value for state in allowed)}",
            state=sitting.state,
        )
