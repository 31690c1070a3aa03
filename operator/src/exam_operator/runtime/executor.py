"""Executes planned actions, one request each; every action may be repeated."""

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
"""The only type of Secret that is read: an Exam must not be a way to read any other."""

Handler = Callable[[Exam, ObservedState, Action], Awaitable[Sitting | None]]


class Executor:
    """Maps each verb to a request to the API server or to web.

    Args:
        kube: the API server.
        web: web's internal API.
        namespace: where Jobs are created.
        job_template: the PodTemplateSpec of a grading Job.
    """

    def __init__(self, kube: KubernetesClient, web: WebClient, *, namespace: str, job_template: JsonObject) -> None:
        self._kube = kube
        self._web = web
        self._namespace = namespace
        self._job_template = job_template
        self._handlers: dict[Verb, Handler] = {
            Verb.ADD_FINALIZER: self._add_finalizer,
            Verb.PROVISION: self._provision,
            Verb.DISTRIBUTE: self._distribute,
            Verb.CHANGE_WINDOW: self._change_window,
            Verb.CHANGE_CANDIDATES: self._change_candidates,
            Verb.CHANGE_SCORING: self._change_scoring,
            Verb.REFREEZE: self._refreeze,
            Verb.PAUSE: self._pause,
            Verb.RESUME: self._resume,
            Verb.STOP: self._stop,
            Verb.CANCEL: self._cancel,
            Verb.CLOSE: self._close,
            Verb.DRAIN: self._drain,
            Verb.CREATE_JOB: self._create_job,
            Verb.RELEASE_JOB: self._release_job,
            Verb.DELETE_JOB: self._delete_job,
            Verb.PUBLISH: self._publish,
            Verb.REMOVE_FINALIZER: self._remove_finalizer,
        }

    async def execute(self, exam: Exam, observed: ObservedState, action: Action) -> Sitting | None:
        """Execute one action; returns the sitting after it where the response contains it.

        Raises:
            RejectedError: the action is not possible in the present state.
            ConflictError: the state has changed since it was observed.
            UnavailableError: a service does not answer.
        """
        return await self._handlers[action.verb](exam, observed, action)

    async def _add_finalizer(self, exam: Exam, _observed: ObservedState, _action: Action) -> None:
        await self._kube.set_finalizers(exam.key, [*exam.finalizers, FINALIZER], version=exam.resource_version)

    async def _remove_finalizer(self, exam: Exam, _observed: ObservedState, _action: Action) -> None:
        rest = [each for each in exam.finalizers if each != FINALIZER]
        await self._kube.set_finalizers(exam.key, rest, version=exam.resource_version)

    async def _provision(self, exam: Exam, _observed: ObservedState, _action: Action) -> Sitting:
        await self._import_paper(exam)
        # An Exam that had its own sitting must not take one from a resource that was created since, in another cluster.
        former = "" if exam.status.sitting == exam.key.sitting else exam.key.sittings_of_name
        return await self._web.provision(exam.key, exam.spec, former=former)

    async def _distribute(self, exam: Exam, _observed: ObservedState, _action: Action) -> Sitting:
        return await self._web.distribute(exam.key)

    async def _change_window(self, exam: Exam, observed: ObservedState, _action: Action) -> Sitting:
        return await self._web.change_window(exam.key, exam.spec, epoch=_sitting(observed).epoch)

    async def _change_candidates(self, exam: Exam, observed: ObservedState, _action: Action) -> Sitting:
        return await self._web.change_candidates(exam.key, exam.spec, epoch=_sitting(observed).epoch)

    async def _change_scoring(self, exam: Exam, observed: ObservedState, _action: Action) -> Sitting:
        return await self._web.change_scoring(exam.key, exam.spec, epoch=_sitting(observed).epoch)

    async def _refreeze(self, exam: Exam, observed: ObservedState, _action: Action) -> Sitting:
        # An exam as code was corrected in its Secret.
        await self._import_paper(exam)
        return await self._web.refreeze(exam.key, exam.spec, epoch=_sitting(observed).epoch)

    async def _pause(self, exam: Exam, observed: ObservedState, _action: Action) -> Sitting:
        return await self._web.pause(exam.key, epoch=_sitting(observed).epoch)

    async def _resume(self, exam: Exam, observed: ObservedState, _action: Action) -> Sitting:
        return await self._web.resume(exam.key, epoch=_sitting(observed).epoch)

    async def _stop(self, exam: Exam, observed: ObservedState, _action: Action) -> Sitting:
        return await self._web.stop(exam.key, epoch=_sitting(observed).epoch)

    async def _cancel(self, exam: Exam, observed: ObservedState, _action: Action) -> Sitting:
        return await self._web.cancel(exam.key, epoch=_sitting(observed).epoch)

    async def _close(self, exam: Exam, observed: ObservedState, _action: Action) -> Sitting:
        closed = await self._web.close_sitting(exam.key)
        ends_at = _sitting(observed).ends_at
        if ends_at is not None:
            metrics.CLOSE_SKEW.observe(max(0, closed.now - ends_at) / SECOND)
        return closed

    async def _drain(self, exam: Exam, _observed: ObservedState, _action: Action) -> Sitting:
        return await self._web.drain(exam.key)

    async def _create_job(self, exam: Exam, observed: ObservedState, action: Action) -> None:
        if action.revision > 1:
            # A regrade uses a corrected key, which for an exam as code is in its paper.
            await self._import_paper(exam)
            # Graders open the first revision alone: what they are asked for comes from the broker.
            await self._web.open_revision(exam.key, action.revision)
        job = grading_job(
            self._job_template,
            namespace=self._namespace,
            key=exam.key,
            sitting=_sitting(observed).id,
            revision=action.revision,
            parallelism=exam.spec.grading.parallelism,
        )
        await self._kube.create_job(job)

    async def _release_job(self, _exam: Exam, observed: ObservedState, action: Action) -> None:
        await self._kube.release_job(job_name(_sitting(observed).id, action.revision), action.job)

    async def _delete_job(self, exam: Exam, observed: ObservedState, action: Action) -> None:
        # The Job was read after the sitting. If it has completed the ledger in between, it must be kept.
        sitting = await self._web.get_sitting(exam.key.sitting)
        if sitting is None or next_revision(exam, sitting) != action.revision:
            raise ConflictError(f"revision {action.revision} is no longer the one to grade")
        await self._kube.delete_job(job_name(_sitting(observed).id, action.revision), action.job)

    async def _publish(self, exam: Exam, _observed: ObservedState, action: Action) -> Sitting:
        return await self._web.publish(exam.key, action.revision)

    async def _import_paper(self, exam: Exam) -> None:
        """Send the paper of an exam as code to web; it is neither stored nor logged here."""
        reference = exam.spec.paper_from
        if reference is None:
            return
        secret = await self._kube.get_secret(exam.key.namespace, reference.name)
        if secret is None:
            raise RejectedError("PaperMissing", f"Secret {reference.name} does not exist or may not be read")
        if secret.get("type") != PAPER_TYPE:
            raise RejectedError("PaperMissing", f"Secret {reference.name} is not of type {PAPER_TYPE}")
        document = secret.get("data", {}).get(reference.key)
        if document is None:
            raise RejectedError("PaperMissing", f"Secret {reference.name} has no key {reference.key}")
        await self._web.import_paper(exam.key, exam.spec, b64decode(document))


def _sitting(observed: ObservedState) -> Sitting:
    if observed.sitting is None:
        raise ConflictError("the sitting no longer exists")
    return observed.sitting
