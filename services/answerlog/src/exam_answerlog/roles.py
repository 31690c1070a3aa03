"""Roles of Cassandra: the superuser of a new cluster, whose password is public, and the role that reads metrics."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from cassandra import ConsistencyLevel, Unavailable
from cassandra.cluster import Cluster, NoHostAvailable, Session
from cassandra.pool import Host
from cassandra.query import SimpleStatement

from exam_answerlog.log import AnswerLogUnavailableError
from exam_answerlog.node_metrics import TABLES
from exam_answerlog.schema import REQUEST_TIMEOUT, Report, replication_of
from exam_answerlog.session import connect_cluster, make_cluster
from exam_answerlog.settings import CassandraSettings
from exam_runtime.settings import SettingsError

DEFAULT_SUPERUSER = "cassandra"
"""Name and password of the superuser of a new cluster."""
ROLES = "system_auth"
"""The keyspace that holds roles and permissions."""


def replace_default_superuser(settings: CassandraSettings, report: Report) -> None:
    """Create the settings' role as superuser, disable the default one, and replicate roles like data.

    Idempotent, also after an interruption. Other roles are not changed.

    Raises:
        SettingsError: no role is named, or the default one.
        NoHostAvailable, DriverException, AnswerLogUnavailableError: Cassandra does not respond, has fewer nodes than
            the replication needs, or accepts neither role.
    """
    if settings.username is None or settings.username == DEFAULT_SUPERUSER:
        raise SettingsError(f"EXAM_CASSANDRA_USERNAME must name the role to create, other than {DEFAULT_SUPERUSER!r}")
    try:
        _apply(settings, report)
    except NoHostAvailable:
        # The role does not exist yet, or no node responds; then logging in as the default superuser fails as well.
        with _session(settings.model_copy(update={"username": DEFAULT_SUPERUSER, "password": DEFAULT_SUPERUSER})) as (
            _,
            session,
        ):
            session.execute(
                f"CREATE ROLE IF NOT EXISTS {settings.username} "
                "WITH PASSWORD = %s AND SUPERUSER = true AND LOGIN = true",
                (settings.password,),
            )
        _apply(settings, report)


def create_monitoring_role(session: Session, settings: CassandraSettings, report: Report) -> None:
    """Create the role that reads the metrics of nodes and nothing else, or set its password; idempotent.

    Raises:
        SettingsError: its password is not set.
    """
    role, password = settings.monitoring_username, settings.monitoring_password
    if password is None:
        raise SettingsError("EXAM_CASSANDRA_MONITORING_PASSWORD must be set: it is the password of the role to create")
    options = "WITH PASSWORD = %s AND SUPERUSER = false AND LOGIN = true"
    session.execute(f"CREATE ROLE IF NOT EXISTS {role} {options}", (password,))
    session.execute(f"ALTER ROLE {role} {options}", (password,))
    for table in TABLES.values():
        session.execute(f"GRANT SELECT ON {table} TO {role}")
    report(f"role {role} may read the metrics of nodes")


def nodes_up(hosts: Iterable[Host], local_dc: str) -> list[Host]:
    """Return the nodes that can hold replicas now: only those of the local data centre do."""
    return [host for host in hosts if host.is_up and host.datacenter == local_dc]


def _apply(settings: CassandraSettings, report: Report) -> None:
    with _session(settings) as (cluster, session):
        up = nodes_up(cluster.metadata.all_hosts(), settings.local_dc)
        # Use one node throughout: another may not have the new role yet while roles are being replicated.
        node = up[0]
        session.execute(f"ALTER ROLE {DEFAULT_SUPERUSER} WITH LOGIN = false AND SUPERUSER = false", host=node)
        added = _replicate_roles(settings, session, node, nodes=len(up))
        if settings.replication == 1:
            return
        try:
            _repair_replicas(session, node)
        except Unavailable:
            if added:
                raise
            report("a Cassandra node is down: the replicas of the roles were not checked")


def _replicate_roles(settings: CassandraSettings, session: Session, node: Host, *, nodes: int) -> bool:
    """Replicate roles like data; return whether that was a change.

    A new cluster has one replica of its roles: with that node down, all logins would fail.
    """
    if replication_of(session, ROLES, node) == settings.copies:
        return False
    if nodes < settings.replication:
        raise AnswerLogUnavailableError(f"{nodes} of {settings.replication} Cassandra nodes are up")
    session.execute(f"ALTER KEYSPACE {ROLES} WITH replication = {settings.copies}", host=node)
    return True


def _repair_replicas(session: Session, node: Host) -> None:
    """Fill new replicas: a read at consistency ALL repairs incomplete ones."""
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
