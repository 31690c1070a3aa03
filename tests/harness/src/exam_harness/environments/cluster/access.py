"""Access to a platform in a cluster: web's commands in its pod, and stores through port-forwarding."""

import base64
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Self

from cassandra import ProtocolVersion
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster as Driver
from cassandra.cluster import Session

from exam_harness.environments.builds.tools import tool
from exam_harness.environments.cluster.deploy import NAMESPACE, RELEASE
from exam_harness.environments.cluster.kind import Cluster
from exam_harness.environments.processes.ports import free_ports, is_listening
from exam_harness.environments.processes.process import HarnessError
from exam_harness.hosts import Hosts
from exam_harness.waiting import eventually

READY_SECONDS = 120


class ClusterAccess:
    """Access for scenarios and the oracle; students use the Ingress controller's port only.

    Args:
        cluster: the cluster with the platform.
        port: the loopback port of the Ingress controller.
        hosts: the platform's host names.
    """

    def __init__(self, cluster: Cluster, port: int, hosts: Hosts) -> None:
        self.cluster = cluster
        self.gateway_port = port
        self.hosts = hosts
        (self._internal_port,) = free_ports(1)
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        # The Ingress does not route web's internal API.
        self._resources.enter_context(self.forwarded("web", 8001, local=self._internal_port))
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def reconnect(self) -> None:
        """Forward the port of web again: a port-forward breaks when its pod is replaced."""
        self._resources.close()
        self.__enter__()

    @property
    def internal_url(self) -> str:
        """The URL of web's internal API."""
        return f"http://127.0.0.1:{self._internal_port}"

    @property
    def service_token(self) -> str:
        """A bearer token for web's internal API."""
        return self.web_command("service_token", "--minutes=720").strip()

    def secret(self, key: str) -> str:
        """Return a value of the platform's Secret."""
        data = self.cluster.get("--namespace", NAMESPACE, "secret", f"{RELEASE}-secrets")["data"]
        return base64.b64decode(data[key]).decode()

    def web_command(self, *arguments: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> str:
        """Run a management command in web's pod and return its output."""
        variables = [f"{name}={value}" for name, value in (env or {}).items()]
        command = ("env", *variables, "python", "-m", "exam_web", *arguments)
        exec_in_web = ("--namespace", NAMESPACE, "exec", "--stdin", f"deployment/{RELEASE}-web", "--")
        return self.cluster.kubectl(*exec_in_web, *command, stdin=stdin or "")

    def dsn(self, port: int) -> str:
        """Return the superuser's connection URL of PostgreSQL on a forwarded port."""
        return f"postgresql://postgres:{self.secret('postgres-password')}@127.0.0.1:{port}/exam"

    @contextmanager
    def cassandra(self) -> Iterator[Session]:
        """Yield a driver session as the superuser."""
        with self.forwarded("cassandra", 9042) as port:
            driver = Driver(
                ["127.0.0.1"],
                port=port,
                auth_provider=PlainTextAuthProvider("exam", self.secret("cassandra-password")),
                protocol_version=ProtocolVersion.V5,
                connect_timeout=20,
            )
            try:
                session = driver.connect()
                session.default_timeout = 30
                yield session
            finally:
                driver.shutdown()

    @contextmanager
    def forwarded(self, component: str, port: int, *, local: int | None = None) -> Iterator[int]:
        """Forward a loopback port, by default a free one, to a component's Service once it has a ready pod.

        Raises:
            TimeoutError: no pod is ready, or kubectl does not listen.
            HarnessError: kubectl ended; the message has its output.
        """
        eventually(lambda: self._has_ready_pod(component), f"{component} has a ready pod", seconds=READY_SECONDS)
        local = local or free_ports(1)[0]
        forward = ["--namespace", NAMESPACE, "port-forward", f"service/{RELEASE}-{component}", f"{local}:{port}"]
        child = subprocess.Popen(
            [str(tool("kubectl")), *forward, "--address=127.0.0.1"],
            env=self.cluster.subprocess_env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

        def is_forwarding() -> bool:
            if child.poll() is not None:
                raise HarnessError(f"kubectl port-forward to {component} ended: {child.communicate()[1]}")
            return is_listening(local)

        try:
            eventually(is_forwarding, f"kubectl forwards a port to {component}", seconds=READY_SECONDS)
            yield local
        finally:
            child.terminate()
            child.communicate()

    def _has_ready_pod(self, component: str) -> bool:
        """Return whether a component's Service has a serving endpoint, which it may lack after a pod was killed."""
        name = f"kubernetes.io/service-name={RELEASE}-{component}"
        slices = self.cluster.get("--namespace", NAMESPACE, "endpointslices", "--selector", name)["items"]
        return any(each["conditions"].get("serving") for one in slices for each in one.get("endpoints") or [])
