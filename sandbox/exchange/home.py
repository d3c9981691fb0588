"""The calendar pages of the sandbox's Exchange."""

from __future__ import annotations

import hmac

from sandbox.stand_in.home import AHEAD, BACK, Edit, Home, NotSaved, Row, Shown

from . import zones
from .control import state
from .model import Folder, Item, Person
from .occurrences import between
from .seed import PASSWORD
from .soap import Refused, plain
from .state import PersonHandle


class ExchangeHome(Home[PersonHandle, Item]):
    """Calendars and items are named by their numbers, and times are in the mailbox's zone."""

    hint = f"It is {PASSWORD} for everybody."
    wrong_password = "That is not the password of this person."

    def people(self) -> list[Person]:
        """List the people, without rooms and service accounts."""
        return [one for one in state().world.people.values() if one.kind == "person"]

    def admits(self, email: str, password: str) -> Person | None:
        """Give who signs in; nothing is counted, whatever the password."""
        person = next((one for one in self.people() if one.email == email), None)
        if person and hmac.compare_digest(person.password.encode(), password.encode()):
            return person
        return None

    def shown(self, handle: PersonHandle, calendar: str) -> Shown[Item]:
        """Give a calendar by its number."""
        person, found = handle.person, handle.calendars()
        chosen = next((one for one in found if str(one.number) == calendar), found[0])
        return Shown(
            person=person,
            calendars=[(str(one.number), one.name) for one in found],
            id=str(chosen.number),
            title=chosen.name,
            time_zone=person.time_zone,
            today=zones.to_wall(state().now_s(), person.time_zone).date(),
            events=_events(chosen),
            writable=not chosen.read_only,
        )

    def row(self, shown: Shown[Item], event: Item) -> Row:
        """Give an item, whole days in the zone in which they are whole."""
        zone = event.zone if event.all_day else shown.time_zone
        return Row(
            id=event.number,
            summary=plain(event.fields.get("Subject", "")),
            begins=zones.to_wall(event.start_s, zone),
            ends=zones.to_wall(event.end_s, zone),
            all_day=event.all_day,
            repeats=bool(event.rule),
            place=plain(event.fields.get("Location", "")),
        )

    def delete(self, handle: PersonHandle, calendar: str, event: str) -> None:
        """Delete an item."""
        handle.delete_event(int(event), _writable(handle, calendar))

    def save(self, handle: PersonHandle, calendar: str, edit: Edit) -> None:
        """Create or change an item."""
        try:
            _save(handle, _writable(handle, calendar), edit)
        except Refused as refusal:
            raise NotSaved(refusal.text) from refusal


def _events(calendar: Folder) -> list[Item]:
    """Return what has an occurrence in the time that is shown, by time."""
    now_s = state().now_s()
    back_s, ahead_s = (int(span.total_seconds()) for span in (BACK, AHEAD))
    occurring = between(calendar.items.values(), now_s - back_s, now_s + ahead_s)
    found = {one.item.number: one.item for one in occurring}
    return sorted(found.values(), key=lambda item: item.start_s)


def _writable(handle: PersonHandle, calendar: str) -> int:
    chosen = handle.calendar(int(calendar or 0))
    if chosen.read_only:
        raise ValueError("read-only")
    return chosen.number


def _save(handle: PersonHandle, calendar: int, edit: Edit) -> None:
    number = int(edit.event or 0)
    if number:
        handle.rename_event(number, edit.summary, calendar)
    if edit.times is None:
        if number:
            handle.move_days(number, edit.start, edit.end, calendar)
        else:
            handle.add_days(edit.summary, edit.start, edit.end, calendar)
        return
    zone = zones.zone(handle.person.time_zone)
    start, end = (at.replace(tzinfo=zone) for at in edit.times)
    if number:
        handle.move_event(number, start, end, calendar)
    else:
        handle.add_event(edit.summary, start, end, calendar)


blueprint = ExchangeHome(state).blueprint()
