"""Outages of stores and services: answers continue where possible, and no acknowledged answer is lost."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from time import monotonic

import httpx
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

WEB = "localhost"


def _unavailable(platform, reply, slug) -> None:
    """Check that a response is a 503 with Retry-After."""
    platform.assert_problem(reply, 503, slug)
    assert int(reply.headers["Retry-After"]) >= 1


# Redis


@pytest.mark.parametrize("how", ["frozen", "down"])
def test_an_outage_of_redis_does_not_affect_students(platform, how) -> None:
    """If cache and broker are unavailable, I log in, list exams, start and answer; afterwards, everything is graded."""
    sitting = platform.sitting()
    running = platform.start(sitting)
    single, numeric = running.question("single"), running.question("numeric")
    running.answer(single, {"seq": 1, "choices": [0]})
    with getattr(platform, how)(platform.stack.redis), getattr(platform, how)(platform.stack.broker):
        running.answer(single, {"seq": 2, "choices": [1]})
        started = platform.start(sitting)
        started.answer(numeric, {"seq": 1, "value": "3"})
        for path in ("/api/exams", "/api/sittings"):
            listed = platform.request("GET", path, host=WEB, token=started.tokens["access"])
            assert listed.status_code == 200
            assert listed.json()["results"]
        running.answer(numeric, {"seq": 3, "value": "8"})
        platform.operate(sitting, "stop")
    platform.finish(sitting, stop=False)
    platform.assert_graded(sitting, running, started)


# PostgreSQL


def test_a_postgresql_outage_shorter_than_a_lease_does_not_affect_answers(platform) -> None:
    """If PostgreSQL is unavailable for a moment, my answers are acknowledged as usual."""
    attempt = platform.start(platform.sitting())
    number = attempt.question("single")
    attempt.answer(number, {"seq": 1, "choices": [0]})
    with platform.frozen(platform.stack.postgres):
        began = monotonic()
        reply = attempt.put(number, {"seq": 2, "choices": [1]})
        took = monotonic() - began
    assert reply.status_code == 200, f"{reply.text} after {took} s"
    attempt.record(number, {"seq": 2, "choices": [1]}, reply.json())
    attempt.answer(number, {"seq": 3, "choices": [2]})
    assert attempt.resume()["answers"] == [{"question": number, "seq": 3, "choices": [2]}]


def test_a_longer_postgresql_outage_loses_no_answer(platform) -> None:
    """If PostgreSQL is down for long, I get 503 with Retry-After; later my answers are accepted, and all are graded."""
    sitting = platform.sitting()
    attempt = platform.start(sitting)
    single, multiple = attempt.question("single"), attempt.question("multiple")
    attempt.answer(single, {"seq": 1, "choices": [0]})
    seq = 1

    def refused() -> httpx.Response | None:
        nonlocal seq
        body = {"seq": seq + 1, "choices": [seq % 2]}
        reply = attempt.put(single, body)
        if reply.status_code == 200:
            seq += 1
            attempt.record(single, body, reply.json())
            return None
        # The lease may expire while an answer is being processed: the student's page would retry that one.
        return None if reply.json()["type"].endswith("/not-known-saved") else reply

    def not_started() -> httpx.Response | None:
        reply = platform.call("POST", f"{sitting.path}/attempt", token=attempt.tokens["access"])
        return None if reply.is_success else reply

    last = {"seq": 1_000, "choices": [1]}
    with platform.down(platform.stack.postgres):
        _unavailable(platform, platform.eventually("leases expire", refused), "unavailable")
        for number, body in ((single, last), (multiple, {"seq": 1_000, "choices": [2]})):
            _unavailable(platform, attempt.put(number, body), "unavailable")
        # Another token may be routed to the other solver, whose lease expires at another time.
        started = platform.eventually("no attempt can start", not_started)
        _unavailable(platform, started, "unavailable")
    attempt.answer(single, last)
    assert attempt.resume()["highest_seq"] == 1_000
    platform.finish(sitting)
    platform.assert_graded(sitting, attempt)


# Cassandra


def test_a_cassandra_outage_returns_not_known_saved(platform) -> None:
    """If Cassandra does not respond, I learn that my answer may not be saved; after a retry it is."""
    sitting = platform.sitting()
    attempt = platform.start(sitting)
    number, other = attempt.question("single"), attempt.question("numeric")
    attempt.answer(number, {"seq": 1, "choices": [0]})
    body = {"seq": 2, "choices": [1]}
    with platform.frozen(platform.stack.cassandra):
        _unavailable(platform, attempt.put(number, body), "not-known-saved")
        resumed = platform.call("POST", f"{sitting.path}/attempt", token=attempt.tokens["access"])
        _unavailable(platform, resumed, "unavailable")
    attempt.answer(number, body)
    attempt.answer(other, {"seq": 2, "value": "4.5"})
    assert attempt.resume()["answers"] == sorted(
        [{"question": number, **body}, {"question": other, "seq": 2, "value": "4.5"}], key=lambda row: row["question"]
    )
    platform.finish(sitting)
    platform.assert_graded(sitting, attempt)


# web


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_an_outage_of_web_does_not_affect_running_attempts(platform, how) -> None:
    """If web is down, new logins fail, and I answer, resume and submit as before."""
    attempt = platform.start(platform.sitting())
    number = attempt.question("single")
    attempt.answer(number, {"seq": 1, "choices": [0]})
    web = platform.stack.web
    with platform.frozen(web) if how == "frozen" else _stopped(web):
        attempt.answer(number, {"seq": 2, "choices": [1]})
        assert attempt.resume()["answers"] == [{"question": number, "seq": 2, "choices": [1]}]
        submitted = platform.request("POST", f"{attempt.sitting.path}/submit", token=attempt.token)
        assert submitted.status_code == 200
        if how == "stopped":
            reply = platform.call("POST", "/api/auth/students/login", host=WEB, json={"username": "a", "password": "b"})
            _unavailable(platform, reply, "unavailable")
    assert platform.log_in(attempt.account)["access"]


@contextmanager
def _stopped(server) -> Iterator[None]:
    assert server.process.stop() == 0
    try:
        yield
    finally:
        server.start()
        server.await_ready()


# solvers


def test_a_stopped_solver_loses_no_acknowledged_answer(platform) -> None:
    """If a solver is stopped while I answer, every acknowledged answer is graded."""
    sitting = platform.sitting()
    attempts = [platform.start(sitting) for _ in range(4)]
    stopping = platform.stack.solvers[0]
    holder = platform.holder(stopping)
    # Two attempts use the stopping solver directly while it runs.
    direct, stop = {id(attempt) for attempt in attempts[:2]}, threading.Event()
    taken: list[int] = []

    def write(attempt) -> None:
        number, seq = attempt.question("single"), 0
        while not stop.is_set():
            seq += 1
            body = {"seq": seq, "choices": [seq % 4]}
            if id(attempt) in direct:
                with suppress(httpx.TransportError):
                    reply = attempt.put(number, body, base=stopping.url)
                    if reply.status_code == 200:
                        attempt.record(number, body, reply.json())
                        taken.append(seq)
                        continue
                    assert reply.status_code == 503, reply.text
            attempt.answer(number, body)

    with ThreadPoolExecutor() as beside:
        writers = [beside.submit(write, attempt) for attempt in attempts]
        try:
            platform.eventually("answers are acknowledged", lambda: len(taken) >= 20)
            code = stopping.process.stop()
            held = platform.postgres.leases()
            before = [attempt.acknowledged[attempt.question("single")][0] for attempt in attempts]
            platform.eventually(
                "the other solver acknowledges answers",
                lambda: all(
                    attempt.acknowledged[attempt.question("single")][0] > seq + 5
                    for attempt, seq in zip(attempts, before, strict=True)
                ),
            )
        finally:
            stop.set()
            ended = [writer.exception() for writer in writers]
            if not stopping.process.alive:
                stopping.start()
                stopping.await_ready()
    assert ended == [None] * 4
    assert code == 0
    assert holder not in {str(name) for name in held}
    platform.finish(sitting)
    platform.assert_graded(sitting, *attempts)


@pytest.mark.parametrize("writing", [False, True], ids=["before admission", "during a write"])
def test_a_solver_frozen_during_the_close_acknowledges_nothing(platform, writing) -> None:
    """If a solver freezes while processing my answer and resumes after the close, it does not acknowledge it."""
    sitting = platform.sitting()
    attempt = platform.start(sitting)
    single, numeric = attempt.question("single"), attempt.question("numeric")
    frozen = platform.stack.solvers[0]
    attempt.answer(single, {"seq": 1, "choices": [0]}, base=frozen.url)
    old_holder = platform.holder(frozen)
    body = {"seq": 2, "choices": [1]}
    with ThreadPoolExecutor(1) as beside:
        # Freeze it during a write, or before it reads the request.
        if writing:
            with platform.frozen(platform.stack.cassandra):
                sent = beside.submit(attempt.put, single, body, base=frozen.url)
                in_flight = "exam_solver_lease_admissions_in_flight"
                platform.eventually("the answer is in flight", lambda: platform.metric(frozen, in_flight) >= 1)
                frozen.pause()
        else:
            frozen.pause()
            sent = beside.submit(attempt.put, single, body, base=frozen.url)
        try:
            attempt.answer(numeric, {"seq": 3, "value": "8"}, base=platform.stack.solvers[1].url)
            waited_for: set[str] = set()
            platform.operate(sitting, "stop")

            def graded() -> bool:
                status = platform.client.sitting(sitting.name)
                waited_for.update(waiting["holder"] for waiting in status["waiting_for"])
                return [revision["state"] for revision in status["revisions"]] == ["graded"]

            platform.eventually("the sitting is graded", graded)
            assert not sent.done()
        finally:
            frozen.resume()
        reply = sent.result(timeout=30)
    # The close waited until the frozen solver's lease had certainly expired.
    assert old_holder in waited_for
    assert reply.status_code in {409, 503}, reply.text
    platform.assert_problem(reply, reply.status_code, reply.json()["type"].rpartition("/")[2])
    platform.eventually("the frozen solver has a new holder id", lambda: platform.holder(frozen) != old_holder)
    assert old_holder not in {str(name) for name in platform.postgres.leases()}
    again = platform.request("PUT", f"{sitting.path}/answers/{single}", token=attempt.token, json=body, base=frozen.url)
    # A row that was written in time without an acknowledgement counts if the seal has it; the solver follows the seal.
    counted = platform.sealed(sitting).students[attempt.student].answers[single]
    assert counted.seq in ({1, 2} if writing else {1})
    if counted.seq == 2:
        assert again.status_code == 200, again.text
        attempt.record(single, body, again.json())
    else:
        platform.assert_problem(again, 409, "deadline-passed")
    platform.assert_graded(sitting, attempt)
