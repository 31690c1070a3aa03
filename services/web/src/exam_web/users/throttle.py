"""A bound on guesses of a password, kept in the cache; without the cache logins go on."""

import structlog
from django.core.cache import cache
from django.http import HttpRequest
from redis.exceptions import RedisError

from exam_core.canonical import digest
from exam_core.problems import Problem, ProblemKind

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 60
FAILURES = 10


def address_of(request: HttpRequest) -> str:
    """Where a request came from: the gateway writes it last, what a client wrote before it is not believed."""
    forwarded: str = request.META.get("HTTP_X_FORWARDED_FOR", request.META["REMOTE_ADDR"])
    return forwarded.rsplit(",", 1)[-1].strip()


def check(username: str, address: str) -> None:
    """Refuse when a name was guessed at too often from an address within the last minute.

    Raises:
        Problem: TOO_MANY_REQUESTS with Retry-After.
    """
    try:
        failures = cache.get(_key(username, address), 0)
    except RedisError as error:
        log.warning("login throttle without its cache", error=str(error))
        return
    if failures >= FAILURES:
        raise Problem(
            ProblemKind.TOO_MANY_REQUESTS, "too many wrong passwords; wait a minute", retry_after=WINDOW_SECONDS
        )


def failed(username: str, address: str) -> None:
    """Count a wrong password."""
    key = _key(username, address)
    try:
        cache.add(key, 0, WINDOW_SECONDS)
        cache.incr(key)
    except (RedisError, ValueError) as error:
        # ValueError: the count expired between the two calls, and with it the reason to count.
        log.warning("login throttle did not count", error=str(error))


def _key(username: str, address: str) -> str:
    # What people type has any characters and length, and need not be readable in Redis.
    return f"login-failures:{digest(f'{address} {username}'.encode())}"
