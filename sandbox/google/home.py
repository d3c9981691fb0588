"""The calendar pages of the sandbox's Google."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from zoneinfo import ZoneInfo

from sandbox.stand_in.home import AHEAD, BACK, Edit, Home, NotSaved, Row, Shown

from .authorize import sign_in
from .bearer import state
from .errors import ApiError
from .model import Calendar, Person, Resource, StoredEvent
from .state import PersonHandle
from .store import at_least
from .times import moment


class GoogleHome(Home[PersonHandle, StoredEvent]):
    """What is read and written are the API's resources."""

    hint = "Everybody’s password here is “sandbox”."
    wrong_password = f"Wrong password. {hint}"

    def people(self) -> Iterable[Person]:
        """List everybody."""
        return state().world.people.values()

    def admits(self, email: str, password: str) -> Person | None:
        """Give who signs in, as the page before a consent does."""
        return sign_in(email, password)

    def shown(self, handle: PersonHandle, calendar: str) -> Shown[StoredEvent]:
        """Give a calendar, or the primary one."""
        try:
            chosen = handle.calendar(calendar or "primary")
        except ApiError:
            chosen = handle.calendar()
        role = state().role(handle.person.email, chosen)
        return Shown(
            person=handle.person,
            calendars=[(one.id, one.summary) for one, _entry, _role in handle.calendars()],
            id=chosen.id,
            title=chosen.summary,
            time_zone=chosen.time_zone,
            today=state().now().astimezone(ZoneInfo(chosen.time_zone)).date(),
            events=_events(chosen),
            writable=at_least(role, "writer"),
            readable=at_least(role, "reader"),
        )

    def row(self, shown: Shown[StoredEvent], event: StoredEvent) -> Row:
        """Give an event at the times of its calendar's zone."""
        resource, zone = event.resource, ZoneInfo(shown.time_zone)
        return Row(
            id=resource["id"],
            summary=resource.get("summary", ""),
            begins=moment(resource["start"], shown.time_zone).astimezone(zone),
            ends=moment(resource["end"], shown.time_zone).astimezone(zone),
            all_day="date" in resource["start"],
            repeats=bool(resource.get("recurrence")),
            place=resource.get("location", ""),
        )

    def delete(self, handle: PersonHandle, calendar: str, event: str) -> None:
        """Delete an event as the API does."""
        try:
            handle.delete_event(event, _writable(handle, calendar).id)
        except ApiError as refusal:
            raise _not_saved(refusal) from refusal

    def save(self, handle: PersonHandle, calendar: str, edit: Edit) -> None:
        """Insert or patch an event as the API does."""
        try:
            chosen = _writable(handle, calendar)
            if edit.event:
                handle.update_event(edit.event, chosen.id, **_fields(chosen, edit))
            else:
                handle.create_event(chosen.id, **_fields(chosen, edit))
        except ApiError as refusal:
            raise _not_saved(refusal) from refusal


def _events(calendar: Calendar) -> list[StoredEvent]:
    now = state().now()
    low_s, high_s = (now - BACK).timestamp(), (now + AHEAD).timestamp()
    found = [
        one
        for one in calendar.events.values()
        if one.resource["status"] != "cancelled" and one.end_s > low_s and one.start_s < high_s
    ]
    return sorted(found, key=lambda one: one.start_s)


def _writable(handle: PersonHandle, calendar: str) -> Calendar:
    chosen = handle.calendar(calendar or "primary")
    if not at_least(state().role(handle.person.email, chosen), "writer"):
        raise ValueError("read-only")
    return chosen


def _fields(calendar: Calendar, edit: Edit) -> Resource:
    fields: Resource = {"summary": edit.summary}
    if edit.times is None:
        after = edit.end + timedelta(days=1)
        return fields | {
            "start": {"date": edit.start.isoformat()},
            "end": {"date": after.isoformat()},
        }
    for name, wall in zip(("start", "end"), edit.times, strict=True):
        at = wall.replace(tzinfo=ZoneInfo(calendar.time_zone))
        fields[name] = {"dateTime": at.isoformat(), "timeZone": calendar.time_zone}
    return fields


def _not_saved(refusal: ApiError) -> NotSaved:
    return NotSaved(refusal.body["error"]["message"])


blueprint = GoogleHome(state).blueprint()
