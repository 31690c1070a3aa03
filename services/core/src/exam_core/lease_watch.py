"""Proof that a lease has expired, by the clock of the process that waits for it.

A closer (web or grader) reads the lease rows again and again. Every renewal raises a row's counter, so a row that was
seen unchanged for the lease's length on the closer's own monotonic clock has not been renewed meanwhile, and its holder
no longer considers it valid. No wall clock takes part: PostgreSQL's may step, for example at a failover to a primary
whose clock differs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    """A lease as PostgreSQL stores it.

    Attributes:
        holder: the solver process.
        renewals: how often it was renewed.
        ttl: how long a renewal is valid (µs).
        drained_epoch: the epoch up to which everything that the holder admitted is finished.
    """

    holder: UUID
    renewals: int
    ttl: int
    drained_epoch: int


@dataclass(frozen=True, slots=True)
class _Sighting:
    """A row's counter, and when the row was first seen with it."""

    renewals: int
    since: int


class LeaseWatch:
    """Remembers since when each lease row is unchanged, as seen by one process.

    A process that restarts begins anew, which only makes it wait longer. Rows that are gone are forgotten, so that the
    memory is bounded by the number of rows. Threads may share a watch: of two concurrent observations the last one is
    kept, and a sighting that is lost that way is made again later.

    Args:
        margin: how much longer than its ttl a lease counts (µs): the drift allowed between two machines' clocks.
    """

    def __init__(self, *, margin: int) -> None:
        self._margin = margin
        self._sightings: dict[UUID, _Sighting] = {}

    def observe(self, rows: Iterable[LeaseRow], now: int) -> list[LeaseRow]:
        """Record the present rows; returns those that are proved expired, in the order of their holders.

        Delete a returned row only while it still has the same `renewals`: a renewal may have come in between.

        Args:
            rows: all rows, read before `now`.
            now: this process's monotonic clock (µs).
        """
        before, rows = self._sightings, list(rows)
        self._sightings = {row.holder: _sighting(before.get(row.holder), row, now) for row in rows}
        return sorted((row for row in rows if not self.remaining(row, now)), key=lambda row: row.holder)

    def remaining(self, row: LeaseRow, now: int) -> int:
        """Until the row is proved expired if it is not renewed (µs)."""
        since = _sighting(self._sightings.get(row.holder), row, now).since
        return max(0, since + row.ttl + self._margin - now)


def _sighting(known: _Sighting | None, row: LeaseRow, now: int) -> _Sighting:
    """Since when the row is seen with its present counter."""
    return known if known is not None and known.renewals == row.renewals else _Sighting(row.renewals, now)
