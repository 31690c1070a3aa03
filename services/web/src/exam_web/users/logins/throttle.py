"""Limits of failed logins: per user and address, per user, per address, and in all.

None of them is a means to lock a user out:

- Only the tries of a user from one address are ever used up. Once a user, an address or the platform in all has too
  many failures, each user has fewer tries from each address, but never none.
- A device on which a user has logged in before has tries of its own, which other devices cannot use up.

A login is counted before its password is hashed, and no longer once it has succeeded, so that many at once are limited
too.
"""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ValidationError
from django.http import HttpRequest

from exam_core.canonical import digest
from exam_core.problems import Problem, ProblemKind
from exam_web import metrics
from exam_web.users.logins.counters import Counted, counters
from exam_web.users.logins.devices import DEVICE_COOKIE, forget_device, is_known_device, remember_device
from exam_web.users.logins.hashing import hashing_slots
from exam_web.users.names import name_key

WINDOW_SECONDS = 60
FAILURES = 10
"""Of a user from an address, or on a known device."""
STRICT_FAILURES = 3
"""Of a user from an address while one of the following has too many."""
FAILURES_OF_USER = 50
FAILURES_OF_ADDRESS = 200
"""More than a level behind one address mistypes in a minute."""
FAILURES_IN_ALL = 1000


@contextmanager
def login_attempt(request: HttpRequest, username: str) -> Iterator[None]:
    """Check a password in the block, which raises if it is wrong; then the login stays counted as failed.

    Raises:
        Problem: TOO_MANY_REQUESTS after too many failures, OVERLOADED while too many passwords are hashed; both with
            Retry-After, and before the block.
    """
    user = name_key(username)
    known = is_known_device(request, user)
    own = _try_of_device(request) if known else None
    counted = own or _try_of_address(request, user, known=known)
    try:
        with hashing_slots.hold(known=own is not None):
            yield
    except BaseException as error:
        if not _is_rejection(error):
            counted.take_back()
        raise
    counted.take_back()
    remember_device(request, user)


@contextmanager
def token_attempt(request: HttpRequest) -> Iterator[None]:
    """Read a token in the block: an address with too many that were never issued gets 429 for more of them.

    A token that was issued is accepted whatever others do at its address.

    Raises:
        Problem: TOO_MANY_REQUESTS with Retry-After, instead of UNAUTHENTICATED.
    """
    try:
        yield
    except Problem as problem:
        if problem.kind is ProblemKind.UNAUTHENTICATED:
            key = _key("tokens", address_of(request))
            counted = counters.add([key], seconds=WINDOW_SECONDS)
            if counted.window.counts[key] > FAILURES_OF_ADDRESS:
                raise _limited(counted, "too many invalid tokens; log in") from problem
        raise


def address_of(request: HttpRequest) -> str:
    """The client's address: the last entry of X-Forwarded-For, which the gateway adds; earlier ones may be forged.

    Of an IPv6 address the network of 64 bits, because one client has all its addresses.
    """
    forwarded: str = request.META.get("HTTP_X_FORWARDED_FOR", request.META["REMOTE_ADDR"])
    text = forwarded.rsplit(",", 1)[-1].strip()
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False))


def _try_of_device(request: HttpRequest) -> Counted | None:
    """Count a login of a known device; None if it has used up its own tries, and is like any other device."""
    key = _key("device", request.COOKIES[DEVICE_COOKIE])
    counted = counters.add([key], seconds=WINDOW_SECONDS)
    if counted.window.counts[key] <= FAILURES:
        return counted
    counted.take_back()
    return None


def _try_of_address(request: HttpRequest, user: str, *, known: bool) -> Counted:
    address = address_of(request)
    tries = _key("tries", user, address)
    shared = {
        _key("user", user): FAILURES_OF_USER,
        _key("address", address): FAILURES_OF_ADDRESS,
        _key("all"): FAILURES_IN_ALL,
    }
    counted = counters.add([tries, *shared], seconds=WINDOW_SECONDS)
    counts = counted.window.counts
    strict = any(counts[key] > limit for key, limit in shared.items())
    # The gateway does not limit requests with the cookie, which only web can verify. One that is not this user's
    # gets nothing while there are too many failures; without it the gateway's limits apply to the next request.
    wrong_cookie = DEVICE_COOKIE in request.COOKIES and not known
    if strict and wrong_cookie:
        counted.take_back()
        forget_device(request)
        raise _limited(counted, "too many failed logins; try again", retry_after=1)
    if counts[tries] > (STRICT_FAILURES if strict else FAILURES):
        counted.take_back()
        raise _limited(counted, "too many failed logins; wait a minute")
    return counted


def _is_rejection(error: BaseException) -> bool:
    """Whether a name or password was wrong, at the API or at the admin's form; not that a store was unavailable."""
    return isinstance(error, ValidationError) or (
        isinstance(error, Problem) and error.kind is ProblemKind.BAD_CREDENTIALS
    )


def _limited(counted: Counted, detail: str, *, retry_after: int | None = None) -> Problem:
    metrics.LOGINS_LIMITED.labels("failures").inc()
    return Problem(ProblemKind.TOO_MANY_REQUESTS, detail, retry_after=retry_after or counted.window.seconds_left)


def _key(*parts: str) -> str:
    # A digest, because user input has any characters and length and should not be readable in Redis.
    return digest("\0".join(parts).encode())[:32]
