"""What a caller gets to see of an event, by access role, scope and privacy."""

from __future__ import annotations

from collections.abc import Callable

from . import invitations
from .model import Resource
from .store import at_least
from .times import in_zone

_FREE_BUSY = (
    "kind",
    "etag",
    "id",
    "status",
    "htmlLink",
    "updated",
    "start",
    "end",
    "iCalUID",
    # Without these a series could not be told from its first occurrence (inferred).
    "recurrence",
    "recurringEventId",
    "originalStartTime",
)
_PRIVATE = (*_FREE_BUSY, "created", "transparency", "sequence", "eventType")
_STUB = ("kind", "etag", "id", "recurringEventId", "originalStartTime")

View = Callable[[Resource], Resource]


def blocks_time(resource: Resource) -> bool:
    """Whether an event makes its calendar busy."""
    if resource["status"] == "cancelled" or resource.get("transparency") == "transparent":
        return False
    if resource["eventType"] in ("workingLocation", "birthday"):
        return False
    answer = invitations.answer_of(resource)
    return not (answer and answer["responseStatus"] == "declined")


def stub(resource: Resource) -> Resource:
    """Return all that a listing says of a deleted event."""
    return {k: resource[k] for k in _STUB if k in resource} | {"status": "cancelled"}


def view_for(role: str, email: str, *, time_zone: str | None = None) -> View:
    """Return how a caller sees single events; `email` is the caller's own address."""
    view: View
    if not at_least(role, "reader"):
        view = _free_busy
    elif role in ("reader", "writerWithoutPrivateAccess"):
        view = _masked_for(email)
    else:
        view = _as_is
    return _zoned(view, time_zone) if time_zone else view


def _as_is(resource: Resource) -> Resource:
    return resource


def _free_busy(resource: Resource) -> Resource:
    if not blocks_time(resource):
        return stub(resource)
    return {k: resource[k] for k in _FREE_BUSY if k in resource} | {"visibility": "private"}


def _masked_for(email: str) -> View:
    def view(resource: Resource) -> Resource:
        if resource.get("visibility") not in ("private", "confidential"):
            return resource
        if any(guest["email"] == email for guest in resource.get("attendees", ())):
            return resource
        return {k: resource[k] for k in _PRIVATE if k in resource} | {"visibility": "private"}

    return view


def _zoned(view: View, time_zone: str) -> View:
    def zoned(resource: Resource) -> Resource:
        seen = dict(view(resource))
        for name in ("start", "end", "originalStartTime"):
            if name in seen:
                seen[name] = in_zone(seen[name], time_zone)
        return seen

    return zoned
