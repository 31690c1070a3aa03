"""Load papers and their images: from this process's memory, then Redis, then the answer log.

Redis is an optimisation: without it a first read takes longer, and nothing else changes. A paper's name is its digest,
and every body is checked against it, so that no paper other than the frozen one is ever shown.
"""

import structlog

from exam_answerlog.log import AnswerLog, PaperPart
from exam_core.canonical import digest as digest_of_bytes
from exam_core.paper import Paper
from exam_core.problems import Problem, ProblemKind
from exam_solver.caching.lru import Lru
from exam_solver.caching.single_flight import SingleFlight
from exam_solver.papers.cache import PaperCache
from exam_solver.papers.shown import LoadedPaper

logger = structlog.get_logger(__name__)

CACHED_PAPERS = 64
PAPER_PART = "paper"


class PaperLoader:
    """Loads papers and images by digest; concurrent reads of one share a single fetch."""

    def __init__(self, *, cache: PaperCache, log: AnswerLog, image_bytes: int) -> None:
        self._cache = cache
        self._log = log
        self._papers: Lru[str, LoadedPaper] = Lru(CACHED_PAPERS)
        self._images: Lru[tuple[str, str], PaperPart] = Lru(image_bytes, weigh=lambda part: len(part.data))
        self._paper_fetches: SingleFlight[str, LoadedPaper] = SingleFlight()
        self._image_fetches: SingleFlight[tuple[str, str], PaperPart] = SingleFlight()

    async def paper(self, digest: str) -> LoadedPaper:
        """The paper with this digest.

        Raises:
            Problem: UNAVAILABLE while no store has it.
            AnswerLogUnavailableError: the answer log was needed and did not respond.
        """
        loaded = self._papers.get(digest)
        if loaded is None:
            loaded = await self._paper_fetches.run(digest, lambda: self._fetch_paper(digest))
        return loaded

    async def image(self, digest: str, sha256: str, *, seed: int) -> PaperPart:
        """An image of a paper, as an attempt with this seed is shown it.

        Raises:
            Problem: NOT_FOUND when the paper has no such image, UNAVAILABLE while the store does not have it.
        """
        if sha256 not in (await self.paper(digest)).images(seed):
            raise Problem(ProblemKind.NOT_FOUND, "the paper has no such image")
        key = (digest, sha256)
        part = self._images.get(key)
        if part is None:
            part = await self._image_fetches.run(key, lambda: self._fetch_image(digest, sha256))
        return part

    async def close(self) -> None:
        """Cancel running fetches and close the cache."""
        await self._paper_fetches.close()
        await self._image_fetches.close()
        await self._cache.close()

    async def _fetch_paper(self, digest: str) -> LoadedPaper:
        body = await self._cache.get(digest)
        if body is None or digest_of_bytes(body) != digest:
            if body is not None:
                logger.error("cached_paper_rejected", digest=digest)
            body = (await self._fetch_part(digest, PAPER_PART)).data
            if digest_of_bytes(body) != digest:
                logger.error("stored_paper_rejected", digest=digest)
                raise _missing(PAPER_PART)
        loaded = LoadedPaper(Paper(body))
        self._papers.put(digest, loaded)
        return loaded

    async def _fetch_image(self, digest: str, sha256: str) -> PaperPart:
        part = await self._fetch_part(digest, sha256)
        if digest_of_bytes(part.data) != sha256:
            logger.error("stored_image_rejected", digest=digest, sha256=sha256)
            raise _missing(sha256)
        self._images.put((digest, sha256), part)
        return part

    async def _fetch_part(self, digest: str, name: str) -> PaperPart:
        part = await self._log.get_paper_part(digest, name)
        if part is None:
            logger.error("paper_part_not_found", digest=digest, part=name)
            raise _missing(name)
        return part


def _missing(part: str) -> Problem:
    return Problem(
        ProblemKind.UNAVAILABLE, f"the paper's part {part} is not in any store; try again soon", retry_after=2
    )
