"""Many rows at once are the same rows on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.models import reading, transaction
from broker.sync.plan import Held, Known, Written
from broker.sync.rows import EventRow, Rows
from tests.world import ADA, World

pytestmark = pytest.mark.postgres

FAR = 2**33  # beyond 32 bits, as times from 2038 on are
MANY = 3_000


@pytest.fixture
def calendar_id(any_world: World) -> Iterator[str]:
    """A calendar of a connection that was made and never read."""
    any_world.connected(ADA)
    ((found,), *_) = any_world.rows("SELECT id FROM calendars ORDER BY id")
    with any_world.app.app_context():
        yield found


def key(number: int, length: int = 16) -> bytes:
    """Give a key that holds every kind of byte."""
    return number.to_bytes(2, "big") + bytes(range(256 - length + 2, 256))


def row(number: int, etag: str = "1", series: int | None = None) -> EventRow:
    series_key = None if series is None else key(series)
    return EventRow(key(number), series_key, etag, 1, False, False, b"\x00sealed\xff", None)


def occurrence(number: int, start_at: int = 0, **changes: int) -> Written:
    plain = Written(
        key(number, 12), key(number), None, start_at, start_at + 1, False, "busy", None, None, True
    )
    return plain._replace(**changes)


def write_events(calendar_id: str, *rows: EventRow) -> None:
    with transaction() as session:
        Rows(session, calendar_id).write_events(rows)


def write_occurrences(calendar_id: str, *rows: Written) -> None:
    with transaction() as session:
        Rows(session, calendar_id).write_occurrences(rows, at=5)


def held(calendar_id: str, *numbers: int) -> list[Held]:
    found = Rows(reading(), calendar_id).held([key(number) for number in numbers], since=0)
    return sorted(found)


def test_events_are_found_by_key_and_by_series(calendar_id: str) -> None:
    write_events(calendar_id, row(1), row(2, series=1), row(3), row(4, series=9))

    found = Rows(reading(), calendar_id).known({key(1), key(9), key(7)})

    assert found == {
        key(1): Known("1", None),
        key(2): Known("1", key(1)),
        key(4): Known("1", key(9)),
    }


def test_no_keys_find_nothing(calendar_id: str) -> None:
    write_events(calendar_id, row(1))
    rows = Rows(reading(), calendar_id)

    assert rows.known(()) == {}
    assert rows.held((), since=0) == []
    assert list(rows.sealed(())) == []


def test_many_are_written_found_and_removed_together(calendar_id: str) -> None:
    keys = [key(number) for number in range(MANY)]
    write_events(calendar_id, *(row(number) for number in range(MANY)))
    assert len(Rows(reading(), calendar_id).known(keys)) == MANY

    with transaction() as session:
        Rows(session, calendar_id).delete_events(keys[1:])

    assert set(Rows(reading(), calendar_id).known(keys)) == {keys[0]}


def test_one_calendar_does_not_touch_another(calendar_id: str, any_world: World) -> None:
    (_, (other,), *_) = any_world.rows("SELECT id FROM calendars ORDER BY id")
    write_events(calendar_id, row(1))
    write_events(other, row(1, "theirs"))

    with transaction() as session:
        Rows(session, calendar_id).delete_events([key(1)])

    assert Rows(reading(), calendar_id).known([key(1)]) == {}
    assert Rows(reading(), other).known([key(1)]) == {key(1): Known("theirs", None)}


def test_what_is_written_again_is_replaced(calendar_id: str) -> None:
    write_events(calendar_id, row(1), row(2))
    write_events(calendar_id, row(1, "2", series=3))

    rows = Rows(reading(), calendar_id)
    assert rows.known([key(1)]) == {key(1): Known("2", key(3))}
    assert [tuple(found) for found in rows.sealed([key(2)])] == [(key(2), None, b"\x00sealed\xff")]


def test_of_two_with_one_key_the_later_counts(calendar_id: str) -> None:
    """Two exceptions that claim one day of a series make two of one occurrence."""
    write_occurrences(calendar_id, occurrence(1, 10), occurrence(2, 20), occurrence(1, 30))

    assert [(one.uid, one.start_at) for one in held(calendar_id, 1, 2)] == [
        (key(1, 12), 30),
        (key(2, 12), 20),
    ]


def test_numbers_of_any_size_may_stand_beside_none(calendar_id: str) -> None:
    write_occurrences(calendar_id, occurrence(1, FAR, past_start_at=7, past_end_at=FAR))
    write_occurrences(calendar_id, occurrence(2, 3), occurrence(3, FAR, past_start_at=1))

    assert [tuple(one)[2:4] + tuple(one)[6:] for one in held(calendar_id, 1, 2, 3)] == [
        (FAR, FAR + 1, 7, FAR),
        (3, 4, None, None),
        (FAR, FAR + 1, 1, None),
    ]


def test_what_was_removed_comes_back_when_it_is_written(calendar_id: str, any_world: World) -> None:
    write_occurrences(calendar_id, *map(occurrence, range(4)))
    with transaction() as session:
        removed = [(key(1, 12), True), (key(2, 12), False), (key(3, 12), True)]
        Rows(session, calendar_id).remove_occurrences(removed, at=8)
    assert [one.deleted for one in held(calendar_id, 0, 1, 2, 3)] == [False, True, True, True]

    write_occurrences(calendar_id, occurrence(1))

    assert [one.deleted for one in held(calendar_id, 0, 1, 2, 3)] == [False, False, True, True]
    stamps = any_world.rows("SELECT changed_at FROM occurrences ORDER BY uid")
    assert [stamp for (stamp,) in stamps] == [5, 5, 0, 8]


def test_all_that_is_there_may_change_at_once(calendar_id: str, any_world: World) -> None:
    write_occurrences(calendar_id, *map(occurrence, range(3)))
    with transaction() as session:
        rows = Rows(session, calendar_id)
        rows.remove_occurrences([(key(1, 12), True)], at=8)
        rows.mark_changed(9)

    stamps = any_world.rows("SELECT changed_at FROM occurrences ORDER BY uid")
    assert [stamp for (stamp,) in stamps] == [9, 8, 9]
