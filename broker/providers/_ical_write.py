"""Writing events as iCalendar that even iCloud takes (RFC 5545).

It wants an end, enumerated values in capitals, rules for every zone that is named, CRLF, and
lines of 75 octets. No organizer and no attendees are ever written: servers would mail them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from broker.domain import EventDraft
from broker.errors import UserError
from broker.providers._zones import zone_named

PRODID = "-//Calbroker//Calendar//EN"
LINE_OCTETS = 75

_NAME = re.compile(r"[A-Za-z0-9-]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_ESCAPED = {"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"}
_REWRITTEN = frozenset(
    """DTSTAMP LAST-MODIFIED SEQUENCE SUMMARY DESCRIPTION LOCATION DTSTART DTEND DURATION
    TRANSP X-APPLE-STRUCTURED-LOCATION""".split()
)
# To change one of these would mail people, or move other occurrences than the one meant.
_UNTOUCHABLE = frozenset("ATTENDEE ORGANIZER RRULE RDATE EXDATE EXRULE RECURRENCE-ID".split())
_ENUMERATED = frozenset({"STATUS", "CLASS"})


def new_object(draft: EventDraft, now: datetime) -> str:
    """Write a new event. Its times are in UTC, which needs no rules of a zone."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODID}"]
    lines += ["BEGIN:VEVENT", f"UID:{_escaped(draft.uid)}", *_event_lines(draft, now)]
    lines += ["STATUS:CONFIRMED", "END:VEVENT", "END:VCALENDAR"]
    return "".join(f"{folded(line)}\r\n" for line in lines)


def edited_object(text: str, draft: EventDraft, now: datetime) -> str:
    """Write *draft* into an object that is there, and keep every line that it does not set.

    Raises UserError `event_not_editable` for a series, and for a meeting with guests.
    """
    written: list[str] = []
    inside: list[str] = []
    events, sequence, zone = 0, 0, _zone_in(text, draft)
    for raw in _content_lines(text):
        name, value = _split(raw)
        if name == "BEGIN":
            inside.append(value.upper())
            events += inside[-1] == "VEVENT"
        elif name == "END":
            if inside[-1:] == ["VEVENT"]:
                again = _event_lines(draft, now, sequence + 1, zone)
                written += [folded(line) for line in again]
            inside = inside[:-1]
        elif inside[-1:] == ["VEVENT"]:
            if name in _UNTOUCHABLE:
                raise UserError("event_not_editable")
            if name == "SEQUENCE" and value.isascii() and value.isdigit():
                sequence = int(value[:9])
            if name in _REWRITTEN:
                continue
            if name in _ENUMERATED:
                raw = f"{name}:{value.upper()}"
        written.append(raw)
    if events != 1 or inside:
        raise UserError("event_not_editable")
    return "".join(f"{line}\r\n" for line in written)


def folded(line: str) -> str:
    """Fold a line at 75 octets, never inside a character (RFC 5545 section 3.1)."""
    if len(line.encode()) <= LINE_OCTETS:
        return line
    parts, size = [""], 0
    for char in line:
        octets = len(char.encode())
        if size + octets > LINE_OCTETS:
            parts.append("")
            size = 1
        parts[-1] += char
        size += octets
    return "\r\n ".join(parts)


def _event_lines(
    draft: EventDraft, now: datetime, sequence: int = 0, zone: str | None = None
) -> list[str]:
    stamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return [
        f"DTSTAMP:{stamp}",
        f"LAST-MODIFIED:{stamp}",
        f"SEQUENCE:{sequence}",
        f"SUMMARY:{_escaped(draft.summary)}",
        *([f"DESCRIPTION:{_escaped(draft.description)}"] if draft.description else []),
        *([f"LOCATION:{_escaped(draft.location)}"] if draft.location else []),
        f"DTSTART{_time(draft, draft.start, zone)}",
        f"DTEND{_time(draft, max(draft.end, _least_end(draft)), zone)}",
        f"TRANSP:{'TRANSPARENT' if draft.transparent else 'OPAQUE'}",
    ]


def _least_end(draft: EventDraft) -> datetime:
    return draft.start + timedelta(days=1) if draft.all_day else draft.start


def _time(draft: EventDraft, at: datetime, zone: str | None) -> str:
    if draft.all_day:
        return f";VALUE=DATE:{at.astimezone(UTC):%Y%m%d}"
    if zone is None:
        return f":{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f";TZID={zone}:{at.astimezone(ZoneInfo(zone)):%Y%m%dT%H%M%S}"


def _zone_in(text: str, draft: EventDraft) -> str | None:
    """Give the zone to write times in: the draft's, when the object holds its rules."""
    zone = zone_named(draft.tzid) if draft.tzid and not draft.all_day else None
    if zone is None or zone == "UTC":
        return None
    held = re.search(rf"^TZID:{re.escape(zone)}\s*$", text, re.MULTILINE)
    return zone if held is not None else None


def _escaped(text: str) -> str:
    """Write a TEXT value (RFC 5545 section 3.3.11), without characters that end lines."""
    plain = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    sound = plain.encode("utf-8", "replace").decode()
    return "".join(_ESCAPED.get(char, char) for char in sound)


def _content_lines(text: str) -> Iterator[str]:
    """Give content lines as they are folded, without their last line end."""
    held: list[str] = []
    for line in text.lstrip("\ufeff").replace("\r\n", "\n").split("\n"):
        if line[:1] in {" ", "\t"} and held:
            held.append(line)
            continue
        if held and held != [""]:
            yield "\r\n".join(held)
        held = [line]
    if held and held != [""]:
        yield "\r\n".join(held)


def _split(raw: str) -> tuple[str, str]:
    """Give a content line's name in capitals, and its value where it has no parameters."""
    line = raw.replace("\r\n ", "").replace("\r\n\t", "")
    match = _NAME.match(line)
    return (match[0].upper() if match else ""), line.partition(":")[2].strip()
