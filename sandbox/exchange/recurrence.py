"""Recurrence patterns and ranges, and the occurrences that they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from dateutil import rrule
from lxml import etree

from . import zones
from .model import Item
from .soap import TYPES, Element, Refused, T, fragment

MOST = 100_000
_DAYS = {
    "Monday": (rrule.MO,),
    "Tuesday": (rrule.TU,),
    "Wednesday": (rrule.WE,),
    "Thursday": (rrule.TH,),
    "Friday": (rrule.FR,),
    "Saturday": (rrule.SA,),
    "Sunday": (rrule.SU,),
    "Weekday": (rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR),
    "WeekendDay": (rrule.SA, rrule.SU),
}
_DAYS["Day"] = (*_DAYS["Weekday"], *_DAYS["WeekendDay"])
_INDEXES = {"First": 1, "Second": 2, "Third": 3, "Fourth": 4, "Last": -1}
_MONTHS = {date(2000, number, 1).strftime("%B"): number for number in range(1, 13)}
_NOT_VALID = "ErrorCalendarInvalidRecurrence"


def written(recurrence: Element, first: date) -> str:
    """Return what is kept of a `Recurrence`; its range begins on the day of the first occurrence.

    Raises Refused when it stands for nothing.
    """
    inside = "".join(fragment(child) for child in recurrence)
    if next(iter(_rule(inside, datetime.combine(first, time()))), None) is None:
        raise Refused("ErrorRecurrenceHasNoOccurrence")
    return inside


def starts(item: Item) -> Iterator[int]:
    """Yield the original starts of a series, deleted ones too, in seconds since 1970."""
    wall = zones.to_wall(item.start_s, item.zone)
    for number, at in enumerate(_rule(item.rule, wall)):
        if number >= MOST:
            return
        yield zones.from_wall(at, item.zone)


def starts_between(item: Item, low_s: int, high_s: int) -> Iterator[int]:
    """Yield the original starts from *low_s*, until before *high_s*."""
    wall, low = zones.to_wall(item.start_s, item.zone), zones.to_wall(low_s, item.zone)
    found = _rule(item.rule, wall)
    for at in found.xafter(low - timedelta(days=1), inc=True):
        at_s = zones.from_wall(at, item.zone)
        if at_s >= high_s:
            return
        if at_s >= low_s:
            yield at_s


def is_endless(rule: str) -> bool:
    """Whether the series never ends."""
    return "<t:NoEndRecurrence>" in rule


@lru_cache(maxsize=2048)
def _rule(inside: str, first: datetime) -> rrule.rrule:
    root = etree.fromstring(f'<t:R xmlns:t="{TYPES}">{inside}</t:R>')
    if len(root) != 2:
        raise Refused(_NOT_VALID)
    try:
        options = _pattern(root[0]) | _range(root[1], first)
        return rrule.rrule(dtstart=first, cache=True, **options)
    except (KeyError, ValueError, TypeError) as problem:
        raise Refused(_NOT_VALID) from problem


def _pattern(found: Element) -> dict[str, Any]:
    name = etree.QName(found).localname
    interval = int(found.findtext(f"{T}Interval") or 1)
    if not 1 <= interval <= 999:
        raise ValueError("interval")
    week = found.findtext(f"{T}FirstDayOfWeek") or "Sunday"
    days = [day for one in (found.findtext(f"{T}DaysOfWeek") or "").split() for day in _DAYS[one]]
    common: dict[str, Any] = {"interval": interval, "wkst": _DAYS[week][0]}
    if name == "DailyRecurrence":
        return common | {"freq": rrule.DAILY}
    if name == "WeeklyRecurrence":
        return common | {"freq": rrule.WEEKLY, "byweekday": days}
    if name == "AbsoluteMonthlyRecurrence":
        return common | {"freq": rrule.MONTHLY} | _day_of_month(found)
    if name == "RelativeMonthlyRecurrence":
        return common | {"freq": rrule.MONTHLY} | _nth(found, days)
    month = {"freq": rrule.YEARLY, "bymonth": _MONTHS[found.findtext(f"{T}Month") or ""]}
    if name == "AbsoluteYearlyRecurrence":
        return month | _day_of_month(found)
    if name == "RelativeYearlyRecurrence":
        return month | _nth(found, days)
    raise ValueError(name)


def _day_of_month(found: Element) -> dict[str, Any]:
    day = int(found.findtext(f"{T}DayOfMonth") or 0)
    if not 1 <= day <= 31:
        raise ValueError("day of month")
    # Exchange takes the last day where a month is too short.
    if day <= 28:
        return {"bymonthday": day}
    return {"bymonthday": range(28, day + 1), "bysetpos": -1}


def _nth(found: Element, days: Sequence[rrule.weekday]) -> dict[str, Any]:
    return {
        "byweekday": days,
        "bysetpos": _INDEXES[found.findtext(f"{T}DayOfWeekIndex") or ""],
    }


def _range(found: Element, first: datetime) -> dict[str, Any]:
    name = etree.QName(found).localname
    if name == "NoEndRecurrence":
        return {}
    if name == "EndDateRecurrence":
        end = date.fromisoformat((found.findtext(f"{T}EndDate") or "")[:10])
        return {"until": datetime.combine(end, time(23, 59, 59))}
    if name == "NumberedRecurrence":
        count = int(found.findtext(f"{T}NumberOfOccurrences") or 0)
        if not 1 <= count <= 999:
            raise ValueError("count")
        return {"count": count}
    raise ValueError(name)
