"""Sittings in a real cluster: answered through the Ingress, whatever is killed meanwhile."""

import os
import random
from itertools import product

import pytest

from exam_harness.environments.cluster.replica_counts import ready_replicas
from exam_harness.faults.pods import COMPONENTS, kill
from exam_harness.scenarios.cluster.__main__ import failures_of
from exam_harness.scenarios.cluster.scenario import Size
from exam_harness.waiting import eventually

BASELINE_SECONDS = 300
ALONE = list(product(COMPONENTS, ("open", "grading")))
SEED = int(os.environ.get("EXAM_E2E_SEED", "2026"))
SAMPLED = 2
LONG = Size(seconds=90, trouble_at=0.2)
"""The store comes back long before the window closes, and who was kept from starting can start."""
KILLS = ALONE if os.environ.get("EXAM_E2E") == "all" else sorted(random.Random(SEED).sample(ALONE, SAMPLED))
"""Each pod alone, while students answer and while it is graded; or the same few of them in every run of a seed."""


def test_an_exam_is_published_and_solvers_come_and_go_with_it(sit, platform) -> None:
    """If I apply an Exam, its solvers are up when it opens, its degrees are right, and its solvers go again."""
    before = ready_replicas(platform.cluster)
    outcome = sit()
    assert failures_of(outcome) == []
    assert outcome.replicas.peak >= outcome.floor > before
    eventually(lambda: ready_replicas(platform.cluster) == before, "solvers are gone", seconds=BASELINE_SECONDS)


@pytest.mark.parametrize(("component", "moment"), KILLS)
def test_one_pod_is_killed(sit, good, component, moment) -> None:
    """If a pod dies in the middle of it, no acknowledged answer is lost and degrees are right."""
    trouble = kill(component)
    outcome = sit(while_open=trouble, size=LONG) if moment == "open" else sit(while_grading=trouble)
    good(outcome)
    assert moment == "open" or outcome.ungraded


def test_all_pods_are_killed_twice(sit, good) -> None:
    """If a solver, Cassandra, operator and a grader die at once, in the sitting and in its grading, it comes right."""
    outcome = sit(while_open=kill(*COMPONENTS), while_grading=kill(*COMPONENTS), size=LONG)
    good(outcome)
    assert outcome.ungraded
