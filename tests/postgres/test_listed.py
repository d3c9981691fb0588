"""What listings choose, count and order is what Python would, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import product
from random import Random
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace
from sqlalchemy import delete, insert, select

from broker.models import Calendar, Occurrence, reading, transaction
from broker.models.base import table_of
from broker.services import reading_rows
from broker.services.reading_query import Query
from broker.services.reading_rows import Position
from broker.services.reading_statements import FREE, MERGED
from tests.world import ADA, World

pytestmark = pytest.mark.postgres

Row = dict[str, Any]

HOUR = 3600
NOON = 1_772_539_200  # 2026-03-03
ROWS = 120
PER_PAGE = 30
MANY = MERGED + 2

# By one clock, by one that is ahead, and a range so short that the clocks have nothing in common.
RANGES = [
    Query(from_at=first, to_at=last, from_wall=first + ahead, to_wall=last + ahead)
    for first, last, ahead in [
        (NOON, NOON + 9 * HOUR, 0),
        (NOON, NOON + 9 * HOUR, 2 * HOUR),
        (NOON + 3 * HOUR, NOON + 4 * HOUR, -3 * HOUR),
    ]
]
FLAGS = [
    {"include_moved": moved, "include_deleted": deleted, "last_modified": since}
    for moved, deleted, since in product((False, True), (False, True), (None, 5))
]
FEW = [replace(RANGES[1], **flags) for flags in FLAGS[:3:2]]
QUERIES = {1: FEW, 3: [replace(one, **flags) for one in RANGES for flags in FLAGS], MANY: FEW}


class Copy(NamedTuple):
    """What listings know of a copy."""

    gone_at: int | None
    revision: int = 1


@pytest.fixture
def calendar_ids(any_world: World) -> Iterator[list[str]]:
    """Calendars of a connection, with nothing in them."""
    any_world.connected(ADA)
    table = table_of(Calendar)
    with any_world.app.app_context():
        known = reading().execute(select(table).limit(1)).one()._asdict()
        made = [
            known | {"id": f"cal_{number}", "remote_digest": bytes([number])}
            for number in range(MANY)
        ]
        with transaction() as session:
            session.execute(insert(table), made)
        yield [row["id"] for row in made]


def fill(calendar_ids: list[str]) -> list[Row]:
    """Make occurrences of every kind around the ranges; many begin at the same time."""
    random = Random(7)  # noqa: S311 - the same each time
    rows = [one(random, number, random.choice(calendar_ids)) for number in range(ROWS)]
    table = table_of(Occurrence)
    with transaction() as session:
        session.execute(delete(table))
        session.execute(insert(table), rows)
    return rows


def one(random: Random, number: int, calendar_id: str) -> Row:
    start, past = (NOON + random.randint(-4, 12) * HOUR for _ in range(2))
    moved = random.random() < 0.3
    return {
        "calendar_id": calendar_id,
        "uid": random.randbytes(12),
        "event_key": number.to_bytes(16),
        "start_at": start,
        "end_at": start + random.choice((0, 1, 5)) * HOUR,
        "all_day": random.random() < 0.3,
        "busy": random.choice(("busy", "tentative", *FREE)),
        "changed_at": random.randint(1, 9),
        "deleted": random.random() < 0.3,
        "past_start_at": past if moved else None,
        "past_end_at": past + HOUR if moved else None,
    }


def is_listed(row: Row, query: Query, copy: Copy) -> bool:
    def overlaps(start: int | None, end: int | None) -> bool:
        if start is None or end is None:
            return False
        wall = (query.from_wall, query.to_wall)
        first, last = wall if row["all_day"] else (query.from_at, query.to_at)
        return start < last and (start >= first or end > first)

    is_there = overlaps(row["start_at"], row["end_at"])
    was_there = query.include_moved and overlaps(row["past_start_at"], row["past_end_at"])
    changed_at = max(row["changed_at"], copy.gone_at or 0)
    is_new = query.last_modified is None or changed_at >= query.last_modified
    return (is_there or was_there) and is_new and (query.include_deleted or not row["deleted"])


def positions(rows: Iterable[Row]) -> list[Position]:
    return sorted((row["start_at"], row["uid"]) for row in rows)


def walk(read: Callable[[Position | None, int], Sequence[Any]]) -> list[Position]:
    """Read page after page; gives start and uid of what they hold."""
    found: list[Position] = []
    while page := read(found[-1] if found else None, PER_PAGE):
        found += [(row.start_at, row.uid) if hasattr(row, "uid") else row[:2] for row in page]
    return found


def test_listings_choose_count_and_order_as_python_does(calendar_ids: list[str]) -> None:
    for calendars, queries in QUERIES.items():
        # Of all but the first, some went before the last change and some after it.
        asked = {one: Copy((None, 3, 6)[n % 3]) for n, one in enumerate(calendar_ids[:calendars])}
        rows = fill(list(asked))
        for query in queries:
            listed = [row for row in rows if is_listed(row, query, asked[row["calendar_id"]])]
            every = positions(listed)
            busy = positions(row for row in listed if row["busy"] not in FREE)

            assert walk(partial(reading_rows.page, query, asked)) == every
            for free, expected in ((True, every), (False, busy)):
                assert walk(partial(reading_rows.blocks_page, query, asked, free=free)) == expected
                counted = reading_rows.count(query, asked, free=free)
                assert counted == len(expected)
