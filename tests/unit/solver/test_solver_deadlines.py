"""Deadlines: answers in time count, late ones are stored apart, and a stale schedule makes no answer late."""

from dataclasses import replace

import pytest

from exam_core.answer_value import AnswerValue
from exam_core.answers import answer_id_of
from exam_core.instants import MINUTE, SECOND, rfc3339
from exam_core.schedule import State
from exam_core.windows import Pause
from exam_solver.testing.papers import COIN, SINGLE
from exam_solver.testing.world import STUDENT, Process, World, slug_of


async def advance(world: World, solver: Process, minutes: float) -> None:
    """Advance the clock and renew the lease."""
    world.clock.advance(minutes * 60)
    await solver.renew()


async def test_an_answer_at_the_deadline_counts_and_one_after_it_does_not(
    world: World, solver: Process, attempt: str
) -> None:
    """The deadline is inclusive to the microsecond, and a refusal explains how it was computed."""
    await advance(world, solver, 30)
    assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])).status_code == 200
    world.clock.now += 1
    late = await world.put_answer(solver, attempt, SINGLE, 2, choices=[1])
    assert (late.status_code, slug_of(late)) == (409, "deadline-passed")
    deadline = late.json()["deadline"]
    started = world.schedule.now - 1 - 30 * MINUTE
    assert deadline["at"] == rfc3339(started + 30 * MINUTE)
    assert deadline["derivation"] == {
        "started_at": rfc3339(started),
        "duration_us": 30 * MINUTE,
        "closes_at": rfc3339(world.window.closes_at),
        "limited_by": "duration",
        "extra_us": 0,
        "paused_us": 0,
        "stopped_at": None,
    }
    assert len(world.log.tables["answers"]) == 1
    [kept] = world.log.tables["answers_late"].values()
    assert (kept.seq, kept.received_at - kept.deadline_at) == (2, 1)


async def test_an_answer_is_late_only_by_a_schedule_read_after_its_deadline(
    world: World, solver: Process, attempt: str
) -> None:
    """Half a second after my deadline, more time may just have been granted: I get 503, then a definite answer."""
    await advance(world, solver, 29.99)
    world.clock.advance(0.6 + 0.5)
    unknown = await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    assert (unknown.status_code, slug_of(unknown), unknown.headers["retry-after"]) == (503, "unavailable", "1")
    await solver.renew()
    assert slug_of(await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])) == "deadline-passed"


async def test_an_extension_granted_at_the_last_moment_is_never_missed(
    world: World, solver: Process, attempt: str
) -> None:
    """Time granted just before my deadline counts, although the solver reads it a moment after."""
    await advance(world, solver, 29.99)
    world.clock.advance(0.5)
    world.schedule.accommodate(world.sitting, STUDENT, 60 * SECOND)
    world.clock.advance(0.6)
    assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])).status_code == 503
    await solver.renew()
    assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])).status_code == 200


async def test_a_repeated_late_answer_is_stored_and_counted_once(world: World, solver: Process, attempt: str) -> None:
    """My device keeps sending a late answer: it is stored once."""
    await advance(world, solver, 31)
    for _ in range(3):
        assert slug_of(await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])) == "deadline-passed"
        world.clock.advance(0.1)
    assert len(world.log.tables["answers_late"]) == 1
    metrics = (await solver.request("GET", "/metrics")).text
    assert 'exam_solver_answers_total{outcome="late",reason=""} 1.0' in metrics
    assert 'outcome="refused"' not in metrics


async def test_a_saved_answer_is_acknowledged_again_after_the_deadline(
    world: World, solver: Process, attempt: str
) -> None:
    """I answered in time but lost the receipt: sending the answer again after the deadline returns it."""
    first = await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    await advance(world, solver, 31)
    again = await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    assert again.json()["receipt"] == first.json()["receipt"]
    other = await world.start_process()
    elsewhere = await world.put_answer(other, attempt, SINGLE, 1, choices=[0])
    assert elsewhere.json()["receipt"] == first.json()["receipt"]
    assert world.log.tables["answers_late"] == {}


async def test_a_process_that_loads_an_attempt_while_closing_acknowledges_nothing(
    world: World, solver: Process, attempt: str
) -> None:
    """Once the close began, a row in the log may be missing from the seal: neither a receipt nor «late» is certain."""
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    world.schedule.change(world.sitting, state=State.CLOSING)
    other = await world.start_process()
    assert slug_of(await world.put_answer(other, attempt, SINGLE, 1, choices=[0])) == "not-known-saved"
    assert slug_of(await world.put_answer(other, attempt, COIN, 2, choices=[0])) == "deadline-passed"
    await solver.renew()
    assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])).status_code == 200


async def test_after_the_seal_a_process_acknowledges_what_is_in_it(world: World, solver: Process, attempt: str) -> None:
    """I lost a reply at the very end: once the sitting is sealed, any solver tells me whether my answer counts."""
    first = await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    submitted = await solver.request("POST", world.path("submit"), attempt)
    world.schedule.change(world.sitting, state=State.CLOSING)
    other = await world.start_process()
    assert slug_of(await other.request("POST", world.path("submit"), attempt)) == "not-known-saved"
    await world.seal()
    [row] = world.log.tables["answers"].values()
    answer_id = answer_id_of(sitting=world.sitting, student=STUDENT, question=COIN, seq=2, answer=AnswerValue(choice=1))
    unsealed = replace(row.answer(), question=COIN, seq=2, answer_id=answer_id, answer=AnswerValue(choice=1))
    await world.log.append_answers(world.sitting, row.bucket, [unsealed])
    world.schedule.change(world.sitting, state=State.SEALED)
    await other.renew()
    again = await world.put_answer(other, attempt, SINGLE, 1, choices=[0])
    assert again.json()["receipt"] == first.json()["receipt"]
    assert slug_of(await world.put_answer(other, attempt, COIN, 2, choices=[0])) == "deadline-passed"
    assert (await other.request("POST", world.path("submit"), attempt)).json()["submitted_at"] == submitted.json()[
        "submitted_at"
    ]


async def test_extra_time_moves_only_its_students_deadline(world: World, solver: Process, attempt: str) -> None:
    """I was granted ten minutes; my neighbour was not."""
    neighbour = await world.start_attempt(solver, world.access_token(student=99))
    world.schedule.accommodate(world.sitting, STUDENT, 10 * MINUTE)
    await advance(world, solver, 35)
    mine = await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    assert mine.json()["deadline"]["derivation"]["extra_us"] == 10 * MINUTE
    assert slug_of(await world.put_answer(solver, neighbour, SINGLE, 1, choices=[0])) == "deadline-passed"


async def test_a_pause_stops_the_clock_and_refuses_answers(world: World, solver: Process, attempt: str) -> None:
    """The sitting is paused: answers are refused with Retry-After, and my deadline moves by the pause."""
    await advance(world, solver, 10)
    began = world.schedule.now
    world.schedule.change(world.sitting, window=replace(world.window, pauses=(Pause(began=began),)))
    await advance(world, solver, 1)
    response = await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    assert (response.status_code, slug_of(response), response.headers["retry-after"]) == (
        409,
        "sitting-paused",
        "2",
    )
    assert world.log.tables["answers_late"] == {}
    time = await solver.request("GET", world.path("time"), attempt)
    assert time.json()["deadline"]["at"] is None
    await advance(world, solver, 29)
    ended = replace(world.window, pauses=(Pause(began=began, ended=world.schedule.now),))
    world.schedule.change(world.sitting, window=ended)
    await advance(world, solver, 19)
    response = await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    assert response.status_code == 200
    assert response.json()["deadline"]["derivation"]["paused_us"] == 30 * MINUTE
    await advance(world, solver, 2)
    assert slug_of(await world.put_answer(solver, attempt, SINGLE, 2, choices=[1])) == "deadline-passed"


def stop(world: World) -> None:
    """Stop the sitting now."""
    world.schedule.change(
        world.sitting, window=replace(world.window, stopped_at=world.schedule.now), state=State.CLOSING
    )


async def test_answers_after_a_stop_are_late(world: World, solver: Process, attempt: str) -> None:
    """The sitting was stopped and sealed: later answers are late, and the response shows when it was stopped."""
    await advance(world, solver, 5)
    stop(world)
    await world.seal()
    world.schedule.change(world.sitting, state=State.SEALED)
    await advance(world, solver, 0.01)
    response = await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    assert slug_of(response) == "deadline-passed"
    assert response.json()["deadline"]["derivation"]["stopped_at"] is not None


async def test_an_answer_is_not_late_while_another_solver_may_not_know_of_the_stop(
    world: World, solver: Process, attempt: str
) -> None:
    """The sitting was stopped a moment ago: another solver may accept my answer, so this one does not refuse it."""
    other = await world.start_process()
    stop(world)
    await solver.renew()
    unknown = await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    assert (unknown.status_code, slug_of(unknown), unknown.headers["retry-after"]) == (503, "unavailable", "1")
    submitted = await solver.request("POST", world.path("submit"), attempt)
    assert (submitted.status_code, slug_of(submitted)) == (503, "unavailable")
    assert (await world.put_answer(other, attempt, SINGLE, 1, choices=[0])).status_code == 200
    await advance(world, solver, 0.5)
    assert slug_of(await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])) == "not-known-saved"
    assert slug_of(await world.put_answer(solver, attempt, COIN, 2, choices=[0])) == "deadline-passed"


@pytest.mark.parametrize("state", [State.CLOSING, State.SEALED])
async def test_a_closing_sitting_stores_answers_as_late(
    world: World, solver: Process, attempt: str, state: State
) -> None:
    """Once a sitting is closing, answers are late, however old the solver's schedule is."""
    world.schedule.change(world.sitting, state=state)
    await solver.renew()
    world.clock.advance(5)
    response = await world.put_answer(solver, attempt, COIN, 1, choices=[0])
    assert (response.status_code, slug_of(response)) == (409, "deadline-passed")
    assert len(world.log.tables["answers_late"]) == 1


async def test_a_cancelled_sitting_refuses_every_request(world: World, solver: Process, attempt: str) -> None:
    """The sitting was cancelled: every request is refused as such."""
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    world.schedule.change(world.sitting, state=State.CANCELLED)
    await solver.renew()
    for response in (
        await world.put_answer(solver, attempt, SINGLE, 1, choices=[0]),
        await solver.request("POST", world.path("submit"), attempt),
        await solver.request("POST", world.path("attempt"), world.access_token()),
        await solver.request("GET", world.path("paper"), attempt),
    ):
        assert (response.status_code, slug_of(response)) == (409, "sitting-cancelled")
    assert world.log.tables["answers_late"] == {}


async def test_answers_after_a_submission_still_count(world: World, solver: Process, attempt: str) -> None:
    """I submitted and then changed an answer: it counts, and my first submission stands."""
    submitted = await solver.request("POST", world.path("submit"), attempt)
    assert submitted.status_code == 200
    at = submitted.json()["submitted_at"]
    world.clock.advance(1)
    assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])).status_code == 200
    again = await solver.request("POST", world.path("submit"), attempt)
    assert again.json()["submitted_at"] == at
    other = await world.start_process()
    assert (await other.request("POST", world.path("submit"), attempt)).json()["submitted_at"] == at
    assert len(world.log.tables["submissions"]) == 1
    await advance(world, solver, 31)
    assert (await solver.request("POST", world.path("submit"), attempt)).status_code == 200


async def test_submitting_after_the_deadline_is_late(world: World, solver: Process, attempt: str) -> None:
    """I forgot to submit: my answers count all the same, but a late submission is refused."""
    await advance(world, solver, 31)
    assert slug_of(await solver.request("POST", world.path("submit"), attempt)) == "deadline-passed"
    assert world.log.tables["submissions"] == {}


async def test_time_returns_the_platforms_clock(world: World, solver: Process, attempt: str) -> None:
    """My clock may be wrong: I get the platform's time and the window, and my deadline once I have started."""
    time = (await solver.request("GET", world.path("time"), world.access_token())).json()
    assert time == {
        "now": rfc3339(world.schedule.now),
        "opens_at": rfc3339(world.window.opens_at),
        "closes_at": rfc3339(world.window.closes_at),
    }
    mine = (await solver.request("GET", world.path("time"), attempt)).json()
    assert mine["deadline"]["at"] == rfc3339(world.schedule.now + 30 * MINUTE)
