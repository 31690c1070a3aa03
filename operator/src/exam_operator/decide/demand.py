"""How many solver pods and graders are wanted: a pure function of all `Exam`s, what is said of them, and the time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from heapq import nlargest
from math import ceil

from exam_core.instants import to_micros
from exam_operator.decide.status import Phase
from exam_operator.model.exam import Exam

BASELINE = 1
_BEFORE_DRAINED = frozenset({Phase.SCHEDULED, Phase.WARMING, Phase.OPEN, Phase.PAUSED, Phase.CLOSING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is wanted now, in pods, and when the clock alone will change it (platform's time, µs)."""

    solvers: int
    solver_ceiling: int
    graders: int
    changes_at: int | None


def solvers_wanted(resource: Exam) -> int:
    """How many solver pods one sitting wants for itself."""
    return max(ceil(_share(resource)), resource.spec.solver.min_replicas)


def demand(resources: Iterable[Exam], now: int, *, max_jobs: int) -> Demand:
    """What all sittings want together.

    Solvers from the pre-warming until drained: candidates are added up before they are rounded to pods, for many small
    sittings share some. Graders while there is grading, for as many Jobs as may run at once.
    """
    share, least, ceiling = Fraction(0), BASELINE, 0
    graders = []
    changes = []
    for resource in resources:
        warm_from = _warm_from(resource)
        if warm_from is not None and warm_from <= now:
            share += _share(resource)
            least = max(least, resource.spec.solver.min_replicas)
            ceiling += resource.spec.solver.max_replicas
        elif warm_from is not None:
            changes.append(warm_from)
        if resource.status.get("phase") == Phase.GRADING:
            graders.append(resource.spec.grading.parallelism)
    floor = max(ceil(share), least)
    return Demand(
        solvers=floor,
        solver_ceiling=max(ceiling, floor),
        graders=max(sum(nlargest(max_jobs, graders)), BASELINE),
        changes_at=min(changes, default=None),
    )


def _share(resource: Exam) -> Fraction:
    """How much of solver pods its candidates need, the last one not rounded up."""
    solver = resource.spec.solver
    return min(Fraction(resource.spec.candidates, solver.candidates_per_replica), Fraction(solver.max_replicas))


def _warm_from(resource: Exam) -> int | None:
    """From when on a sitting's solver pods have to be there; None when it wants none any more, or none yet."""
    status = resource.status
    if "sittingId" not in status or status.get("phase") not in _BEFORE_DRAINED:
        return None
    # The window as PostgreSQL has it: what a refused edit wishes for does not happen.
    return to_micros(datetime.fromisoformat(status["window"]["opensAt"])) - resource.spec.solver.prewarm
