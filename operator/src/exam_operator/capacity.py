"""How many solver pods and graders are wanted: a pure function of all `Exam`s, what is said of them, and the time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from exam_core.instants import to_micros
from exam_operator.resource import Resource
from exam_operator.status import Phase

BASELINE = 1
_BEFORE_DRAINED = frozenset({Phase.SCHEDULED, Phase.WARMING, Phase.OPEN, Phase.PAUSED, Phase.CLOSING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is wanted now, in pods, and when the clock alone will change it (platform's time, µs)."""

    solvers: int
    solver_ceiling: int
    graders: int
    changes_at: int | None


def solvers_wanted(resource: Resource) -> int:
    """How many solver pods one sitting wants."""
    solver = resource.spec.solver
    enough = -(-resource.spec.candidates // solver.candidates_per_replica)
    return min(max(enough, solver.min_replicas), solver.max_replicas)


def demand(resources: Iterable[Resource], now: int) -> Demand:
    """What all sittings want together: solvers from the pre-warming until drained, graders while there is grading."""
    solvers, ceiling, graders = 0, 0, 0
    changes = []
    for resource in resources:
        warm_from = _warm_from(resource)
        if warm_from is not None and warm_from <= now:
            solvers += solvers_wanted(resource)
            ceiling += resource.spec.solver.max_replicas
        elif warm_from is not None:
            changes.append(warm_from)
        if resource.status.get("phase") == Phase.GRADING:
            graders += resource.spec.grading.parallelism
    floor = max(solvers, BASELINE)
    return Demand(
        solvers=floor,
        solver_ceiling=max(ceiling, floor),
        graders=max(graders, BASELINE),
        changes_at=min(changes, default=None),
    )


def _warm_from(resource: Resource) -> int | None:
    """From when on a sitting's solver pods have to be there; None when it wants none any more, or none yet."""
    status = resource.status
    if "sittingId" not in status or status.get("phase") not in _BEFORE_DRAINED:
        return None
    # The window as PostgreSQL has it: what a refused edit wishes for does not happen.
    return to_micros(datetime.fromisoformat(status["window"]["opensAt"])) - resource.spec.solver.prewarm
