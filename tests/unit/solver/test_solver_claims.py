"""One attempt per student and exam: who has begun in one sitting starts in no other one, unless the exam allows it."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

from exam_answerlog.log import AnswerLogUnavailableError
from exam_core.answers import Claim
from exam_core.instants import MINUTE, rfc3339
from exam_core.schedule import Attempts, OtherSitting, ScheduledExam, State
from exam_core.windows import Window
from exam_solver.testing.papers import SINGLE
from exam_solver.testing.world import STUDENT, Process, World, slug_of

EXAM = 5


def share_exam(world: World, *sittings: UUID, attempts: Attempts = Attempts.ONE) -> None:
    """Make these the sittings of one exam, as PostgreSQL reports them."""
    for sitting in sittings:
        known = [world.schedule.sittings[each] for each in sittings if each != sitting]
        others = tuple(OtherSitting(id=each.id, state=each.state, buckets=each.buckets) for each in known)
        exam = ScheduledExam(id=EXAM, attempts=attempts, others=others)
        world.schedule.put(replace(world.schedule.sittings[sitting], exam=exam))


async def make_up(world: World, *solvers: Process, attempts: Attempts = Attempts.ONE) -> UUID:
    """A make-up sitting of the same exam, open at the same time; the solvers know of it."""
    other, opened = uuid4(), world.schedule.now - MINUTE
    world.add_sitting(other, Window(opens_at=opened, closes_at=opened + 60 * MINUTE, duration=30 * MINUTE))
    share_exam(world, world.sitting, other, attempts=attempts)
    for solver in solvers:
        await solver.renew()
    return other


async def start(world: World, solver: Process, sitting: UUID, *, student: int = STUDENT) -> tuple[int, str]:
    """Start an attempt; the status, and the problem's slug."""
    response = await solver.request("POST", world.path("attempt", sitting), world.access_token(student=student))
    return response.status_code, "" if response.is_success else slug_of(response)


async def test_a_student_who_has_begun_starts_in_no_other_sitting(world: World, solver: Process) -> None:
    """I sat the exam and come to the make-up: I read when and where I began. My attempt goes on, and others start."""
    other = await make_up(world, solver)
    began = world.schedule.now
    token = await world.start_attempt(solver)
    world.clock.advance(60)
    await solver.renew()
    response = await solver.request("POST", world.path("attempt", other), world.access_token())
    assert (response.status_code, slug_of(response)) == (409, "already-attempted")
    body = response.json()
    assert (body["sitting"], body["started_at"]) == (str(world.sitting), rfc3339(began))
    assert rfc3339(began) in body["detail"]
    assert "one attempt" in body["detail"]
    assert [row.sitting for row in world.log.tables["attempts"].values()] == [world.sitting]
    assert (await world.put_answer(solver, token, SINGLE, 1, choices=[0])).status_code == 200
    assert await start(world, solver, world.sitting) == (200, ""), "the attempt is resumed"
    assert await start(world, solver, other, student=99) == (201, "")


async def test_a_start_of_a_release_without_claims_counts(world: World, solver: Process) -> None:
    """I began before an upgrade, when no claim was recorded: the make-up is refused, also after the seal."""
    await world.start_attempt(solver)
    other = await make_up(world, solver)
    assert not world.log.tables["attempt_claims"]
    assert await start(world, solver, other) == (409, "already-attempted")
    world.schedule.change(world.sitting, state=State.SEALED)
    share_exam(world, world.sitting, other)
    await solver.renew()
    assert await start(world, solver, other) == (409, "already-attempted")


async def test_an_exam_may_allow_an_attempt_in_each_sitting(world: World, solver: Process) -> None:
    """If the exam allows an attempt in each sitting, I take it again."""
    other = await make_up(world, solver, attempts=Attempts.EACH_SITTING)
    assert await start(world, solver, world.sitting) == (201, "")
    assert await start(world, solver, other) == (201, "")


async def test_a_cancelled_sitting_does_not_count(world: World, solver: Process) -> None:
    """My sitting was cancelled and will not be graded: I start in the make-up."""
    other = await make_up(world, solver)
    await world.start_attempt(solver)
    world.schedule.change(world.sitting, state=State.CANCELLED)
    share_exam(world, world.sitting, other)
    await solver.renew()
    assert await start(world, solver, other) == (201, "")


async def test_two_starts_at_once_are_one_attempt(world: World, solver: Process) -> None:
    """I start in two open sittings on two devices at once, at two solvers: one starts, and can be resumed."""
    second = await world.start_process()
    other = await make_up(world, solver, second)
    outcomes = await asyncio.gather(start(world, solver, world.sitting), start(world, second, other))
    assert sorted(outcomes) == [(201, ""), (409, "already-attempted")]
    assert len(world.log.tables["attempts"]) == 1
    started = (world.sitting, other)[outcomes.index((201, ""))]
    assert await start(world, second, started) == (200, "")


async def test_a_claim_without_a_start_is_replaced_once_its_sitting_is_sealed(world: World, solver: Process) -> None:
    """A solver was killed between my claim and my start: I start there or, when that sitting is sealed, elsewhere."""
    other = await make_up(world, solver)
    await world.log.claim(Claim(exam=EXAM, student=STUDENT, sitting=world.sitting, claimed_at=world.schedule.now))
    response = await solver.request("POST", world.path("attempt", other), world.access_token())
    assert (response.status_code, slug_of(response)) == (409, "already-attempted")
    assert "continue there" in response.json()["detail"]
    world.schedule.change(world.sitting, state=State.SEALED)
    share_exam(world, world.sitting, other)
    await solver.renew()
    assert await start(world, solver, other) == (201, "")
    (claim,) = world.log.tables["attempt_claims"].values()
    assert claim.sitting == other


async def test_a_solver_that_does_not_know_the_other_sitting_asks_to_try_again(world: World, solver: Process) -> None:
    """My start elsewhere is newer than this solver's schedule: it neither refuses nor starts, and I may try again."""
    other = await make_up(world, solver)
    await world.log.claim(Claim(exam=EXAM, student=STUDENT, sitting=uuid4(), claimed_at=world.schedule.now))
    assert await start(world, solver, other) == (503, "unavailable")


async def test_an_unconfirmed_claim_starts_nothing(world: World, solver: Process) -> None:
    """Cassandra does not confirm my claim: I get 503, my time does not run, and the same start succeeds later."""
    await make_up(world, solver)
    world.log.fail_with(AnswerLogUnavailableError("timeout"), written=True)
    assert (await start(world, solver, world.sitting))[0] == 503
    world.log.fail_with(None)
    assert not world.log.tables["attempts"]
    assert await start(world, solver, world.sitting) == (201, "")


async def test_a_database_of_the_release_before_limits_nothing(world: World, solver: Process) -> None:
    """During an upgrade, before the migration, starts are as in the release before: no claim, no refusal."""
    assert await start(world, solver, world.sitting) == (201, "")
    assert not world.log.tables["attempt_claims"]
