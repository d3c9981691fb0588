"""The events that people begin with: every kind a real calendar holds, placed around now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from .model import Person
from .recurrence import Series
from .state import PersonHandle

Change = Callable[[PersonHandle, str], object]


@dataclass
class Sown:
    """An event to insert, and what happens to it afterwards."""

    body: dict[str, Any]
    afterwards: list[Change] = field(default_factory=list)


class _Days:
    """Makes start and end fields, `day` counted from the Monday of this week."""

    def __init__(self, now: datetime, zone_name: str) -> None:
        local = now.astimezone(ZoneInfo(zone_name)).date()
        self.monday = local - timedelta(days=local.weekday())
        self.zone_name = zone_name

    def timed(self, day: int, clock: str, minutes: int) -> dict[str, Any]:
        hour, minute = map(int, clock.split(":"))
        date = self.monday + timedelta(days=day)
        zone = ZoneInfo(self.zone_name)
        start = datetime(date.year, date.month, date.day, hour, minute, tzinfo=zone)
        end = (start.astimezone(UTC) + timedelta(minutes=minutes)).astimezone(zone)
        return {
            "start": {"dateTime": start.isoformat(), "timeZone": self.zone_name},
            "end": {"dateTime": end.isoformat(), "timeZone": self.zone_name},
        }

    def whole(self, day: int, days: int = 1) -> dict[str, Any]:
        start = self.monday + timedelta(days=day)
        end = start + timedelta(days=days)
        return {"start": {"date": start.isoformat()}, "end": {"date": end.isoformat()}}


def personal_events(now: datetime, person: Person, colleague: str) -> list[Sown]:
    """Return what goes into a person's primary calendar."""
    days = _Days(now, person.time_zone)
    return [
        *_meetings(days, person, colleague),
        *_series(days),
        *_days_off(days),
        *_special(days),
        *_errands(days),
    ]


def team_events(now: datetime, person: Person) -> list[Sown]:
    """Return what goes into a person's team calendar."""
    days = _Days(now, person.time_zone)
    return [
        Sown({"summary": "Release freeze", **days.whole(10, 3)}),
        Sown({"summary": "Retrospective", "location": "Library", **days.timed(4, "15:00", 60)}),
        Sown(
            {
                "summary": "Team lunch",
                "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=WE"],
                **days.timed(-19, "12:30", 60),
            }
        ),
    ]


def _meetings(days: _Days, person: Person, colleague: str) -> list[Sown]:
    guests = [{"email": colleague}, {"email": "charles@analytical.example", "optional": True}]
    invited_me = [{"email": person.email, "responseStatus": "accepted"}, {"email": colleague}]
    meet = {
        "createRequest": {
            "requestId": "seeded",
            "conferenceSolutionKey": {"type": "hangoutsMeet"},
        }
    }
    return [
        Sown({"summary": "Design review", "attendees": guests, **days.timed(1, "10:00", 60)}),
        Sown(
            {
                "summary": "Demo for the board",
                "attendees": invited_me,
                "location": "Board room, 3rd floor",
                "description": "<b>Agenda</b><br>Numbers, plans, questions",
                **days.timed(3, "14:00", 90),
            }
        ),
        Sown(
            {"summary": "Call with Charles", "conferenceData": meet, **days.timed(2, "16:00", 30)}
        ),
        Sown(
            {
                "summary": "Vendor pitch",
                "iCalUID": "pitch@vendor.example",
                "organizer": {"email": "sales@vendor.example"},
                "attendees": [{"email": person.email}, {"email": "sales@vendor.example"}],
                **days.timed(8, "11:00", 45),
            },
            [_decline],
        ),
        Sown(
            {"summary": "Maybe: conference talk", "status": "tentative"}
            | days.timed(9, "9:00", 120)
        ),
        Sown({"summary": "1:1", "visibility": "private", **days.timed(0, "13:00", 30)}),
        Sown({"summary": "Interview", "visibility": "private"} | days.timed(11, "10:30", 45)),
    ]


def _decline(handle: PersonHandle, event_id: str) -> None:
    email = handle.person.email
    held = next(e for e in handle.events() if e["id"] == event_id)
    guests = [
        {**guest, "responseStatus": "declined"} if guest["email"] == email else guest
        for guest in held["attendees"]
    ]
    handle.update_event(event_id, attendees=guests)


def _series(days: _Days) -> list[Sown]:
    return [
        Sown(
            {
                "summary": "Stand-up",
                "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=MO"],
                **days.timed(-14, "9:30", 15),
            },
            [_move_one, _cancel_one],
        ),
        Sown(
            {
                "summary": "Payday",
                "recurrence": ["RRULE:FREQ=MONTHLY;BYMONTHDAY=25"],
                "transparency": "transparent",
                **days.whole(-30),
            }
        ),
        Sown(
            {
                "summary": "Piano lesson 🎹",
                "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=10"],
                **days.timed(4, "18:00", 45),
            }
        ),
    ]


def _occurrence_ids(handle: PersonHandle, event_id: str) -> list[str]:
    master = next(e for e in handle.events() if e["id"] == event_id)
    series = Series(master, handle.person.time_zone)
    begin = datetime.fromisoformat(master["start"]["dateTime"])
    return [one.id for one in series.between(None, begin + timedelta(days=60))]


def _move_one(handle: PersonHandle, event_id: str) -> None:
    third = _occurrence_ids(handle, event_id)[2]
    days = _Days(handle.now(), handle.person.time_zone)
    handle.update_event(third, summary="Stand-up (moved)", **days.timed(1, "9:00", 15))


def _cancel_one(handle: PersonHandle, event_id: str) -> None:
    handle.delete_event(_occurrence_ids(handle, event_id)[4])


def _days_off(days: _Days) -> list[Sown]:
    return [
        Sown({"summary": "Moving house", **days.whole(19)}),
        Sown({"summary": "Holiday in Torquay 🏖️", **days.whole(28, 7)}),
        Sown({"summary": "Mother’s birthday", "transparency": "transparent", **days.whole(12)}),
    ]


def _special(days: _Days) -> list[Sown]:
    away = {"autoDeclineMode": "declineOnlyNewConflictingInvitations", "declineMessage": "Away"}
    focus = {"autoDeclineMode": "declineNone", "chatStatus": "doNotDisturb"}
    home = {"type": "homeOffice", "homeOffice": {}}
    return [
        Sown(
            {
                "summary": "Out of office",
                "eventType": "outOfOffice",
                "outOfOfficeProperties": away,
                **days.timed(17, "9:00", 480),
            }
        ),
        Sown(
            {
                "summary": "Focus time",
                "eventType": "focusTime",
                "focusTimeProperties": focus,
                **days.timed(2, "9:00", 120),
            }
        ),
        Sown(
            {
                "summary": "Home",
                "eventType": "workingLocation",
                "workingLocationProperties": home,
                "transparency": "transparent",
                "visibility": "public",
                **days.whole(3),
            }
        ),
    ]


def _errands(days: _Days) -> list[Sown]:
    plain = [
        ("Dentist", 5, "8:30", 45, "12 Harley Street"),
        ("Coffee with Mary ☕", 0, "15:30", 45, "Corner café"),
        ("פגישה עם רות", 1, "12:00", 60, "תל אביב"),
        ("اجتماع الفريق", 7, "11:00", 30, ""),
        ("書類の確認", 8, "15:00", 30, ""),
        ("Train to Bath", 15, "7:48", 92, "Paddington, platform 4"),
        ("School play", 14, "18:30", 120, "St Mary’s hall"),
        ("Write the quarterly report", -3, "10:00", 180, ""),
        ("Budget round", -6, "14:00", 60, "Room 4"),
        ("Gym 💪", -1, "7:00", 60, ""),
        ("Night shift hand-over", 6, "23:30", 60, ""),
        ("Haircut", 20, "17:15", 30, ""),
    ]
    made = [
        Sown({"summary": title, **({"location": place} if place else {}), **days.timed(day, at, m)})
        for title, day, at, m, place in plain
    ]
    reading = {"summary": "Reading hour", "transparency": "transparent"}
    return [*made, Sown(reading | days.timed(10, "16:00", 60)), Sown(days.timed(16, "13:00", 30))]
