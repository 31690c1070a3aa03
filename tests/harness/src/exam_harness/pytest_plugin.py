"""Fixtures of real stores for every test, started when first asked for, once a run.

Loaded with ``-p`` so that the environment is there before pytest-django reads Django's settings.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from exam_harness.environments.control_plane.pytest_fixtures import control_plane, kube_namespace, kube_node
from exam_harness.environments.processes.paths import REPOSITORY, new_run_folder
from exam_harness.environments.processes.servers.cassandra import Cassandra
from exam_harness.environments.processes.servers.postgres import Postgres
from exam_harness.environments.processes.servers.redis import Redis
from exam_harness.environments.processes.stack import run_python

__all__ = ["control_plane", "kube_namespace", "kube_node"]  # found here, defined there

for _line in (REPOSITORY / "tests/harness/lint.env").read_text().splitlines():
    if not _line.startswith("#"):
        os.environ.setdefault(*_line.split("=", 1))
# WhiteNoise warns about a folder that is not there; tests need no collected files in it.
_static = REPOSITORY / "build/tests/static"
_static.mkdir(parents=True, exist_ok=True)
os.environ.setdefault("EXAM_STATIC_ROOT", str(_static))

# No example has a stopwatch: a busy machine is not a fault. In CI every run tries the same examples.
hypothesis_settings.register_profile("exam", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis_settings.load_profile("exam")


@pytest.fixture(scope="session")
def stores_folder() -> Iterator[Path]:
    """The folder of this run's servers; removed at the end, logs and all."""
    folder = new_run_folder("tests")
    (folder / "logs").mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres(stores_folder: Path) -> Iterator[Postgres]:
    """A real PostgreSQL with the platform's roles."""
    with Postgres(stores_folder) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(stores_folder: Path) -> Iterator[Redis]:
    """A real Redis."""
    with Redis(stores_folder) as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(redis_server: Redis) -> str:
    """The real Redis's address."""
    return redis_server.url


@pytest.fixture(scope="session")
def cassandra(stores_folder: Path) -> Iterator[Cassandra]:
    """A real Cassandra node, without a schema."""
    with Cassandra(stores_folder) as server:
        yield server


@pytest.fixture(scope="session")
def cassandra_env(cassandra: Cassandra) -> dict[str, str]:
    """The environment that leads to the real Cassandra, its keyspace ``exam`` migrated."""
    env = {
        "PATH": os.environ["PATH"],
        "EXAM_CASSANDRA_HOSTS": cassandra.host,
        "EXAM_CASSANDRA_PORT": str(cassandra.port),
        "EXAM_CASSANDRA_USERNAME": cassandra.username,
        "EXAM_CASSANDRA_PASSWORD": cassandra.password,
        "EXAM_CASSANDRA_KEYSPACE": "exam",
        "EXAM_CASSANDRA_REPLICATION": "1",
    }
    run_python(["-m", "exam_answerlog", "migrate"], env)
    return env
