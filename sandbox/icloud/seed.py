"""The people of the stand-in, their calendars, and events in number."""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from .files import event, wrap
from .model import Calendar, Entry, Person, StoredObject
from .seed_events import Objects, compilers, grace_home, holidays, home, reading, reminders, work
from .state import ICloudState
from .timezones import definition

ADA, GRACE = "ada@icloud.calbroker.test", "grace@icloud.calbroker.test"
PASSWORD = "abcd-efgh-ijkl-mnop"
READING = "4D24C1F0-7A51-4B0E-9C35-61D0F2A8B7E3"
COMPILERS = "9B7E2A60-35D1-4F6C-8E0A-2C9D4471F5B8"
SUBSCRIBED = "E1A5D3C7-0B92-4C48-A6F4-7D3E58B1C026"

_LONDON, _NEW_YORK = "Europe/London", "America/New_York"


def sow(state: ICloudState) -> None:
    """Fill an empty state, relative to its clock and always the same."""
    with state.transaction():
        ada = Person(
            ADA,
            "123456789",
            "Ada Lovelace",
            _LONDON,
            aliases=["ada@lovelace.calbroker.test"],
            passwords={PASSWORD: "Calbroker", "mnbv-cxza-sdfg-hjkl": "Mail on the old laptop"},
        )
        grace = Person(
            GRACE,
            "987654321",
            "Grace Hopper",
            _NEW_YORK,
            partition=107,
            passwords={PASSWORD: "Calbroker", "qwer-tyui-opas-dfgh": "Contacts"},
        )
        for person in (ada, grace):
            state.world.people[person.email] = person
        _ada(state, ada, grace)
        _grace(state, ada, grace)


def _ada(state: ICloudState, ada: Person, grace: Person) -> None:
    today = state.now().date()
    _own(state, ada, "home", "Home", "#1BADF8FF", home(today))
    _own(state, ada, "work", "Work", "#CC73E1FF", work(today))
    shared = _own(state, ada, READING, "Reading group", "#63DA38FF", reading(today))
    shared.shared = True
    grace.home[READING] = Entry(shared.id, "write", "#FF9500FF", 7)
    public = Calendar(SUBSCRIBED, "UK Holidays", _LONDON, "")
    _fill(state, public, holidays(today))
    ada.home[SUBSCRIBED] = Entry(public.id, "read", "#FFCC00FF", 5, subscribed=True)


def _grace(state: ICloudState, ada: Person, grace: Person) -> None:
    today = state.now().date()
    own = dict(grace.home)
    grace.home.clear()
    _own(state, grace, "home", "Home", "#FF2968FF", grace_home(today))
    shared = _own(state, grace, COMPILERS, "Compilers", "#34AADCFF", compilers(today))
    shared.shared = True
    grace.home |= own
    ada.home[COMPILERS] = Entry(shared.id, "read", "#A2845EFF", 6)
    for person in (ada, grace):
        tasks = _own(state, person, "tasks", "Reminders ⚠️", "#FF9500FF", {})
        tasks.kind = "VTODO"
        _fill(state, tasks, reminders(today))


def _own(
    state: ICloudState, person: Person, segment: str, name: str, color: str, objects: Objects
) -> Calendar:
    calendar = Calendar(f"{person.dsid}/{segment}", name, person.time_zone, person.dsid)
    person.home[segment] = Entry(calendar.id, "owner", color, len(person.home) + 1)
    _fill(state, calendar, objects)
    return calendar


def _fill(state: ICloudState, calendar: Calendar, objects: Objects) -> None:
    state.world.calendars[calendar.id] = calendar
    state.touch(calendar)
    for name, text in objects.items():
        state.put(calendar, name, text)


def add_generated(state: ICloudState, email: str, count: int, segment: str) -> int:
    """Add `count` plain events to a calendar, from 40 days back to 200 ahead.

    Every tenth is a whole day. Returns how many objects there are now. Raises KeyError when
    there is no such person or calendar.
    """
    handle = state.person(email)
    with state.transaction():
        calendar = handle.calendar(segment)
        offset = len(calendar.objects)
        # Always the same events for the same state: benchmarks compare like with like.
        draw = random.Random(offset)  # noqa: S311 - not for secrets
        name = calendar.time_zone
        timed = _template(
            definition(name), f"DTSTART;TZID={name}:{{start}}", f"DTEND;TZID={name}:{{end}}"
        )
        whole = _template("", "DTSTART;VALUE=DATE:{start}", "DTEND;VALUE=DATE:{end}")
        here = state.now().astimezone(ZoneInfo(name))
        today = here.replace(hour=0, minute=0, second=0, microsecond=0)
        for number in range(offset, offset + count):
            template = whole if number % 10 == 9 else timed
            state.keep(calendar, _generated(template, number, today, draw, template is whole))
        return len(calendar.objects)


def _template(zone: str, *times: str) -> str:
    """Return what all generated events have in common, folded; the places keep lines short."""
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:Reminder\nTRIGGER:-PT15M\nEND:VALARM"
    made = event(
        "{uid}",
        *times,
        "SUMMARY:Generated event {number}",
        "DESCRIPTION:Made to measure with.",
        "LOCATION:Room {room}",
        "LAST-MODIFIED:20260901T080000Z",
        "SEQUENCE:0",
        "TRANSP:OPAQUE",
        "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC",
        alarm,
    )
    return wrap(*([zone] if zone else []), made)


def _generated(
    template: str, number: int, today: datetime, draw: random.Random, whole: bool
) -> StoredObject:
    start = today + timedelta(minutes=15 * draw.randrange(-40 * 96, 200 * 96 - 8))
    end = start + timedelta(minutes=draw.choice((15, 30, 45, 60, 90)))
    form = "%Y%m%dT%H%M%S"
    if whole:
        start, form = start.replace(hour=0, minute=0), "%Y%m%d"
        end = start + timedelta(days=1)
    uid = str(uuid.UUID(int=draw.getrandbits(128), version=4)).upper()
    data = template.format(
        uid=uid,
        number=number,
        room=number % 40,
        start=start.strftime(form),
        end=end.strftime(form),
    )
    low_s, high_s = int(start.timestamp()), int(end.timestamp())
    return StoredObject(f"{uid}.ics", uid, data, 0, low_s, high_s, True)
