"""Pytest plugin: fixtures of real stores, started on first use, once per test session.

Loaded with ``-p`` so that environment variables are set before pytest-django imports Django's settings.
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

__all__ = ["control_plane", "kube_namespace", "kube_node"]  # re-exported fixtures

for _line in (REPOSITORY / "tests/harness/lint.env").read_text().splitlines():
    if not _line.startswith("#"):
        os.environ.setdefault(*_line.split("=", 1))
# WhiteNoise warns about a missing folder; tests need no collected static files in it.
_static = REPOSITORY / "build/tests/static"
_static.mkdir(parents=True, exist_ok=True)
os.environ.setdefault("EXAM_STATIC_ROOT", str(_static))

# No deadline per example, because machines may be busy. In CI the examples are the same in every run.
hypothesis_settings.register_profile("exam", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis_settings.load_profile("exam")


@pytest.fixture(scope="session")
def stores_folder() -> Iterator[Path]:
    """The folder of the session's servers, removed at the end with its logs."""
    folder = new_run_folder("tests")
    (folder / "logs").mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres(stores_folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL server with the platform's roles."""
    with Postgres(stores_folder) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(stores_folder: Path) -> Iterator[Redis]:
    """The Redis that is the cache."""
    with Redis(stores_folder, "cache") as server:
        yield server


@pytest.fixture(scope="session")
def broker_server(stores_folder: Path) -> Iterator[Redis]:
    """The Redis that is the broker."""
    with Redis(stores_folder, "broker") as server:
        yield server


@pytest.fixture(scope="session")
def cassandra(stores_folder: Path) -> Iterator[Cassandra]:
    """A Cassandra node without a schema."""
    with Cassandra(stores_folder) as server:
        yield server


@pytest.fixture(scope="session")
def cassandra_env(cassandra: Cassandra) -> dict[str, str]:
    """Environment variables of the migrations, with the keyspace ``exam`` and the components' roles in Cassandra."""
    env = {"PATH": os.environ["PATH"], **cassandra.ring.variables()}
    run_python(["-m", "exam_answerlog", "migrate"], env)
    run_python(["-m", "exam_answerlog", "roles"], env)
    return env
