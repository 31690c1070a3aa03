"""Carries out what a plan says, one call each; every one of them may be repeated."""

from base64 import b64decode
from collections.abc import Awaitable, Callable

from exam_core.canonical import JsonObject
from exam_core.instants import SECOND
from exam_operator import metrics
from exam_operator.clients.errors import ConflictError, RejectedError
from exam_operator.clients.kubernetes import KubernetesClient
from exam_operator.clients.web import WebClient
from exam_operator.decide.manifests import grading_job, job_name
from exam_operator.decide.plan import Action, Verb, next_revision
from exam_operator.model.exam import FINALIZER, Exam
from exam_operator.model.observed import ObservedState, Sitting

PAPER_TYPE = "examplatform.dev/paper"
"""The only type of Secret that is read: a resource must not be a way to other people's."""

Do = Callable[[Exam, ObservedState, Action], Awaitable[Sitting | None]]


class Executor:
    """What the operator can do.

    Args:
        kube: the API server.
        platform: web.
        namespace: where Jobs are made.
        job_template: the PodTemplateSpec of a grading Job.
    """

    def __init__(self, kube: KubernetesClient, web: WebClient, *, namespace: str, job_template: JsonObject) -> None:
        self._kube = kube
        self._web = web
        self._namespace = namespace
        self._job_template = job_template
        self._known: dict[Verb, Do] = {
            Verb.ADD_FINALIZER: self._add_finalizer,
            Verb.PROVISION: self._provision,
            Verb.DISTRIBUTE: self._distribute,
            Verb.CHANGE_WINDOW: self._change_window,
            Verb.PAUSE: self._pause,
            Verb.RESUME: self._resume,
            Verb.STOP: self._stop,
            Verb.CANCEL: self._cancel,
            Verb.CLOSE: self._close,
            Verb.CREATE_JOB: self._create_job,
            Verb.RELEASE_JOB: self._release_job,
            Verb.DELETE_JOB: self._delete_job,
            Verb.PUBLISH: self._publish,
            Verb.REMOVE_FINALIZER: self._remove_finalizer,
        }

    async def do(self, resource: Exam, observed: ObservedState, action: Action) -> Sitting | None:
        """Do one thing; the sitting afterwards, where that was told.

        Raises:
            RefusedError: it cannot be as wished.
            OutdatedError: something changed since it was looked at.
            AwayError: somebody does not answer.
        """
        return await self._known[action.verb](resource, observed, action)

    async def _add_finalizer(self, resource: Exam, _observe: ObservedState, _action: Action) -> None:
        await self._kube.set_finalizers(resource.key, [*resource.finalizers, FINALIZER], version=resource.version)

    async def _remove_finalizer(self, resource: Exam, _observe: ObservedState, _action: Action) -> None:
        rest = [each for each in resource.finalizers if each != FINALIZER]
        await self._kube.set_finalizers(resource.key, rest, version=resource.version)

    async def _provision(self, resource: Exam, _observe: ObservedState, _action: Action) -> Sitting:
        await self._import_paper(resource)
        return await self._web.provision(resource.key.sitting, resource.spec)

    async def _distribute(self, resource: Exam, _observe: ObservedState, _action: Action) -> Sitting:
        return await self._web.distribute(resource.key.sitting)

    async def _change_window(self, resource: Exam, observed: ObservedState, _action: Action) -> Sitting:
        epoch = _sitting(observed).epoch
        return await self._web.change_window(resource.key.sitting, resource.spec, epoch=epoch)

    async def _pause(self, resource: Exam, observed: ObservedState, _action: Action) -> Sitting:
        return await self._web.pause(resource.key.sitting, epoch=_sitting(observed).epoch)

    async def _resume(self, resource: Exam, observed: ObservedState, _action: Action) -> Sitting:
        return await self._web.resume(resource.key.sitting, epoch=_sitting(observed).epoch)

    async def _stop(self, resource: Exam, observed: ObservedState, _action: Action) -> Sitting:
        return await self._web.stop(resource.key.sitting, epoch=_sitting(observed).epoch)

    async def _cancel(self, resource: Exam, observed: ObservedState, _action: Action) -> Sitting:
        return await self._web.cancel(resource.key.sitting, epoch=_sitting(observed).epoch)

    async def _close(self, resource: Exam, observed: ObservedState, _action: Action) -> Sitting:
        closed = await self._web.end(resource.key.sitting)
        ends_at = _sitting(observed).ends_at
        if ends_at is not None:
            metrics.CLOSE_SKEW.observe(max(0, closed.now - ends_at) / SECOND)
        return closed

    async def _create_job(self, resource: Exam, observed: ObservedState, action: Action) -> None:
        if action.revision > 1:
            # A regrade is for a corrected key, which for an exam as code is in its paper.
            await self._import_paper(resource)
        job = grading_job(
            self._job_template,
            namespace=self._namespace,
            key=resource.key,
            sitting=_sitting(observed).id,
            revision=action.revision,
            parallelism=resource.spec.grading.parallelism,
        )
        await self._kube.create_job(job)

    async def _release_job(self, _resource: Exam, observed: ObservedState, action: Action) -> None:
        await self._kube.release_job(job_name(_sitting(observed).id, action.revision), action.job)

    async def _delete_job(self, resource: Exam, observed: ObservedState, action: Action) -> None:
        # The Job was looked at after the sitting: it may have graded in between, and then it is to stay.
        sitting = await self._web.look(resource.key.sitting)
        if sitting is None or next_revision(resource, sitting) != action.revision:
            raise ConflictError(f"revision {action.revision} is not the one to grade any more")
        await self._kube.delete_job(job_name(_sitting(observed).id, action.revision), action.job)

    async def _publish(self, resource: Exam, _observe: ObservedState, action: Action) -> Sitting:
        return await self._web.publish(resource.key.sitting, action.revision)

    async def _import_paper(self, resource: Exam) -> None:
        """Pass the paper on to web; it is neither kept nor logged."""
        where = resource.spec.paper_from
        if where is None:
            return
        secret = await self._kube.secret(resource.key.namespace, where.name)
        if secret is None:
            raise RejectedError("PaperMissing", f"there is no Secret {where.name} that the operator may read")
        if secret.get("type") != PAPER_TYPE:
            raise RejectedError("PaperMissing", f"Secret {where.name} is not of type {PAPER_TYPE}: no other is read")
        document = secret.get("data", {}).get(where.key)
        if document is None:
            raise RejectedError("PaperMissing", f"Secret {where.name} has no key {where.key}")
        await self._web.import_paper(resource.spec.exam, b64decode(document))


def _sitting(observed: ObservedState) -> Sitting:
    if observed.sitting is None:
        raise ConflictError("the sitting is not there any more")
    return observed.sitting
