"""The bank in the admin: categories, questions with their versions, and actions that exchange questions with exams."""

import json
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from exam_core.problems import Problem
from exam_web.bank.forms import CategoryForm, KeepForm, TakeForm
from exam_web.bank.models import BankQuestion, Category, Use, Version
from exam_web.bank.permissions import may_change
from exam_web.bank.selectors import version_of
from exam_web.bank.services import uses
from exam_web.bank.services.categories import category_save
from exam_web.bank.services.questions import tidy_tags
from exam_web.common.admin import ListAdmin, ReadOnlyAdmin
from exam_web.exams.admin import QuestionAdmin
from exam_web.exams.models import Question
from exam_web.users.models import User


@admin.register(Category)
class CategoryAdmin(ListAdmin[Category]):
    """Categories."""

    form = CategoryForm
    list_display = ("path", "name")
    fields = ("slug", "name", "parent", "path")
    readonly_fields = ("path",)

    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 - Django's signature
        """Save with the path, and the paths of the categories within."""
        del request, form, change
        category_save(category=obj)


class VersionInline(admin.TabularInline[Version, BankQuestion]):
    """The versions of a question, each with a link to its content."""

    model = Version
    extra = 0
    fields = readonly_fields = ("number", "author", "comment", "created_at")
    ordering = ("-number",)
    can_delete = False
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Version]:
        """All versions without their content."""
        return super().get_queryset(request).defer("content").select_related("author")

    def has_add_permission(self, request: HttpRequest, obj: Any) -> bool:  # type: ignore[override]  # noqa: ANN401 - Django's signature
        """Never: content is stored by services alone."""
        del request, obj
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401 - Django's signature
        """Never."""
        del request, obj
        return False


@admin.register(BankQuestion)
class BankQuestionAdmin(ListAdmin[BankQuestion]):
    """Questions of the bank: all may be read and taken; category and tags are changed by the author and by staff."""

    list_display = ("ident", "category", "tags", "kind", "newest", "author")
    list_select_related = ("category", "author")
    list_filter = ("kind", "category")
    search_fields = ("ident",)
    search_words = ("text",)
    fields = ("ident", "category", "tags", "author", "kind", "text", "newest", "created_at")
    readonly_fields = ("ident", "author", "kind", "text", "newest", "created_at")
    inlines = (VersionInline,)
    actions = ("take_into_exam",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: exams' questions are kept here by their action, and the API takes others."""
        del request
        return False

    def has_change_permission(self, request: HttpRequest, obj: BankQuestion | None = None) -> bool:
        """The author, and staff by permission."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or may_change(_user(request), obj))

    def has_delete_permission(self, request: HttpRequest, obj: BankQuestion | None = None) -> bool:
        """Never: the API deletes what no exam uses."""
        del request, obj
        return False

    def has_take_permission(self, request: HttpRequest) -> bool:
        """Whether the user may add questions to exams."""
        return request.user.has_perm("exams.add_question")

    def save_model(self, request: HttpRequest, obj: BankQuestion, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 - Django's signature
        """Save category and tags alone: a version may be added meanwhile."""
        del request, form, change
        obj.tags = tidy_tags(obj.tags)
        obj.save(update_fields=["category", "tags"])

    @admin.action(description="Take into an exam", permissions=["take"])
    def take_into_exam(self, request: HttpRequest, questions: QuerySet[BankQuestion]) -> HttpResponse | None:
        """Copy the newest versions to the end of an exam, which a page asks for."""
        form = TakeForm(request, request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return _page(self, request, questions, form, action="take_into_exam", title="Take into which exam?")
        exam = form.cleaned_data["exam"]

        def take(question: BankQuestion) -> str:
            use = uses.take(version=version_of(question), exam=exam)
            return f"Exam {exam.slug} has version {use.version.number} of {question.ident}"

        _report(self, request, ((question.ident, lambda each=question: take(each)) for question in questions))
        return None


@admin.register(Version)
class VersionAdmin(ReadOnlyAdmin[Version]):
    """Versions with their content, which never changes."""

    list_display = ("question", "number", "author", "created_at", "comment")
    list_select_related = ("question", "author")
    fields = ("question", "number", "author", "comment", "created_at", "digest", "shown_content")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Version]:
        """All versions; a list reads no content."""
        rows = super().get_queryset(request)
        match = request.resolver_match
        listing = match is not None and (match.url_name or "").endswith("_changelist")
        return rows.defer("content") if listing else rows

    @admin.display(description="Content")
    def shown_content(self, version: Version) -> str:
        """The content as JSON."""
        return json.dumps(version.content, indent=2, ensure_ascii=False)


admin.site.unregister(Question)


@admin.register(Question)
class QuestionWithBankAdmin(QuestionAdmin):
    """Questions of exams, which the bank can keep."""

    actions = (*(QuestionAdmin.actions or ()), "keep_in_bank")  # type: ignore[misc]  # not generic here

    def has_keep_permission(self, request: HttpRequest) -> bool:
        """Whether the user may add questions to the bank."""
        return request.user.has_perm("bank.add_bankquestion")

    @admin.action(description="Keep in the bank", permissions=["keep"])
    def keep_in_bank(self, request: HttpRequest, questions: QuerySet[Question]) -> HttpResponse | None:
        """Keep questions as versions of their origins, or as new ones, whose category a page asks for."""
        form = KeepForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return _page(self, request, questions, form, action="keep_in_bank", title="Keep in the bank")
        given = form.cleaned_data

        def keep(question: Question) -> str:
            known = Use.objects.filter(pk=question.pk).exists()
            stored = uses.keep(
                question=question,
                by=_user(request),
                category=given["category"],
                ident=None if known else f"{given['before_ids']}{question.ident}",
                tags=given["tags"],
                comment=given["comment"],
            )
            version = stored.version
            kept = "is now" if stored.created else "is, as before,"
            warned = "".join(f"; it {warning} (a warning)" for warning in stored.warnings)
            return f"Question {question.ident} {kept} version {version.number} of {version.question.ident}{warned}"

        rows = questions.select_related("exam")
        _report(self, request, ((question.ident, lambda each=question: keep(each)) for question in rows))
        return None


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def _page(
    model_admin: admin.ModelAdmin[Any],
    request: HttpRequest,
    rows: QuerySet[Any],
    form: forms.Form,
    *,
    action: str,
    title: str,
) -> HttpResponse:
    context = model_admin.admin_site.each_context(request) | {
        "title": title,
        "action": action,
        "form": form,
        "media": model_admin.media + form.media,
        "rows": rows,
        "opts": model_admin.model._meta,  # noqa: SLF001 - the documented way to a model's options
    }
    return TemplateResponse(request, "bank/action.html", context)


def _report(model_admin: admin.ModelAdmin[Any], request: HttpRequest, calls: Iterable[tuple[str, Any]]) -> None:
    """Make each call, and show what it returns or why it was refused."""
    for ident, call in calls:
        try:
            model_admin.message_user(request, call())
        except Problem as problem:
            model_admin.message_user(request, f"Question {ident}: {problem.detail}", messages.ERROR)
