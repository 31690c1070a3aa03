"""Conflicts with other clients of the API server are retried; they are not faults and do not end the operator."""

import re
from collections.abc import Iterator
from functools import partial

import pytest

from exam_harness.environments.processes.services import Service
from exam_harness.faults.apiserver_proxy import Delay, ErrorResponse, FaultProxy
from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
def operator(world, proxy: FaultProxy) -> Iterator[Service]:
    """An operator behind the proxy; a test starts it."""
    service = world.operated.operator("conflicts", server=proxy.url, env={"EXAM_OPERATOR_RESYNC_SECONDS": "1"})
    yield service
    service.stop()


@pytest.mark.parametrize("resource", ["horizontalpodautoscalers", "poddisruptionbudgets"])
def test_a_conflict_while_scaling_is_retried(world, proxy: FaultProxy, operator: Service, resource: str) -> None:
    """If a write of an autoscaler or a budget conflicts, the operator retries it."""
    for kind in ("hpa", "pdb"):
        world.control_plane.kubectl("-n", world.operated.namespace, "delete", kind, "--all")
    refusal = ErrorResponse(
        matches=lambda request: request.resource == resource and request.mutating, code=409, times=1
    )
    proxy.error_responses = [refusal]
    operator.start()
    eventually(lambda: refusal.times == 0, "the write was rejected")
    for kind in ("hpa", "pdb"):
        eventually(partial(world.owned, kind, "exam-grader"), f"the {kind} exists", seconds=20)
    assert operator.process.alive


def test_an_exam_that_is_deleted_while_its_status_is_written(world, proxy: FaultProxy, operator: Service) -> None:
    """If an Exam is deleted before its status is written, it is dropped, and other Exams are reconciled."""
    proxy.delays = [Delay(matches=lambda request: request.resource == "exams/status", seconds=3)]
    operator.start()
    operator.await_ready()
    world.apply("vanishes", opens_in=3600)
    eventually(
        lambda: any(each.request.resource == "exams/status" for each in proxy.requests), "the status is being written"
    )
    world.kubectl("patch", "exam", "vanishes", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    world.kubectl("delete", "exam", "vanishes")
    eventually(
        lambda: any((each.request.resource, each.status) == ("exams/status", 404) for each in proxy.requests),
        "the write returned 404",
    )
    proxy.delays = []
    world.apply("next", opens_in=3600)
    world.await_condition("next", "Provisioned", "True")
    assert _faults(world, operator) == 0


def test_a_conflict_while_creating_an_event_is_retried(world, proxy: FaultProxy, operator: Service) -> None:
    """If creating an Event conflicts, for example with a quota, it is retried."""
    refusal = ErrorResponse(matches=lambda request: request.resource == "events", code=409, times=1)
    proxy.error_responses = [refusal]
    operator.start()
    operator.await_ready()
    world.apply("quota", opens_in=3600)
    world.await_condition("quota", "Provisioned", "True")
    assert (refusal.times, _faults(world, operator)) == (0, 0)
    assert world.events("quota") != []


def _faults(world, operator: Service) -> float:
    """How many reconciliations ended with an unexpected error."""
    found = re.search(r'reconciles_total\{outcome="fault"\} (\S+)', world.probe(operator, "metrics").text)
    return float(found[1]) if found else 0
