"""Exams in the admin: Doctors write their own."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest

from exam_core.problems import Problem
from exam_web import cache
from exam_web.exams.images import image_store
from exam_web.exams.models import Choice, Exam, Image, Question
from exam_web.exams.services import LISTS
from exam_web.readonly import ReadOnlyAdmin
from exam_web.users.models import User


class ImageForm(forms.ModelForm[Any]):
    """A form whose image is uploaded, checked by content and kept under its digest."""

    upload = forms.FileField(required=False, help_text="PNG, JPEG or WebP; replaces the image")

    def clean(self) -> dict[str, Any] | None:
        """Turn an upload into an image."""
        cleaned = super().clean()
        upload = self.cleaned_data.get("upload")
        if upload is not None:
            try:
                self.instance.image = image_store(data=upload.read())
            except Problem as problem:
                self.add_error("upload", problem.detail)
            else:
                self.cleaned_data["image"] = self.instance.image
        return cleaned


class ChoiceInline(admin.TabularInline[Choice, Question]):
    """A question's choices."""

    model = Choice
    form = ImageForm
    extra = 0
    fields = ("position", "ident", "text", "correct", "image", "upload")
    raw_id_fields = ("image",)


class QuestionInline(admin.TabularInline[Question, Exam]):
    """An exam's questions, each with a link to its own page."""

    model = Question
    extra = 0
    fields = ("position", "ident", "kind", "text", "weight")
    show_change_link = True


class OwnedAdmin(admin.ModelAdmin[Any]):
    """What belongs to an exam: Doctors see their own alone, whatever else they may do."""

    owner = "author"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Everything for staff, a Doctor's own for a Doctor."""
        rows = super().get_queryset(request)
        user = cast("User", request.user)
        return rows.filter(**{self.owner: user.pk}) if user.kind == User.Kind.DOCTOR else rows

    def save_model(self, request: HttpRequest, obj: models.Model, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 - Django's signature
        """Save, and forget cached lists."""
        super().save_model(request, obj, form, change)
        cache.invalidate_on_commit(LISTS)

    def delete_model(self, request: HttpRequest, obj: models.Model) -> None:
        """Delete, and forget cached lists."""
        super().delete_model(request, obj)
        cache.invalidate_on_commit(LISTS)


@admin.register(Exam)
class ExamAdmin(OwnedAdmin):
    """Exams."""

    list_display = ("slug", "title", "level", "author", "updated_at")
    list_filter = ("level",)
    search_fields = ("slug", "title")
    inlines = (QuestionInline,)

    def get_exclude(self, request: HttpRequest, obj: Exam | None = None) -> tuple[str, ...]:
        """A Doctor does not choose the author."""
        del obj
        return ("author",) if cast("User", request.user).kind == User.Kind.DOCTOR else ()

    def save_model(self, request: HttpRequest, obj: models.Model, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 - Django's signature
        """A new exam of a Doctor is the Doctor's own."""
        user = cast("User", request.user)
        if not change and user.kind == User.Kind.DOCTOR:
            cast("Exam", obj).author_id = user.pk
        super().save_model(request, obj, form, change)


@admin.register(Question)
class QuestionAdmin(OwnedAdmin):
    """Questions with their choices."""

    owner = "exam__author"
    form = ImageForm
    list_display = ("exam", "position", "ident", "kind", "text", "weight")
    list_filter = ("exam", "kind")
    search_fields = ("ident", "text")
    raw_id_fields = ("image",)
    inlines = (ChoiceInline,)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:  # noqa: ANN401 - Django's signature
        """A Doctor's question belongs to a Doctor's own exam."""
        user = cast("User", request.user)
        if db_field.name == "exam" and user.kind == User.Kind.DOCTOR:
            kwargs["queryset"] = Exam.objects.filter(author_id=user.pk)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(Choice)
class ChoiceAdmin(OwnedAdmin):
    """Choices, mostly edited on their question's page."""

    owner = "question__exam__author"
    form = ImageForm
    list_display = ("question", "position", "ident", "text", "correct")
    raw_id_fields = ("question", "image")


@admin.register(Image)
class ImageAdmin(ReadOnlyAdmin[Image]):
    """Images by content."""

    list_display = ("sha256", "content_type", "width", "height")
    fields = ("sha256", "content_type", "width", "height")
