"""Who may start in a sitting, in the admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from exam_core.entry import MAX_CODE
from exam_core.problems import Problem
from exam_web.common.admin import ListAdmin
from exam_web.sittings import services
from exam_web.sittings.models import SittingEntry
from exam_web.users.selectors import own_rows


class EntryForm(forms.ModelForm[SittingEntry]):
    """The rules of a sitting, set by the service when the form is checked.

    The fields have other names than the columns, which Django would set in the form's row.
    """

    only_named = forms.BooleanField(required=False, help_text="Only the students who are named below may start")
    students = forms.CharField(
        required=False, widget=forms.Textarea, help_text="Usernames of students of the level, one a line"
    )
    code = forms.CharField(
        required=False,
        max_length=MAX_CODE,
        label="New access code",
        help_text="A start needs it; it is stored as a hash and cannot be shown. If empty, the present one stays",
    )
    remove_code = forms.BooleanField(required=False, help_text="No access code any more")
    allowed_networks = forms.CharField(
        required=False,
        widget=forms.Textarea,
        help_text="Where attempts may be started and resumed: networks like 10.0.0.0/8 or 2001:db8::/32, one a line;"
        " everywhere if empty. Answers are accepted from everywhere",
    )

    class Meta:
        """All fields are the form's own."""

        model = SittingEntry
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        super().__init__(*args, **kwargs)
        names = self.instance.named_students.values_list("student__username", flat=True).order_by("student__username")
        self.initial = {
            "only_named": self.instance.named_only,
            "students": "\n".join(names),
            "allowed_networks": "\n".join(self.instance.networks),
        }

    def clean(self) -> dict[str, Any] | None:
        """Change the rules by the service, which alone changes a sitting."""
        cleaned = super().clean()
        rules = self.cleaned_data
        if self.errors:
            return cleaned
        students = rules["students"].split() if rules["only_named"] else None
        change = services.EntryChange(students=students, networks=rules["allowed_networks"].split())
        if rules["remove_code"] or rules["code"]:
            change = services.EntryChange(
                students=change.students,
                networks=change.networks,
                code=None if rules["remove_code"] else rules["code"],
            )
        try:
            services.entry_change(sitting=self.instance.id, change=change)
        except Problem as problem:
            self.add_error(None, problem.detail)
        return cleaned


@admin.register(SittingEntry)
class SittingEntryAdmin(ListAdmin[SittingEntry]):
    """Who may start: staff set it by permission, Doctors in sittings of their exams."""

    form = EntryForm
    list_display = ("name", "exam", "level", "state", "named_only", "has_code", "networks")
    list_select_related = ("exam", "level")
    list_filter = ("state", "level")
    search_fields = ("name", "exam__slug")
    fields = ("name", "has_code", "only_named", "students", "code", "remove_code", "allowed_networks")
    readonly_fields = ("name", "has_code")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SittingEntry]:
        """All sittings, or for a Doctor those of their exams."""
        return own_rows(super().get_queryset(request), request.user, "exam__author_id")

    @admin.display(description="Access code", boolean=True)
    def has_code(self, sitting: SittingEntry) -> bool:
        """Whether a start needs an access code."""
        return bool(sitting.access_code)

    @admin.display(description="Only named students", boolean=True)
    def only_named(self, sitting: SittingEntry) -> bool:
        """Whether only named students may start, for those who may not change it."""
        return sitting.named_only

    @admin.display(description="Students")
    def students(self, sitting: SittingEntry) -> int:
        """How many are named, for those who may not change it."""
        return sitting.named_students.count()

    @admin.display(description="Allowed networks")
    def allowed_networks(self, sitting: SittingEntry) -> str:
        """The networks, for those who may not change them."""
        return ", ".join(sitting.networks)

    @admin.display(description="New access code")
    def code(self, sitting: SittingEntry) -> str:
        """Nothing: it cannot be shown."""
        del sitting
        return ""

    @admin.display(description="Remove code")
    def remove_code(self, sitting: SittingEntry) -> str:
        """Nothing, for those who may not change it."""
        del sitting
        return ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        del request
        return False

    def has_delete_permission(self, request: HttpRequest, obj: SittingEntry | None = None) -> bool:
        """Never."""
        del request, obj
        return False

    def save_model(self, request: HttpRequest, obj: SittingEntry, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 - Django's signature
        """Save nothing: the form's check has changed the rules."""
