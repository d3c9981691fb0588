"""Many rows at once, by statements that are the same however many rows there are.

A list of parameters costs SQLAlchemy, driver and database more than the rows do: 10,000 keys
are looked up in a third of the time on SQLite, and in a twentieth on PostgreSQL, when they
travel end to end in one value; and PostgreSQL takes rows as one array for each column.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Column, LargeBinary, String, Table, bindparam
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from broker.models.upserts import is_postgresql

_SPELT = {
    "sqlite": (
        "{column} IN (WITH RECURSIVE place(at) AS (VALUES (1) UNION ALL"
        " SELECT at + {width} FROM place WHERE at + {width} <= length({keys}))"
        " SELECT substr({keys}, at, {width}) FROM place)"
    ),
    # An array and not rows to join with, which the planner may take for a thousand.
    "postgresql": (
        "{column} = ANY (ARRAY(SELECT substring({keys} FROM at FOR {width})"
        " FROM generate_series(1, octet_length({keys}), {width}) AS at))"
    ),
}


class among(FunctionElement[bool]):  # noqa: N801 (used as a function, as SQLAlchemy's are)
    """Tell whether a column of keys of one length is among those of the parameter `keys`.

    The parameter's value comes from `end_to_end`.
    """

    # Without Boolean for a type, for which SQLite would be asked whether the answer equals 1:
    # it does that without an index.
    name = "among"
    inherit_cache = True

    def __init__(self, column: Column[bytes]) -> None:
        super().__init__(column, bindparam("keys", type_=LargeBinary()))
        self.width = _width(column)


def end_to_end(keys: Iterable[bytes]) -> dict[str, bytes]:
    """Give the parameter for `among`."""
    return {"keys": b"".join(keys)}


def _width(column: Column[Any]) -> int:
    width = column.type.length if isinstance(column.type, LargeBinary) else None
    if width is None:
        raise ValueError(f"{column} does not say how long its keys are")
    return width


@compiles(among)
def _spell(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    column, keys = (compiler.process(clause, **kw) for clause in element.clauses)
    spelt = _SPELT[compiler.dialect.name]
    return spelt.format(column=column, keys=keys, width=element.width)


class Replacing:
    """Inserts rows of a table or replaces them by their primary key.

    *columns* says what a row's values are, in order. What it leaves out keeps its value.
    """

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        keys = [column.name for column in table.primary_key.columns]
        settings = [f'"{name}" = excluded."{name}"' for name in columns if name not in keys]
        arrays = [f"%b::{_sent_as(table.columns[name])}[]" for name in columns]
        insert = f'INSERT INTO "{table.name}" ({_names(columns)})'
        replace = f"ON CONFLICT ({_names(keys)}) DO UPDATE SET {', '.join(settings)}"
        self._key_of = itemgetter(*map(columns.index, keys))
        self._sqlite = f"{insert} VALUES ({', '.join('?' * len(columns))}) {replace}"
        self._postgresql = f"{insert} SELECT * FROM unnest({', '.join(arrays)}) {replace}"  # noqa: S608 - of our own names

    def write(self, session: Session, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write *rows*, in the caller's transaction; of two with one key the later counts."""
        if not rows:
            return
        connection = session.connection()
        if not is_postgresql(session):
            connection.exec_driver_sql(self._sqlite, list(rows))
            return
        # One statement may not touch a row twice.
        distinct = {self._key_of(row): row for row in rows}.values()
        by_column = [list(values) for values in zip(*distinct, strict=True)]
        connection.exec_driver_sql(self._postgresql, tuple(by_column))


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _sent_as(column: Column[Any]) -> str:
    """Name the type that values travel as; a text's length is for the table to check."""
    if isinstance(column.type, String):
        return "TEXT"
    # SQLAlchemy gives its dialects no typed constructor.
    return str(column.type.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
