"""The world behind one lock: the clock, the counter that orders changes, and who hears of them."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from .errors import not_found
from .model import ROLES, Calendar, ListEntry, Person, Resource, StoredEvent, World
from .recurrence import Series
from .times import moment, stamp

_ETAG_BASE = 3_590_000_000_000_000


def utc_now() -> datetime:
    """Return the time of this machine."""
    return datetime.now(UTC)


def etag(changed: int) -> str:
    """Return the entity tag of a change, quotes included."""
    return f'"{_ETAG_BASE + changed}"'


class Store:
    """The state, to be read under `lock` and changed inside `transaction()`."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        """Begin with nobody and nothing. `now` returns aware times."""
        self.now = now
        self.lock = threading.RLock()
        self.world = World(secret_key=secrets.token_urlsafe(32))
        self.on_change: list[Callable[[set[str]], None]] = []
        """Called after each transaction, outside the lock, with what was touched."""
        self._depth = 0
        self._touched: set[str] = set()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock for a change and announce what it touched once, at the outermost end.

        A refusal half-way is announced too: a code that was used up stays used.
        """
        touched: set[str] = set()
        try:
            with self.lock:
                self._depth += 1
                try:
                    yield
                finally:
                    self._depth -= 1
                    if self._depth == 0:
                        touched, self._touched = self._touched, touched
        finally:
            if touched:
                for listener in self.on_change:
                    listener(touched)

    def next_change(self) -> int:
        """Return the next number of the counter."""
        self.world.sequence += 1
        return self.world.sequence

    def next_updated(self) -> str:
        """Return a time stamp later than every earlier one, close to now."""
        wall_ms = int(self.now().timestamp() * 1000)
        self.world.updated_ms = max(wall_ms, self.world.updated_ms + 1)
        return stamp(datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=self.world.updated_ms))

    def touch_anything(self) -> None:
        """Mark the world as changed where no watch is concerned: tokens, grants, channels."""
        self._touched.add("")

    def touch_channel(self, channel_id: str) -> None:
        """Ask for the `sync` message of a channel once this transaction is over."""
        self._touched.add(f"opened:{channel_id}")

    def put(self, calendar: Calendar, resource: Resource) -> StoredEvent:
        """Store an event as the newest change of its calendar, with fresh etag and `updated`."""
        changed = self.next_change()
        resource["etag"] = etag(changed)
        resource["updated"] = calendar.updated = self.next_updated()
        start_s, end_s = bounds(resource, calendar.time_zone)
        old = calendar.events.pop(resource["id"], None)
        previous = replace(old, previous=None) if old else None
        stored = StoredEvent(resource, changed, start_s, end_s, previous)
        calendar.events[resource["id"]] = stored
        self._touched.add(f"events:{calendar.id}")
        return stored

    def cancel(self, calendar: Calendar, resource: Resource) -> Resource:
        """Mark an event as deleted; it keeps its content. A series takes its exceptions along."""
        stored = self.put(calendar, {**resource, "status": "cancelled"})
        if resource.get("recurrence"):
            # Silent: whoever syncs is told of the master only, and cascades.
            for exception in exceptions(calendar, resource["id"]):
                exception["status"] = "cancelled"
        return stored.resource

    def put_entry(self, email: str, entry: ListEntry) -> None:
        """Store an entry of a person's calendar list as its newest change."""
        entry.changed = self.next_change()
        entries = self.world.lists.setdefault(email, {})
        entries.pop(entry.calendar_id, None)
        entries[entry.calendar_id] = entry
        self._touched.add(f"list:{email}")

    def find_person(self, email: str) -> Person:
        """Return the person. Raises KeyError when nobody has the address."""
        return self.world.people[email.strip().lower()]

    def role(self, email: str, calendar: Calendar) -> str:
        """Return the person's access role on the calendar; `none` hides it."""
        if calendar.owner == email:
            return "owner"
        return calendar.roles.get(email, calendar.roles.get("*", "none"))

    def calendar_for(self, email: str, calendar_id: str) -> tuple[Calendar, str]:
        """Return a calendar and the person's role there. Raises ApiError 404 when hidden."""
        wanted = email if calendar_id == "primary" else calendar_id
        calendar = self.world.calendars.get(wanted)
        role = self.role(email, calendar) if calendar else "none"
        if calendar is None or role == "none":
            raise not_found()
        return calendar, role


def before_last_change(calendar: Calendar) -> tuple[Calendar, int]:
    """Return a calendar as a replica that is behind shows it, and the last change it knows."""
    newest = max(calendar.events.values(), key=lambda stored: stored.changed, default=None)
    if newest is None:
        return calendar, 0
    events = {name: stored for name, stored in calendar.events.items() if stored is not newest}
    if newest.previous:
        events[newest.resource["id"]] = newest.previous
    return replace(calendar, events=events), newest.changed - 1


def exceptions(calendar: Calendar, master: str) -> list[Resource]:
    """Return the stored exceptions of a series, cancelled ones included."""
    return [
        stored.resource
        for stored in calendar.events.values()
        if stored.resource.get("recurringEventId") == master
    ]


def at_least(role: str, wanted: str) -> bool:
    """Whether a role includes another."""
    return ROLES.index(role) >= ROLES.index(wanted)


def bounds(resource: Resource, zone_name: str) -> tuple[int, int]:
    """Return when an event begins and ends, in seconds since 1970; a series as a whole."""
    start_s = int(moment(resource["start"], zone_name).timestamp())
    if resource.get("recurrence"):
        return start_s, Series(resource, zone_name).last_end_s()
    return start_s, int(moment(resource["end"], zone_name).timestamp())
