"""Provisioning: freeze the exam's paper and create the sitting, or adopt an existing one."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from exam_core.bounds import check_candidates, check_name, check_window
from exam_core.buckets import buckets_for
from exam_core.canonical import digest_of
from exam_core.instants import from_micros, rfc3339, span_to_micros, to_micros
from exam_core.paper import AuthoredExam, Permute, decimal_text, freeze
from exam_core.problems import Problem, ProblemKind
from exam_core.scoring import Policy
from exam_core.windows import Window
from exam_web.common import locks
from exam_web.common.clock import database_now
from exam_web.exams.models import Exam
from exam_web.exams.selectors import exam_authored
from exam_web.sittings import selectors
from exam_web.sittings.models import Paper, PaperKey, Sitting
from exam_web.sittings.services.locking import next_epoch
from exam_web.sittings.services.revisions import key_for, key_store
from exam_web.sittings.services.window import check_bounds, invalid_field, window_change


@dataclass(frozen=True, slots=True, kw_only=True)
class SittingSpec:
    """The desired state of a sitting."""

    exam: str
    opens_at: datetime
    closes_at: datetime
    duration: timedelta
    candidates: int = 1000
    publish: Sitting.Publish = Sitting.Publish.MANUAL
    extra_past_close: bool = True
    policy: Policy = field(default_factory=Policy)


def random_permutation(length: int) -> Sequence[int]:
    """A permutation that students cannot predict."""
    return secrets.SystemRandom().sample(range(length), length)


def sitting_provision(
    *, name: str, spec: SittingSpec, permute: Permute = random_permutation, absent: bool = False
) -> Sitting:
    """Create the sitting with this name, or adopt an existing one; idempotent.

    A window that differs is changed by the rules of `window_change`; another exam is a conflict.

    Args:
        name: its name.
        spec: its desired state.
        permute: returns a random permutation of so many places.
        absent: whether to fail if the sitting exists, because the caller decided on its absence.

    Raises:
        Problem: NOT_FOUND (no such exam), PAPER_INVALID (an exam that cannot be frozen), CONFLICT, WINDOW_FROZEN,
            INVALID, EPOCH_CHANGED (`absent` and the sitting exists).
    """
    with invalid_field("name"):
        check_name(name)
    check_bounds(opens_at=spec.opens_at, closes_at=spec.closes_at, duration=spec.duration)
    with invalid_field("closes_at"):
        check_window(spec.opens_at, spec.closes_at)
    with invalid_field("candidates"):
        check_candidates(spec.candidates)
    window = Window(
        opens_at=to_micros(spec.opens_at),
        closes_at=to_micros(spec.closes_at),
        duration=span_to_micros(spec.duration),
        extra_past_close=spec.extra_past_close,
    )
    exam = Exam.objects.filter(slug=spec.exam).select_related("level").first()
    if exam is None:
        raise Problem(ProblemKind.NOT_FOUND, f"exam {spec.exam!r} not found: create it, or provide its paper")
    adopted = Sitting.objects.filter(name=name).first()
    if adopted is None:
        created = _create(name=name, exam=exam, spec=spec, window=window, permute=permute)
        if created is not None:
            return created
        adopted = Sitting.objects.get(name=name)
    if absent:
        raise Problem(
            ProblemKind.EPOCH_CHANGED,
            f"{name} exists, at epoch {adopted.epoch}: read it before you change it",
            epoch=adopted.epoch,
        )
    return _adopt(adopted, spec)


def _adopt(sitting: Sitting, spec: SittingSpec) -> Sitting:
    if sitting.exam.slug != spec.exam:
        raise Problem(ProblemKind.CONFLICT, f"{sitting.name} is a sitting of {sitting.exam.slug}, not of {spec.exam}")
    if sitting.extra_past_close != spec.extra_past_close:
        raise Problem(ProblemKind.CONFLICT, f"extra_past_close of {sitting.name} cannot change")
    unchanged = (sitting.opens_at, sitting.closes_at, sitting.duration) == (
        spec.opens_at,
        spec.closes_at,
        spec.duration,
    )
    if not unchanged:
        sitting = window_change(
            sitting=sitting.id, opens_at=spec.opens_at, closes_at=spec.closes_at, duration=spec.duration
        )
    if sitting.publish != spec.publish:
        # Not part of the schedule: solvers do not use it, so the epoch stays.
        Sitting.objects.filter(id=sitting.id).update(publish=spec.publish)
        sitting.publish = spec.publish
    return sitting


def _create(*, name: str, exam: Exam, spec: SittingSpec, window: Window, permute: Permute) -> Sitting | None:
    """Create the sitting; None when it was created concurrently."""
    paper, key = paper_freeze(exam=exam, permute=permute)
    with transaction.atomic():
        locks.lock_exclusively(locks.SCHEDULE)
        if Sitting.objects.filter(name=name).exists():
            return None
        now = database_now()
        if window.closes_at <= now:
            raise Problem(
                ProblemKind.INVALID, f"the window closed at {rfc3339(window.closes_at)}; it is {rfc3339(now)}"
            )
        selectors.check_no_overlap(exam=exam, window=window)
        return Sitting.objects.create(
            name=name,
            exam=exam,
            paper=paper,
            key=key,
            level=exam.level,
            epoch=next_epoch(),
            opens_at=from_micros(window.opens_at),
            closes_at=from_micros(window.closes_at),
            duration=spec.duration,
            extra_past_close=spec.extra_past_close,
            candidates=spec.candidates,
            buckets=buckets_for(candidates=spec.candidates, questions=exam.questions.count()),
            policy=spec.policy.to_json(),
            publish=spec.publish,
        )


def paper_freeze(*, exam: Exam, permute: Permute) -> tuple[Paper, PaperKey]:
    """Freeze an exam's present content; the same content is frozen once, also by concurrent calls.

    Raises:
        Problem: PAPER_INVALID when the exam has no questions or a question has no usable key.
    """
    authored, images = exam_authored(exam)
    source = _source_digest(authored)
    frozen = Paper.objects.filter(source=source).first()
    if frozen is None:
        paper, key = freeze(authored, permute)
        try:
            with transaction.atomic():
                frozen = Paper.objects.create(digest=paper.digest, exam=exam, source=source, body=paper.body)
                frozen.images.set(images)
        except IntegrityError:
            # A concurrent request froze the same content first, with another permutation: that paper is used.
            frozen = Paper.objects.get(source=source)
        else:
            return frozen, key_store(frozen, key)
    return frozen, key_for(frozen, authored)


def _source_digest(exam: AuthoredExam) -> str:
    """The digest of everything that students see of an exam; without the key, whose correction keeps the paper."""
    return digest_of(
        {
            "exam": exam.slug,
            "title": exam.title,
            "instructions": exam.instructions,
            "questions": [
                {
                    "kind": question.kind.value,
                    "text": question.text,
                    "weight": decimal_text(question.weight),
                    "image": question.image.sha256 if question.image else None,
                    "max_choices": question.max_choices,
                    "choices": [
                        [choice.text, choice.image.sha256 if choice.image else None] for choice in question.choices
                    ],
                }
                for question in exam.questions
            ],
        }
    )
