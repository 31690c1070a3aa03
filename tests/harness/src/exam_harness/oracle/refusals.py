"""Whether the refusals of a transcript are allowed and true."""

from collections.abc import Iterator
from typing import Final

from exam_harness.oracle.facts import Facts, Finding
from exam_harness.oracle.instants import parse_rfc3339
from exam_harness.oracle.transcript import ANSWER, LOGIN, START, SUBMIT, Call

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


class Refusals(Facts):
    """The checks over calls that were refused."""

    def check_refusals(self) -> Iterator[Finding]:
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

    def _check_late(self, call: Call) -> Iterator[Finding]:
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

    def _check_late_answer(self, call: Call) -> Iterator[Finding]:
        """A late answer neither counts nor has a receipt, except where no process could know better."""
        if self.transcript.clock_stepped and self._sent_again(call):
            self.counts["late before a step"] += 1
            return
        if self.transcript.writes_delayed and self._in_doubt(call):
            self.counts["late in doubt"] += 1
        else:
            yield from self._check_does_not_count(call)
        confirmed = [each for each in self.same(call) if each.acknowledged]
        if confirmed:
            yield "untrue", f"{call}, and it has a receipt ({confirmed[0].via}, {confirmed[0].body['received_at']})"

    def _check_seq_too_low(self, call: Call) -> Iterator[Finding]:
        yield from self._check_does_not_count(call)
        highest = call.body["highest_seq"]
        sealed = self.sealed((call.student, call.question))
        if sealed is None or sealed.seq < highest:
            found = "nothing" if sealed is None else f"seq {sealed.seq}"
            yield "untrue", f"{call}: it says that seq {highest} is saved, and sealed is {found}"

    def _check_too_many(self, call: Call) -> Iterator[Finding]:
        yield from self._check_does_not_count(call)
        rows = sum(row.student == call.student for row in self.transcript.rows)
        if rows < self.transcript.row_limit:
            yield "untrue", f"{call}, and the log has {rows} of {self.transcript.row_limit} rows"

    def _check_starts_over(self, call: Call) -> Iterator[Finding]:
        if self.transcript.last.stopped_at is not None:
            return
        closes_at = self.transcript.first.closes_for(call.done_at)
        for version in self.versions:
            if version.since <= closes_at:
                closes_at = version.window.closes_for(call.done_at)
        if call.done_at < closes_at - self.tolerance:
            yield "untrue", f"{call} at {call.done_at}, and the window closes at {closes_at}"

    def _check_paused(self, call: Call) -> Iterator[Finding]:
        """«Paused» is said during a pause, or while the solver may not know that it has ended."""
        paused = [version for version in self.versions if any(ended is None for _, ended in version.window.pauses)]
        for version in paused:
            later = [each for each in self.versions[self.versions.index(version) + 1 :] if each not in paused]
            until = later[0].since + self.transcript.lease_ttl + self.tolerance if later else call.sent_at
            if version.requested - self.tolerance <= call.done_at and call.sent_at <= until:
                return
        yield "untrue", f"{call} at {call.done_at}, and the sitting was not paused"

    def _check_does_not_count(self, call: Call) -> Iterator[Finding]:
        sealed = self.sealed((call.student, call.question))
        if sealed is not None and (sealed.seq, sealed.content) == (call.seq, self.transcript.content(call)):
            yield "untrue", f"{call}, and it is sealed"

    def _sent_again(self, call: Call) -> bool:
        """Whether a late answer was accepted afterwards, or may have been, because the clock was set back."""
        return any((each.acknowledged or each.unknown) and each.ended > call.ended for each in self.same(call))

    def _in_doubt(self, call: Call) -> bool:
        """Whether an earlier copy of a late answer got no response, so that its write may arrive after the refusal."""
        return any(each.unknown and each.began < call.began for each in self.same(call))
