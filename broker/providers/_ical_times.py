"""Dates and times of iCalendar (RFC 5545 sections 3.3.4, 3.3.5 and 3.8.2) on the UTC line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from broker.domain import Moment, midnight_utc
from broker.providers import _zones
from broker.providers._ical_text import Component, Line, Unreadable, duration

_STAMP = re.compile(r"(\d{8})(?:T(\d{4})(\d\d)(Z)?)?", re.ASCII | re.IGNORECASE)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Zones:
    """What names of zones mean in one object. *default* places times that name none."""

    default: str
    rules: dict[str, _zones.ZoneRules] = field(default_factory=dict)

    def named(self, tzid: str | None) -> str:
        """Give the IANA name for a TZID parameter."""
        return _zones.resolve(tzid, self.rules, self.default) if tzid else self.default


@dataclass(frozen=True, slots=True)
class Stamp:
    """A DATE or DATE-TIME. *wall* is naive, in *zone*; midnight for a DATE."""

    wall: datetime
    zone: str
    is_date: bool

    def moment(self) -> Moment:
        """Give the instant; for a DATE, midnight UTC of it and no zone."""
        if self.is_date:
            return Moment(self.wall.replace(tzinfo=UTC), None)
        return Moment(_zones.to_utc(self.wall, self.zone), self.zone)


def read_stamp(line: Line, zones: Zones) -> Stamp:
    """Read the value of DTSTART, DTEND or RECURRENCE-ID. Raises Unreadable."""
    match = _STAMP.fullmatch(line.value.strip())
    if match is None:
        raise Unreadable(line.name)
    is_date = match[2] is None or line.parameters.get("VALUE", "").upper() == "DATE"
    # A leap second is the last second of its minute.
    seconds = min(match[3] or "", "59")
    try:
        wall = datetime.fromisoformat(match[1] if is_date else f"{match[1]}T{match[2]}{seconds}")
    except ValueError as error:
        raise Unreadable(line.name) from error
    if is_date:
        return Stamp(wall, zones.default, True)
    zone = "UTC" if match[4] else zones.named(line.parameters.get("TZID"))
    return Stamp(wall, zone, False)


def read_span(event: Component, zones: Zones) -> tuple[Stamp, Moment, Moment]:
    """Give the start as written, and the start and exclusive end on the UTC line.

    Without an end an all-day event takes a day and a timed one no time; an end before the
    start counts as no end (RFC 5545 section 3.6.1). Raises Unreadable.
    """
    line = event.first("DTSTART")
    if line is None:
        raise Unreadable("DTSTART")
    stamp = read_stamp(line, zones)
    start = stamp.moment()
    try:
        end = _end(event, stamp, zones)
        if stamp.is_date:
            return stamp, start, Moment(max(end.at, start.at + _DAY), None)
    except OverflowError as error:
        raise Unreadable("DTEND") from error
    return stamp, start, end if end.at >= start.at else start


def _end(event: Component, start: Stamp, zones: Zones) -> Moment:
    line, length = event.first("DTEND"), event.first("DURATION")
    if line is not None:
        end = read_stamp(line, zones)
        if start.is_date:
            midnight = midnight_utc(end.wall.date())
            return Moment(midnight + (_DAY if end.wall.time() > time() else timedelta()), None)
        return Stamp(end.wall, zones.default if end.is_date else end.zone, False).moment()
    if length is None:
        return start.moment()
    days, exact = duration(length.value)
    moment = Stamp(start.wall + days, start.zone, start.is_date).moment()
    return Moment(moment.at + (timedelta() if start.is_date else exact), moment.tzid)


def original_start(event: Component, zones: Zones, master: Stamp | None) -> Moment | None:
    """Give which occurrence an override replaces; None when it is no override.

    A date means the series' time on that day, and in an all-day series any time means its
    date. Raises Unreadable.
    """
    line = event.first("RECURRENCE-ID")
    if line is None:
        return None
    stamp = read_stamp(line, zones)
    if master is None or master.is_date == stamp.is_date:
        return stamp.moment()
    if master.is_date:
        return Moment(midnight_utc(stamp.wall.date()), None)
    wall = datetime.combine(stamp.wall.date(), master.wall.time())
    return Stamp(wall, master.zone, False).moment()


def recurrence_lines(event: Component, zones: Zones) -> tuple[str, ...]:
    """Give RRULE, RDATE and EXDATE lines whose TZIDs are IANA names."""
    lines = [f"RRULE:{''.join(line.value.split()).upper()}" for line in event.every("RRULE")]
    for name in ("RDATE", "EXDATE"):
        for line in event.every(name):
            value = "".join(line.value.split()).upper()
            if value:
                lines.append(f"{name}{_date_parameters(line, value, zones)}:{value}")
    return tuple(lines)


def _date_parameters(line: Line, value: str, zones: Zones) -> str:
    kind = line.parameters.get("VALUE", "").upper()
    if kind == "DATE" or "T" not in value:
        return ";VALUE=DATE"
    period = ";VALUE=PERIOD" if kind == "PERIOD" or "/" in value else ""
    tzid = line.parameters.get("TZID")
    return f"{period};TZID={zones.named(tzid)}" if tzid and "Z" not in value else period


def canonical(moment: Moment) -> str:
    """Spell an original start as iCalendar does in UTC: `20261201T090000Z`, `20261201`."""
    text = moment.at.isoformat().replace("-", "").replace(":", "")
    return text[:8] if moment.tzid is None else text[:15] + "Z"
