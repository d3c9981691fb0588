"""The stand-in's state with the handles that tests and pages use, without HTTP."""

from __future__ import annotations

import secrets
import uuid
from datetime import date, datetime

from . import files
from .ical import Component, events, parse, with_component, with_lines
from .model import Calendar, Entry, Person, StoredObject
from .spans import is_date
from .store import Store


class PersonHandle:
    """One person's calendars, to read and change directly, past every check of the server.

    `calendar` is the last part of a calendar's path; without it the first calendar is meant.
    Objects go by their name, as `1D….ics`. Raises KeyError for what is not there.
    """

    def __init__(self, store: Store, person: Person) -> None:
        """Wrap a person of the store."""
        self._store = store
        self.person = person

    def calendars(self) -> list[tuple[str, Entry, Calendar]]:
        """Return the calendars of the home: last part of the path, entry and calendar."""
        found = self._store.world.calendars
        home = self.person.home.items()
        return [(name, e, found[e.calendar_id]) for name, e in home if e.calendar_id in found]

    def calendar(self, calendar: str = "") -> Calendar:
        """Return a calendar."""
        entry = self.person.home[calendar or next(iter(self.person.home))]
        return self._store.world.calendars[entry.calendar_id]

    def path(self, name: str = "", calendar: str = "") -> str:
        """Return the path of a calendar or of an object in it, below the mount."""
        segment = calendar or next(iter(self.person.home))
        return f"/{self.person.dsid}/calendars/{segment}/{name}"

    def objects(self, calendar: str = "") -> list[StoredObject]:
        """Return the objects, least recently changed first."""
        with self._store.lock:
            return list(self.calendar(calendar).objects.values())

    def text(self, name: str, calendar: str = "") -> str:
        """Return the content of an object."""
        return self.calendar(calendar).objects[name].data

    def put(self, name: str, text: str, calendar: str = "") -> str:
        """Store a text under a name, whatever it says; return the name."""
        with self._store.transaction():
            found = self.calendar(calendar)
            try:
                self._store.put(found, name, text)
            except (ValueError, IndexError, KeyError):
                self._store.put_unread(found, name, name, text)
        return name

    def add_event(
        self, summary: str, start: datetime, end: datetime, *lines: str, calendar: str = ""
    ) -> str:
        """Add an event at aware times in the calendar's zone; return its name."""
        uid = str(uuid.uuid4()).upper()
        zone = self.calendar(calendar).time_zone
        text = files.timed(uid, start, end, files.summary(summary), *lines, zone=zone)
        return self.put(f"{uid}.ics", text, calendar)

    def add_all_day(self, summary: str, first: date, last: date, calendar: str = "") -> str:
        """Add an event of whole days, *last* included; return its name."""
        uid = str(uuid.uuid4()).upper()
        text = files.all_day(uid, first, last, files.summary(summary))
        return self.put(f"{uid}.ics", text, calendar)

    def change_event(self, name: str, calendar: str = "", **lines: str) -> None:
        """Replace lines of an event, by property name with `_` for `-`."""
        named = {key.upper().replace("_", "-"): line for key, line in lines.items()}
        self.put(name, with_lines(self.text(name, calendar), named), calendar)

    def rename_event(self, name: str, summary: str, calendar: str = "") -> None:
        """Give an event another title."""
        self.change_event(name, calendar, summary=files.summary(summary))

    def move_event(self, name: str, start: datetime, end: datetime, calendar: str = "") -> None:
        """Move an event, keeping the zone it is written in."""
        line = self.master(name, calendar).line("DTSTART")
        zone = line.params.get("TZID", "") if line and not is_date(line) else ""
        dtstart, dtend = files.span(start, end, zone)
        self.change_event(name, calendar, dtstart=dtstart, dtend=dtend)

    def move_days(self, name: str, first: date, last: date, calendar: str = "") -> None:
        """Move an event of whole days."""
        dtstart, dtend = files.days(first, last)
        self.change_event(name, calendar, dtstart=dtstart, dtend=dtend)

    def add_override(self, name: str, original: datetime, *lines: str, calendar: str = "") -> None:
        """Add an override of the occurrence that starts at an aware time."""
        master = self.master(name, calendar)
        zone = (master.line("DTSTART") or master.lines[0]).params.get("TZID", "")
        moved = files.event(
            master.value("UID"), files.point("RECURRENCE-ID", original, zone), *lines
        )
        self.put(name, with_component(self.text(name, calendar), moved), calendar)

    def move_occurrence(
        self, name: str, original: datetime, start: datetime, end: datetime, calendar: str = ""
    ) -> None:
        """Move one occurrence of a series."""
        master = self.master(name, calendar)
        zone = (master.line("DTSTART") or master.lines[0]).params.get("TZID", "")
        span = files.span(start, end, zone)
        summary = f"SUMMARY:{master.value('SUMMARY')}"
        self.add_override(name, original, *span, summary, calendar=calendar)

    def cancel_occurrence(self, name: str, original: datetime, calendar: str = "") -> None:
        """Take one occurrence out of a series, as Apple does: by EXDATE."""
        master = self.master(name, calendar)
        zone = (master.line("DTSTART") or master.lines[0]).params.get("TZID", "")
        before = [line.value for line in master.all("EXDATE")]
        line = files.point("EXDATE", original, zone)
        self.change_event(name, calendar, exdate=",".join([line, *before]))

    def delete_event(self, name: str, calendar: str = "") -> None:
        """Delete an object."""
        with self._store.transaction():
            self._store.remove(self.calendar(calendar), name)

    def master(self, name: str, calendar: str = "") -> Component:
        """Return the event of an object, or its first component when it has only overrides."""
        parts = events(parse(self.text(name, calendar)))
        return next((part for part in parts if part.line("RECURRENCE-ID") is None), parts[0])

    def add_calendar(self, name: str, segment: str = "", time_zone: str = "") -> str:
        """Add an empty calendar; return the last part of its path."""
        segment = segment or str(uuid.uuid4()).upper()
        calendar_id = f"{self.person.dsid}/{segment}"
        zone = time_zone or self.person.time_zone
        with self._store.transaction():
            calendar = Calendar(calendar_id, name, zone, self.person.dsid)
            self._store.world.calendars[calendar_id] = calendar
            self.person.home[segment] = Entry(calendar_id, order=len(self.person.home) + 1)
            self._store.touch(calendar)
        return segment

    def rename_calendar(self, name: str, calendar: str = "") -> None:
        """Give a calendar another name."""
        with self._store.transaction():
            found = self.calendar(calendar)
            found.name = name
            self._store.touch(found)

    def delete_calendar(self, calendar: str) -> None:
        """Take a calendar out of the home; an own one is gone for everybody."""
        with self._store.transaction():
            entry = self.person.home.pop(calendar)
            if entry.access == "owner":
                self._store.world.calendars.pop(entry.calendar_id, None)

    def add_password(self, label: str) -> str:
        """Make an app-specific password; return it."""
        letters = "abcdefghijklmnopqrstuvwxyz"
        groups = ("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))
        password = "-".join(groups)
        with self._store.transaction():
            self.person.passwords[password] = label
        return password

    def revoke(self, password: str) -> None:
        """Revoke an app-specific password."""
        with self._store.transaction():
            del self.person.passwords[password]

    def change_main_password(self, password: str) -> None:
        """Change the account's own password, which revokes every app-specific one."""
        with self._store.transaction():
            self.person.main_password = password
            self.person.passwords.clear()

    def switch_calendar(self, on: bool) -> None:
        """Switch iCloud Calendar on or off for the account."""
        with self._store.transaction():
            self.person.calendar_on = on

    def migrate(self, partition: int) -> None:
        """Move the home to another partition host."""
        with self._store.transaction():
            self.person.partition = partition


class ICloudState(Store):
    """The whole state; `app.extensions["icloud"]`."""

    def person(self, email: str) -> PersonHandle:
        """Return the handle of a person. Raises KeyError when nobody has the address."""
        found = self.find_person(email)
        if found is None:
            raise KeyError(email)
        return PersonHandle(self, found)

    def expire_sync_tokens(self, email: str | None = None) -> None:
        """Make every sync token given out so far invalid, for one person or for all."""
        handles = [self.person(one) for one in ([email] if email else list(self.world.people))]
        with self.transaction():
            for handle in handles:
                for _, _, calendar in handle.calendars():
                    calendar.epoch += 1
