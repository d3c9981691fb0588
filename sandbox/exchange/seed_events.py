"""What people have in their calendars, as Outlook and their colleagues write it.

Times are relative to the day of sowing, so that they fall into the window that is synced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from . import zones
from .accounts import DOMAIN
from .fragments import mailbox
from .model import Change
from .soap import tag

_DAY = timedelta(days=1)
_WEEK = "Monday Tuesday Wednesday Thursday Friday"

_AGENDA = (
    '<t:Body BodyType="HTML">&lt;html&gt;&lt;body&gt;&lt;p&gt;Agenda&lt;/p&gt;'
    "&lt;p&gt;Drums &amp;amp; cards&lt;/p&gt;&lt;/body&gt;&lt;/html&gt;</t:Body>"
)


@dataclass
class Event:
    """One item: its elements, and what happened to some occurrences, by wall time."""

    xml: str
    deleted: list[datetime] = field(default_factory=list)
    changes: dict[datetime, Callable[[str], Change]] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    """What only the server writes."""


def _at(day: date, clock: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock))


def _timed(subject: str, day: date, start: str, end: str, before: str = "", after: str = "") -> str:
    """Write a timed item; *before* and *after* are elements before Start and after End."""
    span = tag("Start", _at(day, start).isoformat()) + tag("End", _at(day, end).isoformat())
    return tag("Subject", subject) + before + span + after


def _days(subject: str, first: date, last: date, after: str = "") -> str:
    start, end = _at(first, "00:00"), _at(last + _DAY, "00:00")
    span = tag("Start", start.isoformat()) + tag("End", end.isoformat())
    return tag("Subject", subject) + span + tag("IsAllDayEvent", True) + after


def _weekly(first: date, days: str, interval: int = 1, count: int = 0) -> str:
    pattern = f"{tag('Interval', interval)}{tag('DaysOfWeek', days)}"
    start = tag("StartDate", first.isoformat())
    ends = f"<t:NoEndRecurrence>{start}</t:NoEndRecurrence>"
    if count:
        number = tag("NumberOfOccurrences", count)
        ends = f"<t:NumberedRecurrence>{start}{number}</t:NumberedRecurrence>"
    inside = f"<t:WeeklyRecurrence>{pattern}</t:WeeklyRecurrence>{ends}"
    return f"<t:Recurrence>{inside}</t:Recurrence>"


def _people(*people: tuple[str, str]) -> str:
    inside = "".join(f"<t:Attendee>{mailbox(*one)}</t:Attendee>" for one in people)
    return f"<t:RequiredAttendees>{inside}</t:RequiredAttendees>"


def _changed(start: datetime, end: datetime, subject: str) -> Callable[[str], Change]:
    def made(zone: str) -> Change:
        return Change(
            zones.from_wall(start, zone),
            zones.from_wall(end, zone),
            {"Subject": tag("Subject", subject)},
        )

    return made


def _monday(today: date) -> date:
    return today - timedelta(days=today.weekday())


def _standup(monday: date) -> Event:
    """Return a series with one occurrence that differs and one that is gone, next week."""
    standup = _at(monday + 7 * _DAY, "09:15")
    return Event(
        _timed(
            "Daily stand-up",
            monday - 14 * _DAY,
            "09:15",
            "09:30",
            after=_weekly(monday - 14 * _DAY, _WEEK),
        ),
        deleted=[standup + _DAY],
        changes={
            standup + 2 * _DAY: _changed(
                standup + 2 * _DAY + timedelta(hours=2),
                standup + 2 * _DAY + timedelta(hours=2, minutes=45),
                "Daily stand-up (long)",
            )
        },
    )


def ada(today: date) -> list[Event]:
    """Ada's own calendar."""
    monday = _monday(today)
    grace, bo = ("Grace Hopper", f"grace@{DOMAIN}"), ("Bo", "bo@fabrikam.test")
    invited = f"<t:Organizer>{mailbox(*grace)}</t:Organizer>"
    return [
        Event(
            _timed(
                "Engine review; drums & cards",
                today + _DAY,
                "10:00",
                "11:30",
                _AGENDA,
                tag("Location", "Room 4") + _people(grace, bo),
            )
        ),
        _standup(monday),
        Event(_days("Holiday in Ockham", today + 9 * _DAY, today + 12 * _DAY, _busy("OOF"))),
        Event(_timed("Dentist", today + 3 * _DAY, "15:00", "15:45", _private())),
        Event(_timed("Lunch", today + 2 * _DAY, "12:30", "13:30", after=_busy("Free"))),
        Event(
            _timed(
                "Compiler steering group",
                today + 4 * _DAY,
                "14:00",
                "15:00",
                after=_busy("Tentative"),
            ),
            fields={
                "Organizer": invited,
                "MyResponseType": tag("MyResponseType", "NoResponseReceived"),
            },
        ),
        Event(_timed("פגישה עם רות", today + 5 * _DAY, "11:00", "12:00")),
        Event(_timed("Night shift", today + 6 * _DAY, "22:00", "23:59")),
    ]


def _busy(status: str) -> str:
    return tag("LegacyFreeBusyStatus", status)


def _private() -> str:
    return tag("Sensitivity", "Private")


def side_calendar(today: date) -> list[Event]:
    """A second calendar of Ada's."""
    return [
        Event(_timed("Brass delivery", today + _DAY, "08:00", "09:00")),
        Event(
            _timed(
                "Oil the mill",
                _monday(today),
                "17:00",
                "17:30",
                after=_weekly(_monday(today), "Friday", 2, 10),
            )
        ),
    ]


def grace(today: date) -> list[Event]:
    """Grace's calendar."""
    monday = _monday(today)
    return [
        Event(_timed("Nanoseconds, a lecture", today + 2 * _DAY, "13:00", "14:00")),
        Event(
            _timed("Navy call", monday, "08:00", "08:30", after=_weekly(monday, "Tuesday Thursday"))
        ),
        Event(_days("Conference", today + 5 * _DAY, today + 6 * _DAY)),
    ]


def alan(today: date) -> list[Event]:
    """Alan's calendar."""
    return [Event(_timed("Running", today + _DAY, "07:00", "08:00"))]


def room(today: date) -> list[Event]:
    """A room's bookings, with the organiser's name as subject as rooms have it."""
    return [Event(_timed("Ada Lovelace", today + _DAY, "10:00", "11:30"))]
