"""Series as short as a test can write them, and what comes out as its owner reads it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from broker.domain import Moment, Window, midnight_utc
from broker.sync.expand import Expansion, expand

BERLIN = "Europe/Berlin"
ZONES = [
    BERLIN,
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Europe/Dublin",
    "UTC",
]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
YEAR = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def timed(
    start: str,
    *lines: str,
    tzid: str | None = BERLIN,
    length: timedelta = HOUR,
    window: Window = YEAR,
    replaced: tuple[datetime, ...] = (),
) -> Expansion:
    """Expand a timed series that starts at the local time *start*."""
    wall = datetime.fromisoformat(start)
    at = wall.replace(tzinfo=ZoneInfo(tzid or "UTC")).astimezone(UTC)
    return expand(
        start=Moment(at, tzid),
        end=Moment(at + length, tzid),
        all_day=False,
        recurrence=lines,
        window=window,
        replaced=replaced,
    )


def all_day(start: str, *lines: str, days: int = 1, window: Window = YEAR) -> Expansion:
    """Expand an all-day series that starts on the date *start*."""
    at = midnight_utc(date.fromisoformat(start))
    end = Moment(at + days * DAY)
    return expand(start=Moment(at), end=end, all_day=True, recurrence=lines, window=window)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def between(start: str, end: str) -> Window:
    return Window(utc(start), utc(end))


def local(expansion: Expansion, tzid: str = BERLIN) -> list[str]:
    """The starts on the owner's clock, with the offset from UTC."""
    zone = ZoneInfo(tzid)
    return [one.start.astimezone(zone).strftime("%m-%d %H:%M %z") for one in expansion.occurrences]


def numbers(count: int) -> str:
    return ",".join(map(str, range(count)))


def days(expansion: Expansion, tzid: str = BERLIN) -> list[str]:
    """The local dates, month and day."""
    zone = ZoneInfo(tzid)
    return [one.start.astimezone(zone).strftime("%m-%d") for one in expansion.occurrences]
