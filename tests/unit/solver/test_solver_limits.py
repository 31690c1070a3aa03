"""What is too much is refused at the door."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from exam_solver.testing.papers import SINGLE
from exam_solver.testing.world import Process, World, slug_of

MEBIBYTE = 1024 * 1024


async def test_a_body_of_ten_megabytes_is_refused(world: World, solver: Process, attempt: str) -> None:
    """Somebody sends ten megabytes: refused, announced or not, to people with a token and without."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * MEBIBYTE

    headers = {"Content-Type": "application/json"}
    for body in (b" " * 10 * MEBIBYTE, chunks()):
        response = await solver.request("PUT", world.path("answers/0"), attempt, content=body, headers=headers)
        assert (response.status_code, slug_of(response)) == (413, "body-too-large")
    response = await solver.request("POST", world.path("answers"), content=b" " * 10 * MEBIBYTE, headers=headers)
    assert response.status_code in {401, 413}


async def test_a_body_of_just_the_limit_is_read(world: World, solver: Process, attempt: str) -> None:
    """64 KiB are taken, one byte more is not."""
    body = json.dumps({"seq": 1, "choices": [1]}).encode()
    for size, status in ((64 * 1024, 200), (64 * 1024 + 1, 413)):
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
async def test_only_json_is_read(
    world: World, solver: Process, attempt: str, headers: dict[str, str], status: int
) -> None:
    """I am told to send JSON."""
    response = await solver.request(
        "PUT", world.path("answers/0"), attempt, content=b'{"seq": 1, "choices": [1]}', headers=headers
    )
    assert response.status_code == status
    assert status == 200 or slug_of(response) == "unsupported-media-type"


async def test_more_requests_than_can_be_served_are_told_to_come_back(world: World) -> None:
    """Everybody comes at once: some are told to try again in a second, nobody waits in an endless queue."""
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
async def test_what_the_framework_refuses_is_a_problem_too(
    solver: Process, method: str, path: str, status: int, problem: str
) -> None:
    """Whatever goes wrong, I get the same form of answer."""
    response = await solver.request(method, path)
    assert (response.status_code, slug_of(response)) == (status, problem)
    assert response.json()["instance"] == path
    if status == 405:
        assert response.headers["allow"]
