"""The coordinator: carries one sitting from its end to a graded revision, one repeatable step after the other.

`Coordinator.advance` does everything that can be done now and says what it waits for. The grading Job calls it in a
loop (`run.run_to_completion`), the periodic task every few seconds: neither keeps anything that the other would miss.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import structlog

from exam_core.problems import Problem, ProblemKind
from exam_grader.coordination.next_step import RevisionView, Step, View, next_step
from exam_grader.errors import HaltedError, StuckError

log = structlog.get_logger(__name__)

LOST_RACE = frozenset({ProblemKind.CONFLICT, ProblemKind.STATE_CONFLICT})
"""What PostgreSQL's one door says when somebody else was faster; the view that made us try is outdated then."""


class Phase(StrEnum):
    """Where a sitting is on its way, as people and the operator read it."""

    CLOSING = "closing"
    DRAINING = "draining"
    SEALING = "sealing"
    GRADING = "grading"
    PUBLISHING = "publishing"
    WAITING = "waiting"
    AWAY = "away"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Where a sitting is and, while it is not done, what it waits for."""

    phase: Phase
    text: str
    done: int = 0
    total: int = 0


Tell = Callable[[Report], None]
Halt = Callable[[], bool]


class SittingPort(Protocol):
    """What a coordinator can see and do of one sitting and one revision; every call may be repeated."""

    def look(self) -> View:
        """The facts, read anew."""

    def stop(self) -> None:
        """End the window early."""

    def close(self) -> None:
        """Let solvers admit nothing more."""

    def awaited(self) -> Sequence[str]:
        """Who may still acknowledge an answer, and until when; nobody once the sitting is drained."""

    def seal(self, tell: Callable[[int, int], None], halt: Halt) -> None:
        """Seal every bucket and then the sitting; `tell` hears (buckets sealed, buckets)."""

    def open_revision(self) -> None:
        """Freeze key and policy."""

    def enqueue(self, chunks: Sequence[int]) -> None:
        """Hand chunks of this revision to the graders."""

    def handed_out(self) -> bool:
        """Whether chunks of this revision were handed out within `stall_seconds`, as far as the broker remembers."""

    def queued(self) -> int:
        """How many chunks, of anyone's, wait for a grader."""

    def verify(self, chunks: Sequence[int]) -> None:
        """Raise SealDamagedError when a chunk's seal is not what was sealed."""

    def grade(self, chunk: int) -> bool:
        """Grade a chunk here; False when somebody else did."""

    def complete(self) -> None:
        """Declare the revision graded; refused unless its ledger is full."""

    def publish(self) -> None:
        """Show the degrees to the students."""


@dataclass
class Coordinator:
    """Carries one sitting to one graded revision.

    It remembers nothing from one `advance` to the next, so that a new one may take over at any time.

    Args:
        desk: the sitting and the revision.
        number: the revision's number.
        tell: hears of progress.
        halt: says when to stop between two pieces of a long step.
        stop: whether an open sitting is to be ended early.
        local: grade here instead of handing chunks to the graders.
        stall_seconds: for how long the ledger may stand still before its missing chunks are handed out again.
        reenqueued: hears how many chunks were handed out again.
    """

    desk: SittingPort
    number: int
    tell: Tell
    halt: Halt = lambda: False
    stop: bool = False
    local: bool = False
    stall_seconds: float = 15.0
    reenqueued: Callable[[int], None] = lambda _chunks: None

    def advance(self) -> Report:
        """Do all that can be done now; the report says what is waited for, or that all is done.

        Raises:
            Problem: the sitting cannot be graded as things are.
            SealDamagedError: a seal is not what was sealed.
            HaltedError: the process is to stop.
        """
        tried: tuple[Step, View] | None = None
        lost: Step | None = None
        while True:
            if self.halt():
                raise HaltedError("told to stop")
            view = self.desk.look()
            step = next_step(view, stop=self.stop)
            if tried == (step, view) and lost is None:
                raise StuckError(f"{view.name}: {step.name} ended well but changed nothing: this is a fault of ours")
            try:
                report = self._do(step, view)
            except Problem as problem:
                if problem.kind not in LOST_RACE or step is lost:
                    raise
                log.info("refused: looking again, somebody may have been faster", step=step.name, why=problem.detail)
                lost = step
            else:
                lost = None
                if report is not None:
                    self.tell(report)
                    return report
            tried = (step, view)

    def watch(self) -> Report:
        """What to report while another coordinator does the work."""
        view = self.desk.look()
        if next_step(view, stop=self.stop) is Step.REST:
            return self._done(view)
        report = Report(phase=Phase.WAITING, text=f"{view.name}: another coordinator is at work on it")
        self.tell(report)
        return report

    def _do(self, step: Step, view: View) -> Report | None:
        """One step; a report when there is nothing more to do now."""
        match step:
            case Step.STOP:
                self.tell(Report(phase=Phase.CLOSING, text=f"{view.name}: ended early"))
                self.desk.stop()
            case Step.CLOSE:
                self.tell(Report(phase=Phase.CLOSING, text=f"{view.name}: closing"))
                self.desk.close()
            case Step.SEAL:
                return self._seal(view)
            case Step.OPEN:
                self.desk.open_revision()
            case Step.GRADE if view.revision is not None:
                return self._grade(view, view.revision)
            case Step.COMPLETE:
                self.desk.complete()
            case Step.PUBLISH:
                self.tell(Report(phase=Phase.PUBLISHING, text=f"{view.name}: publishing revision {self.number}"))
                self.desk.publish()
            case _:
                return self._done(view)
        return None

    def _seal(self, view: View) -> Report | None:
        if awaited := self.desk.awaited():
            return Report(phase=Phase.DRAINING, text=f"{view.name}: waiting for {'; '.join(awaited)}")
        self.desk.seal(
            lambda sealed, buckets: self.tell(
                Report(
                    phase=Phase.SEALING,
                    text=f"{view.name}: {sealed} of {buckets} buckets sealed",
                    done=sealed,
                    total=buckets,
                )
            ),
            self.halt,
        )
        return None

    def _grade(self, view: View, revision: RevisionView) -> Report | None:
        if self.local:
            self._grade_here(view, revision)
            return None
        self._hand_out(revision)
        return self._graded(view, revision.chunks - len(revision.missing), revision.chunks)

    def _grade_here(self, view: View, revision: RevisionView) -> None:
        done = revision.chunks - len(revision.missing)
        for chunk in revision.missing:
            if self.halt():
                raise HaltedError("told to stop")
            self.desk.grade(chunk)
            done += 1
            self.tell(self._graded(view, done, revision.chunks))

    def _hand_out(self, revision: RevisionView) -> None:
        """Hand out what the ledger misses: once at the beginning, and again whenever it stands still.

        The broker is never trusted to still have what it was given. But while at least as many chunks wait there as are
        missing here, more would help nobody: graders take them and fewer are left, or there is no grader.
        """
        if self.desk.handed_out():
            return
        untouched = len(revision.missing) == revision.chunks
        stalled = revision.idle >= self.stall_seconds
        if not untouched and not stalled:
            return
        if stalled:
            self.desk.verify(revision.missing)
            if self.desk.queued() >= len(revision.missing):
                return
            log.warning("the ledger stands still", missing=len(revision.missing), idle=round(revision.idle, 1))
            self.reenqueued(len(revision.missing))
        self.desk.enqueue(revision.missing)
        log.info("chunks handed out", chunks=len(revision.missing))

    def _graded(self, view: View, done: int, chunks: int) -> Report:
        text = f"{view.name}: {done} of {chunks} chunks of revision {self.number} graded"
        return Report(phase=Phase.GRADING, text=text, done=done, total=chunks)

    def _done(self, view: View) -> Report:
        shown = "published" if view.published >= self.number else "graded, not published"
        return Report(phase=Phase.DONE, text=f"{view.name}: revision {self.number} is {shown}")
