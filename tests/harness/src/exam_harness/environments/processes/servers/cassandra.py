"""Cassandra from its jars on a plain Java, with the default superuser replaced."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from cassandra import AuthenticationFailed, OperationTimedOut, ProtocolVersion, RequestExecutionException
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import RoundRobinPolicy
from jinja2 import StrictUndefined, Template

from exam_harness.environments.processes.paths import CASSANDRA_SOURCES, cassandra_home, require_installed, short_digest
from exam_harness.environments.processes.ports import free_ports, is_listening
from exam_harness.environments.processes.process import ChildProcess
from exam_harness.environments.processes.server import Server
from exam_harness.environments.processes.servers.java import find_java, java_version

_DEFAULT_SUPERUSER = ("cassandra", "cassandra")
"""The superuser of a new cluster; its login is revoked once the run's own superuser exists."""
_STARTING_ERRORS = (NoHostAvailable, AuthenticationFailed, OperationTimedOut, RequestExecutionException)
"""Errors of a node that is starting."""
_TEMPLATE = CASSANDRA_SOURCES / "cassandra.yaml.j2"
_HEAP = "512m"
# A short-lived node spends most of its time starting, where C2 compilation does not pay off.
_SHORT_LIVED = ("-XX:TieredStopAtLevel=1",)
_OPTIONS = (
    f"-Xms{_HEAP}",
    f"-Xmx{_HEAP}",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    # A single node has no peers to wait for when it joins or leaves.
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.ring_delay_ms=1",
    "-Dcassandra.shutdown_announce_in_ms=0",
    "-Dcassandra.superuser_setup_delay_ms=0",
    "-Dcassandra-foreground=yes",
    "-Djdk.attach.allowAttachSelf=true",
)


class Cassandra(Server):
    """A single Cassandra node; `username` and `password` are of its superuser, generated for this run.

    Args:
        folder: the folder for its data and log.
        long_lived: whether it runs long enough for full compilation to pay off, as under a benchmark.
        archive_to: the file into which Java dumps the loaded classes when the node stops (see `class_archive`).
    """

    ready_seconds: ClassVar[float] = 120
    username = "exam"
    host = "127.0.0.1"

    def __init__(self, folder: Path, *, long_lived: bool = False, archive_to: Path | None = None) -> None:
        self.folder = folder.absolute() / "cassandra"
        self.port, self._storage_port = free_ports(2)
        self.password = secrets.token_urlsafe(24)
        self.passwords = {component: secrets.token_urlsafe(24) for component in ("web", "solver", "grader")}
        self._superuser_replaced = False
        require_installed(cassandra_home())
        classes = _class_options(archive_to)
        self._child = ChildProcess(
            "Cassandra",
            command(self.folder, [*classes, *(() if long_lived else _SHORT_LIVED)]),
            log=folder.absolute() / "logs/cassandra.log",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )

    @property
    def process(self) -> ChildProcess:
        """The child process."""
        return self._child

    def prepare(self) -> None:
        """Write the configuration."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "cassandra.yaml").write_text(configuration(self.folder, self.port, self._storage_port))

    def is_ready(self) -> bool:
        """Return whether a query as the superuser succeeds; create the superuser the first time."""
        # A TCP connection attempt is cheap; a driver without a node to connect to takes seconds.
        if not is_listening(self.port):
            return False
        try:
            if not self._superuser_replaced:
                self._replace_default_superuser()
            with self.session() as session:
                return session.execute("SELECT key FROM system.local").one() is not None
        except _STARTING_ERRORS:
            return False

    def variables(self, component: str | None = None) -> dict[str, str]:
        """Return the environment variables of a component's role, or of the superuser, which migrates."""
        env = {
            "EXAM_CASSANDRA_HOSTS": self.host,
            "EXAM_CASSANDRA_PORT": str(self.port),
            "EXAM_CASSANDRA_USERNAME": self.username,
            "EXAM_CASSANDRA_PASSWORD": self.password,
            "EXAM_CASSANDRA_KEYSPACE": "exam",
            "EXAM_CASSANDRA_REPLICATION": "1",
        }
        if component is None:
            names = {f"EXAM_CASSANDRA_{name.upper()}_PASSWORD": value for name, value in self.passwords.items()}
            return env | names
        return env | {
            "EXAM_CASSANDRA_USERNAME": f"exam_{component}",
            "EXAM_CASSANDRA_PASSWORD": self.passwords[component],
        }

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Yield a driver session as the superuser, for tests and the oracle."""
        with self._session(self.username, self.password) as session:
            yield session

    def _replace_default_superuser(self) -> None:
        """Create the run's own superuser and revoke the login of the default one."""
        with self._session(*_DEFAULT_SUPERUSER) as session:
            session.execute(
                f"CREATE ROLE IF NOT EXISTS {self.username}"
                f" WITH PASSWORD = '{self.password}' AND SUPERUSER = true AND LOGIN = true"
            )
        with self.session() as session:
            session.execute(f"ALTER ROLE {_DEFAULT_SUPERUSER[0]} WITH LOGIN = false AND SUPERUSER = false")
        self._superuser_replaced = True

    @contextmanager
    def _session(self, username: str, password: str) -> Iterator[Session]:
        cluster = Cluster(
            [self.host],
            port=self.port,
            auth_provider=PlainTextAuthProvider(username, password),
            execution_profiles={
                EXEC_PROFILE_DEFAULT: ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=20)
            },
            protocol_version=ProtocolVersion.V5,
            connect_timeout=5,
        )
        try:
            yield cluster.connect()
        finally:
            cluster.shutdown()


def command(folder: Path, java_options: list[str]) -> list[str]:
    """Return the command line of a node with its configuration and data in `folder`."""
    return [
        str(find_java()),
        *_OPTIONS,
        *java_options,
        f"-Dcassandra.config={(folder / 'cassandra.yaml').as_uri()}",
        f"-Dcassandra.storagedir={folder}",
        f"-Dlogback.configurationFile={CASSANDRA_SOURCES}/logback.xml",
        f"-Djava.io.tmpdir={folder}",
        *(CASSANDRA_SOURCES / "jvm.options").read_text().split(),
        *("-cp", _class_path()),
        "org.apache.cassandra.service.CassandraDaemon",
    ]


def configuration(folder: Path, port: int, storage_port: int) -> str:
    """Render the node's cassandra.yaml."""
    template = Template(_TEMPLATE.read_text(), undefined=StrictUndefined)
    return str(template.render(folder=folder, port=port, storage_port=storage_port))


def class_archive() -> Path:
    """Return the class data sharing archive of this configuration and this Java, which the set-up creates."""
    inputs = java_version(find_java()) + _TEMPLATE.read_text()
    return cassandra_home() / f"classes-{short_digest(inputs.encode())}.jsa"


def _class_options(archive_to: Path | None) -> list[str]:
    if archive_to is not None:
        return [f"-XX:ArchiveClassesAtExit={archive_to}"]
    archive = class_archive()
    return [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []


def _class_path() -> str:
    """Return the class path, sorted: a class data sharing archive is valid for one class path only."""
    return ":".join(str(jar) for jar in sorted((cassandra_home() / "lib").glob("*.jar")))
