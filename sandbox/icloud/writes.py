"""PUT and DELETE, with what iCloud refuses."""

from __future__ import annotations

import re

from flask import Response, request
from lxml import etree

from . import ical, scheduling
from .context import faults, state
from .ical import Component
from .model import Calendar
from .places import Place
from .store import etag
from .wire import CALDAV, DAV, DavError

_MOST_BYTES = 20 * 1024 * 1024
_INVALID = f"{CALDAV}valid-calendar-data"
_NOT_ONE = f"{CALDAV}valid-calendar-object-resource"
_ENUMS = ("STATUS", "TRANSP", "CLASS", "ACTION")
_TOO_OFTEN = re.compile(r"FREQ=(SECONDLY|MINUTELY)", re.IGNORECASE)


def put(place: Place, root: etree._Element | None) -> Response:
    """Store an object. Raises DavError when the request or the content is refused."""
    calendar = _writable(place)
    name = place.name
    before = calendar.objects.get(name)
    _check_conditions(calendar, name)
    if request.mimetype != "text/calendar":
        raise DavError(415)
    text, rewritten = _content()
    uid = _check(text, calendar)
    same = before is not None and before.uid == uid
    taken = None if same else state().homonym(calendar, uid)
    if taken is not None or (before is not None and not same):
        raise DavError(409, f"{CALDAV}no-uid-conflict")
    with state().transaction():
        try:
            stored = state().put(calendar, name, text)
        except (ValueError, KeyError) as problem:
            raise DavError(403, _INVALID) from problem
        tag = etag(calendar, stored.changed)
        scheduling.stored(state(), place.person, text)
        if faults().take(place.person.email, "housekeeping"):
            state().bump(calendar, [name])
    silent = rewritten or faults().take(place.person.email, "put_without_etag")
    return Response(status=204 if before else 201, headers={} if silent else {"ETag": tag})


def delete(place: Place, root: etree._Element | None) -> Response:
    """Delete an object. Raises DavError 404 when there is none."""
    calendar = _writable(place)
    found = place.stored()
    _check_conditions(calendar, place.name)
    with state().transaction():
        state().remove(calendar, place.name)
        if request.headers.get("Schedule-Reply", "T").strip().upper() != "F":
            scheduling.deleted(state(), place.person, found.data)
    return Response(status=204)


def _writable(place: Place) -> Calendar:
    if place.kind != "object":
        raise DavError(403 if place.kind != "root" else 405)
    entry, calendar = place.within()
    if entry.access == "read" or entry.subscribed:
        raise DavError(403, f"{DAV}need-privileges")
    return calendar


def _check_conditions(calendar: Calendar, name: str) -> None:
    """Check If-None-Match and If-Match; iCloud takes `If-Match: *` for its opposite."""
    stored = calendar.objects.get(name)
    tag = etag(calendar, stored.changed) if stored else None
    if none := request.headers.get("If-None-Match", "").strip():
        if stored and (none == "*" or tag in _tags(none)):
            raise DavError(412)
    if match := request.headers.get("If-Match", "").strip():
        if match == "*":
            if stored:
                raise DavError(412)
        elif tag not in _tags(match):
            raise DavError(412)


def _tags(header: str) -> set[str]:
    return {part.strip() for part in header.split(",")}


def _content() -> tuple[str, bool]:
    """Return the text to store, and whether it is not the one that was sent."""
    body = request.get_data()
    if len(body) > _MOST_BYTES:
        raise DavError(403, f"{CALDAV}max-resource-size")
    try:
        text = body.decode()
    except UnicodeDecodeError as problem:
        raise DavError(403, _INVALID) from problem
    mended = text if _is_standard(text) else ical.written(text)
    return mended, mended != text


def _is_standard(text: str) -> bool:
    """Whether lines end and are folded as the standard says."""
    lines = text.split("\r\n")
    return lines[-1] == "" and not any("\n" in x or len(x.encode()) > 75 for x in lines)


def _check(text: str, calendar: Calendar) -> str:
    """Return the UID of a text that iCloud would take. Raises DavError."""
    try:
        read = ical.parse(text)
    except ValueError as problem:
        raise DavError(403, _INVALID) from problem
    parts = ical.events(read)
    if not parts or read.line("METHOD") or {part.name for part in parts} != {parts[0].name}:
        raise DavError(403, _NOT_ONE)
    if parts[0].name != calendar.kind:
        raise DavError(403, f"{CALDAV}supported-calendar-component")
    if not (read.value("VERSION") and read.value("PRODID")):
        raise DavError(403, _INVALID)
    uids = {part.value("UID") for part in parts}
    if len(uids) != 1 or "" in uids:
        raise DavError(403, _NOT_ONE)
    for part in parts:
        _check_part(part)
    _check_zones(read, parts)
    return uids.pop()


def _check_part(part: Component) -> None:
    if not part.line("DTSTAMP"):
        raise DavError(403, _INVALID)
    for line in part.all(*_ENUMS):
        if line.value != line.value.upper():
            raise DavError(403, _INVALID)
    if part.name == "VTODO":
        return
    if not part.line("DTSTART"):
        raise DavError(403, _INVALID)
    if not (part.line("DTEND") or part.line("DURATION")):
        raise DavError(404)
    if _TOO_OFTEN.search(part.value("RRULE")):
        raise DavError(403, _INVALID)


def _check_zones(read: Component, parts: list[Component]) -> None:
    """Every TZID needs its VTIMEZONE."""
    defined = {child.value("TZID") for child in read.children if child.name == "VTIMEZONE"}
    for part in parts:
        if any(line.params.get("TZID") not in defined | {None} for line in part.lines):
            raise DavError(403, _NOT_ONE)
