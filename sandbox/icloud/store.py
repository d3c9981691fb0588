"""The world behind one lock: its clock, the counter that orders changes, and the tokens of it.

Sync tokens, ctags and etags are opaque to clients and look like iCloud's.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import struct
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache

from . import ical, spans
from .model import FOREVER_S, Calendar, Entry, Person, StoredObject, World

_TOKEN, _CTAG = bytes.fromhex("1f0a10120c0000"), bytes.fromhex("1f0a10120c0001")
_NUMBERS = ">IQ"


def utc_now() -> datetime:
    """Return the time of this machine."""
    return datetime.now(UTC)


class Store:
    """The state, to be read under `lock` and changed inside `transaction()`."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        """Begin with nobody and nothing. `now` returns aware times."""
        self.now = now
        self.lock = threading.RLock()
        self.world = World(secret_key=secrets.token_urlsafe(32))
        self.on_change: list[Callable[[set[str]], None]] = []
        """Called after each transaction, outside the lock."""
        self._depth = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock for a change and tell the listeners once, at the outermost end."""
        with self.lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                outermost = self._depth == 0
        if outermost:
            for listener in self.on_change:
                listener(set())

    def touch(self, calendar: Calendar) -> int:
        """Mark a calendar as changed and return the number of the change."""
        self.world.sequence += 1
        calendar.changed = self.world.sequence
        return self.world.sequence

    def put(self, calendar: Calendar, name: str, data: str) -> StoredObject:
        """Store a sound object as the newest change. Raises ValueError when it cannot be read."""
        read = ical.parse(data)
        part = ical.events(read)[0]
        start_s, end_s, plain = 0, FOREVER_S, True
        if part.name == "VEVENT":
            start_s, end_s, plain = spans.bounds(read, calendar.time_zone)
        found = StoredObject(name, part.value("UID"), data, 0, start_s, end_s, plain, part.name)
        return self.keep(calendar, found)

    def put_unread(self, calendar: Calendar, name: str, uid: str, data: str) -> StoredObject:
        """Store any text, which is then in every time range."""
        return self.keep(calendar, StoredObject(name, uid, data, 0, 0, FOREVER_S, True))

    def keep(self, calendar: Calendar, found: StoredObject) -> StoredObject:
        """Store an object whose bounds are known."""
        found.changed = self.touch(calendar)
        before = calendar.objects.pop(found.name, None)
        if before and calendar.uids.get(before.uid) == found.name:
            del calendar.uids[before.uid]
        calendar.objects[found.name] = found
        calendar.uids.setdefault(found.uid, found.name)
        calendar.gone.pop(found.name, None)
        return found

    def remove(self, calendar: Calendar, name: str) -> StoredObject:
        """Delete an object. Raises KeyError when there is none."""
        found = calendar.objects.pop(name)
        if calendar.uids.get(found.uid) == name:
            del calendar.uids[found.uid]
        calendar.gone.pop(name, None)
        calendar.gone[name] = self.touch(calendar)
        return found

    def bump(self, calendar: Calendar, names: list[str]) -> None:
        """Give objects new etags without changing them."""
        for name in names:
            self.keep(calendar, calendar.objects[name])

    def find_person(self, email: str) -> Person | None:
        """Return who has an address, as first or further one."""
        wanted = email.strip().lower()
        people = self.world.people
        return people.get(wanted) or next(
            (person for person in people.values() if wanted in person.aliases), None
        )

    def entry(self, person: Person, segment: str) -> tuple[Entry, Calendar] | None:
        """Return a calendar of a home by the last part of its path."""
        found = person.home.get(segment)
        calendar = self.world.calendars.get(found.calendar_id) if found else None
        return (found, calendar) if found and calendar else None

    def homonym(self, calendar: Calendar, uid: str) -> tuple[Calendar, str] | None:
        """Return where in the owner's account a UID is in use already."""
        for other in self.world.calendars.values():
            if other.owner == calendar.owner and uid in other.uids:
                return other, other.uids[uid]
        return None


def changes_since(calendar: Calendar, since: int | None) -> tuple[list[StoredObject], list[str]]:
    """Return the objects that changed after a number, and the names deleted; None: all objects."""
    if since is None:
        return list(calendar.objects.values()), []
    changed = []
    for found in reversed(calendar.objects.values()):
        if found.changed <= since:
            break
        changed.append(found)
    gone = []
    for name, at in reversed(calendar.gone.items()):
        if at <= since:
            break
        gone.append(name)
    return changed[::-1], gone[::-1]


def sync_token(calendar: Calendar, changed: int | None = None) -> str:
    """Return the token of a calendar's present state, or of its state after a change."""
    return _opaque(_TOKEN, calendar, calendar.changed if changed is None else changed)


def ctag(calendar: Calendar) -> str:
    """Return the mark that changes with every change in the calendar."""
    return _opaque(_CTAG, calendar, calendar.changed)


def since(calendar: Calendar, token: str) -> int | None:
    """Return the number of the change that a sync token was made after; None when invalid."""
    try:
        content = base64.b64decode(token, validate=True)
        epoch, changed = struct.unpack(_NUMBERS, content[-struct.calcsize(_NUMBERS) :])
    except (ValueError, struct.error):
        return None
    if epoch != calendar.epoch or changed > calendar.changed:
        return None
    return int(changed) if token == sync_token(calendar, changed) else None


def etag(calendar: Calendar, changed: int) -> str:
    """Return the entity tag of a change, quotes included."""
    return f'"C={changed}@U={_owner_uuid(calendar.id)}"'


def _opaque(head: bytes, calendar: Calendar, changed: int) -> str:
    mark = hashlib.sha256(calendar.id.encode()).digest()[:12]
    tail = struct.pack(_NUMBERS, calendar.epoch, changed)
    return base64.b64encode(head + mark + tail).decode()


@lru_cache(maxsize=256)
def _owner_uuid(calendar_id: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, calendar_id)
