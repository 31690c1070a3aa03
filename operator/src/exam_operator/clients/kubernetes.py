"""A client of the Kubernetes API: JSON in, JSON out, without retries of its own."""

import json
import os
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote

import aiohttp
from kubernetes.aio import client, config

from exam_core.canonical import JsonObject
from exam_operator.clients.errors import (
    API_SERVER,
    ConflictError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
)
from exam_operator.clients.guard import Guard, unguarded
from exam_operator.decide.election import Lease
from exam_operator.decide.manifests import LABELS, MANAGER
from exam_operator.model.exam import GROUP, PLURAL, VERSION, ExamKey, key_of

TIMEOUT = aiohttp.ClientTimeout(total=15, connect=3)
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
PAGE = 500


class KubernetesClient:
    """The requests that the operator sends to the API server.

    Args:
        api: the official client.
        namespace: the operator's namespace, with its Jobs, autoscalers and disruption budgets.
        guard: called before each request that changes something, and raises an error if this process may not.
    """

    def __init__(self, api: client.ApiClient, namespace: str, *, guard: Guard = unguarded) -> None:
        self._api = api
        self._namespace = namespace
        self._guard = guard
        self._jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self._deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        self._stateful_sets = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._autoscalers = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._budgets = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"

    # Exams

    async def get_exam(self, key: ExamKey) -> JsonObject | None:
        """An Exam; None when it does not exist, or another one has its name."""
        found = await self._get(_exam_path(key))
        return found if found is not None and found["metadata"]["uid"] == key.uid else None

    async def list_exams(self, namespace: str | None = None) -> list[JsonObject]:
        """All Exams, of one namespace or of all namespaces."""
        scope = f"/namespaces/{namespace}" if namespace else ""
        return await self._list(f"/apis/{GROUP}/{VERSION}{scope}/{PLURAL}")

    async def set_finalizers(self, key: ExamKey, finalizers: list[str], *, version: str) -> None:
        """Replace an Exam's finalizers, unless it has changed since `version`."""
        metadata = {"uid": key.uid, "resourceVersion": version, "finalizers": finalizers}
        await self._call("PATCH", _exam_path(key), {"metadata": metadata}, content_type=MERGE)

    async def update_status(self, exam: JsonObject, status: JsonObject) -> JsonObject:
        """Replace the status of an Exam, unless it has changed since it was read; returns the updated Exam."""
        return await self._call("PUT", f"{_exam_path(key_of(exam))}/status", {**exam, "status": status})

    async def create_event(self, event: JsonObject) -> None:
        """Create an Event, unless it exists: Events of one name have the same content."""
        path = f"/api/v1/namespaces/{event['metadata']['namespace']}/events"
        try:
            await self._call("POST", path, event)
        except AlreadyExistsError:
            return

    async def get_secret(self, namespace: str, name: str) -> JsonObject | None:
        """A Secret; None when it does not exist or the operator may not read it."""
        try:
            # The name comes from a spec: it must not lead to another path.
            return await self._get(f"/api/v1/namespaces/{namespace}/secrets/{quote(name, safe='')}")
        except ForbiddenError:
            return None

    async def is_namespace_terminating(self, name: str) -> bool:
        """Whether a namespace is being deleted, or does not exist."""
        found = await self._get(f"/api/v1/namespaces/{name}")
        return found is None or "deletionTimestamp" in found["metadata"]

    # Jobs

    async def get_job(self, name: str) -> JsonObject | None:
        """A Job of the operator's namespace; None when it does not exist."""
        return await self._get(f"{self._jobs}/{name}")

    async def list_jobs(self) -> list[JsonObject]:
        """All Jobs that the operator created."""
        selector = ",".join(f"{name}={value}" for name, value in LABELS.items())
        return await self._list(self._jobs, selector=selector)

    async def create_job(self, job: JsonObject) -> None:
        """Create a Job, or adopt the one that has its name."""
        try:
            await self._call("POST", self._jobs, job)
        except AlreadyExistsError:
            return

    async def release_job(self, name: str, uid: str) -> None:
        """Unsuspend a Job, if it still has this uid."""
        body = {"metadata": {"uid": uid}, "spec": {"suspend": False}}
        await self._call("PATCH", f"{self._jobs}/{name}", body, content_type=MERGE)

    async def delete_job(self, name: str, uid: str) -> None:
        """Delete a Job and its pods, if it still has this uid."""
        body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            await self._call("DELETE", f"{self._jobs}/{name}", body)
        except NotFoundError:
            return

    # Scaling

    async def get_deployment(self, name: str) -> JsonObject | None:
        """A Deployment of the operator's namespace; None when it does not exist."""
        return await self._get(f"{self._deployments}/{name}")

    async def list_pods(self, deployment: JsonObject) -> list[JsonObject]:
        """The pods that a Deployment's selector matches."""
        labels = deployment["spec"]["selector"]["matchLabels"]
        return await self.list_selected_pods(",".join(f"{name}={value}" for name, value in labels.items()))

    async def list_selected_pods(self, selector: str) -> list[JsonObject]:
        """The pods of the operator's namespace that a label selector matches."""
        return await self._list(self._pods, selector=selector)

    async def apply_autoscaler(self, body: JsonObject) -> None:
        """Create or update an autoscaler (server-side apply)."""
        await self._apply(f"{self._autoscalers}/{body['metadata']['name']}", body)

    async def apply_disruption_budget(self, body: JsonObject) -> None:
        """Create or update a disruption budget (server-side apply)."""
        await self._apply(f"{self._budgets}/{body['metadata']['name']}", body)

    # Racks

    async def list_stateful_sets(self, selector: str) -> list[JsonObject]:
        """The StatefulSets of the operator's namespace that a label selector matches."""
        return await self._list(self._stateful_sets, selector=selector)

    async def evict_pod(self, name: str, uid: str) -> None:
        """Delete a pod, if it still has this uid and its disruption budget permits it (UnavailableError otherwise)."""
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": self._namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        await self._call("POST", f"{self._pods}/{name}/eviction", body)

    # Leader election

    async def get_lease(self, name: str) -> Lease | None:
        """A Lease of the operator's namespace; None when it does not exist."""
        found = await self._get(f"{self._leases}/{name}")
        return None if found is None else Lease.from_json(found)

    async def write_lease(self, name: str, lease: Lease, *, now: int) -> Lease:
        """Create a Lease, or replace the version that was read; returns it as written. `now` is UTC in µs."""
        body = lease.to_json(name=name, namespace=self._namespace, now=now)
        method, path = ("PUT", f"{self._leases}/{name}") if lease.version else ("POST", self._leases)
        return Lease.from_json(await self._call(method, path, body))

    # Requests

    async def _get(self, path: str) -> JsonObject | None:
        try:
            return await self._call("GET", path)
        except NotFoundError:
            return None

    async def _list(self, path: str, *, selector: str = "") -> list[JsonObject]:
        found: list[JsonObject] = []
        query = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        while True:
            try:
                page = await self._call("GET", path, query=query)
            except NotFoundError as error:
                # A list of nothing is empty: the type itself is missing, or not served yet.
                raise UnavailableError(API_SERVER, str(error), kind="ResourceMissing") from error
            try:
                found += page["items"]
                more = page["metadata"].get("continue")
            except (KeyError, TypeError, AttributeError) as error:
                raise UnexpectedAnswerError(API_SERVER, f"the answer to GET {path} is no list") from error
            if not more:
                return found
            query["continue"] = more

    async def _apply(self, path: str, body: JsonObject) -> None:
        await self._call("PATCH", path, body, query={"fieldManager": MANAGER, "force": "true"}, content_type=APPLY)

    async def _call(
        self,
        method: str,
        path: str,
        body: JsonObject | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> JsonObject:
        request = await self._api.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        if method != "GET":
            self._guard()
        try:
            response = await self._api.call_api(*request, _request_timeout=TIMEOUT)
            content: bytes = await response.read()  # type: ignore[no-untyped-call]  # the library's own
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnreachableError(API_SERVER, f"{type(error).__name__} {error}".strip()) from error
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise _error_of(method, path, response.status, response.headers.get("Retry-After", ""), content)
        try:
            answer: JsonObject = json.loads(content)
        except ValueError as error:
            raise UnexpectedAnswerError(API_SERVER, f"the answer to {method} {path} is not JSON") from error
        return answer


class NotFoundError(ConflictError):
    """The object does not exist (any more)."""


class AlreadyExistsError(ConflictError):
    """An object of this name exists."""


class ForbiddenError(UnavailableError):
    """The operator may not do this: its role lacks a right, a quota is used up, or the namespace is terminating."""

    def __init__(self, message: str) -> None:
        super().__init__(API_SERVER, message, kind="Forbidden")


def _error_of(method: str, path: str, code: int, retry_after: str, content: bytes) -> Exception:
    try:
        status: JsonObject = dict(json.loads(content))
    except (ValueError, TypeError):
        status = {}
    message = f"{method} {path}: {code} {status.get('message', '')}".strip()
    if code == HTTPStatus.NOT_FOUND:
        return NotFoundError(message)
    if code == HTTPStatus.CONFLICT:
        return AlreadyExistsError(message) if status.get("reason") == "AlreadyExists" else ConflictError(message)
    if code == HTTPStatus.UNAUTHORIZED:
        return UnavailableError(API_SERVER, message, kind="Unauthorized")
    if code == HTTPStatus.FORBIDDEN:
        return ForbiddenError(message)
    return UnavailableError(API_SERVER, message, retry_after=float(retry_after) if retry_after.isdecimal() else None)


def _exam_path(key: ExamKey) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{key.namespace}/{PLURAL}/{key.name}"


async def connect() -> client.ApiClient:
    """The official client, configured by ``KUBECONFIG`` where it is set, otherwise by the pod's service account."""
    configuration = client.Configuration()
    if os.environ.get("KUBECONFIG"):
        await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    configuration.retries = 0
    configuration.proxy = None
    # Ignore proxies and credentials of the environment.
    configuration.client_session_kwargs = {"trust_env": False}
    return client.ApiClient(configuration)
