"""What students may see of an exam once it is over: its review policy."""

from collections.abc import Collection
from enum import StrEnum
from typing import Final

from exam_core.adjustments.apply import adjusted_key, under
from exam_core.canonical import Json, JsonObject
from exam_core.paper import Key, Paper
from exam_core.questions.model import KindName
from exam_core.scoring import Policy

_CHOICES: Final = ("credits", "rule", "floor", "cap")
_MEMBERS: Final = {
    KindName.SINGLE: _CHOICES,
    KindName.TRUE_FALSE: _CHOICES,
    KindName.MULTIPLE: _CHOICES,
    KindName.NUMERIC: ("accepted",),
    KindName.TEXT: ("accepted", "case", "wildcards"),
    KindName.MATCHING: ("targets",),
    KindName.ORDERING: ("order", "rule"),
    KindName.ESSAY: (),
}
"""The members of each kind's key that students may see: not the notes for a marker, nor the author's names."""


class Review(StrEnum):
    """A review policy; each one shows what those before it show, and more."""

    NOTHING = "nothing"
    DEGREE = "degree"
    """The total, once it is published."""
    POINTS = "points"
    """The points of each question."""
    PAPER = "paper"
    """The paper and the own answers."""
    KEY = "key"
    """The right answers."""

    def shows(self, part: "Review") -> bool:
        """Return whether a part may be seen, which is named by the first policy that shows it."""
        order = list(Review)
        return order.index(self) >= order.index(part)


def paper_of(paper: Paper, drawn: Collection[int] | None) -> JsonObject:
    """Return the paper with null for each question that was not drawn for a student, as solvers show it."""
    if drawn is None:
        return paper.content
    questions = [question if n in drawn else None for n, question in enumerate(paper.content["questions"])]
    return {**paper.content, "questions": questions}


def right_answers(
    paper: Paper, key: Key, policy: Policy, drawn: Collection[int] | None = None
) -> list[dict[str, Json] | None]:
    """Return what scored each question, by the numbers that the paper gives to what it shows.

    It has the credits that adjustments of the policy set, and lists the adjustments of each question with their
    reasons. A question that was not drawn for the student is null.
    """
    shown: list[dict[str, Json] | None] = []
    for number, entry in enumerate(key.entries(paper)):
        if drawn is not None and number not in drawn:
            shown.append(None)
            continue
        adjustments = list(policy.adjustments.of_question(number))
        body = under(adjusted_key(entry.half, adjustments), policy.effective.multiple).to_json()
        members = _MEMBERS[KindName(str(body["kind"]))]
        scored: dict[str, Json] = {"kind": body["kind"]} | {name: body[name] for name in members}
        if adjustments:
            scored["adjustments"] = [each.to_json() for each in adjustments]
        shown.append(scored)
    return shown
