"""What a revision changes, in the admin: on the page of its sitting, and compared with the published one."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe

from exam_core.degree_changes import PassMark, read_pass_mark
from exam_core.problems import Problem
from exam_web.degrees.changes import revision_changes
from exam_web.degrees.changes_shown import changes_shown
from exam_web.degrees.schemas import ChangesShown
from exam_web.http.paging import MAX_OFFSET
from exam_web.sittings import services
from exam_web.sittings.admin import RevisionAdmin, SittingAdmin
from exam_web.sittings.models import Revision, Sitting
from exam_web.sittings.regrade_admin import may_grade

ROWS = 100
"""How many students of each list a page shows."""


class CompareForm(forms.Form):
    """How a comparison is shown."""

    pass_mark = forms.CharField(
        required=False, max_length=40, help_text="A share of the maximum like 50% or 1/2, or points like 12.5"
    )
    offset = forms.IntegerField(required=False, min_value=0, max_value=MAX_OFFSET, widget=forms.HiddenInput)

    def clean_pass_mark(self) -> PassMark | None:
        """Read the pass mark."""
        text = self.cleaned_data["pass_mark"]
        try:
            return read_pass_mark(text) if text.strip() else None
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


admin.site.unregister(Revision)
admin.site.unregister(Sitting)


@admin.register(Revision)
class RevisionWithChangesAdmin(RevisionAdmin):
    """Grading revisions, each with a page that compares it and publishes it."""

    def get_urls(self) -> list[URLPattern]:
        """Add the page of the changes."""
        view = self.admin_site.admin_view(self.changes)
        return [path("<int:pk>/changes/", view, name="sittings_revision_changes"), *super().get_urls()]

    def changes(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what a revision changes against the published one; a POST publishes it."""
        revision = self.get_queryset(request).select_related("sitting").filter(pk=pk).first()
        if revision is None or not request.user.has_perm("degrees.view_degree"):
            raise Http404
        if request.method == "POST":
            return _publish(request, revision)
        form = CompareForm(request.GET)
        shown, fault = None, ""
        if form.is_valid():
            try:
                found = revision_changes(revision, pass_mark=form.cleaned_data["pass_mark"])
                shown = changes_shown(found, limit=ROWS, offset=form.cleaned_data["offset"] or 0)
            except Problem as problem:
                fault = problem.detail
        context = self.admin_site.each_context(request) | {
            "title": f"What revision {revision.number} of {revision.sitting.name} changes",
            "revision": revision,
            "adjustments": revision.scoring.adjustments.entries,
            "form": form,
            "fault": fault,
            "shown": shown,
            "bins": _bins(shown),
            "later": _later(request, shown),
            "publishable": may_grade(request) and _is_publishable(revision),
            "address": reverse("admin:sittings_sitting_change", args=[revision.sitting_id]),
            "opts": self.opts,
        }
        return TemplateResponse(request, "degrees/changes.html", context)


@admin.register(Sitting)
class SittingWithRevisionsAdmin(SittingAdmin):
    """A sitting's page, with its revisions: what each changed and why."""

    readonly_fields: ClassVar[tuple[str, ...]] = (*SittingAdmin.readonly_fields, "grading")

    @admin.display(description="Grading revisions")
    def grading(self, sitting: Sitting) -> str:
        """List the revisions, the latest first, with links to compare, publish and regrade."""
        lines = [_line(sitting, revision) for revision in sitting.revisions.order_by("-number")]
        regrade = format_html(
            '<a href="{}">Regrade with adjustments</a>', reverse("admin:sittings_sitting_regrade", args=[sitting.pk])
        )
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in (*lines, regrade))) if lines else "none"


def _line(sitting: Sitting, revision: Revision) -> str:
    published = ", published" if revision.number == sitting.published_revision else ""
    text = format_html(
        '<a href="{}">revision {}</a> ({}{}): {}',
        reverse("admin:sittings_revision_change", args=[revision.pk]),
        revision.number,
        revision.state,
        published,
        revision.note or "without a note",
    )
    if revision.number == 1 or revision.state != Revision.State.GRADED:
        return text
    verb = "compare and publish" if _is_publishable(revision) else "compare"
    address = reverse("admin:sittings_revision_changes", args=[revision.pk])
    return format_html('{}; <a href="{}">{}</a>', text, address, verb)


def _is_publishable(revision: Revision) -> bool:
    return revision.state == Revision.State.GRADED and revision.number > revision.sitting.published_revision


def _publish(request: HttpRequest, revision: Revision) -> HttpResponse:
    if not may_grade(request):
        raise Http404
    try:
        services.revision_publish(revision=revision)
    except Problem as problem:
        messages.error(request, problem.detail)
    else:
        messages.success(request, f"{revision.sitting.name}: revision {revision.number} published")
    return HttpResponseRedirect(reverse("admin:sittings_sitting_change", args=[revision.sitting_id]))


def _bins(shown: ChangesShown | None) -> list[tuple[str, int, int]]:
    """The rows of the distribution: the share of the maximum, students before, students after."""
    if shown is None:
        return []
    count = len(shown.before.bins)
    rows = [
        (f"{100 * n // count} to {100 * (n + 1) // count} %", *pair)
        for n, pair in enumerate(zip(shown.before.bins, shown.after.bins, strict=True))
    ]
    return [("below 0", shown.before.below_zero, shown.after.below_zero), *rows]


def _later(request: HttpRequest, shown: ChangesShown | None) -> str | None:
    """The query of the following page; None on the last one."""
    lists: list[Any] = [] if shown is None else [shown.moved, shown.passed, shown.failed]
    offsets = [each.next for each in lists if each.next is not None]
    if not offsets:
        return None
    query = request.GET.copy()
    query["offset"] = str(min(offsets))
    return query.urlencode()
