"""Cassandra from its jars on a plain Java, with a superuser of its own."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cassandra import AuthenticationFailed, ProtocolVersion
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import RoundRobinPolicy
from jinja2 import Template

from exam_support.stack.install import cassandra_home
from exam_support.stack.places import CASSANDRA_SOURCES
from exam_support.stack.ports import free_ports, listening
from exam_support.stack.process import Child

_DEFAULT_SUPERUSER = ("cassandra", "cassandra")
"""What a new cluster is born with; its login is taken away as soon as ours exists."""


class Cassandra:
    """One Cassandra node; `username` and `password` are its superuser's, made for this run."""

    username = "exam"
    host = "127.0.0.1"

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "cassandra"
        self.port, self._storage_port = free_ports(2)
        self.password = secrets.token_urlsafe(24)
        self._prepared = False
        java = shutil.which("java") or "java"
        options = (CASSANDRA_SOURCES / "jvm.options").read_text().split()
        self._child = Child(
            "Cassandra",
            [
                java,
                "-Xms512m",
                "-Xmx512m",
                # Start-up is most of a short life; two cores have better to do than to recompile.
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-XX:+ExitOnOutOfMemoryError",
                f"-Dcassandra.config=file://{self.folder}/cassandra.yaml",
                f"-Dcassandra.storagedir={self.folder}",
                f"-Dlogback.configurationFile={CASSANDRA_SOURCES}/logback.xml",
                "-Dcassandra.skip_wait_for_gossip_to_settle=0",
                "-Dcassandra.ring_delay_ms=1",
                "-Dcassandra.superuser_setup_delay_ms=0",
                "-Dcassandra-foreground=yes",
                f"-Djava.io.tmpdir={self.folder}",
                "-Djdk.attach.allowAttachSelf=true",
                *options,
                "-cp",
                f"{cassandra_home()}/lib/*",
                "org.apache.cassandra.service.CassandraDaemon",
            ],
            log=folder / "logs/cassandra.log",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )

    @property
    def process(self) -> Child:
        """The server's process."""
        return self._child

    def start(self) -> None:
        """Start the node."""
        self.folder.mkdir(parents=True, exist_ok=True)
        template = Template((CASSANDRA_SOURCES / "cassandra.yaml.j2").read_text())
        (self.folder / "cassandra.yaml").write_text(
            template.render(folder=self.folder, port=self.port, storage_port=self._storage_port)
        )
        self._child.start()

    def await_ready(self) -> None:
        """Wait until CQL is served to our own superuser."""
        self._child.await_ready(lambda: listening(self.port), seconds=120)
        if not self._prepared:
            self._child.await_ready(self._take_over, seconds=60)
            self._prepared = True
        self._child.await_ready(self._answers, seconds=60)

    def stop(self) -> None:
        """Stop the node."""
        self._child.stop()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A plain driver session as the superuser, for tests and the oracle."""
        with self._session(self.username, self.password) as session:
            yield session

    def _take_over(self) -> bool:
        """Make our superuser and take the born one's login away; False while roles are not there yet."""
        try:
            with self._session(*_DEFAULT_SUPERUSER) as session:
                session.execute(
                    f"CREATE ROLE IF NOT EXISTS {self.username}"
                    f" WITH PASSWORD = '{self.password}' AND SUPERUSER = true AND LOGIN = true"
                )
            with self._session(self.username, self.password) as session:
                session.execute(f"ALTER ROLE {_DEFAULT_SUPERUSER[0]} WITH LOGIN = false AND SUPERUSER = false")
        except (NoHostAvailable, AuthenticationFailed):
            return False
        return True

    def _answers(self) -> bool:
        try:
            with self._session(self.username, self.password) as session:
                return session.execute("SELECT key FROM system.local").one() is not None
        except (NoHostAvailable, AuthenticationFailed):
            return False

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
