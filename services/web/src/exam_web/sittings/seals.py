"""Reads sealed buckets from the answer log, for the students' proofs."""

import asyncio
from functools import cache, lru_cache
from threading import Thread
from uuid import UUID

from exam_answerlog.cassandra import CassandraAnswerLog
from exam_answerlog.log import AnswerLogUnavailableError
from exam_answerlog.settings import CassandraSettings
from exam_core.commitments import attempt_member
from exam_core.fold import SealedBucket
from exam_core.inclusion import Member
from exam_core.problems import Problem, ProblemKind
from exam_runtime.settings import load_settings
from exam_web.sittings.models import SealedBucket as SealedBucketRow
from exam_web.sittings.models import Sitting


class SealReader:
    """Reads seals on an event loop in a thread of its own, so that all requests share one session.

    Opening a session takes longer than reading a seal.
    """

    def __init__(self, settings: CassandraSettings) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="seal-reader", daemon=True)
        self._thread.start()
        self._answers = asyncio.run_coroutine_threadsafe(_connect(settings), self._loop).result()

    def read(self, sitting: UUID, bucket: int) -> SealedBucket | None:
        """Return a bucket's seal, or None; raises as `exam_answerlog.log.AnswerLog.read_sealed`."""
        return asyncio.run_coroutine_threadsafe(self._answers.read_sealed(sitting, bucket), self._loop).result()

    def close(self) -> None:
        """Close the session and end the thread."""
        asyncio.run_coroutine_threadsafe(self._answers.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@cache
def seal_reader() -> SealReader:
    """The reader of this process, connected on first use."""
    return SealReader(load_settings(CassandraSettings))


def sealed_members(sitting: Sitting, bucket: int) -> tuple[Member, ...]:
    """The members of a sealed bucket's tree.

    Raises:
        Problem: UNAVAILABLE when Cassandra does not respond, or its bytes are not those that were recorded.
    """
    digest = SealedBucketRow.objects.values_list("digest", flat=True).get(sitting=sitting, bucket=bucket)
    return _members(sitting.id, bucket, digest, bytes(sitting.proof_secret))


@lru_cache(maxsize=64)
def _members(sitting: UUID, bucket: int, digest: str, secret: bytes) -> tuple[Member, ...]:
    """Read a bucket and verify its digest; cached because it is immutable, and hundreds of students share it."""
    try:
        sealed = seal_reader().read(sitting, bucket)
    except AnswerLogUnavailableError as error:
        raise Problem(
            ProblemKind.UNAVAILABLE, f"Cassandra did not return the seal: {error}; try again", retry_after=2
        ) from error
    except ValueError as error:
        raise _damaged(bucket) from error
    if sealed is None or sealed.digest != digest:
        raise _damaged(bucket)
    return tuple(attempt_member(secret, sitting, attempt) for attempt in sealed.students)


def _damaged(bucket: int) -> Problem:
    return Problem(
        ProblemKind.UNAVAILABLE, f"the stored seal of bucket {bucket} differs from the one that was recorded"
    )


async def _connect(settings: CassandraSettings) -> CassandraAnswerLog:
    """Connect while the event loop runs, which the driver needs."""
    return CassandraAnswerLog.connect(settings)
