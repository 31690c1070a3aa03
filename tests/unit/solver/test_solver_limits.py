"""Limits on bodies and concurrent requests, and refusals by the framework."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from exam_solver.testing.papers import SINGLE
from exam_solver.testing.world import Process, World, slug_of

MEBIBYTE = 1024 * 1024


async def test_a_body_of_ten_megabytes_is_rejected(world: World, solver: Process, attempt: str) -> None:
    """A client sends ten megabytes: rejected, with Content-Length or chunked, with a token or without."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * MEBIBYTE

    headers = {"Content-Type": "application/json"}
    for body in (b" " * 10 * MEBIBYTE, chunks()):
        response = await solver.request("PUT", world.path("answers/0"), attempt, content=body, headers=headers)
        assert (response.status_code, slug_of(response)) == (413, "body-too-large")
    response = await solver.request("POST", world.path("answers"), content=b" " * 10 * MEBIBYTE, headers=headers)
    assert response.status_code in {401, 413}


async def test_a_body_of_exactly_the_limit_is_accepted(world: World, solver: Process, attempt: str) -> None:
    """256 KiB are accepted, one byte more is not."""
    body = json.dumps({"seq": 1, "choices": [1]}).encode()
    for size, status in ((256 * 1024, 200), (256 * 1024 + 1, 413)):
        response = await solver.request(
            "PUT",
            world.path("answers/0"),
            attempt,
            content=body.ljust(size),
            headers={"Content-Type": "application/json"},
        )
        assert response.status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, 200),
        ({"Content-Type": "Application/JSON; charset=utf-8"}, 200),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "application/jsonp"}, 415),
        ({}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
    ],
)
async def test_the_media_type_must_be_json(
    world: World, solver: Process, attempt: str, headers: dict[str, str], status: int
) -> None:
    """Any other media type or an encoded body gets 415."""
    response = await solver.request(
        "PUT", world.path("answers/0"), attempt, content=b'{"seq": 1, "choices": [1]}', headers=headers
    )
    assert response.status_code == status
    assert status == 200 or slug_of(response) == "unsupported-media-type"


async def test_requests_above_the_limit_are_refused_with_retry_after(world: World) -> None:
    """All students send at once: some get 503 and retry after a second, none waits in an unbounded queue."""
    solver = await world.start_process(max_in_flight=2)
    attempt = await world.start_attempt(solver)
    with world.log.hold() as hold:
        served = [asyncio.create_task(world.put_answer(solver, attempt, SINGLE, seq, choices=[0])) for seq in (1, 2)]
        await hold.reached(2)
        refused = await world.put_answer(solver, attempt, SINGLE, 3, choices=[0])
        assert (refused.status_code, slug_of(refused), refused.headers["retry-after"]) == (503, "overloaded", "1")
        assert (await solver.request("GET", "/healthz")).status_code in {200, 503}
        metrics = (await solver.request("GET", "/metrics")).text
        assert "exam_solver_requests_in_flight 2.0" in metrics
    assert {response.status_code for response in await asyncio.gather(*served)} == {200}
    assert (await world.put_answer(solver, attempt, SINGLE, 3, choices=[0])).status_code == 200


async def test_a_sittings_name_is_not_its_id(solver: Process) -> None:
    """If I use a sitting's name where its id belongs, the response says so, and where to find the id."""
    detail = (await solver.request("POST", "/v1/sittings/algebra-today/attempt")).json()["detail"]
    assert "'algebra-today' is not the id of a sitting" in detail
    assert "GET /api/sittings" in detail


async def test_one_student_cannot_use_up_the_limit_of_all(world: World) -> None:
    """Another student opens hundreds of connections with one login: those wait, and my answer is saved."""
    solver = await world.start_process(max_in_flight=6, max_in_flight_per_student=4)
    greedy, mine = [await world.start_attempt(solver, world.access_token(student=student)) for student in (17, 18)]
    access = world.access_token(student=17)
    with world.log.hold() as hold:
        served = [
            asyncio.create_task(world.put_answer(solver, greedy, SINGLE, seq, choices=[0])) for seq in range(1, 5)
        ]
        await hold.reached(4)
        async with asyncio.timeout(60):  # served, they would be held
            again = await world.put_answer(solver, greedy, SINGLE, 9, choices=[0])
            other = await solver.request("POST", world.path("attempt"), access)
        for refused in (again, other):
            assert (refused.status_code, slug_of(refused)) == (429, "too-many-requests")
            assert refused.headers["retry-after"] == "1"
        saved = asyncio.create_task(world.put_answer(solver, mine, SINGLE, 1, choices=[0]))
        await hold.reached(5)
    assert (await saved).status_code == 200
    assert {response.status_code for response in await asyncio.gather(*served)} <= {200, 409}
    assert (await solver.request("POST", world.path("attempt"), access)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "problem"),
    [
        ("GET", "/", 404, "not-found"),
        ("GET", "/v1/nothing", 404, "not-found"),
        ("GET", "/v1/sittings/not-a-uuid/paper", 404, "not-found"),
        ("GET", "/v1/sittings/5ec73517-41df-591b-6113-f753a7b0b927/paper/", 404, "not-found"),
        ("DELETE", "/v1/keys", 405, "method-not-allowed"),
        ("POST", "/v1/sittings/5ec73517-41df-591b-6113-f753a7b0b927/time", 405, "method-not-allowed"),
    ],
)
async def test_refusals_by_the_framework_are_problems_too(
    solver: Process, method: str, path: str, status: int, problem: str
) -> None:
    """Every error has the same format."""
    response = await solver.request(method, path)
    assert (response.status_code, slug_of(response)) == (status, problem)
    assert response.json()["instance"] == path
    if status == 405:
        assert response.headers["allow"]
