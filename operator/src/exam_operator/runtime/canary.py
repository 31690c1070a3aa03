"""Detects a stalled watch: what a list has shown, the watch must deliver soon after.

A watch can stall without an error, and a process that only answers probes would not notice. Each full list is
therefore compared with what the watch has delivered. While the API server is unavailable there is no list, so nothing
is reported.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from exam_core.canonical import JsonObject
from exam_core.instants import SECOND
from exam_operator.model.exam import ExamKey, key_of

MAX_LAG = 20 * SECOND


@dataclass(frozen=True, slots=True)
class _Missed:
    listed: str
    delivered: str | None
    since: int


class Canary:
    """Compares lists with the watch; times are UTC in µs."""

    def __init__(self) -> None:
        self._delivered: dict[ExamKey, str] = {}
        self._missed: dict[ExamKey, _Missed] = {}

    def watch_delivered(self, body: JsonObject, *, deleted: bool) -> None:
        """Record an object of the watch."""
        key = key_of(body)
        self._missed.pop(key, None)
        if deleted:
            self._delivered.pop(key, None)
        else:
            self._delivered[key] = body["metadata"]["resourceVersion"]

    def listed(self, bodies: Iterable[JsonObject], now: int) -> None:
        """Compare a full list with what the watch has delivered."""
        versions = {key_of(body): body["metadata"]["resourceVersion"] for body in bodies}
        missed = {key: version for key, version in versions.items() if self._delivered.get(key) != version}
        self._missed = {
            key: self._missed.get(key) or _Missed(version, self._delivered.get(key), now)
            for key, version in missed.items()
        }
        self._delivered = {key: version for key, version in self._delivered.items() if key in versions}

    def stalled(self, now: int) -> str:
        """Why the watch counts as stalled; empty while it does not."""
        for key, missed in self._missed.items():
            if now - missed.since > MAX_LAG:
                return (
                    f"the watch has not delivered {key} at resourceVersion {missed.listed}, "
                    f"listed more than {MAX_LAG // SECOND} s ago"
                )
        return ""
