"""The admin's page to regrade a sitting with adjustments."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from exam_core.authoring.adjustments import read_entries, write_entries
from exam_core.canonical import Json
from exam_core.paper import Key
from exam_core.paper import Paper as CorePaper
from exam_core.problems import Problem
from exam_web.sittings import services
from exam_web.sittings.models import MAX_NOTE, Revision, Sitting
from exam_web.sittings.paper_numbers import numbered_questions
from exam_web.sittings.revision_schemas import EXAMPLES
from exam_web.sittings.selectors import key_latest
from exam_web.users.models import User

_ROWS = 12


def may_grade(request: HttpRequest) -> bool:
    """Whether the user may grade a sitting that they see: staff with the permission for it, and its Doctor."""
    user = cast("User", request.user)
    return user.kind == User.Kind.DOCTOR or user.has_perm("sittings.change_sitting")


class RegradeForm(forms.Form):
    """What a regrade changes, and why."""

    note = forms.CharField(
        max_length=MAX_NOTE,
        widget=forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}),
        label="What changed and why",
        help_text="Names the revision for those who regrade; students do not see it",
    )
    adjustments = forms.CharField(
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": _ROWS, "class": "vLargeTextField"}),
        help_text="A list in YAML or JSON: all that the revision changes of the exam's present key and of the policy,"
        " also what the revision before changed. Each has a change, a reason, and the number of a question as below,"
        f" from 0. For example:\n{write_entries(cast('list[Json]', EXAMPLES))}All changes and their members are in"
        " docs/scoring.md, «Adjustments of a revision». Without any, the sitting is graded by the exam's present key",
    )

    def clean_adjustments(self) -> list[Json]:
        """Read the list; the service checks what it contains."""
        try:
            return read_entries(self.cleaned_data["adjustments"])
        except Problem as problem:
            raise forms.ValidationError(problem.detail) from problem

    def add_problem(self, problem: Problem) -> None:
        """Show a problem of the service: the faults of the adjustments at their field, all else above the form."""
        faults = cast("list[dict[str, str]]", problem.extra.get("faults", []))
        for fault in faults:
            self.add_error("adjustments", fault["reason"])
        if not faults:
            self.add_error(None, problem.detail)


def regrade_page(request: HttpRequest, sitting: Sitting | None, opts: Any) -> HttpResponse:  # noqa: ANN401 - as Django
    """Serve the form for a sitting that the user sees, None if there is none; a valid one opens a revision."""
    if sitting is None or not may_grade(request):
        raise Http404
    address = reverse("admin:sittings_sitting_change", args=[sitting.pk])
    last = sitting.revisions.order_by("-number").first()
    form = RegradeForm(request.POST or None, initial={"adjustments": _written(last)})
    if request.method == "POST" and form.is_valid():
        try:
            revision = services.revision_regrade(sitting=sitting.id, **form.cleaned_data)
        except Problem as problem:
            form.add_problem(problem)
        else:
            text = f"{sitting.name}: revision {revision.number} is being graded; then compare and publish it here"
            messages.success(request, text)
            return HttpResponseRedirect(address)
    paper, key = CorePaper(bytes(sitting.paper.body)), Key(bytes(key_latest(sitting).body))
    context = admin.site.each_context(request) | {
        "title": f"Regrade {sitting.name}",
        "sitting": sitting,
        "address": address,
        "form": form,
        "questions": numbered_questions(paper, key),
        "opts": opts,
    }
    return TemplateResponse(request, "sittings/regrade.html", context)


def _written(last: Revision | None) -> str:
    """The adjustments of the last revision, which stay unless they are changed."""
    return "" if last is None else write_entries([entry.to_json() for entry in last.scoring.adjustments.entries])
