"""The stand-in's state with the handles that tests and pages use, without HTTP."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from lxml import etree

from .model import CALENDAR_CLASS, Folder, Item, Person
from .soap import TYPES, tag
from .store import Store
from .writing import Written, apply


class PersonHandle:
    """One person's calendars, to read and change directly.

    `calendar` is a folder's number, or None for the default calendar. Raises KeyError for what is
    not there, and soap.Refused for what no server takes.
    """

    def __init__(self, store: Store, person: Person) -> None:
        """Wrap a person of the store."""
        self._store = store
        self.person = person

    def calendars(self) -> list[Folder]:
        """Return the calendars, the default one first."""
        return self._store.calendars(self.person.email)

    def calendar(self, number: int | None = None) -> Folder:
        """Return a calendar of the person."""
        found = {folder.number: folder for folder in self.calendars()}
        return found[number or next(iter(found))]

    def add_calendar(self, name: str) -> Folder:
        """Add a calendar below the default one."""
        with self._store.transaction():
            parent = self.calendar().number
            return self._store.add_folder(
                self.person.email, name, parent, folder_class=CALENDAR_CLASS
            )

    def rename_calendar(self, number: int, name: str) -> None:
        """Give a calendar another name."""
        with self._store.transaction():
            self._store.rename_folder(self.calendar(number), name)

    def delete_calendar(self, number: int) -> None:
        """Delete a calendar with all that is in it."""
        with self._store.transaction():
            self._store.remove_folder(self.calendar(number))

    def items(self, calendar: int | None = None) -> list[Item]:
        """Return what lies in a calendar, least recently changed first."""
        with self._store.lock:
            return list(self.calendar(calendar).items.values())

    def find(self, subject: str, calendar: int | None = None) -> Item:
        """Return the first item with this subject."""
        for one in self.items(calendar):
            if one.fields.get("Subject") == tag("Subject", subject):
                return one
        raise KeyError(subject)

    def add(self, xml: str, calendar: int | None = None) -> Item:
        """Add an item from the elements of a CalendarItem, each with the prefix `t`."""
        with self._store.transaction():
            item = Item(self._store.number(), zone=self.person.time_zone)
            self._apply(item, xml)
            return self._store.put(self.calendar(calendar), item)

    def change(self, number: int, xml: str, calendar: int | None = None) -> Item:
        """Change some elements of an item."""
        with self._store.transaction():
            folder = self.calendar(calendar)
            item = folder.items[number]
            self._apply(item, xml)
            return self._store.put(folder, item)

    def _apply(self, item: Item, xml: str) -> None:
        said = Written()
        for child in etree.fromstring(f'<t:R xmlns:t="{TYPES}">{xml}</t:R>'):
            said.take(child)
        apply(item, said, self._store.now(), item.zone)

    def add_event(
        self, subject: str, start: datetime, end: datetime, calendar: int | None = None
    ) -> Item:
        """Add an appointment at aware times."""
        span = f"{tag('Start', start.isoformat())}{tag('End', end.isoformat())}"
        return self.add(tag("Subject", subject) + span, calendar)

    def add_days(self, subject: str, first: date, last: date, calendar: int | None = None) -> Item:
        """Add an event of whole days; *last* is included."""
        return self.add(tag("Subject", subject) + _days(first, last), calendar)

    def move_days(self, number: int, first: date, last: date, calendar: int | None = None) -> Item:
        """Move an event of whole days."""
        return self.change(number, _days(first, last), calendar)

    def move_event(
        self, number: int, start: datetime, end: datetime, calendar: int | None = None
    ) -> Item:
        """Move an appointment to aware times."""
        span = f"{tag('Start', start.isoformat())}{tag('End', end.isoformat())}"
        return self.change(number, span, calendar)

    def rename_event(self, number: int, subject: str, calendar: int | None = None) -> Item:
        """Give an item another subject."""
        return self.change(number, tag("Subject", subject), calendar)

    def delete_event(self, number: int, calendar: int | None = None) -> None:
        """Delete an item."""
        with self._store.transaction():
            self._store.remove(self.calendar(calendar), number)


def _days(first: date, last: date) -> str:
    end = last + timedelta(days=1)
    return (
        tag("Start", f"{first.isoformat()}T00:00:00")
        + tag("End", f"{end.isoformat()}T00:00:00")
        + tag("IsAllDayEvent", True)
    )


class ExchangeState(Store):
    """The whole state; `app.extensions["exchange"]`."""

    def person(self, email: str) -> PersonHandle:
        """Return the handle of a person. Raises KeyError when nobody has the address."""
        found = self.find_person(email)
        if found is None:
            raise KeyError(email)
        return PersonHandle(self, found)

    def expire_sync_states(self, email: str | None = None) -> None:
        """Make every sync state given out so far invalid, for one person or for all."""
        with self.transaction():
            for folder in self.world.folders.values():
                if email in (None, folder.owner):
                    folder.epoch += 1
