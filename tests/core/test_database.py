"""Transactions and snapshots: what a read sees, and what a request gives back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import pytest
from sqlalchemy import QueuePool, insert, select
from sqlalchemy.exc import IntegrityError

from broker.models import Heartbeat, at_once, db, snapshot, transaction
from broker.models.base import table_of
from tests.world import World

_BEATS = table_of(Heartbeat)


@pytest.fixture(autouse=True)
def context(world: World) -> Iterator[None]:
    with world.app.app_context():
        yield


def names() -> list[str]:
    return list(snapshot().execute(select(_BEATS.c.name)).scalars())


def add(name: str) -> None:
    """Add a row on a connection of its own, as another process would."""
    with db.engine.begin() as connection:
        connection.execute(insert(_BEATS), {"name": name, "at": datetime.now(UTC)})


def test_all_reads_of_a_request_see_one_snapshot() -> None:
    assert names() == []

    add("clock")

    assert names() == []


def test_a_transaction_ends_the_snapshot() -> None:
    assert names() == []
    add("clock")

    with transaction():
        pass

    assert names() == ["clock"]


def test_a_read_inside_of_a_transaction_sees_what_it_has_written() -> None:
    assert names() == []

    with transaction() as session:
        session.execute(insert(_BEATS), {"name": "clock", "at": datetime.now(UTC)})

        assert names() == ["clock"]


def test_an_undone_transaction_leaves_nothing_to_read() -> None:
    with pytest.raises(RuntimeError, match="on purpose"), transaction() as session:
        session.execute(insert(_BEATS), {"name": "clock", "at": datetime.now(UTC)})
        raise RuntimeError("on purpose")

    assert names() == []


def test_a_transaction_does_not_nest() -> None:
    with transaction():
        with pytest.raises(RuntimeError, match="inside a transaction"), transaction():
            pass


def test_a_statement_at_once_is_committed_and_ends_the_snapshot() -> None:
    assert names() == []

    with at_once() as database:
        database.execute(insert(_BEATS), {"name": "clock", "at": datetime.now(UTC)})

    assert names() == ["clock"]


def test_what_a_statement_at_once_returns_is_committed_too() -> None:
    adding = insert(_BEATS).returning(_BEATS.c.name)

    with at_once() as database:
        added = database.execute(adding, {"name": "clock", "at": datetime.now(UTC)}).first()

    assert added == ("clock",)
    assert names() == ["clock"]


def test_a_statement_at_once_holds_nothing(world: World) -> None:
    pool = cast(QueuePool, db.engine.pool)
    held = pool.checkedout()

    with at_once() as database:
        assert database.execute(select(_BEATS.c.name)).all() == []

    assert pool.checkedout() == held


def test_a_step_is_not_cut_in_two() -> None:
    with transaction(), pytest.raises(RuntimeError, match="inside a transaction"):
        with at_once():
            pass


def test_the_end_of_a_request_gives_its_connections_back(world: World) -> None:
    pool = cast(QueuePool, db.engine.pool)
    held = pool.checkedout()

    with world.app.app_context():
        names()
        assert pool.checkedout() == held + 1

    assert pool.checkedout() == held


def test_what_a_database_error_says_holds_nothing_personal() -> None:
    """Errors are logged; their parameters may be what somebody typed."""
    add("Ada Lovelace")

    with pytest.raises(IntegrityError) as raised:
        add("Ada Lovelace")

    said = str(raised.value)
    assert "heartbeats" in said
    assert "Ada" not in said
