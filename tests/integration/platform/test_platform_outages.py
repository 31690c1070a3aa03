"""Stores and services that freeze, die and come back: answers go on where they can, and none that counts is lost."""

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
    """Check that an answer was refused for now, with the time after which to send it again."""
    platform.refused(reply, 503, slug)
    assert int(reply.headers["Retry-After"]) >= 1


# Redis


@pytest.mark.parametrize("how", ["frozen", "away"])
def test_without_redis_nothing_that_students_do_stops(platform, how) -> None:
    """If Redis is gone, I log in, see my exams, start and answer; once it is back, all of it is graded."""
    sitting = platform.sitting()
    running = platform.start(sitting)
    single, numeric = running.question("single"), running.question("numeric")
    running.answer(single, {"seq": 1, "choices": [0]})
    with getattr(platform, how)(platform.stack.redis):
        running.answer(single, {"seq": 2, "choices": [1]})
        begun = platform.start(sitting)
        begun.answer(numeric, {"seq": 1, "value": "3"})
        for path in ("/api/exams", "/api/sittings"):
            listed = platform.surely("GET", path, host=WEB, token=begun.tokens["access"])
            assert listed.status_code == 200
            assert listed.json()["results"]
        running.answer(numeric, {"seq": 3, "value": "8"})
        platform.operate(sitting, "stop")
    platform.finish(sitting, stop=False)
    platform.assert_graded(sitting, running, begun)


# PostgreSQL


def test_without_postgresql_for_less_than_a_lease_answers_go_on(platform) -> None:
    """If PostgreSQL is away for a moment, my answers are acknowledged as if nothing had happened."""
    desk = platform.start(platform.sitting())
    number = desk.question("single")
    desk.answer(number, {"seq": 1, "choices": [0]})
    with platform.frozen(platform.stack.postgres):
        began = monotonic()
        reply = desk.put(number, {"seq": 2, "choices": [1]})
        took = monotonic() - began
    assert reply.status_code == 200, f"{reply.text} after {took} s"
    desk.note(number, {"seq": 2, "choices": [1]}, reply.json())
    desk.answer(number, {"seq": 3, "choices": [2]})
    assert desk.resume()["answers"] == [{"question": number, "seq": 3, "choices": [2]}]


def test_without_postgresql_for_longer_answers_wait_and_none_is_lost(platform) -> None:
    """If PostgreSQL is away for long, I am asked to come back; then my answer is taken, and all of them are graded."""
    sitting = platform.sitting()
    desk = platform.start(sitting)
    single, multiple = desk.question("single"), desk.question("multiple")
    desk.answer(single, {"seq": 1, "choices": [0]})
    seq = 1

    def refused() -> httpx.Response | None:
        nonlocal seq
        body = {"seq": seq + 1, "choices": [seq % 2]}
        reply = desk.put(single, body)
        if reply.status_code == 200:
            seq += 1
            desk.note(single, body, reply.json())
            return None
        # The lease may end while an answer is on its way: that one is sent again, as the student's page would.
        return None if reply.json()["type"].endswith("/not-known-saved") else reply

    def not_started() -> httpx.Response | None:
        reply = platform.call("POST", f"{sitting.path}/attempt", token=desk.tokens["access"])
        return None if reply.is_success else reply

    last = {"seq": 1_000, "choices": [1]}
    with platform.away(platform.stack.postgres):
        _unavailable(platform, platform.eventually("leases end", refused), "unavailable")
        for number, body in ((single, last), (multiple, {"seq": 1_000, "choices": [2]})):
            _unavailable(platform, desk.put(number, body), "unavailable")
        # Another token may lead to the other solver, whose lease ends when it ends.
        started = platform.eventually("nobody can start", not_started)
        _unavailable(platform, started, "unavailable")
    desk.answer(single, last)
    assert desk.resume()["highest_seq"] == 1_000
    platform.finish(sitting)
    platform.assert_graded(sitting, desk)


# Cassandra


def test_without_cassandra_an_answer_is_not_known_saved_until_it_is_back(platform) -> None:
    """If Cassandra does not answer, I am told that my answer may not be saved; sent again later, it is."""
    sitting = platform.sitting()
    desk = platform.start(sitting)
    number, other = desk.question("single"), desk.question("numeric")
    desk.answer(number, {"seq": 1, "choices": [0]})
    body = {"seq": 2, "choices": [1]}
    with platform.frozen(platform.stack.cassandra):
        _unavailable(platform, desk.put(number, body), "not-known-saved")
        resumed = platform.call("POST", f"{sitting.path}/attempt", token=desk.tokens["access"])
        _unavailable(platform, resumed, "unavailable")
    desk.answer(number, body)
    desk.answer(other, {"seq": 2, "value": "4.5"})
    assert desk.resume()["answers"] == sorted(
        [{"question": number, **body}, {"question": other, "seq": 2, "value": "4.5"}], key=lambda row: row["question"]
    )
    platform.finish(sitting)
    platform.assert_graded(sitting, desk)


# web


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_without_web_running_attempts_go_on(platform, how) -> None:
    """If web is down, nobody new logs in, and I answer, resume and submit as before."""
    desk = platform.start(platform.sitting())
    number = desk.question("single")
    desk.answer(number, {"seq": 1, "choices": [0]})
    web = platform.stack.web
    with platform.frozen(web) if how == "frozen" else _stopped(web):
        desk.answer(number, {"seq": 2, "choices": [1]})
        assert desk.resume()["answers"] == [{"question": number, "seq": 2, "choices": [1]}]
        submitted = platform.surely("POST", f"{desk.sitting.path}/submit", token=desk.token)
        assert submitted.status_code == 200
        if how == "stopped":
            reply = platform.call("POST", "/api/auth/students/login", host=WEB, json={"username": "a", "password": "b"})
            _unavailable(platform, reply, "unavailable")
    assert platform.log_in(desk.account)["access"]


@contextmanager
def _stopped(server) -> Iterator[None]:
    assert server.process.stop() == 0
    try:
        yield
    finally:
        server.start()
        server.await_ready()


# solvers


def test_a_solver_that_is_told_to_end_loses_no_acknowledged_answer(platform) -> None:
    """If a solver is taken away while I write, every answer that was acknowledged is graded."""
    sitting = platform.sitting()
    desks = [platform.start(sitting) for _ in range(4)]
    leaving = platform.stack.solvers[0]
    holder = platform.holder(leaving)
    # Two of them speak to the solver that leaves, for as long as it is there.
    direct, over = {id(desk) for desk in desks[:2]}, threading.Event()
    taken: list[int] = []

    def write(desk) -> None:
        number, seq = desk.question("single"), 0
        while not over.is_set():
            seq += 1
            body = {"seq": seq, "choices": [seq % 4]}
            if id(desk) in direct:
                with suppress(httpx.TransportError):
                    reply = desk.put(number, body, base=leaving.url)
                    if reply.status_code == 200:
                        desk.note(number, body, reply.json())
                        taken.append(seq)
                        continue
                    assert reply.status_code == 503, reply.text
            desk.answer(number, body)

    with ThreadPoolExecutor() as beside:
        writers = [beside.submit(write, desk) for desk in desks]
        try:
            platform.eventually("answers stream in", lambda: len(taken) >= 20)
            code = leaving.process.stop()
            held = platform.postgres.leases()
            before = [desk.acknowledged[desk.question("single")][0] for desk in desks]
            platform.eventually(
                "the others go on",
                lambda: all(
                    desk.acknowledged[desk.question("single")][0] > seq + 5
                    for desk, seq in zip(desks, before, strict=True)
                ),
            )
        finally:
            over.set()
            ended = [writer.exception() for writer in writers]
            if not leaving.process.alive:
                leaving.start()
                leaving.await_ready()
    assert ended == [None] * 4
    assert code == 0
    assert holder not in {str(name) for name in held}
    platform.finish(sitting)
    platform.assert_graded(sitting, *desks)


@pytest.mark.parametrize("writing", [False, True], ids=["before admission", "while it writes"])
def test_a_solver_that_slept_through_the_close_acknowledges_nothing(platform, writing) -> None:
    """If a solver freezes with my answer in its hands and wakes after the close, it does not say that it counts."""
    sitting = platform.sitting()
    desk = platform.start(sitting)
    single, numeric = desk.question("single"), desk.question("numeric")
    sleeper = platform.stack.solvers[0]
    desk.answer(single, {"seq": 1, "choices": [0]}, base=sleeper.url)
    dead = platform.holder(sleeper)
    body = {"seq": 2, "choices": [1]}
    with ThreadPoolExecutor(1) as beside:
        # Frozen in the middle of a write, or before it reads the request at all.
        if writing:
            with platform.frozen(platform.stack.cassandra):
                sent = beside.submit(desk.put, single, body, base=sleeper.url)
                in_flight = "exam_solver_lease_admissions_in_flight"
                platform.eventually("the answer is in flight", lambda: platform.metric(sleeper, in_flight) >= 1)
                sleeper.pause()
        else:
            sleeper.pause()
            sent = beside.submit(desk.put, single, body, base=sleeper.url)
        try:
            desk.answer(numeric, {"seq": 3, "value": "8"}, base=platform.stack.solvers[1].url)
            waited_for: set[str] = set()
            platform.operate(sitting, "stop")

            def graded() -> bool:
                status = platform.operator.sitting(sitting.name)
                waited_for.update(waiting["holder"] for waiting in status["waiting_for"])
                return [revision["state"] for revision in status["revisions"]] == ["graded"]

            platform.eventually("the sitting is graded", graded)
            assert not sent.done()
        finally:
            sleeper.resume()
        reply = sent.result(timeout=30)
    # The close waited until the sleeper's lease had ended for certain.
    assert dead in waited_for
    assert reply.status_code in {409, 503}, reply.text
    platform.refused(reply, reply.status_code, reply.json()["type"].rpartition("/")[2])
    platform.eventually("the sleeper is a new holder", lambda: platform.holder(sleeper) != dead)
    assert dead not in {str(name) for name in platform.postgres.leases()}
    again = platform.surely("PUT", f"{sitting.path}/answers/{single}", token=desk.token, json=body, base=sleeper.url)
    platform.refused(again, 409, "deadline-passed")
    if writing:
        # It was written in time, though nobody was told: the seal may have it, and then degrees follow the seal.
        sealed = platform.sealed(sitting).students[desk.attempt["student"]].answers[single]
        desk.acknowledged[single] = (sealed.seq, sealed.content)
        assert sealed.seq in {1, 2}
    platform.assert_graded(sitting, desk)
