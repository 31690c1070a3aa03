"""A student's device in one sitting: sends answers until their outcome is known, and records it in the history."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from exam_harness.oracle.content import parse_content
from exam_harness.oracle.history import Acknowledgement, AttemptStart, History, SentAnswer
from exam_harness.oracle.instants import parse_rfc3339
from exam_harness.oracle.paper import drawn_of
from exam_harness.students.clock import CLOCK_TOLERANCE, SECOND, ServerClock
from exam_harness.students.http import NoResponseError
from exam_harness.students.network import (
    POSSIBLY_LATE,
    RETRYABLE_PROBLEMS,
    RETRYABLE_STATUSES,
    SOLVER,
    Reply,
    StudentError,
    StudentNetwork,
    call_with_retries,
)

RETRY_AFTER_DEADLINE = 20 * SECOND
"""How long after the deadline a device keeps retrying an answer."""
_FIRST_DELAY = 0.2
_MAX_DELAY = 5.0
_WHOLE_REQUEST = {"deadline-passed", "unauthenticated", "token-revoked", "forbidden", "sitting-cancelled"}
"""Problems that apply to every answer of a request; any other may concern the first answer alone."""


@dataclass(frozen=True, slots=True)
class OutgoingAnswer:
    """An answer to send: its entry in the history and its JSON body."""

    answer: SentAnswer
    body: dict[str, Any]


class Device:
    """A device that has started or resumed an attempt."""

    def __init__(self, network: StudentNetwork, history: History, clock: ServerClock, sitting: str) -> None:
        self._network = network
        self._history = history
        self._clock = clock
        self.sitting = sitting
        self.student = 0
        self.token = ""
        self.deadline = 0
        self.seq = 0
        self.paper: dict[str, Any] = {}
        self.paper_digest = ""

    @property
    def path(self) -> str:
        """The sitting's path at the solver."""
        return f"/v1/sittings/{self.sitting}"

    @property
    def questions(self) -> list[int]:
        """The numbers of the questions that the student got."""
        return list(drawn_of(self.paper))

    async def start(self, access: str, *, second_device: bool = False) -> None:
        """Start the attempt, or resume it on a second device; waits for the opening as long as the platform asks."""
        reply = await call_with_retries(self._network, "POST", SOLVER, f"{self.path}/attempt", token=access)
        if reply.status not in {200, 201}:
            raise StudentError(f"a student could not start: {reply}")
        body = reply.body
        self.student, self.token, self.paper = int(body["student"]), body["attempt_token"], body["paper"]
        self.seq, self.paper_digest = body["highest_seq"], body["paper_digest"]
        if body["deadline"]["at"] is None:
            raise StudentError("the sitting is paused at the start; simulated students do not support pauses")
        self._update_deadline(body["deadline"])
        self._history.record_paper(self.sitting, self.student, body["paper"])
        if sorted(order := body["order"]["questions"]) != self.questions:
            self._history.record_violation(f"student {self.student} was shown {self.questions} in the order {order}")
        start = AttemptStart(parse_rfc3339(body["started_at"]), self.deadline)
        if reply.status == 200:
            self._record_resume(body)
        if second_device:
            self._history.counts["resumed" if reply.status == 200 else "started_twice"] += 1
        self._history.record_start(self.sitting, self.student, start)

    def new_answer(self, question: int, body: dict[str, Any], *, seq: int | None = None) -> OutgoingAnswer:
        """A new answer of this device, with the next seq unless one is given."""
        if seq is None:
            self.seq += 1
            seq = self.seq
        content = parse_content(body, self._kind(question))
        answer = SentAnswer(self.sitting, self.student, question, seq, content)
        return OutgoingAnswer(answer, {"seq": seq, **body})

    async def send_late(self, answers: Sequence[OutgoingAnswer]) -> None:
        """Send answers after the deadline by the platform's own time: none of them may be acknowledged."""
        self._history.late.update(outgoing.answer for outgoing in answers)
        await self.send(answers)
        for outgoing in answers:
            acknowledged = self._history.acknowledged.get(outgoing.answer.key, ())
            if any(entry.answer == outgoing.answer for entry in acknowledged):
                self._history.record_violation(f"{outgoing.answer} was sent after the deadline and acknowledged")

    async def send(self, answers: Sequence[OutgoingAnswer]) -> None:
        """Send answers, one by PUT, several by POST; retry until each is acknowledged or refused, or time is up."""
        pending = list(answers)
        delay = _FIRST_DELAY
        while pending:
            reply = await self._request(pending)
            if reply is not None and len(pending) > 1 and self._concerns_first_only(reply):
                await self._send_singly(pending)
                return
            pending = self._record_outcomes(pending, reply)
            if not pending:
                return
            if self._clock.now() > self.deadline + RETRY_AFTER_DEADLINE:
                self._history.counts["gave_up"] += len(pending)
                return
            self._history.counts["retries"] += len(pending)
            retry_after = reply.retry_after if reply is not None else None
            await asyncio.sleep(delay if retry_after is None else retry_after)
            delay = min(delay * 2, _MAX_DELAY)

    async def submit(self) -> None:
        """Submit the attempt."""
        reply = await call_with_retries(self._network, "POST", SOLVER, f"{self.path}/submit", token=self.token)
        if reply.status == 200:
            self._history.record_submission(self.sitting, self.student, parse_rfc3339(reply.body["submitted_at"]))
        elif reply.problem != "deadline-passed":
            self._history.record_violation(f"student {self.student} could not submit: {reply}")

    async def _request(self, answers: Sequence[OutgoingAnswer]) -> Reply | None:
        """Send one request with some answers; None when no response was received."""
        try:
            if len(answers) == 1:
                path = f"{self.path}/answers/{answers[0].answer.question}"
                return await self._network.call("PUT", SOLVER, path, token=self.token, body=answers[0].body)
            items = [{"question": outgoing.answer.question, **outgoing.body} for outgoing in answers]
            self._history.counts["batches"] += 1
            path = f"{self.path}/answers"
            return await self._network.call("POST", SOLVER, path, token=self.token, body={"answers": items})
        except NoResponseError:
            self._history.counts["responses_lost"] += 1
            return None

    def _record_outcomes(self, answers: list[OutgoingAnswer], reply: Reply | None) -> list[OutgoingAnswer]:
        """Record the outcome of each answer of a request; returns those to retry."""
        if reply is None or self._is_retryable(reply):
            self._history.counts["no_response" if reply is None else f"status_{reply.status}"] += len(answers)
            for outgoing in answers:
                self._record_indeterminate(outgoing)
            in_time = self._clock.now() + CLOCK_TOLERANCE <= self.deadline
            if reply is not None and POSSIBLY_LATE in str(reply) and in_time:
                self._history.record_violation(f"student {self.student} was in time and got: {reply}")
            return answers
        if "results" in (reply.body or {}):
            self._update_deadline(reply.body.get("deadline"))
            return self._record_results(answers, reply.body["results"])
        if reply.status == 200:
            self._update_deadline(reply.body["deadline"])
            self._record_acknowledgement(answers[0], reply.body)
            return []
        for outgoing in answers:
            self._record_refusal(outgoing, reply.problem)
        return []

    def _concerns_first_only(self, reply: Reply) -> bool:
        """Whether a batch was refused as a whole with a problem that may concern its first answer alone."""
        return reply.status >= 400 and not self._is_retryable(reply) and reply.problem not in _WHOLE_REQUEST

    async def _send_singly(self, answers: Sequence[OutgoingAnswer]) -> None:
        for outgoing in answers:
            self._record_indeterminate(outgoing)
        for outgoing in answers:
            await self.send([outgoing])

    @staticmethod
    def _is_retryable(reply: Reply) -> bool:
        """Whether the same request may succeed later."""
        return reply.status in RETRYABLE_STATUSES or reply.problem in RETRYABLE_PROBLEMS

    def _record_results(self, answers: list[OutgoingAnswer], results: list[dict[str, Any]]) -> list[OutgoingAnswer]:
        """Record the outcomes of a batch; returns the answers to retry."""
        retryable: list[OutgoingAnswer] = []
        for outgoing, result in zip(answers, results, strict=True):
            if result["status"] == 200:
                self._record_acknowledgement(outgoing, result)
            elif result["status"] in RETRYABLE_STATUSES:
                self._record_indeterminate(outgoing)
                retryable.append(outgoing)
            else:
                self._record_refusal(outgoing, result["problem"]["type"].rpartition("/")[2])
        return retryable

    def _record_acknowledgement(self, outgoing: OutgoingAnswer, body: dict[str, Any]) -> None:
        """Record an acknowledged answer: the one that was sent, or an earlier one with the same content."""
        answer = replace(outgoing.answer, seq=body["seq"])
        if answer.seq > outgoing.answer.seq or body["question"] != answer.question:
            self._history.record_violation(f"{outgoing.answer} was sent and {answer} was acknowledged")
        received_at = parse_rfc3339(body["received_at"])
        self._history.record_acknowledgement(Acknowledgement(answer, received_at, body["receipt"]))
        self._history.counts["acknowledgements"] += 1

    def _record_indeterminate(self, outgoing: OutgoingAnswer) -> None:
        """Record an unknown outcome; an answer sent after the deadline cannot count, whatever its outcome."""
        if outgoing.answer not in self._history.late:
            self._history.record_indeterminate(outgoing.answer)

    def _record_refusal(self, outgoing: OutgoingAnswer, problem: str) -> None:
        self._history.counts[f"refused_{problem}"] += 1
        if problem == "deadline-passed":
            self._history.late.add(outgoing.answer)
            self._history.counts["late_refused"] += 1
        elif problem != "seq-too-low":
            self._history.record_violation(f"{outgoing.answer} was refused: {problem}")

    def _update_deadline(self, deadline: dict[str, Any] | None) -> None:
        if deadline and deadline["at"] is not None:
            self.deadline = parse_rfc3339(deadline["at"])

    def _record_resume(self, body: dict[str, Any]) -> None:
        answers = {
            answer["question"]: (answer["seq"], parse_content(answer, self._kind(answer["question"])))
            for answer in body["answers"]
        }
        self._history.record_resume(self.sitting, self.student, answers, body["highest_seq"])

    def _kind(self, question: int) -> str:
        return str(self.paper["questions"][question]["kind"])
