"""Statements that every request or sync makes, ready to be sent.

SQLAlchemy writes a statement once, but looks up its text, its parameters and its columns each
time, which takes five times as long as SQLite needs to answer. For the few statements that are
made ready here this is done once, and the driver is asked directly: over the same connection,
and with the same errors.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import Dialect, Insert, Select, Update
from sqlalchemy.engine import Connection as DbConnection
from sqlalchemy.exc import DBAPIError

_Converter = Callable[[Any], Any]


class _Form(NamedTuple):
    """A statement as one database takes it.

    *places* names its parameters in order, where they have no names in *text*. *constant* are
    those that the statement itself gives. Only what the driver does not know by itself is
    converted: *given* by a parameter's name, *found* by a column's position. *row* makes a row,
    unless the statement gives none.
    """

    text: str
    places: tuple[str, ...] | None
    constant: dict[str, Any]
    given: dict[str, _Converter]
    found: tuple[tuple[int, _Converter], ...]
    row: Callable[[Iterable[Any]], Any] | None


class Ready:
    """A Core statement whose values are parameters, by name, or constants.

    What it belongs to is up to the connection: a snapshot, a transaction, or nothing (`at_once`).
    Its methods raise DBAPIError when the database does.
    """

    def __init__(self, statement: Select[Any] | Insert | Update) -> None:
        self._statement = statement
        self._forms: dict[str, _Form] = {}

    def all(self, connection: DbConnection, **values: Any) -> list[Any]:
        """Give all rows, as tuples with the names of the columns."""
        return self._named(connection, values)

    def plain(self, connection: DbConnection, **values: Any) -> Sequence[tuple[Any, ...]]:
        """Give all rows as the driver does, for thousands: without names, unconverted."""
        return self._send(connection, values)[1]

    def first(self, connection: DbConnection, **values: Any) -> Any:
        """Give the first row, or None; all are fetched."""
        rows = self._named(connection, values)
        return rows[0] if rows else None

    def changed(self, connection: DbConnection, **values: Any) -> int:
        """Write, and tell how many rows were changed or added."""
        return self._send(connection, values)[2]

    def _named(self, connection: DbConnection, values: dict[str, Any]) -> list[Any]:
        form, rows, _ = self._send(connection, values)
        return _named(form, rows)

    def _send(
        self, connection: DbConnection, values: dict[str, Any]
    ) -> tuple[_Form, Sequence[Any], int]:
        dialect = connection.dialect
        form = self._forms.get(dialect.name)
        if form is None:
            form = self._forms[dialect.name] = _form(self._statement, dialect)
        for name, convert in form.given.items():
            values[name] = convert(values[name])
        values |= form.constant
        sent = values if form.places is None else [values[name] for name in form.places]
        driver = connection.connection
        try:
            cursor = driver.cursor()
            cursor.execute(form.text, sent)
            return form, cursor.fetchall() if form.row else [], cursor.rowcount
        except dialect.loaded_dbapi.Error as error:
            if dialect.is_disconnect(error, driver.dbapi_connection, None):
                connection.invalidate(error)
            raise _error(error, form.text, dialect) from error


def _named(form: _Form, rows: Sequence[Any]) -> list[Any]:
    if form.row is None:
        return []
    if form.found:
        rows = [list(row) for row in rows]
        for row in rows:
            for place, convert in form.found:
                row[place] = convert(row[place])
    return [form.row(row) for row in rows]


def _form(statement: Select[Any] | Insert | Update, dialect: Dialect) -> _Form:
    compiled = statement.compile(dialect=dialect)
    binders = {
        name: parameter.type.dialect_impl(dialect).bind_processor(dialect)
        for name, parameter in compiled.binds.items()
    }
    constant = {
        name: convert(parameter.value) if (convert := binders.pop(name)) else parameter.value
        for name, parameter in compiled.binds.items()
        if not parameter.required
    }
    columns = statement.exported_columns.items()
    readers = [
        column.type.dialect_impl(dialect).result_processor(dialect, None) for _, column in columns
    ]
    row: Any = namedtuple("Row", [name for name, _ in columns])  # type: ignore[misc]
    return _Form(
        str(compiled),
        tuple(compiled.positiontup) if compiled.positiontup is not None else None,
        constant,
        {name: convert for name, convert in binders.items() if convert},
        tuple((place, convert) for place, convert in enumerate(readers) if convert),
        row._make if columns else None,
    )


def _error(error: Exception, text: str, dialect: Dialect) -> Exception:
    """Give SQLAlchemy's error for a driver's, without values: they may be what somebody typed."""
    base = cast("type[Exception]", dialect.loaded_dbapi.Error)
    return DBAPIError.instance(text, None, error, base, dialect=dialect)
