"""How many solver pods and graders all sittings want together."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.instants import MINUTE
from exam_operator.decide.demand import BASELINE, demand, solvers_wanted
from exam_operator.model.exam import Exam, SolverSpec
from exam_operator.testing.world import EPOCH_2027, make_exam

NOW = EPOCH_2027
OPENS_AT = "2027-01-15T08:10:00Z"


def sitting(candidates: int = 100, phase: str = "Open", opens_at: str = OPENS_AT, **solver: Any) -> Exam:
    """An Exam with a sitting in some phase."""
    made = make_exam(NOW)
    wanted = replace(made.spec.solver, **solver)
    spec = replace(made.spec, candidates=candidates, solver=wanted)
    return replace(made, spec=spec, status={"phase": phase, "sittingId": "x", "window": {"opensAt": opens_at}})


SOLVERS = st.builds(
    lambda least, more, per: SolverSpec(
        min_replicas=least, max_replicas=least + more, candidates_per_replica=per, prewarm=0
    ),
    st.integers(1, 9),
    st.integers(0, 20),
    st.integers(1, 1000),
)
SITTINGS = st.builds(
    lambda candidates, solver: replace(sitting(candidates), spec=replace(sitting(candidates).spec, solver=solver)),
    st.integers(1, 10_000),
    SOLVERS,
)


def solvers(*resources: Exam, now: int = NOW + 20 * MINUTE) -> int:
    """How many solver pods some sittings want."""
    return demand(resources, now, max_jobs=4).solvers


@given(resource=SITTINGS)
def test_one_sitting_gets_what_it_wants(resource: Exam) -> None:
    """If there is one sitting, there are as many pods as its candidates need, within its bounds."""
    solver = resource.spec.solver
    wanted = solvers_wanted(resource)
    assert solvers(resource) == wanted
    assert solver.min_replicas <= wanted <= solver.max_replicas
    enough = wanted * solver.candidates_per_replica >= resource.spec.candidates
    assert enough or wanted == solver.max_replicas
    assert (wanted - 1) * solver.candidates_per_replica < resource.spec.candidates or wanted == solver.min_replicas


@given(resources=st.lists(SITTINGS, max_size=6), more=SITTINGS)
def test_another_sitting_takes_no_pods_away(resources: list[Exam], more: Exam) -> None:
    """If another sitting is held at the same time, there are as many pods or more, never more than each wants alone."""
    before, after = solvers(*resources), solvers(*resources, more)
    assert before <= after <= before + solvers_wanted(more)
    assert after >= solvers_wanted(more)


def test_small_sittings_share_pods() -> None:
    """If two hundred sittings of ten are held at once, four pods of five hundred do, not two hundred pods."""
    assert solvers(*[sitting(10, candidates_per_replica=500) for _ in range(200)]) == 4


def test_pods_are_there_from_the_pre_warming_to_the_drain() -> None:
    """If the pre-warming has come, the pods are wanted; before it and once all answers are on record they are not."""
    made = sitting(1000, candidates_per_replica=100, prewarm=5 * MINUTE)
    opens_at = NOW + 10 * MINUTE
    assert [solvers(made, now=opens_at - 5 * MINUTE - 1), solvers(made, now=opens_at - 5 * MINUTE)] == [BASELINE, 10]
    assert demand([made], NOW, max_jobs=4).changes_at == opens_at - 5 * MINUTE
    phases = ("Scheduled", "Warming", "Open", "Paused", "Closing")
    assert [solvers(replace(made, status=made.status | {"phase": phase})) for phase in phases] == [10] * 5
    over = ("Pending", "Grading", "Graded", "Published", "Cancelled")
    assert [solvers(replace(made, status=made.status | {"phase": phase})) for phase in over] == [BASELINE] * 5


def test_what_was_not_provisioned_wants_nothing() -> None:
    """If there is no sitting yet, no pods are kept for it."""
    assert solvers(replace(sitting(10_000), status={"phase": "Pending"})) == BASELINE


@pytest.mark.parametrize(("gradings", "graders"), [([], 1), ([4], 4), ([4, 2], 6), ([1, 9, 2, 8, 3], 22)])
def test_graders_are_for_the_jobs_that_may_run(gradings: list[int], graders: int) -> None:
    """If more sittings wait for grading than Jobs may run at once, there are graders for the largest that may run."""
    made = [
        replace(one, spec=replace(one.spec, grading=replace(one.spec.grading, parallelism=parallelism)))
        for parallelism in gradings
        for one in [sitting(phase="Grading")]
    ]
    assert demand(made, NOW, max_jobs=4).graders == graders
