"""The superuser that a new Cassandra is born with, and how one whose password nobody knows takes its place."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from cassandra.cluster import NoHostAvailable, Session

from exam_answerlog.link import connect_cluster, make_cluster
from exam_answerlog.schema import REQUEST_TIMEOUT
from exam_answerlog.settings import CassandraSettings, SettingsError

BORN = "cassandra"
"""Name and password of the superuser of a new cluster."""


def take_over(settings: CassandraSettings) -> None:
    """Make the settings' role the superuser, take the born one's login away, keep as many copies of roles as of data.

    May be repeated at any time, and after an interruption. Nobody else's roles are touched.

    Raises:
        SettingsError: no role is named, or it is the born one.
        NoHostAvailable, DriverException, AnswerLogUnavailableError: Cassandra does not answer, or knows neither role.
    """
    if settings.username is None or settings.username == BORN:
        raise SettingsError(f"EXAM_CASSANDRA_USERNAME must name the role to make, another than {BORN!r}")
    try:
        _settle(settings)
    except NoHostAvailable:
        # Nobody has done it yet, or nobody answers: then the born one does not either.
        with _session(replace(settings, username=BORN, password=BORN)) as session:
            session.execute(
                f"CREATE ROLE IF NOT EXISTS {settings.username} "
                "WITH PASSWORD = %s AND SUPERUSER = true AND LOGIN = true",
                (settings.password,),
            )
        _settle(settings)


def _settle(settings: CassandraSettings) -> None:
    with _session(settings) as session:
        session.execute(f"ALTER ROLE {BORN} WITH LOGIN = false AND SUPERUSER = false")
        # Of roles a new cluster keeps one copy: with that node down, nobody could log in anywhere.
        session.execute(
            "ALTER KEYSPACE system_auth WITH replication = {'class': 'NetworkTopologyStrategy', "
            f"'{settings.local_dc}': {settings.replication}}}"
        )


@contextmanager
def _session(settings: CassandraSettings) -> Iterator[Session]:
    cluster = make_cluster(settings, request_timeout=REQUEST_TIMEOUT)
    try:
        yield connect_cluster(cluster, settings)
    finally:
        cluster.shutdown()
