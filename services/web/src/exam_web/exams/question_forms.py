"""The admin's forms of questions and their parts, with a field for each member that some kind has."""

from functools import cached_property
from typing import Any, ClassVar, Final, cast

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget

from exam_core import limits
from exam_core.credits import parse_credit
from exam_core.questions.choices import ChoiceRule
from exam_core.questions.model import KindName
from exam_core.questions.ordering_rules import OrderingRule
from exam_web.exams.forms import ExactTextField, ImageForm, PositionedFormSet
from exam_web.exams.interactions import read_question
from exam_web.exams.kinds import ALL_SETTINGS, KINDS_OF_SETTINGS, SETTINGS, foreign_setting, stored_value
from exam_web.exams.models import MAX_CREDIT, Question, validate_credit

_RULES: Final = tuple(dict.fromkeys([*(each.value for each in ChoiceRule), *(each.value for each in OrderingRule)]))
_ANSWERS: Final = {True: "true", False: "false"}


def _hint(name: str, text: str) -> str:
    return f"{', '.join(KINDS_OF_SETTINGS[name])}: {text}"


class CreditField(forms.CharField):
    """A part of a question's points."""

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(
            required=False, max_length=MAX_CREDIT, validators=[validate_credit], help_text=_hint(name, hint)
        )


class CountField(forms.IntegerField):
    """A whole number from 1."""

    def __init__(self, name: str, hint: str, most: int) -> None:
        super().__init__(required=False, min_value=1, max_value=most, help_text=_hint(name, hint))


class LinesField(ExactTextField):
    """A text of several lines."""

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(
            required=False, max_length=limits.MAX_TEXT, widget=AdminTextareaWidget(), help_text=_hint(name, hint)
        )


class QuestionForm(ImageForm):
    """A question's form; the fields of its kind are stored in its settings, and those of other kinds must be empty."""

    rule = forms.ChoiceField(
        required=False,
        choices=[("", "—"), *((rule, rule) for rule in _RULES)],
        help_text=_hint(
            "rule",
            "how a question is scored. Multiple choice: sum-of-credits or all-or-nothing, else by the policy of the"
            " sitting. Ordering: any other than sum-of-credits, else all-or-nothing",
        ),
    )
    floor = CreditField("floor", "the least part of the points, from -1 to 0; 0 if empty. Needs sum-of-credits")
    cap = CreditField("cap", "the greatest part of the points, up to 1; 1 if empty. Needs sum-of-credits")
    answer = forms.TypedChoiceField(
        required=False,
        choices=[("", "—"), ("true", "true"), ("false", "false")],
        coerce=lambda text: text == "true",
        empty_value=None,
        help_text=_hint("answer", "whether the statement is true"),
    )
    other_credit = CreditField("other_credit", "the part of the points for the wrong answer, like -1/2; 0 if empty")
    unit = ExactTextField(
        required=False, max_length=limits.MAX_UNIT, help_text=_hint("unit", "shown beside the answer, as it is written")
    )
    case = forms.BooleanField(required=False, help_text=_hint("case", "small and capital letters differ"))
    wildcards = forms.BooleanField(
        required=False, help_text=_hint("wildcards", r"* in an accepted text is any run of characters, \* a star")
    )
    max_length = CountField(
        "max_length",
        f"the longest answer in characters, which students see; {limits.DEFAULT_SHORT_TEXT} if empty",
        limits.MAX_SHORT_TEXT,
    )
    max_characters = CountField(
        "max_characters", f"the longest answer in characters; {limits.MAX_ESSAY} if empty", limits.MAX_ESSAY
    )
    min_words = CountField("min_words", "shown to the student and the marker", limits.MAX_ESSAY)
    max_words = CountField("max_words", "shown to the student and the marker", limits.MAX_ESSAY)
    template = LinesField("template", "the text that an answer begins with")
    notes = LinesField("notes", "for the marker; students never see them")

    class Meta:
        """The hints of columns that some kinds have."""

        help_texts: ClassVar = {
            "max_choices": "multiple: how many choices may be selected; all if empty",
            "value": "numeric: the first accepted number; more of them, and ranges, are parts",
            "tolerance": "numeric: how far an answer may be from the value",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        instance: Question | None = kwargs.get("instance")
        stored = instance.settings if instance is not None and isinstance(instance.settings, dict) else {}
        initial = {name: value for name, value in stored.items() if name in ALL_SETTINGS}
        if isinstance(answer := initial.get("answer"), bool):
            initial["answer"] = _ANSWERS[answer]
        kwargs["initial"] = initial | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        # A new question gets its section on its exam's page, or once it is saved.
        if instance is not None and "section" in self.fields:
            cast("Any", self.fields["section"]).queryset = instance.exam.sections.all()

    def clean(self) -> dict[str, Any] | None:
        """Put the settings of the kind together, and check them beside their fields."""
        cleaned = super().clean()
        if "kind" in self.cleaned_data:
            self._clean_settings(KindName(self.cleaned_data["kind"]))
        return cleaned

    def _clean_settings(self, kind: KindName) -> None:
        entered = {name: self.cleaned_data.get(name) for name in ALL_SETTINGS}
        # A box that is not ticked is no entry; a false statement is one.
        given = {
            name: stored_value(value)
            for name, value in entered.items()
            if value not in (None, "") and (value is not False or name == "answer")
        }
        for name in given.keys() - SETTINGS[kind].keys():
            self.add_error(name, foreign_setting(kind, name))
        own = {name: value for name, value in given.items() if name in SETTINGS[kind]}
        self.instance.settings = own
        read = read_question(Question(ident="question", kind=kind.value, text="…", settings=own), ())
        for fault in read.faults:
            # Those of the lists depend on the parts; the page lists them once it is saved.
            if fault.member in SETTINGS[kind] and not self.has_error(fault.member):
                self.add_error(fault.member, f"the question {fault.reason}")


class PartForm(ImageForm):
    """The form of a choice or another part: its texts may have several lines."""

    text = ExactTextField(
        required=False,
        max_length=limits.MAX_CHOICE_TEXT,
        widget=AdminTextareaWidget(attrs={"rows": 1}),
        help_text="A choice, a stem or an item; an accepted text; or an accepted number: 3, 3±0.5, 50±10%, 7*/2 (3.5 to"
        " 14), 1..5, (1..5] without the 1, 1.., ..5, or * for any",
    )
    target = ExactTextField(
        required=False,
        max_length=limits.MAX_CHOICE_TEXT,
        widget=AdminTextareaWidget(attrs={"rows": 1}),
        help_text="Matching: the target of the stem; with neither text nor image, a target without a stem",
    )

    def clean(self) -> dict[str, Any] | None:
        """Reject a tick that the credit contradicts; otherwise it follows from the credit."""
        cleaned = super().clean()
        credit, correct = self.cleaned_data.get("credit"), self.cleaned_data.get("correct")
        if credit and "correct" in self.changed_data and correct is not (parse_credit(credit) > 0):
            self.add_error("correct", "contradicts the credit: clear the credit, or leave this as it was")
        return cleaned


class QuestionFormSet(PositionedFormSet):
    """The questions of an exam; new ones have its format, and each may be in one of its sections."""

    def add_fields(self, form: Any, index: int | None) -> None:  # noqa: ANN401 - Django's signature
        """Offer the exam's sections."""
        super().add_fields(form, index)
        field = form.fields.get("section")
        # Without it to those who may only view; a new exam has no sections yet.
        if field is not None:
            field.queryset = self.instance.sections.all() if self.instance.pk else field.queryset.none()
            field.choices = [("", field.empty_label), *self._sections]

    @cached_property
    def _sections(self) -> list[tuple[int, str]]:
        """The exam's sections as choices, read once for all rows."""
        return [(row.pk, str(row)) for row in self.instance.sections.all()] if self.instance.pk else []

    def save_new(self, form: Any, commit: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002 - Django's signature
        """Give a new question the exam's format."""
        form.instance.format = self.instance.format
        return super().save_new(form, commit=commit)
