"""Tables as typed models, from which all CQL and the conversion of rows are derived.

A row class is a dataclass whose fields have a Python type and a Cassandra type; a `Table` names the columns of its key.
The module does not use the driver, so that the in-memory double stores the same rows.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Annotated, Any, Generic, TypeVar, get_args, get_type_hints
from uuid import UUID

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class Cql:
    """A column's type in Cassandra."""

    name: str


Uuid = Annotated[UUID, Cql("uuid")]
Int = Annotated[int, Cql("int")]
SmallInt = Annotated[int, Cql("smallint")]
BigInt = Annotated[int, Cql("bigint")]
Text = Annotated[str, Cql("text")]
Blob = Annotated[bytes, Cql("blob")]


class Table(Generic[RowT]):
    """A table: its row class, its partition key and the clustering key that orders a partition.

    An optional field is a column that a row may lack. It is left unset, never written as null: a null is a tombstone
    that slows every later read.
    """

    def __init__(
        self, name: str, row: type[RowT], *, partition: tuple[str, ...], clustering: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        self.partition = partition
        self.clustering = clustering
        self.columns: dict[str, str] = {}
        hints = get_type_hints(row, include_extras=True)
        for field in fields(row):  # type: ignore[arg-type]  # "a dataclass" has no name in typing
            cql, optional = _column_type(hints[field.name])
            if optional and field.name in self.primary_key:
                raise TypeError(f"{name}.{field.name} is part of the key and cannot be optional")
            self.columns[field.name] = cql
        if unknown := set(self.primary_key) - set(self.columns):
            raise TypeError(f"{name}: key columns {sorted(unknown)} are not fields of {row.__name__}")
        self._row = row
        self._values = _getter(tuple(self.columns))
        self._key = _getter(self.primary_key)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The partition key, then the clustering key."""
        return (*self.partition, *self.clustering)

    def create(self) -> str:
        """Return the CQL that creates the table unless it exists."""
        columns = ", ".join(f"{name} {cql}" for name, cql in self.columns.items())
        key = ", ".join([f"({', '.join(self.partition)})", *self.clustering])
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({columns}, PRIMARY KEY ({key}))"

    def insert(self, *, once: bool = False) -> str:
        """Return the CQL that inserts a row, in the order of `values`; `once`: only the first insert applies (LWT)."""
        places = ", ".join("?" * len(self.columns))
        text = f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES ({places})"  # noqa: S608  # names of models
        return f"{text} IF NOT EXISTS" if once else text

    def update_if(self, *changed: str, expected: str) -> str:
        """Return the CQL that changes columns of a row, if one of them has an expected value (LWT).

        The places are those of the changed columns, then of the key, then of the expected value.
        """
        changes = ", ".join(f"{name} = ?" for name in changed)
        where = " AND ".join(f"{name} = ?" for name in self.primary_key)
        return f"UPDATE {self.name} SET {changes} WHERE {where} IF {expected} = ?"  # noqa: S608  # names of models

    def select(self, *by: str) -> str:
        """Return the CQL that reads rows by columns of the key, in the order that `row` takes."""
        where = " AND ".join(f"{name} = ?" for name in by)
        return f"SELECT {', '.join(self.columns)} FROM {self.name} WHERE {where}"  # noqa: S608  # names of models

    def values(self, row: RowT) -> tuple[Any, ...]:
        """Return a row's values; None for an absent column."""
        return self._values(row)

    def key(self, row: RowT) -> tuple[Any, ...]:
        """Return a row's primary key."""
        return self._key(row)

    def row(self, values: tuple[Any, ...]) -> RowT:
        """Convert a result of `select` to a row."""
        return self._row(*values)


def _column_type(hint: Any) -> tuple[str, bool]:  # noqa: ANN401  # any type hint
    """Return a type hint's CQL type, and whether the column is optional."""
    choices = [hint] if hasattr(hint, "__metadata__") else [a for a in get_args(hint) if hasattr(a, "__metadata__")]
    for annotated in choices:
        for note in annotated.__metadata__:
            if isinstance(note, Cql):
                return note.name, type(None) in get_args(hint)
    raise TypeError(f"{hint!r} has no CQL type")


def _getter(names: tuple[str, ...]) -> Callable[[object], tuple[Any, ...]]:
    """Return a getter of fields as a tuple, also for a single field."""
    if len(names) == 1:
        get = attrgetter(names[0])
        return lambda row: (get(row),)
    return attrgetter(*names)
