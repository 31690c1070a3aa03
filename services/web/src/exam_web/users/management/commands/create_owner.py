"""``create_owner``: create the role that owns the schema, where the platform has PostgreSQL's superuser."""

from argparse import ArgumentParser
from urllib.parse import unquote

import psycopg
from django.core.management.base import BaseCommand, CommandError
from psycopg import sql
from pydantic import PostgresDsn

from exam_web.common.waiting import await_postgres
from exam_web.settings import ENVIRONMENT
from exam_web.settings.variables import POSTGRES_PORT


class Command(BaseCommand):
    """Create the role of EXAM_OWNER_DATABASE_URL, set its password, and let it take over what web's role owns."""

    help = "Creates the role that owns the schema, as the superuser of EXAM_ADMIN_DATABASE_URL."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--seconds", type=float, default=60, help="how long to wait for PostgreSQL (default: 60)")

    def handle(self, *_: object, seconds: float, **__: object) -> None:
        """Wait for PostgreSQL, then create the role; idempotent."""
        admin, owner = ENVIRONMENT.admin_database_url, ENVIRONMENT.owner_database_url
        if admin is None or owner is None:
            raise CommandError("EXAM_ADMIN_DATABASE_URL and EXAM_OWNER_DATABASE_URL must both be set")
        await_postgres(
            lambda: _create(admin, owner),
            where=",".join(f"{host['host']}:{host['port'] or POSTGRES_PORT}" for host in admin.hosts()),
            variable="EXAM_ADMIN_DATABASE_URL",
            seconds=seconds,
            report=self.stdout.write,
        )


def _create(admin: PostgresDsn, owner: PostgresDsn) -> None:
    credentials = owner.hosts()[0]
    role, password = unquote(credentials["username"] or ""), unquote(credentials["password"] or "")
    with psycopg.connect(str(admin), connect_timeout=5) as connection:
        # Encrypted here: PostgreSQL logs slow statements.
        encrypted = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        found = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
        statements = (
            *(("CREATE ROLE {role}",) if found is None else ()),
            "ALTER ROLE {role} LOGIN PASSWORD {password}",
            # What an earlier release created belongs to web's role.
            "GRANT {web} TO {role}",
            "ALTER DATABASE {database} OWNER TO {role}",
        )
        values = {
            "role": sql.Identifier(role),
            "web": sql.Identifier(ENVIRONMENT.web_role),
            "database": sql.Identifier(connection.info.dbname),
            "password": sql.Literal(encrypted),
        }
        for statement in statements:
            connection.execute(sql.SQL(statement).format(**values))
