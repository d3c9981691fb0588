"""The database: one metadata, UTC times, and transactions that cannot lose updates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

from flask import Flask, g
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    CursorResult,
    DateTime,
    Delete,
    Dialect,
    MetaData,
    Table,
    Update,
)
from sqlalchemy.engine import Connection as DbConnection
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from broker.clock import Clock
from broker.models import engines
from broker.models.engines import Purpose, purpose

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Parent of every table; names its constraints so that migrations can change them."""

    metadata = MetaData(naming_convention=NAMING)


db = SQLAlchemy(metadata=Base.metadata, session_options={"expire_on_commit": False})


def table_of(model: type[Base]) -> Table:
    """Give a model's table, for statements that skip the ORM."""
    return cast(Table, model.__table__)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite, which knows no zones, stores it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


@contextmanager
def transaction() -> Iterator[Session]:
    """Open the one writing transaction of a step; commits at the end, rolls back on any error.

    What was read before is read again inside, because a snapshot must not be upgraded to a
    write. On SQLite the write lock is taken at once (`BEGIN IMMEDIATE`): a transaction that
    reads first and writes later loses updates there. Does not nest.
    """
    if (read := _forget_reads()) is not None:
        read.close()
    session = db.session()
    token = purpose.set(Purpose.WRITING)
    try:
        session.connection()
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        purpose.reset(token)


@contextmanager
def at_once() -> Iterator[DbConnection]:
    """Give a connection for one statement that is a step by itself, be it a read or a write.

    A third of what a transaction costs, and on PostgreSQL one round trip in place of three. It
    holds nothing afterwards. What was read before is read again, as after a transaction.
    """
    connection = _forget_reads() or db.engine.connect()
    token = purpose.set(Purpose.AT_ONCE)
    try:
        with connection:
            yield connection
    finally:
        purpose.reset(token)


def _forget_reads() -> DbConnection | None:
    """End the snapshots of `reading` and `snapshot`; gives the connection of the latter."""
    if purpose.get() is Purpose.WRITING:
        raise RuntimeError("a transaction inside a transaction")
    # A session that nobody made is not needed.
    if db.session.registry.has():
        session = db.session()
        if session.new or session.dirty or session.deleted:
            raise RuntimeError("changes were made outside a transaction")
        session.rollback()
    connection: DbConnection | None = g.pop("snapshot", None)
    if connection is not None:
        connection.rollback()
    return connection


def changed(
    session: Session | DbConnection,
    statement: Update | Delete,
    values: Mapping[str, object] | None = None,
) -> int:
    """Run an UPDATE or DELETE and tell how many rows it changed.

    The count is what decides a race: whoever changed the row has won.
    """
    result = cast("CursorResult[Any]", session.execute(statement, values))
    return result.rowcount


def reading() -> Session:
    """Give the session for reading: on SQLite it sees one snapshot until the next transaction."""
    return db.session()


def snapshot() -> DbConnection:
    """Give the connection for reads that skip the ORM, at a third of a session's cost.

    On SQLite all reads of a request or task see one snapshot until the next transaction; inside
    of a transaction they see what it sees.
    """
    if purpose.get() is Purpose.WRITING:
        return db.session().connection()
    connection: DbConnection | None = g.get("snapshot")
    if connection is None:
        connection = g.snapshot = db.engine.connect()
        connection.begin()
    return connection


def _let_go(_error: BaseException | None = None) -> None:
    if (connection := g.pop("snapshot", None)) is not None:
        connection.close()


def install(app: Flask, clock: Clock) -> None:
    """Connect *app* to its database, and let each request or task return what it holds."""
    db.init_app(app)
    app.teardown_appcontext(_let_go)
    with app.app_context():
        engines.prepare(db.engine, clock)
