"""A new Cassandra: the superuser that it is born with gives way to one whose password nobody knows."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cassandra.cluster import NoHostAvailable

from exam_answerlog.log import AnswerLogUnavailableError
from exam_answerlog.roles import BORN, replace_default_superuser
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
    """A node that was never used, and how to reach it as the role that shall be its superuser."""
    folder = new_run_folder("take-over")
    (folder / "logs").mkdir()
    node = Cassandra(folder)
    node.start()
    try:
        eventually(lambda: is_listening(node.port), "Cassandra listens", seconds=120)
        yield CassandraSettings(hosts=("127.0.0.1",), port=node.port, username="exam", password="nobody knows this")
    finally:
        node.stop()
        shutil.rmtree(folder)


def _ask(settings) -> object:
    cluster = make_cluster(settings, request_timeout=10)
    try:
        return connect_cluster(cluster, settings).execute("SELECT key FROM system.local").one()
    finally:
        cluster.shutdown()


def _refused(settings) -> bool:
    try:
        _ask(settings)
    except NoHostAvailable:
        return True
    return False


def _born(settings) -> CassandraSettings:
    return settings.model_copy(update={"username": BORN, "password": BORN})


def test_the_born_superuser_gives_way(settings) -> None:
    """If a new cluster is taken over, my role may do everything and the born one not even log in; again is fine.

    More copies of roles than there are nodes are not asked for: those that come later would never get what was there.
    """

    def taken() -> bool:
        # Roles are there a moment after the node listens.
        try:
            replace_default_superuser(settings, print)
        except NoHostAvailable:
            return False
        return True

    eventually(taken, "the node is taken over", seconds=60)
    assert _ask(settings)
    # A node that let the born one in a moment ago remembers it for as long as its roles_validity says: two seconds.
    eventually(lambda: _refused(_born(settings)), "the born superuser is refused", seconds=10)
    replace_default_superuser(settings, print)
    assert _ask(settings)
    with pytest.raises(AnswerLogUnavailableError, match="1 of 3 Cassandra nodes are up"):
        replace_default_superuser(settings.model_copy(update={"replication": 3}), print)
    with pytest.raises(NoHostAvailable):
        replace_default_superuser(settings.model_copy(update={"password": "another"}), print)


@pytest.mark.parametrize("username", [None, BORN])
def test_a_role_has_to_be_named(username) -> None:
    """If no role is named, or the born one is, I am told which variable to set."""
    password = None if username is None else "secret"
    settings = CassandraSettings(hosts=("127.0.0.1",), username=username, password=password)
    with pytest.raises(SettingsError, match="EXAM_CASSANDRA_USERNAME must name the role"):
        replace_default_superuser(settings, print)


def test_an_unreachable_database_is_named() -> None:
    """If PostgreSQL cannot be reached, whoever waits for it is told where it was looked for, and what to check."""
    env = {
        "PATH": "/usr/bin:/bin",
        "DJANGO_SETTINGS_MODULE": "exam_web.settings",
        "EXAM_COMPONENT": "grader",
        "EXAM_DATABASE_URL": "postgresql://exam_web:secret@127.0.0.1:9/exam",
        "EXAM_REDIS_URL": "redis://127.0.0.1:9/0",
    }
    words = [sys.executable, "-m", "exam_web", "await_database", "--seconds", "6"]
    done = subprocess.run(words, env=env, cwd=Path("/"), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "not yet: PostgreSQL at 127.0.0.1:9" in done.stdout
    assert "PostgreSQL at 127.0.0.1:9 did not answer within 6 s" in done.stderr
    assert "Check EXAM_DATABASE_URL" in done.stderr
    assert "secret" not in done.stdout + done.stderr
