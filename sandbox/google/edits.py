"""Every change of an event: insert, change, delete, import, move.

Called inside `Store.transaction()` with a calendar that the caller may write to.
"""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import quote

from . import event_body, invitations
from .errors import ApiError, invalid, not_found
from .model import Calendar, Resource
from .recurrence import Series
from .store import Store, exceptions

_RESCHEDULING = ("start", "end", "recurrence", "status")


def insert(
    store: Store,
    calendar: Calendar,
    body: Resource,
    *,
    creator: str,
    conference: int = 0,
    organizer: str | None = None,
) -> Resource:
    """Add an event; `organizer` is somebody elsewhere, for an import.

    Raises ApiError 400, or 409 when the id is or was taken.
    """
    own_id = body.get("id")
    if own_id is not None and not event_body.OWN_ID.fullmatch(str(own_id)):
        raise invalid("Invalid resource id value.")
    event_id = own_id or uuid.uuid4().hex[:26]
    if event_id in calendar.events:
        raise ApiError(409, "duplicate", "The requested identifier already exists.")

    said = event_body.cleaned(body, calendar)
    _check_type(said.get("eventType", "default"), calendar)
    new = event_body.merged(_blank(store, calendar, event_id, creator), said)
    if organizer and organizer != calendar.id:
        new["organizer"] = {"email": organizer}
    if body.get("iCalUID"):
        new["iCalUID"] = str(body["iCalUID"])
    new = event_body.with_conference(new, body, conference)
    return _save(store, calendar, new, None)


def _check_type(event_type: str, calendar: Calendar) -> None:
    if event_type != "default" and calendar.id != calendar.owner:
        raise invalid(f"Event type {event_type} is only allowed on primary calendars.")


def _blank(store: Store, calendar: Calendar, event_id: str, creator: str) -> Resource:
    organizer: Resource = {"email": calendar.id, "self": True}
    made_by: Resource = {"email": creator}
    if calendar.id == creator:
        made_by["self"] = True
    elif calendar.id != calendar.owner:
        organizer["displayName"] = calendar.summary
    return {
        "kind": "calendar#event",
        "id": event_id,
        "status": "confirmed",
        "htmlLink": f"https://www.google.com/calendar/event?eid={quote(event_id)}",
        "created": store.next_updated(),
        "creator": made_by,
        "organizer": organizer,
        "iCalUID": f"{event_id}@google.com",
        "sequence": 0,
        "reminders": {"useDefault": True},
        "eventType": "default",
    }


def _save(store: Store, calendar: Calendar, new: Resource, old: Resource | None) -> Resource:
    """Check an event as a whole, store it, and bring exceptions and guests' copies in line."""
    event_body.check_times(new, calendar.time_zone)
    new = invitations.with_organizer(new, calendar)
    if new.get("recurrence"):
        series = Series(new, calendar.time_zone)
    stored = store.put(calendar, new)
    if old and new.get("recurrence"):
        _drop_lost_exceptions(store, calendar, new["id"], series)
    invitations.spread(store, calendar, stored.resource, old)
    return stored.resource


def _drop_lost_exceptions(store: Store, calendar: Calendar, master: str, series: Series) -> None:
    for resource in exceptions(calendar, master):
        if resource["status"] != "cancelled" and series.find(resource["id"]) is None:
            store.cancel(calendar, resource)


def find(calendar: Calendar, event_id: str) -> Resource:
    """Return an event as stored, or the computed occurrence with this id.

    A deleted event is returned with `status: cancelled`. Raises ApiError 404.
    """
    stored = calendar.events.get(event_id)
    if stored:
        return stored.resource
    master = calendar.events.get(event_id.rpartition("_")[0])
    if master is None or not master.resource.get("recurrence"):
        raise not_found()
    found = Series(master.resource, calendar.time_zone).find(event_id)
    if found is None or master.resource["status"] == "cancelled":
        raise not_found()
    return occurrence(master.resource, found.id, found.original_start, found.start, found.end)


def occurrence(
    master: Resource, event_id: str, original: Resource, start: Resource, end: Resource
) -> Resource:
    """Return the resource of a computed instance."""
    new = {k: v for k, v in master.items() if k != "recurrence"}
    link = f"https://www.google.com/calendar/event?eid={quote(event_id)}"
    new |= {"id": event_id, "htmlLink": link, "start": start, "end": end}
    return new | {"recurringEventId": master["id"], "originalStartTime": original}


def change(
    store: Store,
    calendar: Calendar,
    event_id: str,
    body: Resource,
    *,
    replace: bool = False,
    conference: int = 0,
) -> Resource:
    """Apply a PATCH, or a PUT with `replace`. Raises ApiError 400, 403, 404."""
    old = find(calendar, event_id)
    said = event_body.cleaned(body, calendar, old)
    if replace and not {"start", "end"} <= said.keys():
        raise ApiError(400, "required", "Missing end time." if "start" in said else "Bad Request")
    if said.get("eventType", old["eventType"]) != old["eventType"]:
        raise invalid("Event type cannot be changed.", "eventType")
    said.pop("conferenceData", None)
    new = (event_body.replaced if replace else event_body.merged)(old, said)
    new = event_body.with_conference(new, body, conference)

    if not invitations.is_organizer(old):
        return _change_copy(store, calendar, old, invitations.with_organizer(new, calendar))
    if any(old.get(key) != new.get(key) for key in _RESCHEDULING):
        new["sequence"] = old["sequence"] + 1
    return _save(store, calendar, new, old)


def _change_copy(store: Store, calendar: Calendar, old: Resource, new: Resource) -> Resource:
    if not old.get("guestsCanModify"):
        invitations.check_guest_change(old, new)
    stored = store.put(calendar, new)
    answer = invitations.answer_of(new)
    if answer and answer != invitations.answer_of(old):
        _tell_organizer(store, new, answer)
    return stored.resource


def _tell_organizer(store: Store, copy: Resource, answer: Resource) -> None:
    home = store.world.calendars.get(copy["organizer"]["email"])
    if home is None:
        return
    try:
        held = find(home, copy["id"])
    except ApiError:
        return
    if held["status"] == "cancelled":
        return
    stored = store.put(home, invitations.with_answer(held, answer))
    invitations.spread(store, home, stored.resource, held)


def delete(store: Store, calendar: Calendar, event_id: str) -> None:
    """Delete an event, a series with its exceptions, or one occurrence.

    A guest's deletion declines. Raises ApiError 404, and 410 when it is deleted already.
    """
    old = find(calendar, event_id)
    if old["status"] == "cancelled":
        raise ApiError(410, "deleted", "Resource has been deleted")
    cancelled = store.cancel(calendar, old)
    answer = invitations.answer_of(old)
    if invitations.is_organizer(old):
        invitations.spread(store, calendar, cancelled, old)
    elif answer:
        _tell_organizer(store, old, {**answer, "responseStatus": "declined"})


def import_event(store: Store, calendar: Calendar, body: Resource, *, creator: str) -> Resource:
    """Add a private copy of an event from elsewhere, or update it by its iCalUID."""
    uid: Any = body.get("iCalUID")
    if not uid:
        raise ApiError(400, "required", "Missing iCalUID.")
    if body.get("eventType", "default") != "default":
        raise invalid("Only default events can be imported.", "eventType")
    for stored in calendar.events.values():
        if stored.resource["iCalUID"] == uid and "recurringEventId" not in stored.resource:
            said = event_body.cleaned(body, calendar, stored.resource)
            return _save(
                store, calendar, event_body.replaced(stored.resource, said), stored.resource
            )
    plain = {k: v for k, v in body.items() if k != "conferenceData"}
    return insert(store, calendar, plain, creator=creator, organizer=_organizer_of(body))


def _organizer_of(body: Resource) -> str | None:
    said = body.get("organizer")
    return str(said["email"]).lower() if isinstance(said, dict) and said.get("email") else None


def move(store: Store, source: Calendar, event_id: str, target: Calendar) -> Resource:
    """Move an event to another calendar; a cancelled stub stays behind."""
    old = find(source, event_id)
    if old["status"] == "cancelled" or "recurringEventId" in old:
        raise not_found() if old["status"] == "cancelled" else invalid("Cannot move an instance.")
    if not invitations.is_organizer(old) or old["eventType"] != "default":
        raise ApiError(403, "forbidden", "Forbidden")
    there = target.events.get(event_id)
    if there and there.resource["status"] != "cancelled":
        raise ApiError(409, "duplicate", "The requested identifier already exists.")
    moved = {**old, "organizer": _blank(store, target, event_id, source.owner)["organizer"]}
    store.cancel(source, old)
    return _save(store, target, moved, None)
