"""The roles of the database: the owner migrates, web at runtime reads and writes rows and can do nothing else."""

import json
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg.errors import InsufficientPrivilege

from exam_core.keys import new_signing_jwk
from exam_harness.environments.processes.paths import postgres_home
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.processes.servers.postgres import OWNER, Postgres
from exam_harness.environments.processes.stack import run_python

pytestmark = pytest.mark.integration

MIGRATE = ["-m", "exam_web", "migrate", "--verbosity", "0"]
AS_EARLIER_RELEASES = (
    "import django; django.setup()\n"
    "from django.core.management import call_command\n"
    "from django.core.management.commands.migrate import Command\n"
    "call_command(Command(), verbosity=0)"
)
"""Django's own command as web's role, which created the database of installations that are upgraded."""
Run = Callable[..., str]


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """A new database of the owner."""
    with postgres.new_database() as name:
        yield name


@pytest.fixture
def earlier(postgres: Postgres) -> Iterator[str]:
    """A new database of web's role, as in earlier releases."""
    with postgres.new_database(owner="exam_web") as name:
        yield name


@pytest.fixture
def run(postgres: Postgres, tmp_path: Path) -> Run:
    """Runs Python with web's environment on a database, with more variables."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]}))

    def _run(arguments: list[str], database: str, **more: str) -> str:
        env = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "DJANGO_SETTINGS_MODULE": "exam_web.settings",
            "EXAM_DATABASE_URL": postgres.dsn("exam_web", database),
            "EXAM_REDIS_URL": "redis://127.0.0.1:1/0",
            "EXAM_BROKER_URL": "redis://127.0.0.1:1/0",
            "EXAM_SECRET_KEY": secrets.token_urlsafe(48),
            "EXAM_SIGNING_KEYS_FILE": str(keys),
            "EXAM_STATEMENT_KEYS_FILE": str(keys),
            "EXAM_STATIC_ROOT": str(tmp_path),
        }
        return run_python(arguments, env | more)

    return _run


@pytest.fixture
def migrate(postgres: Postgres, run: Run) -> Callable[[str], str]:
    """Runs ``migrate`` on a database as its owner."""
    return lambda database: run(MIGRATE, database, EXAM_OWNER_DATABASE_URL=postgres.dsn(OWNER, database))


@pytest.fixture
def grant(postgres: Postgres) -> Iterator[Callable[[str, str], None]]:
    """Makes one role a member of another until the test ends."""
    granted = []
    with psycopg.connect(postgres.dsn(), autocommit=True) as superuser:

        def _grant(role: str, member: str) -> None:
            superuser.execute(f"GRANT {role} TO {member}".encode())
            granted.append((role, member))

        yield _grant
        for role, member in granted:
            superuser.execute(f"REVOKE {role} FROM {member}".encode())


FORBIDDEN = [
    "CREATE TABLE mine (n int)",
    "CREATE TEMPORARY TABLE mine (n int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE sittings_sitting ADD COLUMN mine int",
    "ALTER TABLE sittings_sitting DROP CONSTRAINT sitting_state_known",
    "ALTER TABLE sittings_sitting DISABLE TRIGGER ALL",
    "ALTER TABLE sittings_sitting OWNER TO exam_web",
    "ALTER FUNCTION solver_release(uuid) SECURITY INVOKER",
    "CREATE TRIGGER mine BEFORE UPDATE ON sittings_sitting EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE INDEX mine ON sittings_sitting (name)",
    "DROP TABLE degrees_degree",
    "DROP FUNCTION solver_release(uuid)",
    "TRUNCATE degrees_degree",
    "SET session_replication_role = replica",
    "SET ROLE exam_owner",
    "SET ROLE exam_grader",
    "SET SESSION AUTHORIZATION exam_owner",
    "ALTER ROLE exam_web SUPERUSER",
    "GRANT exam_owner TO exam_web",
    "SELECT solver_release('00000000-0000-0000-0000-000000000000')",
    "SELECT solver_sittings()",
    "UPDATE django_migrations SET name = ''",
    "DELETE FROM django_migrations",
    "SELECT pg_read_file('/etc/passwd')",
    "COPY users_user TO PROGRAM 'cat'",
]


def test_webs_role_reads_and_writes_rows_and_does_nothing_else(postgres: Postgres, database: str, migrate) -> None:
    """If an attacker has web's password, they change no table, function, trigger or right, and become no other role."""
    migrate(database)
    with psycopg.connect(postgres.dsn("exam_web", database), autocommit=True) as web:
        for statement in FORBIDDEN:
            with pytest.raises(InsufficientPrivilege):
                web.execute(statement.encode())
        web.execute("INSERT INTO users_level (slug, name) VALUES ('year-1', 'First year')")
        web.execute("UPDATE users_level SET name = 'Year 1'")
        assert web.execute("SELECT name FROM users_level").fetchall() == [("Year 1",)]
        web.execute("DELETE FROM users_level")
        owned = web.execute("SELECT count(*) FROM pg_class WHERE relowner = 'exam_web'::regrole").fetchone()
        assert owned == (0,)
    # The owner may do all of it but what is for superusers: the statements are valid (control).
    with psycopg.connect(postgres.dsn(OWNER, database)) as owner:
        refused = set()
        for statement in FORBIDDEN:
            with owner.transaction(force_rollback=True):
                try:
                    owner.execute(statement.encode())
                except InsufficientPrivilege:
                    refused.add(statement)
    assert refused == {
        "ALTER TABLE sittings_sitting DISABLE TRIGGER ALL",
        "ALTER TABLE sittings_sitting OWNER TO exam_web",
        "SET session_replication_role = replica",
        "SET ROLE exam_grader",
        "ALTER ROLE exam_web SUPERUSER",
        "GRANT exam_owner TO exam_web",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY users_user TO PROGRAM 'cat'",
    }


def test_solver_and_grader_own_nothing_either(postgres: Postgres, database: str, migrate) -> None:
    """If an attacker has the password of a solver or a grader, they create, empty and drop no table."""
    migrate(database)
    for role in ("exam_solver", "exam_grader"):
        with psycopg.connect(postgres.dsn(role, database), autocommit=True) as connection:
            for statement in ("CREATE TABLE mine (n int)", "TRUNCATE degrees_degree", "SET ROLE exam_owner"):
                with pytest.raises(InsufficientPrivilege):
                    connection.execute(statement.encode())
    with psycopg.connect(postgres.dsn("exam_grader", database)) as grader:
        grader.execute("CREATE TEMPORARY TABLE graded (n int)")


def test_tables_of_later_migrations_are_granted_too(postgres: Postgres, database: str, migrate) -> None:
    """If a later release adds a table and a function, web may use the table, and the function is granted to none."""
    migrate(database)
    with psycopg.connect(postgres.dsn(OWNER, database)) as owner:
        owner.execute("CREATE TABLE later (id bigserial, n int)")
        owner.execute("CREATE FUNCTION later() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    with psycopg.connect(postgres.dsn("exam_web", database), autocommit=True) as web:
        web.execute("INSERT INTO later (n) VALUES (1)")
        web.execute("UPDATE later SET n = 2")
        web.execute("DELETE FROM later")
        with pytest.raises(InsufficientPrivilege):
            web.execute("TRUNCATE later")
        with pytest.raises(InsufficientPrivilege):
            web.execute("SELECT later()")


def test_an_upgrade_takes_the_tables_over(postgres: Postgres, earlier: str, run: Run, migrate, grant) -> None:
    """If an earlier release migrated as web's role, `migrate` makes the owner own everything; again is safe."""
    run(["-c", AS_EARLIER_RELEASES], earlier)
    with pytest.raises(HarnessError, match=r"exam_web owns the tables.*GRANT exam_web TO exam_owner;") as raised:
        migrate(earlier)
    assert "nothing was migrated" in str(raised.value)
    grant("exam_web", OWNER)
    migrate(earlier)
    migrate(earlier)
    with psycopg.connect(postgres.dsn("exam_web", earlier), autocommit=True) as web:
        web.execute("INSERT INTO users_level (slug, name) VALUES ('year-1', 'First year')")
        for statement in ("DROP TABLE degrees_degree", "CREATE TABLE mine (n int)"):
            with pytest.raises(InsufficientPrivilege):
                web.execute(statement.encode())
        owners = web.execute(
            "SELECT DISTINCT pg_get_userbyid(relowner)::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " UNION SELECT pg_get_userbyid(proowner)::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " UNION SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()"
        ).fetchall()
        assert owners == [(OWNER,)]
    with psycopg.connect(postgres.dsn("exam_solver", earlier)) as solver:
        solver.execute("SELECT solver_renew(gen_random_uuid(), 30000, 0, 0, 0)")


def test_the_superuser_creates_the_owner(postgres: Postgres, earlier: str, run: Run) -> None:
    """If the platform has PostgreSQL's superuser, it creates the owner and upgrades without a statement of mine."""
    run(["-c", AS_EARLIER_RELEASES], earlier)
    new = f"owner_{secrets.token_hex(4)}"
    urls = {
        "EXAM_ADMIN_DATABASE_URL": postgres.dsn(database=earlier),
        "EXAM_OWNER_DATABASE_URL": postgres.dsn(OWNER, earlier)
        .replace(OWNER, new)
        .replace(postgres.password(OWNER), "a%20password"),
    }
    try:
        for _ in range(2):
            run(["-m", "exam_web", "create_owner", "--seconds", "30"], earlier, **urls)
        run(MIGRATE, earlier, EXAM_OWNER_DATABASE_URL=urls["EXAM_OWNER_DATABASE_URL"])
        with psycopg.connect(urls["EXAM_OWNER_DATABASE_URL"]) as owner:
            assert owner.execute(
                "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
            ).fetchone() == (False,)
            owner.execute("ALTER TABLE users_level ADD COLUMN mine int")
    finally:
        with psycopg.connect(postgres.dsn(database=earlier), autocommit=True) as superuser:
            superuser.execute(f"REASSIGN OWNED BY {new} TO exam_web; DROP OWNED BY {new}; DROP ROLE {new}".encode())


def test_a_restored_backup_has_the_same_owner_and_rights(
    postgres: Postgres, database: str, migrate, tmp_path: Path
) -> None:
    """If I restore a backup into a new installation, by the commands of docs/backup.md, web has its few rights."""
    migrate(database)
    with psycopg.connect(postgres.dsn("exam_web", database)) as web:
        web.execute("INSERT INTO users_level (slug, name) VALUES ('year-1', 'First year')")
    programs, copy = postgres_home() / "bin", tmp_path / "postgres.dump"
    dump = [str(programs / "pg_dump"), "--format=custom", f"--file={copy}", postgres.dsn(database=database)]
    subprocess.run(dump, check=True)
    with postgres.new_database() as other:
        migrate(other)
        options = ["--clean", "--if-exists", "--single-transaction", f"--dbname={postgres.dsn(database=other)}"]
        subprocess.run([str(programs / "pg_restore"), *options, str(copy)], check=True)
        with psycopg.connect(postgres.dsn("exam_web", other), autocommit=True) as web:
            assert web.execute("SELECT slug FROM users_level").fetchall() == [("year-1",)]
            web.execute("UPDATE users_level SET name = 'Year 1'")
            for statement in FORBIDDEN:
                with pytest.raises(InsufficientPrivilege):
                    web.execute(statement.encode())
        migrate(other)


@pytest.mark.parametrize(
    ("statement", "undo", "message"),
    [
        ("GRANT exam_owner TO exam_web", "REVOKE exam_owner FROM exam_web", "REVOKE exam_owner FROM exam_web;"),
        (
            "GRANT exam_owner TO exam_grader",
            "REVOKE exam_owner FROM exam_grader",
            "REVOKE exam_owner FROM exam_grader;",
        ),
        ("ALTER ROLE exam_solver SUPERUSER", "ALTER ROLE exam_solver NOSUPERUSER", "exam_solver is a superuser"),
        (
            "ALTER ROLE exam_solver RENAME TO gone",
            "ALTER ROLE gone RENAME TO exam_solver",
            "exam_solver does not exist",
        ),
    ],
)
def test_roles_that_are_not_separate_are_refused(
    postgres: Postgres, database: str, migrate, statement: str, undo: str, message: str
) -> None:
    """If a service's role could act as the owner, nothing is migrated, and the error has the statement to run."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as superuser:
        superuser.execute(statement.encode())
        try:
            with pytest.raises(HarnessError, match=message):
                migrate(database)
        finally:
            superuser.execute(undo.encode())
    migrate(database)


def test_migrations_do_not_run_as_webs_role(postgres: Postgres, earlier: str, run: Run) -> None:
    """If the owner's URL is missing or names web's role, `migrate` ends and says what to create."""
    with pytest.raises(HarnessError, match=r"EXAM_OWNER_DATABASE_URL is not set.*CREATE ROLE exam_owner"):
        run(MIGRATE, earlier)
    with pytest.raises(HarnessError, match=r"exam_web migrates, and a service uses it: CREATE ROLE exam_owner"):
        run(MIGRATE, earlier, EXAM_OWNER_DATABASE_URL=postgres.dsn("exam_web", earlier))


def test_web_does_not_serve_as_the_owner(postgres: Postgres, database: str, run: Run) -> None:
    """If web gets the owner's URL, it does not start and says why."""
    words = ["-m", "gunicorn", "--config", "python:exam_web.gunicorn", "exam_web.wsgi:application"]
    with pytest.raises(HarnessError, match="EXAM_OWNER_DATABASE_URL is set: web serves as a role that owns nothing"):
        run(words, database, EXAM_OWNER_DATABASE_URL=postgres.dsn(OWNER, database))


def test_web_is_not_ready_while_its_role_owns_the_schema(earlier: str, run: Run) -> None:
    """If an upgrade has not taken the tables over yet, new pods are not ready, and say what is missing."""
    run(["-c", AS_EARLIER_RELEASES], earlier)
    request = (
        "import django; django.setup()\n"
        "from django.test import Client\n"
        "answer = Client().get('/readyz'); print(answer.status_code, answer.content.decode())"
    )
    assert "web's role owns the schema: migrate with EXAM_OWNER_DATABASE_URL" in run(["-c", request], earlier)
