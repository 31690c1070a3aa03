"""Carrying a frozen paper to where solvers read it: Cassandra for good, Redis to be quick. The students' half alone."""

import asyncio

import structlog
from django.utils import timezone
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

WARM_SECONDS = 7 * 24 * 3600
"""For how long a paper stays in Redis without being asked for again; solvers find it in Cassandra after that."""


def paper_distribute(*, paper: Paper) -> None:
    """Put a paper and its images where solvers find them; again changes nothing.

    Raises:
        Problem: UNAVAILABLE when Cassandra does not take it: the sitting is safe, ask again.
    """
    parts = {"paper": PaperPart(content_type="application/json", data=bytes(paper.body))}
    for image in paper.images.all():
        parts[image.sha256] = PaperPart(content_type=image.content_type, data=bytes(image.data))
    try:
        asyncio.run(_store(load_settings(CassandraSettings), paper.digest, parts))
    except AnswerLogUnavailableError as error:
        raise Problem(
            ProblemKind.UNAVAILABLE, f"Cassandra did not take the paper: {error}; ask again", retry_after=2
        ) from error
    _warm(paper)
    # Only now: whoever was ended before this is asked again by who looks at the sitting.
    Paper.objects.filter(digest=paper.digest).update(distributed_at=timezone.now())


async def _store(settings: CassandraSettings, digest: str, parts: dict[str, PaperPart]) -> None:
    answers = CassandraAnswerLog.connect(settings)
    try:
        await _put(answers, digest, parts)
    finally:
        await answers.close()


async def _put(answers: AnswerLog, digest: str, parts: dict[str, PaperPart]) -> None:
    # The paper last: whoever finds it finds its images too.
    for name in sorted(parts, key=lambda name: name == "paper"):
        await answers.put_paper_part(digest, name, parts[name])


def _warm(paper: Paper) -> None:
    """Put the paper into Redis, under the name that solvers look for; without Redis they read Cassandra."""
    try:
        with Redis.from_url(str(ENVIRONMENT.redis_url), socket_timeout=0.5, socket_connect_timeout=0.5) as client:
            client.set(f"paper:{paper.digest}", bytes(paper.body), ex=WARM_SECONDS)
    except RedisError as error:
        log.warning("paper not warmed", paper=paper.digest, error=str(error))
