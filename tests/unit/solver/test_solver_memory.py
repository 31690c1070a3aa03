"""What a process has in memory: certain where it says «saved», and never the reason for a refusal by itself."""

import asyncio

import pytest

from exam_answerlog.log import AnswerLogUnavailableError
from exam_core import receipts
from exam_core.schedule import State
from exam_solver.testing.papers import COIN, SINGLE
from exam_solver.testing.world import Process, World, slug_of


@pytest.fixture
async def other(world: World, solver: Process, attempt: str) -> Process:
    """A second process that has the attempt in memory, as it was before its first answer."""
    assert solver is not None
    process = await world.start_process()
    assert slug_of(await world.put_answer(process, attempt, SINGLE, 1, choices=[9])) == "unknown-choice"
    assert (await world.put_answer(process, attempt, COIN, 1, choices=[0])).status_code == 200
    return process


async def pass_deadline(world: World, *processes: Process) -> None:
    """Advance the clock beyond the deadline of every attempt."""
    world.clock.advance(31 * 60)
    for process in processes:
        await process.renew()


# The store is away


async def test_retries_during_an_outage_of_the_store_never_reach_the_limit(world: World) -> None:
    """The store is away and my device retries as asked: it never gets «too many», and goes on when it is back."""
    solver = await world.start_process(rows_per_question=1)
    attempt = await world.start_attempt(solver)
    world.log.fail_with(AnswerLogUnavailableError("no quorum"))
    for attempts in range(20):
        seq = 1 + attempts % 2
        reply = await world.put_answer(solver, attempt, SINGLE, seq, choices=[seq])
        assert (reply.status_code, slug_of(reply)) == (503, "not-known-saved")
    world.log.fail_with(None)
    for seq in range(1, 5):
        assert (await world.put_answer(solver, attempt, SINGLE, seq, choices=[seq % 2])).status_code == 200
    assert slug_of(await world.put_answer(solver, attempt, SINGLE, 5, choices=[3])) == "too-many-answers"


async def test_rows_that_were_written_without_confirmation_count_to_the_limit(world: World) -> None:
    """Writes that time out but arrive are rows like any other: the limit holds."""
    solver = await world.start_process(rows_per_question=1)
    attempt = await world.start_attempt(solver)
    world.log.fail_with(AnswerLogUnavailableError("timeout"), written=True)
    for seq in range(1, 5):
        assert slug_of(await world.put_answer(solver, attempt, SINGLE, seq, choices=[seq % 2])) == "not-known-saved"
    world.log.fail_with(None)
    assert slug_of(await world.put_answer(solver, attempt, SINGLE, 5, choices=[3])) == "too-many-answers"
    assert len(world.log.tables["answers"]) == 4
    assert (await world.put_answer(solver, attempt, SINGLE, 4, choices=[0])).status_code == 200


async def test_an_answer_in_doubt_is_not_called_late(world: World, solver: Process, attempt: str) -> None:
    """My answer's write timed out before the deadline: afterwards «late» could be untrue, until it is found."""
    with world.log.hold() as hold:
        waiting = asyncio.create_task(world.put_answer(solver, attempt, SINGLE, 1, choices=[1]))
        await hold.reached()
        world.log._hold = None
        await pass_deadline(world, solver)
        assert slug_of(await world.put_answer(solver, attempt, SINGLE, 1, choices=[1])) == "not-known-saved"
    assert slug_of(await waiting) == "not-known-saved"  # its lease lapsed, so this process may not acknowledge it
    assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[1])).status_code == 200
    assert world.log.tables["answers_late"] == {}


# Unchanged content


async def test_unchanged_content_writes_no_row(world: World) -> None:
    """My page saves every few seconds whether anything changed or not: it costs nothing, and my change is saved."""
    solver = await world.start_process(rows_per_question=1)
    attempt = await world.start_attempt(solver)
    first = await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    for seq in range(2, 101):
        again = await world.put_answer(solver, attempt, SINGLE, seq, choices=[0])
        assert again.json()["receipt"] == first.json()["receipt"]
        assert again.json()["seq"] == 1
    assert len(world.log.tables["answers"]) == 1
    assert (await world.put_answer(solver, attempt, SINGLE, 101, choices=[1])).json()["seq"] == 101
    resumed = await solver.request("POST", world.path("attempt"), world.access_token())
    assert resumed.json()["highest_seq"] == 101


async def test_unchanged_content_of_a_whole_page_writes_no_rows(world: World, solver: Process, attempt: str) -> None:
    """My page sends all its answers each time: only those that I changed are written."""
    for seq in range(1, 40, 2):
        answers = [
            {"question": SINGLE, "seq": seq, "choices": [0]},
            {"question": COIN, "seq": seq + 1, "choices": [1]},
        ]
        reply = await solver.request("POST", world.path("answers"), attempt, json={"answers": answers})
        assert [one["status"] for one in reply.json()["results"]] == [200, 200]
    assert len(world.log.tables["answers"]) == 2


async def test_unchanged_content_is_written_when_a_seq_was_skipped(world: World, solver: Process, attempt: str) -> None:
    """An answer between the two never arrived: it may still, so that my last word needs a row of its own."""
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    last = await world.put_answer(solver, attempt, SINGLE, 3, choices=[0])
    assert last.json()["seq"] == 3
    assert len(world.log.tables["answers"]) == 2


async def test_unchanged_content_is_written_after_an_answer_in_doubt(
    world: World, solver: Process, attempt: str
) -> None:
    """My change is «not known to be saved», and I change it back: that counts, whatever was saved."""
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    world.log.fail_with(AnswerLogUnavailableError("timeout"))
    assert slug_of(await world.put_answer(solver, attempt, SINGLE, 2, choices=[1])) == "not-known-saved"
    world.log.fail_with(None)
    assert (await world.put_answer(solver, attempt, SINGLE, 3, choices=[0])).json()["seq"] == 3


async def test_unchanged_content_is_written_after_a_change_that_was_not_decided(
    world: World, solver: Process, attempt: str, other: Process
) -> None:
    """My change is «not known to be saved», and I change it back: that counts, though the change is sent again."""
    assert (await world.put_answer(solver, attempt, SINGLE, 2, choices=[0])).status_code == 200
    world.log.fail_with(AnswerLogUnavailableError("timeout"))
    assert slug_of(await world.put_answer(other, attempt, SINGLE, 3, choices=[1])) == "not-known-saved"
    world.log.fail_with(None)
    assert (await other.request("POST", world.path("attempt"), world.access_token())).json()["highest_seq"] == 3
    assert (await world.put_answer(other, attempt, SINGLE, 4, choices=[0])).json()["seq"] == 4
    assert slug_of(await world.put_answer(other, attempt, SINGLE, 3, choices=[1])) == "seq-too-low"


async def test_unchanged_content_is_written_while_a_change_is_under_way(
    world: World, solver: Process, attempt: str
) -> None:
    """I changed my answer and changed it back at once: my last word counts."""
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    with world.log.hold() as hold:
        changed = asyncio.create_task(world.put_answer(solver, attempt, SINGLE, 2, choices=[1]))
        await hold.reached()
        back = asyncio.create_task(world.put_answer(solver, attempt, SINGLE, 3, choices=[0]))
        await hold.reached(2)
    assert [(await changed).json()["seq"], (await back).json()["seq"]] == [2, 3]


async def test_unchanged_content_is_not_called_late_when_it_is_sent_again(
    world: World, solver: Process, attempt: str, other: Process
) -> None:
    """The reply to my last, unchanged save was lost: sent again after the deadline, the content counts still."""
    await world.put_answer(solver, attempt, SINGLE, 2, choices=[0])
    saved = await world.put_answer(solver, attempt, SINGLE, 3, choices=[0])
    await pass_deadline(world, solver, other)
    again = await world.put_answer(solver, attempt, SINGLE, 3, choices=[0])
    assert (again.status_code, again.json().get("receipt")) == (200, saved.json()["receipt"])
    assert slug_of(await world.put_answer(other, attempt, SINGLE, 4, choices=[1])) == "deadline-passed"


async def test_content_that_is_saved_is_not_late_when_it_is_sent_again(
    world: World, solver: Process, attempt: str, other: Process
) -> None:
    """My content was saved in time under a lower seq: whichever solver I ask after the deadline, I get that receipt."""
    first = await world.put_answer(solver, attempt, SINGLE, 2, choices=[0])
    for seq in (3, 4):
        assert (await world.put_answer(solver, attempt, SINGLE, seq, choices=[0])).status_code == 200
    await pass_deadline(world, solver, other)
    for seq in (4, 5):
        reply = await world.put_answer(other, attempt, SINGLE, seq, choices=[0])
        assert reply.json()["receipt"] == first.json()["receipt"]
    assert slug_of(await world.put_answer(other, attempt, SINGLE, 5, choices=[1])) == "deadline-passed"
    assert [row.seq for row in world.log.tables["answers"].values() if row.question == SINGLE] == [2]


async def test_a_process_that_loads_the_attempt_while_closing_does_not_call_unchanged_content_late(
    world: World, solver: Process, attempt: str
) -> None:
    """A pod that is new at the end finds my content under a lower seq: until the seal, «late» could be untrue."""
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    assert (await world.put_answer(solver, attempt, SINGLE, 2, choices=[0])).json()["seq"] == 1
    world.schedule.change(world.sitting, state=State.CLOSING)
    fresh = await world.start_process()
    assert slug_of(await world.put_answer(fresh, attempt, SINGLE, 2, choices=[0])) == "not-known-saved"
    assert slug_of(await world.put_answer(fresh, attempt, SINGLE, 2, choices=[1])) == "deadline-passed"
    await world.seal()
    world.schedule.change(world.sitting, state=State.SEALED)
    await fresh.renew()
    assert (await world.put_answer(fresh, attempt, SINGLE, 2, choices=[0])).json()["seq"] == 1


async def test_content_that_another_process_changed_is_not_taken_for_unchanged(
    world: World, solver: Process, attempt: str, other: Process
) -> None:
    """My second device changed the answer elsewhere: saving the old content here is a change."""
    await world.put_answer(solver, attempt, SINGLE, 2, choices=[0])
    await world.put_answer(other, attempt, SINGLE, 3, choices=[1])
    reply = await world.put_answer(solver, attempt, SINGLE, 3, choices=[0])
    assert (reply.status_code, slug_of(reply)) == (409, "seq-too-low")
    assert (await world.put_answer(solver, attempt, SINGLE, 4, choices=[0])).json()["seq"] == 4


# Two processes that have the attempt in memory


async def test_an_acknowledged_answer_is_never_called_late(
    world: World, solver: Process, attempt: str, other: Process
) -> None:
    """I lost the reply, and after the deadline another solver answers: it returns my receipt."""
    first = await world.put_answer(solver, attempt, SINGLE, 2, choices=[1])
    await pass_deadline(world, solver, other)
    again = await world.put_answer(other, attempt, SINGLE, 2, choices=[1])
    assert again.json()["receipt"] == first.json()["receipt"]
    assert world.log.tables["answers_late"] == {}


async def test_an_answer_written_without_confirmation_is_acknowledged_after_the_deadline(
    world: World, solver: Process, attempt: str
) -> None:
    """The store wrote my change but its confirmation was lost: after the deadline I get its receipt, as it counts."""
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    world.log.fail_with(AnswerLogUnavailableError("timeout"), written=True)
    assert slug_of(await world.put_answer(solver, attempt, SINGLE, 2, choices=[1])) == "not-known-saved"
    world.log.fail_with(None)
    await pass_deadline(world, solver)
    reply = await world.put_answer(solver, attempt, SINGLE, 2, choices=[1])
    assert receipts.read(reply.json()["receipt"], world.solver_keys.public).seq == 2
    assert slug_of(await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])) == "seq-too-low"


async def test_a_lower_seq_is_refused_by_a_process_that_missed_the_higher_one(
    world: World, solver: Process, attempt: str, other: Process
) -> None:
    """My answers went to one solver, and an old one of mine arrives at another: it overwrites nothing."""
    for seq in range(2, 10):
        await world.put_answer(solver, attempt, SINGLE, seq, choices=[seq % 2])
    reply = await world.put_answer(other, attempt, SINGLE, 5, choices=[3])
    assert (reply.status_code, slug_of(reply)) == (409, "seq-too-low")
    assert reply.json()["highest_seq"] == 9


async def test_the_limit_is_judged_by_the_log(world: World) -> None:
    """Two solvers have counted my answers apart: «too many» is what the log says."""
    first, second = [await world.start_process(rows_per_question=1) for _ in range(2)]
    attempt = await world.start_attempt(first)
    for seq in range(1, 5):
        process = first if seq < 3 else second
        assert (await world.put_answer(process, attempt, SINGLE, seq, choices=[seq % 2])).status_code == 200
    assert slug_of(await world.put_answer(first, attempt, SINGLE, 5, choices=[3])) == "too-many-answers"


async def test_a_submission_is_never_called_late_once_it_was_recorded(
    world: World, solver: Process, attempt: str, other: Process
) -> None:
    """I submitted and lost the reply: another solver tells me when, also after the deadline."""
    submitted = await solver.request("POST", world.path("submit"), attempt)
    world.clock.advance(1)
    again = await other.request("POST", world.path("submit"), attempt)
    assert again.json()["submitted_at"] == submitted.json()["submitted_at"]
    third = await world.start_process()
    await pass_deadline(world, third)
    late = await third.request("POST", world.path("submit"), attempt)
    assert late.json()["submitted_at"] == submitted.json()["submitted_at"]
    assert len(world.log.tables["submissions"]) == 1


async def test_what_cannot_be_read_is_not_refused(world: World, solver: Process, attempt: str) -> None:
    """The store is away after the deadline: it is not known whether my answer counts, so I am asked to retry."""
    await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])
    await pass_deadline(world, solver)
    world.log.fail_with(AnswerLogUnavailableError("no quorum"))
    reply = await world.put_answer(solver, attempt, COIN, 2, choices=[0])
    assert (reply.status_code, slug_of(reply)) == (503, "not-known-saved")
    assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])).status_code == 200
