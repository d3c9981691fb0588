"""The lines of an iCalendar object (RFC 5545 section 3.1), and only those that we use.

`icalendar` spends a third of a millisecond on ten lines, most of it on alarms, zones and
vendor lines that nobody reads. This picks out the events' own lines first and leaves the rest
unread, which is also what lets one damaged line cost one event and not the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from broker.providers import _zones

MAX_LINES = 50_000
MAX_DEPTH = 8

WANTED = frozenset(
    """ATTENDEE CLASS CONFERENCE CREATED DESCRIPTION DTEND DTSTAMP DTSTART DURATION EXDATE EXRULE
    GEO LAST-MODIFIED LOCATION ORGANIZER RDATE RECURRENCE-ID RRULE SEQUENCE STATUS SUMMARY TRANSP
    UID URL X-GOOGLE-CONFERENCE X-MICROSOFT-CDO-BUSYSTATUS X-MICROSOFT-SKYPETEAMSMEETINGURL
    X-MICROSOFT-ONLINEMEETINGEXTERNALLINK""".split()
)

_FOLD = re.compile(r"\r?\n[ \t]")
_NAME = re.compile(r"([A-Z0-9-]+)[;:]", re.ASCII | re.IGNORECASE)
_PARAMETER = re.compile(r""";([^=;:"]*)=((?:"[^"]*"|[^":;])*)""")
_ESCAPED = re.compile(r"\\([\\;,nN])")
_CARET = re.compile(r"\^([n'^])")
_DURATION = re.compile(
    r"([+-])?P(?:(\d{1,5})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?",
    re.ASCII,
)


class Unreadable(ValueError):
    """What this object or event says cannot be read."""


@dataclass(frozen=True, slots=True)
class Line:
    """One content line. Parameter names are upper case; *value* is as written."""

    name: str
    value: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The value as TEXT (RFC 5545 section 3.3.11)."""
        if "\\" not in self.value:
            return self.value.strip()
        return _ESCAPED.sub(lambda m: "\n" if m[1] in "nN" else m[1], self.value).strip()


@dataclass(slots=True)
class Component:
    """One VEVENT's wanted lines by name, in their order."""

    lines: dict[str, list[Line]] = field(default_factory=dict)

    def first(self, name: str) -> Line | None:
        """Give the first line of a name."""
        held = self.lines.get(name)
        return held[0] if held else None

    def every(self, name: str) -> list[Line]:
        """Give all lines of a name."""
        return self.lines.get(name, [])

    def text(self, name: str) -> str:
        """Give the first line of a name as text; empty when there is none."""
        line = self.first(name)
        return line.text if line is not None else ""

    def word(self, name: str) -> str:
        """Give the first line of a name in upper case, for enumerated values."""
        return self.text(name).upper()


@dataclass(slots=True)
class Document:
    """The events of one object, and the rules of zones whose names say nothing."""

    events: list[Component] = field(default_factory=list)
    zones: dict[str, _zones.ZoneRules] = field(default_factory=dict)


def read_document(text: str) -> Document:
    """Pick out the events of an iCalendar stream.

    Raises Unreadable when its components do not nest, as when the end is missing.
    """
    document, open_components, zone_lines = Document(), [""], list[str]()
    for line in _unfolded(text):
        match = _NAME.match(line)
        name = match[1].upper() if match is not None else ""
        if name == "BEGIN":
            _begin(document, open_components, line[6:].strip().upper())
        elif name == "END":
            _end(document, open_components, line[4:].strip().upper(), zone_lines)
        elif name in WANTED and open_components[-1] == "VEVENT":
            document.events[-1].lines.setdefault(name, []).append(_line(name, line))
        if open_components[-1] in {"VTIMEZONE", "STANDARD", "DAYLIGHT"}:
            zone_lines.append(line)
    if open_components != [""] or not text.strip():
        raise Unreadable("an end is missing")
    return document


def calendar_zone(text: str) -> str | None:
    """Give the IANA zone of a `calendar-timezone` property (RFC 4791 section 5.2.2)."""
    lines = list(_unfolded(text)) if len(text) < 100_000 else []
    tzid = next((line[5:].strip() for line in lines if line.upper().startswith("TZID:")), "")
    named = _zones.zone_named(tzid) if tzid else None
    if named is not None:
        return named
    rules = _zones.read_rules(lines)
    return _zones.zone_with(rules[1], "UTC") if rules is not None else None


def duration(text: str) -> tuple[timedelta, timedelta]:
    """Read a DURATION as nominal days and exact time (RFC 5545 section 3.3.6).

    Raises Unreadable.
    """
    match = _DURATION.fullmatch(text.strip().upper())
    if match is None:
        raise Unreadable("duration")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
    sign = -1 if match[1] == "-" else 1
    exact = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return sign * timedelta(days=weeks * 7 + days), sign * exact


def _unfolded(text: str) -> Iterator[str]:
    lines = _FOLD.sub("", text.lstrip("\ufeff")).replace("\r\n", "\n").replace("\r", "\n")
    if lines.count("\n") > MAX_LINES:
        raise Unreadable("too many lines")
    return iter(lines.split("\n"))


def _line(name: str, line: str) -> Line:
    at = len(name)
    if line[at] == ":":
        return Line(name, line[at + 1 :])
    parameters: dict[str, str] = {}
    while (match := _PARAMETER.match(line, at)) is not None:
        value = match[2].strip().strip('"')
        if "^" in value:
            value = _CARET.sub(lambda m: {"n": "\n", "'": '"'}.get(m[1], m[1]), value)
        parameters[match[1].strip().upper()] = value
        at = match.end()
    colon = line.find(":", at)
    return Line(name, line[colon + 1 :] if colon >= 0 else "", parameters)


def _begin(document: Document, open_components: list[str], kind: str) -> None:
    if len(open_components) > MAX_DEPTH:
        raise Unreadable("nested too deeply")
    if kind == "VEVENT":
        document.events.append(Component())
    open_components.append(kind)


def _end(document: Document, open_components: list[str], kind: str, zone_lines: list[str]) -> None:
    if open_components.pop() != kind or not open_components:
        raise Unreadable("an end without its beginning")
    if kind != "VTIMEZONE":
        return
    tzid = next((line[5:] for line in zone_lines if line[:5].upper() == "TZID:"), "")
    rules = None if _zones.zone_named(tzid) else _zones.read_rules(zone_lines)
    zone_lines.clear()
    if rules is not None:
        document.zones[rules[0]] = rules[1]
