"""Verify bearer tokens. A verified token is cached until it expires or is revoked.

Access tokens are signed by web, attempt tokens by the solvers. Expiry is checked against the platform's clock.
"""

from contextlib import suppress

from exam_core.instants import rfc3339
from exam_core.jws import UnknownKeyError
from exam_core.keys import PublicKeySet
from exam_core.problems import Problem, ProblemKind
from exam_core.tokens import Access, Attempt, TokenKind, kind_of, read_access, read_attempt
from exam_solver.auth.rejection import UNKNOWN_KEY, token_rejected
from exam_solver.auth.web_client import WebClient
from exam_solver.caching.lru import Lru
from exam_solver.lease.keeper import LeaseKeeper
from exam_solver.lease.revocations import Revocations

Principal = Access | Attempt


class Authenticator:
    """Returns the principal of a token.

    Args:
        keeper: the platform's time.
        revocations: the revoked tokens.
        attempt_keys: the keys of attempt tokens.
        web: the keys of access tokens.
        cached_tokens: how many verified tokens are cached.
    """

    def __init__(
        self,
        *,
        keeper: LeaseKeeper,
        revocations: Revocations,
        attempt_keys: PublicKeySet,
        web: WebClient,
        cached_tokens: int = 10_000,
    ) -> None:
        self._keeper = keeper
        self._revocations = revocations
        self._attempt_keys = attempt_keys
        self._web = web
        self._verified: Lru[str, Principal] = Lru(cached_tokens)

    async def authenticate(self, token: str) -> Principal:
        """Return the token's principal.

        Raises:
            Problem: UNAUTHENTICATED, TOKEN_EXPIRED, TOKEN_REVOKED; UNAVAILABLE when it cannot be verified now.
        """
        principal = self._verified.get(token)
        if principal is None:
            principal = await self._verify(token)
            self._verified.put(token, principal)
        if isinstance(principal, Attempt):
            subject, attempt = principal.student, True
        else:
            subject, attempt = principal.subject, False
            if self._keeper.time() >= principal.expires_at:
                self._verified.drop(token)
                raise Problem(ProblemKind.TOKEN_EXPIRED, f"the token expired at {rfc3339(principal.expires_at)}")
        self._revocations.check(
            session=str(principal.session), subject=subject, issued_at=principal.issued_at, attempt=attempt
        )
        return principal

    async def _verify(self, token: str) -> Principal:
        try:
            match kind_of(token):
                case TokenKind.ACCESS:
                    return await self._verify_access(token)
                case TokenKind.ATTEMPT:
                    return read_attempt(token, self._attempt_keys)
                case _:
                    raise token_rejected("it is a refresh token")
        except UnknownKeyError as error:
            raise token_rejected(UNKNOWN_KEY) from error
        except (RecursionError, KeyError, TypeError, ValueError) as error:
            raise token_rejected("it is malformed") from error

    async def _verify_access(self, token: str) -> Access:
        now = self._keeper.time()
        with suppress(UnknownKeyError):
            return read_access(token, self._web.keys, now=now)
        with suppress(UnknownKeyError):
            return read_access(token, await self._web.refresh(), now=now)
        return await self._web.introspect(token, now=now)
