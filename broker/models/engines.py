"""What each database needs so that `transaction` and its kin keep their promises.

Both are told explicitly when a transaction begins; otherwise a statement is one by itself. On
PostgreSQL each of BEGIN, COMMIT and ROLLBACK is a round trip, so they are sent only where they
mean something.
"""

from __future__ import annotations

import select
import sqlite3
from contextvars import ContextVar
from datetime import timedelta
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import PoolProxiedConnection

from broker.clock import Clock

if TYPE_CHECKING:
    # Not loaded where SQLite is used.
    from psycopg import Connection as PgConnection

SQLITE_BUSY_MS = 15_000
RESTED = timedelta(seconds=5)
_PRAGMAS = (
    f"busy_timeout = {SQLITE_BUSY_MS}",
    "journal_mode = WAL",
    "synchronous = NORMAL",
    "foreign_keys = ON",
    "secure_delete = ON",
    # 4 MB: what a page out of 10,000 events and their count visit is more than the usual 2.
    "cache_size = -4096",
)


class Purpose(Enum):
    """What a connection is taken for: how its transaction begins, on SQLite and PostgreSQL.

    PostgreSQL, which is asked with READ COMMITTED, shows each statement what is committed by
    then, whether it is part of a transaction or not; so reading needs none.
    """

    READING = ("BEGIN", None)
    WRITING = ("BEGIN IMMEDIATE", "BEGIN")
    AT_ONCE = (None, None)


purpose: ContextVar[Purpose] = ContextVar("purpose", default=Purpose.READING)


def prepare(engine: Engine, clock: Clock) -> None:
    """Make an engine begin transactions as their purpose asks, on connections that work."""
    dialect = engine.dialect
    # Not events: one listener makes every statement look for listeners, at a third of its cost.
    if dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        dialect.do_begin = _begin_sqlite  # type: ignore[assignment,method-assign]
    else:
        dialect.do_begin = _begin_postgresql  # type: ignore[assignment,method-assign]
        dialect.do_ping = Pings(dialect, clock).do_ping  # type: ignore[method-assign]


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: PoolProxiedConnection) -> None:
    """Take the write lock at once where something will be written; SQLAlchemy wraps errors."""
    begin = purpose.get().value[0]
    if begin is not None:
        cast(sqlite3.Connection, connection.dbapi_connection).execute(begin)


def _begin_postgresql(connection: PoolProxiedConnection) -> None:
    begin = purpose.get().value[1]
    if begin is not None:
        cast("PgConnection", connection.dbapi_connection).execute(begin)


class Pings:
    """Asks a pooled connection whether it works, but only one that may not.

    That is one that has rested, on which a firewall may have lost its patience, and one whose
    server has hung up: a server that goes says so, and nothing else is ever unasked for.
    """

    def __init__(self, dialect: Dialect, clock: Clock) -> None:
        self._ask = dialect.do_ping
        self._clock = clock
        self._used_at: WeakKeyDictionary[DBAPIConnection, float] = WeakKeyDictionary()

    def do_ping(self, dbapi_connection: DBAPIConnection) -> bool:
        """Tell whether a connection works. Raises what the driver raises when it does not."""
        now = self._clock.monotonic()
        rested_since = self._used_at.get(dbapi_connection, -inf)
        self._used_at[dbapi_connection] = now
        if now - rested_since < RESTED.total_seconds() and not _has_hung_up(dbapi_connection):
            return True
        return self._ask(dbapi_connection)


def _has_hung_up(connection: DBAPIConnection) -> bool:
    poll = select.poll()
    poll.register(cast("PgConnection", connection).fileno(), select.POLLIN)
    return bool(poll.poll(0))
