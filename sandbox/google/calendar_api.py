"""Calendars of the API: calendarList, calendars, and channels."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Blueprint, request, url_for

from . import push, sync_tokens
from .bearer import Caller, json_body, method, state
from .errors import ApiError, invalid, not_found
from .listing import flag, page_size
from .model import ROLES, Calendar, Channel, ListEntry, Resource
from .store import at_least, etag
from .sync_tokens import PageToken, SyncToken
from .times import zone

blueprint = Blueprint("google_calendar", __name__, url_prefix="/calendar/v3")

_REMINDERS = [{"method": "popup", "minutes": 10}]
_FIXED_FLAGS = ("showHidden", "showDeleted")


def default_reminders(role: str) -> list[Resource]:
    """Return the reminders that a list shows; only an owner has some here."""
    return _REMINDERS if role == "owner" else []


def list_entry(email: str, calendar: Calendar, entry: ListEntry, role: str) -> Resource:
    """Return a calendarListEntry; flags that are false are left out."""
    body: Resource = {
        "kind": "calendar#calendarListEntry",
        "etag": etag(entry.changed),
        "id": calendar.id,
        "summary": calendar.summary,
        "timeZone": calendar.time_zone,
        "colorId": entry.color_id,
        "backgroundColor": "#9fe1e7",
        "foregroundColor": "#000000",
        "accessRole": role,
        "defaultReminders": default_reminders(role),
        "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
    }
    if calendar.description:
        body["description"] = calendar.description
    if entry.summary_override:
        body["summaryOverride"] = entry.summary_override
    if calendar.id == email:
        body["primary"] = True
    elif "#" not in calendar.id and calendar.id != calendar.owner:
        body["dataOwner"] = calendar.owner
    return body | {name: True for name in ("selected", "hidden") if getattr(entry, name)}


def _deleted_entry(entry: ListEntry) -> Resource:
    return {
        "kind": "calendar#calendarListEntry",
        "etag": etag(entry.changed),
        "id": entry.calendar_id,
        "deleted": True,
    }


@blueprint.get("/users/me/calendarList")
@method("calendarList.list")
def list_calendars(caller: Caller) -> Resource:
    """calendarList.list, whole or since a sync token."""
    args, email = request.args, caller.email
    limit = page_size(args, 100, 250)
    since, began, last = _where_to_begin(email, sync_tokens.digest(_fixed_flags()))

    rows = []
    for entry in state().world.lists.get(email, {}).values():
        item = _visible(caller, entry, since)
        if item and entry.changed > max(since, last):
            rows.append((entry.changed, item))
    answer: Resource = {
        "kind": "calendar#calendarList",
        "etag": etag(state().world.sequence),
        "items": [item for _, item in rows[:limit]],
    }
    query = sync_tokens.digest(_fixed_flags())
    if len(rows) > limit:
        token = PageToken("list", email, query, _sync_digest(), began, [rows[limit - 1][0]])
        answer["nextPageToken"] = sync_tokens.encode(token)
    else:
        answer["nextSyncToken"] = sync_tokens.encode(SyncToken("list", email, query, 0, began))
    return answer


def _fixed_flags() -> list[Any]:
    return [request.args.get(name) for name in _FIXED_FLAGS] + [request.args.get("minAccessRole")]


def _sync_digest() -> str | None:
    text = request.args.get("syncToken")
    return sync_tokens.digest(text) if text else None


def _where_to_begin(email: str, query: str) -> tuple[int, int, int]:
    """Return (since, the change number the listing began at, last change given out)."""
    args = request.args
    text = args.get("syncToken")
    since = 0
    if args.get("minAccessRole") not in (None, *ROLES[1:]):
        raise invalid("Invalid value for minAccessRole", "minAccessRole")
    if text:
        restricted = "minAccessRole" in args or "showOwnOrganizationOnly" in args
        if restricted or any(flag(args, name) is False for name in _FIXED_FLAGS):
            raise invalid("Sync token cannot be used with other request restrictions.", "syncToken")
        token = sync_tokens.read_sync(text, resource="list", email=email, query=query, epoch=0)
        since = token.since
    if not args.get("pageToken"):
        return since, state().world.sequence, 0
    page = sync_tokens.read_page(
        args["pageToken"], resource="list", email=email, query=query, sync_token=text
    )
    return since, page.began, page.last[0]


def _visible(caller: Caller, entry: ListEntry, since: int) -> Resource | None:
    """Return the entry as this request shows it, None when it leaves it out."""
    args = request.args
    calendar = state().world.calendars.get(entry.calendar_id)
    if entry.deleted or calendar is None:
        return _deleted_entry(entry) if since or flag(args, "showDeleted") else None
    role = state().role(caller.email, calendar)
    wanted = args.get("minAccessRole", "none")
    if not at_least(role, wanted) or role == "none":
        return None
    if entry.hidden and not since and not flag(args, "showHidden"):
        return None
    return list_entry(caller.email, calendar, entry, role)


@blueprint.get("/users/me/calendarList/<calendar_id>")
@method("calendarList.get")
def get_list_entry(caller: Caller, calendar_id: str) -> Resource:
    """calendarList.get."""
    calendar, role = state().calendar_for(caller.email, calendar_id)
    entry = state().world.lists.get(caller.email, {}).get(calendar.id)
    if entry is None or entry.deleted:
        raise not_found()
    return list_entry(caller.email, calendar, entry, caller.role(calendar, role))


@blueprint.post("/users/me/calendarList/watch")
@method("calendarList.watch", writes=True)
def watch_list(caller: Caller) -> Resource:
    """calendarList.watch."""
    uri = url_for(".list_calendars", _external=True) + "?alt=json"
    return open_watch(caller, f"list:{caller.email}", uri)


@blueprint.get("/calendars/<calendar_id>")
@method("calendars.get")
def get_calendar(caller: Caller, calendar_id: str) -> Resource:
    """calendars.get."""
    calendar, role = state().calendar_for(caller.email, calendar_id)
    caller.role(calendar, role)
    return _calendar(calendar)


@blueprint.post("/calendars")
@method("calendars.insert", writes=True)
def insert_calendar(caller: Caller) -> Resource:
    """calendars.insert: a secondary calendar of the caller."""
    body = json_body()
    if not body.get("summary"):
        raise ApiError(400, "required", "Missing summary.")
    time_zone = str(body.get("timeZone") or caller.person.time_zone)
    zone(time_zone)
    calendar = Calendar(
        id=f"c_{secrets.token_hex(16)}@group.calendar.google.com",
        summary=str(body["summary"]),
        time_zone=time_zone,
        owner=caller.email,
        description=str(body.get("description") or ""),
        created_by=caller.client_id,
    )
    state().world.calendars[calendar.id] = calendar
    state().put_entry(caller.email, ListEntry(calendar.id, 0))
    return _calendar(calendar)


def _calendar(calendar: Calendar) -> Resource:
    body = {
        "kind": "calendar#calendar",
        "etag": f'"{sync_tokens.digest((calendar.id, calendar.summary))}"',
        "id": calendar.id,
        "summary": calendar.summary,
        "timeZone": calendar.time_zone,
        "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
    }
    return body | ({"description": calendar.description} if calendar.description else {})


def open_watch(caller: Caller, watched: str, uri: str) -> Resource:
    """Open a channel on a resource and answer as both watch methods do."""
    channel = push.open_channel(
        state(),
        json_body(),
        watched=watched,
        uri=uri,
        email=caller.email,
        client_id=caller.client_id,
    )
    state().touch_channel(channel.id)
    return _channel(channel)


def _channel(channel: Channel) -> Resource:
    body = {
        "kind": "api#channel",
        "id": channel.id,
        "resourceId": channel.resource_id,
        "resourceUri": channel.resource_uri,
        "expiration": str(int(channel.expires_at.timestamp() * 1000)),
    }
    return body | ({"token": channel.token} if channel.token else {})


@blueprint.post("/channels/stop")
@method("channels.stop", writes=True)
def stop_channel(caller: Caller) -> None:
    """channels.stop: only by the person and client that opened it."""
    body = json_body()
    channel = state().world.channels.get(str(body.get("id")))
    if channel is None or channel.resource_id != body.get("resourceId"):
        raise ApiError(404, "notFound", f"Channel '{body.get('id')}' not found for project")
    if (channel.email, channel.client_id) != (caller.email, caller.client_id):
        raise ApiError(404, "notFound", f"Channel '{body.get('id')}' not found for project")
    del state().world.channels[channel.id]
    state().touch_anything()
