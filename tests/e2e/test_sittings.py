"""Sittings in a real cluster, answered through the Ingress while pods are killed."""

import os
import random
from itertools import product

import pytest

from exam_harness.environments.cluster.replica_counts import ready_replicas
from exam_harness.faults.pods import COMPONENTS, kill
from exam_harness.scenarios.cluster.report import report_of
from exam_harness.scenarios.cluster.scenario import Size
from exam_harness.waiting import eventually

BASELINE_SECONDS = 300
ALONE = list(product(COMPONENTS, ("open", "grading")))
SEED = int(os.environ.get("EXAM_E2E_SEED", "2026"))
SAMPLED = 2
LONG = Size(seconds=90, fault_at=0.2)
"""Long enough for the store to recover before the window closes, so that delayed students can start."""
KILLS = ALONE if os.environ.get("EXAM_E2E") == "all" else sorted(random.Random(SEED).sample(ALONE, SAMPLED))
"""Each component alone, during the sitting and during grading; or a sample that depends on the seed."""


def test_an_exam_is_published_and_solvers_scale_with_it(sit, platform) -> None:
    """If I apply an Exam, its solvers are ready when it opens, degrees are correct, and solvers scale down after it."""
    before = ready_replicas(platform.cluster)
    result = sit()
    assert report_of(result).failures() == []
    assert result.replicas.peak >= result.floor > before
    eventually(lambda: ready_replicas(platform.cluster) == before, "solvers have scaled down", seconds=BASELINE_SECONDS)


@pytest.mark.parametrize(("component", "moment"), KILLS)
def test_a_pod_is_killed(sit, good, component, moment) -> None:
    """If a pod is killed during a sitting or its grading, no acknowledged answer is lost and degrees are correct."""
    fault = kill(component)
    result = sit(while_open=fault, size=LONG) if moment == "open" else sit(while_grading=fault)
    good(result)
    assert moment == "open" or result.ungraded


def test_all_pods_are_killed_twice(sit, good) -> None:
    """If a pod of every component is killed, during the sitting and during grading, degrees are correct."""
    result = sit(while_open=kill(*COMPONENTS), while_grading=kill(*COMPONENTS), size=LONG)
    good(result)
    assert result.ungraded
