"""Tables as typed models: CQL and row conversion are derived from a row's class and written nowhere else.

A row class is a dataclass that says what a row holds, with Cassandra's type beside Python's; a `Table` says which
columns are its key. Nothing here knows the driver, so that the memory double keeps the very same rows.
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
    """A table: its rows' class, its partition key and the clustering key that orders a partition.

    An optional field is a column that a row may lack; it is left unset when written, never null, for a null is a
    tombstone that every later read has to step over.
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
                raise TypeError(f"{name}.{field.name} is part of the key, so no row may lack it")
            self.columns[field.name] = cql
        if unknown := set(self.primary_key) - set(self.columns):
            raise TypeError(f"{name}: key columns {sorted(unknown)} are not fields of {row.__name__}")
        self._row = row
        self._values = _getter(tuple(self.columns))
        self._key = _getter(self.primary_key)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Partition key, then clustering key: what tells one row from another."""
        return (*self.partition, *self.clustering)

    def create(self) -> str:
        """The CQL that makes the table unless it exists."""
        columns = ", ".join(f"{name} {cql}" for name, cql in self.columns.items())
        key = ", ".join([f"({', '.join(self.partition)})", *self.clustering])
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({columns}, PRIMARY KEY ({key}))"

    def insert(self, *, once: bool = False) -> str:
        """The CQL that writes a row, values in the order of `values`; `once` makes the first writer win (LWT)."""
        places = ", ".join("?" * len(self.columns))
        text = f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES ({places})"  # noqa: S608  # our own names
        return f"{text} IF NOT EXISTS" if once else text

    def select(self, *by: str) -> str:
        """The CQL that reads rows by some columns of the key, in the order that `row` takes."""
        where = " AND ".join(f"{name} = ?" for name in by)
        return f"SELECT {', '.join(self.columns)} FROM {self.name} WHERE {where}"  # noqa: S608  # our own names

    def values(self, row: RowT) -> tuple[Any, ...]:
        """A row's values; None where the row lacks the column."""
        return self._values(row)

    def key(self, row: RowT) -> tuple[Any, ...]:
        """A row's primary key."""
        return self._key(row)

    def row(self, values: tuple[Any, ...]) -> RowT:
        """The row that a SELECT returned."""
        return self._row(*values)


def _column_type(hint: Any) -> tuple[str, bool]:  # noqa: ANN401  # any type hint
    """A hint's CQL type, and whether a row may lack the column."""
    choices = [hint] if hasattr(hint, "__metadata__") else [a for a in get_args(hint) if hasattr(a, "__metadata__")]
    for annotated in choices:
        for note in annotated.__metadata__:
            if isinstance(note, Cql):
                return note.name, type(None) in get_args(hint)
    raise TypeError(f"{hint!r} names no CQL type")


def _getter(names: tuple[str, ...]) -> Callable[[object], tuple[Any, ...]]:
    """A row's fields as a tuple, also where it is only one."""
    if len(names) == 1:
        get = attrgetter(names[0])
        return lambda row: (get(row),)
    return attrgetter(*names)
