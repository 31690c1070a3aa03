"""Freezing: the paper and key of an exam's present content, for a new sitting or for one that has not opened."""

import secrets
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import IntegrityError, transaction

from exam_core import bounds
from exam_core.authored import AuthoredExam
from exam_core.buckets import buckets_for
from exam_core.instants import from_micros, rfc3339, to_micros
from exam_core.paper import Paper as CorePaper
from exam_core.paper import freeze
from exam_core.problems import Problem, ProblemKind
from exam_core.questions.model import Permute
from exam_core.schedule import State
from exam_core.scoring import Policy
from exam_web.common.clock import database_now
from exam_web.exams.models import Exam
from exam_web.exams.rendering import render_text
from exam_web.exams.selectors import exam_authored
from exam_web.sittings.models import Paper, PaperKey, Sitting
from exam_web.sittings.services.leases import fixed_at, is_fixed
from exam_web.sittings.services.locking import compare_and_set, locked_sitting
from exam_web.sittings.services.revisions import key_for, key_store


def random_permutation(length: int) -> Sequence[int]:
    """A permutation that students cannot predict."""
    return secrets.SystemRandom().sample(range(length), length)


def sitting_refreeze(
    *,
    sitting: UUID,
    distribute: Callable[[Paper], None],
    named: str = "",
    permute: Permute = random_permutation,
    epoch: int | None = None,
) -> Sitting:
    """Replace a sitting's paper, key and level by the exam's present ones, before the window opens; idempotent.

    So is the scoring policy, unless the sitting has its own.

    The same notice is required as for moving the opening: every solver that lets a student start has read the new
    paper, so that no two students start with different ones. Paper and key are frozen and distributed before the
    change, so that the sitting always has a paper that solvers can read.

    Args:
        sitting: its id.
        distribute: stores a paper for the solvers.
        named: the name of the request; one that was applied already changes nothing. Empty: it has no name.
        permute: returns a random permutation of so many places.
        epoch: as in `locked_sitting`.

    Raises:
        Problem: PAPER_INVALID when the exam cannot be frozen, PAPER_FROZEN when the sitting is opening or later,
            EPOCH_CHANGED, also when the sitting was changed while this call froze the paper.
    """
    row = Sitting.objects.select_related("exam__level").get(id=sitting)
    if named and named == row.refreeze:
        with locked_sitting(sitting, epoch) as (row, _):
            return row
    decided_on = row.epoch if epoch is None else epoch
    exam, frozen_at = row.exam, from_micros(database_now())
    paper, key = paper_freeze(exam=exam, permute=permute)
    if not _is_frozen_as(row, paper, key, exam):
        _require_before_opening(row, database_now())
        if paper.distributed_at is None:
            distribute(paper)
    # The epoch of before the freezing: a concurrent call that froze later content must not be overwritten.
    with locked_sitting(sitting, decided_on) as (row, now):
        if _is_frozen_as(row, paper, key, exam):
            if named:
                # Not part of the schedule: solvers do not use it, so the epoch stays.
                Sitting.objects.filter(id=row.id).update(refreeze=named)
                row.refreeze = named
            return row
        _require_before_opening(row, now)
        return compare_and_set(
            row,
            expected=State.SCHEDULED,
            paper=paper,
            key=key,
            level=exam.level,
            policy=_policy(row, exam).to_json(),
            frozen_at=frozen_at,
            refreeze=named or row.refreeze,
            buckets=bucket_count(paper, row.candidates),
        )


def bucket_count(paper: Paper, candidates: int) -> int:
    """The number of buckets of a sitting of a frozen paper."""
    return min(bounds.MAX_BUCKETS, buckets_for(candidates=candidates, questions=CorePaper(bytes(paper.body)).size))


def _is_frozen_as(row: Sitting, paper: Paper, key: PaperKey, exam: Exam) -> bool:
    frozen = (row.paper_id, row.key_id, row.level_id, row.scoring)
    return frozen == (paper.digest, key.digest, exam.level_id, _policy(row, exam))


def _policy(row: Sitting, exam: Exam) -> Policy:
    return row.scoring if row.own_policy else exam.scoring


def _require_before_opening(row: Sitting, now: int) -> None:
    if is_fixed(row, now):
        raise Problem(
            ProblemKind.PAPER_FROZEN,
            f"{row.name} is {row.state} and keeps the paper that was frozen at {rfc3339(to_micros(row.frozen_at))}: "
            f"the paper can be replaced until {rfc3339(fixed_at(row))}, before the opening by the time for which "
            f"solvers may still use the former one; it is {rfc3339(now)}. For another paper, cancel the sitting and "
            "create another one; a regrade after the sitting uses a corrected key",
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
        paper, key = freeze(authored, permute, render_text)
        try:
            # With its key, from which a later key of the paper takes the names of what the paper shows.
            with transaction.atomic():
                frozen = Paper.objects.create(digest=paper.digest, exam=exam, source=source, body=paper.body)
                frozen.images.set(images)
                return frozen, key_store(frozen, key)
        except IntegrityError:
            # A concurrent request froze the same content first, with another permutation: that paper is used.
            frozen = Paper.objects.get(source=source)
    return frozen, key_for(frozen, frozen.keys.latest("created_at"), authored)


def _source_digest(exam: AuthoredExam) -> str:
    """The digest of everything that students see of an exam, in its author's order.

    It does not depend on the key, whose correction keeps the paper: nothing in a paper does under a given numbering.
    """
    paper, _ = freeze(exam, range, render_text)
    return paper.digest
