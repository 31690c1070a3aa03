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

from cassandra import ConsistencyLevel
from cassandra.cluster import Session
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
    session.set_keyspace(settings.keyspace)
    for table in BOOKKEEPING:
        session.execute(table.create())
    with _locked(session, say):
        _refuse_unknown(session, settings.keyspace)
        for migration in MIGRATIONS:
            if not _applied(session, migration):
                say(f"migration {migration.version} ({migration.name}) …")
                for statement in migration.statements:
                    session.execute(statement)
                _record(session, migration)
                say(f"migration {migration.version} ({migration.name}) applied")
    check(session, settings.keyspace)
    say(f"keyspace {settings.keyspace} is at version {MIGRATIONS[-1].version} and equals the models")


def check(session: Session, keyspace: str) -> None:
    """Raise SchemaError unless every migration is applied, none is unknown, and the tables equal the models."""
    live = _live_tables(session, keyspace)
    if SCHEMA_VERSION.name not in live:
        raise SchemaError(f"keyspace {keyspace} has no schema yet: run `python -m exam_answerlog migrate`")
    session.set_keyspace(keyspace)
    _refuse_unknown(session, keyspace)
    for migration in MIGRATIONS:
        if not _applied(session, migration):
            raise SchemaError(
                f"keyspace {keyspace} lacks migration {migration.version} ({migration.name}): "
                "run `python -m exam_answerlog migrate`"
            )
    if differences := list(_differences(live)):
        raise SchemaError(
            f"keyspace {keyspace} is not what the migrations make: it was changed by hand, or a model was changed "
            "without a migration:\n" + "\n".join(f"- {difference}" for difference in differences)
        )


def _make_keyspace(session: Session, settings: CassandraSettings, say: Say) -> None:
    replication = {"class": "NetworkTopologyStrategy", settings.local_dc: str(settings.replication)}
    found = session.execute(
        "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = %s", (settings.keyspace,)
    ).one()
    if found is None:
        session.execute(
            f"CREATE KEYSPACE IF NOT EXISTS {settings.keyspace} WITH replication = {replication}"  # checked name
        )
        say(f"keyspace {settings.keyspace} created: {settings.replication} copies in {settings.local_dc}")
        return
    there = {name: value.rpartition(".")[2] for name, value in found[0].items()}
    if there != replication:
        say(f"keyspace {settings.keyspace} exists with replication {there} instead of {replication}: left as it is")


@contextmanager
def _locked(session: Session, say: Say) -> Iterator[None]:
    """Hold the migrations' lock, waiting for whoever holds it."""
    me = SchemaLockRow("migrate", uuid4())
    take = session.prepare(f"{SCHEMA_LOCK.insert(once=True)} USING TTL {LOCK_TTL}")
    give_back = session.prepare(f"DELETE FROM {SCHEMA_LOCK.name} WHERE name = ? IF holder = ?")  # noqa: S608
    deadline = time.monotonic() + LOCK_TTL + REQUEST_TIMEOUT
    waited_for: UUID | None = None
    while not (result := session.execute(take, SCHEMA_LOCK.values(me))).was_applied:
        holder = result.one()[-1]
        if holder != waited_for:
            say(f"another migration is running ({holder}): waiting for it")
            waited_for = holder
        if time.monotonic() > deadline:
            raise SchemaError(f"another migration ({holder}) holds the lock and does not end: try again later")
        time.sleep(LOCK_POLL)
    try:
        yield
    finally:
        session.execute(give_back, (me.name, me.holder))


def _applied(session: Session, migration: Migration) -> bool:
    """Whether a migration is recorded; SchemaError when it was another one under the same number."""
    read = SimpleStatement(
        f"SELECT {', '.join(SCHEMA_VERSION.columns)} FROM {SCHEMA_VERSION.name} WHERE version = %s",  # noqa: S608
        consistency_level=ConsistencyLevel.LOCAL_SERIAL,
    )
    found = session.execute(read, (migration.version,)).one()
    if found is None:
        return False
    recorded = SCHEMA_VERSION.row(found)
    if recorded.digest != migration.digest:
        raise SchemaError(
            f"migration {migration.version} was applied as {recorded.name!r} with other statements than this release "
            "has: a released migration must not change, add a new one"
        )
    return True


def _record(session: Session, migration: Migration) -> None:
    row = SchemaVersionRow(migration.version, migration.name, migration.digest)
    session.execute(session.prepare(SCHEMA_VERSION.insert(once=True)), SCHEMA_VERSION.values(row))


def _refuse_unknown(session: Session, keyspace: str) -> None:
    known = MIGRATIONS[-1].version
    newest = max((row[0] for row in session.execute(f"SELECT version FROM {SCHEMA_VERSION.name}")), default=0)  # noqa: S608
    if newest > known:
        raise SchemaError(
            f"keyspace {keyspace} is at version {newest}, this release knows it up to {known}: use the newer release"
        )


Columns = dict[str, tuple[str, str, int]]
"""A table's columns by name: type, kind (partition_key, clustering, regular) and place in the key."""


def _live_tables(session: Session, keyspace: str) -> dict[str, Columns]:
    tables: dict[str, Columns] = {}
    for table, column, cql, kind, position in session.execute(
        "SELECT table_name, column_name, type, kind, position FROM system_schema.columns WHERE keyspace_name = %s",
        (keyspace,),
    ):
        tables.setdefault(table, {})[column] = (cql, kind, position)
    return tables


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
