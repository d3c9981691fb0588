"""Events of the API: list, get, instances, the writes, and watch."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

from flask import Blueprint, request

from . import edits, listing, projection, sync_tokens
from .bearer import Caller, as_seen, faults, json_body, method, state, whole_number
from .calendar_api import default_reminders, open_watch
from .errors import ApiError, invalid, not_found
from .listing import Query
from .model import Calendar, Resource
from .projection import View
from .store import at_least, etag
from .sync_tokens import PageToken, SyncToken

blueprint = Blueprint(
    "google_events", __name__, url_prefix="/calendar/v3/calendars/<calendar_id>/events"
)

_Rows = list[tuple[listing.Key, Resource]]


def _open(caller: Caller, calendar_id: str) -> tuple[Calendar, str]:
    """Return the calendar and what the caller may do there. Raises ApiError 403, 404."""
    gone = faults().find(caller.email, "gone_calendar")
    calendar, role = state().calendar_for(caller.email, calendar_id)
    if gone and gone.params.get("calendar", calendar.id) == calendar.id:
        if "calendar" in gone.params or calendar.id != caller.email:
            faults().take(caller.email, "gone_calendar")
            raise not_found()
    return calendar, caller.role(calendar, role)


def _open_to_write(caller: Caller, calendar_id: str) -> Calendar:
    calendar, role = _open(caller, calendar_id)
    if not at_least(role, "writerWithoutPrivateAccess"):
        raise ApiError(
            403,
            "requiredAccessLevel",
            "You need to have writer access to this calendar.",
            domain="calendar",
        )
    return calendar


@blueprint.get("")
@method("events.list")
def list_events(caller: Caller, calendar_id: str) -> Resource:
    """events.list, whole or since a sync token, page by page."""
    calendar, role = _open(caller, calendar_id)
    calendar, seen = as_seen(caller, calendar)
    query = listing.parse(request.args)
    since, began, last = _where_to_begin(caller, calendar, query)
    began = min(began, seen)
    rows = listing.select(calendar, query, since=since, now=state().now(), after=last)
    return _page(caller, calendar, role, query, rows, began=began, since=since, last=last)


def _where_to_begin(caller: Caller, calendar: Calendar, query: Query) -> tuple[int, int, list[Any]]:
    """Return (since, the change number the listing began at, last key given out)."""
    text = query.sync_token
    since = 0
    if text:
        if faults().take(caller.email, "expired_sync_token"):
            raise sync_tokens.expired()
        since = sync_tokens.read_sync(
            text,
            resource=calendar.id,
            email=caller.email,
            query=sync_tokens.digest(query.fingerprint()),
            epoch=calendar.epoch,
        ).since
    if not request.args.get("pageToken"):
        return since, state().world.sequence, []
    page = sync_tokens.read_page(
        request.args["pageToken"],
        resource=calendar.id,
        email=caller.email,
        query=sync_tokens.digest(query.page_fingerprint()),
        sync_token=text,
    )
    return since, page.began, page.last


def _page(
    caller: Caller,
    calendar: Calendar,
    role: str,
    query: Query,
    rows: _Rows,
    *,
    began: int,
    since: int,
    last: list[Any],
) -> Resource:
    limit, next_last = _cut(caller, rows, query.limit, first=not last)
    view = projection.view_for(role, caller.email, time_zone=query.time_zone)
    answer: Resource = {
        "kind": "calendar#events",
        "etag": etag(began),
        "summary": calendar.summary,
        "description": calendar.description,
        "updated": calendar.updated,
        "timeZone": query.time_zone or calendar.time_zone,
        "accessRole": role,
        "defaultReminders": default_reminders(role),
        "items": _items([item for _, item in rows[:limit]], view, query, whole=not since),
    }
    if faults().find(caller.email, "out_of_order") and len(answer["items"]) > 1:
        faults().take(caller.email, "out_of_order")
        answer["items"].sort(key=lambda item: "recurringEventId" not in item)
    return answer | _next(caller, calendar, query, began, next_last)


def _cut(caller: Caller, rows: _Rows, limit: int, *, first: bool) -> tuple[int, list[Any] | None]:
    """Return how many rows this page has, and the key the next one begins after; None ends."""
    if first and faults().take(caller.email, "empty_page"):
        # A key before every other: the next page is the first one.
        return 0, [-1] if not rows or isinstance(rows[0][0][0], int) else [""]
    if len(rows) > 2 and faults().take(caller.email, "dup_events"):
        limit = min(limit, max(2, len(rows) // 2))
        return limit, list(rows[limit - 2][0])
    if len(rows) > limit:
        return limit, list(rows[limit - 1][0])
    return len(rows), None


def _items(found: list[Resource], view: View, query: Query, *, whole: bool) -> list[Resource]:
    items = []
    for resource in found:
        item = view(resource)
        if item["status"] == "cancelled":
            if whole and resource["status"] != "cancelled" and not query.show_deleted:
                continue
            item = projection.stub(item)
        items.append(_fewer_guests(item))
    return items


def _fewer_guests(item: Resource) -> Resource:
    most = whole_number("maxAttendees") if "maxAttendees" in request.args else 0
    if not most or len(item.get("attendees", ())) <= most:
        return item
    mine = [guest for guest in item["attendees"] if guest.get("self")]
    return {**item, "attendees": mine or item["attendees"][:most], "attendeesOmitted": True}


def _next(
    caller: Caller, calendar: Calendar, query: Query, began: int, last: list[Any] | None
) -> Resource:
    if last is not None:
        digest = sync_tokens.digest(query.sync_token) if query.sync_token else None
        page_query = sync_tokens.digest(query.page_fingerprint())
        page = PageToken(calendar.id, caller.email, page_query, digest, began, last)
        return {"nextPageToken": sync_tokens.encode(page)}
    if not query.gives_sync_token:
        return {}
    fingerprint = sync_tokens.digest(query.fingerprint())
    token = SyncToken(calendar.id, caller.email, fingerprint, calendar.epoch, began)
    return {"nextSyncToken": sync_tokens.encode(token)}


@blueprint.post("")
@method("events.insert", writes=True)
def insert_event(caller: Caller, calendar_id: str) -> Resource:
    """events.insert."""
    calendar = _open_to_write(caller, calendar_id)
    return edits.insert(
        state(), calendar, json_body(), creator=caller.email, conference=_write_options()
    )


def _write_options() -> int:
    """Check the parameters that writes share and return `conferenceDataVersion`."""
    if request.args.get("sendUpdates", "none") not in ("all", "externalOnly", "none"):
        raise invalid("Invalid value for sendUpdates", "sendUpdates")
    version = whole_number("conferenceDataVersion")
    if version > 1:
        raise invalid("Invalid value for conferenceDataVersion", "conferenceDataVersion")
    return version


@blueprint.post("/import")
@method("events.import", writes=True)
def import_event(caller: Caller, calendar_id: str) -> Resource:
    """events.import."""
    calendar = _open_to_write(caller, calendar_id)
    return edits.import_event(state(), calendar, json_body(), creator=caller.email)


@blueprint.post("/watch")
@method("events.watch", writes=True)
def watch_events(caller: Caller, calendar_id: str) -> Resource:
    """events.watch; holiday calendars cannot be watched."""
    calendar, _ = _open(caller, calendar_id)
    if not calendar.takes_watch:
        raise ApiError(
            400,
            "pushNotSupportedForRequestedResource",
            "Push notifications are not supported by this resource.",
        )
    uri = f"{request.url_root}calendar/v3/calendars/{quote(calendar.id, safe='')}/events?alt=json"
    return open_watch(caller, f"events:{calendar.id}", uri)


@blueprint.get("/<event_id>")
@method("events.get")
def get_event(caller: Caller, calendar_id: str, event_id: str) -> Resource:
    """events.get; a deleted event is still there with `status: cancelled`."""
    calendar, role = _open(caller, calendar_id)
    calendar, _ = as_seen(caller, calendar)
    time_zone = request.args.get("timeZone")
    view = projection.view_for(role, caller.email, time_zone=time_zone)
    return _fewer_guests(view(edits.find(calendar, event_id)))


@blueprint.get("/<event_id>/instances")
@method("events.instances")
def list_instances(caller: Caller, calendar_id: str, event_id: str) -> Resource:
    """events.instances of one series."""
    calendar, role = _open(caller, calendar_id)
    query = listing.parse(request.args)
    master = edits.find(calendar, event_id)
    rows: _Rows = []
    if master.get("recurrence"):
        rows = listing.instances(calendar, master, query, state().now())
    original = request.args.get("originalStart")
    if original:
        rows = [row for row in rows if _began_at(row[1], original)]
    _, began, last = _where_to_begin(caller, calendar, query)
    rows = [row for row in rows if list(row[0]) > last]
    answer = _page(caller, calendar, role, query, rows, began=began, since=0, last=last)
    return {k: v for k, v in answer.items() if k != "nextSyncToken"}


def _began_at(resource: Resource, original: str) -> bool:
    start = resource["originalStartTime"]
    if "date" in start:
        return bool(start["date"] == original)
    try:
        return datetime.fromisoformat(start["dateTime"]) == datetime.fromisoformat(original)
    except (ValueError, TypeError):
        return False


def _check_etag(calendar: Calendar, event_id: str) -> None:
    """Compare If-Match with the event. Raises ApiError 412."""
    wanted = request.headers.get("If-Match")
    if wanted and wanted != "*" and wanted != edits.find(calendar, event_id)["etag"]:
        raise ApiError(
            412, "conditionNotMet", "Precondition Failed", location=("header", "If-Match")
        )


@blueprint.put("/<event_id>")
@method("events.update", writes=True)
def update_event(caller: Caller, calendar_id: str, event_id: str) -> Resource:
    """events.update: what is not said is reset."""
    calendar = _open_to_write(caller, calendar_id)
    _check_etag(calendar, event_id)
    conference = _write_options()
    return edits.change(
        state(), calendar, event_id, json_body(), replace=True, conference=conference
    )


@blueprint.patch("/<event_id>")
@method("events.patch", writes=True)
def patch_event(caller: Caller, calendar_id: str, event_id: str) -> Resource:
    """events.patch: what is not said stays."""
    calendar = _open_to_write(caller, calendar_id)
    _check_etag(calendar, event_id)
    return edits.change(state(), calendar, event_id, json_body(), conference=_write_options())


@blueprint.delete("/<event_id>")
@method("events.delete", writes=True)
def delete_event(caller: Caller, calendar_id: str, event_id: str) -> None:
    """events.delete."""
    calendar = _open_to_write(caller, calendar_id)
    _check_etag(calendar, event_id)
    _write_options()
    edits.delete(state(), calendar, event_id)


@blueprint.post("/<event_id>/move")
@method("events.move", writes=True)
def move_event(caller: Caller, calendar_id: str, event_id: str) -> Resource:
    """events.move to the calendar named by `destination`."""
    calendar = _open_to_write(caller, calendar_id)
    if not request.args.get("destination"):
        raise ApiError(400, "required", "Required parameter: destination")
    target = _open_to_write(caller, request.args["destination"])
    return edits.move(state(), calendar, event_id, target)
