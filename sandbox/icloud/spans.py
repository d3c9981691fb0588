"""When objects take place: instants, series with their overrides, whole days (RFC 4791 9.9).

Whole days and floating times have no instant of their own: they are taken in the zone of the
calendar.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from io import StringIO
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rruleset, rrulestr
from dateutil.tz import tzical

from .ical import Component, Line, events
from .model import FOREVER_S

_UNTIL = re.compile(r"UNTIL=(\d{8})(T\d{6})?(Z?)")
_DURATION = re.compile(
    r"([+-]?)P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII
)
_MOST_COUNTED = 5_000
_DAY = timedelta(days=1)

Span = tuple[int, int]


class Times:
    """Reads the times of one VCALENDAR; *zone_name* is the calendar's own zone."""

    def __init__(self, calendar: Component, zone_name: str) -> None:
        self._own = ZoneInfo(zone_name)
        self._embedded = {
            child.value("TZID"): child for child in calendar.children if child.name == "VTIMEZONE"
        }

    def zone(self, line: Line) -> tzinfo:
        """Return the zone that a line is meant in. Raises ValueError when it is unknown."""
        if line.value.endswith("Z"):
            return UTC
        name = line.params.get("TZID")
        if name is None:
            return self._own
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            return self._from_definition(name)

    def _from_definition(self, name: str) -> tzinfo:
        if name not in self._embedded:
            raise ValueError(f"no VTIMEZONE for {name}")
        found = tzical(StringIO(_as_text(self._embedded[name]))).get(name)
        if found is None:
            raise ValueError(f"VTIMEZONE {name} cannot be read")
        return found

    def walls(self, line: Line) -> list[datetime]:
        """Return the wall times of a line; a date is its midnight, a period its start."""
        return [wall(part.partition("/")[0]) for part in line.value.split(",")]

    def instant(self, at: datetime, zone: tzinfo) -> int:
        """Return a wall time in seconds since 1970."""
        return int(at.replace(tzinfo=zone).timestamp())

    def start(self, component: Component) -> tuple[datetime, tzinfo]:
        """Return when a component starts, as wall time and zone. Raises ValueError."""
        line = component.line("DTSTART") or component.line("DUE")
        if line is None:
            raise ValueError("no DTSTART")
        return wall(line.value), self.zone(line)

    def length(self, component: Component) -> timedelta:
        """Return how long a component lasts. Raises ValueError."""
        start, zone = self.start(component)
        if line := component.line("DTEND"):
            end = self.instant(wall(line.value), self.zone(line))
            if is_date(line):
                return wall(line.value) - start
            return timedelta(seconds=end - self.instant(start, zone))
        if line := component.line("DURATION"):
            return duration(line.value)
        line = component.line("DTSTART")
        return _DAY if line is not None and is_date(line) else timedelta()


def bounds(calendar: Component, zone_name: str) -> tuple[int, int, bool]:
    """Return when the first occurrence starts, the last ends, and whether it is only one.

    Raises ValueError when a time or rule cannot be read.
    """
    times, start_s, end_s = Times(calendar, zone_name), FOREVER_S, 0
    parts = events(calendar)
    for part in parts:
        if part.line("RRULE") or part.line("RDATE"):
            first, last = Series(times, part, parts).bounds()
        else:
            first, last = _span(times, part)
        start_s, end_s = min(start_s, first), max(end_s, last)
    plain = len(parts) == 1 and not (parts[0].line("RRULE") or parts[0].line("RDATE"))
    return start_s, end_s, plain


def overlaps(calendar: Component, zone_name: str, low_s: int, high_s: int) -> bool:
    """Whether any occurrence is in the range."""
    times, parts = Times(calendar, zone_name), events(calendar)
    for part in parts:
        if part.line("RRULE") or part.line("RDATE"):
            if Series(times, part, parts).overlaps(low_s, high_s):
                return True
        elif touches(_span(times, part), low_s, high_s):
            return True
    return False


def touches(span: Span, low_s: int, high_s: int) -> bool:
    """Whether a span is in a range; both exclude their ends, an empty span counts (9.9)."""
    start_s, end_s = span
    if start_s == end_s:
        return low_s <= start_s < high_s
    return start_s < high_s and end_s > low_s


class Series:
    """A master with its rule; *parts* holds its overrides too, which take occurrences away."""

    def __init__(self, times: Times, master: Component, parts: Iterable[Component]) -> None:
        """Read the rule. Raises ValueError."""
        self._times = times
        self._first, self._zone = times.start(master)
        self._length = times.length(master)
        self._endless = False
        self._rules = rruleset()
        self._rules.rdate(self._first)
        for line in master.all("RRULE", "RDATE", "EXDATE"):
            self._read(line)
        for part in parts:
            if moved := part.line("RECURRENCE-ID"):
                self._rules.exdate(self._local(moved)[0])

    def _read(self, line: Line) -> None:
        if line.name == "RRULE":
            rule = rrulestr(self._until(line.value), dtstart=self._first)
            if not isinstance(rule, rrule):
                raise ValueError("not one rule")
            self._rules.rrule(rule)
            self._endless |= "COUNT=" not in line.value and "UNTIL=" not in line.value
            return
        add = self._rules.rdate if line.name == "RDATE" else self._rules.exdate
        for at in self._local(line):
            add(at)

    def _local(self, line: Line) -> list[datetime]:
        """Return the times of a line in the wall time of the series; a date takes its hour."""
        if is_date(line):
            return [datetime.combine(at, self._first.time()) for at in self._times.walls(line)]
        zone = self._times.zone(line)
        return [self._to_wall(at.replace(tzinfo=zone)) for at in self._times.walls(line)]

    def _to_wall(self, at: datetime) -> datetime:
        return at.astimezone(self._zone).replace(tzinfo=None)

    def _until(self, rule: str) -> str:
        """Turn UNTIL into wall time, since the rule runs in wall time; a day counts whole."""

        def local(found: re.Match[str]) -> str:
            at = wall(found[1] + (found[2] or ""))
            if not found[2]:
                at = datetime.combine(at, time(23, 59, 59))
            elif found[3]:
                at = self._to_wall(at.replace(tzinfo=UTC))
            return f"UNTIL={at:%Y%m%dT%H%M%S}"

        return _UNTIL.sub(local, rule)

    def bounds(self) -> Span:
        """Return when the first occurrence starts and the last ends."""
        spans = [
            self._span(at) for at in islice(self._rules, 1 if self._endless else _MOST_COUNTED)
        ]
        spans = spans or [self._span(self._first)]
        end_s = FOREVER_S if self._endless else max(end for _, end in spans)
        return min(start for start, _ in spans), end_s

    def overlaps(self, low_s: int, high_s: int) -> bool:
        """Whether an occurrence is in the range."""
        for span in self._spans():
            if touches(span, low_s, high_s):
                return True
            if span[0] >= high_s:
                return False
        return False

    def _spans(self) -> Iterator[Span]:
        return (self._span(at) for at in self._rules)

    def _span(self, at: datetime) -> Span:
        start_s = self._times.instant(at, self._zone)
        if self._length % _DAY == timedelta():
            return start_s, self._times.instant(at + self._length, self._zone)
        return start_s, start_s + int(self._length.total_seconds())


def _span(times: Times, component: Component) -> Span:
    start, zone = times.start(component)
    start_s, length = times.instant(start, zone), times.length(component)
    line = component.line("DTSTART")
    if line is not None and is_date(line):
        return start_s, times.instant(start + length, zone)
    return start_s, start_s + int(length.total_seconds())


def is_date(line: Line) -> bool:
    """Whether a line has dates and not times."""
    return len(line.value.split(",")[0]) == 8


def wall(text: str) -> datetime:
    """Read a date or a time without its zone. Raises ValueError."""
    text = text.removesuffix("Z")
    if len(text) == 8:
        return datetime.combine(date(int(text[:4]), int(text[4:6]), int(text[6:])), time())
    return datetime.strptime(text, "%Y%m%dT%H%M%S")


def duration(text: str) -> timedelta:
    """Read a duration. Raises ValueError."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError("not a duration")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    length = timedelta(days, seconds, 0, 0, minutes, hours, weeks)
    return -length if found[1] == "-" else length


def _as_text(component: Component) -> str:
    lines = [f"BEGIN:{component.name}"]
    for line in component.lines:
        params = "".join(f";{name}={value}" for name, value in line.params.items())
        lines.append(f"{line.name}{params}:{line.value}")
    lines += [_as_text(child) for child in component.children]
    return "\n".join([*lines, f"END:{component.name}"])
