"""Operations: probes, metrics, logs, the OpenAPI document, settings."""

import re

import pytest
import structlog
from pydantic import ValidationError

from exam_answerlog.log import AnswerLogUnavailableError
from exam_runtime.settings import EXIT_CONFIG
from exam_solver.__main__ import main
from exam_solver.settings import SolverSettings
from exam_solver.testing.papers import SINGLE
from exam_solver.testing.world import Process, World, slug_of

PUT_ROUTE = "/v1/sittings/{sitting:uuid}/answers/{question}"


async def test_readiness_reports_lease_store_and_shutdown(world: World, solver: Process) -> None:
    """A solver is ready while it could save an answer; otherwise the failed check is reported."""
    ready = await solver.request("GET", "/readyz")
    assert ready.status_code == 200
    assert {name: check["ok"] for name, check in ready.json()["checks"].items()} == {
        "lease": True,
        "answer_log": True,
        "accepting": True,
    }
    world.log.fail_with(AnswerLogUnavailableError("no quorum"))
    down = await solver.request("GET", "/readyz")
    assert (down.status_code, down.json()["checks"]["answer_log"]["detail"]) == (503, "no quorum")
    world.log.fail_with(None)
    world.clock.advance(30)
    lapsed = await solver.request("GET", "/readyz")
    assert (lapsed.status_code, lapsed.json()["checks"]["lease"]["ok"]) == (503, False)
    await solver.renew()
    solver.solver.lifecycle.draining = True
    ending = await solver.request("GET", "/readyz")
    assert (ending.status_code, ending.json()["checks"]["accepting"]["ok"]) == (503, False)
    assert ending.headers["connection"] == "close"


async def test_readiness_needs_neither_redis_nor_web(world: World, solver: Process) -> None:
    """Attempts work without web and Redis, so no solver is taken out of service for them."""
    world.web.down = True
    world.cache.papers.clear()
    assert (await solver.request("GET", "/readyz")).status_code == 200


async def test_a_solver_without_a_first_lease_is_not_ready(world: World) -> None:
    """A new process is not ready before its first lease, and responds 503 to requests."""
    solver = world.build_process()
    assert (await solver.request("GET", "/readyz")).status_code == 503
    for response in (
        await solver.request("POST", world.path("attempt"), world.access_token()),
        await solver.request("GET", world.path("time"), world.access_token()),
    ):
        assert (response.status_code, slug_of(response)) == (503, "unavailable")


async def test_liveness_depends_on_the_lease_loop_alone(world: World, solver: Process) -> None:
    """A solver is not restarted because PostgreSQL is down, but because its lease loop is stuck."""
    assert (await solver.request("GET", "/healthz")).status_code == 503
    solver.solver.keeper.start()
    solver.store.down = True
    assert (await solver.request("GET", "/healthz")).status_code == 200
    world.clock.advance(31)
    assert (await solver.request("GET", "/healthz")).json()["checks"]["lease_loop"]["ok"] is False


async def test_metrics_count_answers_by_outcome(world: World, solver: Process, attempt: str) -> None:
    """The dashboard shows acknowledged, repeated and refused answers, requests by route, and the lease."""
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    await world.put_answer(solver, attempt, SINGLE, 2, choices=[9])
    world.log.fail_with(AnswerLogUnavailableError("no quorum"))
    await world.put_answer(solver, attempt, SINGLE, 3, choices=[1])
    await solver.request("BREW", "/coffee")
    metrics = (await solver.request("GET", "/metrics")).text
    for line in (
        'exam_solver_answers_total{outcome="acknowledged",reason=""} 1.0',
        'exam_solver_answers_total{outcome="repeated",reason=""} 1.0',
        'exam_solver_answers_total{outcome="refused",reason="unknown-choice"} 1.0',
        'exam_solver_answers_total{outcome="unsaved",reason=""} 1.0',
        "exam_solver_lease_valid 1.0",
        f"exam_solver_lease_epoch {world.schedule.epoch}.0",
        "exam_solver_lease_admissions_in_flight 0.0",
        f'exam_solver_request_seconds_count{{method="PUT",route="{PUT_ROUTE}",status="200"}} 2.0',
        'exam_solver_request_seconds_count{method="OTHER",route="unmatched",status="404"} 1.0',
    ):
        assert line in metrics
    assert world.sitting.hex not in metrics.replace("-", "")


async def test_every_response_has_a_request_id(solver: Process) -> None:
    """I can report the id of my request to support."""
    assert re.fullmatch(r"[0-9a-f]{32}", (await solver.request("GET", "/v1/keys")).headers["x-request-id"])
    for request_id, accepted in (
        ("abc-12_3", True),
        ("short", False),
        ("a" * 65, False),
        ("a b", False),
        ('{"x":1}', False),
    ):
        response = await solver.request("GET", "/nothing", headers={"X-Request-ID": request_id})
        assert (response.headers["x-request-id"] == request_id) is accepted


async def test_an_unexpected_exception_shows_only_the_request_id(world: World, solver: Process, attempt: str) -> None:
    """After a bug I get a request id for support and no internals; the cause is in the log."""
    world.log.fail_with(RuntimeError("secret detail"))
    with structlog.testing.capture_logs() as logs:
        response = await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    assert (response.status_code, slug_of(response)) == (500, "internal")
    assert "secret" not in response.text
    assert response.headers["x-request-id"]
    errors = {entry["event"] for entry in logs if entry["log_level"] == "error"}
    assert errors == {"request_failed", "work_in_flight_failed"}
    assert solver.solver.keeper.in_flight == 0


async def test_logs_contain_no_tokens_and_no_answers(world: World, solver: Process, attempt: str) -> None:
    """The log shows that I answered, not what, and contains no token to answer in my name."""
    with structlog.testing.capture_logs() as logs:
        response = await world.put_answer(solver, attempt, SINGLE, 1, choices=[3])
    assert [(entry["event"], entry["status"]) for entry in logs] == [("request_served", 200)]
    for secret in (attempt, response.json()["receipt"], "choices"):
        assert secret not in str(logs)


async def test_the_openapi_document_is_complete(solver: Process) -> None:
    """A client can be generated from the document: every body, token and reference is defined."""
    response = await solver.request("GET", "/v1/openapi.json")
    assert response.status_code == 200
    document = response.json()
    put = document["paths"]["/v1/sittings/{sitting}/answers/{question}"]["put"]
    assert [parameter["name"] for parameter in put["parameters"]] == ["sitting", "question"]
    assert put["security"] == [{"attempt": []}]
    assert put["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/AnswerBody"}
    assert set(document["components"]["securitySchemes"]) == {"access", "attempt"}
    references = set(re.findall(r'"#/components/schemas/(\w+)"', response.text))
    assert references <= set(document["components"]["schemas"])
    assert "HTTPValidationError" not in references


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """I forgot to set variables: the error names each, and prints no secret."""
    for name in ("REDIS_URL", "WEB_URL", "WEB_INTERNAL_URL", "SOLVER_KEYS_FILE", "SOLVER_SERVICE_KEYS_FILE"):
        monkeypatch.delenv(f"EXAM_{name}", raising=False)
    monkeypatch.setenv("EXAM_LEASE_DATABASE_URL", "mysql://solver:hidden@db/exam")
    assert main([]) == EXIT_CONFIG
    error = capsys.readouterr().err
    assert "EXAM_REDIS_URL is not set" in error
    assert "EXAM_LEASE_DATABASE_URL" in error
    assert "hidden" not in error


def test_an_unreadable_key_file_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The mounted Secret is missing: the error names the variable with its path."""
    monkeypatch.setenv("EXAM_LEASE_DATABASE_URL", "postgresql://solver@db/exam")
    monkeypatch.setenv("EXAM_REDIS_URL", "redis://redis")
    monkeypatch.setenv("EXAM_WEB_URL", "http://web")
    monkeypatch.setenv("EXAM_WEB_INTERNAL_URL", "http://web:8001")
    monkeypatch.setenv("EXAM_SOLVER_SERVICE_KEYS_FILE", "nowhere.json")
    monkeypatch.setenv("EXAM_CASSANDRA_HOSTS", "cassandra")
    monkeypatch.setenv("EXAM_SOLVER_KEYS_FILE", "nowhere.json")
    assert main([]) == EXIT_CONFIG
    assert "EXAM_SOLVER_KEYS_FILE: nowhere.json has no signing keys" in capsys.readouterr().err


def test_settings_have_bounds() -> None:
    """A lease of a millisecond would lapse at once: it is refused at start-up."""
    with pytest.raises(ValidationError, match="lease_ttl_ms"):
        SolverSettings.model_validate(
            {
                "lease_database_url": "postgresql://solver@db/exam",
                "redis_url": "redis://redis",
                "web_url": "http://web",
                "web_internal_url": "http://web:8001",
                "solver_keys_file": "keys.json",
                "solver_service_keys_file": "keys.json",
                "lease_ttl_ms": 1,
            }
        )
