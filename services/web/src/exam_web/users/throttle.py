"""Limits of failed logins: per user and address, per user, per address, and in all.

None of them can lock a user out:

- The limit of a user from one address affects this address alone.
- Once a user, or the platform in all, has too many failures, each address has fewer tries with a user, but never none.
  So guesses from many addresses become slow, and the right password from an address of its own is accepted.
- Once an address has too many failures, it may only log in from known devices: a device on which a user has logged in
  before has a cookie for this user, with a limit of its own that other devices do not use up.

A login is counted before its password is hashed, and no longer once it has succeeded, so that many at once are limited
too.
"""

import ipaddress
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Self

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from exam_core.canonical import digest
from exam_core.problems import Problem, ProblemKind
from exam_web.settings import ENVIRONMENT
from exam_web.users.counters import counters
from exam_web.users.models import User
from exam_web.users.names import name_key

WINDOW_SECONDS = 60
FAILURES = 10
"""Of a user from an address or on a known device."""
STRICT_FAILURES = 3
"""The same while the user or the platform has too many."""
FAILURES_OF_USER = 50
FAILURES_OF_ADDRESS = 200
"""More than a level behind one address mistypes in a minute."""
FAILURES_IN_ALL = 1000

DEVICE_COOKIE: Final = "exam_device"
DEVICE_SECONDS = 180 * 24 * 3600
_SALT = "exam_web.users.device"
HASHING_WAIT_SECONDS = 5.0
_hashing = threading.BoundedSemaphore(max(1, ENVIRONMENT.web_threads // 2))
"""A hash takes 19 MiB and a core for a moment: the other half of the threads serves requests without one."""


def address_of(request: HttpRequest) -> str:
    """The client's address: the last entry of X-Forwarded-For, which the gateway adds; earlier ones may be forged.

    Of an IPv6 address the network of 64 bits, because one client has all its addresses.
    """
    forwarded: str = request.META.get("HTTP_X_FORWARDED_FOR", request.META["REMOTE_ADDR"])
    address = forwarded.rsplit(",", 1)[-1].strip()
    try:
        network = ipaddress.ip_network(f"{address}/64", strict=False)
    except ValueError:
        return address
    return str(network) if network.version == 6 else address  # noqa: PLR2004 - IPv6


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """A login that is counted as failed until it succeeds."""

    keys: Sequence[str]

    @classmethod
    def admit(cls, username: str, request: HttpRequest) -> Self:
        """Count a login, unless there were too many failures within the last minute.

        Raises:
            Problem: TOO_MANY_REQUESTS with Retry-After.
        """
        user, address = name_key(username), address_of(request)
        if _is_known_device(request, user):
            limits = {_key("device", user, request.COOKIES[DEVICE_COOKIE]): FAILURES}
            return cls._within(limits)
        shared = {_key("user", user): FAILURES_OF_USER, _key("all"): FAILURES_IN_ALL}
        counted = counters.add(list(shared), seconds=WINDOW_SECONDS)
        strict = any(count > shared[key] for key, count in counted.items())
        limits = {
            _key("user-address", user, address): STRICT_FAILURES if strict else FAILURES,
            _key("address", address): FAILURES_OF_ADDRESS,
        }
        try:
            return cls((*shared, *cls._within(limits).keys))
        except Problem:
            counters.subtract(list(shared))
            raise

    @classmethod
    def _within(cls, limits: dict[str, int]) -> Self:
        counted = counters.add(list(limits), seconds=WINDOW_SECONDS)
        if any(count > limits[key] for key, count in counted.items()):
            counters.subtract(list(limits))
            raise Problem(
                ProblemKind.TOO_MANY_REQUESTS, "too many failed logins; wait a minute", retry_after=WINDOW_SECONDS
            )
        return cls(tuple(limits))

    def succeeded(self) -> None:
        """Count the login no longer."""
        counters.subtract(list(self.keys))


@contextmanager
def hashing() -> Iterator[None]:
    """Hash a password in the block; at most half of the threads do at once.

    Raises:
        Problem: OVERLOADED after some seconds.
    """
    if not _hashing.acquire(timeout=HASHING_WAIT_SECONDS):
        raise Problem(ProblemKind.OVERLOADED, "too many logins are in progress; retry", retry_after=1)
    try:
        yield
    finally:
        _hashing.release()


def remember_device(response: HttpResponse, username: str) -> None:
    """Set the cookie of a device on which a user has logged in."""
    response.set_cookie(
        DEVICE_COOKIE,
        signing.dumps(name_key(username), salt=_SALT),
        max_age=DEVICE_SECONDS,
        httponly=True,
        secure=bool(settings.SESSION_COOKIE_SECURE),
        samesite="Strict",
    )


def _is_known_device(request: HttpRequest, user: str) -> bool:
    try:
        known = signing.loads(request.COOKIES.get(DEVICE_COOKIE, ""), salt=_SALT, max_age=DEVICE_SECONDS)
    except signing.BadSignature:
        return False
    return bool(known == user) and User.objects.filter(name_key=user).exists()


def _key(*parts: str) -> str:
    # A digest, because user input has any characters and length and should not be readable in Redis.
    return f"login-failures:{digest(' '.join(parts).encode())}"
