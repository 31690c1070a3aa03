"""Papers and their images: from this process's memory, else Redis, else the answer log.

Redis is a shortcut: without it a paper takes a little longer, and nothing else changes. Both are checked against the
digest, which is the paper's name, so that nothing but the paper that was frozen is ever shown.
"""

import gzip
from dataclasses import dataclass

import structlog

from exam_answerlog.log import AnswerLog, PaperPart
from exam_core.canonical import digest as digest_of_bytes
from exam_core.paper import Paper
from exam_core.problems import Problem, ProblemKind
from exam_solver.caching.lru import Lru
from exam_solver.caching.single_flight import SingleFlight
from exam_solver.papers.cache import PaperCache

logger = structlog.get_logger(__name__)

PAPERS_KEPT = 64
PAPER_PART = "paper"


@dataclass(frozen=True, slots=True)
class ShelvedPaper:
    """A paper and its body compressed once for everybody."""

    paper: Paper
    gzipped: bytes


class PaperShelf:
    """Papers and images by digest, each fetched once however many ask at once."""

    def __init__(self, *, cache: PaperCache, log: AnswerLog, image_bytes: int) -> None:
        self._cache = cache
        self._log = log
        self._papers: Lru[str, ShelvedPaper] = Lru(PAPERS_KEPT)
        self._images: Lru[tuple[str, str], PaperPart] = Lru(image_bytes, weigh=lambda part: len(part.data))
        self._paper_fetches: SingleFlight[str, ShelvedPaper] = SingleFlight()
        self._image_fetches: SingleFlight[tuple[str, str], PaperPart] = SingleFlight()

    async def paper(self, digest: str) -> ShelvedPaper:
        """The paper with this digest.

        Raises:
            Problem: UNAVAILABLE while no store has it.
            AnswerLogUnavailableError: the answer log was needed and did not answer.
        """
        shelved = self._papers.get(digest)
        if shelved is None:
            shelved = await self._paper_fetches.run(digest, lambda: self._fetch_paper(digest))
        return shelved

    async def image(self, digest: str, sha256: str) -> PaperPart:
        """An image of a paper.

        Raises:
            Problem: NOT_FOUND when the paper shows no such image, UNAVAILABLE while the store does not have it.
        """
        if sha256 not in (await self.paper(digest)).paper.images:
            raise Problem(ProblemKind.NOT_FOUND, "the paper shows no such image")
        place = (digest, sha256)
        part = self._images.get(place)
        if part is None:
            part = await self._image_fetches.run(place, lambda: self._fetch_image(digest, sha256))
        return part

    async def close(self) -> None:
        """Give up what is under way and the cache's connections."""
        await self._paper_fetches.close()
        await self._image_fetches.close()
        await self._cache.close()

    async def _fetch_paper(self, digest: str) -> ShelvedPaper:
        body = await self._cache.get(digest)
        if body is None or digest_of_bytes(body) != digest:
            if body is not None:
                logger.error("paper_in_cache_is_another", digest=digest)
            body = (await self._fetch_part(digest, PAPER_PART)).data
            if digest_of_bytes(body) != digest:
                logger.error("paper_in_store_is_another", digest=digest)
                raise _missing(PAPER_PART)
        paper = Paper(body)
        _ = paper.questions, paper.digest  # read now, not within somebody's answer
        shelved = ShelvedPaper(paper, gzip.compress(body, mtime=0))
        self._papers.put(digest, shelved)
        return shelved

    async def _fetch_image(self, digest: str, sha256: str) -> PaperPart:
        part = await self._fetch_part(digest, sha256)
        if digest_of_bytes(part.data) != sha256:
            logger.error("image_in_store_is_another", digest=digest, sha256=sha256)
            raise _missing(sha256)
        self._images.put((digest, sha256), part)
        return part

    async def _fetch_part(self, digest: str, name: str) -> PaperPart:
        part = await self._log.get_paper_part(digest, name)
        if part is None:
            logger.error("paper_part_missing", digest=digest, part=name)
            raise _missing(name)
        return part


def _missing(part: str) -> Problem:
    return Problem(
        ProblemKind.UNAVAILABLE, f"the paper's part {part} is not in any store; try again soon", retry_after=2
    )
