"""One Compose project of the repository's compose.yaml."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from cassandra import ProtocolVersion
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster as Driver
from cassandra.cluster import Session

from exam_harness.environments.builds.binaries import program
from exam_harness.environments.docker.engine import Engine
from exam_harness.environments.docker.images import PYTHON, STORES, image_name
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.environments.processes.shell import run


class Project:
    """A project of its own name, on a port of its own.

    Args:
        engine: where its containers run.
        name: what it is called.
        port: the loopback's port for both hosts.
        from_packages: whether images are those that are built from packages.
    """

    def __init__(self, engine: Engine, name: str, port: int, *, from_packages: bool) -> None:
        self.engine = engine
        self.name = name
        self.gateway_port = port
        self.env = engine.env | {"HTTP_PORT": str(port), "COMPOSE_PROJECT_NAME": name}
        if from_packages:
            self.env |= {f"{store.upper()}_IMAGE": image_name(store, tag) for store, tag in STORES.items()}
            self.env |= {"PYTHON_IMAGE": PYTHON["runtime"], "BUILD_IMAGE": PYTHON["build"]}

    def compose(self, *words: str, stdin: str | None = None, seconds: float = 900) -> str:
        """Run Compose in the repository; its output."""
        command = [str(program("compose")), "--project-directory", str(REPOSITORY), *words]
        return run(command, env=self.env, stdin=stdin, seconds=seconds)

    def web_command(self, *words: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> str:
        """Run one of web's commands in its container; its output."""
        variables = [f"--env={name}={value}" for name, value in (env or {}).items()]
        script = 'set -a; . /secrets/env; exec python -m exam_web "$@"'
        return self.compose("exec", "-T", *variables, "web", "sh", "-c", script, "sh", *words, stdin=stdin or "")

    def secret(self, service: str, name: str) -> str:
        """A variable of a service's own secrets."""
        lines = self.compose("exec", "-T", service, "cat", "/secrets/env").splitlines()
        values = dict(line.split("=", 1) for line in lines)
        return values[name].strip("'")

    @property
    def service_token(self) -> str:
        """What web's internal addresses ask for."""
        return self.secret("web", "EXAM_SERVICE_TOKEN")

    @property
    def web_url(self) -> str:
        """Web itself, behind the gateway: by its container's address, which this host can reach."""
        return f"http://{self.address('web')}:8000"

    def address(self, service: str) -> str:
        """The address of a service's container."""
        container = self.compose("ps", "--quiet", service).strip()
        (found,) = json.loads(self.engine.docker("inspect", container))
        (network,) = found["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"])

    def dsn(self) -> str:
        """PostgreSQL's address for its superuser."""
        return f"postgresql://postgres:{self.secret('postgres', 'POSTGRES_PASSWORD')}@{self.address('postgres')}/exam"

    @contextmanager
    def cassandra(self) -> Iterator[Session]:
        """A plain driver session as the superuser."""
        password = self.secret("web", "EXAM_CASSANDRA_PASSWORD")
        driver = Driver(
            [self.address("cassandra")],
            auth_provider=PlainTextAuthProvider("exam", password),
            protocol_version=ProtocolVersion.V5,
            connect_timeout=20,
        )
        try:
            yield driver.connect()
        finally:
            driver.shutdown()

    def left(self) -> list[str]:
        """Containers, volumes and networks of the project that are there."""
        label = f"--filter=label=com.docker.compose.project={self.name}"
        found = [
            *self.engine.docker("ps", "--all", "--quiet", label).split(),
            *self.engine.docker("volume", "ls", "--quiet", label).split(),
            *self.engine.docker("network", "ls", "--quiet", label).split(),
        ]
        return sorted(found)
