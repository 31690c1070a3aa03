"""Judge a transcript: whether everything that the platform said to its clients holds in the seal and the degrees.

Pure. Each check yields a `Mismatch` per statement that is not true, so that a failed run names the call to look at.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from exam_harness.oracle.checker import Mismatch, ObservedDegree, degree_differences, draw_fault
from exam_harness.oracle.content import describe, parse_content
from exam_harness.oracle.facts import CLOCK_TOLERANCE, Finding
from exam_harness.oracle.history import Acknowledgement, SentAnswer
from exam_harness.oracle.instants import parse_rfc3339
from exam_harness.oracle.paper import match_paper
from exam_harness.oracle.proofs import check_degree_proofs, check_seal_proofs
from exam_harness.oracle.receipts import InvalidReceiptError, parse_keys, verify_acknowledgement
from exam_harness.oracle.refusals import Refusals
from exam_harness.oracle.scoring import score
from exam_harness.oracle.transcript import START, SUBMIT, Call, Transcript


class Judgement(Refusals):
    """The checks over the facts of a transcript."""

    def mismatches(self) -> Iterator[Mismatch]:
        """Every statement of the platform that does not hold."""
        for check in (
            self._check_remarks,
            self._check_seal,
            self._check_acknowledged,
            self._check_counted,
            self.check_refusals,
            self._check_starts,
            self._check_submissions,
            self._check_degrees,
            self._check_proofs,
        ):
            yield from (Mismatch(kind, self.transcript.sitting, detail) for kind, detail in check())

    def _check_remarks(self) -> Iterator[Finding]:
        for remark in self.transcript.remarks:
            yield "unfinished", remark

    def _check_seal(self) -> Iterator[Finding]:
        """Each bucket is sealed once, and PostgreSQL recorded the seal that Cassandra has."""
        for error in self.seal.integrity_errors:
            yield "seal", error
        for row in self.transcript.sealed:
            recorded = self.transcript.digests.get(row.bucket)
            if recorded != row.digest:
                yield "seal", f"bucket {row.bucket}: stored is {row.digest}, recorded is {recorded}"

    def _check_acknowledged(self) -> Iterator[Finding]:
        """Every receipt is genuine, and its answer counts unless a later one of the same student does."""
        for slot, answers in self.sent.items():
            sealed = self.sealed(slot)
            confirmed = [call for sent in answers.values() for call in sent.acknowledged]
            for call in confirmed:
                yield from self._check_receipt(call)
            if not confirmed:
                continue
            # Saved content that arrives after the deadline gets the saved answer's receipt, but is no later answer.
            end = self.certainly_open_until(slot[0])
            in_time = [call for call in confirmed if call.seq == call.body["seq"] or call.done_at <= end]
            saved = max(confirmed, key=lambda call: call.body["seq"])
            last = max(in_time, key=lambda call: call.seq, default=saved)
            highest = last.seq if in_time else saved.body["seq"]
            if sealed is None:
                yield "lost", f"{last}, and no answer to the question is sealed"
            elif sealed.seq < saved.body["seq"] or (
                sealed.seq <= highest and sealed.content != self.transcript.content(last)
            ):
                yield "lost", f"{last}, and sealed is seq {sealed.seq} ({describe(sealed.content)})"
            else:
                superseded = sum(call.body["seq"] < sealed.seq for call in confirmed)
                self.counts["superseded"] += superseded
                self.counts["counted"] += len(confirmed) - superseded

    def _check_receipt(self, call: Call) -> Iterator[Finding]:
        seq, received_at = call.body["seq"], parse_rfc3339(call.body["received_at"])
        self.counts["acknowledged"] += 1
        sent = self.sent[call.student, call.question].get((seq, self.transcript.content(call)))
        if sent is None or seq > call.seq:
            yield "receipt", f"{call}: the receipt is for seq {seq}"
            return
        content = self.transcript.content(call)
        answer = SentAnswer(self.transcript.sitting, call.student, call.question, seq, content)
        try:
            claims = verify_acknowledgement(Acknowledgement(answer, received_at, call.body["receipt"]), self.keys)
        except InvalidReceiptError as error:
            yield "receipt", f"{call}: {error}"
            return
        if claims["deadline_at"] not in self.deadlines(call.student):
            yield "deadline", f"{call}: no version of the window gives the deadline {claims['deadline_at']}"
        earliest = min(each.sent_at for each in sent.calls)
        if received_at < earliest - self.tolerance:
            yield "time", f"{call}: received at {received_at}, first sent at {earliest}"

    def _check_counted(self) -> Iterator[Finding]:
        """Only answers count that their student sent, in time, and of which no refusal says otherwise."""
        for student, attempt in self.seal.students.items():
            latest = max((at for at in self.deadlines(student) if at is not None), default=None)
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

    def _check_starts(self) -> Iterator[Finding]:
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
            yield from self._check_drawn(call)

    def _check_drawn(self, call: Call) -> Iterator[Finding]:
        """The seal states the questions that the student was shown, as many as each section draws."""
        sealed = self.seal.students.get(call.student)
        if sealed is None or "drawn" not in call.body:
            return
        if fault := draw_fault(self.document, sealed.drawn, tuple(call.body["drawn"])):
            yield "draw", f"{call}: {fault}"

    def _started_later(self, call: Call, shown: int, sealed: int) -> bool:
        """Whether another start, which had not arrived when this one was shown, holds and gives the student time."""
        return sealed > shown and any(
            each.verb == START
            and each.student == call.student
            and each is not call
            and each.sent_at - self.tolerance <= sealed <= each.done_at + self.tolerance
            for each in self.transcript.calls
        )

    def _check_shown(self, call: Call) -> Iterator[Finding]:
        shown = {
            each["question"]: (each["seq"], parse_content(each, self.transcript.kind(each["question"])))
            for each in call.body["answers"]
        }
        for question, (seq, content) in shown.items():
            slot = (call.student, question)
            sent = self.sent.get(slot, {}).get((seq, content))
            if sent is None or all(call.precedes(each) for each in sent.calls):
                answer = SentAnswer(self.transcript.sitting, *slot, seq, content)
                yield "untrue", f"{call}: it shows {answer}, which was never sent"
            sealed = self.sealed(slot)
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

    def _check_submissions(self) -> Iterator[Finding]:
        for call in self.transcript.calls:
            if call.verb != SUBMIT or not call.acknowledged:
                continue
            sealed = self.seal.students.get(call.student)
            submitted_at = parse_rfc3339(call.body["submitted_at"])
            if sealed is None or sealed.submitted_at is None or sealed.submitted_at > submitted_at:
                yield "lost", f"{call}: submitted at {submitted_at}, sealed is {sealed and sealed.submitted_at}"

    def _check_degrees(self) -> Iterator[Finding]:
        """Every sealed attempt has the degree that plain scoring of the sealed answers gives; nothing else has one."""
        started = {student for student, attempt in self.seal.students.items() if attempt.started_at is not None}
        degrees = {degree.student: degree for degree in self.transcript.degrees}
        if missing := sorted(started - degrees.keys()):
            yield "degree", f"students {missing} started and have no degree"
        if surplus := sorted(degrees.keys() - started):
            yield "degree", f"students {surplus} have a degree and never started"
        if self.transcript.paper is None:
            return
        paper = match_paper(self.document, self.transcript.paper)
        for observed in self._observed_degrees():
            sealed = self.seal.students.get(observed.student)
            if sealed is None or sealed.started_at is None:
                continue
            answers = {question: answer.content for question, answer in sealed.answers.items()}
            if differences := list(degree_differences(score(paper, answers, drawn=sealed.drawn), observed)):
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

    def _check_proofs(self) -> Iterator[Finding]:
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


def judge(transcript: Transcript, *, tolerance: int = CLOCK_TOLERANCE) -> tuple[list[Mismatch], Mapping[str, int]]:
    """Every mismatch of a transcript, and counts for the report."""
    judgement = Judgement(transcript, tolerance=tolerance)
    return list(judgement.mismatches()), judgement.counts
