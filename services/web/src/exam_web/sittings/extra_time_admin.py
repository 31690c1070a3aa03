"""Extra time in the admin: of a student in all exams, and in one sitting; before the opening or during the sitting."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.forms import UserChangeForm
from django.db.models import QuerySet
from django.http import HttpRequest

from exam_core.bounds import MAX_SPAN
from exam_core.problems import Problem
from exam_web.common import locks
from exam_web.common.admin import ListAdmin
from exam_web.sittings import services
from exam_web.sittings.models import Accommodation, Sitting
from exam_web.users.admin import StudentAdmin
from exam_web.users.models import Student, User
from exam_web.users.selectors import own_rows

_MINUTE = timedelta(minutes=1)


class StudentForm(UserChangeForm[User]):
    """A student's form: extra time in all exams changes by the rules of sittings."""

    def clean_extra_percent(self) -> int:
        """Check a change under the schedule's lock, which lasts until the form is saved."""
        percent = int(self.cleaned_data["extra_percent"])
        if "extra_percent" in self.changed_data:
            locks.lock_exclusively(locks.SCHEDULE)
            try:
                services.check_percent_change(Student.objects.get(pk=self.instance.pk), percent)
            except Problem as problem:
                raise forms.ValidationError(problem.detail) from problem
        return percent


admin.site.unregister(Student)


@admin.register(Student)
class StudentWithExtraTimeAdmin(StudentAdmin):
    """Students, with their extra time in all exams."""

    form = StudentForm
    fieldsets = (*(StudentAdmin.fieldsets or ()), ("Extra time", {"fields": ("extra_percent",)}))


class AccommodationForm(forms.ModelForm[Accommodation]):
    """A student's extra time in a sitting, in minutes."""

    username = forms.CharField(required=False, max_length=150, help_text="The student's username")
    minutes = forms.IntegerField(
        min_value=0,
        max_value=MAX_SPAN // _MINUTE,
        help_text="Beside the extra time in all exams. Once the sitting is about to open, it may only grow",
    )

    class Meta:
        """The sitting is selected; the service sets the rest."""

        model = Accommodation
        fields = ("sitting",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.initial = {**self.initial, "minutes": self.instance.extra // _MINUTE}

    def clean(self) -> dict[str, Any] | None:
        """Set the extra time by the service, which alone changes a sitting."""
        cleaned = super().clean()
        stored = self.instance.pk is not None
        student = self.instance.student if stored else Student.objects.named(self.cleaned_data.get("username") or "")
        sitting = self.instance.sitting if stored else self.cleaned_data.get("sitting")
        minutes = self.cleaned_data.get("minutes")
        if student is None:
            self.add_error("username", "No student has this name")
        elif sitting is not None and minutes is not None:
            self._set(sitting, student, minutes * _MINUTE)
        return cleaned

    def _set(self, sitting: Sitting, student: Student, extra: timedelta) -> None:
        try:
            services.accommodation_set(sitting=sitting.id, student=student, extra=extra)
        except Problem as problem:
            self.add_error(None, problem.detail)
            return
        found = Accommodation.objects.filter(sitting=sitting, student=student).first()
        if found is None:
            self.add_error("minutes", "The student has no extra time in this sitting")
        else:
            self.instance = found


@admin.register(Accommodation)
class AccommodationAdmin(ListAdmin[Accommodation]):
    """Extra time in a sitting: staff grant it by permission, Doctors in sittings of their exams."""

    form = AccommodationForm
    list_display = ("sitting", "student", "extra")
    list_select_related = ("sitting", "student")
    raw_id_fields = ("sitting",)
    search_fields = ("sitting__name", "student__username")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Accommodation]:
        """All rows, or for a Doctor those of their exams' sittings."""
        return own_rows(super().get_queryset(request), request.user, "sitting__exam__author_id")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:  # noqa: ANN401 - Django's signature
        """Restrict a Doctor's sittings to those of own exams, so that a forged form cannot select others."""
        if db_field.name == "sitting":
            kwargs["queryset"] = own_rows(Sitting.objects.all(), request.user, "exam__author_id")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Accommodation | None = None) -> tuple[str, ...]:
        """Name the student of a new row."""
        del request
        return ("sitting", "username" if obj is None else "student", "minutes")

    def get_readonly_fields(self, request: HttpRequest, obj: Accommodation | None = None) -> tuple[str, ...]:
        """Keep student and sitting of an existing row."""
        del request
        return () if obj is None else ("sitting", "student")

    @admin.display(description="Minutes")
    def minutes(self, accommodation: Accommodation) -> int:
        """The minutes, for those who may not change them."""
        return accommodation.extra // _MINUTE

    def has_delete_permission(self, request: HttpRequest, obj: Accommodation | None = None) -> bool:
        """Never: 0 minutes remove it, as far as the rules allow."""
        del request, obj
        return False

    def save_model(self, request: HttpRequest, obj: Accommodation, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 - Django's signature
        """Save nothing: the form's check has set the extra time."""
