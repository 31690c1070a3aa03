"""Batches of answers: each answer has its own outcome, and all are written at once."""

from exam_answerlog.log import AnswerLogUnavailableError
from exam_core import receipts
from exam_core.problems import BASE
from exam_solver.testing.papers import COIN, MULTIPLE, NUMERIC, SINGLE
from exam_solver.testing.world import Process, World, slug_of

VALID = [
    {"question": SINGLE, "seq": 1, "choices": [0]},
    {"question": MULTIPLE, "seq": 1, "choices": [0, 1]},
    {"question": NUMERIC, "seq": 1, "value": "1"},
]


async def test_a_batch_is_saved_in_one_request(world: World, solver: Process, attempt: str) -> None:
    """My device was offline and sends all my answers together: each gets a receipt."""
    response = await solver.request("POST", world.path("answers"), attempt, json={"answers": VALID})
    assert response.status_code == 200
    results = response.json()["results"]
    assert [(one["question"], one["seq"], one["status"]) for one in results] == [(0, 1, 200), (1, 1, 200), (2, 1, 200)]
    for one in results:
        assert receipts.read(one["receipt"], world.solver_keys.public).question == one["question"]
    assert len(world.log.tables["answers"]) == 3
    assert response.json()["deadline"]["at"]


async def test_an_invalid_answer_does_not_prevent_the_others(world: World, solver: Process, attempt: str) -> None:
    """One of my answers is not valid: the others are saved, and I see which was not."""
    await world.put_answer(solver, attempt, COIN, 7, choices=[1])
    answers = [
        *VALID,
        {"question": SINGLE, "seq": 2, "choices": [9]},
        {"question": COIN, "seq": 6, "choices": [0]},
        {"question": COIN, "seq": 7, "choices": [1]},
        {"question": 12, "seq": "?"},
    ]
    response = await solver.request("POST", world.path("answers"), attempt, json={"answers": answers})
    assert response.status_code == 207
    results = response.json()["results"]
    assert [one["status"] for one in results] == [200, 200, 200, 422, 409, 200, 422]
    assert results[3]["problem"]["type"] == f"{BASE}unknown-choice"
    assert results[4]["problem"]["highest_seq"] == 7
    assert "receipt" in results[5]
    assert results[6]["seq"] == "?"


async def test_a_batch_of_refusals_responds_with_the_first(world: World, solver: Process, attempt: str) -> None:
    """None of my answers was saved: the response has the status of the first refusal."""
    answers = [{"question": SINGLE, "seq": 1, "choices": [9]}, {"question": 77, "seq": 1, "choices": []}]
    response = await solver.request("POST", world.path("answers"), attempt, json={"answers": answers})
    assert (response.status_code, slug_of(response)) == (422, "unknown-choice")
    world.log.fail_with(AnswerLogUnavailableError("no quorum"))
    down = await solver.request("POST", world.path("answers"), attempt, json={"answers": VALID})
    assert (down.status_code, slug_of(down), down.headers["retry-after"]) == (503, "not-known-saved", "1")


async def test_saved_answers_of_a_batch_are_acknowledged_while_the_store_is_down(
    world: World, solver: Process, attempt: str
) -> None:
    """The store fails while I send old and new answers: the old ones are acknowledged again."""
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    world.log.fail_with(AnswerLogUnavailableError("no quorum"))
    response = await solver.request("POST", world.path("answers"), attempt, json={"answers": VALID})
    assert response.status_code == 207
    assert [one["status"] for one in response.json()["results"]] == [200, 503, 503]


async def test_a_batch_saves_only_the_first_of_two_values_with_one_seq(
    world: World, solver: Process, attempt: str
) -> None:
    """A batch has two values for one question and seq: the first is saved, the other is refused."""
    answers = [{"question": SINGLE, "seq": 1, "choices": [0]}, {"question": SINGLE, "seq": 1, "choices": [1]}]
    response = await solver.request("POST", world.path("answers"), attempt, json={"answers": answers})
    assert [one["status"] for one in response.json()["results"]] == [200, 409]
    assert len(world.log.tables["answers"]) == 1


async def test_a_batch_must_have_1_to_100_answers(world: World, solver: Process, attempt: str) -> None:
    """A batch that is empty, too long or not a list is invalid."""
    one = {"question": SINGLE, "seq": 1, "choices": [0]}
    for answers in ([], [one] * 101, "x", None, [1], [{"seq": 1, "choices": []}], [{**one, "question": True}]):
        response = await solver.request("POST", world.path("answers"), attempt, json={"answers": answers})
        assert (response.status_code, slug_of(response)) == (422, "invalid")
    many = await solver.request("POST", world.path("answers"), attempt, json={"answers": [one] * 100})
    assert many.status_code == 200


async def test_the_row_limit_applies_within_a_batch(world: World) -> None:
    """A hundred changes in one request count as much as a hundred requests."""
    solver = await world.start_process(rows_per_question=1)
    attempt = await world.start_attempt(solver)
    answers = [{"question": SINGLE, "seq": seq, "choices": [seq % 2]} for seq in range(1, 7)]
    response = await solver.request("POST", world.path("answers"), attempt, json={"answers": answers})
    assert [one["status"] for one in response.json()["results"]] == [200, 200, 200, 200, 429, 429]
