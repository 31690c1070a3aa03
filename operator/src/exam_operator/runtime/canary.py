"""Whether the watch still sings: what a list has shown, the watch must have shown soon after.

A watch may go silent without an error, and a process that only answers probes would not know. So each full list is held
against what the watch has told; an API server that is away proves nothing, for then there is no list.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from exam_core.canonical import JsonObject
from exam_core.instants import SECOND
from exam_operator.model.exam import ExamKey, key_of

UNSEEN_BOUND = 20 * SECOND


@dataclass(frozen=True, slots=True)
class _Missed:
    listed: str
    seen: str | None
    since: int


class Canary:
    """Compares lists with the watch; times are UTC in µs."""

    def __init__(self) -> None:
        self._seen: dict[ExamKey, str] = {}
        self._missed: dict[ExamKey, _Missed] = {}

    def watched(self, body: JsonObject, *, gone: bool) -> None:
        """The watch told of an object."""
        key = key_of(body)
        self._missed.pop(key, None)
        if gone:
            self._seen.pop(key, None)
        else:
            self._seen[key] = body["metadata"]["resourceVersion"]

    def listed(self, bodies: Iterable[JsonObject], now: int) -> None:
        """A list told of all objects."""
        versions = {key_of(body): body["metadata"]["resourceVersion"] for body in bodies}
        missed = {key: version for key, version in versions.items() if self._seen.get(key) != version}
        self._missed = {
            key: self._missed.get(key) or _Missed(version, self._seen.get(key), now) for key, version in missed.items()
        }
        self._seen = {key: version for key, version in self._seen.items() if key in versions}

    def silent(self, now: int) -> str:
        """Why the watch is taken for silent; empty while it is not."""
        for key, missed in self._missed.items():
            if now - missed.since > UNSEEN_BOUND:
                return f"the watch has not told of {key} at version {missed.listed}, which a list showed long ago"
        return ""
