"""The coordinator's interface to a sitting, and the reports that it makes.

`sitting.DjangoSitting` implements it with web's services, the answer log and the broker; tests do in memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from exam_grader.coordination.next_step import SittingSnapshot


class Phase(StrEnum):
    """The phase of a sitting that a coordinator reports in logs, metrics and on the terminal."""

    CLOSING = "closing"
    DRAINING = "draining"
    SEALING = "sealing"
    GRADING = "grading"
    PUBLISHING = "publishing"
    WAITING = "waiting"
    UNAVAILABLE = "unavailable"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The phase of a sitting and, until it is done, what the coordinator waits for."""

    phase: Phase
    text: str
    done: int = 0
    total: int = 0


OnReport = Callable[[Report], None]
StopRequested = Callable[[], bool]


class SittingPort(Protocol):
    """Reads and changes one sitting and one revision of it. All changes are idempotent."""

    def snapshot(self) -> SittingSnapshot:
        """Read the current facts."""

    def stop(self) -> None:
        """End the window early."""

    def close(self) -> None:
        """Close the sitting, so that solvers admit no more answers."""

    def drain_blockers(self) -> Sequence[str]:
        """The solver processes that may still acknowledge an answer, and for how long; empty once drained."""

    def seal(self, on_progress: Callable[[int, int], None], stop_requested: StopRequested) -> None:
        """Seal every bucket, then the sitting; `on_progress` receives (buckets sealed, buckets)."""

    def open_revision(self) -> None:
        """Open the first revision, which records key and policy."""

    def enqueue(self, chunks: Sequence[int]) -> None:
        """Send a task for each chunk to the graders."""

    def recently_enqueued(self) -> bool:
        """Whether the broker remembers that chunks of this revision were enqueued within `stall_seconds`."""

    def queue_depth(self) -> int:
        """The number of chunks, of all sittings, that wait for a grader."""

    def verify_seals(self, chunks: Sequence[int]) -> None:
        """Raise SealDamagedError if the seal of a chunk differs from its record."""

    def grade_chunk(self, chunk: int) -> bool:
        """Grade a chunk in this process; returns False if the ledger already has it."""

    def complete_revision(self) -> None:
        """Declare the revision graded; rejected unless its ledger is complete."""

    def publish_revision(self) -> None:
        """Show the revision's degrees to the students."""
