"""Papers of which each student gets some questions: what is shown, fetched, answered and sealed."""

import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.answers import Start
from exam_core.authored import AuthoredExam, AuthoredQuestion, Section
from exam_core.buckets import bucket_of
from exam_core.canonical import canonical
from exam_core.images import ImageRef
from exam_core.paper import Paper, freeze, plain_text
from exam_core.questions.numeric import Near, Numeric
from exam_core.schedule import State
from exam_core.shuffle import drawn, order_of, seed_of
from exam_core.tokens import read_attempt
from exam_harness.strategies.questions import SECTIONED
from exam_solver.papers.shown import LoadedPaper
from exam_solver.testing.papers import IMAGE, IMAGE_SHA256
from exam_solver.testing.world import STUDENT, Process, World, slug_of

QUESTIONS: Final = 10
ALWAYS: Final = (0, 1)
PICTURED: Final = 9


def make_paper() -> Paper:
    """A paper of two questions for all and three of eight others, of which the last has an image."""
    image = ImageRef(sha256=IMAGE_SHA256, type="image/png", width=1, height=1)
    interaction = Numeric(accepted=(Near(value=Fraction(1)),))
    questions = tuple(
        AuthoredQuestion(
            id=f"q{n}", text=f"Question {n}", interaction=interaction, image=image if n == PICTURED else None
        )
        for n in range(QUESTIONS)
    )
    sections = (Section(id="all", size=2, title="For all"), Section(id="pool", size=8, title="Pool", draw=3))
    exam = AuthoredExam(slug="e", title="E", instructions="", questions=questions, sections=sections)
    return freeze(exam, range, plain_text)[0]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A platform whose sitting has the paper with a pool."""
    world = await World.create(paper=make_paper())
    yield world
    await world.close()


def drawn_for(world: World, student: int = STUDENT) -> tuple[int, ...]:
    """The questions that a student gets."""
    return drawn(world.paper, seed_of(world.solver_keys.derived("exam-shuffle"), world.sitting, student))


def shown_to(world: World, student: int = STUDENT) -> dict[str, Any]:
    """The paper as a student has to see it."""
    questions = world.paper.content["questions"]
    got = drawn_for(world, student)
    return {**world.paper.content, "questions": [q if n in got else None for n, q in enumerate(questions)]}


async def test_a_student_is_shown_the_drawn_questions_alone(world: World, solver: Process) -> None:
    """If a section draws three of eight questions, I am sent three of them, under their numbers, and no other."""
    response = await solver.request("POST", world.path("attempt"), world.access_token())
    body = response.json()
    assert body["paper"] == shown_to(world)
    assert sum(question is not None for question in body["paper"]["questions"]) == 5
    assert body["paper_digest"] == world.paper.digest
    token = read_attempt(body["attempt_token"], world.solver_keys.public)
    assert body["order"] == order_of(world.paper, token.seed).to_json()
    assert sorted(body["order"]["questions"]) == list(drawn_for(world))
    for number in set(range(QUESTIONS)) - set(drawn_for(world)):
        assert f"Question {number}" not in response.text


async def test_students_get_different_questions(world: World, solver: Process) -> None:
    """My neighbour gets other questions than I, and everyone gets those that are for all."""
    papers = set()
    for student in range(1, 21):
        response = await solver.request("POST", world.path("attempt"), world.access_token(student=student))
        questions = response.json()["paper"]["questions"]
        papers.add(tuple(number for number, question in enumerate(questions) if question))
    assert len(papers) > 10
    assert all(got[:2] == ALWAYS and len(got) == 5 for got in papers)


async def test_the_paper_is_cached_and_compressed_for_each_student(world: World, solver: Process) -> None:
    """If I fetch my paper again it is not sent again, and it is compressed, with the same bytes from every solver."""
    other = await world.start_process()
    tags: set[str] = set()
    for student in (STUDENT, STUDENT + 1):
        token = await world.start_attempt(solver, world.access_token(student=student))
        plain = await solver.request("GET", world.path("paper"), token)
        assert plain.content == canonical(shown_to(world, student))
        tag = plain.headers["etag"]
        assert tag.startswith(f'"{world.paper.digest}-')
        packed = [
            await process.request("GET", world.path("paper"), token, headers={"Accept-Encoding": "gzip"})
            for process in (solver, other)
        ]
        assert [(each.headers["content-encoding"], each.content) for each in packed] == [("gzip", plain.content)] * 2
        again = await other.request("GET", world.path("paper"), token, headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        tags.add(tag)
    assert len(tags) == len({drawn_for(world, student) for student in (STUDENT, STUDENT + 1)})


async def test_an_image_is_served_to_those_who_got_its_question(world: World, solver: Process) -> None:
    """If a question with an image was not drawn for me, I cannot fetch the image either."""
    statuses = {}
    for student in range(1, 30):
        token = await world.start_attempt(solver, world.access_token(student=student))
        response = await solver.request("GET", world.path(f"images/{IMAGE_SHA256}"), token)
        statuses[PICTURED in drawn_for(world, student)] = response.status_code
        assert (response.status_code, response.content == IMAGE) in {(200, True), (404, False)}
    assert statuses == {True: 200, False: 404}


async def test_an_answer_to_a_question_that_was_not_drawn_is_refused(
    world: World, solver: Process, attempt: str
) -> None:
    """If I answer a question that was not drawn for me, it is refused and not saved; one that was drawn is saved."""
    got = drawn_for(world)
    other = next(number for number in range(QUESTIONS) if number not in got)
    refused = await world.put_answer(solver, attempt, other, 1, value="1")
    assert (refused.status_code, slug_of(refused)) == (422, "unknown-question")
    items = [{"question": number, "seq": 2 + n, "value": "1"} for n, number in enumerate((got[-1], other))]
    batch = await solver.request("POST", world.path("answers"), attempt, json={"answers": items})
    assert [result["status"] for result in batch.json()["results"]] == [200, 422]
    assert len(world.log.tables["answers"]) == 1


async def test_a_resumed_attempt_has_the_same_questions(world: World, solver: Process, attempt: str) -> None:
    """If I resume on another device, at another solver, I see the same questions and my answers to them."""
    question = drawn_for(world)[-1]
    await world.put_answer(solver, attempt, question, 1, value="1")
    other = await world.start_process()
    response = await other.request("POST", world.path("attempt"), world.access_token())
    assert response.status_code == 200
    assert response.json()["paper"] == shown_to(world)
    assert response.json()["answers"] == [{"question": question, "seq": 1, "value": "1"}]


async def test_the_start_that_holds_decides_on_answers(world: World, solver: Process, attempt: str) -> None:
    """If a later start with other questions holds, answers to the former ones are refused, and a resume shows mine."""
    first = drawn_for(world)
    seed = next(seed for seed in range(100) if set(drawn(world.paper, seed)) & set(first) == set(ALWAYS))
    await world.put_answer(solver, attempt, first[-1], 1, value="1")
    start = Start(student=STUDENT, started_at=world.schedule.now + 1, solver=UUID(int=0), epoch=1, seed=seed)
    await world.log.append_start(world.sitting, bucket_of(STUDENT, 3), start)
    other = await world.start_process()
    refused = await world.put_answer(other, attempt, first[-1], 2, value="2")
    assert slug_of(refused) == "unknown-question"
    accepted = await world.put_answer(other, attempt, drawn(world.paper, seed)[-1], 3, value="2")
    assert accepted.status_code == 200
    resumed = (await other.request("POST", world.path("attempt"), world.access_token())).json()
    assert [answer["question"] for answer in resumed["answers"]] == [drawn(world.paper, seed)[-1]]
    await world.seal()
    sealed = await world.log.read_sealed(world.sitting, bucket_of(STUDENT, 3))
    assert sealed is not None
    assert sealed.students[0].drawn == drawn(world.paper, seed)
    assert [answer.question for answer in sealed.students[0].answers] == [drawn(world.paper, seed)[-1]]


async def test_after_the_seal_the_drawn_questions_stay_the_same(world: World, solver: Process, attempt: str) -> None:
    """If I send a saved answer again after the seal, I get its receipt; a question that I did not get stays unknown."""
    got = drawn_for(world)
    other = next(number for number in range(QUESTIONS) if number not in got)
    await world.put_answer(solver, attempt, got[0], 1, value="1")
    world.schedule.change(world.sitting, state=State.CLOSING)
    await world.seal()
    world.schedule.change(world.sitting, state=State.SEALED)
    late = await world.start_process()
    assert (await world.put_answer(late, attempt, got[0], 1, value="1")).status_code == 200
    assert slug_of(await world.put_answer(late, attempt, other, 2, value="1")) == "unknown-question"


async def test_rows_are_limited_by_the_questions_that_a_student_gets(world: World) -> None:
    """If I get five questions, I can save as many changes as in an exam of five questions."""
    solver = await world.start_process(rows_per_question=1)
    attempt = await world.start_attempt(solver)
    statuses = [(await world.put_answer(solver, attempt, 0, seq, value=str(seq))).status_code for seq in range(1, 7)]
    assert statuses == [200] * 5 + [429]


@given(SECTIONED, st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=3))
def test_a_shown_paper_is_canonical_however_it_is_sent(exam: AuthoredExam, seeds: list[int]) -> None:
    """Whatever was drawn, my paper is the whole one with null in the other places, compressed or not."""
    paper, _ = freeze(exam, range, plain_text)
    loaded = LoadedPaper(paper)
    for seed in seeds:
        got = drawn(paper, seed)
        body = loaded.body(seed)
        questions = [question if n in got else None for n, question in enumerate(paper.content["questions"])]
        assert json.loads(body) == {**paper.content, "questions": questions}
        assert body == canonical(json.loads(body))
        assert gzip.decompress(loaded.gzipped(seed)) == body
        assert loaded.images(seed) == frozenset().union(*(paper.question_images[number] for number in got))
        assert (loaded.tag(seed) == paper.digest) is (not paper.draws)
        assert (loaded.drawn(seed) is None) is (not paper.draws)


@given(SECTIONED, st.integers(0, 2**63 - 1))
def test_without_a_pool_the_paper_is_sent_as_it_is_stored(exam: AuthoredExam, seed: int) -> None:
    """If nothing is drawn, every student is sent the same bytes, whose name is their digest."""
    sections = tuple(replace(section, draw=None) for section in exam.sections)
    paper, _ = freeze(replace(exam, sections=sections), range, plain_text)
    assert LoadedPaper(paper).body(seed) is paper.body
