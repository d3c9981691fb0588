"""Connections to PostgreSQL: how transactions begin, and what is asked of one from the pool."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import insert, select, text
from sqlalchemy.engine import Connection as DbConnection

from broker.models import Heartbeat, at_once, db, reading, snapshot, transaction
from broker.models.base import table_of
from tests.world import NOW, World

_BEATS = table_of(Heartbeat)
_NAMES = select(_BEATS.c.name)
_CUT = text(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture(autouse=True)
def context(pg_world: World) -> Iterator[None]:
    with pg_world.app.app_context():
        yield


def status(connection: DbConnection) -> TransactionStatus:
    """Tell what the server is in the middle of."""
    driver = connection.connection.driver_connection
    assert driver is not None
    found: TransactionStatus = driver.info.transaction_status
    return found


def test_reading_begins_no_transaction() -> None:
    snapshot().execute(_NAMES).all()
    reading().execute(_NAMES).all()

    assert status(snapshot()) is TransactionStatus.IDLE
    assert status(reading().connection()) is TransactionStatus.IDLE


def test_a_transaction_is_one_until_it_ends() -> None:
    with pytest.raises(RuntimeError, match="on purpose"), transaction() as session:
        session.execute(insert(_BEATS), {"name": "clock", "at": NOW})
        assert status(session.connection()) is TransactionStatus.INTRANS
        raise RuntimeError("on purpose")

    assert reading().scalars(_NAMES).all() == []


def test_a_statement_at_once_is_no_transaction_and_stays() -> None:
    with at_once() as database:
        database.execute(insert(_BEATS), {"name": "clock", "at": NOW})
        assert status(database) is TransactionStatus.IDLE

    assert reading().scalars(_NAMES).all() == ["clock"]


@pytest.mark.parametrize("rest_s", [0, 3600])
def test_what_a_server_has_hung_up_is_not_used(pg_world: World, rest_s: int) -> None:
    """Nor between requests that follow each other closely: a restart takes less than a second."""
    for _ in range(2):
        with db.engine.connect() as first, db.engine.connect() as second:
            first.execute(_NAMES).all()
            second.execute(_NAMES).all()
    with db.engine.connect() as last:
        last.execute(_CUT).all()
    pg_world.clock.advance(seconds=rest_s)

    with db.engine.connect() as first, db.engine.connect() as second:
        assert first.execute(_NAMES).all() == second.execute(_NAMES).all() == []
