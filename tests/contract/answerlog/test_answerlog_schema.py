"""Migrations: first, repeated and concurrent runs, and detection of a schema that differs from the models."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
from cassandra import Unauthorized
from cassandra.cluster import Session
from cassandra.protocol import SyntaxException

from exam_answerlog import schema
from exam_answerlog.schema import Migration, SchemaError, check, migrate
from exam_answerlog.session import connect_cluster, make_cluster
from exam_answerlog.settings import CassandraSettings
from exam_answerlog.tables import FIRST_TABLES

pytestmark = pytest.mark.integration

SIMPLE = {"class": "SimpleStrategy", "replication_factor": "1"}


@pytest.fixture(scope="module")
def session(cassandra_settings: CassandraSettings) -> Iterator[Session]:
    """A plain driver session."""
    cluster = make_cluster(cassandra_settings, request_timeout=30)
    yield connect_cluster(cluster, cassandra_settings)
    cluster.shutdown()


@pytest.fixture
def empty(cassandra_settings: CassandraSettings, session: Session) -> Iterator[CassandraSettings]:
    """The settings of a keyspace that does not exist yet."""
    own = cassandra_settings.model_copy(update={"keyspace": f"schema_{uuid4().hex[:12]}"})
    yield own
    session.execute(f"DROP KEYSPACE IF EXISTS {own.keyspace}")


@pytest.fixture
def migrated(empty: CassandraSettings, session: Session) -> CassandraSettings:
    """A keyspace after a first migration."""
    migrate(session, empty, lambda _line: None)
    session.set_keyspace(empty.keyspace)
    return empty


def environment(settings: CassandraSettings) -> dict[str, str]:
    """The variables that the command reads."""
    return {
        "EXAM_CASSANDRA_HOSTS": ",".join(settings.hosts),
        "EXAM_CASSANDRA_PORT": str(settings.port),
        "EXAM_CASSANDRA_USERNAME": settings.username or "",
        "EXAM_CASSANDRA_PASSWORD": settings.password or "",
        "EXAM_CASSANDRA_KEYSPACE": settings.keyspace,
    }


async def command(settings: CassandraSettings, *arguments: str) -> tuple[int | None, str, str]:
    """Run `python -m exam_answerlog`; return exit code, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-m", "exam_answerlog", *arguments),
        env=environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_migrate_creates_the_schema(empty: CassandraSettings) -> None:
    """I install the platform: one command creates the tables and reports what it did."""
    code, out, err = await command(empty, "check")
    assert (code, out) == (1, "")
    assert "run `python -m exam_answerlog migrate`" in err

    code, out, err = await command(empty, "migrate")
    assert (code, err) == (0, "")
    assert f"keyspace {empty.keyspace} created" in out
    assert "migration 1 (first tables) applied" in out

    code, out, err = await command(empty, "check")
    assert (code, err) == (0, "")


def test_a_second_migration_changes_nothing(migrated: CassandraSettings, session: Session) -> None:
    """An upgrade without a new migration does not change the schema."""
    lines: list[str] = []
    migrate(session, migrated, lines.append)
    assert lines == [f"keyspace {migrated.keyspace} is at version 2 and equals the models"]


async def test_concurrent_migrations_apply_each_step_once(empty: CassandraSettings) -> None:
    """Kubernetes started the migration twice: both succeed, and one of them applied it."""
    outcomes = await asyncio.gather(*(command(empty, "migrate") for _ in range(2)))

    assert [(code, err) for code, _, err in outcomes] == [(0, "")] * 2
    assert sum("migration 1 (first tables) applied" in out for _, out, _ in outcomes) == 1


async def test_check_waits_for_the_migration(empty: CassandraSettings) -> None:
    """A pod that starts before the migration waits for it instead of crashing."""
    waiting = asyncio.ensure_future(command(empty, "check", "--wait", "60"))
    assert (await command(empty, "migrate"))[0] == 0
    code, out, _ = await waiting
    assert code == 0, out


def test_an_interrupted_migration_is_completed_by_the_next(
    empty: CassandraSettings, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration that fails half-way is not recorded as applied, and the next run completes it."""
    whole = schema.MIGRATIONS[0]
    broken = Migration(whole.version, whole.name, (*whole.statements[:2], "CREATE TABLE nonsense"))
    monkeypatch.setattr(schema, "MIGRATIONS", (broken,))
    with pytest.raises(SyntaxException):
        migrate(session, empty, lambda _line: None)
    monkeypatch.undo()
    with pytest.raises(SchemaError, match="lacks migration 1"):
        check(session, empty.keyspace)

    migrate(session, empty, lambda _line: None)


def test_the_lock_of_a_killed_migration_expires(migrated: CassandraSettings, session: Session) -> None:
    """After a migration was killed, the next one reports whose lock it waits for, and continues when that expires."""
    dead = uuid4()
    session.execute(f"INSERT INTO schema_lock (name, holder) VALUES ('migrate', {dead}) IF NOT EXISTS USING TTL 5")  # noqa: S608
    lines: list[str] = []
    migrate(session, migrated, lines.append)
    assert lines[0] == f"another migration is running ({dead}): waiting for it to finish"
    assert lines[-1].endswith("equals the models")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("ALTER TABLE answers ADD note text", "answers.note is not in the models"),
        ("ALTER TABLE answers DROP value", "answers.value is missing"),
        ("DROP TABLE sealed", "table sealed is missing"),
        ("CREATE TABLE notes (id int PRIMARY KEY)", "table notes is not in the models"),
    ],
)
def test_a_schema_changed_by_hand_is_detected(
    migrated: CassandraSettings, session: Session, change: str, message: str
) -> None:
    """If a table was changed by hand, the check names the table, the column and the difference."""
    check(session, migrated.keyspace)
    session.execute(change)
    with pytest.raises(SchemaError, match=message):
        check(session, migrated.keyspace)


def test_a_column_of_another_type_is_detected(migrated: CassandraSettings, session: Session) -> None:
    """If a column has the wrong type or place in the key, the check names both values."""
    session.execute("DROP TABLE papers")
    session.execute(
        "CREATE TABLE papers (digest text, part text, content_type blob, data blob, PRIMARY KEY (digest, part))"
    )
    with pytest.raises(SchemaError) as error:
        check(session, migrated.keyspace)
    assert "papers.content_type is blob (regular), the model says text (regular)" in str(error.value)
    assert "papers.part is text (clustering 0), the model says text (partition_key 1)" in str(error.value)


def test_an_older_release_rejects_a_newer_schema(
    migrated: CassandraSettings, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a rollback the old release reports that the schema is newer, and changes nothing."""
    later = len(schema.MIGRATIONS) + 1
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, Migration(later, "later", ())))
    with pytest.raises(SchemaError, match=f"lacks migration {later}"):
        check(session, migrated.keyspace)
    migrate(session, migrated, lambda _line: None)
    monkeypatch.undo()

    with pytest.raises(SchemaError, match=f"is at version {later}"):
        check(session, migrated.keyspace)
    with pytest.raises(SchemaError, match=f"is at version {later}"):
        migrate(session, migrated, lambda _line: None)


def test_a_changed_migration_is_rejected(
    migrated: CassandraSettings, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration that was edited after it had been applied is rejected before it runs."""
    rewritten = replace(schema.MIGRATIONS[0], statements=("CREATE TABLE IF NOT EXISTS other (id int PRIMARY KEY)",))
    monkeypatch.setattr(schema, "MIGRATIONS", (rewritten, *schema.MIGRATIONS[1:]))
    with pytest.raises(SchemaError, match="a released migration must not change"):
        migrate(session, migrated, lambda _line: None)


def test_an_upgrade_adds_the_claims_of_attempts(
    empty: CassandraSettings, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A keyspace of the release before gets the new table, and keeps what it has."""
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
    monkeypatch.setattr(schema, "TABLES", FIRST_TABLES)
    migrate(session, empty, lambda _line: None)
    session.execute(f"INSERT INTO {empty.keyspace}.papers (digest, part) VALUES ('d', 'paper')")  # noqa: S608
    monkeypatch.undo()
    with pytest.raises(SchemaError, match="lacks migration 2"):
        check(session, empty.keyspace)
    migrate(session, empty, lambda _line: None)
    check(session, empty.keyspace)
    assert session.execute(f"SELECT count(*) FROM {empty.keyspace}.papers").one()[0] == 1  # noqa: S608


def test_a_role_needs_permissions_only_on_its_keyspace(empty: CassandraSettings, session: Session) -> None:
    """My administrator creates the keyspace and grants me permissions on it alone: I can migrate."""
    role = f"role_{uuid4().hex[:12]}"
    own = empty.model_copy(update={"username": role, "password": "secret"})
    session.execute(f"CREATE KEYSPACE {own.keyspace} WITH replication = {SIMPLE}")
    session.execute(f"CREATE ROLE {role} WITH PASSWORD = 'secret' AND LOGIN = true")
    session.execute(f"GRANT ALL PERMISSIONS ON KEYSPACE {own.keyspace} TO {role}")
    cluster = make_cluster(own, request_timeout=30)
    try:
        mine = connect_cluster(cluster, own)
        migrate(mine, own, lambda _line: None)
        check(mine, own.keyspace)
        with pytest.raises(Unauthorized):
            migrate(mine, own.model_copy(update={"keyspace": f"{own.keyspace}_2"}), lambda _line: None)
    finally:
        cluster.shutdown()
        session.execute(f"DROP ROLE {role}")


def test_an_existing_keyspace_keeps_its_replication(empty: CassandraSettings, session: Session) -> None:
    """My administrator created the keyspace with another replication: the migration reports it and continues."""
    session.execute(f"CREATE KEYSPACE {empty.keyspace} WITH replication = {SIMPLE}")
    lines: list[str] = []
    migrate(session, empty, lines.append)
    assert "exists with replication {'class': 'SimpleStrategy'" in lines[0]
    assert lines[-1].endswith("equals the models")
