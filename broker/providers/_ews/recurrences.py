"""Exchange's recurrence patterns as iCalendar lines (RFC 5545 section 3.8.5).

https://learn.microsoft.com/exchange/client-developer/exchange-web-services/recurrence-patterns-and-ews
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time

from lxml import etree

from broker.domain import Moment
from broker.providers._ews.item_times import month_number, read_date, stamp
from broker.providers._ews.markup import T, child_text
from broker.providers._zones import to_utc, zone_info

_DAYS = {
    "Sunday": "SU", "Monday": "MO", "Tuesday": "TU", "Wednesday": "WE",
    "Thursday": "TH", "Friday": "FR", "Saturday": "SA",
}  # fmt: skip
_GROUPS = {
    "Day": "SU,MO,TU,WE,TH,FR,SA",
    "Weekday": "MO,TU,WE,TH,FR",
    "WeekendDay": "SU,SA",
}
_INDEXES = {"First": 1, "Second": 2, "Third": 3, "Fourth": 4, "Last": -1}
_WEEK = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def read_rule(recurrence: etree._Element, start: Moment, tzid: str | None) -> str:
    """Write the RRULE line of a Recurrence; *start* is the series' own. Raises ValueError."""
    parts: list[str] = []
    for found in recurrence:
        name = etree.QName(found).localname
        if name in _PATTERNS:
            parts = _PATTERNS[name](found) + parts
        elif name in _ENDS:
            parts = parts + _ENDS[name](found, start, tzid)
    if not parts or not parts[0].startswith("FREQ="):
        raise ValueError("no pattern")
    return "RRULE:" + ";".join(parts)


def begins_on(recurrence: etree._Element, start: Moment) -> bool:
    """Tell whether a series takes place at its *start*. Raises ValueError as `read_rule` does.

    In Exchange the pattern says so; in iCalendar it does in any case (RFC 5545 section 3.8.5.3).
    """
    at = start.at.astimezone(zone_info(start.tzid)) if start.tzid else start.at
    for found in recurrence:
        gives = _GIVING.get(etree.QName(found).localname)
        if gives is not None and not gives(found, at.date()):
            return False
    return True


def excluded(deleted: list[Moment]) -> list[str]:
    """Write the EXDATE lines of deleted occurrences."""
    if not deleted:
        return []
    kind = ";VALUE=DATE" if deleted[0].tzid is None else ""
    return [f"EXDATE{kind}:" + ",".join(map(stamp, deleted))]


def _interval(pattern: etree._Element) -> list[str]:
    number = _number(pattern, "Interval", 999) if pattern.find(f"{T}Interval") is not None else 1
    return [f"INTERVAL={number}"] if number > 1 else []


def _daily(pattern: etree._Element) -> list[str]:
    return ["FREQ=DAILY", *_interval(pattern)]


def _weekly(pattern: etree._Element) -> list[str]:
    days = [_GROUPS.get(day) or _DAYS[day] for day in _words(pattern, "DaysOfWeek")]
    # What 2007 does not say is Sunday there.
    first = _DAYS[child_text(pattern, f"{T}FirstDayOfWeek") or "Sunday"]
    return ["FREQ=WEEKLY", *_interval(pattern), f"BYDAY={','.join(days)}", f"WKST={first}"]


def _monthly_on_date(pattern: etree._Element) -> list[str]:
    return ["FREQ=MONTHLY", *_interval(pattern), *_day_of_month(pattern)]


def _monthly_on_weekday(pattern: etree._Element) -> list[str]:
    return ["FREQ=MONTHLY", *_interval(pattern), *_weekday_of_month(pattern)]


def _yearly_on_date(pattern: etree._Element) -> list[str]:
    return ["FREQ=YEARLY", _month(pattern), *_day_of_month(pattern)]


def _yearly_on_weekday(pattern: etree._Element) -> list[str]:
    return ["FREQ=YEARLY", _month(pattern), *_weekday_of_month(pattern)]


def _day_of_month(pattern: etree._Element) -> list[str]:
    """Write the day; where a month is too short, Exchange takes its last (MS-OXOCAL 2.2.1.44.1)."""
    day = _number(pattern, "DayOfMonth", 31)
    if day <= 28:
        return [f"BYMONTHDAY={day}"]
    return [f"BYMONTHDAY={','.join(map(str, range(28, day + 1)))}", "BYSETPOS=-1"]


def _weekday_of_month(pattern: etree._Element) -> list[str]:
    index = _INDEXES[child_text(pattern, f"{T}DayOfWeekIndex") or ""]
    words = _words(pattern, "DaysOfWeek")
    if len(words) == 1 and words[0] in _DAYS:
        return [f"BYDAY={index}{_DAYS[words[0]]}"]
    days = ",".join(_GROUPS.get(word) or _DAYS[word] for word in words)
    return [f"BYDAY={days}", f"BYSETPOS={index}"]


def _month(pattern: etree._Element) -> str:
    return f"BYMONTH={_month_of(pattern)}"


def _month_of(pattern: etree._Element) -> int:
    return month_number(child_text(pattern, f"{T}Month") or "")


def _gives_weekday(pattern: etree._Element, day: date) -> bool:
    codes = (_GROUPS.get(word) or _DAYS[word] for word in _words(pattern, "DaysOfWeek"))
    return _WEEK[day.weekday()] in ",".join(codes)


def _gives_date(pattern: etree._Element, day: date) -> bool:
    last = monthrange(day.year, day.month)[1]
    return day.day == min(_number(pattern, "DayOfMonth", 31), last)


def _gives_nth_weekday(pattern: etree._Element, day: date) -> bool:
    index = _INDEXES[child_text(pattern, f"{T}DayOfWeekIndex") or ""]
    last = monthrange(day.year, day.month)[1]
    days = [n for n in range(1, last + 1) if _gives_weekday(pattern, day.replace(day=n))]
    return day.day == days[index - 1 if index > 0 else index]


def _gives_yearly_date(pattern: etree._Element, day: date) -> bool:
    return day.month == _month_of(pattern) and _gives_date(pattern, day)


def _gives_yearly_weekday(pattern: etree._Element, day: date) -> bool:
    return day.month == _month_of(pattern) and _gives_nth_weekday(pattern, day)


def _no_end(end: etree._Element, start: Moment, tzid: str | None) -> list[str]:
    return []


def _end_date(end: etree._Element, start: Moment, tzid: str | None) -> list[str]:
    last = read_date(child_text(end, f"{T}EndDate"))
    return [f"UNTIL={_until(last, start, tzid)}"]


def _numbered(end: etree._Element, start: Moment, tzid: str | None) -> list[str]:
    return [f"COUNT={_number(end, 'NumberOfOccurrences', 1_000_000)}"]


def _until(last: date, start: Moment, tzid: str | None) -> str:
    if start.tzid is None:
        return f"{last:%Y%m%d}"
    end = to_utc(datetime.combine(last, time(23, 59, 59)), tzid or "UTC")
    return f"{end.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _number(holder: etree._Element, name: str, greatest: int) -> int:
    number = int(child_text(holder, f"{T}{name}") or "")
    if not 1 <= number <= greatest:
        raise ValueError(name)
    return number


def _words(holder: etree._Element, name: str) -> list[str]:
    words = (child_text(holder, f"{T}{name}") or "").split()
    if not words or not set(words) <= _DAYS.keys() | _GROUPS.keys():
        raise ValueError(name)
    return words


_PATTERNS: Mapping[str, Callable[[etree._Element], list[str]]] = {
    "DailyRecurrence": _daily,
    "WeeklyRecurrence": _weekly,
    "AbsoluteMonthlyRecurrence": _monthly_on_date,
    "RelativeMonthlyRecurrence": _monthly_on_weekday,
    "AbsoluteYearlyRecurrence": _yearly_on_date,
    "RelativeYearlyRecurrence": _yearly_on_weekday,
}
_GIVING: Mapping[str, Callable[[etree._Element, date], bool]] = {
    "WeeklyRecurrence": _gives_weekday,
    "AbsoluteMonthlyRecurrence": _gives_date,
    "RelativeMonthlyRecurrence": _gives_nth_weekday,
    "AbsoluteYearlyRecurrence": _gives_yearly_date,
    "RelativeYearlyRecurrence": _gives_yearly_weekday,
}
_ENDS: Mapping[str, Callable[[etree._Element, Moment, str | None], list[str]]] = {
    "NoEndRecurrence": _no_end,
    "EndDateRecurrence": _end_date,
    "NumberedRecurrence": _numbered,
}
