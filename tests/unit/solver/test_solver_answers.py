"""Answers: what is accepted, what is refused, and what is never overwritten."""

import json
from uuid import UUID

import pytest

from exam_answerlog.log import AnswerLogUnavailableError
from exam_core import receipts
from exam_core.answer_value import AnswerValue
from exam_core.answers import answer_id_of
from exam_core.fold import fold_answers
from exam_core.keys import PublicKeySet
from exam_solver.lease.store import LeaseStoreUnavailableError
from exam_solver.testing.papers import COIN, MULTIPLE, NUMERIC, SINGLE
from exam_solver.testing.world import STUDENT, Process, World, slug_of


async def saved(world: World) -> list[tuple[int, int, AnswerValue]]:
    """The answers that would count: question, seq and value."""
    rows = [await world.log.read_bucket(world.sitting, bucket) for bucket in range(3)]
    counted = fold_answers(answer for bucket in rows for answer in bucket.answers)
    return sorted(
        ((answer.question, answer.seq, answer.answer) for answer in counted.values()), key=lambda row: row[:2]
    )


async def test_a_saved_answer_returns_a_receipt(world: World, solver: Process, attempt: str) -> None:
    """I choose an answer and get a signed receipt for exactly that answer."""
    response = await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])
    assert response.status_code == 200
    body = response.json()
    assert (body["question"], body["seq"]) == (SINGLE, 1)
    assert body["deadline"]["derivation"]["limited_by"] == "duration"
    receipt = receipts.read(body["receipt"], world.solver_keys.public)
    content = AnswerValue(choice=0b100)
    assert receipt.answer == content.digest
    assert receipt.answer_id == answer_id_of(
        sitting=world.sitting, student=STUDENT, question=SINGLE, seq=1, answer=content
    )
    assert (receipt.student, receipt.sitting) == (STUDENT, world.sitting)
    assert receipt.received_at <= receipt.deadline_at
    assert await saved(world) == [(SINGLE, 1, content)]


async def test_every_kind_of_answer_and_a_blank_one_are_accepted(world: World, solver: Process, attempt: str) -> None:
    """I can answer every kind of question, and take an answer back."""
    for question, content in (
        (MULTIPLE, {"choices": [3, 0]}),
        (NUMERIC, {"value": "3,1400"}),
        (COIN, {"choices": []}),
        (SINGLE, {"choices": [1]}),
    ):
        assert (await world.put_answer(solver, attempt, question, 1, **content)).status_code == 200
    assert (await world.put_answer(solver, attempt, NUMERIC, 2, value=None)).status_code == 200
    assert await saved(world) == [
        (SINGLE, 1, AnswerValue(choice=0b10)),
        (MULTIPLE, 1, AnswerValue(choice=0b1001)),
        (NUMERIC, 2, AnswerValue(value="")),
        (COIN, 1, AnswerValue(choice=0)),
    ]


@pytest.mark.parametrize(
    ("question", "content", "problem"),
    [
        (SINGLE, {"choices": [4]}, "unknown-choice"),
        (SINGLE, {"choices": [-1]}, "unknown-choice"),
        (COIN, {"choices": [3]}, "unknown-choice"),
        (SINGLE, {"choices": [10**400]}, "unknown-choice"),
        (SINGLE, {"choices": [0, 1]}, "too-many-choices"),
        (MULTIPLE, {"choices": [0, 1, 2]}, "too-many-choices"),
        (MULTIPLE, {"choices": [1, 1]}, "invalid"),
        (SINGLE, {"choices": ["0"]}, "invalid"),
        (SINGLE, {"choices": [True]}, "invalid"),
        (SINGLE, {"choices": None}, "invalid"),
        (SINGLE, {"value": "1"}, "wrong-answer-kind"),
        (NUMERIC, {"choices": [0]}, "wrong-answer-kind"),
        (NUMERIC, {"value": "1", "choices": [0]}, "wrong-answer-kind"),
        (NUMERIC, {}, "wrong-answer-kind"),
        (NUMERIC, {"value": "NaN"}, "bad-number"),
        (NUMERIC, {"value": "-Infinity"}, "bad-number"),
        (NUMERIC, {"value": ""}, "bad-number"),
        (NUMERIC, {"value": "   "}, "bad-number"),
        (NUMERIC, {"value": "1e500"}, "bad-number"),
        (NUMERIC, {"value": "1" * 65}, "bad-number"),
        (NUMERIC, {"value": 3.14}, "bad-number"),
        (99, {"choices": [0]}, "unknown-question"),
        (4, {"choices": [0]}, "unknown-question"),
    ],
)
async def test_an_answer_invalid_for_its_question_is_refused(
    world: World, solver: Process, attempt: str, question: int, content: dict[str, object], problem: str
) -> None:
    """The response says what is wrong with my answer, and nothing is saved."""
    response = await world.put_answer(solver, attempt, question, 1, **content)
    assert response.status_code == 422
    assert slug_of(response) == problem
    assert await saved(world) == []


@pytest.mark.parametrize("question", ["x", "-1", "1.0", "9" * 5000, "٣"])
async def test_a_question_number_in_the_path_must_be_a_number(
    world: World, solver: Process, attempt: str, question: str
) -> None:
    """Whatever I put into the path, I get 422 «unknown question»."""
    response = await solver.request("PUT", world.path(f"answers/{question}"), attempt, json={"seq": 1, "choices": []})
    assert (response.status_code, slug_of(response)) == (422, "unknown-question")


@pytest.mark.parametrize("seq", [0, -1, 1.0, "1", True, None, 2**53, [1]])
async def test_a_seq_must_be_a_positive_integer(world: World, solver: Process, attempt: str, seq: object) -> None:
    """A seq that is not an integer from 1 is invalid."""
    response = await solver.request("PUT", world.path("answers/0"), attempt, json={"seq": seq, "choices": [0]})
    assert (response.status_code, slug_of(response)) == (422, "invalid")


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        (b"", 400, "malformed"),
        (b"not json", 400, "malformed"),
        (b'{"seq": 1, "choices": [NaN]}', 400, "malformed"),
        (b'{"seq": Infinity, "choices": []}', 400, "malformed"),
        (b'{"seq": 1, "seq": 2, "choices": []}', 400, "malformed"),
        (b'{"seq": 1', 400, "malformed"),
        (b"\xff\xfe", 400, "malformed"),
        ('{"seq": 1, "choices": []}'.encode("utf-16"), 400, "malformed"),
        (b"[" * 20_000, 400, "malformed"),
        (b'{"seq": ' + b"1" * 5_000 + b', "choices": []}', 400, "malformed"),
        (b'{"seq": 1, "choices": [], "\\ud800": "\\ud800"}', 200, None),
        (b"[]", 422, "invalid"),
        (b'"text"', 422, "invalid"),
        (b"null", 422, "invalid"),
    ],
)
async def test_a_body_must_be_a_json_object(
    world: World, solver: Process, attempt: str, body: bytes, status: int, problem: str | None
) -> None:
    """A body that cannot be parsed is refused; unknown members of a valid one are ignored."""
    response = await solver.request(
        "PUT", world.path("answers/0"), attempt, content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == status
    assert problem is None or slug_of(response) == problem


async def test_a_lower_seq_is_refused_and_overwrites_nothing(world: World, solver: Process, attempt: str) -> None:
    """An old tab of mine reconnects: its answer is refused with the highest saved seq."""
    await world.put_answer(solver, attempt, SINGLE, 5, choices=[1])
    response = await world.put_answer(solver, attempt, SINGLE, 4, choices=[2])
    assert (response.status_code, slug_of(response)) == (409, "seq-too-low")
    assert response.json()["highest_seq"] == 5
    assert await saved(world) == [(SINGLE, 5, AnswerValue(choice=0b10))]


async def test_another_value_with_the_same_seq_is_refused(world: World, solver: Process, attempt: str) -> None:
    """Two devices use the same seq: the first is saved, the second must send a higher one."""
    await world.put_answer(solver, attempt, SINGLE, 5, choices=[1])
    response = await world.put_answer(solver, attempt, SINGLE, 5, choices=[2])
    assert (response.status_code, slug_of(response)) == (409, "seq-too-low")
    assert response.json()["highest_seq"] == 5
    assert await saved(world) == [(SINGLE, 5, AnswerValue(choice=0b10))]


async def test_a_lower_seq_is_refused_by_a_process_without_the_attempt_in_its_cache(
    world: World, solver: Process, attempt: str
) -> None:
    """The rule holds whichever solver serves my old tab."""
    await world.put_answer(solver, attempt, SINGLE, 5, choices=[1])
    other = await world.start_process()
    response = await world.put_answer(other, attempt, SINGLE, 4, choices=[2])
    assert (response.status_code, slug_of(response)) == (409, "seq-too-low")


async def test_a_repeated_answer_is_acknowledged_again_and_written_once(
    world: World, solver: Process, attempt: str
) -> None:
    """I lost the response and sent the answer again: I get my receipt, and the answer counts once."""
    first = await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])
    world.clock.advance(1)
    again = await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])
    assert again.status_code == 200
    assert again.json()["receipt"] == first.json()["receipt"]
    assert len(world.log.tables["answers"]) == 1


async def test_a_retry_at_another_process_returns_the_same_receipt(world: World, solver: Process, attempt: str) -> None:
    """My solver was killed after it saved my answer: the next one returns the same receipt."""
    first = await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])
    other = await world.start_process()
    again = await world.put_answer(other, attempt, SINGLE, 1, choices=[2])
    assert again.json()["receipt"] == first.json()["receipt"]
    assert len(world.log.tables["answers"]) == 1


async def test_nothing_is_acknowledged_while_the_store_is_down(world: World, solver: Process, attempt: str) -> None:
    """The store fails: the response asks me to send the answer again, which succeeds once the store is back."""
    world.log.fail_with(AnswerLogUnavailableError("no quorum"))
    response = await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])
    assert (response.status_code, slug_of(response), response.headers["retry-after"]) == (
        503,
        "not-known-saved",
        "1",
    )
    world.log.fail_with(None)
    assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])).status_code == 200


async def test_a_retry_after_a_timeout_counts_once_even_if_the_first_was_written(
    world: World, solver: Process, attempt: str
) -> None:
    """«Not known to be saved» may mean saved: after a retry the answer counts once."""
    world.log.fail_with(AnswerLogUnavailableError("timeout"), written=True)
    assert slug_of(await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])) == "not-known-saved"
    world.log.fail_with(None)
    world.clock.advance(1)
    assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])).status_code == 200
    assert len(world.log.tables["answers"]) == 2
    assert await saved(world) == [(SINGLE, 1, AnswerValue(choice=0b100))]


async def test_the_rows_of_an_attempt_are_limited(world: World) -> None:
    """A script that changes its answer forever is stopped; what it has saved is still acknowledged."""
    solver = await world.start_process(rows_per_question=1)
    attempt = await world.start_attempt(solver)
    for seq in range(1, 5):
        assert (await world.put_answer(solver, attempt, SINGLE, seq, choices=[seq % 2])).status_code == 200
    response = await world.put_answer(solver, attempt, SINGLE, 5, choices=[2])
    assert (response.status_code, slug_of(response)) == (429, "too-many-answers")
    assert (await world.put_answer(solver, attempt, SINGLE, 4, choices=[0])).status_code == 200
    assert len(world.log.tables["answers"]) == 4


async def test_a_higher_seq_counts_although_the_platforms_clock_was_set_back(
    world: World, solver: Process, attempt: str
) -> None:
    """The platform's clock was set back for good: receipts follow it, and my later answer still counts."""
    first = await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])
    world.schedule.offset -= 5_000_000
    with pytest.raises(LeaseStoreUnavailableError, match="clock stepped"):
        await solver.renew()
    await solver.renew()
    second = await world.put_answer(solver, attempt, SINGLE, 2, choices=[1])
    assert second.json()["received_at"] < first.json()["received_at"]
    rows = await world.log.read_bucket(world.sitting, 0)
    [counted] = fold_answers(rows.answers).values()
    assert (counted.seq, counted.received_at) == (2, world.schedule.now)


async def test_an_answer_records_its_holder_and_epoch(world: World, solver: Process, attempt: str) -> None:
    """Every row records the lease that it was admitted under."""
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])
    [row] = world.log.tables["answers"].values()
    [holder] = world.schedule.leases
    assert (row.solver, row.epoch) == (holder, world.schedule.epoch)


async def test_the_published_keys_verify_a_receipt(world: World, solver: Process, attempt: str) -> None:
    """Any person with the published keys can verify my receipt."""
    response = await world.put_answer(solver, attempt, NUMERIC, 1, value="3.14")
    keys = await solver.request("GET", "/v1/keys")
    assert keys.status_code == 200
    assert json.loads(keys.content) == world.solver_keys.public.to_jwks()
    receipt = receipts.read(response.json()["receipt"], PublicKeySet.from_jwks(keys.json()))
    assert receipt.answer == AnswerValue(value="3.14").digest


async def test_an_unknown_sitting_is_not_found(world: World, solver: Process, attempt: str) -> None:
    """A sitting that was removed from the schedule accepts no answers."""
    del world.schedule.sittings[world.sitting]
    world.schedule.epoch += 1
    await solver.renew()
    response = await world.put_answer(solver, attempt, SINGLE, 1, choices=[2])
    assert (response.status_code, slug_of(response)) == (404, "not-found")
    strange = await solver.request("POST", world.path("attempt", UUID(int=1)), world.access_token())
    assert (strange.status_code, slug_of(strange)) == (404, "not-found")
