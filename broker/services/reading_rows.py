"""What listings read from the database: which calendars, how many occurrences, which ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

import msgspec
from sqlalchemy import bindparam, select

from broker.models import Calendar, Connection, Profile, snapshot
from broker.models.base import table_of
from broker.models.ready import Ready
from broker.services import reading_statements
from broker.services.reading_query import Query
from broker.services.reading_statements import FREE, OccurrenceRow, Shape

_CALENDARS = table_of(Calendar)
_CONNECTIONS = table_of(Connection)
_PROFILES = table_of(Profile)

COUNTS_KEPT = 512

Position = tuple[int, bytes]
"""Start (epoch seconds) and uid of the last occurrence that was listed."""


class Copy(Protocol):
    """The copy of a calendar: its *revision*, and when the calendar went (epoch seconds)."""

    @property
    def revision(self) -> int: ...

    @property
    def gone_at(self) -> int | None: ...


class CalendarRow(NamedTuple):
    """One calendar of an account, with what opening its events takes."""

    profile_id: str
    connection_id: str
    provider: str
    access_mode: str
    wrapped_key: bytes
    calendar_id: str
    tzid: str | None
    read_only: bool
    counts_as_busy: bool
    revision: int
    deleted_at: datetime | None


_CALENDARS_OF_ACCOUNT = Ready(
    select(
        _PROFILES.c.id.label("profile_id"),
        _CONNECTIONS.c.id.label("connection_id"),
        _CONNECTIONS.c.provider,
        _CONNECTIONS.c.access_mode,
        _CONNECTIONS.c.wrapped_key,
        _CALENDARS.c.id.label("calendar_id"),
        _CALENDARS.c.tzid,
        _CALENDARS.c.read_only,
        _CALENDARS.c.counts_as_busy,
        _CALENDARS.c.revision,
        _CALENDARS.c.deleted_at,
    )
    .select_from(_PROFILES)
    .join(_CONNECTIONS, _CONNECTIONS.c.id == _PROFILES.c.connection_id)
    .join(_CALENDARS, _CALENDARS.c.connection_id == _CONNECTIONS.c.id)
    .where(_PROFILES.c.account_id == bindparam("account_id"))
)


def calendars_of(account_id: str) -> list[CalendarRow]:
    """Read the calendars of all profiles of an account, deleted ones too."""
    return _CALENDARS_OF_ACCOUNT.all(snapshot(), account_id=account_id)


def count(query: Query, copies: Mapping[str, Copy], *, free: bool) -> int:
    """Count what *query* lists. *free* includes what leaves time free; *copies* are by calendar id.

    Counting visits all that a query lists, so the result is kept: whoever polls asks the same
    again, and it holds until the revision of a calendar's copy rises. Only marks of removal are
    forgotten without a new one.
    """
    counted = _count_anew if query.include_deleted else _count_once
    found = 0
    for part, calendar_ids in _parts(query, copies):
        revisions = sorted((one, copies[one].revision) for one in calendar_ids)
        found += counted(part, tuple(revisions), free)
    return found


def _count_anew(query: Query, revisions: tuple[tuple[str, int], ...], free: bool) -> int:
    calendar_ids = [calendar_id for calendar_id, _ in revisions]
    statement = reading_statements.count(_shape(query, calendar_ids, None, free=free))
    return int(statement.first(snapshot(), **_values(query, calendar_ids, None)).found)


_count_once = lru_cache(COUNTS_KEPT)(_count_anew)


def page(
    query: Query, copies: Mapping[str, Copy], after: Position | None, limit: int
) -> list[OccurrenceRow]:
    """Read up to *limit* occurrences with their sealed events, by start and uid."""
    rows: list[OccurrenceRow] = []
    parts = _parts(query, copies)
    for part, calendar_ids in parts:
        shape = _shape(part, calendar_ids, after, free=True)
        values = _values(part, calendar_ids, after)
        rows += reading_statements.sealed_page(shape).all(snapshot(), **values, limit=limit)
    return rows if len(parts) == 1 else sorted(rows, key=attrgetter("start_at", "uid"))[:limit]


def blocks_page(
    query: Query, copies: Mapping[str, Copy], after: Position | None, limit: int, *, free: bool
) -> list[tuple[Any, ...]]:
    """Read up to *limit* occurrences without their events, by start and uid.

    Rows have `reading_statements.BLOCK_COLUMNS`; truths may be 0 and 1.
    """
    connection = snapshot()
    # Of one calendar, the index holds them in order; SQLite takes a third longer to sort those of
    # several. PostgreSQL would take longer to be asked several times.
    is_far = connection.dialect.name != "sqlite"
    rows: list[tuple[Any, ...]] = []
    for part, calendar_ids in _parts(query, copies):
        for asked in [calendar_ids] if is_far else [[one] for one in calendar_ids]:
            statement = reading_statements.blocks_page(_shape(part, asked, after, free=free))
            rows += statement.plain(connection, **_values(part, asked, after), limit=limit)
    return sorted(rows)[:limit]


def _parts(query: Query, copies: Mapping[str, Copy]) -> list[tuple[Query, list[str]]]:
    """Divide what is asked for: all that a calendar held has changed when it went."""
    since = query.last_modified
    if since is None:
        return [(query, list(copies))]
    rest: list[str] = []
    gone: list[str] = []
    for calendar_id, copy in copies.items():
        is_gone = copy.gone_at is not None and copy.gone_at >= since
        (gone if is_gone else rest).append(calendar_id)
    whole = msgspec.structs.replace(query, last_modified=None)
    return [(part, own) for part, own in ((query, rest), (whole, gone)) if own]


def _shape(
    query: Query, calendar_ids: Collection[str], after: Position | None, *, free: bool
) -> Shape:
    return Shape(
        calendars=len(calendar_ids),
        one_clock=(query.from_at, query.to_at) == (query.from_wall, query.to_wall),
        moved=query.include_moved,
        deleted=query.include_deleted,
        modified=query.last_modified is not None,
        free=free,
        follows=after is not None,
    )


def _values(
    query: Query, calendar_ids: Collection[str], after: Position | None
) -> dict[str, object]:
    from_both = max(query.from_at, query.from_wall)
    values: dict[str, object] = {
        "from_at": query.from_at,
        "to_at": query.to_at,
        "from_wall": query.from_wall,
        "to_wall": query.to_wall,
        "from_both": from_both,
        "to_both": max(from_both, min(query.to_at, query.to_wall)),
        "to_either": max(query.to_at, query.to_wall),
        "last_modified": query.last_modified,
    }
    values |= {f"calendar_{n}": calendar_id for n, calendar_id in enumerate(calendar_ids)}
    values |= {busy: busy for busy in FREE}
    if after is not None:
        values["after_start"], values["after_uid"] = after
    return values
