"""Fault injection: wherever the operator is killed or its requests fail, a sitting ends the same."""

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from exam_harness.environments.processes.services import Service
from exam_harness.faults.apiserver_proxy import (
    REPEATED,
    Delay,
    ErrorResponse,
    FaultProxy,
    RecordedRequest,
    WatchMode,
    When,
)
from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

AT_LEAST, REQUESTS = 12, 20
"""The range of the number of mutating requests in a sitting, which depends on timing; a test below checks it."""
EVERY = [(number, when) for number in range(1, REQUESTS + 1) for when in When]
SEED = int(os.environ.get("EXAM_FAULTS_SEED", "2026"))
SAMPLED = 4
FAULTS = EVERY if os.environ.get("EXAM_FAULTS") == "all" else sorted(random.Random(SEED).sample(EVERY, SAMPLED))
SECONDS = 4
SECONDS_WITH_RESTART = 12
"""Long enough that an operator which was killed is back before the close, on a slow machine too."""


@pytest.fixture
def operator(world, proxy: FaultProxy) -> Iterator[Service]:
    """An operator behind the proxy; a test starts it."""
    env = {"EXAM_OPERATOR_RESYNC_SECONDS": "2"}
    service = world.operated.operator("behind-proxy", server=proxy.url, env=env)
    yield service
    service.stop()


def start(service: Service) -> None:
    """Start an operator and wait until it is ready."""
    service.start()
    service.await_ready()


def end_of(world, name: str) -> dict[str, Any]:
    """The final state of a sitting, for comparison with `GOOD`."""
    status = world.await_phase(name, "Published")
    sitting = world.sitting(name)
    events = json.loads(world.kubectl("get", "events", "-o", "json", "--field-selector", f"involvedObject.name={name}"))
    messages = Counter(each["message"] for each in events["items"])
    return {
        "state": sitting["state"],
        "revisions": [(each["number"], each["state"]) for each in sitting["revisions"]],
        "published": sitting["published_revision"],
        "answers": status["seal"]["answers"],
        "graded": status["grading"]["graded"] == status["grading"]["chunks"],
        "jobs": [job["metadata"]["name"] for job in world.jobs(status["sittingId"])] == [status["grading"]["jobName"]],
        "finalizers": world.get(name)["metadata"]["finalizers"],
        "degraded": world.condition(name, "Degraded")["status"],
        "duplicate events": [message for message, times in messages.items() if times > 1],
    }


GOOD = {
    "state": "sealed",
    "revisions": [(1, "graded")],
    "published": 1,
    "answers": 1,
    "graded": True,
    "jobs": True,
    "finalizers": ["examplatform.dev/sitting"],
    "degraded": "False",
    "duplicate events": [],
}


def run_sitting(world, student, name: str, *, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Run a short sitting with one acknowledged and one late answer; calls `meanwhile` while it is open."""
    world.apply(name, opens_in=1, lasts=SECONDS, grading={"publish": "Automatic"})
    sitting = eventually(lambda: _provisioned(world, name), f"{name} is provisioned")
    attempt = student.start(sitting)
    assert attempt.answer(0, {"seq": 1, "choices": [0]}).status_code == 200
    meanwhile()
    student.wait_until_closed(sitting)
    assert attempt.answer(0, {"seq": 2, "choices": [1]}).json()["type"].endswith("/deadline-passed")


def _provisioned(world, name: str) -> dict[str, Any] | None:
    """The sitting of an Exam in PostgreSQL, without reading its status."""
    metadata = world.get(name)["metadata"]
    found = world.internal("GET", f"/internal/sittings/{world.namespace}.{name}.{metadata['uid'][:8]}")
    return found.json() if found.is_success else None


def run_with_restarts(world, student, operator: Service, *, provisioned: Callable[[], object] = lambda: None) -> None:
    """Run a sitting, restarting the operator as its Deployment would; calls `provisioned` once that is so."""

    def restarted() -> bool:
        if not operator.process.alive:
            operator.start()
        return True

    world.apply("mortal", opens_in=1, lasts=SECONDS_WITH_RESTART, grading={"publish": "Automatic"})
    sitting = eventually(lambda: restarted() and _provisioned(world, "mortal"), "the sitting is provisioned")
    provisioned()
    attempt = student.start(sitting)
    assert attempt.answer(0, {"seq": 1, "choices": [0]}).status_code == 200
    eventually(
        lambda: restarted() and world.status("mortal").get("phase") == "Published",
        "the sitting is published",
        seconds=60,
    )
    assert end_of(world, "mortal") == GOOD


@pytest.mark.parametrize(
    ("resource", "when"), [("horizontalpodautoscalers", When.AFTER), ("poddisruptionbudgets", When.BEFORE)]
)
def test_killed_while_it_scales(
    world, student, proxy: FaultProxy, operator: Service, resource: str, when: When
) -> None:
    """If the operator is killed while it applies an autoscaler or a budget in a sitting, the sitting ends the same."""
    start(operator)

    def arm() -> None:
        proxy.on_mutation(1, when, operator.kill, counted=lambda request: request.resource == resource)

    run_with_restarts(world, student, operator, provisioned=arm)
    assert proxy.hook is not None
    assert proxy.hook.triggered_by is not None
    assert proxy.hook.triggered_by.resource == resource


@pytest.mark.parametrize(("number", "when"), FAULTS, ids=str)
def test_killed_at_a_request(world, student, proxy: FaultProxy, operator: Service, number: int, when: When) -> None:
    """If the operator is killed right before or after any of its changes, the sitting ends the same."""
    hook = proxy.on_mutation(number, when, operator.kill)
    start(operator)
    run_with_restarts(world, student, operator)
    assert hook.triggered_by is not None or number > AT_LEAST


def test_the_faults_cover_every_request_of_a_sitting(world, student, proxy: FaultProxy, operator: Service) -> None:
    """Without faults, a sitting has about as many changes as the faults above cover."""
    start(operator)
    run_sitting(world, student, "whole")
    assert end_of(world, "whole") == GOOD
    changes = [
        record.request
        for record in proxy.requests
        if record.request.mutating and record.request.resource not in REPEATED
    ]
    kinds = {(request.verbs[0], request.resource) for request in changes}
    assert kinds >= {("patch", "exams"), ("update", "exams/status"), ("create", "events"), ("create", "jobs")}
    assert AT_LEAST <= len(changes) <= REQUESTS, [str(request) for request in changes]


def test_errors_of_the_api_server_only_delay(world, student, proxy: FaultProxy, operator: Service) -> None:
    """If some requests fail with 409, 429, 500 or 503, or are slow, the sitting ends the same."""
    start(operator)
    proxy.delays = [Delay(matches=lambda request: request.resource == "jobs", seconds=0.5)]
    proxy.error_responses = [
        ErrorResponse(matches=lambda request: request.resource == "exams/status", code=409, times=2),
        ErrorResponse(matches=lambda request: request.resource == "events", code=500, times=1),
        ErrorResponse(matches=lambda request: request.resource == "jobs" and request.mutating, code=503, times=1),
        ErrorResponse(matches=lambda request: request.resource == "jobs" and request.mutating, code=409, times=1),
        ErrorResponse(
            matches=lambda request: request.resource == "exams" and request.name != "", code=429, times=2, retry_after=1
        ),
    ]
    run_sitting(world, student, "errors")
    assert end_of(world, "errors") == GOOD
    assert [response.code for response in proxy.error_responses if response.times] == []


@pytest.mark.parametrize("fault", ["dropped", "expired", "duplicated"])
def test_watch_faults_change_nothing(world, student, proxy: FaultProxy, operator: Service, fault: str) -> None:
    """If watches are dropped, expire, or deliver every event twice, the sitting ends the same."""
    if fault == "duplicated":
        proxy.watch_mode = WatchMode.DUPLICATED
    start(operator)
    eventually(lambda: proxy.watching, "the operator watches")
    watches = len(_watches(proxy))
    inject = {"dropped": proxy.drop_watches, "expired": proxy.expire_watches, "duplicated": lambda: None}[fault]
    inject()
    run_sitting(world, student, "watched", meanwhile=inject)
    assert end_of(world, "watched") == GOOD
    assert len(_watches(proxy)) >= watches + (0 if fault == "duplicated" else 2)


def test_an_operator_that_cannot_watch_exits(world, student, proxy: FaultProxy, operator: Service) -> None:
    """If the operator cannot watch at all, its process exits, so that it is restarted."""
    start(operator)
    eventually(lambda: proxy.watching, "the operator watches")
    proxy.error_responses = [ErrorResponse(matches=lambda request: "watch" in request.verbs, code=410, times=1)]
    proxy.drop_watches()
    eventually(lambda: not operator.process.alive, "the operator has exited")
    assert operator.process.returncode not in (0, None)
    start(operator)
    run_sitting(world, student, "restarted")
    assert end_of(world, "restarted") == GOOD


def test_a_stalled_watch_fails_the_liveness_probe(world, student, proxy: FaultProxy, operator: Service) -> None:
    """If the watch stalls, sittings are still reconciled, and /healthz fails, so that the operator is restarted."""
    start(operator)
    eventually(lambda: proxy.watching, "the operator watches")
    assert world.probe(operator, "healthz").status_code == 200
    proxy.watch_mode = WatchMode.SILENT
    run_sitting(world, student, "stalled")
    assert end_of(world, "stalled") == GOOD
    health = eventually(lambda: _failing_health(world, operator), "the operator detects the stall", seconds=60)
    assert health["status"] == "failing"
    assert "the watch has not delivered" in health["checks"]["watch"]["detail"]
    proxy.watch_mode = WatchMode.NORMAL
    operator.kill()
    start(operator)
    assert world.probe(operator, "healthz").status_code == 200


def test_a_second_grading_job_is_detected(world, student) -> None:
    """Negative control: if a sitting had a second grading Job, these tests would fail."""
    run_sitting(world, student, "control")
    assert end_of(world, "control") == GOOD
    [job] = world.jobs(world.status("control")["sittingId"])
    again = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "grade-again", "labels": job["metadata"]["labels"]},
        "spec": {"suspend": True, "template": {"spec": {"restartPolicy": "Never", "containers": [_IDLE]}}},
    }
    world.operated.apply(again)
    assert end_of(world, "control") == GOOD | {"jobs": False}


_IDLE = {"name": "idle", "image": "none", "command": ["true"]}


def _failing_health(world, service: Service) -> dict[str, Any] | None:
    response = world.probe(service, "healthz")
    return None if response.is_success else response.json()


def _watches(proxy: FaultProxy) -> list[RecordedRequest]:
    return [record for record in proxy.requests if "watch" in record.request.verbs]
