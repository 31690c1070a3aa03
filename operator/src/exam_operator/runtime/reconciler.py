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
from exam_operator.clients.errors import AwayError, OutdatedError, RefusedError
from exam_operator.clients.kubernetes import API_SERVER, Kube
from exam_operator.clients.web import Platform
from exam_operator.decide.manifests import SITTING_LABEL, event, job_name
from exam_operator.decide.plan import REFUSED_AGAIN_AFTER, Action, Verb, plan, wanted_revision
from exam_operator.decide.status import Phase, Saying, Trouble, moment, sayings, status_in_trouble, status_of
from exam_operator.model.exam import Key, Resource
from exam_operator.model.observed import Facts, Job, JobState, Refusal, Sitting
from exam_operator.runtime.cache import Inventory
from exam_operator.runtime.executor import Hands
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
        self, kube: Kube, platform: Platform, hands: Hands, scaling: Scaling, inventory: Inventory, *, max_jobs: int
    ) -> None:
        self._kube = kube
        self._platform = platform
        self._hands = hands
        self._scaling = scaling
        self._inventory = inventory
        self._max_jobs = max_jobs
        self._releasing = asyncio.Lock()
        self._counted_at = -COUNT_EVERY
        self._had_slot = True
        self._refusals: dict[Key, dict[Verb, Refusal]] = {}
        self._failures: dict[Key, int] = {}

    def forget(self, key: Key) -> None:
        """It is gone."""
        self._refusals.pop(key, None)
        self._failures.pop(key, None)
        self._inventory.forget(key)

    async def reconcile(self, key: Key) -> int | None:
        """Bring one `Exam` on as far as it goes; when to look again (µs from now), None when nothing is due."""
        with structlog.contextvars.bound_contextvars(exam=str(key), sitting=key.sitting):
            try:
                again = await self._until_rest(key)
            except AwayError as error:
                metrics.RECONCILES.labels("away").inc()
                return await self._put_off(key, error)
            metrics.RECONCILES.labels("rest").inc()
            self._failures.pop(key, None)
            return again

    async def _until_rest(self, key: Key) -> int | None:
        told: Sitting | None = None
        for _ in range(PASSES):
            # The sitting before the resource: then its epoch is older than the wish, and whoever carries an older wish
            # to PostgreSQL than somebody else just did is told so there.
            sitting = told or await self._platform.look(key.sitting)
            body = await self._kube.exam(key)
            if body is None:
                self.forget(key)
                return None
            resource = Resource.from_json(body)
            self._inventory.keep(body)
            now = sitting.now if sitting is not None else self._platform.now
            facts = await self._facts(resource, sitting, now)
            planned = plan(resource, facts, now)
            if planned.action is not None:
                told = await self._act(resource, facts, planned.action, now)
                if planned.action.verb is Verb.CLOSE:
                    # Those that end in the same second come first; what is to be said of this one can wait for them.
                    return 0
            elif not await self._tell(body, resource, facts, now):
                return None if planned.wake_at is None else max(0, planned.wake_at - self._platform.now)
            else:
                told = sitting
        return IN_CIRCLES

    async def _facts(self, resource: Resource, sitting: Sitting | None, now: int) -> Facts:
        refusals = self._refusals.get(resource.key, {}).values()
        job, slot = None, True
        if sitting is not None and sitting.state in (State.CLOSING, State.SEALED) and sitting.drained:
            revision = wanted_revision(resource, sitting)
            if revision is not None:
                job = await self._job(sitting, revision)
                slot = job is None or job.state is not JobState.SUSPENDED or await self._may_have_slot()
        return Facts(
            sitting=sitting,
            job=job,
            job_slot=slot,
            refusals=tuple(each for each in refusals if now < each.at + REFUSED_AGAIN_AFTER),
            namespace_ends=resource.deleting and await self._kube.namespace_ends(resource.key.namespace),
        )

    async def _job(self, sitting: Sitting, revision: int) -> Job | None:
        name = job_name(sitting.id, revision)
        body = await self._kube.job(name)
        if body is None:
            return None
        if body["metadata"].get("labels", {}).get(SITTING_LABEL) != sitting.id:
            raise AwayError(f"Job {name}", "is of another sitting, or somebody else's: delete it")
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

    async def _act(self, resource: Resource, facts: Facts, action: Action, now: int) -> Sitting | None:
        """Do what was planned; the sitting afterwards, where that was told."""
        outcome, told = "done", None
        try:
            if action.verb is Verb.RELEASE_JOB:
                # Counted and released under one lock: two at once must not both take the last place.
                async with self._releasing:
                    if await self._has_slot():
                        await self._hands.do(resource, facts, action)
            else:
                told = await self._hands.do(resource, facts, action)
            self._refusals.get(resource.key, {}).pop(action.verb, None)
        except RefusedError as error:
            outcome = "refused"
            refused = Refusal(
                action=action.verb.value,
                generation=resource.generation,
                at=now,
                reason=error.reason,
                message=error.message,
            )
            self._refusals.setdefault(resource.key, {})[action.verb] = refused
        except OutdatedError as error:
            outcome = "outdated"
            log.info("looking again", verb=action.verb.value, why=str(error))
        except AwayError:
            outcome = "away"
            raise
        finally:
            metrics.ACTIONS.labels(action.verb.value, outcome).inc()
            log.info("action", verb=action.verb.value, outcome=outcome, revision=action.revision or None)
        return told

    async def _tell(self, body: JsonObject, resource: Resource, facts: Facts, now: int) -> bool:
        """Bring the status up to date; whether it was not."""
        capacity = self._scaling.capacity(resource, now)
        status = status_of(resource, facts, capacity, self._platform.skew, now)
        metrics.PLATFORM_SKEW.set(self._platform.skew / SECOND)
        return await self._write(body, resource, status, now)

    async def _write(self, body: JsonObject, resource: Resource, status: Mapping[str, Any], now: int) -> bool:
        if status == resource.status:
            return False
        try:
            if not resource.deleting:
                # Before the status: an Event said twice is one, a status that was written hides what led to it.
                for saying in sayings(resource, dict(status)):
                    await self._say(resource, saying, now)
            self._inventory.keep(await self._kube.set_status(body, status))
        except OutdatedError as error:
            log.info("looking again", verb="status", why=str(error))
        return True

    async def _say(self, resource: Resource, saying: Saying, now: int) -> None:
        what = f"{resource.key.uid} {resource.generation} {saying.reason} {saying.message}"
        name = f"{resource.key.name}.{hashlib.sha256(what.encode()).hexdigest()[:16]}"
        await self._kube.say(
            event(
                resource.key,
                name=name,
                warning=saying.warning,
                reason=saying.reason,
                message=saying.message,
                at=moment(now // SECOND * SECOND) or "",
            )
        )

    async def _put_off(self, key: Key, error: AwayError) -> int:
        """Say what is wrong, where that can be said, and come back after a while."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        log.warning("put off", why=str(error), failures=failures)
        hurried = False
        if error.who != API_SERVER:
            try:
                hurried = await self._tell_trouble(key, error)
            except AwayError as other:
                log.warning("the trouble cannot be told", why=str(other))
        backoff = CLOSE_PATH_BACKOFF * 2 ** (failures - 1)
        longest = 2 * CLOSE_PATH_BACKOFF if hurried else LONGEST_BACKOFF
        return int(max(min(backoff, longest), error.retry_after or 0) * SECOND)

    async def _tell_trouble(self, key: Key, error: AwayError) -> bool:
        """Put the trouble into the status; whether the sitting is at its end, where every second is waited for."""
        body = await self._kube.exam(key)
        if body is None:
            return False
        resource = Resource.from_json(body)
        now = self._platform.now
        trouble = Trouble(reason=_camel(error.who), message=str(error))
        await self._write(body, resource, status_in_trouble(resource, trouble, now), now)
        ending = resource.status.get("phase") in {Phase.OPEN, Phase.PAUSED, Phase.CLOSING, Phase.GRADING}
        return ending or now >= resource.spec.window.closes_at


def _camel(who: str) -> str:
    """The reason for somebody who is away: ``WebUnavailable``."""
    return "".join(part.capitalize() for part in who.split() if part.isalpha()) + "Unavailable"
