"""REPORT: what changed, what is in a time range, and the objects themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from flask import Response, request
from lxml import etree

from . import ical, spans
from .context import faults, state
from .model import FOREVER_S, Calendar, StoredObject
from .places import Place, calendar_href, name_in
from .properties import object_rows, row, wanted
from .store import changes_since, since, sync_token
from .wire import CALDAV, DAV, DavError, Row, multistatus

_INSTANT = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_PAGE = 20
_INVALID_TOKEN = f"{DAV}valid-sync-token"
_OLD = timedelta(days=366)
_STYLES = {"bare_403": 403, "400": 400, "409": 409, "500": 500}


def answer(place: Place, root: etree._Element | None) -> Response:
    """Answer a REPORT. Raises DavError for one that iCloud does not have."""
    if root is None or request.headers.get("Depth", "0").strip() not in ("0", "1"):
        raise DavError(400)
    handler = _REPORTS.get(str(root.tag))
    if str(root.tag) == f"{CALDAV}free-busy-query":
        raise DavError(400)
    if handler is None or place.kind != "calendar":
        raise DavError(403, f"{DAV}supported-report")
    return handler(place, root)


def _sync(place: Place, root: etree._Element) -> Response:
    """Tell what changed. The calendar itself is among it, the last href twice; `limit` is not read.

    Raises DavError when the token is invalid.
    """
    person, (_, calendar) = place.person.email, place.within()
    if faults().take(person, "no_sync"):
        raise DavError(403, f"{DAV}supported-report")
    token = root.find(f"{DAV}sync-token")
    if token is None or root.findtext(f"{DAV}sync-level", "").strip() not in ("1", "infinite"):
        raise DavError(400)
    names = wanted(root)
    start = _start(person, calendar, (token.text or "").strip())
    if faults().take(person, "empty_listing"):
        return multistatus([row(place, names)], sync_token(calendar))
    changed, gone = changes_since(calendar, start)
    return _pages(place, names, changed, gone)


def _start(person: str, calendar: Calendar, token: str) -> int | None:
    """Return the change after which to tell; None tells everything."""
    if not token:
        return None
    found = since(calendar, token)
    fault = faults().take(person, "token_expired")
    if fault is None and found is not None:
        return found
    style = str(fault.params.get("style", "")) if fault is not None else ""
    if style == "everything":
        return None
    if style in _STYLES:
        raise DavError(_STYLES[style])
    raise DavError(int(style) if style.isdecimal() else 403, _INVALID_TOKEN)


def _pages(
    place: Place, names: list[str] | None, changed: list[StoredObject], gone: list[str]
) -> Response:
    person, (_, calendar) = place.person, place.within()
    folder = calendar_href(person, place.name)
    write = object_rows(place, names)
    if len(changed) > _PAGE and faults().take(person.email, "paged_sync"):
        page = changed[:_PAGE]
        cut = Row(folder, status="507 Insufficient Storage")
        return multistatus([*map(write, page), cut], sync_token(calendar, page[-1].changed))
    rows = [row(place, names), *map(write, changed)]
    if changed:
        rows.append(rows[-1])
    rows += [Row(folder + quote(name), status="404 Not Found") for name in gone]
    return multistatus(rows, sync_token(calendar))


def _multiget(place: Place, root: etree._Element) -> Response:
    """Give objects by href. What is not there is 404; what is delayed is left out."""
    _, calendar = place.within()
    folder = calendar_href(place.person, place.name)
    hrefs = [(child.text or "").strip() for child in root.iterchildren(f"{DAV}href")]
    if not hrefs:
        raise DavError(400)
    asked = [(href, name_in(folder, href)) for href in hrefs]
    found = {name: calendar.objects[name] for _, name in asked if name in calendar.objects}
    late = ""
    if found and faults().take(place.person.email, "delayed_multiget"):
        late = max(found.values(), key=lambda one: one.changed).name
    write = object_rows(place, wanted(root))
    return multistatus(
        write(found[name]) if name in found else Row(href, status="404 Not Found")
        for href, name in asked
        if name is None or name != late
    )


def _query(place: Place, root: etree._Element) -> Response:
    """List what is in a time range. Raises DavError 400 without a filter by component."""
    _, calendar = place.within()
    kind, low_s, high_s = _filter(root)
    person = place.person.email
    if _is_old(low_s) and faults().take(person, "old_window_403"):
        raise DavError(403)
    names = wanted(root)
    if faults().take(person, "empty_listing"):
        return multistatus([])
    found = in_range(calendar, kind, low_s, high_s)
    return multistatus(map(object_rows(place, names), found))


def _filter(root: etree._Element) -> tuple[str, int, int]:
    """Return the component asked for and the range, in seconds since 1970."""
    inner = root.findall(
        f"{CALDAV}filter/{CALDAV}comp-filter[@name='VCALENDAR']/{CALDAV}comp-filter"
    )
    if len(inner) != 1 or inner[0].get("name") not in ("VEVENT", "VTODO"):
        raise DavError(400)
    others = [child for child in inner[0].iterchildren() if child.tag != f"{CALDAV}time-range"]
    if others:
        raise DavError(403, f"{CALDAV}supported-filter")
    limits = inner[0].find(f"{CALDAV}time-range")
    if limits is None:
        return str(inner[0].get("name")), 0, FOREVER_S
    if limits.get("start") is None and limits.get("end") is None:
        raise DavError(400)
    low_s, high_s = _instant(limits.get("start"), 0), _instant(limits.get("end"), FOREVER_S)
    if low_s >= high_s:
        raise DavError(400)
    return str(inner[0].get("name")), low_s, high_s


def _instant(text: str | None, default_s: int) -> int:
    if text is None:
        return default_s
    if not _INSTANT.fullmatch(text):
        raise DavError(403, f"{CALDAV}valid-filter")
    try:
        at = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as problem:
        raise DavError(403, f"{CALDAV}valid-filter") from problem
    return int(at.timestamp())


def _is_old(low_s: int) -> bool:
    return low_s < (state().now() - _OLD).timestamp()


def in_range(calendar: Calendar, kind: str, low_s: int, high_s: int) -> Iterable[StoredObject]:
    """Return the objects of a kind with an occurrence in a range; tasks are in every range."""
    for found in calendar.objects.values():
        if found.kind != kind:
            continue
        if kind == "VTODO" or _overlaps(found, calendar.time_zone, low_s, high_s):
            yield found


def _overlaps(found: StoredObject, zone_name: str, low_s: int, high_s: int) -> bool:
    if not spans.touches((found.start_s, found.end_s), low_s, high_s):
        return False
    return found.plain or spans.overlaps(ical.parse(found.data), zone_name, low_s, high_s)


_REPORTS: dict[str, Callable[[Place, etree._Element], Response]] = {
    f"{DAV}sync-collection": _sync,
    f"{CALDAV}calendar-multiget": _multiget,
    f"{CALDAV}calendar-query": _query,
}
