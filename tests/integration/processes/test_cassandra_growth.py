"""Nodes that join a ring with the chart's configuration: what the chart permits keeps every row."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml
from cassandra import InvalidRequest, ProtocolVersion
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import WhiteListRoundRobinPolicy
from cassandra.query import tuple_factory

from exam_harness.chart.render import render
from exam_harness.environments.processes.paths import new_run_folder
from exam_harness.environments.processes.ports import free_ports, is_listening
from exam_harness.environments.processes.process import ChildProcess
from exam_harness.environments.processes.servers.cassandra import command
from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

ROWS = 300
LOCAL = {"authenticator": "AllowAllAuthenticator", "authorizer": "AllowAllAuthorizer"}
"""What differs from the chart, beside addresses and folders: this is about rows, not about roles."""


class Ring:
    """Nodes of a release, each on a loopback address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._storage_port = free_ports(2)
        self._hosts: dict[str, str] = {}
        self._running = ExitStack()

    def start(self, name: str, *, racks: list[str], nodes_per_rack: int) -> None:
        """Start a node as the chart configures it with these values; return when it is ready: its CQL port is open."""
        host = self._hosts[name] = f"127.0.0.{len(self._hosts) + 1}"
        folder = self._folder / name
        folder.mkdir()
        documents = render({"cassandra": {"racks": racks, "nodesPerRack": nodes_per_rack}})
        (files,) = (
            each["data"] for each in documents if each["kind"] == "ConfigMap" and "cassandra.yaml" in each["data"]
        )
        rack, _, _ = name.rpartition("-")
        (folder / "rackdc.properties").write_text(files[f"{rack}.properties"])
        (folder / "cassandra.yaml").write_text(self._configuration(files["cassandra.yaml"], folder, host))
        options = [
            "-Xms320m",
            "-Xmx320m",
            "-XX:TieredStopAtLevel=1",
            "-Dcassandra.ring_delay_ms=5000",
            f"-Dcassandra-rackdc.properties={(folder / 'rackdc.properties').as_uri()}",
        ]
        node = ChildProcess(
            f"Cassandra {name}",
            command(folder, options),
            log=self._folder / f"logs/{name}.log",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )
        node.start()
        self._running.callback(node.stop)
        node.await_ready(lambda: is_listening(self._port, host), seconds=240)

    def _configuration(self, text: str, folder: Path, host: str) -> str:
        config = yaml.safe_load(text)
        for key in ("commitlog_directory", "saved_caches_directory", "hints_directory", "cdc_raw_directory"):
            config[key] = str(folder / key)
        # The seeds are the first node of each rack; those that do not run yet do not resolve, as in a cluster.
        names = config["seed_provider"][0]["parameters"][0]["seeds"].split(",")
        seeds = [name.split(".")[0].removeprefix("exam-cassandra-") for name in names]
        addresses = ",".join(f"{self._hosts[seed]}:{self._storage_port}" for seed in seeds if seed in self._hosts)
        config["seed_provider"][0]["parameters"][0]["seeds"] = addresses
        ports = {"storage_port": self._storage_port, "native_transport_port": self._port}
        places = {"listen_address": host, "rpc_address": host, "data_file_directories": [str(folder / "data")]}
        return yaml.safe_dump(config | LOCAL | ports | places)

    @contextmanager
    def session(self, name: str) -> Iterator[Session]:
        """Yield a session in which this node coordinates every request."""
        profile = ExecutionProfile(
            load_balancing_policy=WhiteListRoundRobinPolicy([self._hosts[name]]),
            row_factory=tuple_factory,
            request_timeout=30,
        )
        cluster = Cluster(
            [self._hosts[name]],
            port=self._port,
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            protocol_version=ProtocolVersion.V5,
            connect_timeout=20,
        )
        try:
            yield cluster.connect()
        finally:
            cluster.shutdown()

    def stop(self) -> None:
        """Stop every node."""
        self._running.close()


@pytest.fixture
def ring() -> Iterator[Ring]:
    """An empty ring."""
    folder = new_run_folder("growth")
    (folder / "logs").mkdir()
    ring = Ring(folder)
    yield ring
    ring.stop()
    shutil.rmtree(folder)


def test_a_node_that_is_added_to_a_rack_serves_with_its_rows_and_a_new_rack_without(ring: Ring) -> None:
    """If I add a node to a rack, no row is lost, even with one copy. A new rack, which helm refuses, loses some."""
    ring.start("a-0", racks=["a"], nodes_per_rack=3)
    with ring.session("a-0") as session:
        session.execute(
            "CREATE KEYSPACE exam WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}"
        )
        session.execute("CREATE TABLE exam.rows (id int PRIMARY KEY)")
        insert = session.prepare("INSERT INTO exam.rows (id) VALUES (?)")
        for number in range(ROWS):
            session.execute(insert, (number,))
    assert _found(ring, "a-0") == ROWS

    ring.start("a-1", racks=["a"], nodes_per_rack=3)
    eventually(lambda: _found(ring, "a-0") == ROWS, "the first node knows which rows the second one has", seconds=30)
    assert _found(ring, "a-1") == ROWS
    with ring.session("a-1") as session:
        (tokens, state) = session.execute("SELECT tokens, bootstrapped FROM system.local").one()
    assert (len(tokens), state) == (16, "COMPLETED"), "it has a share of the rows"

    ring.start("b-0", racks=["a", "b"], nodes_per_rack=3)
    eventually(lambda: _knows_table(ring, "b-0"), "a node that does not bootstrap receives the schema", seconds=60)
    assert _found(ring, "b-0") < ROWS, "the negative control: the first node of a rack is a seed"


def _found(ring: Ring, node: str) -> int:
    with ring.session(node) as session:
        query = session.prepare("SELECT id FROM exam.rows WHERE id = ?")
        return sum(session.execute(query, (number,)).one() is not None for number in range(ROWS))


def _knows_table(ring: Ring, node: str) -> bool:
    with ring.session(node) as session:
        try:
            session.prepare("SELECT id FROM exam.rows WHERE id = ?")
        except InvalidRequest:
            return False
        return True
