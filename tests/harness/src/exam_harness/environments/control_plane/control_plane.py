"""etcd, kube-apiserver and kube-controller-manager as child processes, with authorities and keys made for the run."""

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
    """A Kubernetes API with the controllers behind it: Jobs, autoscalers, budgets, garbage collection, namespaces.

    Authorization is RBAC (and the node authorizer), nobody is anonymous. No scheduler and no kubelet runs: a pod stays
    Pending until a stand-in takes it.

    Args:
        folder: where data, keys and logs of this run go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "kubernetes"
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        keys = self.folder / "keys"
        self._authority = Authority("cluster-ca", keys)
        store_authority = Authority("etcd-ca", keys)
        signing_keys(keys / "tokens.key", keys / "tokens.pub")
        self.port, self._etcd_port, self._peer_port, self._manager_port = free_ports(4)
        self.url = f"https://127.0.0.1:{self.port}"
        self.kubeconfig = self.certificate_kubeconfig("exam-admin", groups=["system:masters"])
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        self.etcd = ChildProcess("etcd", self._etcd_words(store_authority), log=folder / "logs/etcd.log", env=env)
        self.apiserver = ChildProcess(
            "kube-apiserver", self._apiserver_words(store_authority), log=folder / "logs/kube-apiserver.log", env=env
        )
        self.controller_manager = ChildProcess(
            "kube-controller-manager",
            self._manager_words(),
            log=folder / "logs/kube-controller-manager.log",
            env=env,
        )

    @property
    def authority(self) -> Path:
        """The certificate that clients check the API server against."""
        return self._authority.certificate

    def serving_certificate(self, name: str) -> KeyPair:
        """A certificate for somebody who stands on the loopback before the API server."""
        return self._authority.server(name)

    def start(self) -> None:
        """Start what does not run of etcd and the API server; returns before they are ready."""
        for child in (self.etcd, self.apiserver):
            if not child.alive:
                child.start()

    def await_ready(self) -> None:
        """Wait until the API is served and the controllers act; they start here, for without an API they give up."""
        self.apiserver.await_ready(self._api_is_ready, seconds=READY_SECONDS)
        if not self.controller_manager.alive:
            self.controller_manager.start()
        self._await_account("default")

    def stop(self) -> None:
        """Stop everything, whoever leans on another first."""
        for child in (self.controller_manager, self.apiserver, self.etcd):
            child.stop()

    @contextmanager
    def api(self, kubeconfig: Path | None = None) -> Iterator[client.ApiClient]:
        """A client of the official library, the administrator's when no kubeconfig is named."""
        with api_client(kubeconfig or self.kubeconfig) as made:
            yield made

    def kubectl(
        self, *words: str, stdin: str | None = None, kubeconfig: Path | None = None, seconds: float = 60
    ) -> str:
        """Run kubectl and return what it says; another code than 0 is an error with its complaint."""
        done = subprocess.run(
            [str(program("kubectl")), *words],
            env=self.kubectl_env(kubeconfig),
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise HarnessError(
                f"kubectl {' '.join(words)} ended with code {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    def kubectl_env(self, kubeconfig: Path | None = None) -> dict[str, str]:
        """The environment of a kubectl that somebody else runs; its cache stays in this run's folder."""
        return {
            "PATH": f"{program('kubectl').parent}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }

    def create_namespace(self, name: str) -> None:
        """Make a namespace and wait until pods may be made in it."""
        with self.api() as api:
            namespace = client.V1Namespace(metadata=client.V1ObjectMeta(name=name))
            client.CoreV1Api(api).create_namespace(namespace, _request_timeout=REQUEST_SECONDS)
        self._await_account(name)

    def certificate_kubeconfig(self, user: str, *, groups: Sequence[str] = (), server: str | None = None) -> Path:
        """A kubeconfig for somebody who shows a client certificate; `server` when the way leads through a proxy."""
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
        """A kubeconfig for a service account which may do, in every namespace, what `rules` say and nothing else."""
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
            answer: Any = api.call_api("GET", f"{self.url}/readyz", _request_timeout=5)
            # Read to its end, so that the connection can be put away.
            return bool(answer.read() == b"ok")

        return self._answers(is_ok)

    def _await_account(self, namespace: str) -> None:
        """Wait until a namespace has its service account: the controllers' doing, without which no pod is admitted."""
        self.controller_manager.await_ready(
            lambda: self._answers(
                lambda api: bool(
                    client.CoreV1Api(api).read_namespaced_service_account(
                        "default", namespace, _request_timeout=REQUEST_SECONDS
                    )
                )
            ),
            seconds=READY_SECONDS,
        )

    def _answers(self, question: Callable[[client.ApiClient], bool]) -> bool:
        try:
            with self.api() as api:
                return question(api)
        except (HTTPError, client.ApiException):
            return False

    def _etcd_words(self, authority: Authority) -> list[str]:
        # An authority of its own: whoever holds a certificate of the cluster cannot read the store past the API server.
        server = authority.server("etcd", client_too=True)
        mine, peers = f"https://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        return [
            str(program("etcd")),
            f"--data-dir={self.folder}/etcd",
            f"--listen-client-urls={mine}",
            f"--advertise-client-urls={mine}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            f"--cert-file={server.certificate}",
            f"--key-file={server.key}",
            f"--trusted-ca-file={authority.certificate}",
            "--client-cert-auth",
            # It outlives kill -9 of every process here, only a power cut would lose what the kernel still holds.
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _apiserver_words(self, store_authority: Authority) -> list[str]:
        server = self._authority.server("kube-apiserver", names=SERVICE_NAMES)
        store = store_authority.client("etcd-client")
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
            f"--etcd-cafile={store_authority.certificate}",
            f"--etcd-certfile={store.certificate}",
            f"--etcd-keyfile={store.key}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-signing-key-file={keys}/tokens.key",
            f"--service-account-key-file={keys}/tokens.pub",
            "--anonymous-auth=false",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--profiling=false",
        ]

    def _manager_words(self) -> list[str]:
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
            # The only one of its kind: no lease to wait for after a crash.
            "--leader-elect=false",
            # Its own speed limit would be most of the start, for the controllers get an account each.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            # An autoscaler's floor takes effect within this; a test waits for it.
            "--horizontal-pod-autoscaler-sync-period=2s",
            "--profiling=false",
        ]
