"""Questions that are answered by matching: each stem is given one of the targets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

from exam_core import limits
from exam_core.answer_value import AnswerValue
from exam_core.canonical import Json, JsonObject
from exam_core.credits import NO_CREDIT
from exam_core.images import ImageRef
from exam_core.messages import shown
from exam_core.problems import Problem, ProblemKind
from exam_core.questions.items import appearance_faults, contents, count_fault, in_order, numbered
from exam_core.questions.model import Content, Fault, KindName, Numbering, Permute, Render, permuted
from exam_core.questions.wire import answer_member, invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Stem:
    """A stem with the text of its target; several stems may have the same one."""

    id: str
    text: str
    target: str
    image: ImageRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Stems and the texts of targets without a stem; equal texts are one target."""

    stems: tuple[Stem, ...]
    distractors: tuple[str, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """The different targets, in an order that does not depend on their stems."""
        texts = (*(stem.target for stem in self.stems), *self.distractors)
        return tuple(sorted({text.strip() for text in texts}))

    def faults(self) -> Iterator[Fault]:
        """Yield every reason why the question cannot be frozen."""
        yield from count_fault(len(self.stems), limits.MIN_STEMS, limits.MAX_STEMS, "stem", "stems")
        yield from count_fault(len(self.targets), limits.MIN_CHOICES, limits.MAX_TARGETS, "different target", "stems")
        yield from appearance_faults(self.stems, "stem", "stems")
        for index, stem in enumerate(self.stems):
            if not stem.target.strip():
                yield Fault(f"has stem {stem.id} without a target", "stems", index)
        for index, text in enumerate(self.distractors):
            if not text.strip():
                yield Fault(f"has target {index + 1} without a text", "distractors", index)

    def warnings(self) -> Iterator[Fault]:
        """Yield targets without a stem that are the target of one."""
        targets = {stem.target.strip() for stem in self.stems}
        for index, text in enumerate(self.distractors):
            if text.strip() in targets:
                yield Fault(f"has target {index + 1} without a stem, which is the target of one", "distractors", index)

    @property
    def kind(self) -> KindName:
        """The question's kind."""
        return KindName.MATCHING

    @property
    def items(self) -> tuple[Stem, ...]:
        """The stems."""
        return self.stems

    def numbering(self, permute: Permute) -> Numbering:
        """Number the stems and the targets."""
        return Numbering(ids=numbered(self.stems, permute), targets=permuted(self.targets, permute))

    def student_half(self, numbering: Numbering, render: Render) -> "MatchingHalf":
        """Return stems and targets by number."""
        return MatchingHalf(stems=contents(self.stems, numbering.ids, render), targets=numbering.targets)

    def key_half(self, numbering: Numbering) -> "MatchingKey":
        """Return the number of each stem's target.

        Raises:
            ValueError: a stem's target is not among those of the numbering.
        """
        stems = in_order(self.stems, numbering.ids)
        return MatchingKey(targets=tuple(numbering.targets.index(stem.target.strip()) for stem in stems))


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchingHalf:
    """Stems and targets by their numbers."""

    stems: tuple[Content, ...]
    targets: tuple[str, ...]

    @property
    def kind(self) -> KindName:
        """The question's kind."""
        return KindName.MATCHING

    @property
    def contents(self) -> tuple[Content, ...]:
        """The stems."""
        return self.stems

    @property
    def shuffled(self) -> tuple[int, ...]:
        """Stems and targets are shuffled."""
        return (len(self.stems), len(self.targets))

    def to_json(self) -> dict[str, Json]:
        """Return the members of the question in a paper."""
        return {
            "kind": self.kind.value,
            "stems": [stem.to_json() for stem in self.stems],
            "targets": list(self.targets),
        }

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(stems=tuple(Content.from_json(stem) for stem in body["stems"]), targets=tuple(body["targets"]))

    def parse(self, question: int, body: Mapping[str, Any]) -> AnswerValue:
        """Parse ``{"pairs": {"0": 3}}``: the target's number by the stem's; an open stem is left out or null.

        The stored form is ``0:3 2:1``, stems ascending; without any pair the answer is blank.
        """
        pairs = answer_member(question, self.kind, "pairs", body)
        if not isinstance(pairs, Mapping):
            raise invalid(question, "pairs must be an object with the number of a target for each stem")
        names = {str(number): number for number in range(len(self.stems))}
        chosen: dict[int, int] = {}
        for name, target in pairs.items():
            stem = self._stem(question, name, names)
            if target is not None:
                chosen[stem] = self._target(question, target)
        return AnswerValue(value=" ".join(f"{stem}:{chosen[stem]}" for stem in sorted(chosen)))

    def _stem(self, question: int, name: object, names: Mapping[str, int]) -> int:
        if not isinstance(name, str) or name not in names:
            raise Problem(
                ProblemKind.UNKNOWN_CHOICE,
                f'question {question} has stems "0" to "{len(self.stems) - 1}", not {shown(name)}',
                question=question,
            )
        return names[name]

    def _target(self, question: int, number: object) -> int:
        if not isinstance(number, int) or isinstance(number, bool):
            raise invalid(question, f"a target must be a number, not {shown(number)}")
        if not 0 <= number < len(self.targets):
            raise Problem(
                ProblemKind.UNKNOWN_CHOICE,
                f"question {question} has targets 0 to {len(self.targets) - 1}, not {shown(number)}",
                question=question,
            )
        return number

    def shown(self, answer: AnswerValue) -> dict[str, Json]:
        """Return the members that a client sends for this answer."""
        return {"pairs": {str(stem): target for stem, target in pairs_of(answer).items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchingKey:
    """The number of each stem's target."""

    targets: tuple[int, ...]

    def to_json(self) -> dict[str, Json]:
        """Return the question's entry in a key."""
        return {"kind": KindName.MATCHING.value, "targets": list(self.targets)}

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(targets=tuple(body["targets"]))

    def share(self, answer: AnswerValue) -> Fraction | None:
        """Return the correct stems of all stems; an open one is not correct."""
        if not answer.value:
            return NO_CREDIT
        pairs = pairs_of(answer)
        return Fraction(sum(pairs.get(n) == target for n, target in enumerate(self.targets)), len(self.targets))


def pairs_of(answer: AnswerValue) -> dict[int, int]:
    """Return the number of the target by the number of the stem, of a stored answer."""
    pairs = (pair.split(":") for pair in (answer.value or "").split())
    return {int(stem): int(target) for stem, target in pairs}
