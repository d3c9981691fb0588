"""The parameters of the reading calls: forgiving in form, strict in meaning.

Booleans in any capitalisation, `1` and `0`; empty means absent; what is unknown is ignored;
lists with and without brackets. Ranges are cut to the window that is kept in sync.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from broker.domain import window_at
from broker.errors import InvalidFields
from broker.services import times

Arguments = Mapping[str, Sequence[str]]

MAX_CALENDARS = 200
MAX_TEXT = 255

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_CALENDAR_IDS = re.compile(r"calendar_ids(\[\d{0,4}\])?", re.ASCII)


class Query(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What a listing is asked for, absolute, so that later pages mean the same.

    *from_at* (inclusive) and *to_at* (exclusive) are epoch seconds and bound timed events;
    *from_wall* and *to_wall* are what clocks of the caller's zone show then, and bound all-day
    events. *calendars* holds marks of the calendars asked for; None means all.
    """

    from_at: int
    to_at: int
    from_wall: int
    to_wall: int
    last_modified: int | None = None
    calendars: tuple[bytes, ...] | None = None
    include_deleted: bool = False
    include_moved: bool = False
    only_managed: bool = False
    include_geo: bool = False
    localized_times: bool = False
    google_event_ids: bool = False
    include_free: bool = False
    include_ids: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A query before its calendars (partner ids, None for all) are looked up."""

    query: Query
    calendar_ids: tuple[str, ...] | None


EVENT_FLAGS = (
    "include_deleted",
    "include_moved",
    "only_managed",
    "include_geo",
    "localized_times",
    "google_event_ids",
)
FREE_BUSY_FLAGS = ("include_deleted", "include_free", "include_ids", "localized_times")


def parse(arguments: Arguments, flags: Sequence[str], now: datetime) -> Asked:
    """Read the parameters of a listing. Raises InvalidFields, which lists every problem."""
    reader = _Reader(arguments)
    place = reader.zone("tzid")
    reader.flag("include_managed")
    given = {name: reader.flag(name) for name in flags}
    window = window_at(now)
    first, last = int(window.start.timestamp()), int(window.end.timestamp())
    begin = reader.bound("from", place, first, last, first)
    end = reader.bound("to", place, first, last, last)
    if begin.asked is not None and end.asked is not None and end.asked < begin.asked:
        reader.problem("to", "errors.invalid_time_pair", "to must not be before from")
    modified = reader.moment("last_modified", place)
    calendar_ids = reader.calendar_ids()
    if reader.problems:
        raise InvalidFields(reader.problems)
    bounded = Query(
        from_at=begin.at,
        to_at=end.at,
        from_wall=begin.wall,
        to_wall=end.wall,
        last_modified=modified,
    )
    return Asked(msgspec.structs.replace(bounded, **given), calendar_ids)


def is_only_managed(arguments: Arguments) -> bool:
    """Tell whether a call asks for the application's own events only."""
    return _BOOLEANS.get(_first(arguments, "only_managed").lower(), False)


def _first(arguments: Arguments, name: str) -> str:
    return next(iter(arguments.get(name, ())), "")


@dataclass(frozen=True, slots=True)
class _Bound:
    """One end of a range: as *asked* for, or None, and cut to the window; epoch seconds."""

    asked: int | None
    at: int
    wall: int


class _Reader:
    """Reads parameters and collects what is wrong with them."""

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments
        self.problems: dict[str, list[tuple[str, str]]] = {}

    def problem(self, name: str, key: str, text: str) -> None:
        self.problems.setdefault(name, []).append((key, text))

    def text(self, name: str) -> str:
        value = _first(self._arguments, name)
        if len(value) > MAX_TEXT:
            self.problem(name, "errors.invalid_format", f"{name} is too long")
            return ""
        return value

    def flag(self, name: str) -> bool:
        value = self.text(name).lower()
        if value and value not in _BOOLEANS:
            self.problem(name, "errors.invalid_format", f"{name} must be true or false")
        return _BOOLEANS.get(value, False)

    def zone(self, name: str) -> ZoneInfo:
        """Read a required zone; UTC stands in for one that is reported as a problem."""
        value = self.text(name)
        if value and (place := times.zone(value)) is not None:
            return place
        if value:
            text = f"{name} must be the name of an IANA time zone"
            self.problem(name, "errors.tzid_unrecognized", text)
        elif name not in self.problems:
            self.problem(name, "errors.required", f"{name} must be specified")
        return ZoneInfo("UTC")

    def bound(self, name: str, place: ZoneInfo, first: int, last: int, default: int) -> _Bound:
        """Read `from` or `to` and cut it to the window from *first* to *last*."""
        moment, is_date = self._read(name)
        if moment is None:
            return _Bound(None, default, times.on_the_wall(default, place))
        # Zones are within a day or so of UTC: what is further out needs no exact placing.
        if not first - 2 * times.DAY_S < moment < last + 2 * times.DAY_S:
            cut = min(max(moment, first), last)
            return _Bound(moment, cut, times.on_the_wall(cut, place))
        at = times.in_zone(moment, place) if is_date else moment
        if not first <= at <= last:
            cut = min(max(at, first), last)
            return _Bound(at, cut, times.on_the_wall(cut, place))
        return _Bound(at, at, moment if is_date else times.on_the_wall(at, place))

    def moment(self, name: str, place: ZoneInfo) -> int | None:
        """Read an optional time, or a date as its midnight in *place*, as epoch seconds."""
        moment, is_date = self._read(name)
        if moment is None or not is_date:
            return moment
        try:
            return times.in_zone(moment, place)
        except (ValueError, OverflowError):
            return moment

    def calendar_ids(self) -> tuple[str, ...] | None:
        found = [
            value
            for name, values in self._arguments.items()
            if _CALENDAR_IDS.fullmatch(name)
            for value in values
            if value
        ]
        if len(found) > MAX_CALENDARS or any(len(value) > MAX_TEXT for value in found):
            text = f"calendar_ids may hold {MAX_CALENDARS} ids"
            self.problem("calendar_ids", "errors.invalid_format", text)
            return None
        return tuple(dict.fromkeys(found)) or None

    def _read(self, name: str) -> tuple[int | None, bool]:
        """Give epoch seconds (a date's as if UTC) and whether it was a date."""
        value = self.text(name)
        if not value:
            return None, False
        try:
            if (day := times.read_date(value)) is not None:
                return day, True
            if (moment := times.read_time(value)) is not None:
                return moment, False
        except ValueError:
            pass
        text = f"{name} must be a date (2026-03-01) or a UTC time in whole seconds"
        self.problem(name, "errors.invalid_format", text)
        return None, False
