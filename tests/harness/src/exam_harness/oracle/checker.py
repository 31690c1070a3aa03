"""Compares the history of a run with what the platform logged, sealed and graded, and reports every difference."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from exam_harness.oracle.content import Content, describe
from exam_harness.oracle.document import Document
from exam_harness.oracle.history import Acknowledgement, AnswerKey, History, SentAnswer
from exam_harness.oracle.paper import PaperMismatchError, match_paper
from exam_harness.oracle.receipts import InvalidReceiptError, Keys, verify_acknowledgement
from exam_harness.oracle.scoring import ALL_OR_NOTHING, Score, score
from exam_harness.oracle.seal import Seal, SealedAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class SittingParameters:
    """A sitting as it was scheduled, known independently of the platform; instants and spans in µs."""

    id: str
    name: str
    document: Document
    closes_at: int
    duration: int
    extra: Mapping[int, int] = field(default_factory=dict)
    """Accommodations by student; they may extend past the close."""
    multiple: str = ALL_OR_NOTHING
    negative_total: bool = False


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One difference between the platform and the oracle."""

    kind: str
    sitting: str
    detail: str


@dataclass(frozen=True, slots=True)
class LoggedAnswer:
    """An answer as stored in the append-only log."""

    student: int
    question: int
    seq: int
    received_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedDegree:
    """A degree as read from one source; numbers as the texts shown, `source` names the reader."""

    source: str
    student: int
    total: str
    maximum: str
    points: tuple[str | None, ...] | None = None
    answered: int | None = None


def check_receipts(history: History, sitting: SittingParameters, seal: Seal, keys: Keys) -> Iterator[Mismatch]:
    """Every receipt verifies, has the deadline that follows from the schedule, and the request id that is sealed."""
    requests: dict[SentAnswer, str] = {}
    for entry in _acknowledgements(history, sitting):
        answer, at = entry.answer, _location(entry.answer.key)
        try:
            claims = verify_acknowledgement(entry, keys)
        except InvalidReceiptError as error:
            yield Mismatch("receipt", sitting.name, f"{at}: {error}")
            continue
        if requests.setdefault(answer, claims["request"]) != claims["request"]:
            yield Mismatch("receipt", sitting.name, f"{at}: a retry was recorded as another answer")
        student = seal.students.get(answer.student)
        sealed = student.answers.get(answer.question) if student else None
        if sealed is not None and _same_answer(answer, sealed) and sealed.request != claims["request"]:
            detail = f"{at}: request {claims['request']} is sealed as {sealed.request}"
            yield Mismatch("receipt", sitting.name, detail)
        deadline = _deadline(history, sitting, answer.student)
        if deadline is not None and claims["deadline_at"] != deadline:
            detail = f"{at}: the receipt's deadline is {claims['deadline_at']}, expected {deadline}"
            yield Mismatch("deadline", sitting.name, detail)
    if len(set(requests.values())) != len(requests):
        yield Mismatch("receipt", sitting.name, "two different answers share one request")


def check_seal(history: History, sitting: SittingParameters, seal: Seal) -> Iterator[Mismatch]:
    """The seal holds for each question the answer that was acknowledged last, and nothing else."""
    yield from (Mismatch("seal", sitting.name, error) for error in seal.integrity_errors)
    sealed: dict[AnswerKey, SealedAnswer] = {
        (sitting.id, number, question): answer
        for number, student in seal.students.items()
        for question, answer in student.answers.items()
    }
    acknowledged = {key for key, entries in history.acknowledged.items() if entries and key[0] == sitting.id}
    for key in sorted(sealed.keys() | acknowledged):
        found = _sealed_mismatch(history, key, sealed.get(key))
        if found is not None:
            kind, detail = found
            yield Mismatch(kind, sitting.name, f"{_location(key)}: {detail}")
    yield from _check_attempts(history, sitting, seal)


def check_log(history: History, sitting: SittingParameters, rows: Iterable[LoggedAnswer]) -> Iterator[Mismatch]:
    """The log holds every acknowledged answer, superseded ones too, and none that was refused."""
    logged = set(rows)
    accepted: set[SentAnswer] = set()
    for entry in _acknowledgements(history, sitting):
        answer = entry.answer
        accepted.add(answer)
        if LoggedAnswer(answer.student, answer.question, answer.seq, entry.received_at) not in logged:
            detail = f"{_location(answer.key)}: seq {answer.seq} was acknowledged and is not logged"
            yield Mismatch("lost", sitting.name, detail)
    accepted |= {answer for key, sent in history.indeterminate.items() if key[0] == sitting.id for answer in sent}
    expected = {(answer.student, answer.question, answer.seq) for answer in accepted}
    refused = {
        (answer.student, answer.question, answer.seq): kind
        for kind, answers in (("late", history.late), ("forged", history.forged), ("foreign", history.foreign))
        for answer in answers - accepted
        if answer.sitting == sitting.id
    }
    for row in sorted(logged, key=lambda row: (row.student, row.question, row.seq)):
        row_key = (row.student, row.question, row.seq)
        if row_key not in expected:
            at = _location((sitting.id, row.student, row.question))
            detail = f"{at}: seq {row.seq} is logged and was never acknowledged"
            yield Mismatch(refused.get(row_key, "unasked"), sitting.name, detail)


def check_degrees(
    history: History, sitting: SittingParameters, seal: Seal, observed: Iterable[ObservedDegree]
) -> Iterator[Mismatch]:
    """Every student who started has the degree that plain scoring gives; no other student has one."""
    try:
        paper = match_paper(sitting.document, history.papers[sitting.id])
    except (PaperMismatchError, KeyError) as error:
        yield Mismatch("paper", sitting.name, f"the paper shown cannot be scored: {error}")
        return
    started = {student for in_sitting, student in history.starts if in_sitting == sitting.id}
    by_source: dict[str, set[int]] = {}
    for degree in observed:
        by_source.setdefault(degree.source, set()).add(degree.student)
        if degree.student not in started:
            detail = f"student {degree.student} never started and has a degree ({degree.source})"
            yield Mismatch("degree", sitting.name, detail)
            continue
        answers = expected_answers(history, sitting, seal, degree.student)
        expected = score(
            paper,
            answers,
            sitting.multiple,
            negative_total=sitting.negative_total,
            drawn=history.drawn[sitting.id, degree.student] if sitting.document.draws else None,
        )
        if differences := list(degree_differences(expected, degree)):
            detail = f"student {degree.student} ({degree.source}): {'; '.join(differences)}"
            yield Mismatch("degree", sitting.name, detail)
    for source, students in by_source.items():
        if missing := sorted(started - students):
            detail = f"{len(missing)} students started and have no degree ({source}): {missing[:5]} …"
            yield Mismatch("degree", sitting.name, detail)


def expected_answers(history: History, sitting: SittingParameters, seal: Seal, student: int) -> dict[int, Content]:
    """A student's answers that must count: the last acknowledged ones, or the sealed ones where that is allowed."""
    answers: dict[int, Content] = {}
    sealed_student = seal.students.get(student)
    for question in range(len(sitting.document.questions)):
        key = (sitting.id, student, question)
        last = last_acknowledged(history, key)
        sealed = sealed_student.answers.get(question) if sealed_student else None
        if sealed is not None and _sealed_mismatch(history, key, sealed) is None:
            answers[question] = sealed.content
        elif last is not None:
            answers[question] = last.answer.content
    return answers


def last_acknowledged(history: History, key: AnswerKey) -> Acknowledgement | None:
    """The acknowledgement with the highest (seq, received_at)."""
    entries = history.acknowledged.get(key, [])
    return max(entries, key=lambda entry: (entry.answer.seq, entry.received_at), default=None)


def _sealed_mismatch(history: History, key: AnswerKey, sealed: SealedAnswer | None) -> tuple[str, str] | None:
    """The difference between history and seal for one question, as (kind, sentence); None when they agree."""
    last = last_acknowledged(history, key)
    indeterminate = history.indeterminate.get(key, set())
    if sealed is None:
        return None if last is None else ("lost", f"seq {last.answer.seq} was acknowledged and is not sealed")
    if last is not None and _same_answer(last.answer, sealed):
        retried = last.answer in indeterminate and sealed.received_at > last.received_at
        if retried or sealed.received_at == last.received_at:
            return None
        return "time", f"received_at is sealed as {sealed.received_at}, acknowledged as {last.received_at}"
    highest = 0 if last is None else last.answer.seq
    if sealed.seq >= highest and any(_same_answer(answer, sealed) for answer in indeterminate):
        return None
    return _unexpected(history, key, sealed, last)


def _unexpected(
    history: History, key: AnswerKey, sealed: SealedAnswer, last: Acknowledgement | None
) -> tuple[str, str]:
    """Classify a sealed answer that must not count."""
    for kind, refused in (("late", history.late), ("forged", history.forged), ("foreign", history.foreign)):
        if any(answer.key == key and _same_answer(answer, sealed) for answer in refused):
            return kind, f"seq {sealed.seq} was refused ({kind}) and is sealed"
    if last is None:
        return "unasked", f"seq {sealed.seq} is sealed and was never acknowledged"
    return (
        "replaced",
        f"seq {sealed.seq} ({describe(sealed.content)}) is sealed, the last acknowledged is seq {last.answer.seq}",
    )


def _same_answer(answer: SentAnswer, sealed: SealedAnswer) -> bool:
    return (answer.seq, answer.content) == (sealed.seq, sealed.content)


def _check_attempts(history: History, sitting: SittingParameters, seal: Seal) -> Iterator[Mismatch]:
    """Every attempt is sealed with its start, its submission, and the questions that were drawn."""
    for (in_sitting, student), start in history.starts.items():
        if in_sitting != sitting.id:
            continue
        sealed = seal.students.get(student)
        if sealed is None:
            yield Mismatch("lost", sitting.name, f"student {student} started and is not sealed")
            continue
        if sealed.started_at != start.started_at:
            detail = f"student {student} started at {start.started_at}, sealed as {sealed.started_at}"
            yield Mismatch("time", sitting.name, detail)
        if fault := draw_fault(sitting.document, sealed.drawn, history.drawn.get((in_sitting, student), ())):
            yield Mismatch("draw", sitting.name, f"student {student}: {fault}")
        submitted = history.submissions.get((in_sitting, student))
        if submitted is not None and (sealed.submitted_at is None or sealed.submitted_at > submitted):
            yield Mismatch("lost", sitting.name, f"student {student}'s submission at {submitted} is not sealed")


def draw_fault(document: Document, sealed: tuple[int, ...] | None, shown: tuple[int, ...]) -> str:
    """What is wrong with the questions that a student was shown, and that are sealed as drawn; empty if nothing."""
    expected = shown if document.draws else None
    if sealed != expected:
        return f"questions {sealed} are sealed as drawn, shown were {shown}"
    return document.draw_fault(shown)


def degree_differences(expected: Score, degree: ObservedDegree) -> Iterator[str]:
    """Every difference between plain scoring and an observed degree, as sentences."""
    if Fraction(degree.total) != expected.total:
        yield f"the total is {degree.total}, not {float(expected.total):.2f}"
    if Fraction(degree.maximum) != expected.maximum:
        yield f"the maximum is {degree.maximum}, not {float(expected.maximum):.2f}"
    if degree.answered is not None and degree.answered != expected.answered:
        yield f"answered is {degree.answered}, not {expected.answered}"
    if degree.points is not None:
        points = tuple(None if text is None else Fraction(text) for text in degree.points)
        if points != expected.points:
            pairs = zip(points, expected.points, strict=False)
            questions = [question for question, pair in enumerate(pairs) if len(set(pair)) > 1]
            yield f"the points differ at questions {questions}"


def _deadline(history: History, sitting: SittingParameters, student: int) -> int | None:
    start = history.starts.get((sitting.id, student))
    if start is None:
        return None
    return min(start.started_at + sitting.duration, sitting.closes_at) + sitting.extra.get(student, 0)


def _acknowledgements(history: History, sitting: SittingParameters) -> Iterator[Acknowledgement]:
    return (entry for entry in history.acknowledgements() if entry.answer.sitting == sitting.id)


def _location(key: AnswerKey) -> str:
    return f"student {key[1]}, question {key[2]}"
