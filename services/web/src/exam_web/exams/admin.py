"""Exams in the admin, where Doctors edit their own."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from exam_core.scoring import MultipleRule, Policy
from exam_web.common import cache
from exam_web.common.admin import ListAdmin, ReadOnlyAdmin
from exam_web.exams.forms import ExactTextField, NumberField, PositionedFormSet
from exam_web.exams.interactions import listed_warnings
from exam_web.exams.models import Choice, Exam, Image, Question, Section, validate_namespace
from exam_web.exams.question_forms import PartForm, QuestionForm, QuestionFormSet
from exam_web.exams.sections import sections_of
from exam_web.exams.selectors import (
    exam_faults,
    part_faults,
    questions_of,
    read_questions,
    read_row,
    sittings_keeping_papers,
)
from exam_web.exams.services import LISTS, draft_refusal, exam_touch
from exam_web.users.models import User
from exam_web.users.selectors import own_rows


class ExamForm(forms.ModelForm[Exam]):
    """An exam's form: the scoring policy by its rules; an exam with sittings cannot become a draft."""

    multiple = forms.ChoiceField(
        choices=[
            (MultipleRule.ALL_OR_NOTHING.value, "all or nothing"),
            (MultipleRule.PROPORTIONAL.value, "proportional"),
        ],
        label="Multiple choice",
        help_text="How multiple-choice questions without a rule of their own are scored. A scheduled sitting keeps the"
        " policy that was frozen with its paper",
    )
    negative_total = forms.BooleanField(required=False, help_text="A total may be below 0")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        super().__init__(*args, **kwargs)
        policy = self.instance.scoring
        self.initial = {**self.initial, "multiple": policy.multiple.value, "negative_total": policy.negative_total}

    def clean(self) -> dict[str, Any] | None:
        """Set the policy by its rules."""
        cleaned = super().clean()
        rules = self.cleaned_data
        if "multiple" in rules:
            policy = Policy(multiple=MultipleRule(rules["multiple"]), negative_total=rules["negative_total"])
            self.instance.policy = policy.to_json()
        return cleaned

    def clean_published(self) -> bool:
        """Check against the sittings, under the lock that scheduling one takes; it lasts until the form is saved."""
        published = bool(self.cleaned_data["published"])
        if not published:
            # No row yet when the exam is being added.
            exam = Exam.objects.select_for_update(of=("self",)).filter(pk=self.instance.pk).first()
            if exam is not None and (names := exam.sittings.names()):
                raise forms.ValidationError(draft_refusal(names))
        return published


EXACT_FIELDS: dict[type[models.Field[Any, Any]], dict[str, Any]] = {
    models.TextField: {"form_class": ExactTextField, "widget": AdminTextareaWidget},
    models.DecimalField: {"form_class": NumberField, "widget": AdminTextInputWidget(attrs={"inputmode": "decimal"})},
}
"""Override of the fields for texts that students see, and for numbers."""


class PartInline(admin.TabularInline[Choice, Question]):
    """The parts of a question: choices, accepted answers, stems and targets, or items, with their faults."""

    model = Choice
    form = PartForm
    formset = PositionedFormSet
    verbose_name = "part"
    verbose_name_plural = "Parts in order: choices; accepted answers; stems and targets; items in the right order"
    extra = 0
    fields = ("position", "ident", "text", "correct", "credit", "target", "image", "upload", "faults")
    readonly_fields = ("faults",)
    raw_id_fields = ("image",)

    def get_formset(self, request: HttpRequest, obj: Question | None = None, **kwargs: Any) -> Any:  # noqa: ANN401 - Django's signature
        """Find the faults of all parts at once."""
        self._faults: dict[int | None, str] = {} if obj is None or obj.pk is None else part_faults(obj)
        return super().get_formset(request, obj, **kwargs)

    @admin.display(description="Faults")
    def faults(self, choice: Choice) -> str:
        """List what is wrong with the part as it is stored."""
        return self._faults.get(choice.pk, "")


class SectionInline(admin.TabularInline[Section, Exam]):
    """An exam's sections; each question names its own."""

    model = Section
    formset = PositionedFormSet
    formfield_overrides = EXACT_FIELDS
    verbose_name_plural = "Sections in order: their questions follow one another. Save a new one to select it below"
    extra = 0
    fields = ("position", "ident", "title", "instructions", "draw", "shuffle")


class QuestionInline(admin.TabularInline[Question, Exam]):
    """An exam's questions, each with a link to its page."""

    model = Question
    formset = QuestionFormSet
    formfield_overrides = EXACT_FIELDS
    extra = 0
    fields = ("position", "ident", "section", "kind", "text", "weight")
    show_change_link = True


OWNER = {Exam: "author", Section: "exam__author", Question: "exam__author", Choice: "question__exam__author"}
"""The lookup of each model's owner."""


class OwnedAdmin(ListAdmin[Any]):
    """Base of the models that belong to an exam: Doctors see, select and change only their own."""

    formfield_overrides = EXACT_FIELDS

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return all rows for staff, their own for Doctors."""
        return _own(super().get_queryset(request), request)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:  # noqa: ANN401 - Django's signature
        """Restrict a Doctor's foreign keys to own rows, so that a forged form cannot select others."""
        model = db_field.remote_field.model
        if model in OWNER:
            kwargs["queryset"] = _own(model.objects.all(), request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 - Django's signature
        """Save under a lock of the exam's row, so that freezing sees all of the change or nothing."""
        exam = _exam_of(obj)
        if exam.pk is not None:
            exam_touch(exam=exam)
        super().save_model(request, obj, form, change)
        cache.invalidate_on_commit(LISTS)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: ANN401, FBT001 - Django's signature
        """Save the rows below, and warn that scheduled sittings keep their papers."""
        super().save_related(request, form, formsets, change)
        if names := sittings_keeping_papers(_exam_of(form.instance)):
            text = (
                f"Sittings that keep the paper frozen for them: {', '.join(names)}. The exam's page shows what differs"
            )
            self.message_user(request, text, messages.WARNING)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:  # noqa: ANN401 - Django's signature
        """Delete under the same lock."""
        exam_touch(exam=_exam_of(obj))
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete several rows under the same locks."""
        with transaction.atomic():
            for exam in {_exam_of(row) for row in queryset}:
                exam_touch(exam=exam)
            super().delete_queryset(request, queryset)


def _own(rows: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
    return own_rows(rows, request.user, OWNER[rows.model])


def _exam_of(row: Exam | Question | Choice) -> Exam:
    if isinstance(row, Exam):
        return row
    return row.exam if isinstance(row, Question) else row.question.exam


@admin.register(Exam)
class ExamAdmin(OwnedAdmin):
    """Exams."""

    form = ExamForm
    list_display = ("slug", "title", "level", "author", "published", "updated_at")
    list_select_related = ("level", "author")
    list_filter = ("level", "published")
    search_fields = ("slug",)
    search_words = ("title",)
    autocomplete_fields = ("author",)
    inlines = (SectionInline, QuestionInline)

    def get_readonly_fields(self, request: HttpRequest, obj: Exam | None = None) -> tuple[str, ...]:
        """Show the faults of an existing exam."""
        del request
        return () if obj is None else ("faults",)

    @admin.display(description="Faults")
    def faults(self, exam: Exam) -> str:
        """List the faults to correct before a sitting can be created, and warnings."""
        rows = list(questions_of(exam))
        read = read_questions(rows)
        warnings = [f"{warning} (a warning)" for warning in listed_warnings(read)]
        return "\n".join([*exam_faults(exam, sections_of(exam), rows, read), *warnings]) or "none"

    @admin.display(description="Multiple choice")
    def multiple(self, exam: Exam) -> str:
        """The rule of multiple-choice questions, for those who may not change it."""
        return exam.scoring.multiple.value

    @admin.display(description="Negative total", boolean=True)
    def negative_total(self, exam: Exam) -> bool:
        """Whether a total may be below 0, for those who may not change it."""
        return exam.scoring.negative_total

    def get_exclude(self, request: HttpRequest, obj: Exam | None = None) -> tuple[str, ...]:
        """Hide the policy's stored form, and the author from Doctors."""
        del obj
        return ("policy", "author") if cast("User", request.user).kind == User.Kind.DOCTOR else ("policy",)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:  # noqa: ANN401 - Django's signature
        """Validate namespaces in the form, which otherwise shows the number of a faulty item without the reason."""
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "namespaces":
            field.base_field.validators.append(validate_namespace)
        return field

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 - Django's signature
        """Make a Doctor the author of a new exam."""
        user = cast("User", request.user)
        if not change and user.kind == User.Kind.DOCTOR:
            obj.author_id = user.pk
        super().save_model(request, obj, form, change)


@admin.register(Question)
class QuestionAdmin(OwnedAdmin):
    """Questions with their parts."""

    form = QuestionForm
    list_display = ("exam", "position", "ident", "kind", "text", "weight")
    list_select_related = ("exam",)
    # No filter by exam, which would list every exam; their questions can be searched by its slug.
    list_filter = ("kind",)
    search_fields = ("ident", "exam__slug")
    search_words = ("text",)
    autocomplete_fields = ("exam",)
    raw_id_fields = ("image",)
    inlines = (PartInline,)
    fieldsets = (
        (None, {"fields": ("exam", "position", "ident", "kind", "text", "format", "weight", "image", "upload")}),
        ("In its exam", {"fields": ("section", "shuffle")}),
        ("Choices and ordering", {"fields": ("max_choices", "rule", "floor", "cap")}),
        ("True or false", {"fields": ("answer", "other_credit")}),
        ("Number", {"fields": ("value", "tolerance", "unit")}),
        ("Short text", {"fields": ("case", "wildcards", "max_length")}),
        ("Essay", {"fields": ("max_characters", "min_words", "max_words", "template", "notes")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Question | None = None) -> Any:  # noqa: ANN401 - Django's signature
        """Show the faults of an existing question, and to those who may not change it the settings as they are."""
        (name, options), *of_kinds = super().get_fieldsets(request, obj)
        if obj is None:
            # The sections to select from are those of its exam.
            (part, _), *others = of_kinds
            return [(name, options), (part, {"fields": ("shuffle",)}), *others]
        shown = [(name, {"fields": (*options["fields"], "faults")})]
        if self.has_change_permission(request, obj):
            return [*shown, *of_kinds]
        return [*shown, of_kinds[0], ("Key", {"fields": ("max_choices", "value", "tolerance", "settings")})]

    def get_readonly_fields(self, request: HttpRequest, obj: Question | None = None) -> tuple[str, ...]:
        """Show the faults of an existing question."""
        del request
        return () if obj is None else ("faults",)

    @admin.display(description="Faults")
    def faults(self, question: Question) -> str:
        """List what is to be corrected before a sitting can be created, and warnings; parts show their own."""
        read = read_row(question, question.choices.select_related("image"))
        warnings = [f"{warning.reason} (a warning)" for warning in read.warnings]
        return "\n".join([*(fault.reason for fault in read.faults), *warnings]) or "none"


@admin.register(Choice)
class ChoiceAdmin(OwnedAdmin):
    """Parts of questions; usually edited on their question's page."""

    form = PartForm
    list_display = ("question", "position", "ident", "text", "correct", "credit", "target")
    list_select_related = ("question",)
    raw_id_fields = ("question", "image")


@admin.register(Image)
class ImageAdmin(ReadOnlyAdmin[Image]):
    """Images, read-only."""

    list_display = ("sha256", "content_type", "width", "height")
    unlisted_fields = ("data",)
    fields = ("sha256", "content_type", "width", "height")
