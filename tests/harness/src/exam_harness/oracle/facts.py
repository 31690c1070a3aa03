"""The facts of a transcript, indexed for the checks over them."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from exam_harness.oracle.document import Document, read_document
from exam_harness.oracle.receipts import Keys, parse_keys
from exam_harness.oracle.seal import Seal, SealedAnswer, parse_seal
from exam_harness.oracle.transcript import Call, Transcript
from exam_harness.oracle.windows import Version, versions

if TYPE_CHECKING:
    from exam_harness.oracle.content import Content

CLOCK_TOLERANCE: Final = 20_000
"""How far two readings of one machine's clocks may differ (µs)."""

Slot = tuple[int, int]
"""Student and question."""
Finding = tuple[str, str]
"""The kind of a statement that does not hold, and a sentence about it."""


@dataclass
class Sent:
    """The calls of one answer: student, question, seq and content."""

    calls: list[Call] = field(default_factory=list)

    @property
    def acknowledged(self) -> list[Call]:
        """The calls that were confirmed."""
        return [call for call in self.calls if call.acknowledged]

    @property
    def may_count(self) -> bool:
        """Whether it was confirmed, or its outcome was unknown at least once."""
        return any(call.acknowledged or call.unknown for call in self.calls)


class Facts:
    """What a transcript says, by student and question.

    Args:
        transcript: the transcript.
        tolerance: how far two readings of the clocks may differ (µs).
    """

    def __init__(self, transcript: Transcript, *, tolerance: int = CLOCK_TOLERANCE) -> None:
        self.transcript = transcript
        self.tolerance = tolerance
        self.document: Document = read_document(transcript.document)
        self.seal: Seal = parse_seal(
            transcript.sitting, transcript.sealed, buckets=transcript.buckets, root=transcript.root
        )
        self.versions: list[Version] = versions(transcript.first, transcript.last, transcript.operations)
        self.keys: Keys = parse_keys(transcript.keys)
        self.counts: Counter[str] = Counter()
        self.sent: dict[Slot, dict[tuple[int, Content], Sent]] = defaultdict(lambda: defaultdict(Sent))
        for call in transcript.answers():
            self.sent[call.student, call.question][call.seq, transcript.content(call)].calls.append(call)

    def same(self, call: Call) -> Iterable[Call]:
        """All calls of the same answer."""
        return self.sent[call.student, call.question][call.seq, self.transcript.content(call)].calls

    def sealed(self, slot: Slot) -> SealedAnswer | None:
        """The answer that counts."""
        student, question = slot
        attempt = self.seal.students.get(student)
        return attempt.answers.get(question) if attempt else None

    def certainly_open_until(self, student: int) -> int:
        """Until when an attempt could be answered, by any reading of the clock."""
        latest = max((at for at in self.deadlines(student) if at is not None), default=0)
        stopped_at = self.transcript.last.stopped_at
        return (latest if stopped_at is None else min(latest, stopped_at)) - self.tolerance

    def deadlines(self, student: int) -> set[int | None]:
        """The personal deadlines by every version of the window."""
        attempt = self.seal.students.get(student)
        if attempt is None or attempt.started_at is None:
            return set()
        return {version.window.deadline(student, attempt.started_at) for version in self.versions}
