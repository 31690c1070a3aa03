"""The operator is killed before or after each request with which it changes something: a sitting ends the same."""

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from exam_harness.environments.processes.services import Service
from exam_harness.faults.apiserver_proxy import Delay, ErrorResponse, FaultProxy, RecordedRequest, WatchMode, When
from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

AT_LEAST, REQUESTS = 18, 26
"""As many as a sitting's life has: a few more or less, as things fall together. A test of its own sees to that."""
EVERY = [(number, when) for number in range(1, REQUESTS + 1) for when in When]
SEED = int(os.environ.get("EXAM_FAULTS_SEED", "2026"))
SAMPLED = 4
FAULTS = EVERY if os.environ.get("EXAM_FAULTS") == "all" else sorted(random.Random(SEED).sample(EVERY, SAMPLED))
SECONDS = 4


@pytest.fixture
def operator(world, proxy: FaultProxy) -> Iterator[Service]:
    """An operator behind the proxy; a test starts it."""
    env = {"EXAM_OPERATOR_RESYNC_SECONDS": "2"}
    service = world.operated.operator("behind-proxy", server=proxy.url, env=env)
    yield service
    service.stop()


def start(service: Service) -> None:
    """Start an operator and wait until it works."""
    service.start()
    service.await_ready()


def end_of(world, name: str) -> dict[str, Any]:
    """What a sitting has come to, by everything that can be counted."""
    status = world.await_phase(name, "Published")
    sitting = world.sitting(name)
    events = json.loads(world.kubectl("get", "events", "-o", "json", "--field-selector", f"involvedObject.name={name}"))
    said = Counter(each["message"] for each in events["items"])
    return {
        "state": sitting["state"],
        "revisions": [(each["number"], each["state"]) for each in sitting["revisions"]],
        "published": sitting["published_revision"],
        "answers": status["seal"]["answers"],
        "graded": status["grading"]["graded"] == status["grading"]["chunks"],
        "jobs": [job["metadata"]["name"] for job in world.jobs(status["sittingId"])] == [status["grading"]["jobName"]],
        "finalizers": world.get(name)["metadata"]["finalizers"],
        "degraded": world.condition(name, "Degraded")["status"],
        "said twice": [message for message, times in said.items() if times > 1],
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
    "said twice": [],
}


def hold(world, student, name: str, *, meanwhile: Callable[[], object] = lambda: None) -> None:
    """A short sitting with one answer that was acknowledged and one that came late; `meanwhile` while it is open."""
    world.apply(name, opens_in=1, lasts=SECONDS, grading={"publish": "Automatic"})
    sitting = eventually(lambda: _provisioned(world, name), f"{name} is provisioned")
    desk = student.sits(sitting)
    assert desk.answer(0, {"seq": 1, "choices": [0]}).status_code == 200
    meanwhile()
    student.until_closed(sitting)
    assert desk.answer(0, {"seq": 2, "choices": [1]}).json()["type"].endswith("/deadline-passed")


def _provisioned(world, name: str) -> dict[str, Any] | None:
    """The sitting of an Exam in PostgreSQL, whatever its status says."""
    metadata = world.get(name)["metadata"]
    found = world.internal("GET", f"/internal/sittings/{world.namespace}.{name}.{metadata['uid'][:8]}")
    return found.json() if found.is_success else None


@pytest.mark.parametrize(("number", "when"), FAULTS, ids=str)
def test_killed_at_a_request(world, student, proxy: FaultProxy, operator: Service, number: int, when: When) -> None:
    """If the operator is killed right before or after any of its changes, the sitting ends as if nothing had been."""
    hook = proxy.on_mutation(number, when, operator.kill)
    start(operator)

    def restarted() -> bool:
        """Whoever runs operators starts them again."""
        if not operator.process.alive:
            operator.start()
        return True

    world.apply("mortal", opens_in=1, lasts=SECONDS, grading={"publish": "Automatic"})
    sitting = eventually(lambda: restarted() and _provisioned(world, "mortal"), "the sitting is provisioned")
    assert sitting is not None
    desk = student.sits(sitting)
    assert desk.answer(0, {"seq": 1, "choices": [0]}).status_code == 200
    eventually(lambda: restarted() and world.status("mortal").get("phase") == "Published", "all is done", seconds=60)
    assert end_of(world, "mortal") == GOOD
    assert hook.triggered_by is not None or number > AT_LEAST


def test_a_life_has_as_many_requests_as_are_tried(world, student, proxy: FaultProxy, operator: Service) -> None:
    """If nothing goes wrong, a sitting's life has about as many changes as the faults above are tried at."""
    start(operator)
    hold(world, student, "whole")
    assert end_of(world, "whole") == GOOD
    changes = [passed.request for passed in proxy.requests if passed.request.mutating]
    kinds = {(request.verbs[0], request.resource) for request in changes}
    assert kinds >= {("patch", "exams"), ("update", "exams/status"), ("create", "events"), ("create", "jobs")}
    assert AT_LEAST <= len(changes) <= REQUESTS, [str(request) for request in changes]


def test_refusals_of_the_api_server_only_delay(world, student, proxy: FaultProxy, operator: Service) -> None:
    """If the API server refuses now and then, with 409, 429, 500 or 503, or is slow, the sitting ends the same."""
    start(operator)
    proxy.delays = [Delay(matches=lambda asked: asked.resource == "jobs", seconds=0.5)]
    proxy.error_responses = [
        ErrorResponse(matches=lambda asked: asked.resource == "exams/status", code=409, times=2),
        ErrorResponse(matches=lambda asked: asked.resource == "events", code=500, times=1),
        ErrorResponse(matches=lambda asked: asked.resource == "jobs" and asked.mutating, code=503, times=1),
        ErrorResponse(matches=lambda asked: asked.resource == "jobs" and asked.mutating, code=409, times=1),
        ErrorResponse(
            matches=lambda asked: asked.resource == "exams" and asked.name != "", code=429, times=2, retry_after=1
        ),
    ]
    hold(world, student, "refused")
    assert end_of(world, "refused") == GOOD
    assert [refusal.code for refusal in proxy.error_responses if refusal.times] == []


@pytest.mark.parametrize("trouble", ["dropped", "expired", "twice"])
def test_watches_that_go_wrong_change_nothing(
    world, student, proxy: FaultProxy, operator: Service, trouble: str
) -> None:
    """If watches break off, expire, or tell everything twice, the sitting ends the same."""
    if trouble == "twice":
        proxy.watch_mode = WatchMode.DUPLICATED
    start(operator)
    eventually(lambda: proxy.watching, "the operator watches")
    watches = len(_watches(proxy))
    spoil = {"dropped": proxy.drop_watches, "expired": proxy.expire_watches, "twice": lambda: None}[trouble]
    spoil()
    hold(world, student, "watched", meanwhile=spoil)
    assert end_of(world, "watched") == GOOD
    assert len(_watches(proxy)) >= watches + (0 if trouble == "twice" else 2)


def test_an_operator_that_may_not_watch_ends(world, student, proxy: FaultProxy, operator: Service) -> None:
    """If the API server will not let the operator watch at all, its process ends, so that it is started anew."""
    start(operator)
    eventually(lambda: proxy.watching, "the operator watches")
    proxy.error_responses = [ErrorResponse(matches=lambda asked: "watch" in asked.verbs, code=410, times=1)]
    proxy.drop_watches()
    eventually(lambda: not operator.process.alive, "the operator has ended")
    assert operator.process.returncode not in (0, None)
    start(operator)
    hold(world, student, "anew")
    assert end_of(world, "anew") == GOOD


def test_a_watch_that_has_gone_silent_is_noticed(world, student, proxy: FaultProxy, operator: Service) -> None:
    """If the watch goes silent, sittings are seen to all the same, and /healthz says that a restart is due."""
    start(operator)
    eventually(lambda: proxy.watching, "the operator watches")
    assert world.probe(operator, "healthz").status_code == 200
    proxy.watch_mode = WatchMode.SILENT
    hold(world, student, "unheard")
    assert end_of(world, "unheard") == GOOD
    unwell = eventually(lambda: _unwell(world, operator), "the operator knows that its watch is silent", seconds=60)
    assert "the watch has not delivered" in unwell
    proxy.watch_mode = WatchMode.NORMAL
    operator.kill()
    start(operator)
    assert world.probe(operator, "healthz").status_code == 200


def test_an_end_that_is_not_as_it_should_be_is_seen(world, student) -> None:
    """If a sitting had been graded twice, or a change been undone, these tests would say so."""
    hold(world, student, "doctored")
    assert end_of(world, "doctored") == GOOD
    [job] = world.jobs(world.status("doctored")["sittingId"])
    again = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "grade-again", "labels": job["metadata"]["labels"]},
        "spec": {"suspend": True, "template": {"spec": {"restartPolicy": "Never", "containers": [_IDLE]}}},
    }
    world.operated.apply(again)
    assert end_of(world, "doctored") == GOOD | {"jobs": False}


_IDLE = {"name": "idle", "image": "none", "command": ["true"]}


def _unwell(world, service: Service) -> str:
    answer = world.probe(service, "healthz")
    return "" if answer.is_success else answer.text


def _watches(proxy: FaultProxy) -> list[RecordedRequest]:
    return [passed for passed in proxy.requests if "watch" in passed.request.verbs]
