"""The schema in Cassandra: keyspace, versioned migrations, and a comparison of the live tables with the models.

Migrations run under a lock (LWT) and are recorded (LWT), so that concurrent runs apply each once. Statements are
idempotent, so that the next run completes one that was killed.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from cassandra import ConsistencyLevel, Unauthorized
from cassandra.cluster import ResultSet, Session
from cassandra.pool import Host
from cassandra.query import SimpleStatement

from exam_answerlog.model import Table
from exam_answerlog.settings import CassandraSettings
from exam_answerlog.tables import (
    BOOKKEEPING,
    CLAIMS,
    FIRST_TABLES,
    SCHEMA_LOCK,
    SCHEMA_VERSION,
    TABLES,
    SchemaLockRow,
    SchemaVersionRow,
)
from exam_core.canonical import digest_of

REQUEST_TIMEOUT = 30.0
"""Seconds for one statement: all nodes must agree on a change of the schema."""
LOCK_TTL = 120
"""Seconds after which the lock of a migration that was killed expires."""
LOCK_POLL = 0.25
"""Poll interval in seconds while another migration holds the lock: Cassandra has no notifications."""

Report = Callable[[str], None]

Columns = dict[str, tuple[str, str, int]]
"""A table's columns by name: type, kind (partition_key, clustering, regular) and place in the key."""


class SchemaError(Exception):
    """The schema differs from what this release needs."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema's history; its statements are idempotent (IF NOT EXISTS)."""

    version: int
    name: str
    statements: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The digest of the statements, to detect that they were changed after they were applied."""
        return digest_of(list(self.statements))


MIGRATIONS = (
    Migration(1, "first tables", tuple(table.create() for table in FIRST_TABLES)),
    Migration(2, "claims of attempts", (CLAIMS.create(),)),
)
"""In order. A released migration must not change: when a model changes, write out here the text that it gave before,
and add a migration that leads from there to the models."""


def migrate(session: Session, settings: CassandraSettings, report: Report) -> None:
    """Create the keyspace, apply missing migrations, and compare the result with the models."""
    _create_keyspace(session, settings, report)
    keyspace = _Keyspace(session, settings.keyspace)
    for table in BOOKKEEPING:
        keyspace.change(table.create())
    with _locked(keyspace, report):
        _reject_unknown(keyspace)
        for migration in MIGRATIONS:
            if not _applied(keyspace, migration):
                report(f"migration {migration.version} ({migration.name}) …")
                for statement in migration.statements:
                    keyspace.change(statement)
                _record(keyspace, migration)
                report(f"migration {migration.version} ({migration.name}) applied")
    check(session, settings.keyspace)
    report(f"keyspace {settings.keyspace} is at version {MIGRATIONS[-1].version} and equals the models")


def check(session: Session, name: str) -> None:
    """Raise SchemaError unless every migration is applied, none is unknown, and the tables equal the models."""
    keyspace = _Keyspace(session, name)
    live = keyspace.tables()
    if SCHEMA_VERSION.name not in live:
        raise SchemaError(f"keyspace {name} has no schema yet: run `python -m exam_answerlog migrate`")
    _reject_unknown(keyspace)
    for migration in MIGRATIONS:
        if not _applied(keyspace, migration):
            raise SchemaError(
                f"keyspace {name} lacks migration {migration.version} ({migration.name}): "
                "run `python -m exam_answerlog migrate`"
            )
    if differences := list(_differences(live)):
        raise SchemaError(
            f"keyspace {name} does not match the migrations: it was changed by hand, or a model was changed "
            "without a migration:\n" + "\n".join(f"- {difference}" for difference in differences)
        )


@dataclass(frozen=True, slots=True)
class _Keyspace:
    """A keyspace for migrations; statements run once and are therefore not prepared."""

    session: Session
    name: str

    def run(self, cql: str, values: tuple[Any, ...] = (), *, consistency: int | None = None) -> ResultSet:
        """Run a statement with question marks for values, as models generate it."""
        statement = SimpleStatement(cql.replace("?", "%s"), consistency_level=consistency, keyspace=self.name)
        return self.session.execute(statement, values)

    def change(self, cql: str) -> None:
        """Run a statement that changes the schema; return when all nodes agree on the change."""
        if not self.run(cql).response_future.is_schema_agreed:
            raise SchemaError(f"the nodes do not agree on keyspace {self.name} after {cql!r}: retry")

    def tables(self) -> dict[str, Columns]:
        """Return the live tables by name."""
        tables: dict[str, Columns] = {}
        for table, column, cql, kind, position in self.session.execute(
            "SELECT table_name, column_name, type, kind, position FROM system_schema.columns WHERE keyspace_name = %s",
            (self.name,),
        ):
            tables.setdefault(table, {})[column] = (cql, kind, position)
        return tables


def replication_of(session: Session, keyspace: str, host: Host | None = None) -> dict[str, str] | None:
    """Return a keyspace's replication as a host reports it, with the class's short name; None if it does not exist."""
    query = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = %s"
    found = session.execute(query, (keyspace,), host=host).one()
    return None if found is None else {name: value.rpartition(".")[2] for name, value in found[0].items()}


def _create_keyspace(session: Session, settings: CassandraSettings, report: Report) -> None:
    """Create the keyspace unless it exists; it may have been created by a role with more permissions.

    The statement runs in any case: `system_schema` lists a keyspace a moment before it can be used, and the statement
    returns after that moment.
    """
    desired = settings.copies
    existing = replication_of(session, settings.keyspace)
    try:
        session.execute(f"CREATE KEYSPACE IF NOT EXISTS {settings.keyspace} WITH replication = {desired}")
    except Unauthorized:
        if existing is None:
            raise
    if existing is None:
        report(f"keyspace {settings.keyspace} created, copies in {settings.local_dc}: {settings.replication}")
        return
    if existing != desired:
        report(f"keyspace {settings.keyspace} exists with replication {existing} instead of {desired}: not changed")


@contextmanager
def _locked(keyspace: _Keyspace, report: Report) -> Iterator[None]:
    """Hold the migrations' lock; wait until another holder releases it."""
    lock = SchemaLockRow("migrate", uuid4())
    take = f"{SCHEMA_LOCK.insert(once=True)} USING TTL {LOCK_TTL}"
    deadline = time.monotonic() + LOCK_TTL + REQUEST_TIMEOUT
    waited_for: UUID | None = None
    while not (result := keyspace.run(take, SCHEMA_LOCK.values(lock))).was_applied:
        _applied_flag, *current = result.one()
        holder = SCHEMA_LOCK.row(tuple(current)).holder
        if holder != waited_for:
            report(f"another migration is running ({holder}): waiting for it to finish")
            waited_for = holder
        if time.monotonic() > deadline:
            raise SchemaError(f"another migration ({holder}) still holds the lock: retry later")
        time.sleep(LOCK_POLL)
    try:
        yield
    finally:
        keyspace.run("DELETE FROM schema_lock WHERE name = ? IF holder = ?", SCHEMA_LOCK.values(lock))


def _applied(keyspace: _Keyspace, migration: Migration) -> bool:
    """Return whether a migration is recorded; raise SchemaError when the record has other statements."""
    read = SCHEMA_VERSION.select("version")
    found = keyspace.run(read, (migration.version,), consistency=ConsistencyLevel.LOCAL_SERIAL).one()
    if found is None:
        return False
    recorded = SCHEMA_VERSION.row(found)
    if recorded.digest != migration.digest:
        raise SchemaError(
            f"migration {migration.version} was applied as {recorded.name!r} with other statements than this release "
            "has: a released migration must not change, add a new one"
        )
    return True


def _record(keyspace: _Keyspace, migration: Migration) -> None:
    row = SchemaVersionRow(migration.version, migration.name, migration.digest)
    keyspace.run(SCHEMA_VERSION.insert(once=True), SCHEMA_VERSION.values(row))


def _reject_unknown(keyspace: _Keyspace) -> None:
    known = MIGRATIONS[-1].version
    newest = max((version for (version,) in keyspace.run("SELECT version FROM schema_version")), default=0)
    if newest > known:
        raise SchemaError(
            f"keyspace {keyspace.name} is at version {newest}, this release supports up to {known}: "
            "use the newer release"
        )


def _differences(live: dict[str, Columns]) -> Iterator[str]:
    """Describe every difference between the live tables and the models."""
    models = {table.name: _model_columns(table) for table in (*TABLES, *BOOKKEEPING)}
    for name in sorted(models.keys() | live.keys()):
        if name not in live:
            yield f"table {name} is missing"
        elif name not in models:
            yield f"table {name} is not in the models"
        else:
            yield from _column_differences(name, models[name], live[name])


def _column_differences(table: str, model: Columns, live: Columns) -> Iterator[str]:
    for column in sorted(model.keys() | live.keys()):
        if column not in live:
            yield f"{table}.{column} is missing"
        elif column not in model:
            yield f"{table}.{column} is not in the models"
        elif model[column] != live[column]:
            yield f"{table}.{column} is {_shown(live[column])}, the model says {_shown(model[column])}"


def _model_columns(table: Table[Any]) -> Columns:
    return {
        name: (cql, "partition_key", table.partition.index(name))
        if name in table.partition
        else (cql, "clustering", table.clustering.index(name))
        if name in table.clustering
        else (cql, "regular", -1)
        for name, cql in table.columns.items()
    }


def _shown(column: tuple[str, str, int]) -> str:
    cql, kind, position = column
    return f"{cql} ({kind})" if position < 0 else f"{cql} ({kind} {position})"
