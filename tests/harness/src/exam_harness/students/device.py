"""One device of a student in one sitting: it sends answers until it knows what became of them, and keeps the book."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from exam_harness.oracle.history import Acknowledged, Book, Said, Started, content_of
from exam_harness.students.clock import DOUBT, SECOND, ServerClock, instant_of
from exam_harness.students.http import LostError
from exam_harness.students.network import BUSY, PERHAPS_LATE, SOLVER, WAITS, GaveUpError, Reply, Wire, surely

PATIENCE = 20 * SECOND
"""How long after the deadline a device still asks what became of an answer."""
_FIRST_WAIT = 0.2
_LONGEST_WAIT = 5.0
_FOR_ALL = {"deadline-passed", "unauthenticated", "token-revoked", "forbidden", "sitting-cancelled"}
"""Refusals that concern every answer of a request alike; any other is said of the first answer alone."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One answer on its way: what the oracle knows it as, and its JSON."""

    said: Said
    body: dict[str, Any]


class Device:
    """A device that has started or resumed an attempt."""

    def __init__(self, wire: Wire, book: Book, clock: ServerClock, sitting: str) -> None:
        self._wire = wire
        self._book = book
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
        """The sitting's address at the solver."""
        return f"/v1/sittings/{self.sitting}"

    async def start(self, access: str, *, elsewhere: bool = False) -> None:
        """Start, or resume what was started `elsewhere`; waits for the opening as the platform asks to."""
        reply = await surely(self._wire, "POST", SOLVER, f"{self.path}/attempt", token=access)
        if reply.status not in {200, 201}:
            raise GaveUpError(f"a student could not start: {reply}")
        body = reply.body
        self.student, self.token, self.paper = int(body["student"]), body["attempt_token"], body["paper"]
        self.seq, self.paper_digest = body["highest_seq"], body["paper_digest"]
        if body["deadline"]["at"] is None:
            raise GaveUpError("the sitting is paused at the start: this crowd knows no pause")
        self._note_deadline(body["deadline"])
        self._book.shown(self.sitting, body["paper"])
        started = Started(instant_of(body["started_at"]), self.deadline)
        if reply.status == 200:
            self._check_resumed(body)
        if elsewhere:
            self._book.counts["resumed" if reply.status == 200 else "started_twice"] += 1
        self._book.started(self.sitting, self.student, started)

    def sheet(self, question: int, body: dict[str, Any], *, seq: int | None = None) -> Sheet:
        """A new answer of this device, numbered above all it knows."""
        if seq is None:
            self.seq += 1
            seq = self.seq
        return Sheet(Said(self.sitting, self.student, question, seq, content_of(body)), {"seq": seq, **body})

    async def send_late(self, sheets: Sequence[Sheet]) -> None:
        """Send answers after the deadline, by the platform's own time: whatever comes of them, none may count."""
        self._book.late.update(sheet.said for sheet in sheets)
        await self.send(sheets)
        for sheet in sheets:
            if any(entry.said == sheet.said for entry in self._book.acknowledged.get(sheet.said.place, ())):
                self._book.complain(f"{sheet.said} was sent after the deadline and acknowledged")

    async def send(self, sheets: Sequence[Sheet]) -> None:
        """Send answers, one by PUT, several by POST, until each is acknowledged, refused or hopeless."""
        waiting = list(sheets)
        wait = _FIRST_WAIT
        while waiting:
            reply = await self._try(waiting)
            if reply is not None and len(waiting) > 1 and self._speaks_of_the_first(reply):
                await self._send_singly(waiting)
                return
            waiting = self._sort(waiting, reply)
            if not waiting:
                return
            if self._clock.now() > self.deadline + PATIENCE:
                self._book.counts["gave_up"] += len(waiting)
                return
            self._book.counts["retries"] += len(waiting)
            after = reply.retry_after if reply is not None else None
            await asyncio.sleep(wait if after is None else after)
            wait = min(wait * 2, _LONGEST_WAIT)

    async def submit(self) -> None:
        """Say that the student is done."""
        reply = await surely(self._wire, "POST", SOLVER, f"{self.path}/submit", token=self.token)
        if reply.status == 200:
            self._book.submitted(self.sitting, self.student, instant_of(reply.body["submitted_at"]))
        elif reply.problem != "deadline-passed":
            self._book.complain(f"student {self.student} could not submit: {reply}")

    async def _try(self, sheets: Sequence[Sheet]) -> Reply | None:
        """One request for some answers; None when no response came."""
        try:
            if len(sheets) == 1:
                path = f"{self.path}/answers/{sheets[0].said.question}"
                return await self._wire.call("PUT", SOLVER, path, token=self.token, body=sheets[0].body)
            answers = [{"question": sheet.said.question, **sheet.body} for sheet in sheets]
            self._book.counts["batches"] += 1
            path = f"{self.path}/answers"
            return await self._wire.call("POST", SOLVER, path, token=self.token, body={"answers": answers})
        except LostError:
            self._book.counts["responses_lost"] += 1
            return None

    def _sort(self, sheets: list[Sheet], reply: Reply | None) -> list[Sheet]:
        """Write down what a response says of each answer; gives those that must be sent again."""
        if reply is None or self._busy(reply):
            self._book.counts["no_response" if reply is None else f"status_{reply.status}"] += len(sheets)
            for sheet in sheets:
                self._doubt(sheet)
            if reply is not None and PERHAPS_LATE in str(reply) and self._clock.now() + DOUBT <= self.deadline:
                self._book.complain(f"student {self.student} was in time and was told: {reply}")
            return sheets
        if "results" in (reply.body or {}):
            self._note_deadline(reply.body.get("deadline"))
            return self._sort_results(sheets, reply.body["results"])
        if reply.status == 200:
            self._note_deadline(reply.body["deadline"])
            self._acknowledge(sheets[0], reply.body)
            return []
        for sheet in sheets:
            self._refused(sheet, reply.problem)
        return []

    def _speaks_of_the_first(self, reply: Reply) -> bool:
        """Whether a batch was refused as a whole with a problem that need not be every answer's."""
        return reply.status >= 400 and not self._busy(reply) and reply.problem not in _FOR_ALL

    async def _send_singly(self, sheets: Sequence[Sheet]) -> None:
        for sheet in sheets:
            self._doubt(sheet)
        for sheet in sheets:
            await self.send([sheet])

    @staticmethod
    def _busy(reply: Reply) -> bool:
        """Whether the same request may succeed later."""
        return reply.status in BUSY or reply.problem in WAITS

    def _sort_results(self, sheets: list[Sheet], results: list[dict[str, Any]]) -> list[Sheet]:
        again: list[Sheet] = []
        by_name = {(result["question"], result["seq"]): result for result in results}
        for sheet in sheets:
            result = by_name[sheet.said.question, sheet.said.seq]
            if result["status"] == 200:
                self._acknowledge(sheet, result)
            elif result["status"] in BUSY:
                self._doubt(sheet)
                again.append(sheet)
            else:
                self._refused(sheet, result["problem"]["type"].rpartition("/")[2])
        return again

    def _acknowledge(self, sheet: Sheet, body: dict[str, Any]) -> None:
        self._book.acknowledge(Acknowledged(sheet.said, instant_of(body["received_at"]), body["receipt"]))
        self._book.counts["acknowledgements"] += 1

    def _doubt(self, sheet: Sheet) -> None:
        """The outcome is not known; but what was sent after the deadline cannot count, known or not."""
        if sheet.said not in self._book.late:
            self._book.doubt(sheet.said)

    def _refused(self, sheet: Sheet, problem: str) -> None:
        self._book.counts[f"refused_{problem}"] += 1
        if problem == "deadline-passed":
            self._book.late.add(sheet.said)
            self._book.counts["late_refused"] += 1
        elif problem != "seq-too-low":
            self._book.complain(f"{sheet.said} was refused: {problem}")

    def _note_deadline(self, deadline: dict[str, Any] | None) -> None:
        if deadline and deadline["at"] is not None:
            self.deadline = instant_of(deadline["at"])

    def _check_resumed(self, body: dict[str, Any]) -> None:
        answers = {answer["question"]: (answer["seq"], content_of(answer)) for answer in body["answers"]}
        self._book.resumed(self.sitting, self.student, answers, body["highest_seq"])
