"""How the copy's rows are found."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from broker.models import db, reading
from broker.models.base import table_of
from broker.models.bulk import among
from broker.models.calendar import Calendar
from broker.sync import rows
from broker.sync.rows import Rows
from tests.world import World

KEYS = [bytes([number]) * 16 for number in range(200)]


def test_what_is_known_of_a_page_is_found_by_index(world: World) -> None:
    """A calendar of 20,000 events is read in 100 pages: nothing may walk through it each time."""
    asked: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        asked.append((statement, parameters))

    with world.app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
        assert {} == Rows(reading(), "cal_one").known(KEYS)
        event.remove(db.engine, "before_cursor_execute", note)
        (statement, parameters), connection = asked[-1], reading().connection()
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()

    searches = [row[3] for row in plan if "events" in row[3]]
    assert len(searches) == 2
    assert all("calendar_id=? AND" in search for search in searches), searches


@pytest.mark.parametrize(
    "name", ["_SEALED", "_HELD", "_MARK_SEEN", "_MARK_EXPANDED", "_DELETE_EVENTS", "_REMOVE"]
)
def test_rows_that_are_named_by_key_are_found_by_index(world: World, name: str) -> None:
    with world.app.app_context():
        connection = reading().connection()
        statement = str(getattr(rows, name).compile(connection.engine))
        values = (b"",) * statement.count("?")
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()

    (search,) = [row[3] for row in plan if row[3].startswith("SEARCH")]
    assert search.endswith(("AND key=?)", "AND event_key=?)", "AND uid=?)"))


def test_only_keys_of_a_known_length_can_travel_end_to_end() -> None:
    with pytest.raises(ValueError, match="sealed_cursor"):
        among(table_of(Calendar).c.sealed_cursor)
