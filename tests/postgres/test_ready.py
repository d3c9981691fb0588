"""Statements made ready do what they do through SQLAlchemy, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta, timezone

import pytest
from sqlalchemy import bindparam, insert, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError

from broker.models import Calendar, Heartbeat, at_once, db, reading, snapshot, transaction
from broker.models.base import table_of
from broker.models.ready import Ready
from tests.world import ADA, NOW, World

pytestmark = pytest.mark.postgres

_BEATS = table_of(Heartbeat)
_CALENDARS = table_of(Calendar)
_OF_KIND = select(*_CALENDARS.c).where(_CALENDARS.c.primary == bindparam("primary"))
BEATS = Ready(select(_BEATS.c.name, _BEATS.c.at.label("seen_at")).order_by(_BEATS.c.name))
ADD = Ready(insert(_BEATS).values(name=bindparam("name"), at=bindparam("at")))
PUT_OFF = Ready(
    update(_BEATS).where(_BEATS.c.at < bindparam("earliest")).values(at=bindparam("earliest"))
)
RENAME = Ready(
    update(_BEATS).values(name="tick", at=bindparam("at")).returning(_BEATS.c.name, _BEATS.c.at)
)
LATER = NOW + timedelta(hours=1)


@pytest.fixture(autouse=True)
def context(any_world: World) -> Iterator[None]:
    with any_world.app.app_context():
        yield


def test_every_kind_of_column_is_read_as_ever(any_world: World) -> None:
    any_world.connected(ADA)
    any_world.work()
    usual = snapshot().execute(_OF_KIND, {"primary": True}).all()

    rows = Ready(_OF_KIND).all(snapshot(), primary=True)

    assert rows == usual != []
    assert rows[0].id == usual[0].id
    assert rows[0].last_attempt_at.utcoffset() == timedelta(0)


def test_what_is_written_gives_rows_and_may_hold_constants() -> None:
    with at_once() as database:
        ADD.changed(database, name="clock", at=NOW)

        assert RENAME.all(database, at=LATER) == [("tick", LATER)]
        assert RENAME.first(database, at=LATER).at == LATER
        assert PUT_OFF.first(database, earliest=NOW) is None


def test_what_is_written_at_once_stays_and_is_counted() -> None:
    abroad = NOW.astimezone(timezone(timedelta(hours=5)))

    with at_once() as database:
        assert ADD.changed(database, name="clock", at=abroad) == 1
        assert ADD.changed(database, name="worker", at=LATER) == 1
        assert PUT_OFF.changed(database, earliest=LATER) == 1
        assert PUT_OFF.changed(database, earliest=LATER) == 0

    assert BEATS.all(snapshot()) == [("clock", LATER), ("worker", LATER)]
    assert BEATS.first(snapshot()).seen_at == LATER


def test_what_a_transaction_undoes_was_part_of_it() -> None:
    with pytest.raises(RuntimeError, match="on purpose"), transaction() as session:
        ADD.changed(session.connection(), name="clock", at=NOW)
        assert BEATS.first(snapshot()).name == "clock"
        raise RuntimeError("on purpose")

    assert BEATS.first(snapshot()) is None


def test_a_snapshot_is_given_up_for_a_step_at_once() -> None:
    assert BEATS.all(snapshot()) == []

    with at_once() as database:
        ADD.changed(database, name="clock", at=NOW)

    assert [row.name for row in BEATS.all(snapshot())] == ["clock"]
    assert reading().scalars(select(_BEATS.c.name)).all() == ["clock"]


def test_an_error_is_sqlalchemys_and_keeps_no_values() -> None:
    with at_once() as database:
        ADD.changed(database, name="Ada Lovelace", at=NOW)

        with pytest.raises(IntegrityError) as raised:
            ADD.changed(database, name="Ada Lovelace", at=NOW)

        assert BEATS.first(database).name == "Ada Lovelace"
    assert raised.value.params is None
    assert "heartbeats" in str(raised.value)


def test_a_server_that_hangs_up_is_noticed_and_forgotten(pg_world: World) -> None:
    with pg_world.app.app_context():
        with db.engine.connect() as other:
            number = snapshot().execute(text("SELECT pg_backend_pid()")).scalar()
            other.execute(text(f"SELECT pg_terminate_backend({number}, 5000)")).all()

        with pytest.raises(OperationalError):
            BEATS.all(snapshot())

    with pg_world.app.app_context():
        assert BEATS.all(snapshot()) == []
