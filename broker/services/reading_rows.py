"""What listings read from the database: which calendars, how many occurrences, which ones.

Every statement is built once per shape and runs without the ORM.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    LargeBinary,
    and_,
    bindparam,
    func,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.types import NullType

from broker.models import Calendar, Connection, Event, Occurrence, Profile, snapshot
from broker.models.base import table_of
from broker.services.reading_query import Query

_CALENDARS = table_of(Calendar)
_CONNECTIONS = table_of(Connection)
_PROFILES = table_of(Profile)
_EVENTS = table_of(Event)
_OCCURRENCES = table_of(Occurrence)
_O = _OCCURRENCES.c

FREE = ("free", "working_elsewhere")

MERGED = 16
"""Up to so many calendars each give their own first events; of more, the database sorts all."""

COUNTS_KEPT = 512

Position = tuple[int, bytes]
"""Start (epoch seconds) and uid of the last occurrence that was listed."""


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
    is_deleted: bool


class OccurrenceRow(NamedTuple):
    """One occurrence; *sealed* is None when its event is gone."""

    calendar_id: str
    uid: bytes
    event_key: bytes
    series_uid: bytes | None
    start_at: int
    end_at: int
    all_day: bool
    busy: str
    deleted: bool
    sealed: bytes | None


BLOCK_COLUMNS = ("calendar_id", "uid", "start_at", "end_at", "all_day", "busy", "deleted")
"""What `blocks_page` reads, in this order; truth values may be 0 and 1."""


class _Shape(NamedTuple):
    """What decides the text of a statement; the rest are parameters."""

    one_clock: bool
    moved: bool
    deleted: bool
    modified: bool
    free: bool
    follows: bool


_ALL = _O.calendar_id.in_(bindparam("calendar_ids", expanding=True))

_CALENDARS_OF_ACCOUNT = (
    select(
        _PROFILES.c.id,
        _CONNECTIONS.c.id,
        _CONNECTIONS.c.provider,
        _CONNECTIONS.c.access_mode,
        _CONNECTIONS.c.wrapped_key,
        _CALENDARS.c.id,
        _CALENDARS.c.tzid,
        _CALENDARS.c.read_only,
        _CALENDARS.c.counts_as_busy,
        _CALENDARS.c.revision,
        _CALENDARS.c.deleted_at.is_not(None),
    )
    .select_from(_PROFILES)
    .join(_CONNECTIONS, _CONNECTIONS.c.id == _PROFILES.c.connection_id)
    .join(_CALENDARS, _CALENDARS.c.connection_id == _CONNECTIONS.c.id)
    .where(_PROFILES.c.account_id == bindparam("account_id"))
)


def calendars_of(account_id: str) -> list[CalendarRow]:
    """Read the calendars of all profiles of an account, deleted ones too."""
    rows = _execute(_CALENDARS_OF_ACCOUNT, {"account_id": account_id})
    return [CalendarRow._make(row) for row in rows]


def count(query: Query, revisions: Mapping[str, int], *, free: bool) -> int:
    """Count what *query* lists. *free* includes what leaves time free.

    *revisions* are those of the calendars' copies, by calendar id. Counting visits all that a
    query lists, so the result is kept: whoever polls asks the same again, and it holds until a
    revision rises. Only marks of removal are forgotten without a new one.
    """
    counted = _count_anew if query.include_deleted else _count_once
    return counted(query, tuple(sorted(revisions.items())), free)


def _count_anew(query: Query, revisions: tuple[tuple[str, int], ...], free: bool) -> int:
    statement = _count(_shape(query, free=free, follows=False))
    values = _values(query, [calendar_id for calendar_id, _ in revisions], None)
    (found,) = _execute(statement, values)[0]
    return int(found)


_count_once = lru_cache(COUNTS_KEPT)(_count_anew)


def page(
    query: Query, calendar_ids: Collection[str], after: Position | None, limit: int
) -> list[OccurrenceRow]:
    """Read up to *limit* occurrences with their sealed events, by start and uid."""
    merged = len(calendar_ids) if len(calendar_ids) <= MERGED else 0
    statement = _sealed_page(_shape(query, free=True, follows=after is not None), merged)
    values = _values(query, calendar_ids, after)
    values |= {f"calendar_{n}": one for n, one in enumerate(calendar_ids) if merged}
    return [OccurrenceRow._make(row) for row in _execute(statement, values | {"limit": limit})]


def blocks_page(
    query: Query, calendar_ids: Collection[str], after: Position | None, limit: int, *, free: bool
) -> Sequence[Any]:
    """Read up to *limit* occurrences without their events: rows of BLOCK_COLUMNS."""
    statement = _blocks_page(_shape(query, free=free, follows=after is not None))
    return _execute(statement, _values(query, calendar_ids, after) | {"limit": limit})


def _execute(statement: Any, values: Mapping[str, object]) -> Sequence[Any]:
    return snapshot().execute(statement, values).all()


def _shape(query: Query, *, free: bool, follows: bool) -> _Shape:
    return _Shape(
        one_clock=(query.from_at, query.to_at) == (query.from_wall, query.to_wall),
        moved=query.include_moved,
        deleted=query.include_deleted,
        modified=query.last_modified is not None,
        free=free,
        follows=follows,
    )


def _values(
    query: Query, calendar_ids: Collection[str], after: Position | None
) -> dict[str, object]:
    values: dict[str, object] = {
        "calendar_ids": list(calendar_ids),
        "from_at": query.from_at,
        "to_at": query.to_at,
        "from_wall": query.from_wall,
        "to_wall": query.to_wall,
        "from_both": max(query.from_at, query.from_wall),
        "to_both": min(query.to_at, query.to_wall),
        "to_either": max(query.to_at, query.to_wall),
        "last_modified": query.last_modified,
    }
    if after is not None:
        values["after_start"], values["after_uid"] = after
    return values


@lru_cache(maxsize=64)
def _count(shape: _Shape) -> Any:
    return select(func.count()).where(_ALL, *_conditions(shape))


@lru_cache(maxsize=64)
def _blocks_page(shape: _Shape) -> Any:
    return _page(shape, [_plain(_O[name]) for name in BLOCK_COLUMNS], _ALL)


@lru_cache(maxsize=64)
def _sealed_page(shape: _Shape, merged: int) -> Any:
    """Choose the page by the index alone; only then visit its rows and their sealed events.

    The index holds each calendar in the order of the page: of *merged* calendars one by one, no
    more is read than a page may show, however much they hold. 0 reads and sorts all at once.
    """
    columns = [_O.calendar_id, _O.start_at, _O.uid]
    own = [_O.calendar_id == bindparam(f"calendar_{n}") for n in range(merged)] or [_ALL]
    firsts = [_page(shape, columns, calendar).subquery() for calendar in own]
    either = union_all(*(select(first) for first in firsts)).subquery()
    chosen = _first(select(either.c.calendar_id, either.c.uid), either.c).subquery()
    occurrence = and_(_O.calendar_id == chosen.c.calendar_id, _O.uid == chosen.c.uid)
    event = and_(_EVENTS.c.calendar_id == _O.calendar_id, _EVENTS.c.key == _O.event_key)
    return (
        select(*(_O[name] for name in OccurrenceRow._fields[:-1]), _EVENTS.c.sealed)
        .select_from(chosen.join(_OCCURRENCES, occurrence).outerjoin(_EVENTS, event))
        .order_by(_O.start_at, _O.uid)
    )


def _plain(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Leave a value as the database gives it, a truth as 0 or 1: rows come by thousands."""
    return type_coerce(column, NullType()).label(column.key)


def _page(
    shape: _Shape, columns: Sequence[ColumnElement[Any]], calendars: ColumnElement[bool]
) -> Any:
    return _first(select(*columns).where(calendars, *_conditions(shape)), _O)


def _first(found: Any, columns: Any) -> Any:
    return found.order_by(columns.start_at, columns.uid).limit(bindparam("limit"))


def _conditions(shape: _Shape) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if shape.moved:
        now, before = (_O.start_at, _O.end_at), (_O.past_start_at, _O.past_end_at)
        found.append(or_(_in_range(shape, *now), _in_range(shape, *before)))
    else:
        if not shape.one_clock:
            # For the index alone, which cannot use what follows.
            found.append(_O.start_at < _number("to_either"))
        found.append(_in_range(shape, _O.start_at, _O.end_at))
    if not shape.deleted:
        found.append(_O.deleted.is_(False))
    if shape.modified:
        found.append(_O.changed_at >= _number("last_modified"))
    if not shape.free:
        found.append(_O.busy.not_in(FREE))
    if shape.follows:
        start, uid = _number("after_start"), bindparam("after_uid", type_=LargeBinary())
        found += [_O.start_at >= start, or_(_O.start_at > start, _O.uid > uid)]
    return found


def _in_range(shape: _Shape, start: Any, end: Any) -> ColumnElement[bool]:
    """Timed events by the instant, all-day ones by what the caller's calendar shows.

    Most begin inside the range by either clock; that is asked first because it is cheap.
    """
    if shape.one_clock:
        return _overlaps(start, end, "at")
    return or_(
        and_(start >= _number("from_both"), start < _number("to_both")),
        and_(_O.all_day.is_(False), _overlaps(start, end, "at")),
        and_(_O.all_day.is_(True), _overlaps(start, end, "wall")),
    )


def _overlaps(start: Any, end: Any, clock: str) -> ColumnElement[bool]:
    first, last = _number(f"from_{clock}"), _number(f"to_{clock}")
    return and_(start < last, or_(start >= first, end > first))


def _number(name: str) -> BindParameter[int]:
    return bindparam(name, type_=BigInteger())
