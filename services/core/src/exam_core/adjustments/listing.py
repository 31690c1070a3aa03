"""The list of adjustments that a policy carries."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from exam_core.adjustments.members import MemberError, Members
from exam_core.adjustments.model import Adjustment, LeaveOut, QuestionAdjustment, SetPolicy, read_adjustment
from exam_core.canonical import Json, digest_of

MAX_ADJUSTMENTS: Final = 1000


class AdjustmentsError(ValueError):
    """A list of adjustments that cannot be read, or that a paper and its key do not allow; `reasons` has all faults."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


@dataclass(frozen=True)
class Adjustments:
    """The adjustments of a revision, in the order in which they were written, which changes no score.

    The digest of a policy is published with the degrees, and an accepted answer could be guessed from it. `salt` is any
    secret text that prevents this, such as one derived from the sitting's secret.
    """

    entries: tuple[Adjustment, ...] = ()
    salt: str = ""

    def __bool__(self) -> bool:
        return bool(self.entries)

    def __hash__(self) -> int:
        # Computed once: a policy is a key of the cache of scorers.
        return hash(self.digest)

    def to_json(self) -> dict[str, Json]:
        """Return the form that is stored and hashed."""
        body: dict[str, Json] = {"entries": [entry.to_json() for entry in self.entries]}
        return body | {"salt": self.salt} if self.salt else body

    @classmethod
    def from_json(cls, body: object) -> Self:
        """The inverse of `to_json`.

        Raises:
            AdjustmentsError: with every entry that cannot be read.
        """
        try:
            members = Members(body)
            listed = members.take("entries")
            salt = members.text("salt") if "salt" in members else ""
            members.end()
        except MemberError as error:
            raise AdjustmentsError([f"the list of adjustments {error}"]) from error
        if not isinstance(listed, list | tuple) or len(listed) > MAX_ADJUSTMENTS:
            raise AdjustmentsError([f"adjustments must be a list of at most {MAX_ADJUSTMENTS}"])
        entries: list[Adjustment] = []
        reasons: list[str] = []
        for number, entry in enumerate(listed, start=1):
            try:
                entries.append(read_adjustment(entry))
            except MemberError as error:
                reasons.append(f"adjustment {number} {error}")
        if reasons:
            raise AdjustmentsError(reasons)
        return cls(entries=tuple(entries), salt=salt)

    @cached_property
    def digest(self) -> str:
        """The digest of the stored form."""
        return digest_of(self.to_json())

    @property
    def left_out(self) -> frozenset[int]:
        """The numbers of the questions that are left out."""
        return frozenset(entry.question for entry in self.entries if isinstance(entry, LeaveOut))

    @property
    def policy(self) -> SetPolicy | None:
        """The other rules for the whole exam, if there are any."""
        return next((entry for entry in self.entries if isinstance(entry, SetPolicy)), None)

    def of_question(self, question: int) -> Iterator[QuestionAdjustment]:
        """Yield the adjustments of a question."""
        for entry in self.entries:
            if not isinstance(entry, SetPolicy) and entry.question == question:
                yield entry


NO_ADJUSTMENTS: Final = Adjustments()
