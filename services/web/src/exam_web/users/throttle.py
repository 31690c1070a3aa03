"""Rate limit for failed logins, counted in the cache; without the cache logins are not limited."""

import structlog
from django.core.cache import cache
from django.http import HttpRequest
from redis.exceptions import RedisError

from exam_core.canonical import digest
from exam_core.problems import Problem, ProblemKind
from exam_web.users.names import name_key

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 60
FAILURES = 10


def address_of(request: HttpRequest) -> str:
    """The client's address: the last entry of X-Forwarded-For, which the gateway adds; earlier ones may be forged."""
    forwarded: str = request.META.get("HTTP_X_FORWARDED_FOR", request.META["REMOTE_ADDR"])
    return forwarded.rsplit(",", 1)[-1].strip()


def check(username: str, address: str) -> None:
    """Reject a login after too many failures for a username from an address within the last minute.

    Raises:
        Problem: TOO_MANY_REQUESTS with Retry-After.
    """
    try:
        failures = cache.get(_key(username, address), 0)
    except RedisError as error:
        log.warning("login_throttle_unavailable", error=str(error))
        return
    if failures >= FAILURES:
        raise Problem(
            ProblemKind.TOO_MANY_REQUESTS, "too many failed logins; wait a minute", retry_after=WINDOW_SECONDS
        )


def failed(username: str, address: str) -> None:
    """Count a failed login."""
    key = _key(username, address)
    try:
        cache.add(key, 0, WINDOW_SECONDS)
        cache.incr(key)
    except (RedisError, ValueError) as error:
        # ValueError: the counter expired between the two calls.
        log.warning("login_failure_not_counted", error=str(error))


def _key(username: str, address: str) -> str:
    # A digest, because user input has any characters and length and should not be readable in Redis.
    return f"login-failures:{digest(f'{address} {name_key(username)}'.encode())}"
