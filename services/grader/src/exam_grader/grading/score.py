"""Scores a sealed bucket. Pure: no store is read or written.

Absent is not blank: a student who never started is not in the seal and gets no degree; a student who started and
answered nothing gets a degree of zero points.
"""

from exam_core.fold import SealedAttempt, SealedBucket
from exam_core.instants import from_micros
from exam_core.paper import Key, Paper
from exam_core.scoring import Policy, Scorer, scorer
from exam_web.degrees.services import DegreeRow


def score_bucket(paper: Paper, key: Key, policy: Policy, sealed: SealedBucket) -> list[DegreeRow]:
    """The degrees of all students in a sealed bucket, in the order of their ids."""
    shared = scorer(paper, key, policy)
    return [_score_attempt(shared, attempt) for attempt in sealed.students]


def _score_attempt(shared: Scorer, attempt: SealedAttempt) -> DegreeRow:
    answers = ((answer.question, answer.answer) for answer in attempt.answers)
    result = shared.score(answers, attempt.drawn)
    return DegreeRow(
        student=attempt.student,
        total=result.total,
        maximum=result.maximum,
        points=result.to_json(),
        answered=result.answered,
        started_at=None if attempt.started_at is None else from_micros(attempt.started_at),
        submitted_at=None if attempt.submitted_at is None else from_micros(attempt.submitted_at),
    )
