"""Provisioning: create a sitting of an exam's frozen paper, or adopt an existing one and apply the spec to it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from exam_core.bounds import check_candidates, check_name, check_window
from exam_core.instants import from_micros, rfc3339, span_to_micros, to_micros
from exam_core.problems import Problem, ProblemKind
from exam_core.questions.model import Permute
from exam_core.schedule import State
from exam_core.scoring import MultipleRule, Policy
from exam_core.windows import Window
from exam_web.common import locks
from exam_web.common.clock import database_now
from exam_web.exams.models import Exam
from exam_web.exams.ownership import check_namespace
from exam_web.sittings import selectors
from exam_web.sittings.models import Sitting
from exam_web.sittings.services.adoption import sitting_adopt
from exam_web.sittings.services.freezing import bucket_count, paper_freeze, random_permutation
from exam_web.sittings.services.leases import fixed_at, is_fixed
from exam_web.sittings.services.locking import compare_and_set, locked_sitting, next_epoch
from exam_web.sittings.services.window import check_bounds, invalid_field, window_changes


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
    multiple: MultipleRule | None = None
    negative_total: bool | None = None
    """The rules of a scoring policy of its own; the exam's apply where they are None."""

    @property
    def own_policy(self) -> bool:
        """Whether it names a rule of scoring."""
        return self.multiple is not None or self.negative_total is not None

    def policy(self, exam: Exam) -> Policy:
        """The scoring policy for the exam's present one."""
        return exam.scoring.with_rules(multiple=self.multiple, negative_total=self.negative_total)


def sitting_provision(
    *,
    name: str,
    spec: SittingSpec,
    permute: Permute = random_permutation,
    namespace: str | None = None,
    absent: bool = False,
    epoch: int | None = None,
    former: str = "",
) -> Sitting:
    """Create the sitting with this name, or adopt an existing one and apply the whole spec to it; idempotent.

    A window that differs is changed by the rules of `window_change`, candidates and policy by those of
    `sitting_change`; exam and `extra_past_close` cannot change. One field that cannot be applied rejects them all. The
    paper of an existing sitting stays, and the exam's policy that was frozen with it: `sitting_refreeze` replaces both.

    Args:
        name: its name.
        spec: its desired state.
        permute: returns a random permutation of so many places.
        namespace: the namespace of the resource that asks for it, None for the platform itself.
        absent: whether to fail if the sitting exists, because the caller decided on its absence.
        epoch: the epoch that the existing sitting must have; None accepts any, and its absence.
        former: if the sitting does not exist, the beginning of a name under which it may exist: see `sitting_adopt`.

    Raises:
        Problem: NOT_FOUND (no such exam), NAMESPACE_NOT_ALLOWED, EXAM_DRAFT, PAPER_INVALID (an exam that cannot be
            frozen), CONFLICT naming the field that cannot change, WINDOW_FROZEN, INVALID, EPOCH_CHANGED.
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
    check_namespace(exam, namespace)
    adopted = Sitting.objects.filter(name=name).first()
    if adopted is None:
        if epoch is not None:
            raise Problem(ProblemKind.EPOCH_CHANGED, f"{name} does not exist, so that it is not at epoch {epoch}")
        if former and (
            renamed := sitting_adopt(name=name, former=former, exam=exam, window=window, publish=spec.publish)
        ):
            return renamed
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
    return _adopt(adopted, spec, epoch)


def sitting_change(
    *,
    sitting: UUID,
    candidates: int | None = None,
    multiple: MultipleRule | None = None,
    negative_total: bool | None = None,
    epoch: int | None = None,
) -> Sitting:
    """Change the expected candidates or the policy of a sitting; None keeps a value. `epoch` as in `locked_sitting`.

    Candidates determine the number of buckets, in which solvers look for a student's answers. So a change of that
    number, as of the policy by which students answer, needs the same notice as one of the paper.

    Raises:
        Problem: INVALID outside the bounds of candidates, CONFLICT naming the field that cannot change any more.
    """
    if candidates is not None:
        with invalid_field("candidates"):
            check_candidates(candidates)
    with locked_sitting(sitting, epoch) as (row, now):
        policy = row.scoring.with_rules(multiple=multiple, negative_total=negative_total)
        own = row.own_policy or multiple is not None or negative_total is not None
        changes = _changes(row, now, candidates=candidates, policy=policy, own_policy=own)
        return compare_and_set(row, expected=State.SCHEDULED, **changes) if changes else row


def _adopt(sitting: Sitting, spec: SittingSpec, epoch: int | None) -> Sitting:
    with locked_sitting(sitting.id, epoch) as (row, now):
        if row.exam.slug != spec.exam:
            raise Problem(ProblemKind.CONFLICT, f"exam: {row.name} is a sitting of {row.exam.slug}, not of {spec.exam}")
        if row.extra_past_close != spec.extra_past_close:
            raise Problem(
                ProblemKind.CONFLICT,
                f"extra_past_close of {row.name} cannot change: cancel it and create another sitting",
            )
        changes = window_changes(
            row, now, opens_at=spec.opens_at, closes_at=spec.closes_at, duration=spec.duration
        ) | _changes(
            row, now, candidates=spec.candidates, policy=_adopted_policy(row, spec), own_policy=spec.own_policy
        )
        changed = compare_and_set(row, expected=State.SCHEDULED, **changes) if changes else row
        if changed.publish != spec.publish:
            # Not part of the schedule: solvers do not use it, so the epoch stays.
            Sitting.objects.filter(id=row.id).update(publish=spec.publish)
            changed.publish = spec.publish
        return changed


def _adopted_policy(row: Sitting, spec: SittingSpec) -> Policy:
    """The policy of an existing sitting under a spec: one that was frozen with the paper stays, as the paper does."""
    frozen = not spec.own_policy and not row.own_policy
    return row.scoring if frozen else spec.policy(row.exam)


def _changes(row: Sitting, now: int, *, candidates: int | None, policy: Policy, own_policy: bool) -> dict[str, object]:
    """The columns to change for other candidates and another policy; raises as `sitting_change`."""
    changes: dict[str, object] = {}
    if own_policy != row.own_policy:
        changes["own_policy"] = own_policy
    if policy != row.scoring:
        if is_fixed(row, now):
            raise _fixed(row, "the policy (multiple, negative_total)", "students answer by it")
        changes["policy"] = policy.to_json()
    if candidates is not None and candidates != row.candidates:
        buckets = bucket_count(row.paper, candidates)
        if row.state != State.SCHEDULED.value or (buckets != row.buckets and is_fixed(row, now)):
            raise _fixed(
                row,
                f"candidates ({candidates} would need {buckets} buckets of answers, there are {row.buckets})",
                f"more students than {row.candidates} may come all the same, so keep {row.candidates}",
            )
        changes |= {"candidates": candidates, "buckets": buckets}
    return changes


def _fixed(row: Sitting, field: str, why: str) -> Problem:
    return Problem(
        ProblemKind.CONFLICT,
        f"{field} of {row.name} could change until {rfc3339(fixed_at(row))}, shortly before the opening; the "
        f"sitting is {row.state}: {why}. Cancel it and create another sitting if it must change",
    )


def _create(*, name: str, exam: Exam, spec: SittingSpec, window: Window, permute: Permute) -> Sitting | None:
    """Create the sitting; None when it was created concurrently."""
    _require_published(exam)
    frozen_at = from_micros(database_now())
    paper, key = paper_freeze(exam=exam, permute=permute)
    with transaction.atomic():
        # Against a concurrent change to a draft; before the schedule's lock, for which renewals of leases wait.
        locked = Exam.objects.select_for_update(of=("self",)).get(pk=exam.pk)
        _require_published(locked)
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
            frozen_at=frozen_at,
            level=exam.level,
            epoch=next_epoch(),
            opens_at=from_micros(window.opens_at),
            closes_at=from_micros(window.closes_at),
            duration=spec.duration,
            extra_past_close=spec.extra_past_close,
            candidates=spec.candidates,
            buckets=bucket_count(paper, spec.candidates),
            policy=spec.policy(locked).to_json(),
            own_policy=spec.own_policy,
            publish=spec.publish,
        )


def _require_published(exam: Exam) -> None:
    if not exam.published:
        raise Problem(
            ProblemKind.EXAM_DRAFT,
            f"{exam.slug} is a draft, which students do not see: publish it (its page in the admin, or "
            f'PATCH /api/exams/{exam.slug} {{"published": true}}) before a sitting is scheduled',
        )
