"""Judge a transcript: whether everything that the platform said to its clients holds in the seal and the degrees.

Pure. Each check yields a `Mismatch` per statement that is not true, so that a failed run names the call to look at.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from exam_harness.oracle.checker import Mismatch, ObservedDegree, degree_differences
from exam_harness.oracle.document import read_document
from exam_harness.oracle.history import Acknowledgement, SentAnswer, describe, parse_content
from exam_harness.oracle.instants import parse_rfc3339
from exam_harness.oracle.paper import match_paper
from exam_harness.oracle.proofs import check_degree_proofs, check_seal_proofs
from exam_harness.oracle.receipts import InvalidReceiptError, Keys, parse_keys, verify_acknowledgement
from exam_harness.oracle.scoring import Content, score
from exam_harness.oracle.seal import Seal, SealedAnswer, parse_seal
from exam_harness.oracle.transcript import ANSWER, LOGIN, START, SUBMIT, Call, Transcript
from exam_harness.oracle.windows import Version, versions

CLOCK_TOLERANCE: Final = 20_000
"""How far two readings of one machine's clocks may differ (µs)."""
LATE: Final = "deadline-passed"
SEQ_TOO_LOW: Final = "seq-too-low"
TOO_MANY: Final = "too-many-answers"
_ALLOWED: Final = {
    START: {"starts-over", "not-open-yet", "sitting-paused", "too-many-requests"},
    ANSWER: {LATE, SEQ_TOO_LOW, TOO_MANY, "sitting-paused", "too-many-requests"},
    LOGIN: {"too-many-requests"},
    SUBMIT: {LATE, "sitting-paused", "too-many-requests"},
}
"""The refusals that a well-behaved client may receive; their truth is checked separately."""

Slot = tuple[int, int]
"""Student and question."""


@dataclass
class _Sent:
    """The calls of one answer: student, question, seq and content."""

    calls: list[Call] = field(default_factory=list)

    @property
    def acknowledged(self) -> list[Call]:
        return [call for call in self.calls if call.acknowledged]

    @property
    def may_count(self) -> bool:
        """Whether it was confirmed, or its outcome was unknown at least once."""
        return any(call.acknowledged or call.unknown for call in self.calls)


class Judgement:
    """The facts of a transcript, indexed, and the checks over them.

    Args:
        transcript: the transcript.
        tolerance: how far two readings of the clocks may differ (µs).
    """

    def __init__(self, transcript: Transcript, *, tolerance: int = CLOCK_TOLERANCE) -> None:
        self.transcript = transcript
        self.tolerance = tolerance
        self.seal: Seal = parse_seal(
            transcript.sitting, transcript.sealed, buckets=transcript.buckets, root=transcript.root
        )
        self.versions: list[Version] = versions(transcript.first, transcript.last, transcript.operations)
        self.keys: Keys = parse_keys(transcript.keys)
        self.counts: Counter[str] = Counter()
        self.sent: dict[Slot, dict[tuple[int, Content], _Sent]] = defaultdict(lambda: defaultdict(_Sent))
        for call in transcript.answers():
            self.sent[call.student, call.question][call.seq, call.content].calls.append(call)

    def mismatches(self) -> Iterator[Mismatch]:
        """Every statement of the platform that does not hold."""
        for check in (
            self._check_remarks,
            self._check_seal,
            self._check_acknowledged,
            self._check_counted,
            self._check_refusals,
            self._check_starts,
            self._check_submissions,
            self._check_degrees,
            self._check_proofs,
        ):
            yield from (Mismatch(kind, self.transcript.sitting, detail) for kind, detail in check())

    def _check_remarks(self) -> Iterator[tuple[str, str]]:
        for remark in self.transcript.remarks:
            yield "unfinished", remark

    def _check_seal(self) -> Iterator[tuple[str, str]]:
        """Each bucket is sealed once, and PostgreSQL recorded the seal that Cassandra has."""
        for error in self.seal.integrity_errors:
            yield "seal", error
        for row in self.transcript.sealed:
            recorded = self.transcript.digests.get(row.bucket)
            if recorded != row.digest:
                yield "seal", f"bucket {row.bucket}: stored is {row.digest}, recorded is {recorded}"

    def _check_acknowledged(self) -> Iterator[tuple[str, str]]:
        """Every receipt is genuine, and its answer counts unless a later one of the same student does."""
        for slot, answers in self.sent.items():
            sealed = self._sealed(slot)
            confirmed = [call for sent in answers.values() for call in sent.acknowledged]
            for call in confirmed:
                yield from self._check_receipt(call)
            if not confirmed:
                continue
            # Saved content that arrives after the deadline gets the saved answer's receipt, but is no later answer.
            end = self._certainly_open_until(slot[0])
            in_time = [call for call in confirmed if call.seq == call.body["seq"] or call.done_at <= end]
            saved = max(confirmed, key=lambda call: call.body["seq"])
            last = max(in_time, key=lambda call: call.seq, default=saved)
            highest = last.seq if in_time else saved.body["seq"]
            if sealed is None:
                yield "lost", f"{last}, and no answer to the question is sealed"
            elif sealed.seq < saved.body["seq"] or (sealed.seq <= highest and sealed.content != last.content):
                yield "lost", f"{last}, and sealed is seq {sealed.seq} ({describe(sealed.content)})"
            else:
                superseded = sum(call.body["seq"] < sealed.seq for call in confirmed)
                self.counts["superseded"] += superseded
                self.counts["counted"] += len(confirmed) - superseded

    def _check_receipt(self, call: Call) -> Iterator[tuple[str, str]]:
        seq, received_at = call.body["seq"], parse_rfc3339(call.body["received_at"])
        self.counts["acknowledged"] += 1
        sent = self.sent[call.student, call.question].get((seq, call.content))
        if sent is None or seq > call.seq:
            yield "receipt", f"{call}: the receipt is for seq {seq}"
            return
        answer = call.sent_answer(self.transcript.sitting, seq)
        try:
            claims = verify_acknowledgement(Acknowledgement(answer, received_at, call.body["receipt"]), self.keys)
        except InvalidReceiptError as error:
            yield "receipt", f"{call}: {error}"
            return
        if claims["deadline_at"] not in self._deadlines(call.student):
            yield "deadline", f"{call}: no version of the window gives the deadline {claims['deadline_at']}"
        earliest = min(each.sent_at for each in sent.calls)
        if received_at < earliest - self.tolerance:
            yield "time", f"{call}: received at {received_at}, first sent at {earliest}"

    def _check_counted(self) -> Iterator[tuple[str, str]]:
        """Only answers count that their student sent, in time, and of which no refusal says otherwise."""
        for student, attempt in self.seal.students.items():
            latest = max((at for at in self._deadlines(student) if at is not None), default=None)
            for question, sealed in attempt.answers.items():
                at = f"student {student}, question {question}, seq {sealed.seq} ({describe(sealed.content)})"
                sent = self.sent.get((student, question), {}).get((sealed.seq, sealed.content))
                if sent is None or not sent.may_count:
                    yield "unasked", f"{at} is sealed, and was never sent or always refused"
                    continue
                if latest is not None and sealed.received_at > latest:
                    yield "late", f"{at} was received at {sealed.received_at}, the deadline was {latest}"
                first = min(call.sent_at for call in sent.calls)
                if latest is not None and first > latest + self.tolerance:
                    yield "late", f"{at} was first sent at {first}, the deadline was {latest}"

    def _check_refusals(self) -> Iterator[tuple[str, str]]:
        """No refusal contradicts the seal, a receipt, or the window."""
        for call in self.transcript.calls:
            if call.acknowledged or call.unknown:
                continue
            if call.problem not in _ALLOWED[call.verb]:
                yield "contract", f"{call}: {call.body}"
            elif call.problem == LATE:
                yield from self._check_late(call)
            elif call.problem == SEQ_TOO_LOW:
                yield from self._check_seq_too_low(call)
            elif call.problem == TOO_MANY:
                yield from self._check_too_many(call)
            elif call.problem == "starts-over":
                yield from self._check_starts_over(call)
            elif call.problem == "not-open-yet" and call.sent_at > self.transcript.first.opens_at + self.tolerance:
                yield "untrue", f"{call} at {call.sent_at}, and the window opened at {self.transcript.first.opens_at}"
            elif call.problem == "sitting-paused":
                yield from self._check_paused(call)

    def _check_late(self, call: Call) -> Iterator[tuple[str, str]]:
        if call.verb == ANSWER:
            yield from self._check_late_answer(call)
        at = call.body["deadline"]["at"]
        deadline = None if at is None else parse_rfc3339(at)
        if deadline is None:
            return
        if call.done_at < deadline - self.tolerance:
            yield "untrue", f"{call} at {call.done_at}, before the deadline {deadline}"
        if deadline == self.transcript.last.stopped_at:
            return
        # Time that was granted before the deadline passed counts; a later grant does not make the refusal untrue. The
        # end of a pause, after which the deadline is known again, may be in force before the operator has the response.
        granted = [version for version in self.versions if version.since <= deadline][-1]
        later = self.versions[self.versions.index(granted) + 1 :]
        in_force = [granted, *(each for each in later if each.requested <= call.done_at + self.tolerance)]
        started_at = parse_rfc3339(call.body["deadline"]["derivation"]["started_at"])
        deadlines = [version.window.deadline(call.student, started_at) for version in in_force]
        if not any(at is not None and at <= call.done_at + self.tolerance for at in deadlines):
            yield "untrue", f"{call} by the deadline {deadline}, and {deadlines[-1]} had been granted"

    def _check_late_answer(self, call: Call) -> Iterator[tuple[str, str]]:
        """A late answer neither counts nor has a receipt, except where no process could know better."""
        if self.transcript.clock_stepped and self._sent_again(call):
            self.counts["late before a step"] += 1
            return
        if self.transcript.writes_delayed and self._in_doubt(call):
            self.counts["late in doubt"] += 1
        else:
            yield from self._check_does_not_count(call)
        confirmed = [each for each in self._same(call) if each.acknowledged]
        if confirmed:
            yield "untrue", f"{call}, and it has a receipt ({confirmed[0].via}, {confirmed[0].body['received_at']})"

    def _check_seq_too_low(self, call: Call) -> Iterator[tuple[str, str]]:
        yield from self._check_does_not_count(call)
        highest = call.body["highest_seq"]
        sealed = self._sealed((call.student, call.question))
        if sealed is None or sealed.seq < highest:
            found = "nothing" if sealed is None else f"seq {sealed.seq}"
            yield "untrue", f"{call}: it says that seq {highest} is saved, and sealed is {found}"

    def _check_too_many(self, call: Call) -> Iterator[tuple[str, str]]:
        yield from self._check_does_not_count(call)
        rows = sum(row.student == call.student for row in self.transcript.rows)
        if rows < self.transcript.row_limit:
            yield "untrue", f"{call}, and the log has {rows} of {self.transcript.row_limit} rows"

    def _check_starts_over(self, call: Call) -> Iterator[tuple[str, str]]:
        if self.transcript.last.stopped_at is not None:
            return
        closes_at = self.transcript.first.closes_for(call.done_at)
        for version in self.versions:
            if version.since <= closes_at:
                closes_at = version.window.closes_for(call.done_at)
        if call.done_at < closes_at - self.tolerance:
            yield "untrue", f"{call} at {call.done_at}, and the window closes at {closes_at}"

    def _check_paused(self, call: Call) -> Iterator[tuple[str, str]]:
        """«Paused» is said during a pause, or while the solver may not know that it has ended."""
        paused = [version for version in self.versions if any(ended is None for _, ended in version.window.pauses)]
        for version in paused:
            later = [each for each in self.versions[self.versions.index(version) + 1 :] if each not in paused]
            until = later[0].since + self.transcript.lease_ttl + self.tolerance if later else call.sent_at
            if version.requested - self.tolerance <= call.done_at and call.sent_at <= until:
                return
        yield "untrue", f"{call} at {call.done_at}, and the sitting was not paused"

    def _check_does_not_count(self, call: Call) -> Iterator[tuple[str, str]]:
        sealed = self._sealed((call.student, call.question))
        if sealed is not None and (sealed.seq, sealed.content) == (call.seq, call.content):
            yield "untrue", f"{call}, and it is sealed"

    def _check_starts(self) -> Iterator[tuple[str, str]]:
        """A started attempt is sealed with its start, and what it was shown as saved is sealed or superseded."""
        shown: dict[int, list[Call]] = defaultdict(list)
        for call in self.transcript.calls:
            if call.verb != START or not call.acknowledged:
                continue
            self.counts["starts"] += 1
            sealed = self.seal.students.get(call.student)
            started_at = parse_rfc3339(call.body["started_at"])
            for each in shown[call.student]:
                if each.precedes(call) and parse_rfc3339(each.body["started_at"]) > started_at:
                    yield "untrue", f"{call}: started at {started_at}, and it was {each.body['started_at']} before"
            shown[call.student].append(call)
            if sealed is None or sealed.started_at is None:
                yield "lost", f"{call}, and no start is sealed"
            elif sealed.started_at != started_at and not self._started_later(call, started_at, sealed.started_at):
                yield "untrue", f"{call}: started at {started_at}, sealed as {sealed.started_at}"
            yield from self._check_shown(call)

    def _started_later(self, call: Call, shown: int, sealed: int) -> bool:
        """Whether another start, which had not arrived when this one was shown, holds and gives the student time."""
        return sealed > shown and any(
            each.verb == START
            and each.student == call.student
            and each is not call
            and each.sent_at - self.tolerance <= sealed <= each.done_at + self.tolerance
            for each in self.transcript.calls
        )

    def _check_shown(self, call: Call) -> Iterator[tuple[str, str]]:
        shown = {each["question"]: (each["seq"], parse_content(each)) for each in call.body["answers"]}
        for question, (seq, content) in shown.items():
            slot = (call.student, question)
            sent = self.sent.get(slot, {}).get((seq, content))
            if sent is None or all(call.precedes(each) for each in sent.calls):
                answer = SentAnswer(self.transcript.sitting, *slot, seq, content)
                yield "untrue", f"{call}: it shows {answer}, which was never sent"
            sealed = self._sealed(slot)
            if sealed is None or sealed.seq < seq:
                yield "lost", f"{call}: it shows question {question} seq {seq} as saved, which is not sealed"
        for (student, question), answers in self.sent.items():
            if student != call.student:
                continue
            confirmed = [
                each.body["seq"] for sent in answers.values() for each in sent.acknowledged if each.precedes(call)
            ]
            if confirmed and shown.get(question, (0, None))[0] < max(confirmed):
                yield "untrue", f"{call}: it shows question {question} without the acknowledged seq {max(confirmed)}"

    def _check_submissions(self) -> Iterator[tuple[str, str]]:
        for call in self.transcript.calls:
            if call.verb != SUBMIT or not call.acknowledged:
                continue
            sealed = self.seal.students.get(call.student)
            submitted_at = parse_rfc3339(call.body["submitted_at"])
            if sealed is None or sealed.submitted_at is None or sealed.submitted_at > submitted_at:
                yield "lost", f"{call}: submitted at {submitted_at}, sealed is {sealed and sealed.submitted_at}"

    def _check_degrees(self) -> Iterator[tuple[str, str]]:
        """Every sealed attempt has the degree that plain scoring of the sealed answers gives; nothing else has one."""
        started = {student for student, attempt in self.seal.students.items() if attempt.started_at is not None}
        degrees = {degree.student: degree for degree in self.transcript.degrees}
        if missing := sorted(started - degrees.keys()):
            yield "degree", f"students {missing} started and have no degree"
        if surplus := sorted(degrees.keys() - started):
            yield "degree", f"students {surplus} have a degree and never started"
        if self.transcript.paper is None:
            return
        paper = match_paper(read_document(self.transcript.document), self.transcript.paper)
        for observed in self._observed_degrees():
            sealed = self.seal.students.get(observed.student)
            if sealed is None or sealed.started_at is None:
                continue
            answers = {question: answer.content for question, answer in sealed.answers.items()}
            if differences := list(degree_differences(score(paper, answers), observed)):
                yield "degree", f"student {observed.student} ({observed.source}): {'; '.join(differences)}"

    def _observed_degrees(self) -> Iterator[ObservedDegree]:
        """The degrees as stored, and as proofs show them to their students."""
        for degree in self.transcript.degrees:
            yield ObservedDegree(
                source="database",
                student=degree.student,
                total=degree.total,
                maximum=degree.maximum,
                points=degree.points,
            )
        published = self.transcript.degree_proofs
        for student, proof in published.proofs.items() if published else ():
            content = proof["content"]
            yield ObservedDegree(
                source="proof",
                student=student,
                total=content["total"],
                maximum=content["maximum"],
                points=tuple(content["points"]),
                answered=content["answered"],
            )

    def _check_proofs(self) -> Iterator[tuple[str, str]]:
        """The statements are about the stored seal, and each sealed student has a proof of it and of the degree."""
        keys, present = parse_keys(self.transcript.statement_keys), sorted(self.seal.students)
        for part, published, check in (
            ("seal", self.transcript.seal_proofs, check_seal_proofs),
            ("degrees", self.transcript.degree_proofs, check_degree_proofs),
        ):
            if published is None:
                yield "proof", f"there is no statement about the {part}"
                continue
            self.counts["proofs"] += len(published.proofs)
            for fault in check(self.seal, published, keys, present=present):
                yield "proof", f"{part}: {fault}"

    def _same(self, call: Call) -> Iterable[Call]:
        return self.sent[call.student, call.question][call.seq, call.content].calls

    def _sent_again(self, call: Call) -> bool:
        """Whether a late answer was accepted afterwards, or may have been, because the clock was set back."""
        return any((each.acknowledged or each.unknown) and each.ended > call.ended for each in self._same(call))

    def _in_doubt(self, call: Call) -> bool:
        """Whether an earlier copy of a late answer got no response, so that its write may arrive after the refusal."""
        return any(each.unknown and each.began < call.began for each in self._same(call))

    def _sealed(self, slot: Slot) -> SealedAnswer | None:
        student, question = slot
        attempt = self.seal.students.get(student)
        return attempt.answers.get(question) if attempt else None

    def _certainly_open_until(self, student: int) -> int:
        """Until when an attempt could be answered, by any reading of the clock."""
        latest = max((at for at in self._deadlines(student) if at is not None), default=0)
        stopped_at = self.transcript.last.stopped_at
        return (latest if stopped_at is None else min(latest, stopped_at)) - self.tolerance

    def _deadlines(self, student: int) -> set[int | None]:
        """The personal deadlines by every version of the window."""
        attempt = self.seal.students.get(student)
        if attempt is None or attempt.started_at is None:
            return set()
        return {version.window.deadline(student, attempt.started_at) for version in self.versions}


def judge(transcript: Transcript, *, tolerance: int = CLOCK_TOLERANCE) -> tuple[list[Mismatch], Mapping[str, int]]:
    """Every mismatch of a transcript, and counts for the report."""
    judgement = Judgement(transcript, tolerance=tolerance)
    return list(judgement.mismatches()), judgement.counts
