"""Unexpected answers are reported as faults of the Exam, retried, and do not end the operator."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.services import Service, web
from exam_harness.faults.apiserver_proxy import ErrorResponse, FaultProxy
from exam_harness.scenarios.sitting.platform_client import PAPERS
from exam_harness.waiting import eventually

OWNER = "noether"
"""The Doctor of every exam in these tests."""

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture
def operator(world, proxy: FaultProxy) -> Iterator[Service]:
    """An operator behind the proxy; a test starts it."""
    service = world.operated.operator("answers", server=proxy.url, env={"EXAM_OPERATOR_RESYNC_SECONDS": "1"})
    yield service
    service.stop()


@contextmanager
def _web_with_hosts(world, folder: Path, hosts: str, *, port: int) -> Iterator[Service]:
    """Another web process of the platform, which allows other hosts; `port` is that of its internal API."""
    (folder / "logs").mkdir(exist_ok=True)
    (public_port,) = free_ports(1)
    env = world.stack.web_env | {"EXAM_ALLOWED_HOSTS": hosts}
    service = web(folder, port=public_port, internal_port=port, env=env)
    service.start()
    # Probes are answered for every host.
    service.await_ready()
    try:
        yield service
    finally:
        service.stop()


def test_any_host_of_web_will_do(world, tmp_path) -> None:
    """If web's hosts do not include the one that the operator sends, I read that; once they do, the Exam is served."""
    world.operator.stop()
    port, *_ = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    operator = world.operated.operator("hosts", env={"EXAM_OPERATOR_WEB_URL": url})
    try:
        with _web_with_hosts(world, tmp_path, "exams.example.edu", port=port):
            operator.start()
            operator.await_ready()
            world.apply("hosted", opens_in=3600)
            degraded = world.await_condition("hosted", "Degraded", "True", "WebUnexpectedAnswer")
            assert ": 400" in degraded["message"]
            assert world.status("hosted")["phase"] == "Pending"
            assert "WebUnexpectedAnswer" in [reason for reason, _ in world.events("hosted")]
            series = f'exam="hosted",reason="WebUnexpectedAnswer",resource_namespace="{world.namespace}"'
            assert f"exam_operator_exam_degraded{{{series}}} 1.0" in world.probe(operator, "metrics").text
        with _web_with_hosts(world, tmp_path, "exams.example.edu,127.0.0.1", port=port):
            world.await_condition("hosted", "Provisioned", "True")
            world.await_condition("hosted", "Degraded", "False")
            assert series not in world.probe(operator, "metrics").text
    finally:
        operator.stop()
        world.operator.start()
        world.operator.await_ready()


def test_a_forbidden_request_is_reported(world, proxy: FaultProxy, operator: Service) -> None:
    """If a quota forbids the grading Job, the Exam is degraded until it is allowed, and then graded."""
    forbidden = ErrorResponse(
        matches=lambda request: request.resource == "jobs" and request.mutating, code=403, times=2
    )
    proxy.error_responses = [forbidden]
    operator.start()
    operator.await_ready()
    world.apply("quota", lasts=600, desiredState="StoppedAndGrade")
    degraded = world.await_condition("quota", "Degraded", "True", "ApiServerForbidden")
    assert "/jobs: 403 injected fault" in degraded["message"]
    world.await_phase("quota", "Graded")
    assert (forbidden.times, world.condition("quota", "Degraded")["status"]) == (0, "False")


def test_an_expired_token_is_no_missing_paper(world, proxy: FaultProxy, operator: Service) -> None:
    """If the API server does not accept the operator's token, no Exam reports its Secret as missing."""
    slug = f"token-{uuid4().hex[:12]}"
    _write_paper(world, (PAPERS / "algebra-101.yaml").read_text().replace("exam: algebra-101\n", f"exam: {slug}\n"))
    expired = ErrorResponse(matches=lambda request: request.resource == "secrets", code=401, times=2)
    proxy.error_responses = [expired]
    operator.start()
    operator.await_ready()
    world.apply("coded", opens_in=3600, exam=slug, owner=OWNER, paperFrom=PAPER_FROM)
    world.await_condition("coded", "Provisioned", "True")
    assert expired.times == 0
    reasons = [reason for reason, _ in world.events("coded")]
    assert "ApiServerUnauthorized" in reasons
    assert "PaperMissing" not in reasons


def test_a_faulty_paper_is_reported_without_its_text(world) -> None:
    """If my paper is faulty, condition and Event name the line, and quote nothing that could be of the key."""
    slug = f"faulty-{uuid4().hex[:12]}"
    text = (PAPERS / "algebra-101.yaml").read_text().replace("exam: algebra-101\n", f"exam: {slug}\n")
    assert "correct: true" in text
    line = text[: text.index("correct: true")].count("\n") + 1
    _write_paper(world, text.replace("correct: true", "correct: Tenochtitlan", 1))
    world.apply("faulty", opens_in=3600, exam=slug, owner=OWNER, paperFrom=PAPER_FROM)
    rejected = world.await_condition("faulty", "Accepted", "False", "PaperInvalid")
    assert f"line {line}: correct must be true or false" in rejected["message"]
    eventually(lambda: "PaperInvalid" in [reason for reason, _ in world.events("faulty")], "the Event is created")
    assert "Tenochtitlan" not in json.dumps([world.get("faulty"), world.events("faulty")])


def test_a_list_that_is_not_found_does_not_end_the_operator(world, proxy: FaultProxy, operator: Service) -> None:
    """If the Exam resource is not served for a moment, the operator continues when it is again."""
    operator.start()
    operator.await_ready()
    eventually(lambda: proxy.watching, "the operator watches")
    missing = ErrorResponse(matches=lambda request: request.verbs == ("list",), code=404, times=2)
    proxy.error_responses = [missing]
    eventually(lambda: missing.times == 0, "the list was not found twice")
    world.apply("later", opens_in=3600)
    world.await_condition("later", "Provisioned", "True")
    assert operator.process.alive


def test_a_settled_exam_is_not_read_with_every_list(world, proxy: FaultProxy, operator: Service) -> None:
    """If my Exam is over, the operator reads it no more, however often it lists; an edit is still noticed."""
    operator.start()
    operator.await_ready()
    world.apply("over", lasts=600, desiredState="StoppedAndGrade", grading={"publish": "Automatic"})
    world.apply("ahead", opens_in=3600)
    world.await_phase("over", "Published")
    world.await_phase("ahead", "Scheduled")
    _await_lists(proxy, 2)
    proxy.requests.clear()
    _await_lists(proxy, 4)
    read = [each.request.name for each in proxy.requests if each.request.verbs == ("get",)]
    assert "over" not in read
    assert "ahead" in read
    world.patch("over", {"grading": {"publish": "Manual"}})
    eventually(lambda: world.status("over")["observedGeneration"] == 2, "the edit is noticed")


def _await_lists(proxy: FaultProxy, more: int) -> None:
    def count() -> int:
        return sum(each.request.verbs == ("list",) and each.request.resource == "exams" for each in proxy.requests)

    before = count()
    eventually(lambda: count() >= before + more, f"{more} more lists")


PAPER_FROM = {"secretKeyRef": {"name": "paper", "key": "paper.yaml"}}


def _write_paper(world, text: str) -> None:
    """Create the Secret that `PAPER_FROM` names."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "paper"},
        "type": "examplatform.dev/paper",
        "stringData": {"paper.yaml": text},
    }
    world.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
