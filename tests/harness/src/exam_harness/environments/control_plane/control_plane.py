"""etcd, kube-apiserver and kube-controller-manager as child processes, with certificates generated for the run."""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubernetes import client
from urllib3.exceptions import HTTPError

from exam_harness.environments.builds.binaries import program
from exam_harness.environments.control_plane.api_access import (
    REQUEST_SECONDS,
    Rule,
    api_client,
    certificate_user,
    create_service_account,
    request_token,
    write_kubeconfig,
)
from exam_harness.environments.control_plane.certificates import Authority, KeyPair, signing_keys
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.process import ChildProcess, HarnessError

READY_SECONDS = 60
SERVICE_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


class ControlPlane:
    """A Kubernetes API with its controllers: Jobs, autoscalers, disruption budgets, garbage collection, namespaces.

    Authorization modes are Node and RBAC; anonymous requests are rejected. No scheduler and no kubelet runs: a pod
    stays Pending until a `Node` binds it.

    Args:
        folder: the folder for data, keys and logs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "kubernetes"
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        keys = self.folder / "keys"
        self._authority = Authority("cluster-ca", keys)
        etcd_authority = Authority("etcd-ca", keys)
        signing_keys(keys / "tokens.key", keys / "tokens.pub")
        self.port, self._etcd_port, self._peer_port, self._manager_port = free_ports(4)
        self.url = f"https://127.0.0.1:{self.port}"
        self.kubeconfig = self.certificate_kubeconfig("exam-admin", groups=["system:masters"])
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        self.etcd = ChildProcess("etcd", self._etcd_command(etcd_authority), log=folder / "logs/etcd.log", env=env)
        self.apiserver = ChildProcess(
            "kube-apiserver", self._apiserver_command(etcd_authority), log=folder / "logs/kube-apiserver.log", env=env
        )
        self.controller_manager = ChildProcess(
            "kube-controller-manager",
            self._manager_command(),
            log=folder / "logs/kube-controller-manager.log",
            env=env,
        )

    @property
    def authority(self) -> Path:
        """The CA certificate that verifies the API server."""
        return self._authority.certificate

    def serving_certificate(self, name: str) -> KeyPair:
        """Issue a serving certificate for a proxy of the API server on the loopback."""
        return self._authority.server(name)

    def start(self) -> None:
        """Start etcd and the API server unless they are running; returns before they are ready."""
        for child in (self.etcd, self.apiserver):
            if not child.alive:
                child.start()

    def await_ready(self) -> None:
        """Wait for the API server, then start the controllers, which exit without one, and wait for them."""
        self.apiserver.await_ready(self._api_is_ready, seconds=READY_SECONDS)
        if not self.controller_manager.alive:
            self.controller_manager.start()
        self._await_service_account("default")

    def stop(self) -> None:
        """Stop everything, dependants first."""
        for child in (self.controller_manager, self.apiserver, self.etcd):
            child.stop()

    @contextmanager
    def api(self, kubeconfig: Path | None = None) -> Iterator[client.ApiClient]:
        """Yield a client of the official library; by default the administrator's."""
        with api_client(kubeconfig or self.kubeconfig) as api:
            yield api

    def kubectl(
        self, *arguments: str, stdin: str | None = None, kubeconfig: Path | None = None, seconds: float = 60
    ) -> str:
        """Run kubectl and return its output.

        Raises:
            HarnessError: its exit code is not 0; the message has its output.
        """
        completed = subprocess.run(
            [str(program("kubectl")), *arguments],
            env=self.kubectl_env(kubeconfig),
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if completed.returncode:
            output = completed.stdout + completed.stderr
            raise HarnessError(f"kubectl {' '.join(arguments)} ended with code {completed.returncode}\n{output}")
        return completed.stdout

    def kubectl_env(self, kubeconfig: Path | None = None) -> dict[str, str]:
        """Return the environment for running kubectl; its cache stays in this run's folder."""
        return {
            "PATH": f"{program('kubectl').parent}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }

    def create_namespace(self, name: str) -> None:
        """Create a namespace and wait until pods can be created in it."""
        with self.api() as api:
            namespace = client.V1Namespace(metadata=client.V1ObjectMeta(name=name))
            client.CoreV1Api(api).create_namespace(namespace, _request_timeout=REQUEST_SECONDS)
        self._await_service_account(name)

    def certificate_kubeconfig(self, user: str, *, groups: Sequence[str] = (), server: str | None = None) -> Path:
        """Write a kubeconfig with a new client certificate; `server` is the URL of a proxy, if any."""
        return write_kubeconfig(
            self.folder / f"{user.replace(':', '-')}.kubeconfig",
            server=server or self.url,
            authority=self.authority,
            user=certificate_user(self._authority.client(user, groups=groups)),
        )

    def service_account_kubeconfig(
        self,
        name: str,
        *,
        namespace: str = "default",
        rules: Sequence[Rule] = (),
        server: str | None = None,
        seconds: int = 24 * 3600,
    ) -> Path:
        """Create a service account with cluster-wide `rules` and no other rights, and write its kubeconfig."""
        with self.api() as api:
            create_service_account(api, name, namespace, rules)
            token = request_token(api, name, namespace, seconds=seconds)
        return write_kubeconfig(
            self.folder / f"{namespace}-{name}.kubeconfig",
            server=server or self.url,
            authority=self.authority,
            user={"token": token},
            namespace=namespace,
        )

    def _api_is_ready(self) -> bool:
        def is_ok(api: client.ApiClient) -> bool:
            response: Any = api.call_api("GET", f"{self.url}/readyz", _request_timeout=5)
            # Read the body, so that the connection is released.
            return bool(response.read() == b"ok")

        return self._succeeds(is_ok)

    def _await_service_account(self, namespace: str) -> None:
        """Wait until the controllers have created a namespace's service account, without which no pod is admitted."""
        self.controller_manager.await_ready(
            lambda: self._succeeds(
                lambda api: bool(
                    client.CoreV1Api(api).read_namespaced_service_account(
                        "default", namespace, _request_timeout=REQUEST_SECONDS
                    )
                )
            ),
            seconds=READY_SECONDS,
        )

    def _succeeds(self, request: Callable[[client.ApiClient], bool]) -> bool:
        try:
            with self.api() as api:
                return request(api)
        except (HTTPError, client.ApiException):
            return False

    def _etcd_command(self, authority: Authority) -> list[str]:
        # A CA of its own: a certificate of the cluster does not give access to etcd, bypassing the API server.
        server = authority.server("etcd", client_too=True)
        listen, peers = f"https://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        return [
            str(program("etcd")),
            f"--data-dir={self.folder}/etcd",
            f"--listen-client-urls={listen}",
            f"--advertise-client-urls={listen}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            f"--cert-file={server.certificate}",
            f"--key-file={server.key}",
            f"--trusted-ca-file={authority.certificate}",
            "--client-cert-auth",
            # Data survives kill -9 of every process without fsync; only a power failure would lose unflushed pages.
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _apiserver_command(self, etcd_authority: Authority) -> list[str]:
        server = self._authority.server("kube-apiserver", names=SERVICE_NAMES)
        etcd_client = etcd_authority.client("etcd-client")
        keys = self.folder / "keys"
        return [
            str(program("kube-apiserver")),
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            # It may not publish a loopback address as the Service «kubernetes»; so it publishes none.
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--tls-cert-file={server.certificate}",
            f"--tls-private-key-file={server.key}",
            f"--client-ca-file={self.authority}",
            f"--etcd-servers=https://127.0.0.1:{self._etcd_port}",
            f"--etcd-cafile={etcd_authority.certificate}",
            f"--etcd-certfile={etcd_client.certificate}",
            f"--etcd-keyfile={etcd_client.key}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-signing-key-file={keys}/tokens.key",
            f"--service-account-key-file={keys}/tokens.pub",
            "--anonymous-auth=false",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--profiling=false",
        ]

    def _manager_command(self) -> list[str]:
        access = self.certificate_kubeconfig("system:kube-controller-manager")
        return [
            str(program("kube-controller-manager")),
            "--bind-address=127.0.0.1",
            f"--secure-port={self._manager_port}",
            f"--kubeconfig={access}",
            f"--authentication-kubeconfig={access}",
            f"--authorization-kubeconfig={access}",
            f"--service-account-private-key-file={self.folder}/keys/tokens.key",
            f"--root-ca-file={self.authority}",
            "--use-service-account-credentials=true",
            # A single replica: no lease to wait for after a crash.
            "--leader-elect=false",
            # The default client rate limit would dominate the start: each controller gets a service account.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            # Tests wait until an autoscaler applies its minReplicas; the default is 15 s.
            "--horizontal-pod-autoscaler-sync-period=2s",
            "--profiling=false",
        ]
