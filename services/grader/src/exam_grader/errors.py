"""What can go wrong that neither a retry nor the catalogue of refusals covers."""

from uuid import UUID

import psycopg
import redis
from django.db import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerError

from exam_answerlog.log import AnswerLogUnavailableError

RETRYABLE_BROKER_ERRORS: tuple[type[Exception], ...] = (redis.ConnectionError, redis.TimeoutError, BrokerError)
RETRYABLE_DATABASE_ERRORS: tuple[type[Exception], ...] = (OperationalError, InterfaceError, psycopg.OperationalError)
RETRYABLE_ERRORS: tuple[type[Exception], ...] = (
    *RETRYABLE_BROKER_ERRORS,
    *RETRYABLE_DATABASE_ERRORS,
    AnswerLogUnavailableError,
)
"""The errors of a store that is unavailable; every step can be retried."""


class SealDamagedError(Exception):
    """A seal's bytes are not what PostgreSQL says was sealed. Nothing is graded from it; a person must look."""

    def __init__(self, sitting: UUID, bucket: int, why: str) -> None:
        super().__init__(
            f"the seal of sitting {sitting}, bucket {bucket} is damaged: {why}. Nothing was graded from it. Restore "
            "the bucket's row of Cassandra's table `sealed` from a backup; the answers themselves are untouched"
        )
        self.sitting = sitting
        self.bucket = bucket


class StuckError(Exception):
    """A step ended well and changed nothing: going on would turn in a circle."""


class HaltedError(Exception):
    """The process was told to stop; what is done is done, and running again goes on from there."""


class RevisionInputDamagedError(Exception):
    """A paper, key or policy is not what was frozen under its digest. Nothing is graded with it."""

    def __init__(self, what: str, name: str, found: str) -> None:
        super().__init__(
            f"the {what} frozen as {name} now has digest {found}: it was changed in PostgreSQL, past the platform. "
            "Restore its row from a backup; nothing was graded with it"
        )
