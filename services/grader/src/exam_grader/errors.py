"""The grader's errors, and which errors of the stores can be retried."""

from uuid import UUID

import psycopg
import redis
from django.db import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as KombuOperationalError

from exam_answerlog.log import AnswerLogUnavailableError

RETRYABLE_BROKER_ERRORS: tuple[type[Exception], ...] = (
    redis.ConnectionError,
    redis.TimeoutError,
    KombuOperationalError,
)
RETRYABLE_DATABASE_ERRORS: tuple[type[Exception], ...] = (OperationalError, InterfaceError, psycopg.OperationalError)
RETRYABLE_ERRORS: tuple[type[Exception], ...] = (
    *RETRYABLE_BROKER_ERRORS,
    *RETRYABLE_DATABASE_ERRORS,
    AnswerLogUnavailableError,
)
"""Errors of a store that is unavailable. Every step is idempotent, so it is retried after a delay."""


class SealDamagedError(Exception):
    """A seal's bytes do not have the digest that PostgreSQL recorded. Nothing is graded from it."""

    def __init__(self, sitting: UUID, bucket: int, reason: str) -> None:
        super().__init__(
            f"the seal of sitting {sitting}, bucket {bucket} is damaged: {reason}. Nothing was graded from it. Restore "
            "the bucket's row of Cassandra's table `sealed` from a backup; the answers themselves are untouched"
        )
        self.sitting = sitting
        self.bucket = bucket


class NoProgressError(Exception):
    """A step succeeded and changed nothing; repeating it would be an endless loop."""


class StopRequestedError(Exception):
    """The process was asked to stop. Completed steps are kept; the next run resumes after them."""


class RevisionInputDamagedError(Exception):
    """A paper, key or policy does not match the digest that the revision recorded. Nothing is graded with it."""

    def __init__(self, kind: str, expected: str, actual: str) -> None:
        super().__init__(
            f"the {kind} recorded as {expected} now has digest {actual}: it was changed in PostgreSQL, past the "
            "platform. Restore its row from a backup; nothing was graded with it"
        )
