"""The last seen version of each `Exam`, from the watch, a list, or the response to a write."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

import structlog

from exam_core.canonical import JsonObject
from exam_operator.model.exam import Exam, ExamKey, UnreadableExamError, key_of

log = structlog.get_logger(__name__)


class ExamCache:
    """All Exams, for scaling. The reconciler does not use it: it reads each Exam from the API server."""

    def __init__(self) -> None:
        self._on_change: Callable[[], None] = lambda: None
        self._exams: dict[ExamKey, Exam] = {}
        self._synced = asyncio.Event()

    async def wait_synced(self) -> None:
        """Return once all Exams have been listed; before that, the demand is not known."""
        await self._synced.wait()

    def __iter__(self) -> Iterator[Exam]:
        """All Exams."""
        return iter(list(self._exams.values()))

    def __len__(self) -> int:
        """How many Exams there are."""
        return len(self._exams)

    def subscribe(self, on_change: Callable[[], None]) -> None:
        """Call a function whenever something that the demand depends on has changed."""
        self._on_change = on_change

    def put(self, body: JsonObject) -> None:
        """Store an Exam."""
        try:
            exam = Exam.from_json(body)
        except UnreadableExamError as error:
            log.warning("exam_parse_failed", exam=str(key_of(body)), error=str(error))
            return
        before = self._exams.get(exam.key)
        self._exams[exam.key] = exam
        if before is None or _demand_inputs(before) != _demand_inputs(exam):
            self._on_change()

    def is_current(self, body: JsonObject) -> bool:
        """Whether this version of an Exam is the one in the cache."""
        exam = self._exams.get(key_of(body))
        return exam is not None and exam.resource_version == body["metadata"]["resourceVersion"]

    def remove(self, key: ExamKey) -> None:
        """Drop an Exam."""
        if self._exams.pop(key, None) is not None:
            self._on_change()

    def replace_all(self, bodies: Sequence[JsonObject]) -> list[ExamKey]:
        """Replace the content by a full list; returns the keys of the Exams that no longer exist."""
        removed = self._retain([key_of(body) for body in bodies])
        for body in bodies:
            self.put(body)
        self._synced.set()
        return removed

    def _retain(self, keys: Iterable[ExamKey]) -> list[ExamKey]:
        """Drop all other Exams; returns their keys."""
        removed = self._exams.keys() - set(keys)
        for key in removed:
            self.remove(key)
        return list(removed)


def _demand_inputs(exam: Exam) -> tuple[object, ...]:
    status = exam.status
    return exam.spec, status.phase, status.sitting_id, status.window
