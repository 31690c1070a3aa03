"""Who is asking: bearer tokens, checked once and remembered until they expire or are revoked.

Access tokens are web's, attempt tokens are ours. The platform's clock decides what has expired.
"""

from contextlib import suppress

from exam_core.instants import rfc3339
from exam_core.keys import PublicKeySet
from exam_core.problems import Problem, ProblemKind
from exam_core.tokens import Access, Attempt, TokenKind, UnknownKeyError, kind_of, read_access, read_attempt
from exam_solver.auth.web_client import Web
from exam_solver.caching.lru import Lru
from exam_solver.lease.keeper import LeaseKeeper
from exam_solver.lease.revocations import Revocations

Principal = Access | Attempt


class Authenticator:
    """Tells whom a token speaks for.

    Args:
        keeper: the platform's time.
        revocations: what is honoured no longer.
        own: the keys of attempt tokens.
        web: the keys of access tokens.
        remembered: how many verified tokens are kept.
    """

    def __init__(
        self, *, keeper: LeaseKeeper, revocations: Revocations, own: PublicKeySet, web: Web, remembered: int = 10_000
    ) -> None:
        self._keeper = keeper
        self._revocations = revocations
        self._own = own
        self._web = web
        self._verified: Lru[str, Principal] = Lru(remembered)

    async def principal(self, token: str) -> Principal:
        """Whom the token speaks for.

        Raises:
            Problem: UNAUTHENTICATED, TOKEN_EXPIRED, TOKEN_REVOKED; UNAVAILABLE when nobody can tell now.
        """
        principal = self._verified.get(token)
        if principal is None:
            principal = await self._verify(token)
            self._verified.put(token, principal)
        if isinstance(principal, Attempt):
            subject = principal.student
        else:
            subject = principal.subject
            if self._keeper.time() >= principal.expires_at:
                self._verified.drop(token)
                raise Problem(ProblemKind.TOKEN_EXPIRED, f"the token expired at {rfc3339(principal.expires_at)}")
        self._revocations.check(session=str(principal.session), subject=subject, issued_at=principal.issued_at)
        return principal

    async def _verify(self, token: str) -> Principal:
        try:
            match kind_of(token):
                case TokenKind.ACCESS:
                    return await self._verify_access(token)
                case TokenKind.ATTEMPT:
                    return read_attempt(token, self._own)
                case _:
                    raise not_accepted("a refresh token opens nothing here")
        except UnknownKeyError as error:
            raise not_accepted("no known key signed it") from error
        except (RecursionError, KeyError, TypeError, ValueError) as error:
            raise not_accepted("it cannot be read") from error

    async def _verify_access(self, token: str) -> Access:
        now = self._keeper.time()
        with suppress(UnknownKeyError):
            return read_access(token, self._web.keys, now=now)
        with suppress(UnknownKeyError):
            return read_access(token, await self._web.refresh(), now=now)
        return await self._web.introspect(token)


def not_accepted(why: str) -> Problem:
    """UNAUTHENTICATED for a token that was sent."""
    return Problem(ProblemKind.UNAUTHENTICATED, f"the token is not accepted: {why}")
