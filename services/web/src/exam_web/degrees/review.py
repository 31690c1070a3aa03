"""What a student may see of an own attempt once it is over, by the review policy of the exam."""

from typing import Any, cast

from exam_core.answer_value import AnswerValue
from exam_core.buckets import bucket_of
from exam_core.canonical import Json
from exam_core.fold import SealedAttempt
from exam_core.paper import Key
from exam_core.paper import Paper as CorePaper
from exam_core.problems import Problem, ProblemKind
from exam_core.review import Review, right_answers
from exam_core.scoring import Policy
from exam_web.degrees.models import Degree
from exam_web.degrees.schemas import ReviewShown
from exam_web.degrees.selectors import is_held_back, require_shown
from exam_web.degrees.statements import published_revision
from exam_web.sittings.models import Sitting
from exam_web.sittings.seals import sealed_members


def review_of(sitting: Sitting, student: int) -> ReviewShown:
    """Return what a student may see of the own attempt in a sealed sitting.

    The right answers are those of the published revision. The key leaves web here alone, and only to students who took
    part: others may yet be granted a make-up.

    Raises:
        Problem: NOT_FOUND before degrees are published or when the student has none, REVIEW_WITHHELD if the policy
            shows nothing, UNAVAILABLE as `sealed_members`.
    """
    revision = published_revision(sitting)
    degree = Degree.objects.filter(revision=revision, student_id=student).first()
    if degree is None:
        raise Problem(ProblemKind.NOT_FOUND, f"{revision} has no degree of yours")
    require_shown(sitting, Review.DEGREE, "the review contains the degree")
    policy = sitting.exam.review_policy
    held_back = is_held_back(sitting)

    def shows(part: Review) -> bool:
        return not held_back and policy.shows(part)

    paper = CorePaper(bytes(sitting.paper.body))
    key = None
    if shows(Review.KEY):
        key = right_answers(paper, Key(bytes(revision.key.body)), Policy.from_json(revision.policy))
    return ReviewShown(
        sitting=sitting.name,
        review=policy.value,
        revision=revision.number,
        total=degree.total,
        maximum=degree.maximum,
        answered=degree.answered,
        points=degree.points if shows(Review.POINTS) else None,
        paper=cast("dict[str, Any]", paper.content) if shows(Review.PAPER) else None,
        answers=_answers(sitting, student, paper) if shows(Review.PAPER) else None,
        key=key,
    )


def _answers(sitting: Sitting, student: int, paper: CorePaper) -> list[dict[str, Json]]:
    """Return the counted answers of a student, in the members in which they were sent."""
    members = sealed_members(sitting, bucket_of(student, sitting.buckets))
    own = next((member.content for member in members if member.student == student), None)
    if own is None:
        return []
    return [_shown(paper, answer.question, answer.answer) for answer in SealedAttempt.from_json(own).answers]


def _shown(paper: CorePaper, question: int, answer: AnswerValue) -> dict[str, Json]:
    return {"question": question} | paper.questions[question].half.shown(answer)
