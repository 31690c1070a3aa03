"""The scoring policy as the `Exam` resource has it."""

from typing import Final

from exam_core.canonical import JsonObject
from exam_core.scoring import MultipleRule, Policy

_RULES: Final = {"AllOrNothing": MultipleRule.ALL_OR_NOTHING, "Proportional": MultipleRule.PROPORTIONAL}
_NAMES: Final = {rule: name for name, rule in _RULES.items()}


def policy_of(body: JsonObject) -> Policy:
    """The policy of ``spec.scoring``, whose defaults the API server has filled in.

    Raises:
        KeyError: a rule that this release does not know.
    """
    return Policy(multiple=_RULES[body["multiple"]], negative_total=body["negativeTotal"])


def multiple_name(policy: Policy) -> str:
    """The name of its rule of multiple-choice questions."""
    return _NAMES[policy.multiple]
