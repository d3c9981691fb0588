"""The people of the sandbox, their calendars, and the client that is registered."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta

from .model import Calendar, Client, ListEntry, Person, Resource
from .seed_events import personal_events, team_events
from .state import GoogleState
from .times import stamp

CLIENT_ID = "sandbox-google.apps.googleusercontent.com"
CLIENT_SECRET = "sandbox-google-secret"
CALLBACK = "/connect/google/callback"

ADA, GRACE, ALAN = "ada@calbroker.test", "grace@calbroker.test", "alan@calbroker.test"

TEAM = {
    ADA: ("c_analytical@group.calendar.google.com", "Analytical Engine team"),
    GRACE: ("c_compilers@group.calendar.google.com", "Compilers team"),
    ALAN: ("c_bombe@group.calendar.google.com", "Hut 8"),
}
_HOLIDAYS = {
    ADA: ("en.uk#holiday@group.v.calendar.google.com", "Holidays in United Kingdom"),
    GRACE: ("en.usa#holiday@group.v.calendar.google.com", "Holidays in United States"),
    ALAN: ("en.german#holiday@group.v.calendar.google.com", "Holidays in Germany"),
}
_SHARES_WITH = {ADA: GRACE, GRACE: ALAN, ALAN: ADA}
"""Whose primary calendar each person may see as free or busy."""


def sow(state: GoogleState) -> None:
    """Fill an empty state, relative to its clock and always the same."""
    with state.transaction():
        for person in _people():
            state.world.people[person.email] = person
        client = _client()
        state.world.clients[client.client_id] = client
        for person in state.world.people.values():
            _calendars(state, person)
        for person in state.world.people.values():
            _subscriptions(state, person)
        for email in state.world.people:
            _events(state, email)


def _people() -> list[Person]:
    return [
        Person(ADA, "100000000000000000001", "Ada", "Lovelace", "Europe/London"),
        Person(
            GRACE,
            "100000000000000000002",
            "Grace",
            "Hopper",
            "America/New_York",
            hd="calbroker.test",
        ),
        Person(ALAN, "100000000000000000003", "Alan", "Turing", "Europe/Berlin"),
    ]


def _client() -> Client:
    hosts = ("127.0.0.1", "localhost", "[::1]")
    uris = [f"http://{host}:*{CALLBACK}" for host in hosts]
    return Client(CLIENT_ID, "Calbroker", uris, CLIENT_SECRET)


def _calendars(state: GoogleState, person: Person) -> None:
    team_id, team_name = TEAM[person.email]
    holiday_id, holiday_name = _HOLIDAYS[person.email]
    viewer = next(who for who, owner in _SHARES_WITH.items() if owner == person.email)
    made = [
        Calendar(
            person.email,
            person.email,
            person.time_zone,
            person.email,
            roles={viewer: "freeBusyReader"},
        ),
        Calendar(team_id, team_name, person.time_zone, person.email, description="Shared plans"),
        Calendar(holiday_id, holiday_name, person.time_zone, "", roles={"*": "reader"}),
    ]
    for calendar in made:
        calendar.updated = state.next_updated()
        state.world.calendars[calendar.id] = calendar


def _subscriptions(state: GoogleState, person: Person) -> None:
    shared = _SHARES_WITH[person.email]
    wanted = (person.email, TEAM[person.email][0], _HOLIDAYS[person.email][0], shared)
    for color, calendar_id in enumerate(wanted, start=14):
        state.put_entry(person.email, ListEntry(calendar_id, 0, color_id=str(color)))


def _events(state: GoogleState, email: str) -> None:
    handle = state.person(email)
    now = state.now()
    colleague = _SHARES_WITH[email]
    for number, fields in enumerate(personal_events(now, handle.person, colleague)):
        add = handle.import_event if "organizer" in fields.body else handle.create_event
        made = add(**_identified(fields.body, email, number))
        for change in fields.afterwards:
            change(handle, made["id"])
    for number, fields in enumerate(team_events(now, handle.person)):
        team = TEAM[email][0]
        handle.create_event(team, **_identified(fields.body, team, number))
    _holidays(state, email, now)


def _identified(body: Resource, home: str, number: int) -> Resource:
    """Return the body with an id that is the same in every sowing."""
    return {**body, "id": hashlib.sha256(f"{home} {number}".encode()).hexdigest()[:26]}


def _holidays(state: GoogleState, email: str, now: datetime) -> None:
    calendar = state.world.calendars[_HOLIDAYS[email][0]]
    days = (
        (1, 1, "New Year’s Day"),
        (12, 25, "Christmas Day"),
        (12, 26, "Boxing Day"),
    )
    for year in (now.year, now.year + 1):
        for month, day, name in days:
            begin = datetime(year, month, day, tzinfo=UTC).date()
            state.put(
                calendar,
                {
                    "kind": "calendar#event",
                    "id": f"{year}{month:02}{day:02}free",
                    "status": "confirmed",
                    "htmlLink": "https://www.google.com/calendar/event?eid=holiday",
                    "created": state.next_updated(),
                    "summary": name,
                    "description": "Public holiday",
                    "creator": {"email": calendar.id, "displayName": calendar.summary},
                    "organizer": {"email": calendar.id, "displayName": calendar.summary},
                    "start": {"date": begin.isoformat()},
                    "end": {"date": (begin + timedelta(days=1)).isoformat()},
                    "transparency": "transparent",
                    "visibility": "public",
                    "iCalUID": f"{year}{month:02}{day:02}_holiday@google.com",
                    "sequence": 0,
                    "eventType": "default",
                },
            )


def add_generated(state: GoogleState, email: str, count: int) -> int:
    """Add `count` plain events to a primary calendar, from 40 days back to 200 ahead.

    Returns how many there are now. Raises KeyError when nobody has the address.
    """
    calendar = state.person(email).calendar()
    with state.transaction():
        offset = len(calendar.events)
        # Always the same events for the same state: benchmarks compare like with like.
        draw = random.Random(offset)  # noqa: S311 - not for secrets
        for number in range(offset, offset + count):
            _generated(state, calendar, number, draw)
        return len(calendar.events)


def _generated(state: GoogleState, calendar: Calendar, number: int, draw: random.Random) -> None:
    quarter = draw.randrange(-40 * 96, 200 * 96 - 8)
    today = state.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = today + timedelta(minutes=15 * quarter)
    end = start + timedelta(minutes=draw.choice((15, 30, 45, 60, 90)))
    event_id = f"gen{number:08d}"
    owner = {"email": calendar.owner, "self": True}
    state.put(
        calendar,
        {
            "kind": "calendar#event",
            "id": event_id,
            "status": "confirmed",
            "htmlLink": f"https://www.google.com/calendar/event?eid={event_id}",
            "created": stamp(today),
            "summary": f"Generated event {number}",
            "description": "Made to measure with.",
            "location": f"Room {number % 40}",
            "creator": owner,
            "organizer": owner,
            "start": {"dateTime": start.isoformat().replace("+00:00", "Z"), "timeZone": "UTC"},
            "end": {"dateTime": end.isoformat().replace("+00:00", "Z"), "timeZone": "UTC"},
            "iCalUID": f"{event_id}@google.com",
            "sequence": 0,
            "reminders": {"useDefault": True},
            "eventType": "default",
        },
    )
