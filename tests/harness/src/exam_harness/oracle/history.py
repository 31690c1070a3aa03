"""The book: what students said, and what the platform told each of them about it.

Written while the sitting runs, one line for each outcome; judged afterwards. It decides nothing itself.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from exam_harness.oracle.document import number
from exam_harness.oracle.scoring import Content

Place = tuple[str, int, int]
"""Sitting, student, question."""


@dataclass(frozen=True, slots=True)
class Said:
    """One answer as a student sent it; sending it again is the same answer."""

    sitting: str
    student: int
    question: int
    seq: int
    content: Content

    @property
    def place(self) -> Place:
        """What it answers."""
        return self.sitting, self.student, self.question

    def __str__(self) -> str:
        """How a person finds it."""
        return f"student {self.student}, question {self.question}, seq {self.seq} ({plain(self.content)})"

    @property
    def digest(self) -> str:
        """The digest that a receipt must carry: SHA-256 of the answer's one plain JSON form."""
        return hashlib.sha256(plain_json(self._json())).hexdigest()

    def _json(self) -> dict[str, Any]:
        if isinstance(self.content, frozenset):
            return {"choices": sorted(self.content)}
        return {"value": None if self.content is None else plain_number(self.content)}


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """One acknowledgement: the answer, when the platform says it came (µs), and the receipt as handed out."""

    said: Said
    received_at: int
    receipt: str


@dataclass(frozen=True, slots=True)
class Started:
    """A student's attempt as the platform told it; instants in µs."""

    started_at: int
    deadline_at: int | None


@dataclass
class Book:
    """Everything that was said in all sittings of a run."""

    papers: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    starts: dict[tuple[str, int], Started] = field(default_factory=dict)
    submits: dict[tuple[str, int], int] = field(default_factory=dict)
    acknowledged: dict[Place, list[Acknowledged]] = field(default_factory=lambda: defaultdict(list))
    uncertain: dict[Place, set[Said]] = field(default_factory=lambda: defaultdict(set))
    late: set[Said] = field(default_factory=set)
    forged: set[Said] = field(default_factory=set)
    foreign: set[Said] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)
    """What contradicted the contract while the sitting ran, as sentences."""
    counts: Counter[str] = field(default_factory=Counter)
    """How often each thing happened: retries, resumes, refusals …"""

    def shown(self, sitting: str, paper: Mapping[str, Any]) -> None:
        """A student was shown a paper; everyone in a sitting is shown the same."""
        if self.papers.setdefault(sitting, paper) != paper:
            self.complain(f"sitting {sitting} shows different papers to different students")

    def started(self, sitting: str, student: int, start: Started) -> None:
        """A student started or resumed: the start never changes."""
        first = self.starts.setdefault((sitting, student), start)
        if first.started_at != start.started_at:
            self.complain(f"student {student} started at {first.started_at}, then resumed as of {start.started_at}")

    def resumed(self, sitting: str, student: int, answers: Mapping[int, tuple[int, Content]], highest_seq: int) -> None:
        """A second device was shown `answers` (question → seq, content): all that was acknowledged has to be there."""
        for question, seen in answers.items():
            place = (sitting, student, question)
            if seen not in self._possible(place):
                self.complain(f"{Said(*place, *seen)} was never acknowledged and is there after resuming")
        for (where, who, question), kept in self.acknowledged.items():
            if (where, who) == (sitting, student) and kept and question not in answers:
                self.complain(f"student {student} resumed and question {question}, acknowledged before, was gone")
        known = max((kept.said.seq for kept in self.of(sitting, student)), default=0)
        if highest_seq < known:
            self.complain(
                f"student {student} resumed with highest_seq {highest_seq}, although {known} was acknowledged"
            )

    def acknowledge(self, entry: Acknowledged) -> None:
        """An answer was acknowledged with a receipt."""
        self.acknowledged[entry.said.place].append(entry)

    def doubt(self, said: Said) -> None:
        """An answer was sent and its outcome is not known: it may be counted or not, unless a later one is known."""
        self.uncertain[said.place].add(said)

    def submitted(self, sitting: str, student: int, at: int) -> None:
        """A student's submission was acknowledged; the first one holds."""
        self.submits[sitting, student] = min(at, self.submits.get((sitting, student), at))

    def complain(self, sentence: str) -> None:
        """Something contradicted the contract."""
        self.complaints.append(sentence)

    def of(self, sitting: str, student: int) -> Iterator[Acknowledged]:
        """Everything acknowledged to one student."""
        for (where, who, _), kept in self.acknowledged.items():
            if (where, who) == (sitting, student):
                yield from kept

    def every(self) -> Iterator[Acknowledged]:
        """Everything acknowledged to anybody."""
        for kept in self.acknowledged.values():
            yield from kept

    def doubtful(self) -> set[Said]:
        """What was sent and never acknowledged or replaced: the platform may have counted it."""
        left = set()
        for place, sent in self.uncertain.items():
            kept = self.acknowledged.get(place, [])
            known = {entry.said for entry in kept}
            top = max((entry.said.seq for entry in kept), default=0)
            left |= {said for said in sent - known if said.seq >= top}
        return left

    def _possible(self, place: Place) -> set[tuple[int, Content]]:
        kept = self.acknowledged.get(place, [])
        top = max((entry.said.seq for entry in kept), default=0)
        said = {entry.said for entry in kept} | self.uncertain.get(place, set())
        return {(one.seq, one.content) for one in said if one.seq >= top}


def content_of(body: Mapping[str, Any]) -> Content:
    """What an answer's JSON members say: ``{"choices": [...]}`` or ``{"value": "3.14"}``."""
    if "choices" in body:
        return frozenset(body["choices"])
    return None if body["value"] is None else number(body["value"])


def plain(content: Content) -> str:
    """What was answered as a person reads it."""
    if isinstance(content, frozenset):
        return f"choices {sorted(content)}" if content else "taken back"
    return "taken back" if content is None else plain_number(content)


def plain_json(value: object) -> bytes:
    """JSON with sorted keys and no spaces; for ASCII texts and integers this is RFC 8785's one form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def plain_number(exact: Fraction) -> str:
    """A finite decimal without exponent or needless zeros."""
    with localcontext(prec=400):
        text = format(Decimal(exact.numerator) / Decimal(exact.denominator), "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
