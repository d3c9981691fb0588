"""The statements of listings, each made ready once per shape.

Their parameters: `calendar_0` and so on, `from_` and `to_` with `at`, `wall`, `both` (the later
`from`, the earlier `to`) or `either` (the later `to`), `last_modified`, `after_start`,
`after_uid`, `limit`, and each word of FREE.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, reduce
from operator import add
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    LargeBinary,
    Select,
    and_,
    bindparam,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
    type_coerce,
    union_all,
)
from sqlalchemy.types import NullType

from broker.models import Event, Occurrence
from broker.models.base import table_of
from broker.models.ready import Ready

_EVENTS = table_of(Event)
_OCCURRENCES = table_of(Occurrence)
_O = _OCCURRENCES.c

FREE = ("free", "working_elsewhere")

MERGED = 16
"""Up to so many calendars each give their own first events; of more, the database sorts all."""

KEPT = 256

BLOCK_COLUMNS = ("start_at", "uid", "calendar_id", "end_at", "all_day", "busy")
"""What a page of blocks has, in this order; then `deleted`, where that is asked for."""


class OccurrenceRow(NamedTuple):
    """One occurrence; *sealed* is None when its event is gone. Truths may be 0 and 1."""

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


class Shape(NamedTuple):
    """What decides the text of a statement; the rest are parameters."""

    calendars: int
    one_clock: bool
    moved: bool
    deleted: bool
    modified: bool
    free: bool
    follows: bool


@lru_cache(maxsize=KEPT)
def count(shape: Shape) -> Ready:
    """Count piece by piece: what begins inside the range is counted without a look at it."""
    own = _all(shape)
    counts = [
        select(func.count()).where(own, piece, *_conditions(shape)).scalar_subquery()
        for piece in _pieces(shape)
    ]
    return Ready(select(reduce(add, counts).label("found")))


@lru_cache(maxsize=KEPT)
def blocks_page(shape: Shape) -> Ready:
    """Read a page by the index alone: rows of BLOCK_COLUMNS."""
    names = (*BLOCK_COLUMNS, "deleted") if shape.deleted else BLOCK_COLUMNS
    return Ready(_page(shape, [_plain(_O[name]) for name in names], _all(shape)))


@lru_cache(maxsize=KEPT)
def sealed_page(shape: Shape) -> Ready:
    """Read a page with what is sealed: OccurrenceRow.

    The index alone chooses it; only then its rows and their events are visited. The index holds
    each calendar in the order of the page: of calendars one by one, no more is read than a page
    may show, however much they hold. Of many, all are read and sorted at once.
    """
    columns = [_O.calendar_id, _O.start_at, _O.uid]
    firsts = [_page(shape, columns, one).subquery() for one in _each(shape)]
    either = union_all(*map(select, firsts)).subquery()
    chosen = _first(select(either.c.calendar_id, either.c.uid), either.c).subquery()
    occurrence = and_(_O.calendar_id == chosen.c.calendar_id, _O.uid == chosen.c.uid)
    event = and_(_EVENTS.c.calendar_id == _O.calendar_id, _EVENTS.c.key == _O.event_key)
    shown = [*(_O[name] for name in OccurrenceRow._fields[:-1]), _EVENTS.c.sealed]
    return Ready(
        select(*map(_plain, shown))
        .select_from(chosen.join(_OCCURRENCES, occurrence).outerjoin(_EVENTS, event))
        .order_by(_O.start_at, _O.uid)
    )


def _page(
    shape: Shape, columns: Sequence[ColumnElement[Any]], own: ColumnElement[bool]
) -> Select[Any]:
    return _first(select(*columns).where(own, _range(shape), *_conditions(shape)), _O)


def _first(found: Select[Any], columns: Any) -> Select[Any]:
    # Without an offset that is a constant, SQLAlchemy gives SQLite a parameter of its own.
    page = found.order_by(columns.start_at, columns.uid).limit(bindparam("limit"))
    return page.offset(literal_column("0"))


def _each(shape: Shape) -> list[ColumnElement[bool]]:
    """Choose piece by piece what the index holds in the order of a page."""
    if shape.modified or shape.calendars > MERGED:
        return [_all(shape)]
    marks = (false(), true()) if shape.deleted else (false(),)
    return [
        and_(_O.calendar_id == calendar, _O.deleted.is_(mark))
        for calendar in _calendars(shape)
        for mark in marks
    ]


def _all(shape: Shape) -> ColumnElement[bool]:
    """Choose all that may be listed, in the words of the index.

    What changed lately is found by that: in words which the index of listings does not have.
    """
    calendar = _O.calendar_id.in_(_calendars(shape))
    if shape.modified:
        return calendar if shape.deleted else and_(calendar, _O.deleted.is_not(true()))
    if shape.deleted:
        return and_(calendar, _O.deleted.in_((false(), true())))
    return and_(calendar, _O.deleted.is_(false()))


def _calendars(shape: Shape) -> list[BindParameter[str]]:
    return [bindparam(f"calendar_{n}", type_=_O.calendar_id.type) for n in range(shape.calendars)]


def _plain(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Leave a value as the database gives it, a truth as 0 or 1: rows come by thousands."""
    return type_coerce(column, NullType()).label(column.key)


def _conditions(shape: Shape) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if shape.modified:
        found.append(_O.changed_at >= _number("last_modified"))
    if not shape.free:
        found += [_O.busy != bindparam(busy) for busy in FREE]
    if shape.follows:
        start, uid = _number("after_start"), bindparam("after_uid", type_=LargeBinary())
        found += [_O.start_at >= start, or_(_O.start_at > start, _O.uid > uid)]
    return found


def _range(shape: Shape) -> ColumnElement[bool]:
    now = _in_range(shape, _O.start_at, _O.end_at)
    if shape.moved:
        return or_(now, _in_range(shape, _O.past_start_at, _O.past_end_at))
    if shape.one_clock:
        return now
    # The first is for the index alone, which cannot use the second.
    return and_(_O.start_at < _number("to_either"), now)


def _pieces(shape: Shape) -> list[ColumnElement[bool]]:
    """Divide the range into pieces that share nothing; the first needs no look at an end."""
    if shape.moved or shape.modified:
        return [_range(shape)]
    start, first, last = _O.start_at, _number("from_both"), _number("to_both")
    pieces = [and_(start >= first, start < last), and_(start < first, _range(shape))]
    return pieces if shape.one_clock else [*pieces, and_(start >= last, _range(shape))]


def _in_range(shape: Shape, start: Any, end: Any) -> ColumnElement[bool]:
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
