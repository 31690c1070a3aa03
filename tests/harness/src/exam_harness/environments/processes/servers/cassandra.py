"""Nodes of Cassandra from its jars on a plain Java, with the default superuser replaced."""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from cassandra import (
    AuthenticationFailed,
    ConsistencyLevel,
    OperationTimedOut,
    ProtocolVersion,
    RequestExecutionException,
)
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import WhiteListRoundRobinPolicy
from cassandra.query import SimpleStatement
from jinja2 import StrictUndefined, Template

from exam_harness.environments.processes.paths import CASSANDRA_SOURCES, cassandra_home, require_installed, short_digest
from exam_harness.environments.processes.ports import free_ports, is_listening
from exam_harness.environments.processes.process import ChildProcess
from exam_harness.environments.processes.server import Server
from exam_harness.environments.processes.servers.clock import SteppedClock
from exam_harness.environments.processes.servers.java import find_java, java_version

COMPONENTS = ("web", "solver", "grader")
"""The services with a role in Cassandra."""
_DEFAULT_SUPERUSER = ("cassandra", "cassandra")
"""The superuser of a new cluster; its login is revoked once the run's own superuser exists."""
_SUPERUSER_QUERY = "SELECT role FROM system_auth.roles WHERE role = %s"
_STARTING_ERRORS = (NoHostAvailable, AuthenticationFailed, OperationTimedOut, RequestExecutionException)
"""Errors of a node that is starting."""
CLOCK_SOURCE = CASSANDRA_SOURCES / "SteppedClock.java"
_TEMPLATE = CASSANDRA_SOURCES / "cassandra.yaml.j2"
# A short-lived node spends most of its time starting, where C2 compilation does not pay off.
_SHORT_LIVED = ("-XX:TieredStopAtLevel=1",)
_OPTIONS = (
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    # The nodes of a ring have their tokens from the start, and none joins or leaves it.
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.ring_delay_ms=1",
    "-Dcassandra.shutdown_announce_in_ms=0",
    "-Dcassandra.superuser_setup_delay_ms=0",
    "-Dcassandra-foreground=yes",
    "-Djdk.attach.allowAttachSelf=true",
)


@dataclass(frozen=True, kw_only=True)
class Ring:
    """What the nodes of a cluster on this machine share.

    Attributes:
        size: the number of nodes; each has a loopback address of its own, and the same ports as the others.
        port: the port of the CQL protocol.
        storage_port: the port for the other nodes.
        apart: whether nodes listen for each other at another address than the one that others connect to, which a proxy
            has to serve.
        username: the superuser, as which the schema is migrated.
        password: the superuser's password.
        passwords: the password of each component's role.
    """

    size: int = 1
    port: int = field(default_factory=lambda: free_ports(1)[0])
    storage_port: int = field(default_factory=lambda: free_ports(1)[0])
    apart: bool = False
    username: str = "exam"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    passwords: Mapping[str, str] = field(
        default_factory=lambda: {component: secrets.token_urlsafe(24) for component in COMPONENTS}, repr=False
    )

    def variables(self, component: str | None = None) -> dict[str, str]:
        """Return the environment variables of a component, or of the migrations, which create its role."""
        env = {
            "EXAM_CASSANDRA_HOSTS": ",".join(self.hosts),
            "EXAM_CASSANDRA_PORT": str(self.port),
            "EXAM_CASSANDRA_USERNAME": self.username,
            "EXAM_CASSANDRA_PASSWORD": self.password,
            "EXAM_CASSANDRA_KEYSPACE": "exam",
            "EXAM_CASSANDRA_REPLICATION": str(self.size),
        }
        if component is None:
            return env | {f"EXAM_CASSANDRA_{name.upper()}_PASSWORD": value for name, value in self.passwords.items()}
        role = {"USERNAME": f"exam_{component}", "PASSWORD": self.passwords[component]}
        return env | {f"EXAM_CASSANDRA_{name}": value for name, value in role.items()}

    @property
    def hosts(self) -> tuple[str, ...]:
        """The address of each node, for clients and for other nodes."""
        return tuple(f"127.0.0.{number}" for number in range(1, self.size + 1))

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each node."""
        return tuple(f"cassandra-{number}" for number in range(1, self.size + 1)) if self.size > 1 else ("cassandra",)

    def listen_host(self, number: int) -> str:
        """The address at which a node, counted from 1, listens for the others."""
        return f"127.0.1.{number}" if self.apart else self.hosts[number - 1]

    def token(self, number: int) -> int:
        """The token of a node: all have parts of the same size."""
        return -(2**63) + number * (2**64 // (self.size + 1))


class Cassandra(Server):
    """A Cassandra node, the only one by default.

    Args:
        folder: the folder for its data and log.
        ring: what it shares with the other nodes.
        number: its number among them, from 1 on.
        long_lived: whether it runs long enough for full compilation to pay off, as under a benchmark.
        clock: its wall clock; by default this machine's.
        archive_to: the file into which Java dumps the loaded classes when the node stops (see `class_archive`).
    """

    ready_seconds: ClassVar[float] = 240

    def __init__(
        self,
        folder: Path,
        *,
        ring: Ring | None = None,
        number: int = 1,
        long_lived: bool = False,
        clock: SteppedClock | None = None,
        archive_to: Path | None = None,
    ) -> None:
        self.ring = ring = ring or Ring()
        self.name = ring.names[number - 1]
        self.folder = folder.absolute() / self.name
        self.port, self.host = ring.port, ring.hosts[number - 1]
        self.username, self.password = ring.username, ring.password
        self._number = number
        # The first node replaces the superuser of all.
        self._superuser_replaced = number > 1
        require_installed(cassandra_home())
        classes = _class_options(archive_to)
        self._child = ChildProcess(
            self.name.capitalize(),
            command(self.folder, [*_memory(ring), *classes, *(() if long_lived else _SHORT_LIVED)], clock),
            log=folder.absolute() / f"logs/{self.name}.log",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )

    @property
    def process(self) -> ChildProcess:
        """The child process."""
        return self._child

    def prepare(self) -> None:
        """Write the configuration."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "cassandra.yaml").write_text(configuration(self.folder, self.ring, self._number))

    def is_ready(self) -> bool:
        """Return whether a query of all replicas as the superuser succeeds; create the superuser the first time."""
        # A TCP connection attempt is cheap; a driver without a node to connect to takes seconds.
        if not is_listening(self.port, self.host):
            return False
        try:
            if not self._superuser_replaced:
                self._replace_default_superuser()
            with self.session() as session:
                query = SimpleStatement(_SUPERUSER_QUERY, consistency_level=ConsistencyLevel.ALL)
                return session.execute(query, (self.username,)).one() is not None
        except _STARTING_ERRORS:
            return False

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Yield a driver session with this node as the superuser, for tests and the oracle."""
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
                EXEC_PROFILE_DEFAULT: ExecutionProfile(
                    load_balancing_policy=WhiteListRoundRobinPolicy([self.host]),
                    consistency_level=ConsistencyLevel.QUORUM,
                    request_timeout=20,
                )
            },
            protocol_version=ProtocolVersion.V5,
            connect_timeout=5,
        )
        try:
            yield cluster.connect()
        finally:
            cluster.shutdown()


def command(folder: Path, java_options: list[str], clock: SteppedClock | None = None) -> list[str]:
    """Return the command line of a node with its configuration and data in `folder`, by a clock or this machine's."""
    if clock is not None:
        java_options = [*java_options, "-Dcassandra.clock=SteppedClock", f"-Dexam.clock.file={clock.file}"]
    return [
        str(find_java()),
        *_OPTIONS,
        *java_options,
        f"-Dcassandra.config={(folder / 'cassandra.yaml').as_uri()}",
        f"-Dcassandra.storagedir={folder}",
        f"-Dlogback.configurationFile={CASSANDRA_SOURCES}/logback.xml",
        f"-Djava.io.tmpdir={folder}",
        *(CASSANDRA_SOURCES / "jvm.options").read_text().split(),
        *("-cp", _class_path() if clock is None else f"{_class_path()}:{clock_classes()}"),
        "org.apache.cassandra.service.CassandraDaemon",
    ]


def configuration(folder: Path, ring: Ring, number: int) -> str:
    """Render a node's cassandra.yaml."""
    template = Template(_TEMPLATE.read_text(), undefined=StrictUndefined)
    return str(
        template.render(
            folder=folder,
            port=ring.port,
            storage_port=ring.storage_port,
            token=ring.token(number),
            host=ring.hosts[number - 1],
            listen=ring.listen_host(number),
            # All are seeds, so that each starts whichever other one is down.
            seeds=",".join(f"{host}:{ring.storage_port}" for host in ring.hosts),
        )
    )


def _memory(ring: Ring) -> list[str]:
    heap = "512m" if ring.size == 1 else "400m"
    return [f"-Xms{heap}", f"-Xmx{heap}", f"-Dcassandra.system_auth.default_rf={ring.size}"]


def class_archive() -> Path:
    """Return the class data sharing archive of this configuration and this Java, which the set-up creates."""
    inputs = java_version(find_java()) + _TEMPLATE.read_text()
    return cassandra_home() / f"classes-{short_digest(inputs.encode())}.jsa"


def clock_classes() -> Path:
    """Return the folder of the class that reads a `SteppedClock`, which the set-up compiles."""
    return cassandra_home() / f"clock-{short_digest(CLOCK_SOURCE.read_bytes())}"


def compile_clock(folder: Path) -> list[str]:
    """Return the command that compiles this class into a folder, by the compiler that Cassandra contains."""
    lib = cassandra_home() / "lib"
    (compiler,), (cassandra,) = lib.glob("ecj-*.jar"), lib.glob("cassandra-all-*.jar")
    main = "org.eclipse.jdt.internal.compiler.batch.Main"
    options = ("-17", "-cp", str(cassandra), "-d", str(folder))
    return [str(find_java()), "-cp", str(compiler), main, *options, str(CLOCK_SOURCE)]


def _class_options(archive_to: Path | None) -> list[str]:
    if archive_to is not None:
        return [f"-XX:ArchiveClassesAtExit={archive_to}"]
    archive = class_archive()
    return [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []


def _class_path() -> str:
    """Return the class path, sorted: a class data sharing archive is valid for one class path only."""
    return ":".join(str(jar) for jar in sorted((cassandra_home() / "lib").glob("*.jar")))
