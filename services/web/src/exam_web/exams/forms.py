"""Forms of the admin: fields that keep what an author wrote, and rows whose positions may be swapped."""

from decimal import Decimal
from typing import Any

from django import forms
from django.forms.formsets import DELETION_FIELD_NAME

from exam_core.numbers import NotANumberError, decimal_text, parse_decimal
from exam_core.problems import Problem
from exam_papers.images.acceptance import MAX_UPLOAD
from exam_web.exams.images import image_store


class ExactTextField(forms.CharField):
    """A text field that changes nothing in an untouched text.

    A browser posts line ends as CRLF, and Django strips blanks at the ends by default. Either would make a text differ
    from the paper that was frozen from it.
    """

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        super().__init__(**(kwargs | {"strip": False}))

    def to_python(self, value: Any) -> str:  # noqa: ANN401 - Django's signature
        """Return the text with LF line ends; one of blanks alone is empty."""
        text = (super().to_python(value) or "").replace("\r\n", "\n")
        return text if text.strip() else ""


class NumberField(forms.DecimalField):
    """A number that is read by the rules for students' answers, and shown without trailing zeros.

    The field is a text: a browser's number field reads a decimal comma by the browser's language, or posts nothing.
    """

    widget = forms.TextInput

    # django-stubs derives Django's DecimalField from its IntegerField.
    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]  # noqa: ANN401 - Django's signature
        """Read the number; the reason names both ways to write an ambiguous one."""
        if not isinstance(value, str):
            return super().to_python(value)
        try:
            return parse_decimal(value) if value.strip() else None
        except NotANumberError as error:
            raise forms.ValidationError(str(error), code="invalid") from error

    def prepare_value(self, value: Any) -> Any:  # noqa: ANN401 - Django's signature
        """Return the number's one spelling; what was posted is shown as it was typed."""
        return decimal_text(value) if isinstance(value, Decimal) else value


class PositionedFormSet(forms.BaseInlineFormSet[Any, Any, Any]):
    """The rows of a parent, saved together: positions may be exchanged, because the database checks them at the end.

    Django finds what is given twice in the form itself, but compares an inline row with no other row in the database.
    """

    def clean(self) -> None:
        """Reject ids of other rows, and positions of rows that were added since the page was opened."""
        super().clean()
        shown = {form.instance.pk for form in self.initial_forms}
        rows = list(self.get_queryset().all())
        added = {row.position: row.ident for row in rows if row.pk not in shown}
        holders = {row.ident: row.pk for row in rows}
        for form in self.forms:
            if not form.has_changed() or form.cleaned_data.get(DELETION_FIELD_NAME):
                continue
            position, ident = form.cleaned_data.get("position"), form.cleaned_data.get("ident")
            if position in added:
                text = f"{added[position]} has this position; it was added after you opened this page, so open it again"
                form.add_error("position", text)
            # Rows that exist are saved before new ones, which may thus get the id of one that is renamed or deleted.
            taken = holders.get(ident, form.instance.pk) != form.instance.pk
            if taken and (form.instance.pk is not None or holders[ident] not in shown):
                form.add_error("ident", f"{ident} is the id of another row; to exchange ids, save another one first")


class ImageForm(forms.ModelForm[Any]):
    """A form with an image upload, which is checked by its content and stored under its digest."""

    upload = forms.FileField(required=False, help_text="PNG, JPEG or WebP; replaces the image. Metadata is removed")

    def clean(self) -> dict[str, Any] | None:
        """Store an uploaded image and select it."""
        cleaned = super().clean()
        upload = self.cleaned_data.get("upload")
        if upload is not None:
            try:
                self.instance.image = image_store(data=upload.read(MAX_UPLOAD + 1))
            except Problem as problem:
                self.add_error("upload", problem.detail)
            else:
                self.cleaned_data["image"] = self.instance.image
        return cleaned
