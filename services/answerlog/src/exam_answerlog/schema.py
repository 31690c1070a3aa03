"""The schema in Cassandra: the keyspace, versioned migrations, and whether what is there equals the models.

Migrations run under a lock (LWT) and are recorded (LWT), so two at once do the work once; each statement may be
repeated, so one that was killed half-way is finished by the next.
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
    SCHEMA_LOCK,
    SCHEMA_VERSION,
    TABLES,
    SchemaLockRow,
    SchemaVersionRow,
)
from exam_core.canonical import digest_of

REQUEST_TIMEOUT = 30.0
"""Seconds for one statement: every node must agree on a change of the schema."""
LOCK_TTL = 120
"""Seconds after which the lock of a migration that was killed expires."""
LOCK_POLL = 0.25
"""Seconds between two looks at a lock that another migration holds: Cassandra has nothing to wait on."""

Say = Callable[[str], None]

Columns = dict[str, tuple[str, str, int]]
"""A table's columns by name: type, kind (partition_key, clustering, regular) and place in the key."""


class SchemaError(Exception):
    """The schema is not what this release needs."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema's history; each statement may be repeated (IF NOT EXISTS)."""

    version: int
    name: str
    statements: tuple[str, ...]

    @property
    def digest(self) -> str:
        """What tells whether the statements are still those that were applied."""
        return digest_of(list(self.statements))


MIGRATIONS = (Migration(1, "first tables", tuple(table.create() for table in TABLES)),)
"""In order. A released migration never changes: when a model does, write down here the text that it gave before,
and add a migration that leads from there to the models."""


def migrate(session: Session, settings: CassandraSettings, say: Say) -> None:
    """Make keyspace and tables, apply what is missing, and check the result against the models."""
    _make_keyspace(session, settings, say)
    keyspace = _Keyspace(session, settings.keyspace)
    for table in BOOKKEEPING:
        keyspace.change(table.create())
    with _locked(keyspace, say):
        _refuse_unknown(keyspace)
        for migration in MIGRATIONS:
            if not _applied(keyspace, migration):
                say(f"migration {migration.version} ({migration.name}) …")
                for statement in migration.statements:
                    keyspace.change(statement)
                _record(keyspace, migration)
                say(f"migration {migration.version} ({migration.name}) applied")
    check(session, settings.keyspace)
    say(f"keyspace {settings.keyspace} is at version {MIGRATIONS[-1].version} and equals the models")


def check(session: Session, name: str) -> None:
    """Raise SchemaError unless every migration is applied, none is unknown, and the tables equal the models."""
    keyspace = _Keyspace(session, name)
    live = keyspace.tables()
    if SCHEMA_VERSION.name not in live:
        raise SchemaError(f"keyspace {name} has no schema yet: run `python -m exam_answerlog migrate`")
    _refuse_unknown(keyspace)
    for migration in MIGRATIONS:
        if not _applied(keyspace, migration):
            raise SchemaError(
                f"keyspace {name} lacks migration {migration.version} ({migration.name}): "
                "run `python -m exam_answerlog migrate`"
            )
    if differences := list(_differences(live)):
        raise SchemaError(
            f"keyspace {name} is not what the migrations make: it was changed by hand, or a model was changed "
            "without a migration:\n" + "\n".join(f"- {difference}" for difference in differences)
        )


@dataclass(frozen=True, slots=True)
class _Keyspace:
    """A keyspace as migrations use it: few statements, each once, so that none is worth preparing."""

    session: Session
    name: str

    def run(self, cql: str, values: tuple[Any, ...] = (), *, consistency: int | None = None) -> ResultSet:
        """Run a statement whose places for values are question marks, as models write them."""
        statement = SimpleStatement(cql.replace("?", "%s"), consistency_level=consistency, keyspace=self.name)
        return self.session.execute(statement, values)

    def change(self, cql: str) -> None:
        """Run a statement that changes the schema; returns when all nodes agree on the change."""
        if not self.run(cql).response_future.is_schema_agreed:
            raise SchemaError(f"the nodes do not agree on keyspace {self.name} after {cql!r}: try again")

    def tables(self) -> dict[str, Columns]:
        """The tables that are there, by name."""
        tables: dict[str, Columns] = {}
        for table, column, cql, kind, position in self.session.execute(
            "SELECT table_name, column_name, type, kind, position FROM system_schema.columns WHERE keyspace_name = %s",
            (self.name,),
        ):
            tables.setdefault(table, {})[column] = (cql, kind, position)
        return tables


def replication_of(session: Session, keyspace: str, host: Host | None = None) -> dict[str, str] | None:
    """How a keyspace is replicated, as a host has it, with the class's short name; None when there is none."""
    query = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = %s"
    found = session.execute(query, (keyspace,), host=host).one()
    return None if found is None else {name: value.rpartition(".")[2] for name, value in found[0].items()}


def _make_keyspace(session: Session, settings: CassandraSettings, say: Say) -> None:
    """Make the keyspace unless it exists; one that exists may have been made by a role with more rights than ours.

    The statement runs in any case: `system_schema` names a keyspace a moment before it can be used, and only the
    statement returns after that moment.
    """
    wanted = settings.copies
    there = replication_of(session, settings.keyspace)
    try:
        session.execute(f"CREATE KEYSPACE IF NOT EXISTS {settings.keyspace} WITH replication = {wanted}")
    except Unauthorized:
        if there is None:
            raise
    if there is None:
        say(f"keyspace {settings.keyspace} created, copies in {settings.local_dc}: {settings.replication}")
        return
    if there != wanted:
        say(f"keyspace {settings.keyspace} exists with replication {there} instead of {wanted}: left as it is")


@contextmanager
def _locked(keyspace: _Keyspace, say: Say) -> Iterator[None]:
    """Hold the migrations' lock, waiting for whoever holds it."""
    me = SchemaLockRow("migrate", uuid4())
    take = f"{SCHEMA_LOCK.insert(once=True)} USING TTL {LOCK_TTL}"
    deadline = time.monotonic() + LOCK_TTL + REQUEST_TIMEOUT
    waited_for: UUID | None = None
    while not (result := keyspace.run(take, SCHEMA_LOCK.values(me))).was_applied:
        _applied_flag, *there = result.one()
        holder = SCHEMA_LOCK.row(tuple(there)).holder
        if holder != waited_for:
            say(f"another migration is running ({holder}): waiting for it")
            waited_for = holder
        if time.monotonic() > deadline:
            raise SchemaError(f"another migration ({holder}) holds the lock and does not end: try again later")
        time.sleep(LOCK_POLL)
    try:
        yield
    finally:
        keyspace.run("DELETE FROM schema_lock WHERE name = ? IF holder = ?", SCHEMA_LOCK.values(me))


def _applied(keyspace: _Keyspace, migration: Migration) -> bool:
    """Whether a migration is recorded; SchemaError when it was another one under the same number."""
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


def _refuse_unknown(keyspace: _Keyspace) -> None:
    known = MIGRATIONS[-1].version
    newest = max((version for (version,) in keyspace.run("SELECT version FROM schema_version")), default=0)
    if newest > known:
        raise SchemaError(
            f"keyspace {keyspace.name} is at version {newest}, this release knows it up to {known}: "
            "use the newer release"
        )


def _differences(live: dict[str, Columns]) -> Iterator[str]:
    """What a person has to know to find every difference between the live tables and the models."""
    models = {table.name: _model_columns(table) for table in (*TABLES, *BOOKKEEPING)}
    for name in sorted(models.keys() | live.keys()):
        if name not in live:
            yield f"table {name} is missing"
        elif name not in models:
            yield f"table {name} is in no model"
        else:
            yield from _column_differences(name, models[name], live[name])


def _column_differences(table: str, model: Columns, live: Columns) -> Iterator[str]:
    for column in sorted(model.keys() | live.keys()):
        if column not in live:
            yield f"{table}.{column} is missing"
        elif column not in model:
            yield f"{table}.{column} is in no model"
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
