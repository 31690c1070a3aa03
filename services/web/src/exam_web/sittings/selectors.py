"""Queries about sittings."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.db.models import F, Max, Q, QuerySet
from django.db.models.functions import Coalesce

from exam_core.deadlines import ends_at, extra_time
from exam_core.instants import from_micros, span_to_micros, to_micros
from exam_core.paper import Key
from exam_core.paper import Paper as CorePaper
from exam_core.problems import Problem, ProblemKind
from exam_core.rekey import Change, Comparison, compare
from exam_core.schedule import State
from exam_core.windows import Window
from exam_web.common.clock import database_now
from exam_web.exams.models import Exam
from exam_web.exams.rendering import render_text
from exam_web.exams.selectors import exam_content
from exam_web.sittings.models import PaperKey, Revision, Sitting
from exam_web.users.models import Student, User

DUE_FOR_PUBLICATION = Q(
    state=Revision.State.GRADED,
    sitting__publish=Sitting.Publish.AUTOMATIC,
    number__gt=F("sitting__published_revision"),
    note="",
)
"""Filters revisions that are to be published automatically and are not yet: not those that a person opened with a note,
who compares the degrees first."""


def sitting_named(name: str) -> Sitting:
    """The sitting with a name or an id.

    Raises:
        Problem: NOT_FOUND.
    """
    found = Sitting.objects.filter(name=name).first()
    if found is None:
        try:
            found = Sitting.objects.filter(id=UUID(name)).first()
        except ValueError:
            found = None
    if found is None:
        raise Problem(ProblemKind.NOT_FOUND, f"sitting {name!r} not found")
    return found


def sitting_to_grade(user: User, name: str, permission: str) -> Sitting:
    """The sitting with a name or an id, for the Doctor whose exam it is and for staff with a permission.

    Raises:
        Problem: FORBIDDEN for students and other staff, NOT_FOUND, also for the sitting of another Doctor's exam.
    """
    if user.kind == User.Kind.STUDENT or (user.kind == User.Kind.STAFF and not user.has_perm(permission)):
        raise Problem(ProblemKind.FORBIDDEN, "only the Doctor whose exam it is may do this")
    sitting = sitting_named(name)
    if user.kind == User.Kind.DOCTOR and sitting.exam.author_id != user.pk:
        raise Problem(ProblemKind.NOT_FOUND, f"sitting {name!r} not found")
    return sitting


def revision_numbered(sitting: Sitting, number: int) -> Revision:
    """A revision of a sitting.

    Raises:
        Problem: NOT_FOUND.
    """
    found = sitting.revisions.filter(number=number).first()
    if found is None:
        raise Problem(ProblemKind.NOT_FOUND, f"revision {number} of {sitting.name} not found")
    return found


def max_extra(sitting: Sitting) -> int:
    """The most extra time of a student in a sitting (µs): what was granted for it, and for all exams."""
    granted = sitting.accommodations.aggregate(most=Max("extra"))["most"]
    with_percent = Student.objects.filter(level=sitting.level_id, extra_percent__gt=0)
    percent = with_percent.aggregate(most=Max("extra_percent"))["most"]
    both = with_percent.filter(accommodations__sitting=sitting.id)
    duration = span_to_micros(sitting.duration)
    return max(
        span_to_micros(granted or timedelta(0)),
        extra_time(duration=duration, percent=percent or 0),
        *(
            extra_time(duration=duration, percent=percent, granted=span_to_micros(extra))
            for percent, extra in both.values_list("extra_percent", "accommodations__extra")
        ),
    )


def sitting_ends_at(sitting: Sitting) -> int | None:
    """The latest possible personal deadline (µs); None while the sitting is paused, which moves it."""
    return ends_at(sitting.window, max_extra=max_extra(sitting))


def key_latest(sitting: Sitting) -> PaperKey:
    """The key of a sitting's last revision, or the one that was frozen with its paper."""
    revision = sitting.revisions.select_related("key").order_by("-number").first()
    return sitting.key if revision is None else revision.key


def content_comparison(sitting: Sitting) -> Comparison:
    """The exam's present content against the paper, the level, the policy and the latest key of a sitting."""
    exam = sitting.exam
    if exam.level_id != sitting.level_id:
        return Comparison(change=Change.PAPER, detail=f"the level changed from {sitting.level} to {exam.level}")
    if not sitting.own_policy and exam.scoring != sitting.scoring:
        return Comparison(change=Change.PAPER, detail="the scoring policy changed")
    key = key_latest(sitting)
    return compare(CorePaper(bytes(sitting.paper.body)), Key(bytes(key.body)), exam_content(exam), render_text)


def sittings_due() -> list[Sitting]:
    """Scheduled sittings whose last personal deadline has passed."""
    now = database_now()
    # The last deadline is never before the window closes, so this filter misses none.
    scheduled = Sitting.objects.filter(state=State.SCHEDULED.value, closes_at__lte=from_micros(now))
    candidates = scheduled.prefetch_related("pauses")
    return [row for row in candidates if _over(row, now)]


def revisions_unfinished() -> QuerySet[Sitting, tuple[UUID, int]]:
    """(sitting, number) of each revision of a closed sitting that is being graded or is due for publication.

    Oldest sitting first. A sitting without a revision is listed with the number of its first.
    """
    unfinished = Revision.objects.filter(Q(state=Revision.State.GRADING) | DUE_FOR_PUBLICATION)
    return (
        Sitting.objects.filter(state__in=(State.CLOSING.value, State.SEALED.value))
        .filter(Q(revisions=None) | Q(revisions__in=unfinished))
        .order_by("closed_at", "revisions__number")
        .values_list("id", Coalesce("revisions__number", 1))
    )


def is_due_for_publication(revision: Revision) -> bool:
    """Whether a revision is to be published automatically and neither it nor a later one is published yet."""
    return Revision.objects.filter(DUE_FOR_PUBLICATION, pk=revision.pk).exists()


def missing_chunks(revision: Revision) -> list[int]:
    """The chunks that are missing in a revision's ledger."""
    present = set(revision.ledger.values_list("chunk", flat=True))
    return [chunk for chunk in range(revision.chunks) if chunk not in present]


def sittings_for(user: User) -> QuerySet[Sitting]:
    """The sittings that a user may see, with their exams."""
    return Sitting.objects.visible_to(user).select_related("exam")


def overlapping(*, exam: Exam, window: Window, excluding: Sitting | None = None) -> Iterator[Sitting]:
    """Other scheduled sittings of an exam whose windows overlap this one."""
    others = Sitting.objects.filter(exam=exam, state=State.SCHEDULED.value)
    for other in others:
        if excluding is not None and other.id == excluding.id:
            continue
        if to_micros(other.opens_at) < window.closes_at and window.opens_at < to_micros(other.closes_at):
            yield other


def check_no_overlap(*, exam: Exam, window: Window, excluding: Sitting | None = None) -> None:
    """Check that a window overlaps no other of the same exam: one group could tell the other the questions.

    Raises:
        Problem: CONFLICT naming the other sitting.
    """
    for other in overlapping(exam=exam, window=window, excluding=excluding):
        raise Problem(ProblemKind.CONFLICT, f"the window overlaps that of {other.name}, which uses the same exam")


def _over(sitting: Sitting, now: int) -> bool:
    end = sitting_ends_at(sitting)
    return end is not None and now > end
