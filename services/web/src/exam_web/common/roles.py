"""The roles of web's database: the owner migrates; web at runtime reads and writes rows, and owns nothing.

Migrations grant solver and grader what they use. What web may do is granted here, at each `migrate`: for the tables
that exist and, by default privileges, for those that later migrations create.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from django.core.management.base import CommandError
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.migrations.recorder import MigrationRecorder
from psycopg import sql

SCHEMA: Final = "public"

_OTHER_OWNERS: Final[LiteralString] = """
SELECT DISTINCT pg_get_userbyid(owner) FROM (
    SELECT relowner AS owner, oid, 'pg_class'::regclass AS class FROM pg_class
    WHERE relnamespace = %(schema)s::regnamespace
    UNION ALL
    SELECT proowner, oid, 'pg_proc'::regclass FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace
) AS objects
WHERE pg_get_userbyid(owner) <> current_user
    AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = objects.class AND objid = objects.oid AND deptype = 'e')
ORDER BY 1
"""
_GRANTS: Final[LiteralString] = """
REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {web};
REVOKE ALL ON DATABASE {database} FROM {web};
REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC;
GRANT CONNECT ON DATABASE {database} TO {web}, {solver}, {grader};
GRANT TEMPORARY ON DATABASE {database} TO {grader};
GRANT USAGE ON SCHEMA {schema} TO {web}, {solver}, {grader};
REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {web};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {web};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {web};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {web};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE ON SEQUENCES TO {web};
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
"""
_READ_ONLY: Final[LiteralString] = "REVOKE INSERT, UPDATE, DELETE ON {migrations} FROM {web}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The names of the roles that own nothing."""

    web: str
    solver: str
    grader: str


def separate_roles(connection: BaseDatabaseWrapper, roles: Roles) -> None:
    """Make the connection's role the owner of the schema, and let web's role read and write rows; idempotent.

    What web's role owns, because an earlier release migrated as it, changes its owner. Owner and grants change in one
    transaction, so that processes of web that run meanwhile never lack a right.

    Raises:
        CommandError: the roles are not separate, or the connection's role lacks a right: what to run, as a superuser.
    """
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        owner, database = _row(cursor, "SELECT current_user::text, current_database()::text")
        owners = _other_owners(cursor)
        faults = list(_faults(cursor, roles, owner, database, owners))
        if faults:
            raise CommandError(
                "the roles of the database are not separate, and nothing was migrated:\n  "
                + "\n  ".join(faults)
                + "\nRun these statements once, as a superuser, then migrate again"
                " (docs/operations.md, «Stores of your own»)."
            )
        names = {"owner": owner, "database": database, "schema": SCHEMA}
        names |= {"web": roles.web, "solver": roles.solver, "grader": roles.grader}
        identifiers = {name: sql.Identifier(value) for name, value in names.items()}
        if owners:
            cursor.execute(sql.SQL("REASSIGN OWNED BY {web} TO {owner}").format(**identifiers))
        cursor.execute(sql.SQL(_GRANTS).format(**identifiers))
        recorder = MigrationRecorder(connection)
        if recorder.has_table():
            table = sql.Identifier(recorder.migration_qs.model._meta.db_table)  # noqa: SLF001 - documented
            cursor.execute(sql.SQL(_READ_ONLY).format(migrations=table, **identifiers))


def _faults(cursor: CursorWrapper, roles: Roles, owner: str, database: str, owners: list[str]) -> Iterator[str]:
    """What is wrong, each with the statement that corrects it."""
    for role in (roles.web, roles.solver, roles.grader):
        if role == owner:
            yield f"{role} migrates, and a service uses it: CREATE ROLE exam_owner LOGIN PASSWORD '…'; migrate as it"
            continue
        found = _row(
            cursor, "SELECT rolsuper, pg_has_role(rolname, %s, 'MEMBER') FROM pg_roles WHERE rolname = %s", owner, role
        )
        if found is None:
            yield f"{role} does not exist: CREATE ROLE {role} LOGIN PASSWORD '…';"
        elif found[0]:
            yield f"{role} is a superuser: ALTER ROLE {role} NOSUPERUSER;"
        elif found[1]:
            yield f"{role} may become {owner}: REVOKE {owner} FROM {role};"
    others = [role for role in owners if role != roles.web]
    if others:
        yield f"{', '.join(others)} owns tables or functions: ALTER TABLE … OWNER TO {owner};"
    if roles.web in owners and not _may_act_as(cursor, roles.web):
        yield f"{roles.web} owns the tables, and {owner} may not take them over: GRANT {roles.web} TO {owner};"
    (database_owner,) = _row(
        cursor, "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()"
    )
    if database_owner != roles.web and not _may_act_as(cursor, database_owner):
        yield f"{database_owner} owns the database: ALTER DATABASE {database} OWNER TO {owner};"


def _other_owners(cursor: CursorWrapper) -> list[str]:
    cursor.execute(_OTHER_OWNERS, {"schema": SCHEMA})
    return [str(role) for (role,) in cursor.fetchall()]


def _may_act_as(cursor: CursorWrapper, role: str) -> bool:
    (may,) = _row(cursor, "SELECT pg_has_role(%s, 'USAGE')", role)
    return bool(may)


def _row(cursor: CursorWrapper, statement: str, *values: str) -> Any:  # noqa: ANN401 - any column's type
    cursor.execute(statement, values)
    return cursor.fetchone()
