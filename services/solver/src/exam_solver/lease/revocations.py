"""Tokens that are honoured no longer. They are PostgreSQL's and come with the lease, so losing Redis loses none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import structlog

from exam_core.problems import Problem, ProblemKind

logger = structlog.get_logger(__name__)


class RevocationKind(StrEnum):
    """What a revocation's value names."""

    SESSION = "session"
    SUBJECT = "subject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One row as the lease function hands it out; instants in µs.

    `kind` stays text: a release that knows more kinds must not stop this one from renewing its lease.
    """

    id: int
    kind: str
    value: str
    before: int
    expires_at: int

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read one entry of the lease function's answer."""
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


class Revocations:
    """What this process knows of revoked tokens. It outlives a lapsed lease: a revocation is never taken back."""

    def __init__(self) -> None:
        self.latest = 0
        """The highest id known."""
        self._sessions: dict[str, int] = {}
        self._subjects: dict[str, _Subject] = {}

    def learn(self, revocations: Iterable[Revocation], *, now: int) -> None:
        """Add what a renewal told and forget what has expired: tokens that old are refused for their age."""
        for revocation in revocations:
            self.latest = max(self.latest, revocation.id)
            match revocation.kind:
                case RevocationKind.SESSION:
                    self._sessions[revocation.value] = max(
                        revocation.expires_at, self._sessions.get(revocation.value, 0)
                    )
                case RevocationKind.SUBJECT:
                    known = self._subjects.get(revocation.value, _Subject(0, 0))
                    self._subjects[revocation.value] = _Subject(
                        max(revocation.before, known.before), max(revocation.expires_at, known.expires_at)
                    )
                case _:
                    logger.error("revocation_of_unknown_kind", id=revocation.id, kind=revocation.kind)
        self._sessions = {sid: expires for sid, expires in self._sessions.items() if expires > now}
        self._subjects = {sub: entry for sub, entry in self._subjects.items() if entry.expires_at > now}

    def check(self, *, session: str, subject: int, issued_at: int) -> None:
        """Refuse a revoked token.

        Raises:
            Problem: TOKEN_REVOKED.
        """
        if session in self._sessions:
            raise Problem(ProblemKind.TOKEN_REVOKED, "the session was ended; log in again")
        entry = self._subjects.get(str(subject))
        if entry is not None and issued_at < entry.before:
            raise Problem(ProblemKind.TOKEN_REVOKED, "the account's tokens were revoked; log in again")
