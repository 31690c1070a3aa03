"""A Cassandra role for each component, with the permissions that it needs and no other."""

from collections.abc import Mapping
from typing import Final

from cassandra.cluster import Session
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from exam_answerlog.schema import Report, SchemaError
from exam_answerlog.settings import PREFIX, CassandraSettings
from exam_answerlog.tables import ANSWERS, ANSWERS_LATE, ATTEMPTS, CLAIMS, PAPERS, SEALED, SUBMISSIONS
from exam_runtime.settings import EnvironmentSettings

READ: Final = frozenset({"SELECT"})
APPEND: Final = frozenset({"MODIFY"})
"""Cassandra has no permission for inserts alone."""

PERMISSIONS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "exam_web": {PAPERS.name: APPEND, SEALED.name: READ},
    "exam_solver": {
        ANSWERS.name: READ | APPEND,
        ANSWERS_LATE.name: APPEND,
        ATTEMPTS.name: READ | APPEND,
        SUBMISSIONS.name: READ | APPEND,
        CLAIMS.name: READ | APPEND,
        PAPERS.name: READ,
        # After the seal, a solver decides by it whether an answer was saved.
        SEALED.name: READ,
    },
    "exam_grader": {
        ANSWERS.name: READ,
        ATTEMPTS.name: READ,
        SUBMISSIONS.name: READ,
        # The write of a seal has a condition, which takes both.
        SEALED.name: READ | APPEND,
    },
}
"""The permissions of each role by table. The role that migrates is the superuser, which no service has."""

_RESOURCES: Final = {
    ("data", 0): "ALL KEYSPACES",
    ("data", 1): "KEYSPACE",
    ("data", 2): "TABLE",
    ("roles", 0): "ALL ROLES",
    ("roles", 1): "ROLE",
    ("functions", 0): "ALL FUNCTIONS",
    ("functions", 1): "ALL FUNCTIONS IN KEYSPACE",
    ("mbean", 0): "ALL MBEANS",
}
"""How CQL writes a resource, by the kind and the number of names in its path."""


class ComponentPasswords(EnvironmentSettings):
    """The passwords of the components' roles, from ``EXAM_CASSANDRA_WEB_PASSWORD`` and so on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    web_password: str = Field(min_length=1, repr=False)
    solver_password: str = Field(min_length=1, repr=False)
    grader_password: str = Field(min_length=1, repr=False)

    @property
    def by_role(self) -> dict[str, str]:
        """The password of each role."""
        return {
            "exam_web": self.web_password,
            "exam_solver": self.solver_password,
            "exam_grader": self.grader_password,
        }


def create_component_roles(
    session: Session, settings: CassandraSettings, passwords: ComponentPasswords, report: Report
) -> None:
    """Create the components' roles, or change them to these passwords and permissions; idempotent.

    Permissions that are not in `PERMISSIONS`, and memberships in other roles, are revoked. The keyspace must have the
    schema of this release.
    """
    for role, password in passwords.by_role.items():
        # No login before the permissions are granted: a service waits for a session, but not for permissions.
        session.execute(f"CREATE ROLE IF NOT EXISTS {role} WITH LOGIN = false")
        _revoke_memberships(session, role)
        _change_permissions(session, role, settings.keyspace)
        session.execute(f"ALTER ROLE {role} WITH PASSWORD = %s AND LOGIN = true AND SUPERUSER = false", (password,))
        report(f"role {role} has its permissions")


def _change_permissions(session: Session, role: str, keyspace: str) -> None:
    desired = {f"data/{keyspace}/{table}": names for table, names in PERMISSIONS[role].items()}
    present = _permissions(session, role)
    for resource in sorted(desired.keys() | present.keys()):
        missing = desired.get(resource, frozenset()) - present.get(resource, frozenset())
        excess = present.get(resource, frozenset()) - desired.get(resource, frozenset())
        for name in sorted(missing):
            session.execute(f"GRANT {name} ON {resource_cql(resource)} TO {role}")
        for name in sorted(excess):
            session.execute(f"REVOKE {name} ON {resource_cql(resource)} FROM {role}")


def _permissions(session: Session, role: str) -> dict[str, frozenset[str]]:
    """The permissions that were granted to a role, by Cassandra's name of the resource."""
    query = "SELECT resource, permissions FROM system_auth.role_permissions WHERE role = %s"
    return {resource: frozenset(names or ()) for resource, names in session.execute(query, (role,))}


def _revoke_memberships(session: Session, role: str) -> None:
    """Revoke the roles whose permissions this role inherits."""
    row = session.execute("SELECT member_of FROM system_auth.roles WHERE role = %s", (role,)).one()
    for other in sorted(row[0] or ()):
        quoted = other.replace('"', '""')
        session.execute(f'REVOKE "{quoted}" FROM {role}')


def resource_cql(path: str) -> str:
    """Return a resource as CQL writes it, from the path by which Cassandra stores it.

    Raises:
        SchemaError: the resource is of a kind that the platform does not use.
    """
    kind, *names = path.split("/")
    if kind == "data" and names[1:] == ["*"]:
        return f"ALL TABLES IN KEYSPACE {names[0]}"
    words = _RESOURCES.get((kind, len(names)))
    if words is None:
        raise SchemaError(f"a role of the platform has a permission on {path}: revoke it (LIST ALL PERMISSIONS)")
    return f"{words} {'.'.join(names)}".strip()
