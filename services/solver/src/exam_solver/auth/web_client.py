"""What the solver asks web: its public keys, and about a token whose key it cannot get.

Web may be down: what is known stays good, what is not known is answered with 503 instead of being refused.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import httpx
import structlog

from exam_core.instants import SECOND
from exam_core.keys import PublicKeySet
from exam_core.problems import Problem, ProblemKind
from exam_core.tokens import Access
from exam_solver.caching.lru import Lru
from exam_solver.caching.single_flight import SingleFlight
from exam_solver.lease.clock import BootClock

logger = structlog.get_logger(__name__)

COOL_DOWN: Final = 5 * SECOND
"""Between two fetches of the key set for a key that it lacked: forged tokens must not become load on web."""
MAX_AGE: Final = 300 * SECOND
"""A set older than this is fetched anew in the background, so that a withdrawn key is forgotten."""
INTROSPECTIONS: Final = 8
"""Questions to web at once; more are told to come back."""
REFUSAL_KEPT: Final = 30 * SECOND


class Web:
    """Web's key set and its introspection.

    Args:
        http: a client with web's address and time limits.
        clock: the boot clock, for ages and the cool-down.
    """

    def __init__(self, http: httpx.AsyncClient, *, clock: BootClock) -> None:
        self._http = http
        self._clock = clock
        self._keys = PublicKeySet({})
        self._fetched_at: int | None = None
        self._tried_at: int | None = None
        self._fetches: SingleFlight[str, None] = SingleFlight()
        self._asking = asyncio.Semaphore(INTROSPECTIONS)
        self._refused: Lru[str, int] = Lru(1024)

    @property
    def keys(self) -> PublicKeySet:
        """The key set as last fetched; an old one begins to be fetched anew."""
        now = self._clock()
        if self._fetched_at is not None and now - self._fetched_at > MAX_AGE and self._rested(now):
            self._fetches.begin("jwks", self._fetch)
        return self._keys

    async def refresh(self) -> PublicKeySet:
        """The key set after a fetch: the one under way, a new one, or none at all soon after the last."""
        if self._rested(self._clock()):
            await self._fetches.run("jwks", self._fetch)
        else:
            await self._fetches.join("jwks")
        return self._keys

    async def introspect(self, token: str) -> Access:
        """Ask web about a token.

        Raises:
            Problem: UNAUTHENTICATED when web says no, UNAVAILABLE when it does not say.
        """
        until = self._refused.get(token)
        if until is not None and self._clock() < until:
            raise _refused()
        if self._asking.locked():
            raise _no_word("too many tokens are being asked about")
        async with self._asking:
            claims = await self._post("/api/auth/verify", {"token": token})
        try:
            if claims["active"] is True:
                return Access.from_claims(claims)
        except (KeyError, TypeError, ValueError) as error:
            logger.exception("introspection_unreadable", claims=sorted(claims))
            raise _no_word("web's answer cannot be read") from error
        self._refused.put(token, self._clock() + REFUSAL_KEPT)
        raise _refused()

    async def close(self) -> None:
        """Give up what is under way and the connections."""
        await self._fetches.close()
        await self._http.aclose()

    def _rested(self, now: int) -> bool:
        return self._tried_at is None or now - self._tried_at >= COOL_DOWN

    async def _fetch(self) -> None:
        self._tried_at = self._clock()
        try:
            answer = await self._http.get("/.well-known/jwks.json", headers=_headers())
            answer.raise_for_status()
            self._keys = PublicKeySet.from_jwks(answer.json())
            self._fetched_at = self._clock()
        except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
            logger.warning("key_set_not_fetched", error=repr(error))

    async def _post(self, path: str, body: Mapping[str, str]) -> Mapping[str, Any]:
        try:
            answer = await self._http.post(path, json=body, headers=_headers())
            answer.raise_for_status()
            said = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            logger.warning("introspection_failed", error=repr(error))
            raise _no_word("web does not answer") from error
        if not isinstance(said, dict):
            raise _no_word("web's answer cannot be read")
        return said


def _headers() -> dict[str, str]:
    """The request's id travels on."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return {"X-Request-ID": request_id} if request_id else {}


def _refused() -> Problem:
    return Problem(ProblemKind.UNAUTHENTICATED, "the token is not accepted: no known key signed it")


def _no_word(why: str) -> Problem:
    return Problem(
        ProblemKind.UNAVAILABLE, f"the token's key is not known here and {why}; try again soon", retry_after=2
    )
