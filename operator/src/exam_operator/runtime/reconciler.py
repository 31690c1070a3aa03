"""One look at one `Exam`: observe, plan, act, until there is nothing to do; then say how it stands."""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any

import structlog

from exam_core.canonical import JsonObject
from exam_core.instants import SECOND
from exam_core.schedule import State
from exam_operator import metrics
from exam_operator.clients.errors import ConflictError, RejectedError, UnavailableError
from exam_operator.clients.kubernetes import API_SERVER, KubernetesClient
from exam_operator.clients.web import WebClient
from exam_operator.decide.manifests import SITTING_LABEL, event, job_name
from exam_operator.decide.plan import RETRY_REJECTED_AFTER, Action, Verb, next_revision, plan
from exam_operator.decide.status import EventRecord, Fault, Phase, degraded_status, events_for, moment, status_of
from exam_operator.model.exam import Exam, ExamKey
from exam_operator.model.observed import Job, JobState, ObservedState, Rejection, Sitting
from exam_operator.runtime.cache import ExamCache
from exam_operator.runtime.executor import Executor
from exam_operator.runtime.scaling import Scaling

log = structlog.get_logger(__name__)

PASSES = 24
"""More steps than a whole life has: whoever needs more goes in circles, and somebody else's turn comes first."""
IN_CIRCLES = SECOND
COUNT_EVERY = 0.5
"""Seconds for which a count of running Jobs is good enough to say that there is no place for another."""
CLOSE_PATH_BACKOFF = 1.0
"""Seconds, doubled once: what students wait for is not put off for longer."""
LONGEST_BACKOFF = 30.0


class Reconciler:
    """Sees to it that each `Exam` becomes what it wishes to be.

    Args:
        kube: the API server.
        platform: web.
        hands: carries plans out.
        scaling: knows how many solver pods there are.
        inventory: what was seen of all Exams.
        max_jobs: how many grading Jobs may run at once.
    """

    def __init__(
        self,
        kube: KubernetesClient,
        web: WebClient,
        executor: Executor,
        scaling: Scaling,
        cache: ExamCache,
        *,
        max_jobs: int,
    ) -> None:
        self._kube = kube
        self._web = web
        self._executor = executor
        self._scaling = scaling
        self._cache = cache
        self._max_jobs = max_jobs
        self._releasing = asyncio.Lock()
        self._counted_at = -COUNT_EVERY
        self._had_slot = True
        self._rejections: dict[ExamKey, dict[Verb, Rejection]] = {}
        self._failures: dict[ExamKey, int] = {}

    def forget(self, key: ExamKey) -> None:
        """It is gone."""
        self._rejections.pop(key, None)
        self._failures.pop(key, None)
        self._cache.forget(key)

    async def reconcile(self, key: ExamKey) -> int | None:
        """Bring one `Exam` on as far as it goes; when to look again (µs from now), None when nothing is due."""
        with structlog.contextvars.bound_contextvars(exam=str(key), sitting=key.sitting):
            try:
                again = await self._until_rest(key)
            except UnavailableError as error:
                metrics.RECONCILES.labels("away").inc()
                return await self._put_off(key, error)
            metrics.RECONCILES.labels("rest").inc()
            self._failures.pop(key, None)
            return again

    async def _until_rest(self, key: ExamKey) -> int | None:
        told: Sitting | None = None
        for _ in range(PASSES):
            # The sitting before the resource: then its epoch is older than the wish, and whoever carries an older wish
            # to PostgreSQL than somebody else just did is told so there.
            sitting = told or await self._web.look(key.sitting)
            body = await self._kube.exam(key)
            if body is None:
                self.forget(key)
                return None
            resource = Exam.from_json(body)
            self._cache.keep(body)
            now = sitting.now if sitting is not None else self._web.now
            observed = await self._observe(resource, sitting, now)
            planned = plan(resource, observed, now)
            if planned.action is not None:
                told = await self._act(resource, observed, planned.action, now)
                if planned.action.verb is Verb.CLOSE:
                    # Those that end in the same second come first; what is to be said of this one can wait for them.
                    return 0
            elif not await self._tell(body, resource, observed, now):
                return None if planned.requeue_at is None else max(0, planned.requeue_at - self._web.now)
            else:
                told = sitting
        return IN_CIRCLES

    async def _observe(self, resource: Exam, sitting: Sitting | None, now: int) -> ObservedState:
        rejections = self._rejections.get(resource.key, {}).values()
        job, slot = None, True
        if sitting is not None and sitting.state in (State.CLOSING, State.SEALED) and sitting.drained:
            revision = next_revision(resource, sitting)
            if revision is not None:
                job = await self._job(sitting, revision)
                slot = job is None or job.state is not JobState.SUSPENDED or await self._may_have_slot()
        return ObservedState(
            sitting=sitting,
            job=job,
            job_slot=slot,
            rejections=tuple(each for each in rejections if now < each.at + RETRY_REJECTED_AFTER),
            namespace_terminating=resource.deleting and await self._kube.namespace_terminating(resource.key.namespace),
        )

    async def _job(self, sitting: Sitting, revision: int) -> Job | None:
        name = job_name(sitting.id, revision)
        body = await self._kube.job(name)
        if body is None:
            return None
        if body["metadata"].get("labels", {}).get(SITTING_LABEL) != sitting.id:
            raise UnavailableError(f"Job {name}", "is of another sitting, or somebody else's: delete it")
        return Job.from_json(body)

    async def _may_have_slot(self) -> bool:
        """Whether another Job may run, as of a moment ago: hundreds that wait must not count hundreds of Jobs each."""
        loop = asyncio.get_running_loop()
        if loop.time() > self._counted_at + COUNT_EVERY:
            self._counted_at = loop.time()
            self._had_slot = await self._has_slot()
        return self._had_slot

    async def _has_slot(self) -> bool:
        running = [job for job in map(Job.from_json, await self._kube.jobs()) if job.state is JobState.RUNNING]
        return len(running) < self._max_jobs

    async def _act(self, resource: Exam, observed: ObservedState, action: Action, now: int) -> Sitting | None:
        """Do what was planned; the sitting afterwards, where that was told."""
        outcome, told = "done", None
        try:
            if action.verb is Verb.RELEASE_JOB:
                # Counted and released under one lock: two at once must not both take the last place.
                async with self._releasing:
                    if await self._has_slot():
                        await self._executor.do(resource, observed, action)
            else:
                told = await self._executor.do(resource, observed, action)
            self._rejections.get(resource.key, {}).pop(action.verb, None)
        except RejectedError as error:
            outcome = "refused"
            rejected = Rejection(
                action=action.verb.value,
                generation=resource.generation,
                at=now,
                reason=error.reason,
                message=error.message,
            )
            self._rejections.setdefault(resource.key, {})[action.verb] = rejected
        except ConflictError as error:
            outcome = "outdated"
            log.info("looking again", verb=action.verb.value, why=str(error))
        except UnavailableError:
            outcome = "away"
            raise
        finally:
            metrics.ACTIONS.labels(action.verb.value, outcome).inc()
            log.info("action", verb=action.verb.value, outcome=outcome, revision=action.revision or None)
        return told

    async def _tell(self, body: JsonObject, resource: Exam, observed: ObservedState, now: int) -> bool:
        """Bring the status up to date; whether it was not."""
        capacity = self._scaling.capacity(resource, now)
        status = status_of(resource, observed, capacity, self._web.skew, now)
        metrics.PLATFORM_SKEW.set(self._web.skew / SECOND)
        return await self._write(body, resource, status, now)

    async def _write(self, body: JsonObject, resource: Exam, status: Mapping[str, Any], now: int) -> bool:
        if status == resource.status:
            return False
        try:
            if not resource.deleting:
                # Before the status: an Event said twice is one, a status that was written hides what led to it.
                for record in events_for(resource, dict(status)):
                    await self._say(resource, record, now)
            self._cache.keep(await self._kube.set_status(body, status))
        except ConflictError as error:
            log.info("looking again", verb="status", why=str(error))
        return True

    async def _say(self, resource: Exam, record: EventRecord, now: int) -> None:
        what = f"{resource.key.uid} {resource.generation} {record.reason} {record.message}"
        name = f"{resource.key.name}.{hashlib.sha256(what.encode()).hexdigest()[:16]}"
        await self._kube.say(
            event(
                resource.key,
                name=name,
                warning=record.warning,
                reason=record.reason,
                message=record.message,
                at=moment(now // SECOND * SECOND) or "",
            )
        )

    async def _put_off(self, key: ExamKey, error: UnavailableError) -> int:
        """Say what is wrong, where that can be said, and come back after a while."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        log.warning("put off", why=str(error), failures=failures)
        hurried = False
        if error.who != API_SERVER:
            try:
                hurried = await self._report_fault(key, error)
            except UnavailableError as other:
                log.warning("the trouble cannot be told", why=str(other))
        backoff = CLOSE_PATH_BACKOFF * 2 ** (failures - 1)
        longest = 2 * CLOSE_PATH_BACKOFF if hurried else LONGEST_BACKOFF
        return int(max(min(backoff, longest), error.retry_after or 0) * SECOND)

    async def _report_fault(self, key: ExamKey, error: UnavailableError) -> bool:
        """Put the trouble into the status; whether the sitting is at its end, where every second is waited for."""
        body = await self._kube.exam(key)
        if body is None:
            return False
        resource = Exam.from_json(body)
        now = self._web.now
        fault = Fault(reason=_camel(error.who), message=str(error))
        await self._write(body, resource, degraded_status(resource, fault, now), now)
        ending = resource.status.get("phase") in {Phase.OPEN, Phase.PAUSED, Phase.CLOSING, Phase.GRADING}
        return ending or now >= resource.spec.window.closes_at


def _camel(who: str) -> str:
    """The reason for somebody who is away: ``WebUnavailable``."""
    return "".join(part.capitalize() for part in who.split() if part.isalpha()) + "Unavailable"
