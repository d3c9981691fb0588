"""The stand-in's state with the handles that tests and pages use, without HTTP."""

from __future__ import annotations

from datetime import datetime

from . import edits
from .errors import not_found
from .model import Calendar, ListEntry, Person, Resource
from .store import Store


class PersonHandle:
    """One person's calendars, to read and change directly.

    `calendar` is an id, or `primary`. Errors are the API's own: ApiError.
    """

    def __init__(self, store: Store, person: Person) -> None:
        """Wrap a person of the store."""
        self._store = store
        self.person = person

    def now(self) -> datetime:
        """Return the time of the state's clock."""
        return self._store.now()

    def calendar(self, calendar: str = "primary") -> Calendar:
        """Return a calendar that the person can see."""
        return self._store.calendar_for(self.person.email, calendar)[0]

    def calendars(self) -> list[tuple[Calendar, ListEntry, str]]:
        """Return the person's list: calendar, entry and role, the primary one first."""
        store = self._store
        found = []
        for entry in store.world.lists.get(self.person.email, {}).values():
            calendar = store.world.calendars.get(entry.calendar_id)
            if calendar and not entry.deleted:
                found.append((calendar, entry, store.role(self.person.email, calendar)))
        return sorted(found, key=lambda row: row[0].id != self.person.email)

    def events(self, calendar: str = "primary", *, deleted: bool = False) -> list[Resource]:
        """Return the stored events, least recently changed first; masters are not expanded."""
        with self._store.lock:
            stored = list(self.calendar(calendar).events.values())
        return [s.resource for s in stored if deleted or s.resource["status"] != "cancelled"]

    def create_event(self, calendar: str = "primary", **fields: object) -> Resource:
        """Add an event from API fields (`summary=`, `start=`, `end=`, ...)."""
        with self._store.transaction():
            found = self.calendar(calendar)
            email = self.person.email
            return edits.insert(self._store, found, dict(fields), creator=email, conference=1)

    def import_event(self, **fields: object) -> Resource:
        """Add an invitation from outside to the primary calendar, with its iCalUID."""
        with self._store.transaction():
            email = self.person.email
            return edits.import_event(self._store, self.calendar(), dict(fields), creator=email)

    def update_event(self, event_id: str, calendar: str = "primary", **fields: object) -> Resource:
        """Change some fields of an event, as PATCH does."""
        with self._store.transaction():
            return edits.change(self._store, self.calendar(calendar), event_id, dict(fields))

    def delete_event(self, event_id: str, calendar: str = "primary") -> None:
        """Delete an event, a series, or one occurrence by its instance id."""
        with self._store.transaction():
            edits.delete(self._store, self.calendar(calendar), event_id)

    def move_event(self, event_id: str, destination: str, calendar: str = "primary") -> Resource:
        """Move an event to another calendar."""
        with self._store.transaction():
            return edits.move(
                self._store, self.calendar(calendar), event_id, self.calendar(destination)
            )

    def unsubscribe(self, calendar: str) -> None:
        """Take a calendar off the person's list; it can no longer be read when it was shared."""
        with self._store.transaction():
            found = self.calendar(calendar)
            entry = self._store.world.lists[self.person.email].get(found.id)
            if entry is None:
                raise not_found()
            entry.deleted = True
            found.roles.pop(self.person.email, None)
            self._store.put_entry(self.person.email, entry)


class GoogleState(Store):
    """The whole state; `app.extensions["google"]`."""

    def person(self, email: str) -> PersonHandle:
        """Return the handle of a person. Raises KeyError when nobody has the address."""
        return PersonHandle(self, self.find_person(email))

    def expire_sync_tokens(self, email: str | None = None) -> None:
        """Make every sync token given out so far answer 410, for one person or for all."""
        with self.transaction():
            for calendar in self.world.calendars.values():
                if email is None or self.role(email, calendar) != "none":
                    calendar.epoch += 1
            self.touch_anything()
