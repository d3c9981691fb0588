"""What people have in their calendars, as Apple's devices and their correspondents write it.

Times are relative to the day of sowing, so that they fall into the window that is synced.
"""

from __future__ import annotations

import uuid
from datetime import date, timedelta

from .files import IOS, days, event, summary, wrap
from .timezones import definition

Objects = dict[str, str]

_LONDON, _NEW_YORK = "Europe/London", "America/New_York"
_ADA = "mailto:ada@icloud.calbroker.test"
_ALARM = (
    "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:Reminder\nTRIGGER:-PT15M\n"
    "UID:5C0FA3B1-4C0B-4E55-8E5C-1D3B7A9E2F60\nX-WR-ALARMUID:5C0FA3B1-4C0B-4E55-8E5C-1D3B7A9E2F60\n"
    "END:VALARM"
)
_PLACE = (
    'X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-ADDRESS="Euston Road 96\\nLondon";'
    'X-APPLE-RADIUS=70.5;X-TITLE="British Library":geo:51.529972,-0.127676 '
)


def _uid(text: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, text)).upper()


def _at(day: date, clock: str, name: str = "DTSTART", zone: str = _LONDON) -> str:
    return f"{name};TZID={zone}:{day:%Y%m%d}T{clock}00"


def _between(day: date, start: str, end: str, zone: str = _LONDON) -> tuple[str, str]:
    return _at(day, start, zone=zone), _at(day, end, "DTEND", zone)


def _monday(today: date) -> date:
    return today - timedelta(days=today.weekday())


def _single(key: str, zone: str, *lines: str, prodid: str = IOS) -> Objects:
    """Make one object of one event, named by its UID as Apple does."""
    uid = _uid(key)
    zones = (definition(zone),) if zone else ()
    return {f"{uid}.ics": wrap(*zones, event(uid, *lines), prodid=prodid)}


def home(today: date) -> Objects:
    """Ada's own calendar."""
    library, run = today + timedelta(days=2), today + timedelta(days=1)
    return {
        **_single(
            "library",
            _LONDON,
            *_between(library, "1000", "1230"),
            summary("Library, reading room"),
            "LOCATION:British Library\\nEuston Road 96\\, London",
            _PLACE,
            "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC",
            "DTSTAMP:20260902T101500Z",
            "TRANSP:OPAQUE",
            _ALARM,
        ),
        **_single(
            "run",
            "",
            f"DTSTART:{run:%Y%m%d}T070000",
            "DURATION:PT45M",
            summary("Morning run 🏃‍♀️ along the canal, and back through the park if it is dry"),
        ),
        **_single(
            "holiday",
            "",
            *days(today + timedelta(days=20), today + timedelta(days=26)),
            summary("Ski week ⛷"),
            "TRANSP:OPAQUE",
        ),
        **_single(
            "ruth",
            _LONDON,
            *_between(today + timedelta(days=4), "1830", "2000"),
            summary("פגישה עם רות"),
        ),
        **_birthday(today),
        **_custom_zone(today),
    }


def _birthday(today: date) -> Objects:
    """A series that is older than the epoch, in a file whose name needs encoding."""
    born = today.replace(year=today.year - 80, day=min(today.day, 28))
    lines = (*days(born, born), "RRULE:FREQ=YEARLY", summary("Geburtstag Oma"))
    made = event("1B2C7D50-geburtstag", *lines, "TRANSP:TRANSPARENT")
    return {"Geburtstag Oma (alt).ics": wrap(made)}


def _custom_zone(today: date) -> Objects:
    """What a Mac writes for an offset without a place."""
    zone = (
        "BEGIN:VTIMEZONE\nTZID:GMT+0530\nBEGIN:STANDARD\nDTSTART:19700101T000000\n"
        "TZNAME:GMT+5:30\nTZOFFSETFROM:+0530\nTZOFFSETTO:+0530\nEND:STANDARD\nEND:VTIMEZONE"
    )
    uid, day = _uid("call"), today + timedelta(days=6)
    made = event(uid, *_between(day, "1500", "1530", "GMT+0530"), summary("Call with Bengaluru"))
    return {f"{uid}.ics": wrap(zone, made)}


def work(today: date) -> Objects:
    """Ada's meetings: a series with exceptions, invitations, and one called off."""
    monday = _monday(today)
    return {
        **_stand_up(monday),
        **_invitations(today),
        **_outlook(today),
        **_single(
            "called-off",
            _LONDON,
            *_between(today + timedelta(days=3), "1400", "1500"),
            summary("Called off"),
            "STATUS:CANCELLED",
        ),
        **_single(
            "focus",
            _LONDON,
            *_between(today + timedelta(days=1), "1300", "1600"),
            summary("Focus: engine notes"),
            "CLASS:PRIVATE",
            "STATUS:CONFIRMED",
            "URL:https://notes.calbroker.test/engine",
        ),
    }


def _stand_up(monday: date) -> Objects:
    """A series since before the last change of clocks: one dropped, one moved, one renamed."""
    uid, first = _uid("stand-up"), monday - timedelta(weeks=10)
    moved, renamed = monday + timedelta(days=9), monday + timedelta(days=14)
    master = event(
        uid,
        *_between(first, "0930", "0945"),
        "RRULE:FREQ=WEEKLY;BYDAY=MO,WE",
        _at(monday + timedelta(days=7), "0930", "EXDATE"),
        summary("Stand-up"),
        "SEQUENCE:2",
        _ALARM,
    )
    overrides = (
        event(
            uid,
            _at(moved, "0930", "RECURRENCE-ID"),
            *_between(moved, "1130", "1145"),
            summary("Stand-up (later)"),
        ),
        event(
            uid,
            _at(renamed, "0930", "RECURRENCE-ID"),
            *_between(renamed, "0930", "1030"),
            summary("Stand-up and demo"),
        ),
    )
    return {f"{uid}.ics": wrap(definition(_LONDON), master, *overrides)}


def _invitations(today: date) -> Objects:
    """From outside: accepted, declined, and one occurrence of a series without the series."""
    guest = f"ATTENDEE;CN=Ada Lovelace;CUTYPE=INDIVIDUAL;EMAIL={_ADA[7:]};PARTSTAT="
    organizer = "ORGANIZER;CN=Charles Babbage:mailto:charles@engine.example"
    review, pitch, orphan = (today + timedelta(days=n) for n in (2, 5, 8))
    return {
        **_single(
            "review",
            _LONDON,
            *_between(review, "1500", "1600"),
            summary("Engine review; drums & cards"),
            organizer,
            f"{guest}ACCEPTED:{_ADA}",
            "ATTENDEE;CN=Charles Babbage;PARTSTAT=ACCEPTED:mailto:charles@engine.example",
            "STATUS:CONFIRMED",
        ),
        **_single(
            "pitch",
            _LONDON,
            *_between(pitch, "1100", "1130"),
            summary("Vendor pitch"),
            organizer,
            f"{guest}DECLINED:{_ADA}",
        ),
        **_single(
            "orphan",
            _LONDON,
            _at(orphan, "1600", "RECURRENCE-ID"),
            *_between(orphan, "1700", "1800"),
            summary("Society council, as guest"),
            organizer,
            f"{guest}NEEDS-ACTION;RSVP=TRUE:{_ADA}",
        ),
    }


def _outlook(today: date) -> Objects:
    """What Outlook sends: a zone with a Windows name."""
    name, uid, day = "W. Europe Standard Time", "040000008200E00074C5B7101A82E008", today
    zone = definition("Europe/Berlin").replace("Europe/Berlin", name)
    made = event(
        uid,
        *_between(day + timedelta(days=10), "1300", "1430", name),
        summary("Quarterly numbers"),
        "STATUS:TENTATIVE",
        "X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE",
    )
    prodid = "-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN"
    return {f"{uid}.ics": wrap(zone, made, prodid=prodid)}


def reading(today: date) -> Objects:
    """A calendar that Ada shares with Grace."""
    day = _monday(today) + timedelta(days=3)
    return _single(
        "reading",
        _LONDON,
        *_between(day, "1900", "2030"),
        "RRULE:FREQ=MONTHLY;BYDAY=4TH;COUNT=12",
        summary("Reading group"),
    )


def compilers(today: date) -> Objects:
    """A calendar that Grace shares with Ada, to read."""
    day = today + timedelta(days=3)
    return _single(
        "compilers", _NEW_YORK, *_between(day, "0900", "1000", _NEW_YORK), summary("A-0 review")
    )


def grace_home(today: date) -> Objects:
    """Grace's own calendar."""
    day = today + timedelta(days=1)
    lines = _between(day, "1200", "1300", _NEW_YORK)
    return {
        **_single("lunch", _NEW_YORK, *lines, summary("Lunch with Howard")),
        **_single(
            "navy",
            "",
            *days(today + timedelta(days=12), today + timedelta(days=12)),
            summary("Navy Day"),
        ),
    }


def holidays(today: date) -> Objects:
    """A subscription: whole days without a mark of being free."""
    made: Objects = {}
    for year in (today.year, today.year + 1):
        for month, day, name in ((1, 1, "New Year’s Day"), (12, 25, "Christmas Day")):
            at = date(year, month, day)
            made |= _single(f"{name} {year}", "", *days(at, at), summary(name))
    return made


def reminders(today: date) -> Objects:
    """What is left of Reminders in CalDAV."""
    uid = _uid(f"todo {today:%Y}")
    due = f"DUE;VALUE=DATE:{today + timedelta(days=2):%Y%m%d}"
    return {f"{uid}.ics": wrap(event(uid, due, summary("Post the letter"), kind="VTODO"))}
