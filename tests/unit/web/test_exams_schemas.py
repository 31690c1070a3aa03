"""What the API accepts as a question of each kind, and why it refuses another one."""

from typing import Any

import pytest
from pydantic import ValidationError

from exam_core.questions.choices import ChoiceRule
from exam_core.questions.model import KindName
from exam_core.questions.ordering_rules import OrderingRule
from exam_web.exams.kinds import ALL_SETTINGS, SETTINGS
from exam_web.exams.schemas import ChoiceFields, Kind, QuestionNew, QuestionSettings, Rule, SettingsKept

QUESTION: dict[str, Any] = {"id": "q", "text": "?"}


@pytest.mark.parametrize(
    ("members", "settings"),
    [
        ({"kind": "true-false", "answer": False, "other_credit": "-1/2"}, {"answer": False, "other_credit": "-1/2"}),
        ({"kind": "multiple", "rule": "sum-of-credits", "floor": "-1"}, {"rule": "sum-of-credits", "floor": "-1"}),
        ({"kind": "numeric", "unit": "m/s", "value": "1"}, {"unit": "m/s"}),
        ({"kind": "text", "case": True, "max_length": 20}, {"case": True, "max_length": 20}),
        ({"kind": "ordering", "rule": "pairs"}, {"rule": "pairs"}),
        ({"kind": "essay", "notes": " n\n", "min_words": 3}, {"notes": " n\n", "min_words": 3}),
        ({"kind": "matching"}, {}),
    ],
)
def test_the_members_of_a_kind_become_its_settings(members: dict[str, Any], settings: dict[str, Any]) -> None:
    """If I send the members of a kind, they are stored as I sent them, and no others are."""
    columns = QuestionNew.model_validate(QUESTION | members).columns()
    assert columns["settings"] == settings
    assert "format" not in columns
    assert columns.keys().isdisjoint(ALL_SETTINGS)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"kind": "single", "unit": "m"}, "a question of the kind single has no unit"),
        ({"kind": "essay", "rule": "pairs"}, "a question of the kind essay has no rule; it can have max_characters, "),
        ({"kind": "multiple", "rule": "pairs"}, "the question has a value of rule that is not one of sum-of-credits"),
        ({"kind": "ordering", "rule": "sum-of-credits"}, "the question has a value of rule that is not one of all-or"),
        ({"kind": "multiple", "floor": "some"}, "is neither a fraction like 1/3 nor a decimal like 0.25"),
        ({"kind": "multiple", "cap": "3/2"}, "must be from -1 to 1"),
        ({"kind": "text", "max_length": 1001}, "less than or equal to 1000"),
        ({"kind": "true-false", "answer": "perhaps"}, "valid boolean"),
        ({"kind": "true-false", "choices": [{"id": "a"}]}, "a question of the kind true-false has no choices"),
        ({"kind": "single", "choices": [{"id": f"c{n}"} for n in range(27)]}, "has at most 26 choices"),
        ({"kind": "single", "format": "rtf"}, "'markdown', 'html' or 'plain'"),
    ],
)
def test_a_refused_question_says_why(members: dict[str, Any], reason: str) -> None:
    """If I send what a kind does not have, or a value that it cannot have, I read which and why."""
    with pytest.raises(ValidationError) as refused:
        QuestionNew.model_validate(QUESTION | members)
    assert reason in str(refused.value)


def test_a_choice_is_correct_or_has_a_credit() -> None:
    """If I send a credit and a contradicting mark, neither is dropped silently; either of them is enough."""
    with pytest.raises(ValidationError, match="correct contradicts the credit"):
        ChoiceFields.model_validate({"text": "a", "correct": True, "credit": "-1/3"})
    assert ChoiceFields.model_validate({"text": "a", "correct": True, "credit": "1/3"}).credit == "1/3"
    assert ChoiceFields.model_validate({"text": "a", "credit": "-1/3"}).correct is False


def test_the_schema_lists_what_the_kinds_have() -> None:
    """If a kind or a rule is added to the core, the API has it as well."""
    assert set(Kind.__args__) == set(KindName) == set(SETTINGS)  # type: ignore[attr-defined]
    assert set(Rule.__args__) == {*ChoiceRule, *OrderingRule}  # type: ignore[attr-defined]
    assert set(QuestionSettings.model_fields) == set(SettingsKept.model_fields) == set(ALL_SETTINGS)
