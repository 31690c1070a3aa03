"""Seals a sitting: folds each bucket of the answer log into the answers that count, and records its digest.

PostgreSQL records only seals that were read back serially, so concurrent or restarted sealers all record the same
digests. A bucket that is recorded is not sealed again, but its bytes are verified.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Protocol, TypeVar
from uuid import UUID

import structlog

from exam_answerlog.log import AnswerLog
from exam_core.fold import SealedBucket, root_digest, seal_bucket
from exam_core.paper import Paper
from exam_grader.answerlog import SyncAnswerLog
from exam_grader.errors import SealDamagedError, StopRequestedError

log = structlog.get_logger(__name__)

Seconds = float
T = TypeVar("T")


class SealRecords(Protocol):
    """Records counts and digests of sealed buckets."""

    def digests(self) -> Mapping[int, str]:
        """The digest of each bucket that is completely recorded; the others are sealed again, with the same outcome."""

    def record(self, bucket: int, sealed: SealedBucket) -> None:
        """Record a bucket. Idempotent; another digest for a recorded bucket is rejected."""

    def complete(self, root: str) -> None:
        """Declare the sitting sealed under its root digest."""


def seal_sitting(  # noqa: PLR0913 - a sitting, the stores, and how far and fast to go
    *,
    sitting: UUID,
    buckets: int,
    paper: Paper | None,
    answerlog: SyncAnswerLog,
    records: SealRecords,
    parallelism: int,
    on_progress: Callable[[int, int], None],
    stop_requested: Callable[[], bool],
    observe: Callable[[Seconds], None] = lambda _seconds: None,
) -> None:
    """Verify the recorded buckets, seal the others, then declare the sitting sealed.

    Args:
        sitting: the sitting's id.
        buckets: how many buckets it has.
        paper: its paper, which may draw questions; None is one that draws none.
        answerlog: the answer log.
        records: where digests are recorded.
        parallelism: how many buckets are processed concurrently.
        on_progress: called with (buckets sealed, buckets).
        stop_requested: checked between buckets.
        observe: called with the duration of each bucket.

    Raises:
        SealDamagedError: a stored bucket differs from its record.
        StopRequestedError: `stop_requested` returned True.
        AnswerLogUnavailableError: a read or write was not confirmed; recorded buckets stay recorded.
    """
    digests = dict(records.digests())
    for group in _groups(sorted(digests), parallelism):
        _check_stop(stop_requested)
        answerlog.run(partial(verify_buckets, sitting=sitting, digests={bucket: digests[bucket] for bucket in group}))
    on_progress(len(digests), buckets)
    for group in _groups((b for b in range(buckets) if b not in digests), parallelism):
        _check_stop(stop_requested)
        sealed = answerlog.run(partial(_seal_group, sitting=sitting, buckets=group, paper=paper, observe=observe))
        for bucket, winner in zip(group, sealed, strict=True):
            records.record(bucket, winner)
            digests[bucket] = winner.digest
        on_progress(len(digests), buckets)
    records.complete(root_digest(sitting, (digests[bucket] for bucket in range(buckets))))


async def seal_one(answers: AnswerLog, sitting: UUID, bucket: int, paper: Paper | None) -> SealedBucket:
    """Fold and seal one bucket; returns the effective seal, which may be an earlier sealer's."""
    rows = await answers.read_bucket(sitting, bucket)
    folded = seal_bucket(
        sitting=sitting,
        bucket=bucket,
        paper=paper,
        answers=rows.answers,
        starts=rows.starts,
        submissions=rows.submissions,
    )
    winner = await answers.seal(sitting, bucket, folded)
    if winner.digest != folded.digest:
        # Legitimate only if a write that was never acknowledged became visible between the two sealers' reads.
        log.warning(
            "earlier_seal_kept", sitting=str(sitting), bucket=bucket, digest=folded.digest, kept_digest=winner.digest
        )
    return winner


async def read_verified(answers: AnswerLog, sitting: UUID, bucket: int, digest: str) -> SealedBucket:
    """Read a bucket's seal and check its digest against the recorded one.

    Raises:
        SealDamagedError: the seal is missing or has another digest.
    """
    try:
        sealed = await answers.read_sealed(sitting, bucket)
    except ValueError as error:
        raise SealDamagedError(sitting, bucket, str(error)) from error
    if sealed is None:
        raise SealDamagedError(sitting, bucket, "PostgreSQL recorded it, but Cassandra has none")
    if sealed.digest != digest:
        raise SealDamagedError(sitting, bucket, f"its bytes have digest {sealed.digest}, recorded was {digest}")
    return sealed


async def verify_buckets(answers: AnswerLog, sitting: UUID, digests: Mapping[int, str]) -> None:
    """Check each bucket's seal against its recorded digest; raises as `read_verified`."""
    await _gather(read_verified(answers, sitting, bucket, digest) for bucket, digest in digests.items())


async def _seal_group(
    answers: AnswerLog, sitting: UUID, buckets: Sequence[int], paper: Paper | None, observe: Callable[[Seconds], None]
) -> list[SealedBucket]:
    async def timed(bucket: int) -> SealedBucket:
        started = time.monotonic()
        sealed = await seal_one(answers, sitting, bucket, paper)
        observe(time.monotonic() - started)
        return sealed

    return await _gather(map(timed, buckets))


async def _gather(operations: Iterable[Awaitable[T]]) -> list[T]:
    """Results in order. Waits for all operations before raising the first error, so that none is left running."""
    results = await asyncio.gather(*operations, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


def _groups(buckets: Iterable[int], size: int) -> Iterable[list[int]]:
    rest = iter(buckets)
    while group := list(islice(rest, size)):
        yield group


def _check_stop(stop_requested: Callable[[], bool]) -> None:
    if stop_requested():
        raise StopRequestedError("stopped while sealing; sealed buckets are kept")
