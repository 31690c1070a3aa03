"""Cassandra from its jars on a plain Java, with a superuser of its own."""

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

from exam_harness.environments.processes.paths import CASSANDRA_SOURCES, cassandra_home, installed, short_digest
from exam_harness.environments.processes.ports import free_ports, listening
from exam_harness.environments.processes.process import ChildProcess
from exam_harness.environments.processes.server import Server
from exam_harness.environments.processes.servers.java import find_java, java_version

_DEFAULT_SUPERUSER = ("cassandra", "cassandra")
"""What a new cluster is born with; its login is taken away as soon as ours exists."""
_NOT_YET = (NoHostAvailable, AuthenticationFailed, OperationTimedOut, RequestExecutionException)
"""How a node that is on its way up refuses."""
_TEMPLATE = CASSANDRA_SOURCES / "cassandra.yaml.j2"
_HEAP = "512m"
# Start-up is most of a short life, and two cores have better to do than to compile a second time.
_SHORT_LIFE = ("-XX:TieredStopAtLevel=1",)
_OPTIONS = (
    f"-Xms{_HEAP}",
    f"-Xmx{_HEAP}",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    # One node waits for nobody: neither when it joins nor when it leaves.
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.ring_delay_ms=1",
    "-Dcassandra.shutdown_announce_in_ms=0",
    "-Dcassandra.superuser_setup_delay_ms=0",
    "-Dcassandra-foreground=yes",
    "-Djdk.attach.allowAttachSelf=true",
)


class Cassandra(Server):
    """One Cassandra node; `username` and `password` are its superuser's, made for this run.

    Args:
        folder: where its data and log go.
        long_lived: whether it serves long enough for full compilation to pay, as under a benchmark.
        archive_to: where Java is to keep the classes it loaded when the node stops (see `class_archive`).
    """

    ready_seconds: ClassVar[float] = 120
    username = "exam"
    host = "127.0.0.1"

    def __init__(self, folder: Path, *, long_lived: bool = False, archive_to: Path | None = None) -> None:
        self.folder = folder.absolute() / "cassandra"
        self.port, self._storage_port = free_ports(2)
        self.password = secrets.token_urlsafe(24)
        self._is_ours = False
        installed(cassandra_home())
        classes = _class_options(archive_to)
        self._child = ChildProcess(
            "Cassandra",
            command(self.folder, [*classes, *(() if long_lived else _SHORT_LIFE)]),
            log=folder.absolute() / "logs/cassandra.log",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )

    @property
    def process(self) -> ChildProcess:
        """The server's process."""
        return self._child

    def prepare(self) -> None:
        """Write the configuration."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "cassandra.yaml").write_text(configuration(self.folder, self.port, self._storage_port))

    def is_ready(self) -> bool:
        """A query of our own superuser, who is made the first time."""
        # A dial costs nothing; a driver that finds nobody costs seconds.
        if not listening(self.port):
            return False
        try:
            if not self._is_ours:
                self._take_over()
            with self.session() as session:
                return session.execute("SELECT key FROM system.local").one() is not None
        except _NOT_YET:
            return False

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A plain driver session as the superuser, for tests and the oracle."""
        with self._session(self.username, self.password) as session:
            yield session

    def _take_over(self) -> None:
        """Make our superuser and take the born one's login away."""
        with self._session(*_DEFAULT_SUPERUSER) as session:
            session.execute(
                f"CREATE ROLE IF NOT EXISTS {self.username}"
                f" WITH PASSWORD = '{self.password}' AND SUPERUSER = true AND LOGIN = true"
            )
        with self.session() as session:
            session.execute(f"ALTER ROLE {_DEFAULT_SUPERUSER[0]} WITH LOGIN = false AND SUPERUSER = false")
        self._is_ours = True

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
    """The command line of a node whose configuration and data are in `folder`."""
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
    """The node's cassandra.yaml."""
    template = Template(_TEMPLATE.read_text(), undefined=StrictUndefined)
    return str(template.render(folder=folder, port=port, storage_port=storage_port))


def class_archive() -> Path:
    """Where the set-up keeps the classes that this configuration loads as the present Java maps them."""
    made_of = java_version(find_java()) + _TEMPLATE.read_text()
    return cassandra_home() / f"classes-{short_digest(made_of.encode())}.jsa"


def _class_options(archive_to: Path | None) -> list[str]:
    if archive_to is not None:
        return [f"-XX:ArchiveClassesAtExit={archive_to}"]
    archive = class_archive()
    return [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []


def _class_path() -> str:
    """Every jar by name, in one order: Java's archive of classes holds for one class path alone."""
    return ":".join(str(jar) for jar in sorted((cassandra_home() / "lib").glob("*.jar")))
