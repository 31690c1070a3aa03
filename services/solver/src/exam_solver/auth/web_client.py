"""The client of web's API: its public keys, and the introspection of tokens whose key cannot be fetched.

Web may be down: cached keys stay valid, and a token that cannot be verified is answered with 503, not 401.
"""

import asyncio
from collections import deque
from typing import Final

import httpx
import structlog

from exam_core.canonical import JsonObject
from exam_core.instants import SECOND
from exam_core.keys import PublicKeySet, SigningKeys
from exam_core.problems import Problem, ProblemKind
from exam_core.service_tokens import Caller, sign_service_token
from exam_core.tokens import Access
from exam_runtime.boot_clock import BootClock
from exam_runtime.request_id import request_id_headers
from exam_solver.auth.rejection import UNKNOWN_KEY, token_rejected
from exam_solver.caching.lru import Lru
from exam_solver.caching.single_flight import SingleFlight

logger = structlog.get_logger(__name__)

FETCH_INTERVAL: Final = 5 * SECOND
"""At least this long between two fetches of the key set, so that forged tokens do not become load on web."""
MAX_AGE: Final = 300 * SECOND
"""An older key set is fetched again in the background, so that a withdrawn key is dropped."""
MAX_INTROSPECTIONS: Final = 8
"""Concurrent introspections; more are refused with UNAVAILABLE."""
INTROSPECTIONS: Final = 10
"""Introspections within `FETCH_INTERVAL`; more are refused likewise. Tokens of known keys need none."""
REJECTION_CACHED: Final = 30 * SECOND


class WebClient:
    """Fetches web's key set and introspects tokens.

    Args:
        http: a client with web's base URL and timeouts.
        internal_url: the base URL of web's internal API.
        keys: the keys that sign requests to it.
        clock: the boot clock, for the age of the key set and the time between fetches.
    """

    def __init__(self, http: httpx.AsyncClient, *, internal_url: str, keys: SigningKeys, clock: BootClock) -> None:
        self._http = http
        self._introspection_url = f"{internal_url.rstrip('/')}/internal/tokens/verify"
        self._service_keys = keys
        self._clock = clock
        self._keys = PublicKeySet({})
        self._fetched_at: int | None = None
        self._tried_at: int | None = None
        self._fetches: SingleFlight[str, None] = SingleFlight()
        self._introspections = asyncio.Semaphore(MAX_INTROSPECTIONS)
        self._introspected_at: deque[int] = deque(maxlen=INTROSPECTIONS)
        self._rejected: Lru[str, int] = Lru(1024)

    @property
    def keys(self) -> PublicKeySet:
        """The cached key set; if it is too old, a fetch starts in the background."""
        now = self._clock()
        if self._fetched_at is not None and now - self._fetched_at > MAX_AGE and self._may_fetch(now):
            self._fetches.start("jwks", self._fetch)
        return self._keys

    async def refresh(self) -> PublicKeySet:
        """Fetch the key set, joining a running fetch; soon after the last fetch, return the cached one instead."""
        if self._may_fetch(self._clock()):
            await self._fetches.run("jwks", self._fetch)
        else:
            await self._fetches.join("jwks")
        return self._keys

    async def introspect(self, token: str, *, now: int) -> Access:
        """Ask web whether a token is active; `now` is the platform's time.

        Raises:
            Problem: UNAUTHENTICATED when it is not, UNAVAILABLE when web does not respond.
        """
        until = self._rejected.get(token)
        if until is not None and self._clock() < until:
            raise token_rejected(UNKNOWN_KEY)
        if self._introspections.locked() or not self._may_introspect(self._clock()):
            raise _unavailable("too many tokens of unknown keys arrive")
        self._introspected_at.append(self._clock())
        async with self._introspections:
            claims = await self._introspect(token, now)
        try:
            if claims["active"] is True:
                return Access.from_claims(claims)
        except (KeyError, TypeError, ValueError) as error:
            logger.exception("introspection_malformed", claims=sorted(claims))
            raise _unavailable("web's response is invalid") from error
        self._rejected.put(token, self._clock() + REJECTION_CACHED)
        raise token_rejected(UNKNOWN_KEY)

    async def close(self) -> None:
        """Cancel running fetches and close the connections."""
        await self._fetches.close()
        await self._http.aclose()

    def _may_fetch(self, now: int) -> bool:
        return self._tried_at is None or now - self._tried_at >= FETCH_INTERVAL

    def _may_introspect(self, now: int) -> bool:
        full = len(self._introspected_at) == INTROSPECTIONS
        return not full or now - self._introspected_at[0] >= FETCH_INTERVAL

    async def _fetch(self) -> None:
        self._tried_at = self._clock()
        try:
            response = await self._http.get("/.well-known/jwks.json", headers=request_id_headers())
            response.raise_for_status()
            self._keys = PublicKeySet.from_jwks(response.json())
            self._fetched_at = self._clock()
        except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
            logger.warning("key_set_fetch_failed", error=repr(error))

    async def _introspect(self, token: str, now: int) -> JsonObject:
        own = sign_service_token(Caller.SOLVER, self._service_keys, now=now)
        headers = {**request_id_headers(), "Authorization": f"Bearer {own}"}
        try:
            response = await self._http.post(self._introspection_url, json={"token": token}, headers=headers)
            response.raise_for_status()
            content = response.json()
        except (httpx.HTTPError, ValueError) as error:
            logger.warning("introspection_failed", error=repr(error))
            raise _unavailable("web does not respond") from error
        if not isinstance(content, dict):
            raise _unavailable("web's response is invalid")
        return content


def _unavailable(reason: str) -> Problem:
    return Problem(
        ProblemKind.UNAVAILABLE,
        f"the token cannot be verified: its key is unknown here and {reason}; try again soon",
        retry_after=2,
    )
