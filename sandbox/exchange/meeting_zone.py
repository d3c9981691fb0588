"""Time zones written out in full: MeetingTimeZone of 2007, and TimeZoneDefinition."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from xml.sax.saxutils import quoteattr

from . import zones
from .soap import Element, Refused, T, tag

_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_INDEXES = ("First", "Second", "Third", "Fourth", "Last")


@dataclass(frozen=True)
class Turn:
    """A change of the clocks: at which wall time, on which day, to which distance from UTC."""

    wall: datetime
    before: timedelta
    after: timedelta

    @property
    def weekday(self) -> str:
        """The day of the week."""
        return _WEEK[self.wall.weekday()]

    @property
    def index(self) -> int:
        """Which of its weekdays in the month, from 1; 5 is the last."""
        next_week = self.wall + timedelta(days=7)
        return 5 if next_week.month != self.wall.month else (self.wall.day - 1) // 7 + 1


def turns(name: str, year: int) -> list[Turn]:
    """Return the changes of the clocks in a year, none or two."""
    zone, found = zones.zone(name), []

    def offset(at: datetime) -> timedelta:
        return at.astimezone(zone).utcoffset() or timedelta()

    for day in range(366):
        at = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day)
        if offset(at) == offset(at + timedelta(days=1)):
            continue
        hours = (at + timedelta(hours=hour) for hour in range(1, 25))
        turned = next(later for later in hours if offset(later) != offset(at))
        found.append(Turn((turned + offset(at)).replace(tzinfo=None), offset(at), offset(turned)))
    return found


@lru_cache(maxsize=256)
def _year(name: str, year: int) -> tuple[timedelta, Turn | None, Turn | None]:
    """Return standard offset (east positive), the turn to standard time and that to summer."""
    found = turns(name, year)
    if len(found) != 2:
        offset = datetime(year, 7, 1, tzinfo=zones.zone(name)).utcoffset() or timedelta()
        return offset, None, None
    summer, winter = sorted(found, key=lambda turn: turn.after, reverse=True)
    return winter.after, winter, summer


@lru_cache(maxsize=256)
def _meeting_zone(name: str, year: int) -> str:
    base, winter, summer = _year(name, year)
    inside = f"<t:BaseOffset>{zones.period(-base)}</t:BaseOffset>"
    for element, turn in (("Standard", winter), ("Daylight", summer)):
        if turn is None:
            continue
        inside += (
            f'<t:{element} TimeZoneName="{element}">'
            f"<t:Offset>{zones.period(base - turn.after)}</t:Offset>"
            f"<t:RelativeYearlyRecurrence>{tag('DaysOfWeek', turn.weekday)}"
            f"{tag('DayOfWeekIndex', _INDEXES[turn.index - 1])}"
            f"{tag('Month', turn.wall.strftime('%B'))}</t:RelativeYearlyRecurrence>"
            f"{tag('Time', turn.wall.strftime('%H:%M:%S'))}</t:{element}>"
        )
    return f"<t:MeetingTimeZone TimeZoneName={quoteattr(name)}>{inside}</t:MeetingTimeZone>"


def meeting_time_zone(name: str, at_s: int) -> str:
    """Write a zone as 2007 does, by the rules of the year of *at_s*."""
    return _meeting_zone(name, datetime.fromtimestamp(at_s, UTC).year)


def read_meeting_zone(element: Element, year: int) -> str:
    """Return the Windows zone that a MeetingTimeZone describes. Raises Refused when none does."""
    name = element.get("TimeZoneName", "")
    if name in zones.NAMES:
        return name
    wanted = _signature(element)
    for candidate in zones.NAMES:
        base, winter, summer = _year(candidate, year)
        made: list[object] = [base]
        for turn in (winter, summer):
            made += [turn.wall.month, turn.weekday] if turn else []
        if made == wanted:
            return candidate
    raise Refused("ErrorCalendarInvalidTimeZone")


def _signature(element: Element) -> list[object]:
    """Return base offset, and month and weekday of both changes."""
    base = _parsed(element.findtext(f"{T}BaseOffset") or "PT0M")
    found: list[object] = []
    for name in ("Standard", "Daylight"):
        rule = element.find(f"{T}{name}/{T}RelativeYearlyRecurrence")
        if rule is not None:
            month = datetime.strptime(rule.findtext(f"{T}Month") or "January", "%B").month
            found += [month, rule.findtext(f"{T}DaysOfWeek")]
        if name == "Standard":
            base += _parsed(element.findtext(f"{T}Standard/{T}Offset") or "PT0M")
    return [-base, *found]


def _parsed(text: str) -> timedelta:
    sign, digits = (-1 if text.startswith("-") else 1), text.lstrip("-").removeprefix("PT")
    hours, _, rest = digits.partition("H") if "H" in digits else ("0", "", digits)
    minutes = rest.partition("M")[0] if "M" in rest else "0"
    return sign * timedelta(hours=int(hours), minutes=int(minutes))


def definition(name: str, year: int) -> str:
    """Write a zone in full, as GetServerTimeZones does."""
    base, winter, summer = _year(name, year)
    shown = zones.NAMES[name][1]
    periods = _period(base, "Standard")
    transitions = '<t:Transition><t:To Kind="Group">0</t:To></t:Transition>'
    group = '<t:Transition><t:To Kind="Period">trule:Standard</t:To></t:Transition>'
    if winter and summer:
        periods += _period(summer.after, "Daylight")
        group = _turned(summer, "Daylight") + _turned(winter, "Standard")
    return (
        f"<t:TimeZoneDefinition Id={quoteattr(name)} Name={quoteattr(shown)}>"
        f"<t:Periods>{periods}</t:Periods>"
        f'<t:TransitionsGroups><t:TransitionsGroup Id="0">{group}</t:TransitionsGroup>'
        f"</t:TransitionsGroups><t:Transitions>{transitions}</t:Transitions>"
        "</t:TimeZoneDefinition>"
    )


def _period(offset: timedelta, name: str) -> str:
    return f'<t:Period Bias="{zones.period(-offset)}" Name="{name}" Id="trule:{name}"/>'


def _turned(turn: Turn, name: str) -> str:
    index = -1 if turn.index == 5 else turn.index
    return (
        f'<t:RecurringDayTransition><t:To Kind="Period">trule:{name}</t:To>'
        f"{tag('TimeOffset', f'PT{turn.wall.hour}H')}{tag('Month', turn.wall.month)}"
        f"{tag('DayOfWeek', turn.weekday)}{tag('Occurrence', index)}</t:RecurringDayTransition>"
    )
