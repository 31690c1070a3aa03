"""Several answers in one request: each has its own outcome, all have one write."""

from exam_answerlog.log import AnswerLogUnavailableError
from exam_core import receipts
from exam_core.problems import BASE
from exam_solver.testing.papers import COIN, MULTIPLE, NUMERIC, SINGLE
from exam_solver.testing.world import Process, World, slug_of

GOOD = [
    {"question": SINGLE, "seq": 1, "choices": [0]},
    {"question": MULTIPLE, "seq": 1, "choices": [0, 1]},
    {"question": NUMERIC, "seq": 1, "value": "1"},
]


async def test_several_answers_are_saved_at_once(world: World, solver: Process, attempt: str) -> None:
    """My device was offline and sends all my answers together: each gets a receipt."""
    response = await solver.request("POST", world.path("answers"), attempt, json={"answers": GOOD})
    assert response.status_code == 200
    results = response.json()["results"]
    assert [(one["question"], one["seq"], one["status"]) for one in results] == [(0, 1, 200), (1, 1, 200), (2, 1, 200)]
    for one in results:
        assert receipts.read(one["receipt"], world.solver_keys.public).question == one["question"]
    assert len(world.log.tables["answers"]) == 3
    assert response.json()["deadline"]["at"]


async def test_what_is_wrong_with_one_does_not_harm_the_others(world: World, solver: Process, attempt: str) -> None:
    """One of my answers is not valid: the others are saved, and I see which was not."""
    await world.put_answer(solver, attempt, COIN, 7, choices=[1])
    answers = [
        *GOOD,
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


async def test_when_none_is_saved_the_first_reason_is_the_answer(world: World, solver: Process, attempt: str) -> None:
    """Nothing of mine was saved: the answer says so with its status."""
    answers = [{"question": SINGLE, "seq": 1, "choices": [9]}, {"question": 77, "seq": 1, "choices": []}]
    response = await solver.request("POST", world.path("answers"), attempt, json={"answers": answers})
    assert (response.status_code, slug_of(response)) == (422, "unknown-choice")
    world.log.fail_with(AnswerLogUnavailableError("no quorum"))
    down = await solver.request("POST", world.path("answers"), attempt, json={"answers": GOOD})
    assert (down.status_code, slug_of(down), down.headers["retry-after"]) == (503, "not-known-saved", "1")


async def test_what_is_saved_already_is_acknowledged_while_the_rest_cannot_be_written(
    world: World, solver: Process, attempt: str
) -> None:
    """The store fails while I send old and new answers: the old ones are still saved."""
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    world.log.fail_with(AnswerLogUnavailableError("no quorum"))
    response = await solver.request("POST", world.path("answers"), attempt, json={"answers": GOOD})
    assert response.status_code == 207
    assert [one["status"] for one in response.json()["results"]] == [200, 503, 503]


async def test_one_request_cannot_contradict_itself(world: World, solver: Process, attempt: str) -> None:
    """Two answers with one seq in one request: the first is taken, the other is not."""
    answers = [{"question": SINGLE, "seq": 1, "choices": [0]}, {"question": SINGLE, "seq": 1, "choices": [1]}]
    response = await solver.request("POST", world.path("answers"), attempt, json={"answers": answers})
    assert [one["status"] for one in response.json()["results"]] == [200, 409]
    assert len(world.log.tables["answers"]) == 1


async def test_a_list_that_is_none_or_too_long_is_refused(world: World, solver: Process, attempt: str) -> None:
    """I am told how many answers I may send at once."""
    one = {"question": SINGLE, "seq": 1, "choices": [0]}
    for answers in ([], [one] * 101, "x", None, [1], [{"seq": 1, "choices": []}], [{**one, "question": True}]):
        response = await solver.request("POST", world.path("answers"), attempt, json={"answers": answers})
        assert (response.status_code, slug_of(response)) == (422, "invalid")
    many = await solver.request("POST", world.path("answers"), attempt, json={"answers": [one] * 100})
    assert many.status_code == 200


async def test_the_cap_of_rows_holds_within_one_request(world: World) -> None:
    """A hundred changes of mind in one request are as many as a hundred requests."""
    solver = await world.start_process(rows_per_question=1)
    attempt = await world.start_attempt(solver)
    answers = [{"question": SINGLE, "seq": seq, "choices": [seq % 2]} for seq in range(1, 7)]
    response = await solver.request("POST", world.path("answers"), attempt, json={"answers": answers})
    assert [one["status"] for one in response.json()["results"]] == [200, 200, 200, 200, 429, 429]
