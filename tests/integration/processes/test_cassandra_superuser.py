"""The default superuser of a new Cassandra cluster is replaced by one with a secret password."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cassandra.cluster import NoHostAvailable

from exam_answerlog.log import AnswerLogUnavailableError
from exam_answerlog.roles import DEFAULT_SUPERUSER, replace_default_superuser
from exam_answerlog.session import connect_cluster, make_cluster
from exam_answerlog.settings import CassandraSettings
from exam_harness.environments.processes.paths import new_run_folder
from exam_harness.environments.processes.ports import is_listening
from exam_harness.environments.processes.servers.cassandra import Cassandra
from exam_harness.waiting import eventually
from exam_runtime.settings import SettingsError

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture
def settings():
    """Settings of a new node, with the role that will be its superuser."""
    folder = new_run_folder("superuser")
    (folder / "logs").mkdir()
    node = Cassandra(folder)
    node.start()
    try:
        eventually(lambda: is_listening(node.port), "Cassandra listens", seconds=120)
        yield CassandraSettings(hosts=("127.0.0.1",), port=node.port, username="exam", password="a secret password")
    finally:
        node.stop()
        shutil.rmtree(folder)


def _query(settings) -> object:
    cluster = make_cluster(settings, request_timeout=10)
    try:
        return connect_cluster(cluster, settings).execute("SELECT key FROM system.local").one()
    finally:
        cluster.shutdown()


def _is_rejected(settings) -> bool:
    try:
        _query(settings)
    except NoHostAvailable:
        return True
    return False


def _default_superuser(settings) -> CassandraSettings:
    return settings.model_copy(update={"username": DEFAULT_SUPERUSER, "password": DEFAULT_SUPERUSER})


def test_the_default_superuser_is_replaced(settings) -> None:
    """If I set up a new cluster, my role is superuser and the default one cannot log in; running it again is safe.

    A replication factor of the roles above the number of nodes is rejected: nodes that join later would lack the roles.
    """

    def replaced() -> bool:
        # The roles exist a moment after the node listens.
        try:
            replace_default_superuser(settings, print)
        except NoHostAvailable:
            return False
        return True

    eventually(replaced, "the default superuser is replaced", seconds=60)
    assert _query(settings)
    # A node caches a successful login for roles_validity: two seconds.
    eventually(lambda: _is_rejected(_default_superuser(settings)), "the default superuser is rejected", seconds=10)
    replace_default_superuser(settings, print)
    assert _query(settings)
    with pytest.raises(AnswerLogUnavailableError, match="1 of 3 Cassandra nodes are up"):
        replace_default_superuser(settings.model_copy(update={"replication": 3}), print)
    with pytest.raises(NoHostAvailable):
        replace_default_superuser(settings.model_copy(update={"password": "another"}), print)


@pytest.mark.parametrize("username", [None, DEFAULT_SUPERUSER])
def test_a_role_has_to_be_named(username) -> None:
    """If no role is configured, or the default one, the error names the variable to set."""
    password = None if username is None else "secret"
    settings = CassandraSettings(hosts=("127.0.0.1",), username=username, password=password)
    with pytest.raises(SettingsError, match="EXAM_CASSANDRA_USERNAME must name the role"):
        replace_default_superuser(settings, print)


def test_an_unreachable_database_is_an_error() -> None:
    """If PostgreSQL cannot be reached, await_database prints its address and the variable to check."""
    env = {
        "PATH": "/usr/bin:/bin",
        "DJANGO_SETTINGS_MODULE": "exam_web.settings",
        "EXAM_COMPONENT": "grader",
        "EXAM_DATABASE_URL": "postgresql://exam_web:secret@127.0.0.1:9/exam",
        "EXAM_REDIS_URL": "redis://127.0.0.1:9/0",
        "EXAM_BROKER_URL": "redis://127.0.0.1:9/0",
    }
    command = [sys.executable, "-m", "exam_web", "await_database", "--seconds", "6"]
    completed = subprocess.run(command, env=env, cwd=Path("/"), capture_output=True, text=True, check=False, timeout=60)
    assert completed.returncode == 1
    assert "waiting for PostgreSQL at 127.0.0.1:9" in completed.stdout
    assert "PostgreSQL at 127.0.0.1:9 not reachable within 6 s" in completed.stderr
    assert "Check EXAM_DATABASE_URL" in completed.stderr
    assert "secret" not in completed.stdout + completed.stderr
