"""Storing and deleting events (RFC 4791 section 5.3.2; RFC 9110 section 13.1)."""

from __future__ import annotations

from urllib.parse import quote

from broker.domain import EventDraft, RemoteEvent
from broker.errors import (
    BrokerError,
    CalendarGone,
    EditConflict,
    PermissionMissing,
    ProtocolError,
    RateLimited,
    UserError,
)
from broker.http import Answer
from broker.providers._caldav import Dav, propfind
from broker.providers._ical import Source, read_object
from broker.providers._ical_write import edited_object, new_object
from broker.providers._multistatus import (
    CALDAV,
    DAV,
    UnreadableXml,
    has_precondition,
    read_multistatus,
)

_ICALENDAR = {"Content-Type": "text/calendar; charset=utf-8", "Accept": "*/*"}


def save(dav: Dav, calendar_id: str, draft: EventDraft, etag: str | None) -> RemoteEvent:
    """Create an event, or change the one that still has *etag*.

    `If-Match: *` is never sent: iCloud takes it for its opposite. Raises EditConflict, UserError
    `event_not_editable`, PermissionMissing, CalendarGone and other ProviderErrors.
    """
    if draft.attendees:
        raise UserError("event_refused")
    path = draft.remote_id or f"{calendar_id.rstrip('/')}/{quote(draft.uid, safe='')}.ics"
    now = dav.clock.now()
    if etag is None:
        text, condition = new_object(draft, now), {"If-None-Match": "*"}
    else:
        text, condition = edited_object(_fetch(dav, path), draft, now), {"If-Match": etag}
    answer = dav.send("save", "PUT", path, text.encode(), headers=_ICALENDAR | condition)
    if answer.status not in {200, 201, 204}:
        raise _refusal(dav, "save", answer)
    # A server that stores something else than it was sent gives no etag (RFC 4791 5.3.4).
    kept = answer.headers.get("ETag") or _etag(dav, path)
    own = frozenset(dav.credential.addresses)
    reading = read_object(Source(href=path, etag=kept, text=text, addresses=own))
    if not reading.events:
        raise ProtocolError(dav.provider, "save", answer.status, detail="draft unreadable")
    return reading.events[0]


def delete(dav: Dav, remote_id: str, etag: str | None) -> None:
    """Delete an event that still has *etag*; None deletes it whatever it is. Gone is done.

    Raises EditConflict, UserError `event_not_editable` for one occurrence of a series, and
    ProviderErrors.
    """
    if "#" in remote_id:
        raise UserError("event_not_editable")
    condition = {"If-Match": etag} if etag is not None else {}
    answer = dav.send("delete", "DELETE", remote_id, headers=condition)
    if answer.status in {200, 202, 204, 404, 410}:
        return
    if answer.status != 207:
        raise _refusal(dav, "delete", answer)
    try:
        parts = read_multistatus(answer.body, remote_id).resources
    except UnreadableXml as error:
        raise ProtocolError(dav.provider, "delete", 207, detail=str(error)) from error
    if any(part.status is not None and part.status >= 400 for part in parts):
        raise PermissionMissing(dav.provider, "delete", 207)


def _fetch(dav: Dav, path: str) -> str:
    """Read the object to change. One that is gone has changed."""
    answer = dav.send("fetch", "GET", path, headers={"Accept": "text/calendar"})
    if answer.status in {404, 410}:
        raise EditConflict("gone")
    if answer.status != 200:
        raise _refusal(dav, "fetch", answer)
    try:
        return answer.body.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError(dav.provider, "fetch", 200, detail="not UTF-8") from error


def _etag(dav: Dav, path: str) -> str:
    found = dav.multistatus("etag", "PROPFIND", path, propfind("d:getetag"), depth=0).resources
    etag = found[0].text(f"{DAV}getetag") if found else None
    if etag is None:
        raise ProtocolError(dav.provider, "etag", 207, detail="no etag")
    return etag


def _refusal(dav: Dav, operation: str, answer: Answer) -> BrokerError:
    """Say what it means that a write was refused."""
    status = answer.status
    if status == 412 or has_precondition(answer.body, "no-uid-conflict", CALDAV):
        return EditConflict(f"{operation} {status}")
    if status in {402, 403}:
        return PermissionMissing(dav.provider, operation, status)
    if status == 409:
        return CalendarGone(dav.provider, operation, status)
    if status == 423:
        return RateLimited(dav.provider, operation, status)
    if status in {413, 507}:
        return ProtocolError(dav.provider, operation, status, detail="too large")
    return dav.refusal(operation, answer)
