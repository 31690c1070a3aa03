"""Numbers that a Doctor types in the admin or sends to the API are read as students' answers are."""

from decimal import Decimal

import pytest
from django import forms
from pydantic import ValidationError

from exam_web.exams.forms import NumberField
from exam_web.exams.schemas import QuestionNew

NUMERIC = {"id": "q", "kind": "numeric", "text": "?"}
TYPED = [("3,14", "3.14"), ("\u22120,125", "-0.125"), ("٣\u066b٢٤", "3.24"), ("1e3", "1000"), (" 5 ", "5")]
REFUSED = [("1,234", "write '1234' or '1.234'"), ("1_0", "is not a number"), ("NaN", "is not a number")]


class NumberForm(forms.Form):
    """A form with one number, as the admin has it."""

    number = NumberField(max_digits=34, decimal_places=12, required=False)


@pytest.mark.parametrize(("typed", "number"), TYPED)
def test_the_admin_and_the_api_read_numbers_as_students_type_them(typed: str, number: str) -> None:
    """A key that I type is the number that the same text would be as an answer."""
    form = NumberForm({"number": typed}, initial={"number": Decimal(number).quantize(Decimal("1e-12"))})
    assert form.is_valid(), form.errors
    assert form.cleaned_data["number"] == Decimal(number)
    assert not form.has_changed()
    assert QuestionNew.model_validate(NUMERIC | {"value": typed}).value == Decimal(number)


@pytest.mark.parametrize(("typed", "reason"), REFUSED)
def test_a_refused_number_says_what_to_write(typed: str, reason: str) -> None:
    """1,234 is refused with both ways to write it, at both doors."""
    form = NumberForm({"number": typed})
    assert any(reason in error for error in form.errors["number"])
    assert f'value="{typed}"' in str(form["number"])
    with pytest.raises(ValidationError, match=reason):
        QuestionNew.model_validate(NUMERIC | {"value": typed})


def test_a_stored_number_is_shown_without_trailing_zeros() -> None:
    """The admin shows 3.14, not 3.140000000000, and 0, not 0E-12."""
    for stored, shown in (("3.140000000000", "3.14"), ("0E-12", "0"), ("1E+3", "1000")):
        assert f'value="{shown}"' in str(NumberForm(initial={"number": Decimal(stored)})["number"])


def test_an_empty_number_is_none() -> None:
    """A question of another kind has no value."""
    form = NumberForm({"number": " "})
    assert form.is_valid()
    assert form.cleaned_data["number"] is None
