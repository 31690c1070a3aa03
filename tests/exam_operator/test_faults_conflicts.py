"""Somebody else writes in the same moment: an ordinary race, no fault, and nothing that ends the operator."""

import re
from collections.abc import Iterator

import pytest

from exam_harness.environments.processes.services import Service
from exam_harness.faults.apiserver_proxy import Delay, ErrorResponse, FaultProxy
from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
def operator(world, proxy: FaultProxy) -> Iterator[Service]:
    """An operator behind the proxy; a test starts it."""
    service = world.operated.operator("raced", server=proxy.url, env={"EXAM_OPERATOR_RESYNC_SECONDS": "1"})
    yield service
    service.stop()


@pytest.mark.parametrize("resource", ["horizontalpodautoscalers", "poddisruptionbudgets"])
def test_a_conflict_over_scaling_is_tried_again(world, proxy: FaultProxy, operator: Service, resource: str) -> None:
    """If somebody else writes an autoscaler or a budget in the same moment, the operator tries again and lives on."""
    for kind in ("hpa", "pdb"):
        world.control_plane.kubectl("-n", world.operated.namespace, "delete", kind, "--all")
    refusal = ErrorResponse(matches=lambda asked: asked.resource == resource and asked.mutating, code=409, times=1)
    proxy.error_responses = [refusal]
    operator.start()
    eventually(lambda: refusal.times == 0, "it was refused")
    for kind in ("hpa", "pdb"):
        eventually(lambda kind=kind: world.owned(kind, "exam-grader"), f"the {kind} is there", seconds=20)
    assert operator.process.alive


def test_an_exam_that_goes_while_its_status_is_written(world, proxy: FaultProxy, operator: Service) -> None:
    """If an Exam vanishes between a look at it and its status, it is let go of and the others are seen to."""
    proxy.delays = [Delay(matches=lambda asked: asked.resource == "exams/status", seconds=3)]
    operator.start()
    operator.await_ready()
    world.apply("vanishes", opens_in=3600)
    eventually(lambda: any(each.request.resource == "exams/status" for each in proxy.requests), "it is written")
    world.kubectl("patch", "exam", "vanishes", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    world.kubectl("delete", "exam", "vanishes")
    eventually(
        lambda: any((each.request.resource, each.status) == ("exams/status", 404) for each in proxy.requests),
        "there is nothing to write to",
    )
    proxy.delays = []
    world.apply("next", opens_in=3600)
    world.await_condition("next", "Provisioned", "True")
    assert _faults(world, operator) == 0


def test_an_event_in_conflict_is_made_a_moment_later(world, proxy: FaultProxy, operator: Service) -> None:
    """If an Event is refused because a quota was written at the same time, it is made a moment later."""
    refusal = ErrorResponse(matches=lambda asked: asked.resource == "events", code=409, times=1)
    proxy.error_responses = [refusal]
    operator.start()
    operator.await_ready()
    world.apply("quota", opens_in=3600)
    world.await_condition("quota", "Provisioned", "True")
    assert (refusal.times, _faults(world, operator)) == (0, 0)
    assert world.events("quota") != []


def _faults(world, operator: Service) -> float:
    """How many looks at an Exam ended in a way that nobody foresaw."""
    found = re.search(r'reconciles_total\{outcome="fault"\} (\S+)', world.probe(operator, "metrics").text)
    return float(found[1]) if found else 0
