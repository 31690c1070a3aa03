"""Who may talk to the API server, and how: kubeconfig files, clients, service accounts with rights of their own."""

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
"""How long to wait for a connection and for an answer; without them a paused API server would hold a test for ever."""

Rule = Mapping[str, Sequence[str]]
"""One rule of a role as the API has it: ``{"apiGroups": …, "resources": …, "verbs": …}``."""


def certificate_user(pair: KeyPair) -> dict[str, str]:
    """The user of a kubeconfig who shows a client certificate."""
    return {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}


def write_kubeconfig(
    path: Path, *, server: str, authority: Path, user: Mapping[str, str], namespace: str = "default"
) -> Path:
    """Write a kubeconfig that only we read; JSON is YAML."""
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
    """A client of the official library as a kubeconfig says, never through a proxy that the environment names."""
    config = json.loads(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    configuration = client.Configuration(host=cluster["server"], ssl_ca_cert=cluster["certificate-authority"])
    configuration.proxy = None
    configuration.cert_file = user.get("client-certificate")
    configuration.key_file = user.get("client-key")
    if token := user.get("token"):
        configuration.api_key = {"authorization": token}
        configuration.api_key_prefix = {"authorization": "Bearer"}
    with client.ApiClient(configuration) as made:
        try:
            yield made
        finally:
            made.rest_client.pool_manager.clear()


def raise_for_status(response: BaseHTTPResponse) -> BaseHTTPResponse:
    """A raw response as it is; a refusal is the exception that the official client makes of those it reads itself."""
    if response.status >= HTTPStatus.BAD_REQUEST:
        raise client.ApiException(http_resp=response)
    return response


def create_service_account(api: client.ApiClient, name: str, namespace: str, rules: Sequence[Rule]) -> None:
    """A service account that may do what some rules say in every namespace, and nothing else; again is an update."""
    account = client.V1ServiceAccount(metadata=client.V1ObjectMeta(name=name, namespace=namespace))
    _create(client.CoreV1Api(api).create_namespaced_service_account, namespace, account)
    if not rules:
        return
    rbac = client.RbacAuthorizationV1Api(api)
    ours = client.V1ObjectMeta(name=f"{namespace}-{name}")
    role = client.V1ClusterRole(metadata=ours, rules=[client.V1PolicyRule.model_validate(rule) for rule in rules])
    if not _create(rbac.create_cluster_role, role):
        rbac.replace_cluster_role(f"{namespace}-{name}", role, _request_timeout=REQUEST_SECONDS)
    binding = client.V1ClusterRoleBinding(
        metadata=ours,
        role_ref=client.V1RoleRef(
            api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=f"{namespace}-{name}"
        ),
        subjects=[client.RbacV1Subject(kind="ServiceAccount", name=name, namespace=namespace)],
    )
    _create(rbac.create_cluster_role_binding, binding)


def request_token(api: client.ApiClient, name: str, namespace: str, *, seconds: int) -> str:
    """A token for a service account, as a pod would have it mounted."""
    wanted = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=seconds)
    )
    made = client.CoreV1Api(api).create_namespaced_service_account_token(
        name, namespace, wanted, _request_timeout=REQUEST_SECONDS
    )
    if made.status is None or made.status.token is None:
        raise HarnessError(f"the API server gave no token for {namespace}/{name}")
    return made.status.token


def _create(create: Any, *words: Any) -> bool:
    """Create; False when it is there already."""
    try:
        create(*words, _request_timeout=REQUEST_SECONDS)
    except client.ApiException as error:
        if error.status != 409:
            raise
        return False
    return True
