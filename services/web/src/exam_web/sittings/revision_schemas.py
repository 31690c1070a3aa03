"""Bodies of requests and responses about the grading revisions of a sitting."""

from datetime import datetime
from typing import Any

from ninja import Field, Schema

from exam_core.adjustments.listing import MAX_ADJUSTMENTS
from exam_core.adjustments.model import Change
from exam_web.sittings.models import MAX_NOTE, Revision
from exam_web.sittings.schemas import MultipleName, RequestBody

EXAMPLES = [
    {"change": "accept-number", "question": 5, "answer": "62", "credit": "1/2", "reason": "It could be read as 62."},
    {"change": "leave-out", "question": 1, "reason": "Not part of the course this year."},
    {"change": "policy", "multiple": "proportional", "reason": "As announced in the lecture."},
]
"""Adjustments as they are written."""
_NUMBERS = "The numbers of questions, choices, stems, targets and items are those of the frozen paper, from 0."
_DESCRIPTION = (
    "What the revision changes of paper, key and policy, all of it: adjustments of the revision before are not taken"
    f" over. Each has a `change` ({', '.join(Change)}), a `reason`, the number of a `question` except for `policy`, and"
    f" the members of its change (docs/scoring.md, «Adjustments of a revision»). {_NUMBERS}"
)


class RevisionNew(RequestBody):
    """A regrade by the exam's present key, with adjustments."""

    note: str = Field(min_length=1, max_length=MAX_NOTE, description="What changed and why; students do not see it")
    adjustments: list[dict[str, Any]] = Field(
        default_factory=list, max_length=MAX_ADJUSTMENTS, description=_DESCRIPTION, examples=[EXAMPLES]
    )


class RevisionShown(Schema):
    """A grading revision: what it changed and why, and how far it is."""

    sitting: str
    number: int
    state: str = Field(description="grading, or graded")
    published: bool = Field(description="Whether it is the revision that students see")
    note: str = Field(description="What changed and why; empty unless it was given")
    multiple: MultipleName = Field(description="The rule before the adjustments, as `negative_total`")
    negative_total: bool
    adjustments: list[dict[str, Any]] = Field(description=f"Each with its reason, as it is stored. {_NUMBERS}")
    chunks: int
    graded: int = Field(description="How many chunks are graded")
    started_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, revision: Revision) -> "RevisionShown":
        """The revision without the salt of its adjustments, which hides them in the published digest."""
        sitting, policy = revision.sitting, revision.scoring
        return cls(
            sitting=sitting.name,
            number=revision.number,
            state=revision.state,
            published=sitting.published_revision == revision.number,
            note=revision.note,
            multiple=policy.multiple.value,
            negative_total=policy.negative_total,
            adjustments=[entry.to_json() for entry in policy.adjustments.entries],
            chunks=revision.chunks,
            graded=revision.ledger.count(),
            started_at=revision.started_at,
            finished_at=revision.finished_at,
        )
