"""Which questions a student gets, and the order in which they and their choices are shown, from the attempt's seed.

Answers identify questions and choices by their numbers in the frozen paper, so that reading an answer needs no order.
The draw depends on the seed and the sizes of sections alone, not on what their questions contain.
"""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from exam_core.canonical import Json
from exam_core.paper import Paper, Question
from exam_core.sections import PaperSection


@dataclass(frozen=True, slots=True)
class Order:
    """The order of display: `questions[i]` is the number of the question shown i-th, and likewise for the others."""

    questions: tuple[int, ...]
    """Of those that were drawn."""
    choices: tuple[tuple[int, ...], ...]
    """The orders of choices, stems or items, by question number; of a question that was not drawn, nothing."""
    targets: tuple[tuple[int, ...], ...]
    """The orders of the targets of matching questions, by question number."""
    sections: tuple[tuple[int, ...], ...] = ()
    """The questions of each section; together they are `questions`."""

    def to_json(self) -> dict[str, Json]:
        """Return the order; without a matching question it has no `targets`, without sections no `sections`."""
        body: dict[str, Json] = {
            "questions": list(self.questions),
            "choices": [list(order) for order in self.choices],
        }
        if any(self.targets):
            body["targets"] = [list(order) for order in self.targets]
        if self.sections:
            body["sections"] = [list(order) for order in self.sections]
        return body


def seed_of(secret: bytes, sitting: UUID, student: int) -> int:
    """Return the seed (63 bits) of an attempt that starts, the same in every process with this secret.

    Sittings and students have public ids, from which only the secret's holders can compute an order.
    """
    return int.from_bytes(hmac.digest(secret, b"%s%d" % (sitting.bytes, student), "sha256")[:8]) >> 1


def drawn(paper: Paper, seed: int) -> tuple[int, ...]:
    """Return the numbers of the questions that the attempt with this seed gets, in ascending order."""
    if not paper.draws:
        return tuple(range(len(paper.questions)))
    return tuple(sorted(number for order in _sections(paper, seed) for number in order))


def order_of(paper: Paper, seed: int) -> Order:
    """Return the order in which the attempt with this seed shows a paper."""
    sections = _sections(paper, seed)
    if paper.sections:
        shown = tuple(number for order in sections for number in order)
    else:
        shown = permutation(seed, "questions", len(paper.questions))
    lists = {number: _lists(paper.questions[number], number, seed) for number in shown}
    numbers = range(len(paper.questions))
    return Order(
        questions=shown,
        choices=tuple(lists[n][0] if n in lists else () for n in numbers),
        targets=tuple(lists[n][1] if n in lists else () for n in numbers),
        sections=sections,
    )


def _sections(paper: Paper, seed: int) -> tuple[tuple[int, ...], ...]:
    """The questions that the attempt gets of each section, in the order of display."""
    return tuple(_drawn_of(section, index, seed) for index, section in enumerate(paper.sections))


def _drawn_of(section: PaperSection, index: int, seed: int) -> tuple[int, ...]:
    """The first questions of a permutation are a draw, and their order in it is random too."""
    places = permutation(seed, f"section/{index}", len(section.questions))[: section.given]
    return tuple(section.questions[place] for place in (places if section.shuffle else sorted(places)))


def _lists(question: Question, number: int, seed: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The orders of a question's choices, stems or items, and of its targets."""
    size, targets = (*question.half.shuffled, 0, 0)[:2]
    if not question.shuffle:
        return tuple(range(size)), tuple(range(targets))
    return permutation(seed, f"choices/{number}", size), permutation(seed, f"targets/{number}", targets)


def permutation(seed: int, label: str, size: int) -> tuple[int, ...]:
    """Return a permutation of 0 … size-1 (Fisher-Yates over a SHA-256 stream), the same in every release."""
    order = list(range(size))
    stream = _stream(seed, label)
    for last in range(size - 1, 0, -1):
        other = next(stream) % (last + 1)
        order[last], order[other] = order[other], order[last]
    return tuple(order)


def inverse(order: Sequence[int]) -> tuple[int, ...]:
    """Return the place of each number."""
    places = [0] * len(order)
    for place, number in enumerate(order):
        places[number] = place
    return tuple(places)


def _stream(seed: int, label: str) -> Iterator[int]:
    counter = 0
    while True:
        block = hashlib.sha256(b"exam-shuffle\0%d\0%s\0%d" % (seed, label.encode(), counter)).digest()
        # 64 bits against at most some hundreds: the modulo's bias is below 2**-55.
        yield from (int.from_bytes(block[i : i + 8]) for i in range(0, 32, 8))
        counter += 1
