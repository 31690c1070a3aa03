"""The Redis behind Celery: how Celery is to use it, and the few things asked of it directly.

Nothing here is true beyond the moment: Redis may be emptied at any time, and PostgreSQL's ledger makes good for it.
"""

import socket

import redis

from exam_grader.settings import GraderSettings

PREFIX = "exam:grader:"
CHUNKS = "chunks"
CONTROL = "control"
"""Chunks and control tasks wait apart and are taken in turns: thousands of chunks hold up no other sitting's close."""
QUEUES = (CHUNKS, CONTROL)
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 10.0


class Broker:
    """Redis as it is asked without Celery."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(
            url, socket_timeout=CONNECT_SECONDS, socket_connect_timeout=CONNECT_SECONDS, decode_responses=True
        )

    def depth(self, queue: str) -> int:
        """How many tasks wait in a queue; those that a worker took are not among them."""
        return int(self._redis.llen(PREFIX + queue))

    def note_handed_out(self, revision: int, seconds: float) -> None:
        """Remember for a while that a revision's chunks were handed out."""
        self._redis.set(f"{PREFIX}handed-out:{revision}", "1", px=max(1, int(seconds * 1000)))

    def handed_out(self, revision: int) -> bool:
        """Whether that is remembered; forgotten with everything else when Redis is emptied."""
        return bool(self._redis.exists(f"{PREFIX}handed-out:{revision}"))

    def ping(self) -> None:
        """Raise when Redis does not answer."""
        self._redis.ping()


def transport_options(environment: GraderSettings) -> dict[str, object]:
    """How Celery's transport treats Redis."""
    return {
        "global_keyprefix": PREFIX,
        "visibility_timeout": environment.grader_visibility_seconds,
        # Look for tasks that nobody confirmed every so many seconds, each time; by default it is every hundred.
        "unacked_restore_interval": min(5, environment.grader_visibility_seconds),
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
        # A broker whose machine vanished says nothing: the kernel has to notice, be the connection idle or not.
        "socket_keepalive": True,
        "socket_keepalive_options": {
            socket.TCP_KEEPIDLE: 10,
            socket.TCP_KEEPINTVL: 5,
            socket.TCP_KEEPCNT: 3,
            socket.TCP_USER_TIMEOUT: 25_000,
        },
    }
