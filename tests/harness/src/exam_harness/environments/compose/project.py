"""A Compose project of the repository's compose.yaml."""

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
from exam_harness.hosts import LOCAL, Hosts


class Project:
    """A Compose project with a name and a port of its own.

    Args:
        engine: the Docker engine that runs its containers.
        name: the project name.
        port: the loopback port of both hosts.
        from_packages: whether to use the images that are built from packages.
    """

    def __init__(self, engine: Engine, name: str, port: int, *, from_packages: bool) -> None:
        self.engine = engine
        self.name = name
        self.gateway_port = port
        self.env = engine.env | {"HTTP_PORT": str(port), "COMPOSE_PROJECT_NAME": name}
        if from_packages:
            self.env |= {f"{store.upper()}_IMAGE": image_name(store, tag) for store, tag in STORES.items()}
            self.env |= {"PYTHON_IMAGE": PYTHON["runtime"], "BUILD_IMAGE": PYTHON["build"]}

    def compose(self, *arguments: str, stdin: str | None = None, seconds: float = 900) -> str:
        """Run a Compose command and return its output."""
        command = [str(program("compose")), "--project-directory", str(REPOSITORY), *arguments]
        return run(command, env=self.env, stdin=stdin, seconds=seconds)

    def web_command(self, *arguments: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> str:
        """Run a management command in web's container and return its output."""
        variables = [f"--env={name}={value}" for name, value in (env or {}).items()]
        script = 'set -a; . /secrets/env; exec python -m exam_web "$@"'
        return self.compose("exec", "-T", *variables, "web", "sh", "-c", script, "sh", *arguments, stdin=stdin or "")

    def secret(self, service: str, name: str) -> str:
        """Return a variable of a service's secrets."""
        lines = self.compose("exec", "-T", service, "cat", "/secrets/env").splitlines()
        values = dict(line.split("=", 1) for line in lines)
        return values[name].strip("'")

    @property
    def service_token(self) -> str:
        """A bearer token for web's internal API."""
        return self.web_command("service_token", "--minutes=720").strip()

    @property
    def hosts(self) -> Hosts:
        """The names of both hosts."""
        return LOCAL

    @property
    def internal_url(self) -> str:
        """The URL of web's internal API by its container's IP address."""
        return f"http://{self.address('web')}:8001"

    def address(self, service: str) -> str:
        """Return the IP address of a service's container."""
        container = self.compose("ps", "--quiet", service).strip()
        (inspected,) = json.loads(self.engine.docker("inspect", container))
        (network,) = inspected["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"])

    def dsn(self) -> str:
        """Return the superuser's connection URL of PostgreSQL."""
        return f"postgresql://postgres:{self.secret('postgres', 'POSTGRES_PASSWORD')}@{self.address('postgres')}/exam"

    @contextmanager
    def cassandra(self) -> Iterator[Session]:
        """Yield a driver session as the grader, which reads answers and seals."""
        username, password = (self.secret("grader", f"EXAM_CASSANDRA_{name}") for name in ("USERNAME", "PASSWORD"))
        driver = Driver(
            [self.address("cassandra")],
            auth_provider=PlainTextAuthProvider(username, password),
            protocol_version=ProtocolVersion.V5,
            connect_timeout=20,
        )
        try:
            yield driver.connect()
        finally:
            driver.shutdown()

    def remaining(self) -> list[str]:
        """Return the ids of the project's remaining containers, volumes and networks."""
        label = f"--filter=label=com.docker.compose.project={self.name}"
        ids = [
            *self.engine.docker("ps", "--all", "--quiet", label).split(),
            *self.engine.docker("volume", "ls", "--quiet", label).split(),
            *self.engine.docker("network", "ls", "--quiet", label).split(),
        ]
        return sorted(ids)
