"""freeBusy.query: merged busy intervals without details."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint
from werkzeug.datastructures import MultiDict

from . import listing
from .bearer import Caller, json_body, method, state
from .errors import ApiError, invalid
from .model import Calendar, Resource
from .projection import blocks_time
from .times import moment, parameter, rfc3339, stamp, zone

blueprint = Blueprint("google_free_busy", __name__, url_prefix="/calendar/v3")

_LONGEST = timedelta(days=92)
_MOST_CALENDARS = 50


@blueprint.post("/freeBusy")
@method("freebusy.query")
def query(caller: Caller) -> Resource:
    """freebusy.query; a calendar that cannot be read is an error of its own, not of the answer."""
    body = json_body()
    begin, end = _range(body)
    time_zone = str(body.get("timeZone") or "UTC")
    zone(time_zone)
    calendars: Resource = {}
    for index, item in enumerate(_asked(body)):
        if index >= _MOST_CALENDARS:
            calendars[item] = _problem("tooManyCalendarsRequested")
            continue
        calendars[item] = _busy_of(caller, item, begin, end, time_zone)
    return {
        "kind": "calendar#freeBusy",
        "timeMin": stamp(begin),
        "timeMax": stamp(end),
        "calendars": calendars,
    }


def _range(body: Resource) -> tuple[datetime, datetime]:
    for name in ("timeMin", "timeMax"):
        if not body.get(name):
            raise ApiError(400, "required", "Required")
    begin, end = (parameter(str(body[name]), name) for name in ("timeMin", "timeMax"))
    if begin >= end:
        raise listing.time_range_empty()
    if end - begin > _LONGEST:
        raise ApiError(
            400,
            "timeRangeTooLong",
            "The requested time range is too long.",
            domain="calendar",
            location=("parameter", "timeMax"),
        )
    return begin, end


def _asked(body: Resource) -> list[str]:
    items = body.get("items")
    if not isinstance(items, list) or not all(isinstance(i, dict) and "id" in i for i in items):
        raise invalid("Invalid items.", "items")
    return [str(item["id"]) for item in items]


def _problem(reason: str) -> Resource:
    return {"errors": [{"domain": "global", "reason": reason}], "busy": []}


def _busy_of(
    caller: Caller, calendar_id: str, begin: datetime, end: datetime, time_zone: str
) -> Resource:
    try:
        calendar, role = state().calendar_for(caller.email, calendar_id)
    except ApiError:
        return _problem("notFound")
    own_only = caller.opened_by <= {"calendar.freebusy"} and role != "owner"
    if own_only or not calendar.takes_watch:
        return _problem("notFound")
    busy = [
        {"start": rfc3339(start, time_zone), "end": rfc3339(finish, time_zone)}
        for start, finish in busy_intervals(calendar, begin, end, now=state().now())
    ]
    return {"busy": busy}


def busy_intervals(
    calendar: Calendar, begin: datetime, end: datetime, *, now: datetime
) -> list[tuple[datetime, datetime]]:
    """Return merged busy time inside [begin, end), cut to it, in order."""
    args: MultiDict[str, Any] = MultiDict(
        {
            "orderBy": "startTime",
            "singleEvents": "true",
            "timeMin": begin.isoformat(),
            "timeMax": end.isoformat(),
        }
    )
    spans = sorted(
        (max(begin, span[0]), min(end, span[1]))
        for _, item in listing.select(calendar, listing.parse(args), since=0, now=now, after=[])
        if blocks_time(item)
        for span in [[moment(item[name], calendar.time_zone) for name in ("start", "end")]]
    )
    merged: list[tuple[datetime, datetime]] = []
    for start, finish in spans:
        if start >= finish:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], finish))
        else:
            merged.append((start, finish))
    return merged
