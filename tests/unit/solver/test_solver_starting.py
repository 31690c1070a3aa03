"""Starting and resuming attempts."""

import asyncio
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
from exam_solver.testing.world import STUDENT, Process, World, slug_of


async def test_starting_gives_paper_deadline_and_token(world: World, solver: Process) -> None:
    """I start and get everything I need to answer, even if every other service then fails."""
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
    seed = seed_of(world.sitting, STUDENT)
    assert (token.student, token.sitting, token.started_at, token.seed, token.session) == (
        STUDENT,
        world.sitting,
        now,
        seed,
        session,
    )
    assert body["order"] == order_of(world.paper, seed).to_json()


async def test_resuming_gives_back_what_was_saved_wherever_it_was_saved(
    world: World, solver: Process, attempt: str
) -> None:
    """My laptop died: on another one, at another solver, my answers and my deadline are as they were."""
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


async def test_two_processes_racing_a_start_agree_on_the_earliest(world: World, solver: Process) -> None:
    """I tapped twice: whichever solvers took it, there is one start, the earliest."""
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
    assert {response.json()["started_at"] for response in responses} == {rfc3339(min(starts))}
    assert sorted(response.status_code for response in responses) in ([200, 201], [201, 201])
    for response in responses:
        await world.put_answer(solver, response.json()["attempt_token"], SINGLE, 1, choices=[0])


async def test_a_sitting_that_is_not_open_yet_says_when(world: World, solver: Process) -> None:
    """I come too early: I am told when to come back, and no store is asked for me."""
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


async def test_after_the_close_nobody_starts_but_who_began_may_resume(
    world: World, solver: Process, attempt: str
) -> None:
    """The doors are shut for starting; I sit inside and may come back to my attempt."""
    world.clock.advance(60 * 60)
    await solver.renew()
    late = await solver.request("POST", world.path("attempt"), world.access_token(student=99))
    assert (late.status_code, slug_of(late)) == (409, "starts-over")
    inside = await solver.request("POST", world.path("attempt"), world.access_token())
    assert inside.status_code == 200


async def test_a_close_known_from_old_news_is_not_final(world: World, solver: Process) -> None:
    """The window may have been extended while PostgreSQL was away: I am told to try again."""
    world.clock.advance(58 * 60)
    await solver.renew()
    world.clock.advance(2)
    world.schedule.change(world.sitting, window=replace(world.window, closes_at=world.window.closes_at - 59 * SECOND))
    await solver.renew()
    world.clock.advance(2.1)
    response = await solver.request("POST", world.path("attempt"), world.access_token())
    assert (response.status_code, slug_of(response)) == (503, "unavailable")


async def test_a_sitting_that_is_over_gives_nothing_back(world: World, solver: Process, attempt: str) -> None:
    """The sitting is being closed: neither start nor resume."""
    world.schedule.change(world.sitting, state=State.CLOSING)
    await solver.renew()
    response = await solver.request("POST", world.path("attempt"), world.access_token())
    assert (response.status_code, slug_of(response)) == (409, "starts-over")


async def test_another_levels_sitting_is_not_mine(world: World, solver: Process) -> None:
    """I am in the second year: this exam is not for me, open or not."""
    for window in (world.window, replace(world.window, opens_at=world.schedule.now + MINUTE)):
        world.schedule.change(world.sitting, window=window)
        await solver.renew()
        response = await solver.request("POST", world.path("attempt"), world.access_token(level="year-2"))
        assert (response.status_code, slug_of(response)) == (403, "wrong-level")
    assert world.log.tables["attempts"] == {}


async def test_the_level_is_checked_at_the_start_only(world: World, solver: Process, attempt: str) -> None:
    """I was moved to the second year in the middle of the exam: I may finish it."""
    assert (await solver.request("POST", world.path("attempt"), world.access_token(level="year-2"))).status_code == 200


async def test_nobody_starts_in_a_pause_but_may_resume(world: World, solver: Process, attempt: str) -> None:
    """The sitting is paused: new ones wait outside, I may look at my paper."""
    world.schedule.change(world.sitting, window=replace(world.window, pauses=(Pause(began=world.schedule.now),)))
    await solver.renew()
    new = await solver.request("POST", world.path("attempt"), world.access_token(student=99))
    assert (new.status_code, slug_of(new), new.headers["retry-after"]) == (409, "sitting-paused", "2")
    mine = await solver.request("POST", world.path("attempt"), world.access_token())
    assert mine.status_code == 200
    assert mine.json()["deadline"]["at"] is None


async def test_while_the_store_is_down_nobody_starts_and_no_time_runs(world: World, solver: Process) -> None:
    """The store fails: my time has not begun, and begins when it works again."""
    world.log.fail_with(AnswerLogUnavailableError("no quorum"))
    response = await solver.request("POST", world.path("attempt"), world.access_token())
    assert (response.status_code, slug_of(response), response.headers["retry-after"]) == (503, "unavailable", "1")
    assert world.log.tables["attempts"] == {}
    world.log.fail_with(None)
    world.clock.advance(10)
    response = await solver.request("POST", world.path("attempt"), world.access_token())
    assert response.json()["started_at"] == rfc3339(world.schedule.now)


async def test_a_start_under_a_broken_lease_is_not_acknowledged(world: World, solver: Process) -> None:
    """The lease lapsed while my start was written: I try again, and the earliest start holds."""
    with world.log.hold() as hold:
        starting = asyncio.create_task(solver.request("POST", world.path("attempt"), world.access_token()))
        await hold.reached()
        world.clock.advance(31)
        await solver.renew()
    response = await starting
    assert (response.status_code, slug_of(response)) == (503, "unavailable")
    assert (await solver.request("POST", world.path("attempt"), world.access_token())).status_code == 201


async def test_the_paper_is_there_before_the_time_runs(world: World, solver: Process) -> None:
    """A paper that cannot be read must not cost me time."""
    world.cache.papers.clear()
    world.log.tables["papers"].clear()
    response = await solver.request("POST", world.path("attempt"), world.access_token())
    assert (response.status_code, slug_of(response)) == (503, "unavailable")
    assert world.log.tables["attempts"] == {}


async def test_an_attempt_token_of_a_solver_key_in_rotation_is_honoured(world: World) -> None:
    """The platform rotated its keys in the middle of my exam: my attempt goes on."""
    solver = await world.start_process()
    attempt = await world.start_attempt(solver)
    world.rotate_solver_keys()
    rotated = await world.start_process()
    response = await world.put_answer(rotated, attempt, SINGLE, 1, choices=[0])
    assert response.status_code == 200
    published = PublicKeySet.from_jwks((await rotated.request("GET", "/v1/keys")).json())
    assert len(published.keys) == 2
