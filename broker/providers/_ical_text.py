"""The lines of an iCalendar object (RFC 5545 section 3.1), and only those that we use.

`icalendar` spends a third of a millisecond on ten lines, most of it on alarms, zones and
vendor lines that nobody reads. This picks out the events' own lines first and leaves the rest
unread, which is also what lets one damaged line cost one event and not the whole file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache

from broker.providers import _zones

MAX_LINES = 50_000
MAX_DEPTH = 8

WANTED = frozenset(
    """ATTENDEE CLASS CONFERENCE CREATED DESCRIPTION DTEND DTSTAMP DTSTART DURATION EXDATE EXRULE
    GEO LAST-MODIFIED LOCATION ORGANIZER RDATE RECURRENCE-ID RRULE SEQUENCE STATUS SUMMARY TRANSP
    UID URL X-GOOGLE-CONFERENCE X-MICROSOFT-CDO-BUSYSTATUS X-MICROSOFT-SKYPETEAMSMEETINGURL
    X-MICROSOFT-ONLINEMEETINGEXTERNALLINK""".split()
)

_OF_ZONES = frozenset({"VTIMEZONE", "STANDARD", "DAYLIGHT"})
_ZONE = re.compile(r"^BEGIN:VTIMEZONE\n(?:(?!BEGIN:V|END:V)[^\n]*\n)*END:VTIMEZONE\n", re.MULTILINE)
_SHORT_ZONE = 4_000
_FOLD = re.compile(r"\r?\n[ \t]")
_NAMED = re.compile(r"^([A-Za-z0-9-]+)([;:][^\n]*)", re.MULTILINE)
_PARAMETER = re.compile(r""";([^=;:"]*)=((?:"[^"]*"|[^":;])*)""")
_ESCAPED = re.compile(r"\\([\\;,nN])")
_CARET = re.compile(r"\^([n'^])")
_DURATION = re.compile(
    r"([+-])?P(?:(\d{1,5})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?",
    re.ASCII,
)


class Unreadable(ValueError):
    """What this object or event says cannot be read."""


@dataclass(slots=True)
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
        held = self.lines.get(name)
        return held[0].text if held else ""

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
    for name, rest in _NAMED.findall(_without_zones(_unfolded(text), document)):
        name = name.upper()
        if name in WANTED:
            if open_components[-1] == "VEVENT":
                document.events[-1].lines.setdefault(name, []).append(_line(name, rest))
        elif name == "BEGIN":
            _begin(document, open_components, rest[1:].strip().upper())
        elif name == "END":
            _end(document, open_components, rest[1:].strip().upper(), zone_lines)
        if open_components[-1] in _OF_ZONES:
            zone_lines.append(name + rest)
    if open_components != [""] or not text.strip():
        raise Unreadable("an end is missing")
    return document


def _without_zones(text: str, document: Document) -> str:
    """Cut out the zones that are written as usual, having noted what their names mean.

    They are half of most objects, and the same in all of one calendar.
    """

    def note(block: re.Match[str]) -> str:
        read = _zone_in if len(block[0]) < _SHORT_ZONE else _zone_in.__wrapped__
        rules = read(block[0])
        if rules is not None:
            document.zones[rules[0]] = rules[1]
        return ""

    return _ZONE.sub(note, text)


@lru_cache(maxsize=64)
def _zone_in(block: str) -> tuple[str, _zones.ZoneRules] | None:
    """Read a VTIMEZONE; None when its name says all, or it says too little."""
    return _zone_of(block.split("\n"))


def _zone_of(lines: list[str]) -> tuple[str, _zones.ZoneRules] | None:
    tzid = next((line[5:] for line in lines if line[:5].upper() == "TZID:"), "")
    return None if _zones.zone_named(tzid) else _zones.read_rules(lines)


def calendar_zone(text: str) -> str | None:
    """Give the IANA zone of a `calendar-timezone` property (RFC 4791 section 5.2.2)."""
    lines = _unfolded(text).split("\n") if len(text) < 100_000 else []
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


def _unfolded(text: str) -> str:
    text = text.lstrip("\ufeff")
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub("", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.count("\n") > MAX_LINES:
        raise Unreadable("too many lines")
    return text


def _line(name: str, rest: str) -> Line:
    if rest[0] == ":":
        return Line(name, rest[1:])
    at = 0
    parameters: dict[str, str] = {}
    while (match := _PARAMETER.match(rest, at)) is not None:
        value = match[2].strip().strip('"')
        if "^" in value:
            value = _CARET.sub(lambda m: {"n": "\n", "'": '"'}.get(m[1], m[1]), value)
        parameters[match[1].strip().upper()] = value
        at = match.end()
    colon = rest.find(":", at)
    return Line(name, rest[colon + 1 :] if colon >= 0 else "", parameters)


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
    rules = _zone_of(zone_lines)
    zone_lines.clear()
    if rules is not None:
        document.zones[rules[0]] = rules[1]
