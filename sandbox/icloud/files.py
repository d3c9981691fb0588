"""Objects as Apple's Calendar writes them: zones embedded, CRLF, folded lines."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from .ical import escaped, written
from .timezones import definition

MACOS, IOS = "-//Apple Inc.//macOS 26.1//EN", "-//Apple Inc.//iPhone OS 26.1//EN"


def wrap(*parts: str, prodid: str = MACOS) -> str:
    """Make one object of components."""
    inside = "\n".join(part.strip() for part in parts)
    return written(
        f"BEGIN:VCALENDAR\nCALSCALE:GREGORIAN\nPRODID:{prodid}\nVERSION:2.0\n{inside}\nEND:VCALENDAR"
    )


def event(uid: str, *lines: str, kind: str = "VEVENT") -> str:
    """Make one component."""
    body = "\n".join(line for line in lines if line)
    stamps = f"CREATED:20260901T080000Z\nUID:{uid}\nDTSTAMP:20260901T080000Z"
    return f"BEGIN:{kind}\n{stamps}\n{body}\nEND:{kind}"


def timed(uid: str, start: datetime, end: datetime, *lines: str, zone: str = "") -> str:
    """Make an object with one event at aware times; without a zone they are in UTC."""
    zones = (definition(zone),) if zone else ()
    return wrap(*zones, event(uid, *span(start, end, zone), *lines))


def all_day(uid: str, first: date, last: date, *lines: str) -> str:
    """Make an object with an event of whole days."""
    return wrap(event(uid, *days(first, last), *lines))


def span(start: datetime, end: datetime, zone: str = "") -> tuple[str, str]:
    """Return the lines of aware times."""
    return point("DTSTART", start, zone), point("DTEND", end, zone)


def days(first: date, last: date) -> tuple[str, str]:
    """Return the lines of whole days; *last* is included."""
    end = last + timedelta(days=1)
    return f"DTSTART;VALUE=DATE:{first:%Y%m%d}", f"DTEND;VALUE=DATE:{end:%Y%m%d}"


def point(name: str, at: datetime, zone: str = "") -> str:
    """Return a line with one aware time."""
    if not zone or zone == "UTC":
        return f"{name}:{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"{name};TZID={zone}:{at.astimezone(ZoneInfo(zone)):%Y%m%dT%H%M%S}"


def summary(text: str) -> str:
    """Return the line of a title."""
    return f"SUMMARY:{escaped(text)}"
