"""Starting and resuming attempts."""

import asyncio
import hashlib
from dataclasses import replace
from uuid import uuid4

from exam_answerlog.log import AnswerLogUnavailableError
from exam_core.instants import MINUTE, SECOND, rfc3339
from exam_core.keys import PublicKeySet
from exam_core.schedule import State
from exam_core.shuffle import order_of, seed_of
from exam_core.tokens import read_attempt
from exam_core.windows import Pause, Window
from exam_solver.testing.papers import NUMERIC, SINGLE
from exam_solver.testing.web import new_keys
from exam_solver.testing.world import STUDENT, Process, World, slug_of


async def test_start_returns_paper_deadline_and_token(world: World, solver: Process) -> None:
    """I start and receive all that I need to answer, even if every other service fails afterwards."""
    session = uuid4()
    response = await solver.request("POST", world.path("attempt"), world.access_token(session=session))
    assert response.status_code == 201
    body = response.json()
    now = world.schedule.now
    assert (body["sitting"], body["student"]) == (str(world.sitting), STUDENT)
    assert body["started_at"] == body["now"] == rfc3339(now)
    assert body["deadline"]["at"] == rfc3339(now + 30 * MINUTE)
    assert body["paper"] == world.paper.content
    assert body["paper_digest"] == world.paper.digest
    assert (body["answers"], body["highest_seq"], body["submitted_at"]) == ([], 0, None)
    token = read_attempt(body["attempt_token"], world.solver_keys.public)
    seed = seed_of(world.solver_keys.derived("exam-shuffle"), world.sitting, STUDENT)
    assert (token.student, token.sitting, token.started_at, token.seed, token.session) == (
        STUDENT,
        world.sitting,
        now,
        seed,
        session,
    )
    assert body["order"] == order_of(world.paper, seed).to_json()


async def test_resume_returns_answers_saved_by_any_process(world: World, solver: Process, attempt: str) -> None:
    """My laptop broke: on another one, served by another solver, I get the same answers and deadline."""
    started_at = world.schedule.now
    await world.put_answer(solver, attempt, SINGLE, 3, choices=[1])
    other = await world.start_process()
    await other.request("POST", world.path("attempt"), world.access_token())
    await world.put_answer(solver, attempt, NUMERIC, 4, value="2.50")
    await solver.request("POST", world.path("submit"), attempt)
    world.clock.advance(5)
    response = await other.request("POST", world.path("attempt"), world.access_token())
    assert response.status_code == 200
    body = response.json()
    assert body["started_at"] == rfc3339(started_at)
    assert body["answers"] == [
        {"question": SINGLE, "seq": 3, "choices": [1]},
        {"question": NUMERIC, "seq": 4, "value": "2.5"},
    ]
    assert body["highest_seq"] == 4
    assert body["submitted_at"] == rfc3339(started_at)
    assert len(world.log.tables["attempts"]) == 1


async def test_concurrent_starts_agree_on_the_latest(world: World, solver: Process) -> None:
    """I tapped twice: whichever solvers served it, the latest start holds."""
    other = await world.start_process()
    token = world.access_token()
    with world.log.hold() as hold:
        first = asyncio.create_task(solver.request("POST", world.path("attempt"), token))
        await hold.reached(1)
        world.clock.advance(1)
        second = asyncio.create_task(other.request("POST", world.path("attempt"), token))
        await hold.reached(2)
        hold.release()
    responses = await asyncio.gather(first, second)
    assert len(world.log.tables["attempts"]) == 2
    starts = {row.started_at for row in world.log.tables["attempts"].values()}
    assert {response.json()["started_at"] for response in responses} == {rfc3339(max(starts))}
    assert sorted(response.status_code for response in responses) in ([200, 201], [201, 201])
    for response in responses:
        await world.put_answer(solver, response.json()["attempt_token"], SINGLE, 1, choices=[0])


async def test_start_before_the_opening_returns_when_it_opens(world: World, solver: Process) -> None:
    """I start too early: the response says when the sitting opens, without a read of the store."""
    sitting = uuid4()
    opens_at = world.schedule.now + 90 * SECOND
    world.add_sitting(sitting, Window(opens_at=opens_at, closes_at=opens_at + MINUTE, duration=MINUTE))
    await solver.renew()
    world.log.fail_with(AnswerLogUnavailableError("down"))
    response = await solver.request("POST", world.path("attempt", sitting), world.access_token())
    assert (response.status_code, slug_of(response), response.headers["retry-after"]) == (
        409,
        "not-open-yet",
        "90",
    )
    assert response.json()["opens_at"] == rfc3339(opens_at)
    world.log.fail_with(None)
    world.clock.advance(90)
    await solver.renew()
    assert (await solver.request("POST", world.path("attempt", sitting), world.access_token())).status_code == 201


async def test_after_the_window_only_started_attempts_may_resume(world: World, solver: Process, attempt: str) -> None:
    """The window has closed: no student may start, but I may resume my attempt."""
    world.clock.advance(60 * 60)
    await solver.renew()
    late = await solver.request("POST", world.path("attempt"), world.access_token(student=99))
    assert (late.status_code, slug_of(late)) == (409, "starts-over")
    inside = await solver.request("POST", world.path("attempt"), world.access_token())
    assert inside.status_code == 200


async def test_a_stale_schedule_does_not_refuse_a_start_as_over(world: World, solver: Process) -> None:
    """The window may have been extended while PostgreSQL was down: I get 503 and may retry."""
    world.clock.advance(58 * 60)
    await solver.renew()
    world.clock.advance(2)
    world.schedule.change(world.sitting, window=replace(world.window, closes_at=world.window.closes_at - 57 * SECOND))
    await solver.renew()
    world.clock.advance(2.1)
    response = await solver.request("POST", world.path("attempt"), world.access_token())
    assert (response.status_code, slug_of(response), response.headers["retry-after"]) == (503, "unavailable", "1")
    await solver.renew()
    response = await solver.request("POST", world.path("attempt"), world.access_token())
    assert (response.status_code, slug_of(response)) == (409, "starts-over")


async def test_a_closing_sitting_refuses_start_and_resume(world: World, solver: Process, attempt: str) -> None:
    """The sitting is being closed: I may neither start nor resume."""
    world.schedule.change(world.sitting, state=State.CLOSING)
    await solver.renew()
    response = await solver.request("POST", world.path("attempt"), world.access_token())
    assert (response.status_code, slug_of(response)) == (409, "starts-over")


async def test_a_student_of_another_level_may_not_start(world: World, solver: Process) -> None:
    """I am in the second year: the start is refused, open or not."""
    for window in (world.window, replace(world.window, opens_at=world.schedule.now + MINUTE)):
        world.schedule.change(world.sitting, window=window)
        await solver.renew()
        response = await solver.request("POST", world.path("attempt"), world.access_token(level="year-2"))
        assert (response.status_code, slug_of(response)) == (403, "wrong-level")
    assert world.log.tables["attempts"] == {}


async def test_the_level_is_checked_at_the_start_only(world: World, solver: Process, attempt: str) -> None:
    """I was moved to the second year during the exam: I may finish it."""
    assert (await solver.request("POST", world.path("attempt"), world.access_token(level="year-2"))).status_code == 200


async def test_a_pause_refuses_starts_but_not_resumes(world: World, solver: Process, attempt: str) -> None:
    """The sitting is paused: no student may start, but I may resume and read my paper."""
    world.schedule.change(world.sitting, window=replace(world.window, pauses=(Pause(began=world.schedule.now),)))
    await solver.renew()
    new = await solver.request("POST", world.path("attempt"), world.access_token(student=99))
    assert (new.status_code, slug_of(new), new.headers["retry-after"]) == (409, "sitting-paused", "2")
    mine = await solver.request("POST", world.path("attempt"), world.access_token())
    assert mine.status_code == 200
    assert mine.json()["deadline"]["at"] is None


async def test_a_start_that_fails_costs_no_time(world: World, solver: Process) -> None:
    """The store is down: my time starts only when a start is recorded."""
    world.log.fail_with(AnswerLogUnavailableError("no quorum"))
    response = await solver.request("POST", world.path("attempt"), world.access_token())
    assert (response.status_code, slug_of(response), response.headers["retry-after"]) == (503, "unavailable", "1")
    assert world.log.tables["attempts"] == {}
    world.log.fail_with(None)
    world.clock.advance(10)
    response = await solver.request("POST", world.path("attempt"), world.access_token())
    assert response.json()["started_at"] == rfc3339(world.schedule.now)


async def test_a_start_whose_lease_lapsed_is_not_acknowledged(world: World, solver: Process) -> None:
    """The lease lapsed while my start was written: I retry, and the later start holds."""
    with world.log.hold() as hold:
        starting = asyncio.create_task(solver.request("POST", world.path("attempt"), world.access_token()))
        await hold.reached()
        world.clock.advance(31)
        await solver.renew()
    response = await starting
    assert (response.status_code, slug_of(response)) == (503, "unavailable")
    assert (await solver.request("POST", world.path("attempt"), world.access_token())).status_code == 201


async def test_the_paper_is_loaded_before_the_start_is_recorded(world: World, solver: Process) -> None:
    """A paper that cannot be read must not cost me time."""
    world.cache.papers.clear()
    world.log.tables["papers"].clear()
    response = await solver.request("POST", world.path("attempt"), world.access_token())
    assert (response.status_code, slug_of(response)) == (503, "unavailable")
    assert world.log.tables["attempts"] == {}


async def test_an_order_cannot_be_computed_from_public_ids(world: World, solver: Process) -> None:
    """I know the ids of the sitting and of my neighbour: without the solvers' secret they tell me no order."""
    token = (await solver.request("POST", world.path("attempt"), world.access_token())).json()["attempt_token"]
    seed = read_attempt(token, world.solver_keys.public).seed
    public = hashlib.sha256(b"exam-seed\0%s%d" % (world.sitting.bytes, STUDENT)).digest()
    assert seed != int.from_bytes(public[:8]) >> 1
    assert seed != seed_of(new_keys().derived("exam-shuffle"), world.sitting, STUDENT)


async def test_an_attempt_keeps_its_order_over_a_key_rotation(world: World, solver: Process) -> None:
    """The solver keys were rotated during my exam: I resume and see the questions in the same order."""
    token = world.access_token()
    first = await solver.request("POST", world.path("attempt"), token)
    world.rotate_solver_keys()
    rotated = await world.start_process()
    second = await rotated.request("POST", world.path("attempt"), token)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["order"] == first.json()["order"]
    seeds = {
        read_attempt(response.json()["attempt_token"], world.solver_keys.public).seed for response in (first, second)
    }
    assert len(seeds) == 1


async def test_an_attempt_token_survives_a_key_rotation(world: World) -> None:
    """The solver keys were rotated during my exam: my attempt token stays valid."""
    solver = await world.start_process()
    attempt = await world.start_attempt(solver)
    world.rotate_solver_keys()
    rotated = await world.start_process()
    response = await world.put_answer(rotated, attempt, SINGLE, 1, choices=[0])
    assert response.status_code == 200
    published = PublicKeySet.from_jwks((await rotated.request("GET", "/v1/keys")).json())
    assert len(published.keys) == 2
