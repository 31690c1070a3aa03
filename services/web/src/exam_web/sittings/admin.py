"""Sittings in the admin: read-only, with actions to freeze anew, mark for solving, grade again and publish.

It also shows on each exam's page which papers its sittings hold; the app `exams` does not know sittings.
"""

from typing import ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe

from exam_core.authoring.adjustments import write_entries
from exam_core.instants import rfc3339, to_micros
from exam_core.problems import Problem
from exam_core.rekey import Change
from exam_core.schedule import State
from exam_web.common.admin import ReadOnlyAdmin
from exam_web.common.clock import database_now
from exam_web.exams.admin import ExamAdmin
from exam_web.exams.models import Exam
from exam_web.sittings import entry_admin, extra_time_admin, selectors, services
from exam_web.sittings.distribution import paper_distribute
from exam_web.sittings.models import (
    LedgerEntry,
    Paper,
    PaperKey,
    Revision,
    Schedule,
    SealedBucket,
    Sitting,
    SittingPause,
    SolverLease,
)
from exam_web.sittings.regrade_admin import may_grade, regrade_page
from exam_web.sittings.services.leases import fixed_at, is_fixed
from exam_web.users.selectors import own_rows

MODULES = (entry_admin, extra_time_admin)
"""Further modules of the admin: Django imports this one alone."""
MAX_SITTINGS = 20
"""How many sittings an exam's page shows."""


def paper_text(sitting: Sitting, now: int) -> str:
    """Since when a sitting's paper is frozen, what of the exam changed since, and what can be done about it."""
    comparison = selectors.content_comparison(sitting)
    frozen = f"paper {sitting.paper_id[:12]}, frozen at {rfc3339(to_micros(sitting.frozen_at))}"
    if comparison.change is Change.NONE:
        return f"{frozen}; the exam has the same content"
    if not is_fixed(sitting, now):
        way = (
            "not used in this sitting unless you freeze anew: choose the action in the list of sittings before "
            f"{rfc3339(fixed_at(sitting))}"
        )
    elif comparison.change is Change.KEY:
        way = "used only by another grading revision"
    else:
        way = "not used in this sitting; a grading revision needs all that its paper lists, and takes its present key"
    return f"{frozen}; the exam has changed since: {comparison.detail} ({way})"


@admin.register(Sitting)
class SittingAdmin(ReadOnlyAdmin[Sitting]):
    """Sittings; the actions call the services, which alone change a sitting."""

    list_display = ("name", "exam", "level", "state", "opens_at", "closes_at", "published_revision")
    list_select_related = ("exam", "level")
    list_filter = ("state", "level")
    search_fields = ("name", "exam__slug")
    actions = ("freeze_anew", "mark_for_solving", "grade_again", "publish")
    readonly_fields: ClassVar[tuple[str, ...]] = ("content",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Sitting]:
        """All sittings, or for a Doctor those of their exams."""
        return own_rows(super().get_queryset(request), request.user, "exam__author_id")

    @admin.display(description="Content")
    def content(self, sitting: Sitting) -> str:
        """What of the exam changed since the paper was frozen."""
        return paper_text(sitting, database_now())

    def has_solve_permission(self, request: HttpRequest) -> bool:
        """Whether the user may change a sitting: staff with the permission for it, and its Doctor."""
        return may_grade(request)

    def get_urls(self) -> list[URLPattern]:
        """Add the page to regrade with adjustments."""
        view = self.admin_site.admin_view(self.regrade)
        return [path("<uuid:pk>/regrade/", view, name="sittings_sitting_regrade"), *super().get_urls()]

    def regrade(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Regrade a sitting that the user sees, with adjustments."""
        sitting = self.get_queryset(request).filter(pk=pk).first()
        return regrade_page(request, sitting, self.opts)

    @admin.action(description="Freeze the exam's present content anew, before the opening", permissions=["solve"])
    def freeze_anew(self, request: HttpRequest, sittings: QuerySet[Sitting]) -> None:
        """Replace the papers and keys of sittings by the exams' present content."""
        for sitting in sittings:
            try:
                frozen = services.sitting_refreeze(sitting=sitting.id, distribute=paper_distribute)
            except Problem as problem:
                self.message_user(request, f"{sitting.name}: {problem.detail}", messages.ERROR)
                continue
            unchanged = frozen.epoch == sitting.epoch
            text = "has the exam's present content already" if unchanged else "has the exam's present content now"
            self.message_user(request, f"{sitting.name} {text}")

    @admin.action(description="Mark for solving: close, seal and grade", permissions=["solve"])
    def mark_for_solving(self, request: HttpRequest, sittings: QuerySet[Sitting]) -> HttpResponse | None:
        """Close sittings, which the graders then seal and grade; asks for confirmation to stop an open window."""
        due = selectors.sittings_due()
        still_open = [row for row in sittings.filter(state=State.SCHEDULED.value) if row not in due]
        if still_open and "confirmed" not in request.POST:
            context = self.admin_site.each_context(request) | {
                "title": "End these sittings now?",
                "sittings": still_open,
                "chosen": sittings,
                "opts": self.model._meta,  # noqa: SLF001 - the documented way to a model's options
            }
            return TemplateResponse(request, "sittings/confirm_stop.html", context)
        for sitting in sittings:
            self._solve(request, sitting, stop=sitting in still_open)
        return None

    @admin.action(description="Grade again, by the exam's present key", permissions=["solve"])
    def grade_again(self, request: HttpRequest, sittings: QuerySet[Sitting]) -> None:
        """Open another revision of graded sittings, which the graders then grade."""
        for sitting in sittings:
            try:
                revision = services.revision_open_next(sitting=sitting.id)
            except Problem as problem:
                self.message_user(request, f"{sitting.name}: {problem.detail}", messages.ERROR)
                continue
            then = "published when graded" if sitting.publish == Sitting.Publish.AUTOMATIC else "then publish it here"
            self.message_user(request, f"{sitting.name}: revision {revision.number} is being graded; {then}")
            before = sitting.revisions.filter(number=revision.number - 1).first()
            if before is not None and before.scoring.adjustments and not revision.scoring.adjustments:
                text = (
                    f"{sitting.name}: the adjustments of revision {before.number} are not in revision {revision.number}"
                )
                self.message_user(
                    request, f"{text}; regrade with adjustments on its page to keep them", messages.WARNING
                )

    @admin.action(description="Publish the latest graded revision", permissions=["solve"])
    def publish(self, request: HttpRequest, sittings: QuerySet[Sitting]) -> None:
        """Publish degrees to the students."""
        for sitting in sittings:
            revision = sitting.revisions.filter(state=Revision.State.GRADED).order_by("-number").first()
            if revision is None:
                self.message_user(request, f"{sitting.name} has no graded revision", messages.WARNING)
                continue
            try:
                services.revision_publish(revision=revision)
            except Problem as problem:
                self.message_user(request, f"{sitting.name}: {problem.detail}", messages.ERROR)
            else:
                self.message_user(request, f"{sitting.name}: revision {revision.number} published")

    def _solve(self, request: HttpRequest, sitting: Sitting, *, stop: bool) -> None:
        try:
            (services.sitting_stop if stop else services.sitting_close)(sitting=sitting.id)
        except Problem as problem:
            self.message_user(request, f"{sitting.name}: {problem.detail}", messages.ERROR)
        else:
            self.message_user(request, f"{sitting.name} is closing; the graders will seal and grade it")


admin.site.unregister(Exam)


@admin.register(Exam)
class ExamWithSittingsAdmin(ExamAdmin):
    """An exam's page, with the papers that its sittings hold."""

    def get_readonly_fields(self, request: HttpRequest, obj: Exam | None = None) -> tuple[str, ...]:
        """Show the frozen papers of an existing exam."""
        shown = super().get_readonly_fields(request, obj)
        return shown if obj is None else (*shown, "frozen_papers")

    @admin.display(description="Frozen papers")
    def frozen_papers(self, exam: Exam) -> str:
        """List the sittings with their papers, and whether the exam's content differs; the coming ones first."""
        rows = exam.sittings.select_related("exam__level", "level", "paper", "key").order_by("-opens_at")[:MAX_SITTINGS]
        now = database_now()
        lines = [
            (reverse("admin:sittings_sitting_change", args=[row.pk]), row.name, row.state, paper_text(row, now))
            for row in rows
        ]
        return format_html_join(mark_safe("<br>"), '<a href="{}">{}</a> ({}): {}', lines) or "none"


@admin.register(Paper)
class PaperAdmin(ReadOnlyAdmin[Paper]):
    """Frozen papers."""

    list_display = ("exam", "digest", "created_at")
    list_select_related = ("exam",)
    unlisted_fields = ("body",)
    fields = ("exam", "digest", "source", "created_at")


@admin.register(PaperKey)
class PaperKeyAdmin(ReadOnlyAdmin[PaperKey]):
    """Keys by digest; correct answers are shown on the pages of the questions."""

    list_display = ("paper", "digest", "created_at")
    list_select_related = ("paper__exam",)
    unlisted_fields = ("body", "paper__body")
    fields = ("paper", "digest", "created_at")


@admin.register(Revision)
class RevisionAdmin(ReadOnlyAdmin[Revision]):
    """Grading revisions."""

    list_display = ("sitting", "number", "state", "note", "chunks", "started_at", "finished_at")
    list_select_related = ("sitting",)
    list_filter = ("state",)
    fields = (
        *("sitting", "number", "state", "note", "multiple", "negative_total", "adjustments"),
        *("key", "policy_digest", "chunks", "started_at", "finished_at"),
    )
    readonly_fields = ("multiple", "negative_total", "adjustments")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Revision]:
        """All revisions, or for a Doctor those of their exams' sittings."""
        return own_rows(super().get_queryset(request), request.user, "sitting__exam__author_id")

    @admin.display(description="Rule of multiple choice")
    def multiple(self, revision: Revision) -> str:
        """The rule of the policy, before the adjustments."""
        return revision.scoring.multiple.value

    @admin.display(description="Negative total", boolean=True)
    def negative_total(self, revision: Revision) -> bool:
        """Whether a total may be below 0, before the adjustments."""
        return revision.scoring.negative_total

    @admin.display(description="Adjustments")
    def adjustments(self, revision: Revision) -> str:
        """What the revision changes and why, without the salt that hides it in the published digest."""
        entries = revision.scoring.adjustments.entries
        lines = ((line,) for line in write_entries([entry.to_json() for entry in entries]).splitlines())
        return format_html_join(mark_safe("<br>"), "{}", lines) or "none"


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin[LedgerEntry]):
    """Graded chunks."""

    list_display = ("revision", "chunk", "degrees", "graded_at")
    list_select_related = ("revision__sitting",)


@admin.register(SealedBucket)
class SealedBucketAdmin(ReadOnlyAdmin[SealedBucket]):
    """Sealed buckets."""

    list_display = ("sitting", "bucket", "answers", "students", "digest")
    list_select_related = ("sitting",)


@admin.register(SolverLease)
class SolverLeaseAdmin(ReadOnlyAdmin[SolverLease]):
    """Solver processes that may admit answers."""

    list_display = ("holder", "renewed_at", "ttl", "drained_epoch", "renewals")


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin[Schedule]):
    """The schedule's epoch."""

    list_display = ("epoch",)


@admin.register(SittingPause)
class SittingPauseAdmin(ReadOnlyAdmin[SittingPause]):
    """Pauses."""

    list_display = ("sitting", "began_at", "ended_at")
    list_select_related = ("sitting",)
