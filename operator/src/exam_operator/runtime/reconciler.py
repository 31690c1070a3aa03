"""Reconciles one `Exam`: observe, plan, execute, until no action is left; then write the status."""

import asyncio
import hashlib

import structlog

from exam_core.canonical import JsonObject
from exam_core.instants import SECOND
from exam_core.schedule import State
from exam_operator import metrics
from exam_operator.clients.errors import (
    API_SERVER,
    ConflictError,
    NotLeadingError,
    RejectedError,
    UnavailableError,
    UnreachableError,
)
from exam_operator.clients.kubernetes import KubernetesClient
from exam_operator.clients.web import WebClient
from exam_operator.decide.events import EventRecord, events_for
from exam_operator.decide.manifests import SITTING_LABEL, event, job_name
from exam_operator.decide.plan import RETRY_REJECTED_AFTER, Action, Verb, next_revision, plan
from exam_operator.decide.settled import idle_poll
from exam_operator.decide.status import Fault, degraded_status, status_of
from exam_operator.model.exam import Exam, ExamKey, UnreadableExamError, key_of
from exam_operator.model.instants import format_instant
from exam_operator.model.observed import Job, JobState, ObservedState, Rejection, Sitting
from exam_operator.model.status import ExamStatus, Phase
from exam_operator.runtime.cache import ExamCache
from exam_operator.runtime.executor import Executor
from exam_operator.runtime.scaling import Scaling

log = structlog.get_logger(__name__)

MAX_STEPS = 24
"""More steps than the whole life of an Exam takes. Guards against a reconcile loop, and lets other Exams in between."""
JOB_COUNT_TTL = 0.5
"""Seconds for which a count of running Jobs is cached. It only shows that no slot is free; a release counts again."""
CLOSE_PATH_BACKOFF = 1.0
"""Seconds, doubled once: students wait for the end of a sitting, so its retries are not delayed further."""
MAX_BACKOFF = 30.0
"""Seconds; a service that names a longer time is asked again after this."""
MAX_DOUBLINGS = 8
"""More would overflow when a service is down for days."""
BEFORE_OPENING = frozenset({Phase.SCHEDULED, Phase.WARMING})
ENDING = frozenset({Phase.OPEN, Phase.PAUSED, Phase.CLOSING, Phase.GRADING})


class UnsettledError(Exception):
    """An Exam needs one action after another without end."""


class ForeignJobError(Exception):
    """A Job that is not the operator's has the name of a grading Job."""


class Reconciler:
    """Reconciles each `Exam` with its sitting.

    Args:
        kube: the API server.
        web: web's internal API.
        executor: executes planned actions.
        scaling: knows how many solver pods are ready.
        cache: all Exams.
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
        self._release_lock = asyncio.Lock()
        self._counted_at = -JOB_COUNT_TTL
        self._slot_free = True
        self._rejections: dict[ExamKey, dict[Verb, Rejection]] = {}
        self._failures: dict[ExamKey, int] = {}
        self._degraded: dict[ExamKey, str] = {}

    def forget(self, key: ExamKey) -> None:
        """Drop everything about an Exam that no longer exists."""
        self._rejections.pop(key, None)
        self._failures.pop(key, None)
        self._export_degraded(key, None)
        self._cache.remove(key)

    def stand_down(self) -> None:
        """Drop what this process has exported about Exams: another replica reconciles them."""
        for key in list(self._degraded):
            self._export_degraded(key, None)
        self._failures.clear()

    async def reconcile(self, key: ExamKey) -> int | None:
        """Reconcile one `Exam`; returns µs until it is due again, None when nothing is due.

        Every fault is reported in the status and retried: an error with one Exam must not stop the others.
        """
        with structlog.contextvars.bound_contextvars(exam=str(key), sitting=key.sitting):
            try:
                requeue_after = await self._reconcile_until_idle(key)
            except UnavailableError as error:
                metrics.RECONCILES.labels("unavailable").inc()
                fault = Fault(reason=error.reason, message=str(error))
                return await self._defer(key, fault, retry_after=error.retry_after, report=_is_reportable(error))
            except UnreadableExamError as error:
                metrics.RECONCILES.labels("fault").inc()
                message = f"this release of the operator cannot read the spec: {error}"
                return await self._defer(key, Fault(reason="SpecUnreadable", message=message))
            except UnsettledError as error:
                metrics.RECONCILES.labels("fault").inc()
                return await self._defer(key, Fault(reason="NotSettled", message=str(error)))
            except ForeignJobError as error:
                metrics.RECONCILES.labels("fault").inc()
                return await self._defer(key, Fault(reason="ForeignJob", message=str(error)))
            except NotLeadingError:
                # No fault of the Exam; the replica that leads reconciles it.
                raise
            except Exception as error:
                metrics.RECONCILES.labels("fault").inc()
                log.exception("reconcile_failed")
                # Not the error's text: it may quote what was read.
                message = f"unexpected {type(error).__name__}; the operator's log has the details"
                return await self._defer(key, Fault(reason="InternalError", message=message))
            metrics.RECONCILES.labels("settled").inc()
            self._failures.pop(key, None)
            return requeue_after

    async def _reconcile_until_idle(self, key: ExamKey) -> int | None:
        sitting_after: Sitting | None = None
        drain_requested = False
        last = "write-status"
        for _ in range(MAX_STEPS):
            # Read the sitting before the resource. Then its epoch is older than the spec, and a change that carries an
            # outdated spec is rejected by PostgreSQL, because a newer one has raised the epoch.
            sitting = sitting_after or await self._web.get_sitting(key.sitting)
            body = await self._kube.get_exam(key)
            if body is None:
                self.forget(key)
                return None
            exam = Exam.from_json(body)
            self._cache.put(body)
            now = sitting.now if sitting is not None else self._web.now
            observed = await self._observe(exam, sitting, now, drain_requested=drain_requested)
            planned = plan(exam, observed, now)
            if planned.action is not None:
                last = planned.action.verb.value
                sitting_after = await self._execute(exam, observed, planned.action, now)
                drain_requested |= planned.action.verb is Verb.DRAIN
                if planned.action.verb is Verb.CLOSE:
                    # Sittings that end in the same second are closed first; the status of this one can wait.
                    return 0
            elif not await self._update_status(body, exam, observed, now):
                return idle_poll(exam) if planned.requeue_at is None else max(0, planned.requeue_at - self._web.now)
            else:
                sitting_after = sitting
        raise UnsettledError(f"not settled after {MAX_STEPS} steps, the last of which was {last}")

    async def _observe(self, exam: Exam, sitting: Sitting | None, now: int, *, drain_requested: bool) -> ObservedState:
        rejections = self._rejections.get(exam.key, {}).values()
        job, slot = None, True
        if sitting is not None and sitting.state in (State.CLOSING, State.SEALED) and sitting.drained:
            revision = next_revision(exam, sitting)
            if revision is not None:
                job = await self._get_job(sitting, revision)
                slot = job is None or job.state is not JobState.SUSPENDED or await self._is_slot_free_cached()
        terminating = exam.deleting and await self._kube.is_namespace_terminating(exam.key.namespace)
        return ObservedState(
            sitting=sitting,
            job=job,
            job_slot=slot,
            rejections=tuple(each for each in rejections if now < each.at + RETRY_REJECTED_AFTER),
            drain_requested=drain_requested,
            namespace_terminating=terminating,
        )

    async def _get_job(self, sitting: Sitting, revision: int) -> Job | None:
        name = job_name(sitting.id, revision)
        body = await self._kube.get_job(name)
        if body is None:
            return None
        if body["metadata"].get("labels", {}).get(SITTING_LABEL) != sitting.id:
            raise ForeignJobError(f"Job {name} belongs to another sitting or to another application; delete it")
        return Job.from_json(body)

    async def _is_slot_free_cached(self) -> bool:
        """Whether another Job may run, cached: hundreds of waiting sittings must not list all Jobs each."""
        loop = asyncio.get_running_loop()
        if loop.time() > self._counted_at + JOB_COUNT_TTL:
            self._counted_at = loop.time()
            self._slot_free = await self._is_slot_free()
        return self._slot_free

    async def _is_slot_free(self) -> bool:
        jobs = map(Job.from_json, await self._kube.list_jobs())
        return sum(job.state is JobState.RUNNING for job in jobs) < self._max_jobs

    async def _execute(self, exam: Exam, observed: ObservedState, action: Action, now: int) -> Sitting | None:
        """Execute a planned action; returns the sitting after it where the response contains it."""
        outcome, sitting_after = "interrupted", None
        try:
            if action.verb is Verb.RELEASE_JOB:
                # Count and release under one lock: two releases at once must not both take the last slot.
                async with self._release_lock:
                    if await self._is_slot_free():
                        await self._executor.execute(exam, observed, action)
            else:
                sitting_after = await self._executor.execute(exam, observed, action)
            self._rejections.get(exam.key, {}).pop(action.verb, None)
            outcome = "done"
        except RejectedError as error:
            outcome = "rejected"
            rejection = Rejection(
                action=action.verb.value,
                generation=exam.generation,
                at=now,
                reason=error.reason,
                message=error.message,
            )
            self._rejections.setdefault(exam.key, {})[action.verb] = rejection
        except ConflictError as error:
            outcome = "conflict"
            log.info("action_conflicted", verb=action.verb.value, error=str(error))
        except UnavailableError:
            outcome = "unavailable"
            raise
        finally:
            metrics.ACTIONS.labels(action.verb.value, outcome).inc()
            log.info("action_finished", verb=action.verb.value, outcome=outcome, revision=action.revision or None)
        return sitting_after

    async def _update_status(self, body: JsonObject, exam: Exam, observed: ObservedState, now: int) -> bool:
        """Write the status if it differs; returns whether it did."""
        capacity = self._scaling.capacity(exam, now)
        status = status_of(exam, observed, capacity, self._web.skew, now)
        metrics.PLATFORM_SKEW.set(self._web.skew / SECOND)
        degraded = status.conditions_by_type["Degraded"]
        self._export_degraded(exam.key, degraded.reason if degraded.status == "True" else None)
        return await self._write_status(body, exam.status, status, now)

    async def _write_status(
        self, body: JsonObject, last: ExamStatus, status: ExamStatus, now: int, *, without_events: bool = False
    ) -> bool:
        """Create the Events of a change of status and write it; returns whether there was a change.

        Args:
            body: the Exam as it was read.
            last: its status.
            status: the new status.
            now: the platform's time in µs.
            without_events: whether to write the status even if an Event cannot be created.
        """
        status_json = status.to_json()
        if status_json == body.get("status", {}):
            return False
        try:
            if "deletionTimestamp" not in body["metadata"]:
                # Events before the status: repeating one has no effect, but once the status is written, the change
                # that an Event is derived from can no longer be seen.
                try:
                    for record in events_for(last, status):
                        await self._create_event(body, record, now)
                except UnavailableError as error:
                    if not without_events:
                        raise
                    log.warning("event_failed", error=str(error))
            self._cache.put(await self._kube.update_status(body, status_json))
        except ConflictError as error:
            log.info("status_conflicted", error=str(error))
        return True

    async def _create_event(self, body: JsonObject, record: EventRecord, now: int) -> None:
        key = key_of(body)
        content = f"{key.uid} {body['metadata']['generation']} {record.reason} {record.message}"
        await self._kube.create_event(
            event(
                key,
                name=f"{key.name}.{hashlib.sha256(content.encode()).hexdigest()[:16]}",
                warning=record.warning,
                reason=record.reason,
                message=record.message,
                at=format_instant(now // SECOND * SECOND),
            )
        )

    async def _defer(
        self, key: ExamKey, fault: Fault, *, retry_after: float | None = None, report: bool = True
    ) -> int | None:
        """Report a fault in the metric and, if possible, in the status.

        Returns the backoff in µs, None when the Exam no longer exists.
        """
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        log.warning("reconcile_deferred", reason=fault.reason, error=fault.message, failures=failures)
        self._export_degraded(key, fault.reason)
        urgent: bool | None = False
        if report:
            try:
                urgent = await self._report_fault(key, fault)
            except (UnavailableError, NotLeadingError) as other:
                log.warning("fault_report_failed", error=str(other))
            except Exception:
                log.exception("fault_report_failed")
        if urgent is None:
            self.forget(key)
            return None
        longest = 2 * CLOSE_PATH_BACKOFF if urgent else MAX_BACKOFF
        backoff = min(CLOSE_PATH_BACKOFF * 2 ** min(failures - 1, MAX_DOUBLINGS), longest)
        return int(max(backoff, min(retry_after or 0, MAX_BACKOFF)) * SECOND)

    async def _report_fault(self, key: ExamKey, fault: Fault) -> bool | None:
        """Set condition Degraded.

        Returns whether the retry is urgent, because students wait for the sitting's end; None when the Exam no longer
        exists.
        """
        body = await self._kube.get_exam(key)
        if body is None:
            return None
        now = self._web.now
        last = ExamStatus.from_json(body.get("status", {}))
        status = degraded_status(last, body["metadata"]["generation"], fault, now)
        # If it is Events that cannot be created, the condition says so.
        await self._write_status(body, last, status, now, without_events=True)
        closes_at = None if last.window is None else last.window.closes_at
        overdue = last.phase in BEFORE_OPENING and closes_at is not None and now >= closes_at
        return overdue or last.phase in ENDING

    def _export_degraded(self, key: ExamKey, reason: str | None) -> None:
        """Set the metric of an Exam to a reason, or remove it."""
        before = self._degraded.pop(key, None)
        if before is not None:
            metrics.DEGRADED.remove(key.namespace, key.name, before)
        if reason is not None:
            self._degraded[key] = reason
            metrics.DEGRADED.labels(key.namespace, key.name, reason).set(1)


def _is_reportable(error: UnavailableError) -> bool:
    """Whether the status can be written nevertheless."""
    return not (isinstance(error, UnreachableError) and error.service == API_SERVER)
