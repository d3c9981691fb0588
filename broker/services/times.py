"""Times as the partner API writes and reads them.

Stored times are UTC epoch seconds; an all-day date is the midnight UTC that begins it.
See "Common data types" of the partner API: whole seconds, `Z`, offsets with a colon.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

DAY_S = 86_400
UTC_NAME = "Etc/UTC"
"""UTC as the partner API calls it."""

_UTC_NAMES = frozenset(
    {"Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "UTC", "Universal", "Zulu", UTC_NAME}
)
# Files beside the zones that name none: this machine's own zone, and zones with leap seconds.
_NO_ZONE = re.compile(r"localtime|posixrules|Factory|(?:posix|right)/.*")
_EPOCH = date(1970, 1, 1)
_WHOLE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
# A `+` that was not escaped in a query arrives as a space.
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.0{1,9})?(?:Z|[+ ]00:00)", re.ASCII)


class LocalTime(msgspec.Struct, frozen=True, gc=False):
    """A time as people in *tzid* read it, or a date."""

    time: str
    tzid: str


@lru_cache(maxsize=16_384)
def iso(epoch_s: int) -> str:
    """Write an instant as `2026-03-10T13:00:00Z`."""
    day, second = divmod(epoch_s, DAY_S)
    return f"{_day(day)}T{_clock(second)}Z"


def iso_date(epoch_s: int) -> str:
    """Write the UTC date of an instant as `2026-03-10`."""
    return _day(epoch_s // DAY_S)


def iso_of(at: datetime) -> str:
    """Write an aware datetime as `iso` does, cut to whole seconds."""
    return iso(int(at.timestamp()))


def latest(moments: Iterable[datetime | None]) -> datetime | None:
    """Give the last of those that are known; None when none is."""
    return max((at for at in moments if at is not None), default=None)


def localized(epoch_s: int, tzid: str | None, *, all_day: bool) -> LocalTime:
    """Write a time together with its zone; a zone that we do not know becomes Etc/UTC.

    So does one whose clocks would leave the years 1 to 9999, where some events without an end
    are said to end.
    """
    name = zone_name(tzid) if tzid and zone(tzid) else UTC_NAME
    if all_day:
        return LocalTime(iso_date(epoch_s), name)
    if name != UTC_NAME:
        try:
            shift_s, offset = _offset(name, epoch_s // DAY_S) or _offset_at(name, epoch_s)
            return LocalTime(iso(epoch_s + shift_s)[:-1] + offset, name)
        except (ValueError, OverflowError):
            pass
    return LocalTime(iso(epoch_s), UTC_NAME)


def zone_name(tzid: str) -> str:
    """Give a zone's name as the partner API writes it: UTC has several, of which it knows one."""
    return UTC_NAME if tzid in _UTC_NAMES else tzid


@lru_cache(maxsize=1024)
def zone(tzid: str) -> ZoneInfo | None:
    """Give an IANA zone, or None when there is none of that name."""
    if len(tzid) > 64 or _NO_ZONE.fullmatch(tzid):
        return None
    try:
        return ZoneInfo(tzid)
    except (KeyError, ValueError, OSError):
        return None


def whole_seconds(text: str | None) -> str | None:
    """Bring a provider's time stamp into the form of `iso`; None when it cannot be read."""
    if not text or _WHOLE.fullmatch(text):
        return text or None
    try:
        at = datetime.fromisoformat(text)
        return iso_of(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def read_date(text: str) -> int | None:
    """Read `2026-03-01` as the midnight UTC that begins it; None when it is no date.

    Raises ValueError for a date that the calendar does not have.
    """
    return _midnight(text) if _DATE.fullmatch(text) else None


def read_time(text: str) -> int | None:
    """Read a UTC time in whole seconds; None when it is none.

    A space for the `T` (as cronofy-csharp writes it), `+00:00` for the `Z` and a fraction of
    zero are accepted. Raises ValueError for a time that the calendar does not have.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = (int(part) for part in match[2].split(":"))
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError(text)
    return _midnight(match[1]) + hours * 3600 + minutes * 60 + seconds


def in_zone(wall_s: int, place: ZoneInfo) -> int:
    """Give the instant at which clocks in *place* show *wall_s* (epoch seconds as if UTC)."""
    wall = datetime.fromtimestamp(wall_s, UTC).replace(tzinfo=place)
    return int(wall.timestamp())


def on_the_wall(epoch_s: int, place: ZoneInfo) -> int:
    """Give what clocks in *place* show at an instant, as epoch seconds as if UTC."""
    shift = datetime.fromtimestamp(epoch_s, place).utcoffset() or timedelta(0)
    return epoch_s + int(shift.total_seconds())


@lru_cache(maxsize=4096)
def _offset(tzid: str, day: int) -> tuple[int, str] | None:
    """Give the offset that holds for a whole UTC day; None when clocks change during it."""
    begin = _offset_at(tzid, day * DAY_S)
    return begin if begin == _offset_at(tzid, (day + 1) * DAY_S) else None


def _offset_at(tzid: str, epoch_s: int) -> tuple[int, str]:
    """Give the offset in seconds, and as `+01:00`."""
    local = datetime.fromtimestamp(epoch_s, zone(tzid))
    shift = local.utcoffset() or timedelta(0)
    return int(shift.total_seconds()), local.isoformat()[19:]


def _midnight(text: str) -> int:
    return (date.fromisoformat(text) - _EPOCH).days * DAY_S


@lru_cache(maxsize=1024)
def _day(days: int) -> str:
    return date.fromordinal(_EPOCH.toordinal() + days).isoformat()


@lru_cache(maxsize=4096)
def _clock(second: int) -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
