"""What a path names: the entry, a principal, a home, a calendar or an object in it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from flask import request

from .context import faults, is_left_behind, state
from .model import Calendar, Entry, Person, StoredObject
from .wire import DavError

SPECIAL = {"inbox": "schedule-inbox", "outbox": "schedule-outbox", "notification": "notification"}
"""The collections of every home that are no calendars, and what they are."""


@dataclass(frozen=True)
class Place:
    """A resource. `kind` is root, principal, home, special, calendar or object.

    `name` is the last part of the path; an object need not exist.
    """

    kind: str
    person: Person
    name: str = ""
    entry: Entry | None = None
    calendar: Calendar | None = None

    def within(self) -> tuple[Entry, Calendar]:
        """Return the calendar that this is, or is in. Raises DavError 404 elsewhere."""
        if self.entry is None or self.calendar is None:
            raise DavError(404)
        return self.entry, self.calendar

    def stored(self) -> StoredObject:
        """Return the object. Raises DavError 404 when there is none."""
        found = self.calendar.objects.get(self.name) if self.calendar else None
        if found is None or self.kind != "object":
            raise DavError(404)
        return found


def find(path: str, person: Person) -> Place:
    """Return what a decoded path below the mount names.

    Raises DavError: 404 when nothing is there, 403 for what is somebody else's.
    """
    parts = path.strip("/").split("/")
    if parts == [""]:
        return Place("root", person)
    if parts[0] != person.dsid:
        strangers = {other.dsid for other in state().world.people.values()}
        raise DavError(403 if parts[0] in strangers else 404)
    if parts[1:] in (["principal"], []):
        return Place("principal", person)
    if parts[1] != "calendars" or len(parts) > 4 or is_left_behind(person):
        raise DavError(404)
    if len(parts) == 2:
        return Place("home", person)
    return _in_home(person, parts[2], parts[3:])


def _in_home(person: Person, segment: str, rest: list[str]) -> Place:
    if segment in SPECIAL and not rest:
        return Place("special", person, segment)
    found = state().entry(person, segment)
    if found is None or _is_gone(person, segment):
        raise DavError(404)
    if rest:
        return Place("object", person, rest[0], *found)
    return Place("calendar", person, segment, *found)


def _is_gone(person: Person, segment: str) -> bool:
    fault = faults().find(person.email, "gone_calendar")
    if fault is None:
        return False
    wanted = str(fault.params.get("calendar", "")).rstrip("/").rpartition("/")[2]
    hit = segment == wanted if wanted else segment != next(iter(person.home))
    return hit and faults().take(person.email, "gone_calendar") is not None


def principal_href(person: Person) -> str:
    """Return the path of somebody's principal."""
    return f"{request.script_root}/{person.dsid}/principal/"


def home_href(person: Person) -> str:
    """Return the path of somebody's home."""
    return f"{request.script_root}/{person.dsid}/calendars/"


def calendar_href(person: Person, segment: str) -> str:
    """Return the path of a calendar in somebody's home."""
    return f"{home_href(person)}{quote(segment)}/"


def href(place: Place) -> str:
    """Return the path of a place as answers have it."""
    if place.kind == "root":
        return f"{request.script_root}/"
    if place.kind == "principal":
        return principal_href(place.person)
    if place.kind == "home":
        return home_href(place.person)
    return calendar_href(place.person, place.name)


def name_in(calendar_path: str, wanted: str) -> str | None:
    """Return the object's name of an href, absolute or not; None when it is not in the calendar."""
    path = unquote(urlsplit(wanted.strip()).path)
    folder, _, name = path.rpartition("/")
    return name if folder == unquote(calendar_path).rstrip("/") and name else None
