"""What an operator sees: probes, metrics, logs, the API's description."""

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


async def test_a_solver_is_ready_when_it_could_save_an_answer(world: World, solver: Process) -> None:
    """Readiness says what is wrong: the lease, the store, or that it is ending."""
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


async def test_redis_and_web_do_not_decide_readiness(world: World, solver: Process) -> None:
    """Attempts go on without web and Redis, so no solver is taken out for them."""
    world.web.down = True
    world.cache.papers.clear()
    assert (await solver.request("GET", "/readyz")).status_code == 200


async def test_a_solver_that_never_had_a_lease_is_not_ready(world: World) -> None:
    """A new process gets no requests before it can serve them, and refuses those that come."""
    solver = world.build_process()
    assert (await solver.request("GET", "/readyz")).status_code == 503
    for response in (
        await solver.request("POST", world.path("attempt"), world.access_token()),
        await solver.request("GET", world.path("time"), world.access_token()),
    ):
        assert (response.status_code, slug_of(response)) == (503, "unavailable")


async def test_a_solver_lives_while_its_lease_loop_comes_round(world: World, solver: Process) -> None:
    """PostgreSQL being down is no reason to restart a solver; a loop that hangs is."""
    assert (await solver.request("GET", "/healthz")).status_code == 503
    solver.solver.keeper.start()
    solver.store.down = True
    assert (await solver.request("GET", "/healthz")).status_code == 200
    world.clock.advance(31)
    assert (await solver.request("GET", "/healthz")).json()["checks"]["lease_loop"]["ok"] is False


async def test_metrics_count_what_became_of_answers(world: World, solver: Process, attempt: str) -> None:
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


async def test_every_answer_names_its_request(solver: Process) -> None:
    """I can tell support which request it was."""
    assert re.fullmatch(r"[0-9a-f]{32}", (await solver.request("GET", "/v1/keys")).headers["x-request-id"])
    for given, kept in (("abc-12_3", True), ("short", False), ("a" * 65, False), ("a b", False), ('{"x":1}', False)):
        response = await solver.request("GET", "/nothing", headers={"X-Request-ID": given})
        assert (response.headers["x-request-id"] == given) is kept


async def test_a_fault_of_ours_tells_its_request_and_nothing_else(world: World, solver: Process, attempt: str) -> None:
    """A bug shows me an id for support, not our insides; the log has the rest."""
    world.log.fail_with(RuntimeError("secret detail"))
    with structlog.testing.capture_logs() as logs:
        response = await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    assert (response.status_code, slug_of(response)) == (500, "internal")
    assert "secret" not in response.text
    assert response.headers["x-request-id"]
    errors = {entry["event"] for entry in logs if entry["log_level"] == "error"}
    assert errors == {"request_failed", "work_in_flight_failed"}
    assert solver.solver.keeper.in_flight == 0


async def test_logs_hold_no_tokens_and_no_answers(world: World, solver: Process, attempt: str) -> None:
    """Who reads the log learns that I answered, not what, and cannot answer in my name."""
    with structlog.testing.capture_logs() as logs:
        response = await world.put_answer(solver, attempt, SINGLE, 1, choices=[3])
    assert [(entry["event"], entry["status"]) for entry in logs] == [("request_served", 200)]
    for secret in (attempt, response.json()["receipt"], "choices"):
        assert secret not in str(logs)


async def test_the_api_describes_itself(solver: Process) -> None:
    """I write a client from the description alone: every body, every token, every reference is there."""
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
    """I forgot to set something: I am told what, and no secret is printed."""
    for name in ("REDIS_URL", "WEB_URL", "SOLVER_KEYS_FILE"):
        monkeypatch.delenv(f"EXAM_{name}", raising=False)
    monkeypatch.setenv("EXAM_LEASE_DATABASE_URL", "mysql://solver:hidden@db/exam")
    assert main([]) == EXIT_CONFIG
    told = capsys.readouterr().err
    assert "EXAM_REDIS_URL is not set" in told
    assert "EXAM_LEASE_DATABASE_URL" in told
    assert "hidden" not in told


def test_a_key_file_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The mounted Secret is missing: I am told which variable points at it."""
    monkeypatch.setenv("EXAM_LEASE_DATABASE_URL", "postgresql://solver@db/exam")
    monkeypatch.setenv("EXAM_REDIS_URL", "redis://redis")
    monkeypatch.setenv("EXAM_WEB_URL", "http://web")
    monkeypatch.setenv("EXAM_CASSANDRA_HOSTS", "cassandra")
    monkeypatch.setenv("EXAM_SOLVER_KEYS_FILE", "nowhere.json")
    assert main([]) == EXIT_CONFIG
    assert "EXAM_SOLVER_KEYS_FILE: nowhere.json has no signing keys" in capsys.readouterr().err


def test_settings_have_bounds() -> None:
    """A lease of a millisecond would never hold: it is refused at start-up."""
    with pytest.raises(ValidationError, match="lease_ttl_ms"):
        SolverSettings.model_validate(
            {
                "lease_database_url": "postgresql://solver@db/exam",
                "redis_url": "redis://redis",
                "web_url": "http://web",
                "solver_keys_file": "keys.json",
                "lease_ttl_ms": 1,
            }
        )
