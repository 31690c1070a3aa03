"""What students may see of an exam once it is over: its review policy."""

from enum import StrEnum
from typing import Final

from exam_core.canonical import Json
from exam_core.paper import Key, Paper
from exam_core.questions.model import KindName
from exam_core.scoring import Policy, under

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


def right_answers(paper: Paper, key: Key, policy: Policy) -> list[dict[str, Json]]:
    """Return what scored each question, by the numbers that the paper gives to what it shows."""
    shown = []
    for entry in key.entries(paper):
        body = under(entry.half, policy).to_json()
        members = _MEMBERS[KindName(str(body["kind"]))]
        shown.append({"kind": body["kind"]} | {name: body[name] for name in members})
    return shown
