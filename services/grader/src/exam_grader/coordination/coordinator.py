"""The coordinator: takes one sitting from its end to a graded revision, one idempotent step after the other.

`Coordinator.advance` performs all steps that are possible now. The grading Job calls it in a loop
(`run.run_to_completion`), the periodic task once every few seconds: neither keeps state that the other would need.
"""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from exam_core.problems import Problem, ProblemKind
from exam_grader.coordination.next_step import RevisionSnapshot, SittingSnapshot, Step, next_step
from exam_grader.coordination.port import OnReport, Phase, Report, SittingPort, StopRequested
from exam_grader.errors import NoProgressError, StopRequestedError

log = structlog.get_logger(__name__)

CONFLICT_KINDS = frozenset({ProblemKind.CONFLICT, ProblemKind.STATE_CONFLICT})
"""The problems that a concurrent change causes; the snapshot that led to the attempt is stale then."""


@dataclass
class Coordinator:
    """Takes one sitting to one graded revision.

    It keeps no state between two calls of `advance`, so that another coordinator can take over at any time.

    Args:
        sitting: the sitting and the revision.
        number: the revision's number.
        on_report: called with each report.
        stop_requested: checked between two parts of a long step.
        stop: whether to end an open window early.
        local: whether to grade in this process instead of enqueueing chunks.
        stall_seconds: after how long without a new ledger entry missing chunks are enqueued again.
        on_reenqueue: called with the number of chunks that are enqueued again.
    """

    sitting: SittingPort
    number: int
    on_report: OnReport
    stop_requested: StopRequested = lambda: False
    stop: bool = False
    local: bool = False
    stall_seconds: float = 15.0
    on_reenqueue: Callable[[int], None] = lambda _chunks: None

    def advance(self) -> Report:
        """Perform all steps that are possible now; the report says what is awaited, or that the revision is done.

        Raises:
            Problem: the sitting cannot be graded in its state.
            SealDamagedError: a seal differs from its record.
            StopRequestedError: `stop_requested` returned True.
        """
        succeeded: tuple[Step, SittingSnapshot] | None = None
        conflicted: Step | None = None
        while True:
            if self.stop_requested():
                raise StopRequestedError("stop requested")
            snapshot = self.sitting.snapshot()
            step = next_step(snapshot, stop=self.stop)
            if succeeded == (step, snapshot):
                raise NoProgressError(f"{snapshot.name}: {step.name} succeeded but changed nothing")
            try:
                report = self._perform(step, snapshot)
            except Problem as problem:
                # One conflict may be a concurrent coordinator's change: read again. The same step twice is not.
                if problem.kind not in CONFLICT_KINDS or step is conflicted:
                    raise
                log.info("step_conflicted", step=step.name, detail=problem.detail)
                succeeded, conflicted = None, step
            else:
                succeeded, conflicted = (step, snapshot), None
                if report is not None:
                    self.on_report(report)
                    return report

    def watch(self) -> Report:
        """Report progress while another coordinator does the work."""
        snapshot = self.sitting.snapshot()
        if next_step(snapshot, stop=self.stop) is Step.FINISH:
            return self._finished(snapshot)
        report = Report(phase=Phase.WAITING, text=f"{snapshot.name}: another coordinator holds the lock")
        self.on_report(report)
        return report

    def _perform(self, step: Step, snapshot: SittingSnapshot) -> Report | None:
        """Perform one step; returns a report if no further step is possible now."""
        match step:
            case Step.STOP:
                self.on_report(Report(phase=Phase.CLOSING, text=f"{snapshot.name}: ending the window early"))
                self.sitting.stop()
            case Step.CLOSE:
                self.on_report(Report(phase=Phase.CLOSING, text=f"{snapshot.name}: closing"))
                self.sitting.close()
            case Step.SEAL:
                return self._seal(snapshot)
            case Step.OPEN:
                self.sitting.open_revision()
            case Step.GRADE if snapshot.revision is not None:
                return self._grade(snapshot, snapshot.revision)
            case Step.COMPLETE:
                self.sitting.complete_revision()
            case Step.PUBLISH:
                text = f"{snapshot.name}: publishing revision {self.number}"
                self.on_report(Report(phase=Phase.PUBLISHING, text=text))
                self.sitting.publish_revision()
            case _:
                return self._finished(snapshot)
        return None

    def _seal(self, snapshot: SittingSnapshot) -> Report | None:
        if blockers := self.sitting.drain_blockers():
            return Report(phase=Phase.DRAINING, text=f"{snapshot.name}: waiting for {'; '.join(blockers)}")
        self.sitting.seal(
            lambda sealed, buckets: self.on_report(
                Report(
                    phase=Phase.SEALING,
                    text=f"{snapshot.name}: {sealed} of {buckets} buckets sealed",
                    done=sealed,
                    total=buckets,
                )
            ),
            self.stop_requested,
        )
        return None

    def _grade(self, snapshot: SittingSnapshot, revision: RevisionSnapshot) -> Report | None:
        if self.local:
            self._grade_locally(snapshot, revision)
            return None
        self._enqueue_missing(revision)
        return self._graded(snapshot, revision.chunks - len(revision.missing), revision.chunks)

    def _grade_locally(self, snapshot: SittingSnapshot, revision: RevisionSnapshot) -> None:
        done = revision.chunks - len(revision.missing)
        for chunk in revision.missing:
            if self.stop_requested():
                raise StopRequestedError("stop requested")
            self.sitting.grade_chunk(chunk)
            done += 1
            self.on_report(self._graded(snapshot, done, revision.chunks))

    def _enqueue_missing(self, revision: RevisionSnapshot) -> None:
        """Enqueue the chunks that the ledger misses: once at the beginning, and again whenever the ledger stalls.

        The broker may have lost them. But while at least as many chunks wait in its queue as are missing here,
        enqueueing more would not help: either graders take them and fewer are left, or no grader runs.
        """
        if self.sitting.recently_enqueued():
            return
        untouched = len(revision.missing) == revision.chunks
        stalled = revision.idle_seconds >= self.stall_seconds
        if not untouched and not stalled:
            return
        if stalled:
            self.sitting.verify_seals(revision.missing)
            if self.sitting.queue_depth() >= len(revision.missing):
                return
            log.warning("ledger_stalled", missing=len(revision.missing), idle_seconds=round(revision.idle_seconds, 1))
            self.on_reenqueue(len(revision.missing))
        self.sitting.enqueue(revision.missing)
        log.info("chunks_enqueued", chunks=len(revision.missing))

    def _graded(self, snapshot: SittingSnapshot, done: int, chunks: int) -> Report:
        text = f"{snapshot.name}: {done} of {chunks} chunks of revision {self.number} graded"
        return Report(phase=Phase.GRADING, text=text, done=done, total=chunks)

    def _finished(self, snapshot: SittingSnapshot) -> Report:
        outcome = "published" if snapshot.published >= self.number else "graded, not published"
        return Report(phase=Phase.DONE, text=f"{snapshot.name}: revision {self.number} is {outcome}")
