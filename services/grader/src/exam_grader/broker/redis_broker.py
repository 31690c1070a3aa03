"""Redis as the broker: queue names, transport options for Celery, and the queries that bypass Celery.

Redis may be emptied at any time without loss: the ledger in PostgreSQL has the chunks that are graded.
"""

import socket

import redis

from exam_grader.settings import GraderSettings

PREFIX = "exam:grader:"
CHUNKS = "chunks"
CONTROL = "control"
"""Control tasks have their own queue, so that thousands of chunks do not delay another sitting's close."""
QUEUES = (CHUNKS, CONTROL)
CONNECT_TIMEOUT_SECONDS = 2.0
RESPONSE_TIMEOUT_SECONDS = 10.0


class RedisBroker:
    """Direct queries to the broker."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=CONNECT_TIMEOUT_SECONDS,
            socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
            decode_responses=True,
        )

    def queue_depth(self, queue: str) -> int:
        """The number of tasks waiting in a queue, without those that a worker has received."""
        return int(self._redis.llen(PREFIX + queue))

    def mark_enqueued(self, revision: int, seconds: float) -> None:
        """Mark a revision's chunks as enqueued; the mark expires after `seconds`."""
        self._redis.set(_mark(revision), "1", px=max(1, int(seconds * 1000)))

    def is_marked_enqueued(self, revision: int) -> bool:
        """Whether the mark of `mark_enqueued` exists; it is lost when Redis is emptied."""
        return bool(self._redis.exists(_mark(revision)))

    def ping(self) -> None:
        """Raise unless Redis answers."""
        self._redis.ping()


def transport_options(settings: GraderSettings) -> dict[str, object]:
    """Options of Celery's Redis transport."""
    return {
        "global_keyprefix": PREFIX,
        "visibility_timeout": settings.grader_visibility_seconds,
        # Restore unacknowledged tasks this often, in every process; the default is once in a hundred polls.
        "unacked_restore_interval": min(5, settings.grader_visibility_seconds),
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "socket_timeout": RESPONSE_TIMEOUT_SECONDS,
        # A broker whose machine disappeared closes no connection: only keepalive detects it, on idle and busy ones.
        "socket_keepalive": True,
        "socket_keepalive_options": {
            socket.TCP_KEEPIDLE: 10,
            socket.TCP_KEEPINTVL: 5,
            socket.TCP_KEEPCNT: 3,
            socket.TCP_USER_TIMEOUT: 25_000,
        },
    }


def _mark(revision: int) -> str:
    return f"{PREFIX}enqueued:{revision}"
