"""Which zone an item's times are in, and which dates its days are.

Old servers describe a zone by its rules (MeetingTimeZone, signs west-positive), newer ones by
a Windows name, with the rules beside it where the name is nobody else's.
https://learn.microsoft.com/exchange/client-developer/exchange-web-services/time-zones-and-ews-in-exchange
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from lxml import etree

from broker.domain import Moment, midnight_utc
from broker.providers._ews.markup import Fields, T, child_text
from broker.providers._zones import ZoneRules, zone_info, zone_named, zone_with

HALF_A_DAY = timedelta(hours=12)
ONE_DAY = timedelta(days=1)

_DURATION = re.compile(
    r"(-)?P(?:(\d{1,3})D)?(?:T(?:(\d{1,3})H)?(?:(\d{1,4})M)?(?:(\d{1,5})(?:\.\d+)?S)?)?", re.ASCII
)
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
_MONTHS = (
    "January February March April May June July August September October November December"
).split()


def read_instant(text: str | None, tzid: str | None = None) -> datetime:
    """Read a time as aware UTC; one without an offset is in *tzid*. Raises ValueError."""
    if not text:
        raise ValueError("no time")
    at = datetime.fromisoformat(text.strip())
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone_info(tzid or "UTC"))
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("no such time") from error


def read_date(text: str | None) -> date:
    """Read a date, which may come with an offset that means nothing. Raises ValueError."""
    match = _DATE.fullmatch((text or "").strip())
    if match is None:
        raise ValueError("no date")
    return date.fromisoformat(match[1])


def zone_of(fields: Fields, name: str = "StartTimeZone") -> str | None:
    """Give the IANA zone of an item's start (or end); None when it says nothing we know."""
    zone = fields.get(T + name)
    if zone is not None:
        named = zone_named(zone.get("Id", "")) or zone_named(zone.get("Name", ""))
        return named or _by_rules(_defined(zone))
    zone = fields.get(f"{T}MeetingTimeZone")
    if zone is None:
        return None
    return zone_named(zone.get("TimeZoneName", "")) or _by_rules(_meeting(zone))


def moment(at: datetime, tzid: str | None, all_day: bool) -> Moment:
    """Make a start or end. Of an all-day event it is the nearest midnight of its own zone.

    Where not even the mailbox's is known, the nearest midnight of UTC is right for all but the
    Pacific's edge.
    """
    if not all_day:
        return Moment(at, tzid or "UTC")
    local = at.astimezone(zone_info(tzid)) if tzid else at
    return Moment(midnight_utc((local.replace(tzinfo=None) + HALF_A_DAY).date()))


def stamp(at: Moment) -> str:
    """Write a moment as iCalendar has it: the name of an occurrence within its series."""
    return f"{at.at:%Y%m%d}" if at.tzid is None else f"{at.at:%Y%m%dT%H%M%SZ}"


def month_number(name: str) -> int:
    """Give 1 to 12. Raises ValueError."""
    return _MONTHS.index(name) + 1


def _by_rules(rules: ZoneRules | None) -> str | None:
    return zone_with(rules, "Europe/Berlin") if rules is not None else None


def _defined(zone: etree._Element) -> ZoneRules | None:
    """Read the periods of a TimeZoneDefinition; of several rule sets the last is in force."""
    offsets: dict[str, timedelta] = {}
    kinds: dict[str | None, str] = {}
    for period in zone.iterfind(f"{T}Periods/{T}Period"):
        kind = "Daylight" if "daylight" in period.get("Name", "").lower() else "Standard"
        bias = _duration(period.get("Bias"))
        if bias is not None:
            offsets[kind] = -bias
            kinds[period.get("Id")] = kind
    if "Standard" not in offsets:
        return None
    summer_from: int | None = None
    for change in zone.iterfind(f"{T}TransitionsGroups/{T}TransitionsGroup/*"):
        month = child_text(change, f"{T}Month") or ""
        to = kinds.get(child_text(change, f"{T}To"))
        if to == "Daylight" and month.isdecimal() and 1 <= int(month) <= 12:
            summer_from = int(month)
    return ZoneRules(offsets["Standard"], offsets.get("Daylight"), summer_from)


def _meeting(zone: etree._Element) -> ZoneRules | None:
    base = _duration(child_text(zone, f"{T}BaseOffset"))
    if base is None:
        return None
    standard = _duration(zone.findtext(f"{T}Standard/{T}Offset")) or timedelta()
    daylight = _duration(zone.findtext(f"{T}Daylight/{T}Offset"))
    month = zone.findtext(f"{T}Daylight/{T}RelativeYearlyRecurrence/{T}Month") or ""
    return ZoneRules(
        -(base + standard),
        -(base + daylight) if daylight is not None else None,
        month_number(month) if month in _MONTHS else None,
    )


def _duration(text: str | None) -> timedelta | None:
    match = _DURATION.fullmatch((text or "").strip())
    if match is None:
        return None
    days, hours, minutes, seconds = (int(number or 0) for number in match.groups()[1:])
    size = timedelta(days, seconds, 0, 0, minutes, hours)
    return -size if match[1] else size
