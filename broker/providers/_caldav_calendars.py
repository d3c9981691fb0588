"""Which collections are calendars for events, and what they say about themselves."""

from __future__ import annotations

import re
from urllib.parse import unquote

from broker.domain import RemoteCalendar
from broker.providers._ical_text import Unreadable, calendar_zone
from broker.providers._multistatus import APPLE, CALDAV, CALENDAR_SERVER, DAV, Multistatus, Resource

PROPERTIES = (
    "d:resourcetype",
    "d:displayname",
    "d:sync-token",
    "d:current-user-privilege-set",
    "c:supported-calendar-component-set",
    "c:calendar-timezone",
    "cs:getctag",
    "a:calendar-color",
)
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}(?:[0-9A-Fa-f]{2})?", re.ASCII)


def read_calendars(answer: Multistatus) -> list[RemoteCalendar]:
    """Give the calendars among the resources of a home, each once."""
    found = {item.href: _calendar(item) for item in answer.resources if holds_events(item)}
    return list(found.values())


def holds_events(item: Resource) -> bool:
    """Tell whether a resource is a calendar that takes VEVENTs (RFC 4791 section 5.2.3)."""
    if not item.has(f"{DAV}resourcetype", f"{CALDAV}calendar"):
        return False
    kinds = item.props.get(f"{CALDAV}supported-calendar-component-set")
    if kinds is None or len(kinds) == 0:
        return True
    return any((kind.get("name") or "").upper() == "VEVENT" for kind in kinds)


def zone_of(item: Resource) -> str | None:
    """Give a calendar's IANA zone."""
    text = item.text(f"{CALDAV}calendar-timezone")
    try:
        return calendar_zone(text) if text else None
    except Unreadable:
        return None


def version_of(item: Resource) -> str | None:
    """Give the mark that changes when the calendar does."""
    return item.text(f"{DAV}sync-token") or item.text(f"{CALENDAR_SERVER}getctag")


def _calendar(item: Resource) -> RemoteCalendar:
    color = item.text(f"{APPLE}calendar-color") or ""
    last = unquote(item.href.rstrip("/").rpartition("/")[2])
    return RemoteCalendar(
        remote_id=item.href,
        name=item.text(f"{DAV}displayname") or last or "Calendar",
        read_only=_is_read_only(item),
        tzid=zone_of(item),
        color=color[:7].upper() if _COLOR.fullmatch(color) else None,
        version=version_of(item),
    )


def _is_read_only(item: Resource) -> bool:
    """A subscription is; so is what grants no writing. A server that does not say grants it."""
    if item.has(f"{DAV}resourcetype", f"{CALENDAR_SERVER}subscribed"):
        return True
    granted = item.props.get(f"{DAV}current-user-privilege-set")
    if granted is None or len(granted) == 0:
        return False
    names = {str(child.tag) for privilege in granted for child in privilege}
    if names & {f"{DAV}all", f"{DAV}write"}:
        return False
    return not {f"{DAV}write-content", f"{DAV}bind"} <= names
