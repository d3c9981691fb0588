"""Read a series' RRULE, RDATE and EXDATE lines into values (RFC 5545 sections 3.3.10, 3.8.5).

They come from strangers and are read leniently: what is not understood is named as a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from math import prod
from typing import Any, Literal

from dateutil.rrule import DAILY, HOURLY, MONTHLY, WEEKLY, YEARLY, weekday

from broker.sync.wall_time import LATEST, Frame, Stamp, event_length, zone_named

UNREADABLE, TOO_FREQUENT, TOO_LONG = "rule_unreadable", "rule_too_frequent", "rule_too_long"
MAX_DATES = 5_000
MAX_TIMES_PER_DAY = 1_440
# A line's name, its TZID and its value.
ContentLine = tuple[str, str | None, str]

_FREQUENCIES: dict[str, Literal[0, 1, 2, 3, 4]] = {
    "YEARLY": YEARLY,
    "MONTHLY": MONTHLY,
    "WEEKLY": WEEKLY,
    "DAILY": DAILY,
    "HOURLY": HOURLY,
}
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
# Each part's name in dateutil, its least and its greatest value; signed ones exclude 0.
_NUMBERS = {
    "BYMONTH": ("bymonth", 1, 12),
    "BYMONTHDAY": ("bymonthday", -31, 31),
    "BYYEARDAY": ("byyearday", -366, 366),
    "BYWEEKNO": ("byweekno", -53, 53),
    "BYSETPOS": ("bysetpos", -366, 366),
    "BYHOUR": ("byhour", 0, 23),
    "BYMINUTE": ("byminute", 0, 59),
    "BYSECOND": ("bysecond", 0, 60),
}
_DAY_PARTS = {"bymonthday", "byyearday", "byweekno", "byweekday"}
_TIME_PARTS = ("byhour", "byminute", "bysecond")
_ZEROS = ("0", "00", "+0", "-0", "+00", "-00")
_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z)?)?", re.ASCII)
_BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_DURATION = re.compile(
    r"\+?P(?=.)(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?",
    re.ASCII,
)


class RuleRefused(Exception):
    """A rule that is not followed; its argument is the reason code."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A readable RRULE: *until* is aware UTC and inclusive, *by* is in dateutil's words."""

    freq: Literal[0, 1, 2, 3, 4]
    interval: int
    count: int | None
    until: datetime
    wkst: int
    by: dict[str, Any]


@dataclass(slots=True)
class ListedDates:
    """What RDATE and EXDATE list: *added* maps a start to its own end, or None."""

    added: dict[datetime, datetime | None] = field(default_factory=dict)
    excluded: set[datetime] = field(default_factory=set)
    excluded_days: set[date] = field(default_factory=set)
    problem: str | None = None


def split_line(line: str) -> ContentLine:
    """Split a content line into name, TZID and value; none of ours has a colon in its value."""
    head, colon, value = line.rpartition(":")
    name, *parameters = (head if colon else line).split(";")
    pairs = (parameter.partition("=") for parameter in parameters)
    tzid = next((zone for key, _, zone in pairs if key.strip().upper() == "TZID"), None)
    return name.strip().upper(), tzid and tzid.strip(' "'), value


def read_rule(text: str, frame: Frame) -> Rule:
    """Read an RRULE's value; parts that we do not know are ignored (RFC 5545 section 3.3.10).

    Raises RuleRefused.
    """
    pieces = [piece.partition("=") for piece in "".join(text.upper().split()).split(";") if piece]
    parts = {name: value for name, _, value in pieces}
    freq, is_hourly = parts.get("FREQ"), parts.get("FREQ") == "HOURLY"
    if freq in ("SECONDLY", "MINUTELY") or (is_hourly and (frame.all_day or "BYHOUR" not in parts)):
        raise RuleRefused(TOO_FREQUENT)
    try:
        if len(parts) < len(pieces) or parts.get("RSCALE", "GREGORIAN") != "GREGORIAN":
            raise ValueError("a part twice, or a calendar of RFC 7529")
        until = LATEST
        if "UNTIL" in parts:
            until = frame.place(_stamp(parts["UNTIL"]), at=time(23, 59, 59))
        rule = Rule(
            freq=_FREQUENCIES[parts["FREQ"]],
            interval=_natural(parts.get("INTERVAL", "1")),
            count=_natural(parts["COUNT"]) if "COUNT" in parts else None,
            until=until,
            wkst=_WEEKDAYS.index(parts.get("WKST", "MO")),
            by=_by(parts, frame),
        )
    except (KeyError, ValueError):
        raise RuleRefused(UNREADABLE) from None
    if prod(len(rule.by[unit]) for unit in _TIME_PARTS) >= MAX_TIMES_PER_DAY:
        raise RuleRefused(TOO_FREQUENT)
    return rule


def _by(parts: dict[str, str], frame: Frame) -> dict[str, Any]:
    """Give the BYxxx parts, what they leave open taken from the start. Raises ValueError."""
    by: dict[str, Any] = {}
    for part, (name, least, greatest) in _NUMBERS.items():
        if part in parts:
            by[name] = sorted({int(number) for number in parts[part].split(",")})
            if by[name][0] < least or by[name][-1] > greatest or (least < 0 and 0 in by[name]):
                raise ValueError(part)
    freq, wall = parts["FREQ"], frame.wall
    if "BYDAY" in parts:
        limit = 5 if freq == "MONTHLY" or "BYMONTH" in parts else 53
        by["byweekday"] = _weekdays(parts["BYDAY"], limit)
    given = by.keys() & _DAY_PARTS
    if given == {"byweekno"} or (freq == "WEEKLY" and not given):
        by["byweekday"] = [wall.weekday()]
    elif freq in ("YEARLY", "MONTHLY") and not given:
        by["bymonthday"] = [wall.day]
        if freq == "YEARLY":
            by.setdefault("bymonth", [wall.month])
    for unit, value in zip(_TIME_PARTS, (wall.hour, wall.minute, wall.second), strict=True):
        by[unit] = [value] if frame.all_day else by.get(unit, [value])
    by["bysecond"] = sorted({min(second, 59) for second in by["bysecond"]})
    return by


def _weekdays(text: str, limit: int) -> list[weekday]:
    """Read a BYDAY; *limit* is the greatest ordinal that can be met. Raises ValueError.

    Beside ordinals a plain weekday becomes all of its ordinals: dateutil would want both.
    """
    matches = [_BYDAY.fullmatch(day) for day in text.split(",")]
    days = [(int(m[1] or 0), _WEEKDAYS.index(m[2])) for m in matches if m and m[1] not in _ZEROS]
    if len(days) < len(matches) or any(abs(ordinal) > limit for ordinal, _ in days):
        raise ValueError(text)
    if any(ordinal for ordinal, _ in days):
        plain = [day for ordinal, day in days if not ordinal]
        days += [(ordinal, day) for day in plain for ordinal in range(1, limit + 1)]
        days = [(ordinal, day) for ordinal, day in days if ordinal]
    return [weekday(day, ordinal or None) for ordinal, day in sorted(set(days))]


def _natural(text: str) -> int:
    """Read a whole number of at least 1. Raises ValueError."""
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def read_dates(lines: Iterable[ContentLine], frame: Frame) -> ListedDates:
    """Read RDATE and EXDATE (RFC 5545 sections 3.8.5.1, 3.8.5.2), the first MAX_DATES values.

    A zone that we do not know, such as a Windows name, is taken for the series' own.
    """
    dates = ListedDates()
    left = MAX_DATES
    for name, tzid, value in lines:
        if name not in ("RDATE", "EXDATE"):
            continue
        values = value.upper().split(",", left)
        for text in filter(None, map(str.strip, values[:left])):
            try:
                _add_date(dates, name, text, frame, zone_named(tzid))
            except (ValueError, OverflowError):
                dates.problem = dates.problem or UNREADABLE
        if len(values) > left:
            dates.problem = TOO_LONG
        left = max(0, left - len(values))
    return dates


def _add_date(dates: ListedDates, name: str, text: str, frame: Frame, zone: tzinfo | None) -> None:
    """Add one value of an RDATE or EXDATE. Raises ValueError and OverflowError."""
    begin, slash, rest = text.partition("/")
    stamp = _stamp(begin)
    at = frame.place(stamp, zone)
    if name == "RDATE":
        dates.added[at] = _period_end(at, rest, frame, zone) if slash else dates.added.get(at)
    elif stamp.is_date and not frame.all_day:
        dates.excluded_days.add(stamp.wall.date())
    else:
        dates.excluded.add(at)


def _period_end(at: datetime, text: str, frame: Frame, zone: tzinfo | None) -> datetime:
    """Give the end of a PERIOD that begins *at* (RFC 5545 section 3.3.9), days being 24 hours."""
    if match := _DURATION.fullmatch(text):
        weeks, days, hours, minutes, seconds = (int(number or 0) for number in match.groups())
        length = timedelta(days, seconds, 0, 0, minutes, hours, weeks)
    else:
        length = frame.place(_stamp(text), zone) - at
    if length < timedelta(0):
        raise ValueError(text)
    return at + event_length(length, frame.all_day)


def _stamp(text: str) -> Stamp:
    """Read a DATE or DATE-TIME; a leap second becomes the one before. Raises ValueError."""
    match = _STAMP.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(number or 0) for number in match.groups()[:6])
    wall = datetime(year, month, day, hour, minute, 59 if second == 60 else second)
    return Stamp(wall, is_date=match[4] is None, is_utc=match[7] is not None)
