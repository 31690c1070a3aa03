"""Sealing: from everything the answer log holds of a sitting to the set that counts, bucket by bucket.

What is recorded in PostgreSQL is only what was read back serially, so every sealer, however many there are and wherever
they die, records the same digests. A bucket that is recorded already is not sealed again, but its bytes are looked at.
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
from exam_grader.answerlog import Store
from exam_grader.errors import HaltedError, SealDamagedError

log = structlog.get_logger(__name__)

Seconds = float
T = TypeVar("T")


class SealRegister(Protocol):
    """Where counts and digests are written down: PostgreSQL's side of a seal."""

    def recorded(self) -> Mapping[int, str]:
        """The digest of each bucket that is recorded."""

    def record(self, bucket: int, sealed: SealedBucket) -> None:
        """Write down a bucket; the same again changes nothing, another digest is refused."""

    def finish(self, root: str) -> None:
        """Declare the sitting sealed under its root digest."""


def seal_sitting(
    *,
    sitting: UUID,
    buckets: int,
    store: Store,
    register: SealRegister,
    parallelism: int,
    tell: Callable[[int, int], None],
    halt: Callable[[], bool],
    took: Callable[[Seconds], None] = lambda _seconds: None,
) -> None:
    """Seal every bucket that is not recorded, look at those that are, then the sitting.

    Args:
        sitting: the sitting's id.
        buckets: how many buckets it has.
        store: the answer log.
        register: where digests are recorded.
        parallelism: how many buckets are worked on at once.
        tell: hears (buckets sealed, buckets) as it goes.
        halt: says when to stop between buckets.
        took: hears how long each bucket took.

    Raises:
        SealDamagedError: a recorded bucket is not what is stored.
        HaltedError: `halt` said so.
        AnswerLogUnavailableError: the store did not confirm; what was recorded stays recorded.
    """
    digests = dict(register.recorded())
    for group in _groups(sorted(digests), parallelism):
        _check_halt(halt)
        store.run(partial(verify_buckets, sitting=sitting, digests={bucket: digests[bucket] for bucket in group}))
    tell(len(digests), buckets)
    for group in _groups((b for b in range(buckets) if b not in digests), parallelism):
        _check_halt(halt)
        sealed = store.run(partial(_seal_group, sitting=sitting, buckets=group, took=took))
        for bucket, winner in zip(group, sealed, strict=True):
            register.record(bucket, winner)
            digests[bucket] = winner.digest
        tell(len(digests), buckets)
    register.finish(root_digest(sitting, (digests[bucket] for bucket in range(buckets))))


async def seal_one(answers: AnswerLog, sitting: UUID, bucket: int) -> SealedBucket:
    """Fold one bucket and seal it; the seal that holds, which may be an earlier sealer's."""
    rows = await answers.read_bucket(sitting, bucket)
    ours = seal_bucket(
        sitting=sitting, bucket=bucket, answers=rows.answers, starts=rows.starts, submissions=rows.submissions
    )
    winner = await answers.seal(sitting, bucket, ours)
    if winner.digest != ours.digest:
        # Legitimate only when a write that was never acknowledged came to light between two sealers' reads.
        log.warning("an earlier seal holds", sitting=str(sitting), bucket=bucket, ours=ours.digest, holds=winner.digest)
    return winner


async def read_verified(answers: AnswerLog, sitting: UUID, bucket: int, digest: str) -> SealedBucket:
    """A bucket's seal, if it is the one that PostgreSQL recorded.

    Raises:
        SealDamagedError: it is not there, or not what was recorded.
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
    """Check that each bucket's seal is what was recorded; raises as `read_verified`."""
    await _together(read_verified(answers, sitting, bucket, digest) for bucket, digest in digests.items())


async def _seal_group(
    answers: AnswerLog, sitting: UUID, buckets: Sequence[int], took: Callable[[Seconds], None]
) -> list[SealedBucket]:
    async def timed(bucket: int) -> SealedBucket:
        began = time.monotonic()
        sealed = await seal_one(answers, sitting, bucket)
        took(time.monotonic() - began)
        return sealed

    return await _together(map(timed, buckets))


async def _together(jobs: Iterable[Awaitable[T]]) -> list[T]:
    """The jobs' results in order; all of them end before the first fault is raised, so that none is left behind."""
    results = await asyncio.gather(*jobs, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


def _groups(buckets: Iterable[int], size: int) -> Iterable[list[int]]:
    rest = iter(buckets)
    while group := list(islice(rest, size)):
        yield group


def _check_halt(halt: Callable[[], bool]) -> None:
    if halt():
        raise HaltedError("told to stop while sealing; what is sealed stays sealed")
