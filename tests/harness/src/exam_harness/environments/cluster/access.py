"""A platform in a cluster as its people reach it: commands in web's pod; for who must look, stores through kubectl."""

import base64
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Self

from cassandra import ProtocolVersion
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster as Driver
from cassandra.cluster import Session

from exam_harness.environments.builds.binaries import program
from exam_harness.environments.cluster.deploy import NAMESPACE, RELEASE
from exam_harness.environments.cluster.kind import Cluster
from exam_harness.environments.processes.ports import free_ports, listening
from exam_harness.environments.processes.process import HarnessError
from exam_harness.waiting import eventually

READY_SECONDS = 120


class ClusterAccess:
    """What runs and oracles need of a platform in a cluster; students use the Ingress controller's port alone.

    Args:
        cluster: where the platform is.
        port: the loopback's port of the Ingress controller.
    """

    def __init__(self, cluster: Cluster, port: int) -> None:
        self.cluster = cluster
        self.gateway_port = port
        (self._web_port,) = free_ports(1)
        self._ends = ExitStack()

    def __enter__(self) -> Self:
        # Web's internal addresses are not served to the outside, so not through the Ingress either.
        self._ends.enter_context(self.forwarded("web", 8000, local=self._web_port))
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def reconnect(self) -> None:
        """Find web anew: what kubectl forwards ends with the pod that it led to, at the first use after that."""
        self._ends.close()
        self.__enter__()

    @property
    def web_url(self) -> str:
        """Web itself, behind the gateway."""
        return f"http://127.0.0.1:{self._web_port}"

    @property
    def service_token(self) -> str:
        """What web's internal addresses ask for."""
        return self.secret("service-token")

    def secret(self, key: str) -> str:
        """One value of the platform's Secret."""
        data = self.cluster.get("--namespace", NAMESPACE, "secret", f"{RELEASE}-secrets")["data"]
        return base64.b64decode(data[key]).decode()

    def web_command(self, *words: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> str:
        """Run one of web's commands in its pod; its output."""
        variables = [f"{name}={value}" for name, value in (env or {}).items()]
        command = ("env", *variables, "python", "-m", "exam_web", *words)
        where = ("--namespace", NAMESPACE, "exec", "--stdin", f"deployment/{RELEASE}-web", "--")
        return self.cluster.kubectl(*where, *command, stdin=stdin or "")

    def dsn(self, port: int) -> str:
        """PostgreSQL's address for its superuser, on a forwarded port."""
        return f"postgresql://postgres:{self.secret('postgres-password')}@127.0.0.1:{port}/exam"

    @contextmanager
    def cassandra(self) -> Iterator[Session]:
        """A plain driver session as the superuser."""
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
        """A port of the loopback, a free one unless named, that leads to a component's Service once it has a ready pod.

        Raises:
            TimeoutError: it has none, or kubectl does not listen.
            HarnessError: kubectl ended; with what it said.
        """
        eventually(lambda: self._has_ready_pod(component), f"{component} has a ready pod", seconds=READY_SECONDS)
        local = local or free_ports(1)[0]
        words = ["--namespace", NAMESPACE, "port-forward", f"service/{RELEASE}-{component}", f"{local}:{port}"]
        child = subprocess.Popen(
            [str(program("kubectl")), *words, "--address=127.0.0.1"],
            env=self.cluster.subprocess_env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

        def forwards() -> bool:
            if child.poll() is not None:
                raise HarnessError(f"kubectl forwards no port to {component}: {child.communicate()[1]}")
            return listening(local)

        try:
            eventually(forwards, f"kubectl forwards a port to {component}", seconds=READY_SECONDS)
            yield local
        finally:
            child.terminate()
            child.communicate()

    def _has_ready_pod(self, component: str) -> bool:
        """Whether somebody answers at a component's Service: after a pod was killed nobody may, for a while."""
        name = f"kubernetes.io/service-name={RELEASE}-{component}"
        slices = self.cluster.get("--namespace", NAMESPACE, "endpointslices", "--selector", name)["items"]
        return any(each["conditions"].get("serving") for one in slices for each in one.get("endpoints") or [])
