"""VTIMEZONE as Apple's Calendar writes it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

_EU = ("3;BYDAY=-1SU", "19810329", "10;BYDAY=-1SU", "19961027")
_US = ("3;BYDAY=2SU", "20070311", "11;BYDAY=1SU", "20071104")
# Zone: standard name, its offset, summer name, its offset, clock times of both changes, rules.
_SUMMER = {
    "Europe/London": ("GMT", "+0000", "BST", "+0100", "010000", "020000", _EU),
    "Europe/Berlin": ("CET", "+0100", "CEST", "+0200", "020000", "030000", _EU),
    "Europe/Paris": ("CET", "+0100", "CEST", "+0200", "020000", "030000", _EU),
    "America/New_York": ("EST", "-0500", "EDT", "-0400", "020000", "020000", _US),
    "America/Los_Angeles": ("PST", "-0800", "PDT", "-0700", "020000", "020000", _US),
}


@lru_cache(maxsize=64)
def definition(zone_name: str) -> str:
    """Return the component, with bare line feeds; a zone not listed has no summer time."""
    if zone_name not in _SUMMER:
        offset = datetime(2026, 1, 1, tzinfo=UTC).astimezone(ZoneInfo(zone_name)).strftime("%z")
        part = _part("STANDARD", offset, offset, "19700101T000000", "LMT")
        return f"BEGIN:VTIMEZONE\nTZID:{zone_name}\n{part}\nEND:VTIMEZONE"
    standard, winter, daylight, summer, spring, autumn, rules = _SUMMER[zone_name]
    parts = (
        _part("DAYLIGHT", winter, summer, f"{rules[1]}T{spring}", daylight, rules[0]),
        _part("STANDARD", summer, winter, f"{rules[3]}T{autumn}", standard, rules[2]),
    )
    return "\n".join(["BEGIN:VTIMEZONE", f"TZID:{zone_name}", *parts, "END:VTIMEZONE"])


def _part(kind: str, before: str, after: str, start: str, name: str, rule: str = "") -> str:
    lines = [f"BEGIN:{kind}", f"TZOFFSETFROM:{before}"]
    if rule:
        lines.append(f"RRULE:FREQ=YEARLY;BYMONTH={rule}")
    lines += [f"DTSTART:{start}", f"TZNAME:{name}", f"TZOFFSETTO:{after}", f"END:{kind}"]
    return "\n".join(lines)


def calendar_zone(zone_name: str) -> str:
    """Return what `calendar-timezone` holds: a calendar with nothing but the zone."""
    text = (
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//CALENDARSERVER.ORG//NONSGML Version 1//EN\n"
        f"{definition(zone_name)}\nEND:VCALENDAR\n"
    )
    return text.replace("\n", "\r\n")
