"""Windows time zones, and the times of requests and answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo

NAMES = {
    "UTC": ("Etc/UTC", "(UTC) Coordinated Universal Time"),
    "GMT Standard Time": ("Europe/London", "(UTC+00:00) Dublin, Edinburgh, Lisbon, London"),
    "Greenwich Standard Time": ("Atlantic/Reykjavik", "(UTC+00:00) Monrovia, Reykjavik"),
    "W. Europe Standard Time": (
        "Europe/Berlin",
        "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
    ),
    "Romance Standard Time": ("Europe/Paris", "(UTC+01:00) Brussels, Copenhagen, Madrid, Paris"),
    "Central Europe Standard Time": (
        "Europe/Budapest",
        "(UTC+01:00) Belgrade, Bratislava, Budapest, Ljubljana, Prague",
    ),
    "Central European Standard Time": ("Europe/Warsaw", "(UTC+01:00) Sarajevo, Warsaw, Zagreb"),
    "GTB Standard Time": ("Europe/Bucharest", "(UTC+02:00) Athens, Bucharest"),
    "FLE Standard Time": ("Europe/Kiev", "(UTC+02:00) Helsinki, Kyiv, Riga, Sofia, Vilnius"),
    "Egypt Standard Time": ("Africa/Cairo", "(UTC+02:00) Cairo"),
    "Israel Standard Time": ("Asia/Jerusalem", "(UTC+02:00) Jerusalem"),
    "South Africa Standard Time": ("Africa/Johannesburg", "(UTC+02:00) Harare, Pretoria"),
    "Russian Standard Time": ("Europe/Moscow", "(UTC+03:00) Moscow, St. Petersburg"),
    "Turkey Standard Time": ("Europe/Istanbul", "(UTC+03:00) Istanbul"),
    "Arab Standard Time": ("Asia/Riyadh", "(UTC+03:00) Kuwait, Riyadh"),
    "Arabian Standard Time": ("Asia/Dubai", "(UTC+04:00) Abu Dhabi, Muscat"),
    "India Standard Time": ("Asia/Kolkata", "(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi"),
    "Nepal Standard Time": ("Asia/Kathmandu", "(UTC+05:45) Kathmandu"),
    "China Standard Time": ("Asia/Shanghai", "(UTC+08:00) Beijing, Chongqing, Hong Kong, Urumqi"),
    "Singapore Standard Time": ("Asia/Singapore", "(UTC+08:00) Kuala Lumpur, Singapore"),
    "Tokyo Standard Time": ("Asia/Tokyo", "(UTC+09:00) Osaka, Sapporo, Tokyo"),
    "AUS Eastern Standard Time": ("Australia/Sydney", "(UTC+10:00) Canberra, Melbourne, Sydney"),
    "New Zealand Standard Time": ("Pacific/Auckland", "(UTC+12:00) Auckland, Wellington"),
    "E. South America Standard Time": ("America/Sao_Paulo", "(UTC-03:00) Brasilia"),
    "Newfoundland Standard Time": ("America/St_Johns", "(UTC-03:30) Newfoundland"),
    "Atlantic Standard Time": ("America/Halifax", "(UTC-04:00) Atlantic Time (Canada)"),
    "Eastern Standard Time": ("America/New_York", "(UTC-05:00) Eastern Time (US & Canada)"),
    "Central Standard Time": ("America/Chicago", "(UTC-06:00) Central Time (US & Canada)"),
    "Mountain Standard Time": ("America/Denver", "(UTC-07:00) Mountain Time (US & Canada)"),
    "US Mountain Standard Time": ("America/Phoenix", "(UTC-07:00) Arizona"),
    "Pacific Standard Time": ("America/Los_Angeles", "(UTC-08:00) Pacific Time (US & Canada)"),
    "Alaskan Standard Time": ("America/Anchorage", "(UTC-09:00) Alaska"),
    "Hawaiian Standard Time": ("Pacific/Honolulu", "(UTC-10:00) Hawaii"),
}
"""The zone that each stands for and its display name, by Windows id."""

_OFFSET = re.compile(r"(Z|[+-]\d\d:\d\d)$")


@cache
def zone(name: str) -> tzinfo:
    """Return the zone of a Windows id. Raises KeyError when this server does not know it."""
    return UTC if name == "UTC" else ZoneInfo(NAMES[name][0])


def moment(text: str, name: str = "UTC") -> int:
    """Read `xs:dateTime` as seconds since 1970; without an offset it is in the named zone.

    Raises ValueError when it is no time.
    """
    text = text.strip()
    if len(text) < 19 or text[10] != "T":
        raise ValueError("not a time")
    at = datetime.fromisoformat(text)
    if not _OFFSET.search(text):
        return from_wall(at, name)
    return int(at.timestamp())


def from_wall(wall: datetime, name: str) -> int:
    """Return when it is this time on the clocks of a zone."""
    return int(wall.replace(tzinfo=zone(name)).timestamp())


def to_wall(at_s: int, name: str) -> datetime:
    """Return what the clocks of a zone show."""
    return datetime.fromtimestamp(at_s, zone(name)).replace(tzinfo=None)


def stamp(at_s: int, name: str = "UTC") -> str:
    """Write a time; in UTC it ends with Z, elsewhere with the offset."""
    if name == "UTC":
        return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return datetime.fromtimestamp(at_s, zone(name)).isoformat()


def period(delta: timedelta) -> str:
    """Write a bias as ISO 8601: hours and minutes west of Greenwich."""
    minutes = int(delta.total_seconds() // 60)
    sign, minutes = ("-" if minutes < 0 else ""), abs(minutes)
    hours, rest = divmod(minutes, 60)
    return f"{sign}PT{hours}H" + (f"{rest}M" if rest else "")
