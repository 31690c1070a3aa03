"""Forms of the admin: fields that keep what an author wrote, and rows whose positions may be swapped."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.formsets import DELETION_FIELD_NAME


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


class PositionedForm(forms.ModelForm[Any]):
    """One row on the page of its parent, of which `PositionedFormSet` checks the position."""

    def validate_constraints(self) -> None:
        """Check a changed row against the database, except that its position is free: another row may leave it."""
        if not self.has_changed():
            return
        valid = set(self.cleaned_data) - {"position"}
        fields = {field.name for field in self.instance._meta.fields}  # noqa: SLF001 - Django's documented name
        try:
            self.instance.validate_constraints(exclude=fields - valid)
        except ValidationError as error:
            self.add_error(None, error)


class PositionedFormSet(forms.BaseInlineFormSet[Any, Any, Any]):
    """The rows of a parent, saved together; the database checks their positions when all are saved."""

    def clean(self) -> None:
        """Reject positions that are taken twice, in the form or by rows that were added since the page was opened."""
        super().clean()
        rows = self.get_queryset().exclude(pk__in=[form.instance.pk for form in self.initial_forms])
        added = dict(rows.values_list("position", "ident"))
        for form in self.forms:
            position = form.cleaned_data.get("position")
            if position in added and not form.cleaned_data.get(DELETION_FIELD_NAME):
                text = f"{added[position]} has this position; it was added after you opened this page, so open it again"
                form.add_error("position", text)
