"""The superuser that a new Cassandra is born with, and how one whose password nobody knows takes its place."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from cassandra import ConsistencyLevel, Unavailable
from cassandra.cluster import Cluster, NoHostAvailable, Session
from cassandra.pool import Host
from cassandra.query import SimpleStatement

from exam_answerlog.log import AnswerLogUnavailableError
from exam_answerlog.schema import REQUEST_TIMEOUT, Say, replication_of
from exam_answerlog.session import connect_cluster, make_cluster
from exam_answerlog.settings import CassandraSettings
from exam_runtime.settings import SettingsError

BORN = "cassandra"
"""Name and password of the superuser of a new cluster."""
ROLES = "system_auth"
"""The keyspace in which Cassandra keeps roles and what they may do."""


def replace_default_superuser(settings: CassandraSettings, say: Say) -> None:
    """Make the settings' role the superuser, take the born one's login away, keep as many copies of roles as of data.

    May be repeated at any time, and after an interruption. Nobody else's roles are touched.

    Raises:
        SettingsError: no role is named, or it is the born one.
        NoHostAvailable, DriverException, AnswerLogUnavailableError: Cassandra does not answer, has fewer nodes than
            there are to be copies, or knows neither role.
    """
    if settings.username is None or settings.username == BORN:
        raise SettingsError(f"EXAM_CASSANDRA_USERNAME must name the role to make, another than {BORN!r}")
    try:
        _settle(settings, say)
    except NoHostAvailable:
        # Nobody has done it yet, or nobody answers: then the born one does not either.
        with _session(settings.model_copy(update={"username": BORN, "password": BORN})) as (_, session):
            session.execute(
                f"CREATE ROLE IF NOT EXISTS {settings.username} "
                "WITH PASSWORD = %s AND SUPERUSER = true AND LOGIN = true",
                (settings.password,),
            )
        _settle(settings, say)


def nodes_up(hosts: Iterable[Host], local_dc: str) -> list[Host]:
    """The nodes that copies may be kept on now: those of other data centres keep none of ours."""
    return [host for host in hosts if host.is_up and host.datacenter == local_dc]


def _settle(settings: CassandraSettings, say: Say) -> None:
    with _session(settings) as (cluster, session):
        up = nodes_up(cluster.metadata.all_hosts(), settings.local_dc)
        # Of one node for all of it: another may not know yet who we are, while copies of roles are on their way to it.
        node = up[0]
        session.execute(f"ALTER ROLE {BORN} WITH LOGIN = false AND SUPERUSER = false", host=node)
        raised = _raise_copies(settings, session, node, nodes=len(up))
        if settings.replication == 1:
            return
        try:
            _fill_copies(session, node)
        except Unavailable:
            if raised:
                raise
            say("a Cassandra node is away: whether every copy of the roles is whole was not looked at")


def _raise_copies(settings: CassandraSettings, session: Session, node: Host, *, nodes: int) -> bool:
    """Keep as many copies of roles as of data; whether there were not.

    Of roles a new cluster keeps one copy: with that node down, nobody could log in anywhere.
    """
    if replication_of(session, ROLES, node) == settings.copies:
        return False
    if nodes < settings.replication:
        raise AnswerLogUnavailableError(f"{nodes} of {settings.replication} Cassandra nodes are up")
    session.execute(f"ALTER KEYSPACE {ROLES} WITH replication = {settings.copies}", host=node)
    return True


def _fill_copies(session: Session, node: Host) -> None:
    """Give new copies what the old ones have: a read of all copies repairs those that lack something."""
    query = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s"
    for (table,) in session.execute(query, (ROLES,), host=node):
        every = SimpleStatement(f"SELECT * FROM {ROLES}.{table}", consistency_level=ConsistencyLevel.ALL)  # noqa: S608
        for _ in session.execute(every, host=node):
            pass


@contextmanager
def _session(settings: CassandraSettings) -> Iterator[tuple[Cluster, Session]]:
    cluster = make_cluster(settings, request_timeout=REQUEST_TIMEOUT)
    try:
        yield cluster, connect_cluster(cluster, settings)
    finally:
        cluster.shutdown()
