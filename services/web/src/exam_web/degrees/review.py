"""What a student may see of an own attempt once it is over, by the review policy of the exam."""

from typing import Any, cast

from exam_core.answer_value import AnswerValue
from exam_core.buckets import bucket_of
from exam_core.canonical import Json
from exam_core.fold import SealedAttempt
from exam_core.paper import Key
from exam_core.paper import Paper as CorePaper
from exam_core.problems import Problem, ProblemKind
from exam_core.review import Review, paper_of, right_answers
from exam_web.degrees.models import Degree
from exam_web.degrees.points_note import points_note
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
        Problem: NOT_FOUND before degrees are published or when the student has none in them or in the seal,
            REVIEW_WITHHELD if the policy shows nothing, UNAVAILABLE as `sealed_members`.
    """
    revision = published_revision(sitting)
    degree = Degree.objects.select_related("revision").filter(revision=revision, student_id=student).first()
    if degree is None:
        raise Problem(ProblemKind.NOT_FOUND, f"{revision} has no degree of yours")
    require_shown(sitting, Review.DEGREE, "the review contains the degree")
    policy = sitting.exam.review_policy
    held_back = is_held_back(sitting)

    def shows(part: Review) -> bool:
        return not held_back and policy.shows(part)

    paper = CorePaper(bytes(sitting.paper.body))
    attempt = _sealed(sitting, student) if shows(Review.PAPER) else None
    # A seal that states no draw shows no question of a paper with pools.
    drawn = (attempt.drawn or ()) if attempt and paper.draws else None
    key = None
    if shows(Review.KEY):
        key = right_answers(paper, Key(bytes(revision.key.body)), revision.scoring, drawn)
    return ReviewShown(
        sitting=sitting.name,
        review=policy.value,
        revision=revision.number,
        total=degree.total,
        maximum=degree.maximum,
        answered=degree.answered,
        points=degree.points if shows(Review.POINTS) else None,
        points_note=points_note(degree) if shows(Review.POINTS) else None,
        paper=cast("dict[str, Any]", paper_of(paper, drawn)) if attempt else None,
        answers=[_shown(paper, each.question, each.answer) for each in attempt.answers] if attempt else None,
        key=key,
    )


def _sealed(sitting: Sitting, student: int) -> SealedAttempt:
    """Return a student's attempt as the seal has it.

    Raises:
        Problem: NOT_FOUND when the seal has none, UNAVAILABLE as `sealed_members`.
    """
    members = sealed_members(sitting, bucket_of(student, sitting.buckets))
    own = next((member.content for member in members if member.student == student), None)
    if own is None:
        raise Problem(ProblemKind.NOT_FOUND, f"the seal of {sitting.name} has no attempt of yours")
    return SealedAttempt.from_json(own)


def _shown(paper: CorePaper, question: int, answer: AnswerValue) -> dict[str, Json]:
    return {"question": question} | paper.questions[question].half.shown(answer)
