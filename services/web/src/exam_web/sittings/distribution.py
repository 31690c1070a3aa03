"""Distributes the students' half of a frozen paper to solvers: Cassandra is durable, Redis is fast."""

import asyncio

import structlog
from django.db.models.functions import Now
from redis import Redis
from redis.exceptions import RedisError

from exam_answerlog.cassandra import CassandraAnswerLog
from exam_answerlog.log import AnswerLog, AnswerLogUnavailableError, PaperPart
from exam_answerlog.settings import CassandraSettings
from exam_core.problems import Problem, ProblemKind
from exam_runtime.settings import load_settings
from exam_web.settings import ENVIRONMENT
from exam_web.sittings.models import Paper

log = structlog.get_logger(__name__)

CACHE_SECONDS = 7 * 24 * 3600
"""How long a paper stays in Redis; later solvers read it from Cassandra."""


def paper_distribute(paper: Paper) -> None:
    """Store a paper and its images for the solvers; idempotent.

    Raises:
        Problem: UNAVAILABLE when Cassandra does not store it: the sitting exists, retry the distribution.
    """
    parts = {"paper": PaperPart(content_type="application/json", data=bytes(paper.body))}
    for image in paper.images.all():
        parts[image.sha256] = PaperPart(content_type=image.content_type, data=bytes(image.data))
    try:
        asyncio.run(_store(load_settings(CassandraSettings), paper.digest, parts))
    except AnswerLogUnavailableError as error:
        raise Problem(
            ProblemKind.UNAVAILABLE, f"Cassandra did not store the paper: {error}; try again", retry_after=2
        ) from error
    _cache(paper)
    # Last: a process that stops before this leaves the paper marked as not distributed, and the operator retries.
    Paper.objects.filter(digest=paper.digest).update(distributed_at=Now())


async def _store(settings: CassandraSettings, digest: str, parts: dict[str, PaperPart]) -> None:
    answers = CassandraAnswerLog.connect(settings)
    try:
        await _put(answers, digest, parts)
    finally:
        await answers.close()


async def _put(answers: AnswerLog, digest: str, parts: dict[str, PaperPart]) -> None:
    # The paper last, so that a solver that reads it can read its images too.
    for name in sorted(parts, key=lambda name: name == "paper"):
        await answers.put_paper_part(digest, name, parts[name])


def _cache(paper: Paper) -> None:
    """Store the paper in Redis, under the key that solvers read; without Redis they read Cassandra."""
    url = ENVIRONMENT.verified_redis_url
    if url is None:
        raise RuntimeError("EXAM_REDIS_URL is not set: only web distributes papers")
    try:
        with Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5) as client:
            client.set(f"paper:{paper.digest}", bytes(paper.body), ex=CACHE_SECONDS)
    except RedisError as error:
        log.warning("paper_cache_failed", paper=paper.digest, error=str(error))
