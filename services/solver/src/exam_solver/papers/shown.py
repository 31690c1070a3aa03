"""What students are shown of a paper: all of it, or the questions that were drawn for each.

Each question is encoded once for all students; the paper of one student is put together from them.
"""

import gzip
from typing import Final

from exam_core.canonical import canonical, digest_of
from exam_core.paper import Paper
from exam_core.shuffle import drawn
from exam_solver.caching.lru import Lru

_SEEDS: Final = 10_000
"""Attempts whose draws are kept."""
_LEVEL: Final = 6
"""Of compressing one student's paper: less than half of the time of the highest, for nearly the same size."""


class LoadedPaper:
    """A parsed paper, and what each attempt is shown of it, which follows from the attempt's seed."""

    def __init__(self, paper: Paper) -> None:
        _ = paper.questions, paper.digest  # parsed now, not while an answer is being saved
        self.paper = paper
        self._gzipped = gzip.compress(paper.body, mtime=0)
        self._drawn: Lru[int, tuple[int, ...]] = Lru(_SEEDS)
        before = {name: value for name, value in paper.content.items() if name < "questions"}
        after = {name: value for name, value in paper.content.items() if name > "questions"}
        self._head = canonical(before)[:-1] + b',"questions":['
        self._tail = b"]," + canonical(after)[1:]
        self._questions = [canonical(question) for question in paper.content["questions"]] if paper.draws else []

    def drawn(self, seed: int) -> tuple[int, ...] | None:
        """The questions that an attempt gets; None if every attempt gets all of them."""
        if not self.paper.draws:
            return None
        numbers = self._drawn.get(seed)
        if numbers is None:
            numbers = drawn(self.paper, seed)
            self._drawn.put(seed, numbers)
        return numbers

    def tag(self, seed: int) -> str:
        """What names the body that an attempt is shown."""
        numbers = self.drawn(seed)
        return self.paper.digest if numbers is None else f"{self.paper.digest}-{digest_of(list(numbers))[:16]}"

    def body(self, seed: int) -> bytes:
        """The canonical body that an attempt is shown; questions that were not drawn are null."""
        numbers = self.drawn(seed)
        if numbers is None:
            return self.paper.body
        shown = [b"null"] * len(self._questions)
        for number in numbers:
            shown[number] = self._questions[number]
        return b"".join((self._head, b",".join(shown), self._tail))

    def gzipped(self, seed: int) -> bytes:
        """The same compressed."""
        return gzip.compress(self.body(seed), _LEVEL, mtime=0) if self.paper.draws else self._gzipped

    def images(self, seed: int) -> frozenset[str]:
        """The digests of the images that an attempt is shown."""
        numbers = self.drawn(seed)
        if numbers is None:
            return self.paper.images
        return frozenset().union(*(self.paper.question_images[number] for number in numbers))
