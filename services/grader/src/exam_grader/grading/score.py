"""Grading one chunk, purely: from a sealed bucket to the degrees of everyone who sat.

Absent is not blank: who never began is not in the seal and gets no degree; who began and answered nothing gets a degree
of zero points.
"""

from exam_core.fold import SealedAttempt, SealedBucket
from exam_core.instants import from_micros
from exam_core.paper import Key, Paper
from exam_core.scoring import Policy, score
from exam_web.degrees.services import DegreeRow


def grade_bucket(paper: Paper, key: Key, policy: Policy, sealed: SealedBucket) -> list[DegreeRow]:
    """The degree of each student in a sealed bucket, by student."""
    return [_degree(paper, key, policy, sat) for sat in sealed.students]


def _degree(paper: Paper, key: Key, policy: Policy, sat: SealedAttempt) -> DegreeRow:
    result = score(paper, key, policy, ((answer.question, answer.answer) for answer in sat.answers))
    return DegreeRow(
        student=sat.student,
        total=result.total,
        maximum=result.maximum,
        points=result.to_json(),
        answered=result.answered,
        started_at=None if sat.started_at is None else from_micros(sat.started_at),
        submitted_at=None if sat.submitted_at is None else from_micros(sat.submitted_at),
    )
