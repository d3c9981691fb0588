"""What the sandbox's CalDAV user has in their calendars, as various clients write it.

Times are relative to the day of seeding, so that they fall into the window that is synced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

Objects = dict[str, str]


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar to seed: its folder name, how it is shown, and what makes its objects."""

    slug: str
    name: str
    color: str
    timezone: str = ""
    events: Callable[[datetime], Objects] = lambda now: {}


_APPLE = "-//Apple Inc.//macOS 15.1//EN"
BERLIN = """\
BEGIN:VTIMEZONE
TZID:{tzid}
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
DTSTART:19810329T020000
TZNAME:CEST
TZOFFSETTO:+0200
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
DTSTART:19961027T030000
TZNAME:CET
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
"""


def wrap(prodid: str, *parts: str) -> str:
    """Make one iCalendar object of components, with the line ends of the standard."""
    text = "".join(part if part.endswith("\n") else part + "\n" for part in parts)
    whole = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:{prodid}\n{text}END:VCALENDAR\n"
    return "\r\n".join(_fold(line) for line in whole.splitlines()) + "\r\n"


def event(uid: str, *lines: str) -> str:
    """Make one VEVENT."""
    body = "\n".join(line for line in lines if line)
    return f"BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20260101T000000Z\n{body}\nEND:VEVENT\n"


def plain_event(uid: str, start: datetime, *lines: str) -> str:
    """Make an object with one half-hour event at an aware UTC time."""
    span = (
        f"DTSTART:{start:%Y%m%dT%H%M%SZ}",
        f"DTEND:{start + timedelta(minutes=30):%Y%m%dT%H%M%SZ}",
    )
    return wrap("-//Sandbox//EN", event(uid, *span, *(lines or (f"SUMMARY:Event {uid}",))))


def _fold(line: str) -> str:
    """Fold at 75 octets without splitting a character (RFC 5545 section 3.1)."""
    pieces, size = [""], 0
    for character in line:
        width = len(character.encode())
        if size + width > 75:
            pieces.append("")
            size = 1
        pieces[-1] += character
        size += width
    return "\r\n ".join(pieces)


def _at(day: date, clock: str) -> str:
    return f"{day:%Y%m%d}T{clock}00"


def _work(now: datetime) -> Objects:
    monday = now.date() - timedelta(days=now.weekday())
    return {**_apple(monday), **_outlook(monday)}


def _apple(monday: date) -> Objects:
    """What Apple's Calendar writes."""
    return {
        "stand-up.ics": wrap(_APPLE, BERLIN.format(tzid="Europe/Berlin"), *_stand_up(monday)),
        "called-off.ics": wrap(
            _APPLE,
            event(
                "called-off",
                f"DTSTART:{_at(monday + timedelta(days=3), '1000')}Z",
                f"DTEND:{_at(monday + timedelta(days=3), '1100')}Z",
                "STATUS:CANCELLED",
                "SUMMARY:Called off",
            ),
        ),
    }


def _stand_up(monday: date) -> tuple[str, str, str]:
    """A series with every kind of exception: the series itself, one moved, one cancelled."""
    third = monday + timedelta(days=14)
    zone = "TZID=Europe/Berlin"
    stand_up = event(
        "6E1B3A50-stand-up",
        f"DTSTART;{zone}:{_at(monday - timedelta(days=14), '0930')}",
        f"DTEND;{zone}:{_at(monday - timedelta(days=14), '0945')}",
        "RRULE:FREQ=WEEKLY;BYDAY=MO,WE",
        f"EXDATE;{zone}:{_at(monday, '0930')}",
        f"RDATE;{zone}:{_at(monday + timedelta(days=1), '1400')}",
        "SUMMARY:Stand-up",
        "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC",
        "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nDESCRIPTION:Reminder\nEND:VALARM",
    )
    moved = event(
        "6E1B3A50-stand-up",
        f"RECURRENCE-ID;{zone}:{_at(third, '0930')}",
        f"DTSTART;{zone}:{_at(third, '1100')}",
        f"DTEND;{zone}:{_at(third, '1115')}",
        "SUMMARY:Stand-up (later)",
    )
    dropped = event(
        "6E1B3A50-stand-up",
        f"RECURRENCE-ID;{zone}:{_at(third + timedelta(days=2), '0930')}",
        f"DTSTART;{zone}:{_at(third + timedelta(days=2), '0930')}",
        "DURATION:PT15M",
        "STATUS:CANCELLED",
        "SUMMARY:Stand-up",
    )
    return stand_up, moved, dropped


def _outlook(monday: date) -> Objects:
    """What Outlook writes: zones with Windows names, and its own idea of busy."""
    windows = "TZID=W. Europe Standard Time"
    return {
        "040000008200E00074C5B7101A82E008.ics": wrap(
            "-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN",
            BERLIN.format(tzid="W. Europe Standard Time"),
            event(
                "040000008200E00074C5B7101A82E008",
                f"DTSTART;{windows}:{_at(monday + timedelta(days=8), '1300')}",
                f"DTEND;{windows}:{_at(monday + timedelta(days=8), '1430')}",
                "SUMMARY:Quarterly review\\, finance",
                "LOCATION:Room 4; second floor".replace(";", "\\;"),
                "DESCRIPTION:Agenda:\\n1. Numbers\\n2. Questions from everybody who was not there"
                " last time\\n",
                "STATUS:TENTATIVE",
                "X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE",
                "ORGANIZER;CN=Grace:mailto:grace@partner.example",
                "ATTENDEE;CN=Ada;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:ada@sandbox.example",
            ),
        ),
        "away.ics": wrap(
            "-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN",
            event(
                "away",
                f"DTSTART;VALUE=DATE:{monday + timedelta(days=18):%Y%m%d}",
                f"DTEND;VALUE=DATE:{monday + timedelta(days=20):%Y%m%d}",
                "SUMMARY:Conference",
                "X-MICROSOFT-CDO-BUSYSTATUS:OOF",
            ),
        ),
    }


def _home(now: datetime) -> Objects:
    return {**_thunderbird(now.date()), **_phones(now.date())}


def _thunderbird(today: date) -> Objects:
    """What Thunderbird writes: zones behind a prefix."""
    mozilla = "TZID=/mozilla.org/20050126_1/Europe/Berlin"
    return {
        "dentist.ics": wrap(
            "-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN",
            BERLIN.format(tzid="/mozilla.org/20050126_1/Europe/Berlin"),
            event(
                "dentist",
                f"DTSTART;{mozilla}:{_at(today + timedelta(days=5), '0815')}",
                f"DTEND;{mozilla}:{_at(today + timedelta(days=5), '0900')}",
                "CLASS:PRIVATE",
                "SUMMARY:Dentist",
            ),
        ),
    }


def _phones(today: date) -> Objects:
    """What phones write: floating times, whole days, other scripts."""
    return {
        "run.ics": wrap(
            "+//IDN bitfire.at//DAVx5",
            event(
                "run",
                f"DTSTART:{_at(today + timedelta(days=1), '0700')}",
                "DURATION:PT45M",
                "SUMMARY:Morning run 🏃‍♀️ along the canal and back through the park if it is dry",
            ),
        ),
        "family.ics": wrap(
            "-//Apple Inc.//iOS 18.1//EN",
            event(
                "family",
                f"DTSTART;VALUE=DATE:{today + timedelta(days=9):%Y%m%d}",
                "SUMMARY:יום הולדת של אמא",
                "TRANSP:TRANSPARENT",
                "RRULE:FREQ=YEARLY",
            ),
        ),
        "bins (odd name).ics": wrap(
            "-//Sandbox//EN",
            event(
                "bins",
                f"DTSTART;VALUE=DATE:{today - timedelta(days=7):%Y%m%d}",
                f"DTEND;VALUE=DATE:{today - timedelta(days=6):%Y%m%d}",
                "RRULE:FREQ=WEEKLY;COUNT=8",
                f"EXDATE;VALUE=DATE:{today + timedelta(days=7):%Y%m%d}",
                "SUMMARY:Bins",
                "TRANSP:TRANSPARENT",
            ),
        ),
    }


def _imported(now: datetime) -> Objects:
    """What an export from Google brings."""
    day = now.date() + timedelta(days=4)
    prodid = "-//Google Inc//Google Calendar 70.9054//EN"
    return {
        "7kukuqrfedlm2f9t0vxk8r5d0c@google.com.ics": wrap(
            prodid,
            event(
                "7kukuqrfedlm2f9t0vxk8r5d0c@google.com",
                f"DTSTART:{_at(day, '1500')}Z",
                f"DTEND:{_at(day, '1600')}Z",
                "CREATED:20260301T101500Z",
                "LAST-MODIFIED:20260302T101500Z",
                "SUMMARY:Call with the reading group",
                "LOCATION:https://meet.google.com/abc-defg-hij",
                "X-GOOGLE-CONFERENCE:https://meet.google.com/abc-defg-hij",
                "STATUS:CONFIRMED",
                "TRANSP:OPAQUE",
            ),
        ),
        "new-york.ics": wrap(
            prodid,
            event(
                "new-york",
                f"DTSTART;TZID=America/New_York:{_at(day + timedelta(days=1), '0900')}",
                f"DTEND;TZID=America/New_York:{_at(day + timedelta(days=1), '1000')}",
                "RRULE:FREQ=DAILY;COUNT=3",
                "GEO:40.7128;-74.0060",
                "SUMMARY:Workshop",
            ),
        ),
    }


_ZONE = wrap("-//Sandbox//EN", BERLIN.format(tzid="Europe/Berlin"))
CALENDARS = (
    Calendar("work", "Work", "#1B6EF3FF", _ZONE, _work),
    Calendar("home", "Home & family", "#2FA84F", _ZONE, _home),
    Calendar("imported", "Imported", "#B03A8C", "", _imported),
)
