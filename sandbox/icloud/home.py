"""The calendar pages of the sandbox's iCloud."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from sandbox.stand_in.home import AHEAD, BACK, Edit, Home, Row, Shown

from . import ical
from .context import state
from .login import kind_of
from .model import Calendar, Person, StoredObject
from .reports import in_range
from .seed import PASSWORD
from .spans import Times, is_date
from .state import PersonHandle


class ICloudHome(Home[PersonHandle, StoredObject]):
    """What is read and written are calendar objects; a series shows its first occurrence."""

    password_label = "App-specific password"
    hint = f"It is {PASSWORD} for everybody; a person’s own Apple password is never taken."
    wrong_password = "That is no live app-specific password of this person."

    def people(self) -> Iterable[Person]:
        """List everybody."""
        return state().world.people.values()

    def admits(self, email: str, password: str) -> Person | None:
        """Give who signs in with an app-specific password."""
        person = state().find_person(email)
        return person if person and kind_of(person, password) == "app" else None

    def shown(self, handle: PersonHandle, calendar: str) -> Shown[StoredObject]:
        """Give a calendar by the last part of its path."""
        rows = [row for row in handle.calendars() if row[2].kind == "VEVENT"]
        segment, entry, chosen = next((row for row in rows if row[0] == calendar), rows[0])
        return Shown(
            person=handle.person,
            calendars=[(name, one.name) for name, _entry, one in rows],
            id=segment,
            title=chosen.name,
            time_zone=chosen.time_zone,
            today=state().now().astimezone(ZoneInfo(chosen.time_zone)).date(),
            events=_events(chosen),
            writable=entry.access != "read",
        )

    def row(self, shown: Shown[StoredObject], event: StoredObject) -> Row:
        """Give an event, a timed one at the times of its calendar's zone."""
        read = ical.parse(event.data)
        parts = ical.events(read)
        part = next((one for one in parts if one.line("RECURRENCE-ID") is None), parts[0])
        times, line = Times(read, shown.time_zone), part.line("DTSTART")
        all_day = line is not None and is_date(line)
        start, zone = times.start(part)
        end = start + times.length(part)
        if not all_day:
            own = ZoneInfo(shown.time_zone)
            start, end = (at.replace(tzinfo=zone).astimezone(own) for at in (start, end))
        return Row(
            id=event.name,
            summary=ical.unescaped(part.value("SUMMARY")),
            begins=start,
            ends=end,
            all_day=all_day,
            repeats=part.line("RRULE") is not None,
            place=ical.unescaped(part.value("LOCATION")),
        )

    def delete(self, handle: PersonHandle, calendar: str, event: str) -> None:
        """Delete an object."""
        handle.delete_event(event, _writable(handle, calendar))

    def save(self, handle: PersonHandle, calendar: str, edit: Edit) -> None:
        """Store an object, or change lines of one."""
        segment = _writable(handle, calendar)
        if edit.event:
            handle.rename_event(edit.event, edit.summary, segment)
        if edit.times is None:
            if edit.event:
                handle.move_days(edit.event, edit.start, edit.end, segment)
            else:
                handle.add_all_day(edit.summary, edit.start, edit.end, segment)
            return
        zone = ZoneInfo(handle.calendar(segment).time_zone)
        start, end = (at.replace(tzinfo=zone) for at in edit.times)
        if edit.event:
            handle.move_event(edit.event, start, end, segment)
        else:
            handle.add_event(edit.summary, start, end, calendar=segment)


def _events(calendar: Calendar) -> list[StoredObject]:
    """Return what has an occurrence in the time that is shown, by time."""
    now = state().now()
    low_s, high_s = (int(at.timestamp()) for at in (now - BACK, now + AHEAD))
    return sorted(in_range(calendar, "VEVENT", low_s, high_s), key=lambda one: one.start_s)


def _writable(handle: PersonHandle, calendar: str) -> str:
    segment = calendar or next(iter(handle.person.home))
    if handle.person.home[segment].access == "read":
        raise ValueError("read-only")
    return segment


blueprint = ICloudHome(state).blueprint()
