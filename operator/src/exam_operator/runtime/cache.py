"""All `Exam`s as last seen, from whichever side: the watch, a list, or an answer to a write."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

import structlog

from exam_core.canonical import JsonObject
from exam_operator.model.exam import Exam, ExamKey, key_of

log = structlog.get_logger(__name__)


class ExamCache:
    """What scaling counts. Nothing is decided for an `Exam` from here: that reads it anew."""

    def __init__(self) -> None:
        self._changed: Callable[[], None] = lambda: None
        self._resources: dict[ExamKey, Exam] = {}
        self._complete = asyncio.Event()

    async def complete(self) -> None:
        """Return once all of them have been seen: before that, nobody knows how much is wanted."""
        await self._complete.wait()

    def __iter__(self) -> Iterator[Exam]:
        """All of them."""
        return iter(list(self._resources.values()))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._resources)

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Have somebody called when something that is counted is different."""
        self._changed = changed

    def keep(self, body: JsonObject) -> None:
        """Remember one."""
        try:
            resource = Exam.from_json(body)
        except (KeyError, ValueError) as error:
            log.warning("an Exam cannot be read", exam=str(key_of(body)), error=str(error))
            return
        before = self._resources.get(resource.key)
        self._resources[resource.key] = resource
        if before is None or _counted(before) != _counted(resource):
            self._changed()

    def has(self, body: JsonObject) -> bool:
        """Whether this very version of an Exam is the one last seen."""
        resource = self._resources.get(key_of(body))
        return resource is not None and resource.version == body["metadata"]["resourceVersion"]

    def forget(self, key: ExamKey) -> None:
        """It is gone."""
        if self._resources.pop(key, None) is not None:
            self._changed()

    def listed(self, bodies: Sequence[JsonObject]) -> list[ExamKey]:
        """Take these for all there are; the keys of those that are gone."""
        gone = self._keep_only([key_of(body) for body in bodies])
        for body in bodies:
            self.keep(body)
        self._complete.set()
        return gone

    def _keep_only(self, keys: Iterable[ExamKey]) -> list[ExamKey]:
        """Forget all that are not among these; which ones were."""
        gone = self._resources.keys() - set(keys)
        for key in gone:
            self.forget(key)
        return list(gone)


def _counted(resource: Exam) -> tuple[object, ...]:
    """What scaling depends on."""
    status = resource.status
    return resource.spec, status.get("phase"), status.get("sittingId"), status.get("window")
