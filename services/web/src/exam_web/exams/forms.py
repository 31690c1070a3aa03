"""Form fields of the admin that keep what an author wrote."""

from typing import Any

from django import forms


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
