"""The judgement: what the platform said, sealed and graded, against what the book holds. Every difference is named."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from exam_harness.oracle.document import Document
from exam_harness.oracle.history import Acknowledged, Book, Place, Said, plain
from exam_harness.oracle.paper import StrangePaperError, match
from exam_harness.oracle.receipts import BadReceiptError, Keys, check_receipt
from exam_harness.oracle.scoring import ALL_OR_NOTHING, Content, Result, score
from exam_harness.oracle.seal import Seal, SealedAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class SittingFacts:
    """What the oracle is told of a sitting from outside the platform; instants and spans in µs."""

    id: str
    name: str
    document: Document
    closes_at: int
    duration: int
    extra: Mapping[int, int] = field(default_factory=dict)
    """Accommodations by student; they may reach past the close."""
    multiple: str = ALL_OR_NOTHING


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that is not as it ought to be."""

    kind: str
    sitting: str
    what: str


@dataclass(frozen=True, slots=True)
class LoggedAnswer:
    """An answer as the append-only log holds it."""

    student: int
    question: int
    seq: int
    received_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDegree:
    """A degree as somebody saw it; numbers as the texts shown, `source` says who saw it where."""

    source: str
    student: int
    total: str
    maximum: str
    points: tuple[str | None, ...] | None = None
    answered: int | None = None


def judge_receipts(book: Book, facts: SittingFacts, seal: Seal, keys: Keys) -> Iterator[Mismatch]:
    """Every receipt verifies, names the deadline we derive ourselves and the request that is sealed."""
    requests: dict[Said, str] = {}
    for entry in _acknowledged(book, facts):
        try:
            claims = check_receipt(entry, keys)
        except BadReceiptError as error:
            yield Mismatch("receipt", facts.name, f"{_where(entry.said.place)}: {error}")
            continue
        if requests.setdefault(entry.said, claims["request"]) != claims["request"]:
            yield Mismatch("receipt", facts.name, f"{_where(entry.said.place)}: a retry was taken for another answer")
        sat = seal.students.get(entry.said.student)
        sealed = sat.answers.get(entry.said.question) if sat else None
        if sealed is not None and _says(entry.said, sealed) and sealed.request != claims["request"]:
            what = f"{_where(entry.said.place)}: request {claims['request']} is sealed as {sealed.request}"
            yield Mismatch("receipt", facts.name, what)
        deadline = _deadline(book, facts, entry.said.student)
        if deadline is not None and claims["deadline_at"] != deadline:
            what = f"{_where(entry.said.place)}: admitted until {claims['deadline_at']}, the deadline is {deadline}"
            yield Mismatch("deadline", facts.name, what)
    if len(set(requests.values())) != len(requests):
        yield Mismatch("receipt", facts.name, "two different answers share one request")


def judge_seal(book: Book, facts: SittingFacts, seal: Seal) -> Iterator[Mismatch]:
    """What is sealed is what was acknowledged last, and nothing else."""
    yield from (Mismatch("seal", facts.name, fault) for fault in seal.faults)
    sealed: dict[Place, SealedAnswer] = {
        (facts.id, student, question): answer
        for student, sat in seal.students.items()
        for question, answer in sat.answers.items()
    }
    acknowledged = {place for place, kept in book.acknowledged.items() if kept and place[0] == facts.id}
    for place in sorted(sealed.keys() | acknowledged):
        fault = _fault(book, place, sealed.get(place))
        if fault is not None:
            yield Mismatch(fault[0], facts.name, f"{_where(place)}: {fault[1]}")
    yield from _judge_people(book, facts, seal)


def judge_log(book: Book, facts: SittingFacts, rows: Iterable[LoggedAnswer]) -> Iterator[Mismatch]:
    """The log holds each acknowledged answer, those that were changed later too, and none that was refused."""
    logged = set(rows)
    known: set[Said] = set()
    for entry in _acknowledged(book, facts):
        said = entry.said
        known.add(said)
        if LoggedAnswer(said.student, said.question, said.seq, entry.received_at) not in logged:
            yield Mismatch("lost", facts.name, f"{_where(said.place)}: seq {said.seq} was acknowledged and is not kept")
    known |= {said for place, sent in book.uncertain.items() if place[0] == facts.id for said in sent}
    names = {(said.student, said.question, said.seq) for said in known}
    refused = {
        (said.student, said.question, said.seq): kind
        for kind, them in (("late", book.late), ("forged", book.forged), ("foreign", book.foreign))
        for said in them - known
        if said.sitting == facts.id
    }
    for row in sorted(logged, key=lambda row: (row.student, row.question, row.seq)):
        name = (row.student, row.question, row.seq)
        if name not in names:
            what = f"{_where((facts.id, row.student, row.question))}: seq {row.seq} is kept"
            yield Mismatch(refused.get(name, "unasked"), facts.name, f"{what} and was never acknowledged")


def judge_degrees(book: Book, facts: SittingFacts, seal: Seal, seen: Iterable[SeenDegree]) -> Iterator[Mismatch]:
    """Everyone who sat has the degree that plain scoring gives; nobody else has one."""
    try:
        shown = match(facts.document, book.papers[facts.id])
    except (StrangePaperError, KeyError) as error:
        yield Mismatch("paper", facts.name, f"the paper shown cannot be scored: {error}")
        return
    sat = {student for sitting, student in book.starts if sitting == facts.id}
    by_source: dict[str, set[int]] = {}
    for degree in seen:
        by_source.setdefault(degree.source, set()).add(degree.student)
        if degree.student not in sat:
            what = f"student {degree.student} never started and has a degree ({degree.source})"
            yield Mismatch("degree", facts.name, what)
            continue
        expected = score(shown, expected_answers(book, facts, seal, degree.student), facts.multiple)
        if wrong := list(_differences(expected, degree)):
            what = f"student {degree.student} ({degree.source}): {'; '.join(wrong)}"
            yield Mismatch("degree", facts.name, what)
    for source, students in by_source.items():
        if missing := sorted(sat - students):
            yield Mismatch("degree", facts.name, f"{len(missing)} who sat have no degree ({source}): {missing[:5]} …")


def expected_answers(book: Book, facts: SittingFacts, seal: Seal, student: int) -> dict[int, Content]:
    """What ought to count for a student: what was acknowledged last, or what the seal chose where that is allowed."""
    answers: dict[int, Content] = {}
    sat = seal.students.get(student)
    for question in range(len(facts.document.questions)):
        place = (facts.id, student, question)
        top = last_acknowledged(book, place)
        sealed = sat.answers.get(question) if sat else None
        if sealed is not None and _fault(book, place, sealed) is None:
            answers[question] = sealed.content
        elif top is not None:
            answers[question] = top.said.content
    return answers


def last_acknowledged(book: Book, place: Place) -> Acknowledged | None:
    """The acknowledgement that holds: the highest (seq, received_at)."""
    return max(book.acknowledged.get(place, []), key=lambda entry: (entry.said.seq, entry.received_at), default=None)


def _fault(book: Book, place: Place, sealed: SealedAnswer | None) -> tuple[str, str] | None:
    """What is wrong with what is sealed for a question, as (kind, sentence)."""
    top = last_acknowledged(book, place)
    doubts = book.uncertain.get(place, set())
    if sealed is None:
        return None if top is None else ("lost", f"seq {top.said.seq} was acknowledged and is not sealed")
    if top is not None and _says(top.said, sealed):
        again = top.said in doubts and sealed.received_at > top.received_at
        if again or sealed.received_at == top.received_at:
            return None
        return "time", f"received_at is sealed as {sealed.received_at}, acknowledged as {top.received_at}"
    if sealed.seq >= (0 if top is None else top.said.seq) and any(_says(said, sealed) for said in doubts):
        return None
    return _intruder(book, place, sealed, top)


def _intruder(book: Book, place: Place, sealed: SealedAnswer, top: Acknowledged | None) -> tuple[str, str]:
    """What to call an answer that is sealed and must not be."""
    for kind, refused in (("late", book.late), ("forged", book.forged), ("foreign", book.foreign)):
        if any(said.place == place and _says(said, sealed) for said in refused):
            return kind, f"seq {sealed.seq} was refused ({kind}) and is sealed"
    if top is None:
        return "unasked", f"seq {sealed.seq} is sealed and was never acknowledged"
    return "replaced", f"seq {sealed.seq} ({plain(sealed.content)}) is sealed, acknowledged last was seq {top.said.seq}"


def _says(said: Said, sealed: SealedAnswer) -> bool:
    return (said.seq, said.content) == (sealed.seq, sealed.content)


def _judge_people(book: Book, facts: SittingFacts, seal: Seal) -> Iterator[Mismatch]:
    for (sitting, student), start in book.starts.items():
        if sitting != facts.id:
            continue
        sat = seal.students.get(student)
        if sat is None:
            yield Mismatch("lost", facts.name, f"student {student} started and is not sealed")
            continue
        if sat.started_at != start.started_at:
            what = f"student {student} started at {start.started_at}, sealed as {sat.started_at}"
            yield Mismatch("time", facts.name, what)
        submitted = book.submits.get((sitting, student))
        if submitted is not None and (sat.submitted_at is None or sat.submitted_at > submitted):
            yield Mismatch("lost", facts.name, f"student {student}'s submission at {submitted} is not sealed")


def _differences(expected: Result, degree: SeenDegree) -> Iterator[str]:
    if Fraction(degree.total) != expected.total:
        yield f"the total is {degree.total}, not {float(expected.total):.2f}"
    if Fraction(degree.maximum) != expected.maximum:
        yield f"the maximum is {degree.maximum}, not {float(expected.maximum):.2f}"
    if degree.answered is not None and degree.answered != expected.answered:
        yield f"answered is {degree.answered}, not {expected.answered}"
    if degree.points is not None:
        points = tuple(None if text is None else Fraction(text) for text in degree.points)
        if points != expected.points:
            wrong = [
                place for place, pair in enumerate(zip(points, expected.points, strict=False)) if len(set(pair)) > 1
            ]
            yield f"the points differ at questions {wrong}"


def _deadline(book: Book, facts: SittingFacts, student: int) -> int | None:
    start = book.starts.get((facts.id, student))
    if start is None:
        return None
    return min(start.started_at + facts.duration, facts.closes_at) + facts.extra.get(student, 0)


def _acknowledged(book: Book, facts: SittingFacts) -> Iterator[Acknowledged]:
    return (entry for entry in book.every() if entry.said.sitting == facts.id)


def _where(place: Place) -> str:
    return f"student {place[1]}, question {place[2]}"
