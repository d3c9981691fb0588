"""Copies of an invitation in the calendars of the invited people, and their answers."""

from __future__ import annotations

from .errors import ApiError
from .event_body import PERSONAL, SHARED
from .model import Calendar, Resource
from .store import Store


def is_organizer(resource: Resource) -> bool:
    """Whether this copy is the organizer's."""
    return bool(resource["organizer"].get("self"))


def with_organizer(resource: Resource, calendar: Calendar) -> Resource:
    """Return the event with the organizer among the guests, and `self` where it belongs."""
    guests = resource.get("attendees")
    if not guests:
        return {k: v for k, v in resource.items() if k != "attendees"}
    organizer = resource["organizer"]["email"]
    known = {guest["email"] for guest in guests}
    if organizer not in known and organizer == calendar.id:
        guests = [{"email": organizer, "responseStatus": "accepted"}, *guests]
    marked = [_marked(guest, organizer, calendar.id) for guest in guests]
    return {**resource, "attendees": marked}


def _marked(guest: Resource, organizer: str, owner: str) -> Resource:
    plain = {k: v for k, v in guest.items() if k not in ("self", "organizer")}
    if guest["email"] == organizer:
        plain["organizer"] = True
    if guest["email"] == owner:
        plain["self"] = True
    return plain


def spread(store: Store, calendar: Calendar, resource: Resource, before: Resource | None) -> None:
    """Bring the copies of the invited people in line with the organizer's event."""
    if not is_organizer(resource):
        return
    cancelled = resource["status"] == "cancelled"
    invited = set() if cancelled else _guests(resource)
    declined = _guests(resource, "declined")
    for email in sorted(_guests(resource) | _guests(before or {})):
        home = store.world.calendars.get(email)
        if home is None or home.id == calendar.id or email not in store.world.people:
            continue
        held = home.events.get(resource["id"])
        if held and held.resource["status"] == "cancelled" and email in declined:
            continue
        if email in invited:
            store.put(home, _copy(resource, home, held.resource if held else None))
        elif held and held.resource["status"] != "cancelled":
            store.cancel(home, held.resource)


def _guests(resource: Resource, answer: str | None = None) -> set[str]:
    return {
        guest["email"]
        for guest in resource.get("attendees", ())
        if answer in (None, guest["responseStatus"])
    }


def _copy(resource: Resource, home: Calendar, held: Resource | None) -> Resource:
    """Return the guest's copy: shared fields anew, personal ones as the guest left them."""
    copy = {k: v for k, v in resource.items() if k not in PERSONAL}
    copy |= {k: (held or {})[k] for k in PERSONAL if k in (held or {})}
    copy.setdefault("reminders", {"useDefault": True})
    for role in ("organizer", "creator"):
        copy[role] = {k: v for k, v in copy[role].items() if k != "self"}
        if copy[role]["email"] == home.id:
            copy[role]["self"] = True
    return with_organizer(copy, home)


def check_guest_change(old: Resource, new: Resource) -> None:
    """Refuse a guest's change of what belongs to the organizer. Raises ApiError 403."""
    same = all(old.get(key) == new.get(key) for key in SHARED)
    others = [
        [guest for guest in r.get("attendees", ()) if not guest.get("self")] for r in (old, new)
    ]
    shared = [r.get("extendedProperties", {}).get("shared", {}) for r in (old, new)]
    if not same or others[0] != others[1] or shared[0] != shared[1]:
        raise ApiError(
            403,
            "forbiddenForNonOrganizer",
            "Shared properties can only be changed by the organizer of the event.",
            domain="calendar",
        )


def answer_of(resource: Resource) -> Resource | None:
    """Return the guest entry of the copy's own person."""
    return next((guest for guest in resource.get("attendees", ()) if guest.get("self")), None)


def with_answer(resource: Resource, answer: Resource) -> Resource:
    """Return the event with one guest's answer replaced."""
    kept = {k: answer[k] for k in ("responseStatus", "comment") if k in answer}
    guests = [
        {**guest, **kept} if guest["email"] == answer["email"] else guest
        for guest in resource.get("attendees", ())
    ]
    return {**resource, "attendees": guests}
