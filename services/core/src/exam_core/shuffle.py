"""The order in which a student sees questions and choices: a permutation computed from the attempt's seed.

Answers identify questions and choices by their numbers in the frozen paper, so that reading an answer needs no order.
"""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from exam_core.canonical import Json
from exam_core.paper import Paper


@dataclass(frozen=True, slots=True)
class Order:
    """The order of display: `questions[i]` is the number of the question shown i-th, and likewise for the others."""

    questions: tuple[int, ...]
    choices: tuple[tuple[int, ...], ...]
    """The orders of choices, stems or items, by question number."""
    targets: tuple[tuple[int, ...], ...]
    """The orders of the targets of matching questions, by question number."""

    def to_json(self) -> dict[str, Json]:
        """Return the order; without a matching question it has no `targets`."""
        body: dict[str, Json] = {
            "questions": list(self.questions),
            "choices": [list(order) for order in self.choices],
        }
        return body | {"targets": [list(order) for order in self.targets]} if any(self.targets) else body


def seed_of(secret: bytes, sitting: UUID, student: int) -> int:
    """Return the seed (63 bits) of an attempt that starts, the same in every process with this secret.

    Sittings and students have public ids, from which only the secret's holders can compute an order.
    """
    return int.from_bytes(hmac.digest(secret, b"%s%d" % (sitting.bytes, student), "sha256")[:8]) >> 1


def order_of(paper: Paper, seed: int) -> Order:
    """Return the order in which the attempt with this seed shows a paper."""
    sizes = [(*question.half.shuffled, 0, 0)[:2] for question in paper.questions]
    return Order(
        questions=permutation(seed, "questions", len(sizes)),
        choices=tuple(permutation(seed, f"choices/{n}", size) for n, (size, _) in enumerate(sizes)),
        targets=tuple(permutation(seed, f"targets/{n}", size) for n, (_, size) in enumerate(sizes)),
    )


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
