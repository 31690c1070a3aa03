"""Request ids, health bodies, metrics, problems and the access log: what HTTP services have in common."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.stdlib import get_logger
from structlog.testing import capture_logs

from exam_core.problems import MEDIA_TYPE, Problem, ProblemKind
from exam_runtime.access_log import log_request
from exam_runtime.health import CheckResult, health_report
from exam_runtime.metrics import exposition, method_label, request_histogram
from exam_runtime.problems import ProblemResponse, ReceivedProblem, internal_problem, kind_for_status
from exam_runtime.request_id import accept_request_id, bound_request_id, current_request_id, request_id_headers


def test_a_request_id_of_the_gateway_is_kept() -> None:
    """The id in my error report is the one in every service's log."""
    assert accept_request_id("0123-abc_DEF") == "0123-abc_DEF"


@given(st.text().filter(lambda text: not text.isascii() or not 8 <= len(text) <= 64 or "\n" in text))
def test_a_malformed_request_id_is_replaced(value: str) -> None:
    """A header cannot inject lines into the log."""
    accepted = accept_request_id(value)
    assert accepted != value
    assert accept_request_id(accepted) == accepted


def test_each_request_without_an_id_gets_its_own() -> None:
    """Two requests are never mixed up in the log."""
    assert accept_request_id(None) != accept_request_id(None)


def test_the_request_id_goes_with_calls_to_other_services() -> None:
    """Inside a request the header is set; outside there is none."""
    assert request_id_headers() == {}
    with bound_request_id("abcdefgh"):
        assert current_request_id() == "abcdefgh"
        assert request_id_headers() == {"X-Request-ID": "abcdefgh"}
    assert current_request_id() is None


@pytest.mark.parametrize(
    ("checks", "status", "word"),
    [
        ({}, 200, "ok"),
        ({"database": CheckResult(ok=True)}, 200, "ok"),
        ({"database": CheckResult(ok=True), "cache": CheckResult(ok=False, required=False)}, 200, "degraded"),
        ({"database": CheckResult(ok=False), "cache": CheckResult(ok=False, required=False)}, 503, "failing"),
    ],
)
def test_a_service_is_failing_only_when_it_needs_what_failed(
    checks: dict[str, CheckResult], status: int, word: str
) -> None:
    """A pod without its cache still gets requests; one without its database does not."""
    code, body = health_report(checks)
    assert (code, body["status"], body["checks"].keys()) == (status, word, checks.keys())


def test_a_check_says_what_it_found() -> None:
    """I read which check failed and why."""
    _, body = health_report({"lease": CheckResult(ok=False, detail="renewed 31.0 s ago")})
    assert body["checks"] == {"lease": {"ok": False, "required": True, "detail": "renewed 31.0 s ago"}}


def test_requests_are_measured_by_method_route_and_status() -> None:
    """An invented method makes no time series of its own."""
    registry = CollectorRegistry()
    request_histogram("web", registry).labels(method_label("BREW"), "/x", "200").observe(0.2)
    text = exposition(registry).decode()
    assert 'exam_web_request_seconds_count{method="OTHER",route="/x",status="200"} 1.0' in text
    assert method_label("PUT") == "PUT"
    assert method_label(None) == "OTHER"


def test_a_problem_becomes_a_response_and_is_read_back() -> None:
    """A problem that one service responds with is parsed by another."""
    problem = Problem(ProblemKind.EPOCH_CHANGED, "it is 7 now", retry_after=2)
    response = ProblemResponse.of(problem, instance="/internal/x")
    assert (response.status, response.media_type) == (412, MEDIA_TYPE)
    assert response.headers == {"Cache-Control": "no-store", "Retry-After": "2"}
    received = ReceivedProblem.parse(response.body)
    assert received == ReceivedProblem(slug="epoch-changed", detail="it is 7 now", kind=ProblemKind.EPOCH_CHANGED)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"type": 1, "detail": "x"}', b"\xff"])
def test_other_error_bodies_are_not_parsed_as_problems(body: bytes) -> None:
    """A proxy's error page is not read as a refusal of the service behind it."""
    assert ReceivedProblem.parse(body) is None


def test_a_problem_of_a_later_release_keeps_its_name() -> None:
    """An unknown slug is passed on instead of being guessed at."""
    received = ReceivedProblem.parse(b'{"type": "https://x/problems/too-new", "detail": "d"}')
    assert received == ReceivedProblem(slug="too-new", detail="d", kind=None)


@given(st.integers(400, 599))
def test_every_error_status_has_a_kind_of_its_class(status: int) -> None:
    """A framework's client error never becomes a fault of the server, nor the other way round."""
    assert kind_for_status(status).status // 100 == status // 100


def test_an_unexpected_exception_says_where_its_cause_is() -> None:
    """The body shows nothing of the inside."""
    assert "X-Request-ID" in internal_problem().detail


def test_probes_do_not_bury_the_access_log() -> None:
    """A request is logged at INFO, a probe at DEBUG."""
    with capture_logs() as lines:
        log_request(get_logger(), method="GET", path="/v1/x", status=200, seconds=0.01234)
        log_request(get_logger(), method="GET", path="/readyz", status=503, seconds=0.1)
    assert lines[0] == {
        "event": "request_served",
        "method": "GET",
        "path": "/v1/x",
        "status": 200,
        "duration_ms": 12.34,
        "log_level": "info",
    }
    assert lines[1]["log_level"] == "debug"
