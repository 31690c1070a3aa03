"""The history of a run: what students sent, and how the platform answered each of them.

Clients append to it while the sitting runs; the checker analyses it afterwards.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from exam_harness.oracle.content import Content, content_json, describe
from exam_harness.oracle.paper import PaperMismatchError, drawn_of, merge_papers

AnswerKey = tuple[str, int, int]
"""Sitting, student, question."""


@dataclass(frozen=True, slots=True)
class SentAnswer:
    """One answer as a student sent it; a retry is the same answer."""

    sitting: str
    student: int
    question: int
    seq: int
    content: Content

    @property
    def key(self) -> AnswerKey:
        """The question that it answers, of which student in which sitting."""
        return self.sitting, self.student, self.question

    def __str__(self) -> str:
        """A description for violation messages."""
        return f"student {self.student}, question {self.question}, seq {self.seq} ({describe(self.content)})"

    @property
    def digest(self) -> str:
        """The digest that a receipt must carry: SHA-256 of the answer's canonical JSON."""
        return hashlib.sha256(canonical_json(content_json(self.content))).hexdigest()


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """An acknowledged answer, the platform's time of receipt (µs), and the receipt as issued."""

    answer: SentAnswer
    received_at: int
    receipt: str


@dataclass(frozen=True, slots=True)
class AttemptStart:
    """The start of a student's attempt as the platform reported it; instants in µs."""

    started_at: int
    deadline_at: int | None


@dataclass
class History:
    """Every answer and response in all sittings of a run."""

    papers: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """By sitting, with the questions that any student was shown."""
    drawn: dict[tuple[str, int], tuple[int, ...]] = field(default_factory=dict)
    """The questions that each student was shown, by sitting and student."""
    starts: dict[tuple[str, int], AttemptStart] = field(default_factory=dict)
    submissions: dict[tuple[str, int], int] = field(default_factory=dict)
    acknowledged: dict[AnswerKey, list[Acknowledgement]] = field(default_factory=lambda: defaultdict(list))
    indeterminate: dict[AnswerKey, set[SentAnswer]] = field(default_factory=lambda: defaultdict(set))
    """Answers of which at least one request ended without a definite outcome."""
    late: set[SentAnswer] = field(default_factory=set)
    forged: set[SentAnswer] = field(default_factory=set)
    foreign: set[SentAnswer] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    """Responses that broke the API's contract while the sitting ran, as sentences."""
    counts: Counter[str] = field(default_factory=Counter)
    """Event counts: retries, resumes, refusals …"""

    def record_paper(self, sitting: str, student: int, paper: Mapping[str, Any]) -> None:
        """Record a paper as shown to a student, always with the same questions; another one may see others of it."""
        try:
            self.papers[sitting] = merge_papers(self.papers.get(sitting, paper), paper)
        except PaperMismatchError:
            self.record_violation(f"sitting {sitting} shows different papers to different students")
        shown = drawn_of(paper)
        if (first := self.drawn.setdefault((sitting, student), shown)) != shown:
            self.record_violation(f"student {student} was shown questions {first}, then {shown}")

    def record_start(self, sitting: str, student: int, start: AttemptStart) -> None:
        """Record the start of an attempt; resuming must not change `started_at`."""
        first = self.starts.setdefault((sitting, student), start)
        if first.started_at != start.started_at:
            self.record_violation(
                f"student {student} started at {first.started_at}, then resumed with started_at {start.started_at}"
            )

    def record_resume(
        self, sitting: str, student: int, answers: Mapping[int, tuple[int, Content]], highest_seq: int
    ) -> None:
        """Check what a second device was shown (question → seq, content): it must have all that was acknowledged."""
        for question, shown in answers.items():
            key = (sitting, student, question)
            if shown not in self._possible(key):
                self.record_violation(f"{SentAnswer(*key, *shown)} was never acknowledged but is shown on resume")
        for (in_sitting, of_student, question), entries in self.acknowledged.items():
            if (in_sitting, of_student) == (sitting, student) and entries and question not in answers:
                self.record_violation(f"student {student} resumed and the acknowledged question {question} is missing")
        acknowledged_seq = max((entry.answer.seq for entry in self.acknowledged_to(sitting, student)), default=0)
        if highest_seq < acknowledged_seq:
            self.record_violation(
                f"student {student} resumed with highest_seq {highest_seq}, but {acknowledged_seq} was acknowledged"
            )

    def record_acknowledgement(self, entry: Acknowledgement) -> None:
        """Record an answer that was acknowledged with a receipt."""
        self.acknowledged[entry.answer.key].append(entry)

    def record_indeterminate(self, answer: SentAnswer) -> None:
        """Record an answer whose outcome is unknown: it may count or not, unless a later one is acknowledged."""
        self.indeterminate[answer.key].add(answer)

    def record_submission(self, sitting: str, student: int, at: int) -> None:
        """Record an acknowledged submission; the first one holds."""
        self.submissions[sitting, student] = min(at, self.submissions.get((sitting, student), at))

    def record_violation(self, sentence: str) -> None:
        """Record a response that broke the contract."""
        self.violations.append(sentence)

    def acknowledged_to(self, sitting: str, student: int) -> Iterator[Acknowledgement]:
        """Every acknowledgement of one student in one sitting."""
        for (in_sitting, of_student, _), entries in self.acknowledged.items():
            if (in_sitting, of_student) == (sitting, student):
                yield from entries

    def acknowledgements(self) -> Iterator[Acknowledgement]:
        """Every acknowledgement of the run."""
        for entries in self.acknowledged.values():
            yield from entries

    def unresolved(self) -> set[SentAnswer]:
        """Answers that were sent and neither acknowledged nor superseded: the platform may have counted them."""
        unresolved = set()
        for key, sent in self.indeterminate.items():
            entries = self.acknowledged.get(key, [])
            acknowledged = {entry.answer for entry in entries}
            highest = max((entry.answer.seq for entry in entries), default=0)
            unresolved |= {answer for answer in sent - acknowledged if answer.seq >= highest}
        return unresolved

    def _possible(self, key: AnswerKey) -> set[tuple[int, Content]]:
        """The (seq, content) that the platform may hold for a question now."""
        entries = self.acknowledged.get(key, [])
        highest = max((entry.answer.seq for entry in entries), default=0)
        answers = {entry.answer for entry in entries} | self.indeterminate.get(key, set())
        return {(answer.seq, answer.content) for answer in answers if answer.seq >= highest}


def canonical_json(value: object) -> bytes:
    """JSON in UTF-8 with sorted keys and no spaces: RFC 8785's form of texts and integers under ASCII keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
