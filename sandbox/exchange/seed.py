"""The people of the company, their folders, and events in number."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from . import zones
from .accounts import DOMAIN
from .model import CALENDAR_CLASS, Item, Person
from .seed_events import ada, alan, grace, room, side_calendar
from .soap import tag
from .state import ExchangeState
from .writing import new_uid

ADA, GRACE, ALAN = (f"{name}@{DOMAIN}" for name in ("ada", "grace", "alan"))
SERVICE = f"calsync@{DOMAIN}"
ROOM, BOARDROOM, ROOM_LIST = (f"{name}@{DOMAIN}" for name in ("room4", "boardroom", "rooms-london"))
PASSWORD = "sandbox"

_LONDON, _NEW_YORK, _BERLIN = (
    "GMT Standard Time",
    "Eastern Standard Time",
    "W. Europe Standard Time",
)
_FOLDERS = (
    ("inbox", "Inbox", "IPF.Note"),
    ("drafts", "Drafts", "IPF.Note"),
    ("sentitems", "Sent Items", "IPF.Note"),
    ("deleteditems", "Deleted Items", "IPF.Note"),
    ("outbox", "Outbox", "IPF.Note"),
    ("junkemail", "Junk Email", "IPF.Note"),
    ("contacts", "Contacts", "IPF.Contact"),
    ("tasks", "Tasks", "IPF.Task"),
    ("calendar", "Calendar", CALENDAR_CLASS),
)


def sow(state: ExchangeState) -> None:
    """Fill an empty state, relative to its clock and always the same."""
    with state.transaction():
        for person in _people():
            state.world.people[person.email] = person
            if person.kind in ("person", "room"):
                _folders(state, person)
        today = state.now().date()
        for email, events in ((ADA, ada), (GRACE, grace), (ALAN, alan), (ROOM, room)):
            handle = state.person(email)
            for made in events(today):
                item = handle.add(made.xml)
                for begin in made.deleted:
                    item.deleted.append(zones.from_wall(begin, item.zone))
                for begin, change in made.changes.items():
                    item.changes[zones.from_wall(begin, item.zone)] = change(item.zone)
                item.fields |= made.fields
        side = next(f for f in state.calendars(ADA) if f.name == "Engine works")
        for made in side_calendar(today):
            state.person(ADA).add(made.xml, side.number)


def _people() -> list[Person]:
    everybody = {"*": "freebusy"}
    return [
        Person(
            ADA,
            "Ada Lovelace",
            "ada",
            ADA,
            _LONDON,
            aliases=[f"ada.lovelace@{DOMAIN}"],
            rights={**everybody, GRACE: "reviewer"},
        ),
        Person(
            GRACE,
            "Grace Hopper",
            "grace",
            GRACE,
            _NEW_YORK,
            aliases=[f"grace.hopper@{DOMAIN}"],
            rights={**everybody, ADA: "editor"},
        ),
        # His address is not a name that he can sign in with.
        Person(ALAN, "Alan Turing", "aturing", f"aturing@{DOMAIN}", _BERLIN, rights={"*": "none"}),
        Person(
            SERVICE,
            "Calendar Sync",
            "calsync",
            SERVICE,
            "UTC",
            kind="service",
            may_impersonate=[ADA, GRACE, ROOM, BOARDROOM],
        ),
        *_rooms(),
    ]


def _rooms() -> list[Person]:
    return [
        Person(ROOM, "Room 4", "room4", ROOM, _LONDON, kind="room", rights={"*": "reviewer"}),
        Person(BOARDROOM, "Boardroom", "boardroom", BOARDROOM, _LONDON, kind="room"),
        Person(
            ROOM_LIST,
            "London",
            "rooms-london",
            ROOM_LIST,
            _LONDON,
            kind="list",
            members=[ROOM, BOARDROOM],
        ),
    ]


def _folders(state: ExchangeState, person: Person) -> None:
    root = state.add_folder(person.email, "Root", 0, distinguished="root", folder_class="")
    top = state.add_folder(
        person.email,
        "Top of Information Store",
        root.number,
        distinguished="msgfolderroot",
        folder_class="IPF.Note",
    )
    for distinguished, name, folder_class in _FOLDERS:
        made = state.add_folder(
            person.email,
            name,
            top.number,
            distinguished=distinguished,
            folder_class=folder_class,
        )
    if person.email == ADA:
        state.add_folder(ADA, "Engine works", made.number, folder_class=CALENDAR_CLASS)
        state.add_folder(
            ADA,
            "Birthdays",
            made.number,
            folder_class=f"{CALENDAR_CLASS}.Birthday",
            read_only=True,
        )


def add_generated(state: ExchangeState, email: str, count: int) -> int:
    """Add `count` plain events to somebody's calendar, from 40 days back to 200 ahead.

    Every tenth is a whole day. Returns how many items there are now. Raises KeyError when nobody
    has the address.
    """
    handle = state.person(email)
    with state.transaction():
        calendar = handle.calendar()
        offset = len(calendar.items)
        # Always the same events for the same state: benchmarks compare like with like.
        draw = random.Random(offset)  # noqa: S311 - not for secrets
        zone = handle.person.time_zone
        today = zones.to_wall(state.now_s(), zone).replace(hour=0, minute=0, second=0)
        for number in range(offset, offset + count):
            state.put(calendar, _generated(state, zone, number, today, draw), quiet=True)
        return len(calendar.items)


def _generated(
    state: ExchangeState, zone: str, number: int, today: datetime, draw: random.Random
) -> Item:
    start = today + timedelta(minutes=15 * draw.randrange(-40 * 96, 200 * 96 - 8))
    end = start + timedelta(minutes=draw.choice((15, 30, 45, 60, 90)))
    whole = number % 10 == 9
    if whole:
        start = start.replace(hour=0, minute=0)
        end = start + timedelta(days=1)
    made = Item(state.number(), zone=zone, all_day=whole)
    made.uid = new_uid(made.number)
    made.start_s, made.end_s = zones.from_wall(start, zone), zones.from_wall(end, zone)
    made.fields = {
        "Subject": tag("Subject", f"Generated event {number}"),
        "Body": '<t:Body BodyType="Text">Made to measure with.</t:Body>',
        "Location": tag("Location", f"Room {number % 40}"),
    }
    return made
