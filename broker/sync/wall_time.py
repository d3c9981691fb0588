"""Place a series' wall times on the UTC line, whatever its zone and up to the calendar's ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from broker.domain import Moment, midnight_utc

DAY = timedelta(days=1)
LATEST = datetime.max.replace(microsecond=0, tzinfo=UTC)
_EARLIEST = datetime.min.replace(tzinfo=UTC)


class Stamp(NamedTuple):
    """A DATE or DATE-TIME as written (RFC 5545 sections 3.3.4 and 3.3.5)."""

    wall: datetime
    is_date: bool
    is_utc: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a series runs: *start* is aware UTC; *wall* is the same in *zone*, naive."""

    zone: tzinfo
    all_day: bool
    start: datetime
    wall: datetime

    def instant(self, wall: datetime, zone: tzinfo | None = None) -> datetime:
        """Give the UTC instant of *wall* in *zone*, None being the series' own.

        A time that the zone skips takes the offset before the gap; one that it repeats is the
        first, except the series' start, which came as an instant.
        """
        if wall == self.wall and zone in (None, self.zone):
            return self.start
        try:
            return wall.replace(tzinfo=zone or self.zone).astimezone(UTC)
        except OverflowError:
            return wall.replace(tzinfo=UTC)

    def place(self, stamp: Stamp, zone: tzinfo | None = None, at: time | None = None) -> datetime:
        """Give the UTC instant of *stamp*: a date means *at* (None: the start's time) that day.

        An all-day series takes the date as written, whatever time and zone come with it.
        """
        if self.all_day:
            return midnight_utc(stamp.wall.date())
        if stamp.is_date:
            return self.instant(datetime.combine(stamp.wall, at or self.wall.time()))
        return self.instant(stamp.wall, UTC if stamp.is_utc else zone)


def frame_at(start: Moment, all_day: bool) -> Frame:
    """Give the series' frame; a timed start without a zone that we know runs in UTC."""
    at = utc_seconds(start.at)
    if all_day:
        at = midnight_utc(at.date())
    zone = (None if all_day else zone_named(start.tzid)) or UTC
    return Frame(zone, all_day, at, local_time(at, zone))


@lru_cache(maxsize=1024)
def zone_named(tzid: str | None) -> tzinfo | None:
    """Give the IANA zone, or None when there is none of that name."""
    try:
        return ZoneInfo(tzid) if tzid else None
    except (KeyError, ValueError, OSError):
        return None


def utc_seconds(at: datetime) -> datetime:
    """Give *at* in UTC, in whole seconds; naive means UTC."""
    try:
        return (at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)).replace(microsecond=0)
    except OverflowError:
        return at.replace(microsecond=0, tzinfo=UTC)


def local_time(at: datetime, zone: tzinfo) -> datetime:
    """Give the naive local time of a UTC instant."""
    try:
        return at.astimezone(zone).replace(tzinfo=None, fold=0)
    except OverflowError:
        return at.replace(tzinfo=None)


def shifted(at: datetime, by: timedelta) -> datetime:
    """Add, stopping at the ends of the calendar."""
    try:
        return at + by
    except OverflowError:
        return LATEST if by > timedelta(0) else _EARLIEST


def event_length(length: timedelta, all_day: bool) -> timedelta:
    """Make *length* one that an event can have: not negative; all-day, whole days, at least 1."""
    return max(timedelta(length.days), DAY) if all_day else max(length, timedelta(0))
