"""What students are shown of a paper: all of it, or the questions that were drawn for each.

Questions are compressed once for all students, each by itself: the paper of one student is put together from them,
which takes no longer than copying it.
"""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Final, NamedTuple

from exam_core.canonical import canonical, digest_of
from exam_core.paper import Paper
from exam_core.shuffle import drawn
from exam_solver.caching.lru import Lru

_SEEDS: Final = 10_000
"""Attempts whose draws are kept."""
_LEVEL: Final = 9
_HEADER: Final = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
"""Of a gzip stream (RFC 1952) without a name or a time."""
_LAST_BLOCK: Final = b"\x03\0"
"""Ends a deflate stream (RFC 1951) whose other blocks end at bytes."""


class LoadedPaper:
    """A parsed paper, and what each attempt is shown of it, which follows from the attempt's seed."""

    def __init__(self, paper: Paper) -> None:
        _ = paper.questions, paper.digest  # parsed now, not while an answer is being saved
        self.paper = paper
        self._gzipped = gzip.compress(paper.body, mtime=0)
        self._parts = _Parts(paper) if paper.draws else None
        self._drawn: Lru[int, tuple[int, ...]] = Lru(_SEEDS)

    def drawn(self, seed: int) -> tuple[int, ...] | None:
        """The questions that an attempt gets; None if every attempt gets all of them."""
        if self._parts is None:
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
        if self._parts is None or numbers is None:
            return self.paper.body
        return b"".join(part.plain for part in self._parts.of(numbers))

    def gzipped(self, seed: int) -> bytes:
        """The same compressed."""
        numbers = self.drawn(seed)
        if self._parts is None or numbers is None:
            return self._gzipped
        parts = list(self._parts.of(numbers))
        body = b"".join(part.plain for part in parts)
        trailer = zlib.crc32(body).to_bytes(4, "little") + len(body).to_bytes(4, "little")
        return b"".join((_HEADER, *(part.deflated for part in parts), _LAST_BLOCK, trailer))

    def images(self, seed: int) -> frozenset[str]:
        """The digests of the images that an attempt is shown."""
        numbers = self.drawn(seed)
        if numbers is None:
            return self.paper.images
        return frozenset().union(*(self.paper.question_images[number] for number in numbers))


class _Part(NamedTuple):
    """Some bytes of a body, and the whole blocks of a deflate stream that they make."""

    plain: bytes
    deflated: bytes

    @classmethod
    def of(cls, plain: bytes) -> "_Part":
        stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        return cls(plain, stream.compress(plain) + stream.flush(zlib.Z_SYNC_FLUSH))


class _Parts:
    """The parts of a paper: what surrounds the questions, and each of them."""

    def __init__(self, paper: Paper) -> None:
        before = {name: value for name, value in paper.content.items() if name < "questions"}
        after = {name: value for name, value in paper.content.items() if name > "questions"}
        self._head = _Part.of(canonical(before)[:-1] + b',"questions":[')
        self._tail = _Part.of(b"]," + canonical(after)[1:])
        self._questions = [
            _Part.of(_comma(number) + canonical(question)) for number, question in enumerate(paper.content["questions"])
        ]

    def of(self, numbers: Sequence[int]) -> Iterator[_Part]:
        """The parts of the body with these questions."""
        got = frozenset(numbers)
        yield self._head
        for is_drawn, run in groupby(range(len(self._questions)), key=got.__contains__):
            if is_drawn:
                yield from (self._questions[number] for number in run)
            else:
                first, *rest = run
                yield _nulls(first, 1 + len(rest))
        yield self._tail


@lru_cache(maxsize=1_024)
def _nulls(first: int, count: int) -> _Part:
    """The part of consecutive questions that were not drawn."""
    return _Part.of(_comma(first) + b",".join([b"null"] * count))


def _comma(number: int) -> bytes:
    return b"," if number else b""
