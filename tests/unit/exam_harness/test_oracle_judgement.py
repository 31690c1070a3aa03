"""The judgement of a transcript, with negative controls: each untrue statement is made on purpose and must be found."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import pytest

from exam_core import receipts
from exam_core.answers import Submission
from exam_core.fold import root_digest
from exam_core.receipts import Receipt
from exam_harness.oracle.availability import longest_outage
from exam_harness.oracle.instants import rfc3339
from exam_harness.oracle.judgement import judge
from exam_harness.oracle.proofs import Published
from exam_harness.oracle.seal import RawBucket
from exam_harness.oracle.transcript import ANSWER, START, SUBMIT, Call, Degree, LoggedRow, Transcript
from exam_harness.oracle.windows import Operation, Window

Platform = Any
"""`conftest.FakePlatform`; test modules cannot import it by name."""
SITTING = "6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10"
SOLVER = "11111111-1111-4111-8111-111111111111"
STARTED, DEADLINE = 1_000, 6_000
DOCUMENT = """
exam: algebra-101
level: year-1
questions:
  - {id: q1, kind: single, text: "One?", choices: [{id: a, text: "1", correct: true}, {id: b, text: "2"}]}
  - id: q2
    kind: multiple
    weight: 0.10
    text: Primes?
    choices: [{id: a, text: "2", correct: true}, {id: b, text: "3", correct: true}, {id: c, text: "4"}]
  - {id: q3, kind: numeric, weight: "2.5", text: "Pi?", answer: {value: "3.14", tolerance: "0.01"}}
"""
"""The exam of the platform in memory."""
FIRST = Window(opens_at=500, closes_at=10_000, duration=5_000)
ONE, OTHER = {"choices": [0]}, {"choices": [1]}


@dataclass
class Run:
    """A run on a platform in memory: what was sent, received, stored and graded; instants in µs."""

    platform: Platform
    first: Window = FIRST
    last: Window | None = None
    operations: list[Operation] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)

    def start(
        self,
        student: int = 1,
        *,
        answers: tuple[Mapping[str, Any], ...] = (),
        at: int = STARTED,
        started: int = STARTED,
    ) -> None:
        """Start an attempt, or resume it later; it shows some answers as saved, and when the attempt began."""
        if at == STARTED:
            self.platform.start(student, at=STARTED)
        body = {"started_at": rfc3339(started), "answers": answers, "highest_seq": 0}
        self.call(START, 201, body, student=student, at=at)

    def answer(self, seq: int, body: Mapping[str, Any] = ONE, *, at: int = 2_000, **call: Any) -> None:
        """Store an answer and acknowledge it."""
        row = self.platform.row(1, 0, seq, body, at=at)
        self.platform.rows.append(row)
        self.acknowledge(row, body, at=at, **call)

    def acknowledge(self, row: Any, body: Mapping[str, Any], *, at: int, seq: int | None = None) -> None:
        """Acknowledge an answer that may not be stored."""
        receipt = receipts.sign(Receipt.of(row_sitting(), row), self.platform.signing)
        response = {"question": 0, "seq": row.seq, "received_at": rfc3339(row.received_at), "receipt": receipt}
        self.call(ANSWER, 200, response, seq=row.seq if seq is None else seq, answer=body, at=at)

    def lose(self, seq: int, body: Mapping[str, Any] = ONE, *, at: int = 2_000, stored: bool = True) -> None:
        """Send an answer whose response is lost."""
        if stored:
            self.platform.rows.append(self.platform.row(1, 0, seq, body, at=at))
        self.call(ANSWER, None, {}, seq=seq, answer=body, at=at)

    def refuse(self, problem: str, seq: int, body: Mapping[str, Any] = ONE, *, at: int = 7_000, **extra: Any) -> None:
        """Refuse an answer."""
        self.call(ANSWER, 409, extra, problem=problem, seq=seq, answer=body, at=at)

    def late(self, seq: int, body: Mapping[str, Any] = ONE, *, at: int = 7_000, deadline: int = DEADLINE) -> None:
        """Refuse an answer as late by a deadline."""
        derivation = {"started_at": rfc3339(STARTED)}
        self.refuse("deadline-passed", seq, body, at=at, deadline={"at": rfc3339(deadline), "derivation": derivation})

    def call(self, verb: str, status: int | None, body: Mapping[str, Any], *, at: int, **values: Any) -> None:
        """Record a call, which begins after all others have ended, whatever the platform's clock says."""
        values = {"student": 1} | values | ({"question": 0} if verb == ANSWER else {})
        values |= {"began": 2 * len(self.calls), "ended": 2 * len(self.calls) + 1}
        self.calls.append(Call(verb=verb, via="gateway", sent_at=at, done_at=at, status=status, body=body, **values))

    def transcript(self) -> Transcript:
        """The transcript of the run."""
        bucket = self.platform.bucket
        transcript = Transcript(
            sitting=SITTING,
            document=DOCUMENT,
            paper=json.loads(self.platform.paper.body),
            first=self.first,
            last=self.last or self.first,
            operations=self.operations,
            row_limit=3,
            buckets=1,
            root=root_digest(row_sitting(), [bucket.digest]),
            digests={0: bucket.digest},
            sealed=[RawBucket(0, bucket.digest, bucket.data)],
            rows=[
                LoggedRow(
                    student=row.student,
                    question=row.question,
                    seq=row.seq,
                    received_at=row.received_at,
                    deadline_at=row.deadline_at,
                    late=False,
                )
                for row in self.platform.rows
            ],
            degrees=[
                Degree(student=each.student, total=each.total, maximum=each.maximum, points=each.points)
                for each in self.platform.degrees()
            ],
            keys=json.loads(json.dumps(self.platform.signing.public.to_jwks())),
            statement_keys=json.loads(json.dumps(self.platform.signing.public.to_jwks())),
            seal_proofs=self.platform.seal_proofs(),
            degree_proofs=self.platform.degree_proofs(),
            calls=self.calls,
            remarks=self.remarks,
        )
        return replace(transcript, **self.changes)

    def kinds(self) -> set[str]:
        """The kinds of all mismatches, after a round trip through JSON."""
        transcript = Transcript.from_json(json.loads(json.dumps(self.transcript().to_json())))
        return {mismatch.kind for mismatch in judge(transcript, tolerance=0)[0]}


def row_sitting() -> Any:
    """The sitting's id as the platform has it."""
    return UUID(SITTING)


@pytest.fixture
def run(new_platform) -> Run:
    """A run in which student 1 has started."""
    run = Run(new_platform())
    run.start()
    return run


def test_a_platform_that_keeps_its_word_has_no_mismatches(run: Run) -> None:
    """Answers that are changed, repeated, lost and late, a resume and a submission: nothing is reported."""
    run.answer(1)
    run.answer(2, OTHER, at=3_000)
    run.refuse("seq-too-low", 1, at=3_500, highest_seq=2)
    run.lose(3, at=4_000)
    run.start(at=4_500, answers=({"question": 0, "seq": 3, **ONE},))
    run.platform.submissions.append(Submission(student=1, submitted_at=5_000, solver=UUID(SOLVER), epoch=1))
    run.call(SUBMIT, 200, {"submitted_at": rfc3339(5_000)}, at=5_000)
    run.late(4, OTHER)
    assert run.kinds() == set()


def test_a_question_that_a_student_is_not_shown_is_reported(run: Run) -> None:
    """If I am not shown every question of an exam without pools, it is reported; if I am, it is not."""
    body = {"started_at": rfc3339(STARTED), "answers": (), "highest_seq": 0}
    run.call(START, 200, body | {"drawn": (0, 1, 2)}, at=1_500)
    assert run.kinds() == set()
    run.call(START, 200, body | {"drawn": (0, 2)}, at=1_600)
    assert run.kinds() == {"draw"}


def test_an_acknowledged_answer_missing_from_the_seal_is_lost(run: Run) -> None:
    """If I have a receipt and nothing is sealed for the question, it is reported."""
    run.acknowledge(run.platform.row(1, 0, 1, ONE), ONE, at=2_000)
    assert run.kinds() == {"lost"}


def test_an_older_answer_in_the_seal_is_reported(run: Run) -> None:
    """If an answer counts that I had already changed, with a receipt, it is reported."""
    run.answer(1)
    run.acknowledge(run.platform.row(1, 0, 2, OTHER), OTHER, at=2_000)
    assert run.kinds() == {"lost"}


def test_unchanged_content_may_be_acknowledged_with_the_earlier_receipt(run: Run) -> None:
    """If I send the same content again, the receipt of the first time is as good."""
    run.answer(1)
    run.acknowledge(run.platform.rows[0], ONE, seq=2, at=3_000)
    assert run.kinds() == set()


def test_unchanged_content_acknowledged_above_another_answer_is_reported(run: Run) -> None:
    """If I go back to an earlier content and the answer between counts, it is reported."""
    run.answer(1)
    run.lose(2, OTHER)
    run.acknowledge(run.platform.rows[0], ONE, seq=3, at=3_000)
    assert run.kinds() == {"lost"}


def test_what_is_sent_again_after_the_deadline_is_no_later_word(run: Run) -> None:
    """If an answer of mine arrives late in the store, it counts over the content that I sent after the deadline."""
    run.answer(1)
    run.lose(2, OTHER)
    run.acknowledge(run.platform.rows[0], ONE, seq=3, at=7_000)
    assert run.kinds() == set()


def test_a_receipt_for_unchanged_content_that_came_while_the_deadline_passed_is_no_later_word(run: Run) -> None:
    """If I send unchanged content at the last moment, it may have arrived after the deadline, or after a stop."""
    run.answer(1)
    run.lose(2, OTHER)
    run.acknowledge(run.platform.rows[0], ONE, seq=3, at=5_999)
    run.calls[-1] = replace(run.calls[-1], done_at=6_500)
    assert run.kinds() == set()
    run.calls[-1] = replace(run.calls[-1], sent_at=3_500, done_at=3_600)
    assert run.kinds() == {"lost"}
    run.last = replace(run.first, stopped_at=3_000)
    run.operations.append(Operation(verb="stop", sent_at=2_900, done_at=3_100))
    assert run.kinds() == set()


def test_a_forged_receipt_is_reported(run: Run) -> None:
    """A receipt of another answer is none."""
    run.answer(1)
    run.calls[-1] = replace(run.calls[-1], answer=OTHER)
    assert "receipt" in run.kinds()


def test_a_receipt_for_another_seq_is_reported(run: Run) -> None:
    """A receipt for a seq that I never sent with this content is none."""
    run.answer(1)
    run.answer(2, OTHER)
    run.acknowledge(run.platform.rows[0], OTHER, seq=3, at=3_000)
    assert "receipt" in run.kinds()


def test_a_receipt_from_before_the_answer_was_sent_is_reported(run: Run) -> None:
    """An answer cannot have been received before I sent it."""
    run.answer(1)
    run.calls[-1] = replace(run.calls[-1], sent_at=2_500, done_at=2_600)
    assert run.kinds() == {"time"}


def test_an_answer_that_was_never_sent_is_reported(run: Run) -> None:
    """What I never sent does not count."""
    run.platform.rows.append(run.platform.row(1, 0, 1, ONE))
    assert run.kinds() == {"unasked"}


def test_a_counted_answer_that_was_always_refused_is_reported(run: Run) -> None:
    """What was refused whenever I sent it does not count."""
    run.platform.rows.append(run.platform.row(1, 0, 1, ONE))
    run.refuse("sitting-paused", 1)
    assert "unasked" in run.kinds()


def test_a_late_answer_in_the_seal_is_reported(run: Run) -> None:
    """An answer that was received after the deadline does not count, whatever was said about it."""
    run.lose(1, at=DEADLINE + 1, stored=False)
    run.platform.rows.append(replace(run.platform.row(1, 0, 1, ONE, at=DEADLINE + 1), deadline_at=DEADLINE + 1))
    assert run.kinds() == {"late"}


def test_a_late_answer_with_an_early_time_of_receipt_is_reported(run: Run) -> None:
    """An answer that I sent after the deadline does not count, whatever its time of receipt says."""
    run.lose(1, at=DEADLINE + 1, stored=False)
    run.platform.rows.append(run.platform.row(1, 0, 1, ONE))
    assert run.kinds() == {"late"}


def test_refusing_a_counted_answer_as_late_is_reported(run: Run) -> None:
    """If I am given «late» for an answer that counts, it is reported, though writes were delayed."""
    run.late(1)
    run.platform.rows.append(run.platform.row(1, 0, 1, ONE))
    run.changes = {"writes_delayed": True}
    assert "untrue" in run.kinds()


def test_late_for_an_answer_in_doubt_is_untrue_unless_writes_were_delayed(run: Run) -> None:
    """My first copy got no reply, and I am given «late» for the second: only a write still under way explains that."""
    run.lose(1)
    run.late(1)
    assert run.kinds() == {"untrue"}
    run.changes = {"writes_delayed": True}
    assert run.kinds() == set()


def test_late_for_an_answer_that_is_accepted_later_is_untrue_unless_the_clock_was_set_back(run: Run) -> None:
    """I am given «late», and then the same answer is accepted: only a clock that was set back explains that."""
    run.late(1)
    run.answer(1)
    assert run.kinds() == {"untrue"}
    run.changes = {"clock_stepped": True}
    assert run.kinds() == set()
    run.late(1, at=8_000)
    assert run.kinds() == {"untrue"}


def test_refusing_an_acknowledged_answer_as_late_is_reported(run: Run) -> None:
    """If I am given «late» for an answer that I have a receipt for, it is reported, also if a later one counts."""
    run.answer(1)
    run.answer(2, OTHER)
    run.late(1)
    assert run.kinds() == {"untrue"}


def test_refusing_an_answer_as_late_before_the_deadline_is_reported(run: Run) -> None:
    """If I am given «late» before the deadline, it is reported."""
    run.late(1, at=DEADLINE - 1)
    assert run.kinds() == {"untrue"}


@pytest.mark.parametrize(("granted_at", "kinds"), [(DEADLINE - 1, {"untrue"}), (DEADLINE + 1, set())])
def test_late_by_a_deadline_that_had_been_extended_is_reported(run: Run, granted_at: int, kinds: set[str]) -> None:
    """If more time had been granted before my deadline, I am not late; a later grant does not make it untrue."""
    extra = {1: 5_000}
    run.last = replace(run.first, extra=extra)
    run.operations.append(Operation(verb="accommodate", sent_at=1, done_at=granted_at, student=1, extra=extra[1]))
    run.late(1, at=7_000)
    assert run.kinds() == kinds


@pytest.mark.parametrize(("resumed_at", "kinds"), [(4_000, set()), (7_300, {"untrue"})])
def test_late_after_a_pause_is_true_once_it_has_ended(run: Run, resumed_at: int, kinds: set[str]) -> None:
    """If a pause has ended and my deadline has passed, I am late, though the operator learns of the end only later."""
    run.last = replace(run.first, pauses=((3_000, resumed_at),))
    run.operations.append(Operation(verb="pause", sent_at=2_990, done_at=3_010))
    run.operations.append(Operation(verb="resume", sent_at=resumed_at - 10, done_at=7_500))
    run.late(1, at=7_200, deadline=7_000)
    assert run.kinds() == kinds


def test_late_by_a_stop_is_true_at_once(run: Run) -> None:
    """If the sitting was stopped, I am late from then on, though my own deadline was later."""
    run.last = replace(run.first, stopped_at=3_000)
    run.operations.append(Operation(verb="stop", sent_at=2_900, done_at=3_100))
    run.late(1, at=3_200, deadline=3_000)
    assert run.kinds() == set()


def test_late_by_a_stop_that_another_solver_does_not_know_yet_is_reported(run: Run) -> None:
    """After a stop, one solver refuses my answer, and another that does not know yet accepts it: it is reported."""
    run.last = replace(run.first, stopped_at=3_000)
    run.operations.append(Operation(verb="stop", sent_at=2_900, done_at=3_100))
    run.late(1, at=3_200, deadline=3_000)
    run.answer(1, at=3_200)
    assert run.kinds() == {"untrue"}


def test_seq_too_low_without_a_later_answer_is_reported(run: Run) -> None:
    """If I am given «a later answer is saved» and none counts, it is reported."""
    run.answer(1)
    run.refuse("seq-too-low", 2, OTHER, at=3_000, highest_seq=3)
    assert run.kinds() == {"untrue"}


def test_seq_too_low_for_the_counted_answer_is_reported(run: Run) -> None:
    """If I am given «a later answer is saved» for the one that counts, it is reported."""
    run.lose(1)
    run.refuse("seq-too-low", 1, at=3_000, highest_seq=1)
    assert run.kinds() == {"untrue"}


@pytest.mark.parametrize(("rows", "kinds"), [(2, {"untrue"}), (3, set())])
def test_too_many_answers_below_the_limit_is_reported(run: Run, rows: int, kinds: set[str]) -> None:
    """If I am given «too many answers» and the log has fewer, it is reported."""
    for seq in range(1, rows + 1):
        run.answer(seq)
    run.refuse("too-many-answers", 9, OTHER, at=3_000)
    assert run.kinds() == kinds


def test_starts_over_in_an_open_window_is_reported(run: Run) -> None:
    """If I am turned away while the window is open, it is reported."""
    run.call(START, 409, {}, at=2_000, student=2, problem="starts-over")
    assert run.kinds() == {"untrue"}


def test_not_open_yet_in_an_open_window_is_reported(run: Run) -> None:
    """If I am turned away as too early while the window is open, it is reported."""
    run.call(START, 409, {}, at=400, student=2, problem="not-open-yet")
    assert run.kinds() == set()
    run.call(START, 409, {}, at=600, student=2, problem="not-open-yet")
    assert run.kinds() == {"untrue"}


@pytest.mark.parametrize(("granted_at", "kinds"), [(9_000, {"untrue"}), (10_100, set())])
def test_starts_over_in_an_extended_window_is_reported(run: Run, granted_at: int, kinds: set[str]) -> None:
    """If I am turned away after the first close, and the window had been extended before it, it is reported."""
    run.last = replace(run.first, closes_at=12_000)
    run.operations.append(Operation(verb="extend", sent_at=8_900, done_at=granted_at, closes_at=12_000))
    run.call(START, 409, {}, at=11_000, student=2, problem="starts-over")
    assert run.kinds() == kinds


@pytest.mark.parametrize(("at", "kinds"), [(2_900, {"untrue"}), (3_100, set()), (4_500, set()), (4_700, {"untrue"})])
def test_paused_before_or_long_after_a_pause_is_reported(run: Run, at: int, kinds: set[str]) -> None:
    """I am given «paused» only during a pause, or as long after it as a solver may not know of its end."""
    run.changes = {"lease_ttl": 500}
    run.last = replace(run.first, pauses=((3_000, 4_000),))
    run.operations.append(Operation(verb="pause", sent_at=2_990, done_at=3_050))
    run.operations.append(Operation(verb="resume", sent_at=3_990, done_at=4_050))
    run.refuse("sitting-paused", 1, at=at)
    assert run.kinds() == kinds


def test_paused_without_a_pause_is_reported(run: Run) -> None:
    """If I am given «paused» and the sitting never was, it is reported."""
    run.refuse("sitting-paused", 1)
    assert run.kinds() == {"untrue"}


def test_another_refusal_breaks_the_contract(run: Run) -> None:
    """An internal error, or a login that is suddenly unknown, is reported."""
    run.call(ANSWER, 500, {}, at=2_000, seq=1, answer=ONE, problem="internal")
    assert run.kinds() == {"contract"}


def test_a_start_that_is_not_sealed_is_lost(run: Run) -> None:
    """If I started and am not in the seal, it is reported."""
    run.platform.starts.clear()
    assert "lost" in run.kinds()


def test_a_start_sealed_with_another_time_is_reported(run: Run) -> None:
    """If my attempt is sealed with another start than I was shown, it is reported."""
    run.platform.starts[0] = replace(run.platform.starts[0], started_at=STARTED - 1)
    assert "untrue" in run.kinds()


def test_a_start_that_arrived_later_and_gives_time_is_no_fault(run: Run) -> None:
    """If a start of mine that got no response holds in the end, I have more time than I was shown, not less."""
    run.call(START, None, {}, at=STARTED + 5)
    run.platform.starts[0] = replace(run.platform.starts[0], started_at=STARTED + 5)
    assert run.kinds() == set()
    run.platform.starts[0] = replace(run.platform.starts[0], started_at=STARTED + 500)
    assert run.kinds() == {"untrue"}


def test_a_resume_that_takes_time_away_is_reported(run: Run) -> None:
    """If I am shown an earlier start than before, my deadline has come closer: it is reported."""
    run.start(at=2_000, started=STARTED + 5)
    run.platform.starts[0] = replace(run.platform.starts[0], started_at=STARTED + 5)
    run.call(START, None, {}, at=STARTED + 5)
    assert run.kinds() == set()
    run.start(at=3_000)
    assert run.kinds() == {"untrue"}


def test_a_resumed_attempt_without_an_acknowledged_answer_is_reported(run: Run) -> None:
    """If I resume and an answer that I have a receipt for is not shown, it is reported."""
    run.answer(1)
    run.start(at=3_000)
    assert run.kinds() == {"untrue"}


def test_a_resume_shows_what_was_acknowledged_before_it_by_a_clock_that_is_not_set(run: Run) -> None:
    """If the platform's clock is set back, what I do afterwards is not what I had done at my earlier resume."""
    run.start(at=2_500)
    run.answer(1, at=2_000)
    assert run.kinds() == set()
    run.start(at=1_900)
    assert run.kinds() == {"untrue"}


def test_an_answer_shown_before_it_was_sent_is_reported(run: Run) -> None:
    """If I resume and am shown an answer that I send only later, it is reported, though the clock was set back."""
    run.start(at=3_000, answers=({"question": 0, "seq": 1, **ONE},))
    run.answer(1, at=2_000)
    assert run.kinds() == {"untrue"}


def test_an_answer_shown_as_saved_that_does_not_count_is_lost(run: Run) -> None:
    """If I resume and see an answer as saved, it counts, or it is reported."""
    run.lose(1, stored=False)
    run.start(at=3_000, answers=({"question": 0, "seq": 1, **ONE},))
    assert run.kinds() == {"lost"}


def test_a_submission_that_is_not_sealed_is_lost(run: Run) -> None:
    """If my submission was confirmed, it is sealed, or it is reported."""
    run.call(SUBMIT, 200, {"submitted_at": rfc3339(5_000)}, at=5_000)
    assert run.kinds() == {"lost"}


def test_a_bucket_whose_recorded_digest_differs_is_reported(run: Run) -> None:
    """If PostgreSQL recorded another seal than Cassandra has, it is reported."""
    run.changes = {"digests": {0: "0" * 64}}
    assert run.kinds() == {"seal"}


def test_a_bucket_that_is_not_sealed_is_reported(run: Run) -> None:
    """If a bucket has no seal, it is reported."""
    run.changes = {"sealed": []}
    assert "seal" in run.kinds()


def test_a_wrong_degree_is_reported(run: Run) -> None:
    """If a degree is not what the sealed answers earn, it is reported."""
    run.answer(1, OTHER)
    run.changes = {"degrees": [Degree(student=1, total="0.00", maximum="3.60", points=(None, None, None))]}
    assert run.kinds() == {"degree"}


def test_a_missing_degree_is_reported(run: Run) -> None:
    """If I started and have no degree, it is reported."""
    run.changes = {"degrees": []}
    assert run.kinds() == {"degree"}


def test_a_degree_of_a_student_who_never_started_is_reported(run: Run) -> None:
    """If a student has a degree who never started, it is reported."""
    run.changes = {"degrees": [*run.transcript().degrees, Degree(student=2, total="0", maximum="1", points=())]}
    assert run.kinds() == {"degree"}


def test_an_unfinished_sitting_is_reported(run: Run) -> None:
    """If a sitting is not graded after all faults have ended, it is reported."""
    run.remarks.append("not graded")
    assert run.kinds() == {"unfinished"}


PARTS = ("seal_proofs", "degree_proofs")


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_statement_is_reported(run: Run, part: str) -> None:
    """If nothing is published of the seal or of the degrees, it is reported."""
    run.changes = {part: None}
    assert run.kinds() == {"proof"}


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_proof_is_reported(run: Run, part: str) -> None:
    """If I get no proof of my attempt or of my degree, it is reported."""
    run.changes = {part: Published(getattr(run.transcript(), part).statement, {})}
    assert run.kinds() == {"proof"}


@pytest.mark.parametrize("part", PARTS)
def test_a_proof_that_leads_to_another_root_is_reported(run: Run, part: str) -> None:
    """If a proof does not lead to what was stated in public, it is reported."""
    published = getattr(run.transcript(), part)
    run.changes = {part: Published(published.statement, {1: {**published.proofs[1], "salt": "00" * 32}})}
    assert run.kinds() == {"proof"}


@pytest.mark.parametrize("part", PARTS)
def test_a_statement_about_another_seal_is_reported(run: Run, part: str) -> None:
    """If the statement is about another seal than the one that is stored, it is reported."""
    earlier = getattr(run.transcript(), part)
    run.answer(1)
    run.changes = {part: earlier}
    assert "proof" in run.kinds()


def test_a_degree_that_a_proof_shows_otherwise_is_reported(run: Run) -> None:
    """If the degree that my proof shows is not what my answers earn, it is reported."""
    published = run.transcript().degree_proofs
    assert published is not None
    proof = published.proofs[1]
    changed = {**proof, "content": {**proof["content"], "total": "3.60"}}
    run.changes = {"degree_proofs": Published(published.statement, {1: changed})}
    assert run.kinds() == {"degree", "proof"}


def test_an_outage_lasts_from_the_first_answer_without_an_outcome_to_the_next_outcome(run: Run) -> None:
    """If I get no response, and then 503, and then a receipt, that was one outage; another student's call ends none."""
    run.answer(1, at=2_000)
    run.lose(2, at=2_100)
    run.call(ANSWER, 503, {}, at=2_500, seq=3, answer=ONE)
    run.call(ANSWER, 409, {}, at=2_700, seq=1, answer=ONE, student=2)
    run.answer(4, at=3_000)
    lost, last = run.calls[2], run.calls[-1]
    assert longest_outage(run.calls) == last.ended - lost.began
