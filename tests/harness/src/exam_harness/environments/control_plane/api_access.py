"""Access to the API server: kubeconfig files, API clients, and service accounts with RBAC rules."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from kubernetes import client
from urllib3 import BaseHTTPResponse

from exam_harness.environments.control_plane.certificates import KeyPair
from exam_harness.environments.processes.process import HarnessError

REQUEST_SECONDS = (5, 30)
"""Timeouts of connect and read; without them a paused API server would block a test for ever."""

Rule = Mapping[str, Sequence[str]]
"""An RBAC rule as in the API: ``{"apiGroups": …, "resources": …, "verbs": …}``."""


def certificate_user(pair: KeyPair) -> dict[str, str]:
    """Return a kubeconfig user that authenticates with a client certificate."""
    return {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}


def write_kubeconfig(
    path: Path, *, server: str, authority: Path, user: Mapping[str, str], namespace: str = "default"
) -> Path:
    """Write a kubeconfig that only the current user may read, as JSON, which is YAML."""
    path.touch(mode=0o600)
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "exam", "cluster": {"server": server, "certificate-authority": str(authority)}}],
                "users": [{"name": path.stem, "user": dict(user)}],
                "contexts": [
                    {"name": "exam", "context": {"cluster": "exam", "user": path.stem, "namespace": namespace}}
                ],
                "current-context": "exam",
            },
            indent=2,
        )
    )
    return path


@contextmanager
def api_client(kubeconfig: Path) -> Iterator[client.ApiClient]:
    """Yield a client of the official library for a kubeconfig, without the proxies of the environment."""
    config = json.loads(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    configuration = client.Configuration(host=cluster["server"], ssl_ca_cert=cluster["certificate-authority"])
    configuration.proxy = None
    configuration.cert_file = user.get("client-certificate")
    configuration.key_file = user.get("client-key")
    if token := user.get("token"):
        configuration.api_key = {"authorization": token}
        configuration.api_key_prefix = {"authorization": "Bearer"}
    with client.ApiClient(configuration) as api:
        try:
            yield api
        finally:
            api.rest_client.pool_manager.clear()


def raise_for_status(response: BaseHTTPResponse) -> BaseHTTPResponse:
    """Return a raw response, or raise the ApiException that the official client raises for parsed responses."""
    if response.status >= HTTPStatus.BAD_REQUEST:
        raise client.ApiException(http_resp=response)
    return response


def create_service_account(api: client.ApiClient, name: str, namespace: str, rules: Sequence[Rule]) -> None:
    """Create or update a service account with some cluster-wide RBAC rules and no other rights."""
    account = client.V1ServiceAccount(metadata=client.V1ObjectMeta(name=name, namespace=namespace))
    _create(client.CoreV1Api(api).create_namespaced_service_account, namespace, account)
    if not rules:
        return
    rbac = client.RbacAuthorizationV1Api(api)
    metadata = client.V1ObjectMeta(name=f"{namespace}-{name}")
    role = client.V1ClusterRole(metadata=metadata, rules=[client.V1PolicyRule.model_validate(rule) for rule in rules])
    if not _create(rbac.create_cluster_role, role):
        rbac.replace_cluster_role(f"{namespace}-{name}", role, _request_timeout=REQUEST_SECONDS)
    binding = client.V1ClusterRoleBinding(
        metadata=metadata,
        role_ref=client.V1RoleRef(
            api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=f"{namespace}-{name}"
        ),
        subjects=[client.RbacV1Subject(kind="ServiceAccount", name=name, namespace=namespace)],
    )
    _create(rbac.create_cluster_role_binding, binding)


def request_token(api: client.ApiClient, name: str, namespace: str, *, seconds: int) -> str:
    """Request a token of a service account, as a kubelet does for a pod.

    Raises:
        HarnessError: the API server returned none.
    """
    request = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=seconds)
    )
    response = client.CoreV1Api(api).create_namespaced_service_account_token(
        name, namespace, request, _request_timeout=REQUEST_SECONDS
    )
    if response.status is None or response.status.token is None:
        raise HarnessError(f"the API server returned no token for {namespace}/{name}")
    return response.status.token


def _create(create: Any, *arguments: Any) -> bool:
    """Create an object; return False if it already exists."""
    try:
        create(*arguments, _request_timeout=REQUEST_SECONDS)
    except client.ApiException as error:
        if error.status != 409:
            raise
        return False
    return True
