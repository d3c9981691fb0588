"""What a client may say about an event: checked, trimmed, and merged as PUT and PATCH do."""

from __future__ import annotations

import re
from typing import Any

from .errors import ApiError, invalid
from .model import Calendar, Resource
from .times import is_all_day, moment, normalised

OWN_ID = re.compile(r"[0-9a-v]{5,1024}")

SHARED = (
    "summary",
    "description",
    "location",
    "start",
    "end",
    "recurrence",
    "status",
    "conferenceData",
    "guestsCanInviteOthers",
    "guestsCanModify",
    "guestsCanSeeOtherGuests",
    "anyoneCanAddSelf",
    "source",
    "attachments",
)
"""Fields that only the organizer may change."""

PERSONAL = ("colorId", "reminders", "transparency", "visibility", "extendedProperties")
"""Fields that each copy has for itself."""

_WRITABLE = (
    *SHARED,
    *PERSONAL,
    "attendees",
    "eventType",
    "outOfOfficeProperties",
    "focusTimeProperties",
    "workingLocationProperties",
    "birthdayProperties",
)
_CHOICES = {
    "status": ("confirmed", "tentative", "cancelled"),
    "transparency": ("opaque", "transparent"),
    "visibility": ("default", "public", "private", "confidential"),
    "eventType": ("default", "outOfOffice", "focusTime", "workingLocation", "birthday"),
}
_ANSWERS = ("needsAction", "declined", "tentative", "accepted")
_DEFAULTS = {"transparency": "opaque", "visibility": "default"}


def cleaned(body: Resource, calendar: Calendar, old: Resource | None = None) -> Resource:
    """Return the writable fields of a body, checked and in stored form.

    None stays where a field is to be cleared. `old` lends its zone to a start without one.
    Raises ApiError 400.
    """
    said = {key: body[key] for key in _WRITABLE if key in body}
    for name, choices in _CHOICES.items():
        if said.get(name) is not None and said[name] not in choices:
            raise invalid(f"Invalid value for: {said[name]} is not a valid value", name)
    for name in ("start", "end"):
        if said.get(name) is not None:
            value = _with_old_zone(said[name], (old or {}).get(name, {}))
            said[name] = normalised(value, name, calendar.time_zone)
    if said.get("attendees"):
        said["attendees"] = [_attendee(one) for one in said["attendees"]]
    if said.get("extendedProperties"):
        said["extendedProperties"] = _properties(said["extendedProperties"])
    if said.get("recurrence"):
        _require_zones(body)
    return said


def _with_old_zone(value: Any, old: Resource) -> Any:
    if isinstance(value, dict) and value.get("dateTime") and not value.get("timeZone"):
        return {**value, "timeZone": old.get("timeZone")}
    return value


def _require_zones(body: Resource) -> None:
    start = body.get("start")
    if isinstance(start, dict) and start.get("dateTime") and not start.get("timeZone"):
        raise ApiError(400, "required", "Missing time zone definition for start time.")


def _attendee(said: Any) -> Resource:
    if not isinstance(said, dict) or "@" not in str(said.get("email", "")):
        raise invalid("Invalid attendee email.", "attendees")
    kept = ("displayName", "optional", "resource", "comment", "additionalGuests")
    answer = said.get("responseStatus") or "needsAction"
    if answer not in _ANSWERS:
        raise invalid("Invalid attendee response status.", "attendees")
    extra = {key: said[key] for key in kept if said.get(key)}
    return {"email": said["email"].lower(), **extra, "responseStatus": answer}


def _properties(said: Resource) -> Resource:
    """Drop keys over 44 characters and cut values at 1,024, silently, as Google does."""
    kept: Resource = {}
    for side in ("private", "shared"):
        if isinstance(said.get(side), dict):
            kept[side] = {
                key: None if value is None else str(value)[:1024]
                for key, value in said[side].items()
                if len(key) <= 44
            }
    return kept


def merged(old: Resource, said: Resource) -> Resource:
    """Apply a PATCH: objects merge, arrays and times are replaced, None clears."""
    new = dict(old)
    for key, value in said.items():
        if value is None or _DEFAULTS.get(key) == value:
            new.pop(key, None)
        elif isinstance(value, dict) and key not in ("start", "end") and key in old:
            new[key] = merged(old[key], value)
        else:
            new[key] = _without_none(value)
    return new


def replaced(old: Resource, said: Resource) -> Resource:
    """Apply a PUT: every writable field that is not said is reset."""
    kept_anyway = ("eventType", "conferenceData", "status")
    system = {k: v for k, v in old.items() if k not in _WRITABLE or k in kept_anyway}
    fresh = {"status": "confirmed", "reminders": {"useDefault": True}}
    return merged({**system, **fresh}, said)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return value


def check_times(resource: Resource, zone_name: str) -> None:
    """Check that a whole event has a start, an end, and not the wrong way round."""
    for name in ("start", "end"):
        if name not in resource:
            raise ApiError(400, "required", f"Missing {name} time.")
    if is_all_day(resource["start"]) != is_all_day(resource["end"]):
        raise invalid("Start and end times must either both be date or both be dateTime.")
    if moment(resource["end"], zone_name) < moment(resource["start"], zone_name):
        raise ApiError(
            400,
            "timeRangeEmpty",
            "The specified time range is empty.",
            domain="calendar",
            location=("parameter", "timeMax"),
        )


def with_conference(resource: Resource, body: Resource, version: int) -> Resource:
    """Make the Meet link that a createRequest asks for; version 0 drops what the body says."""
    asked = body.get("conferenceData")
    resource = {k: v for k, v in resource.items() if k != "conferenceData" or not asked}
    if not asked or version == 0:
        return resource
    request = asked.get("createRequest", {})
    if not request.get("requestId"):
        raise invalid("Invalid conference data.", "conferenceData")
    letters = f"{resource['id'].replace('_', '')}sandbox"
    code = f"{letters[:3]}-{letters[3:7]}-{letters[7:10]}"
    link = f"https://meet.google.com/{code}"
    resource["hangoutLink"] = link
    resource["conferenceData"] = {
        "createRequest": {**request, "status": {"statusCode": "success"}},
        "entryPoints": [{"entryPointType": "video", "uri": link, "label": link[8:]}],
        "conferenceSolution": {"key": {"type": "hangoutsMeet"}, "name": "Google Meet"},
        "conferenceId": code,
    }
    return resource
