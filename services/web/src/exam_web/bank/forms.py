"""Forms of the admin's pages for categories, and for the exchange with exams."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.contrib.postgres.forms import SimpleArrayField
from django.http import HttpRequest

from exam_core import limits
from exam_core.problems import Problem
from exam_web.bank.models import MAX_COMMENT, MAX_TAG, MAX_TAGS, Category
from exam_web.bank.services.categories import category_path
from exam_web.exams.models import Exam, Question
from exam_web.users.selectors import own_rows


class CategoryForm(forms.ModelForm[Category]):
    """A category, whose path must be free."""

    def clean(self) -> dict[str, Any] | None:
        """Check the path that slug and parent give, under a lock that lasts until the form is saved."""
        cleaned = super().clean()
        values = self.cleaned_data
        if "slug" in values and "parent" in values:
            paths = dict(Category.objects.select_for_update().values_list("pk", "path"))
            place = Category(pk=self.instance.pk, slug=values["slug"], parent=values["parent"])
            try:
                category_path(place, paths)
            except Problem as problem:
                self.add_error(None, problem.detail)
        return cleaned


class TakeForm(forms.Form):
    """The exam that takes questions of the bank."""

    def __init__(self, request: HttpRequest, data: Any = None) -> None:  # noqa: ANN401 - Django's signature
        super().__init__(data)
        widget = AutocompleteSelect(Question._meta.get_field("exam"), admin.site)  # noqa: SLF001 - documented
        exams = own_rows(Exam.objects.all(), request.user, "author_id")
        self.fields["exam"] = forms.ModelChoiceField(queryset=exams, widget=widget)


class KeepForm(forms.Form):
    """Where new questions of the bank belong; those that came from there become versions of their origin."""

    category: forms.ModelChoiceField[Category] = forms.ModelChoiceField(
        queryset=Category.objects.all(), required=False, help_text="Of questions that are new in the bank"
    )
    before_ids = forms.CharField(
        required=False,
        max_length=limits.MAX_IDENT,
        label="Before ids",
        help_text="Put before the ids of new questions, which are unique in the bank, for example algebra-",
    )
    tags = SimpleArrayField(
        forms.CharField(max_length=MAX_TAG), max_length=MAX_TAGS, required=False, help_text="Separated by commas"
    )
    comment = forms.CharField(required=False, max_length=MAX_COMMENT)
