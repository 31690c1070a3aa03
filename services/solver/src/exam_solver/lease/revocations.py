"""Revoked tokens. They are stored in PostgreSQL and delivered with each renewal, so losing Redis loses none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush
from typing import Any, Self

import structlog

from exam_core.problems import Problem, ProblemKind

logger = structlog.get_logger(__name__)


class RevocationKind(StrEnum):
    """What the value of a revocation identifies."""

    SESSION = "session"
    """All tokens of a login."""
    CHAIN = "chain"
    """A login's refresh and access tokens, not the attempts started with it."""
    SUBJECT = "subject"
    """All tokens of a student that were issued before an instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One row as the lease function returns it; instants in µs.

    `kind` is any text: a kind that a newer release added must not stop this one from renewing its lease.
    """

    id: int
    kind: str
    value: str
    before: int
    expires_at: int

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Parse one entry of the lease function's result."""
        return cls(
            id=int(body["id"]),
            kind=str(body["kind"]),
            value=str(body["value"]),
            before=int(body["before"]),
            expires_at=int(body["expires_at"]),
        )


@dataclass(frozen=True, slots=True)
class _Subject:
    before: int
    expires_at: int


_Key = tuple[str, str]
"""Kind and value."""


class Revocations:
    """The revocations known to this process. They are kept when the lease lapses, because none is ever undone."""

    def __init__(self) -> None:
        self.latest = 0
        """The highest known id: the next renewal fetches those above it."""
        self._as_of = 0
        self._logins: dict[_Key, int] = {}
        self._subjects: dict[str, _Subject] = {}
        self._expiries: list[tuple[int, _Key]] = []
        """A heap of when entries expire, so that a renewal visits those that have expired, and no others."""

    def __len__(self) -> int:
        return len(self._logins) + len(self._subjects)

    def missing(self, *, now: int, since: int) -> bool:
        """Whether some that have not expired may be missing after an update with those above id `since`.

        At an earlier time than that of the last update, revocations that were dropped, or never received, because they
        had expired have not expired yet.
        """
        return now < self._as_of and since > 0

    def fetch_all(self) -> None:
        """Let the next renewal fetch all revocations."""
        self.latest = 0

    def update(self, revocations: Iterable[Revocation], *, now: int) -> None:
        """Add the revocations of a renewal and drop expired ones, whose tokens have expired too."""
        self._as_of = now
        for revocation in revocations:
            self.latest = max(self.latest, revocation.id)
            match revocation.kind:
                case RevocationKind.SESSION | RevocationKind.CHAIN:
                    login = (revocation.kind, revocation.value)
                    self._logins[login] = max(revocation.expires_at, self._logins.get(login, 0))
                    heappush(self._expiries, (revocation.expires_at, login))
                case RevocationKind.SUBJECT:
                    current = self._subjects.get(revocation.value, _Subject(0, 0))
                    self._subjects[revocation.value] = _Subject(
                        max(revocation.before, current.before), max(revocation.expires_at, current.expires_at)
                    )
                    heappush(self._expiries, (revocation.expires_at, (revocation.kind, revocation.value)))
                case _:
                    logger.error("revocation_ignored", id=revocation.id, kind=revocation.kind)
        while self._expiries and self._expiries[0][0] <= now:
            self._drop(heappop(self._expiries)[1], now)

    def _drop(self, key: _Key, now: int) -> None:
        """Drop an entry, unless a later revocation extended it."""
        kind, value = key
        if kind == RevocationKind.SUBJECT:
            if (entry := self._subjects.get(value)) is not None and entry.expires_at <= now:
                del self._subjects[value]
        elif self._logins.get(key, now + 1) <= now:
            del self._logins[key]

    def check(self, *, session: str, subject: int, issued_at: int, attempt: bool) -> None:
        """Check that a token is not revoked; an attempt token does not end with its login's chain.

        Raises:
            Problem: TOKEN_REVOKED.
        """
        if (RevocationKind.SESSION, session) in self._logins or (
            not attempt and (RevocationKind.CHAIN, session) in self._logins
        ):
            raise Problem(ProblemKind.TOKEN_REVOKED, "the session was ended; log in again")
        entry = self._subjects.get(str(subject))
        if entry is not None and issued_at < entry.before:
            raise Problem(ProblemKind.TOKEN_REVOKED, "the account's tokens were revoked; log in again")
