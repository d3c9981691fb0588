"""Properties of everything that has a path, as iCloud writes them."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from flask import request
from lxml import etree

from .context import faults, partition_url
from .model import Calendar, Entry, Person, StoredObject
from .places import SPECIAL, Place, calendar_href, home_href, href, principal_href
from .store import ctag, etag, sync_token
from .timezones import calendar_zone
from .wire import APPLE, CALDAV, DAV, SERVER, DavError, Row, element, text

EVIL = "https://caldav.icloud.com.evil.calbroker.test/"
RESOURCE_TYPE = f"{DAV}resourcetype"
CALENDAR_DATA = f"{CALDAV}calendar-data"
_RIGHTS = {
    "read": ("read", "read-current-user-privilege-set", "read-free-busy"),
    "write": ("write", "write-content", "write-properties", "bind", "unbind"),
    "owner": ("all", "read-acl", "write-acl", "unlock"),
}
_REPORTS = ("calendar-multiget", "calendar-query")


def wanted(root: etree._Element | None) -> list[str] | None:
    """Return the names of the properties asked for; None means all of them.

    Raises DavError 400 when the element has neither `prop` nor `allprop` nor `propname`.
    """
    if root is None or root.find(f"{DAV}allprop") is not None:
        return None
    if root.find(f"{DAV}propname") is not None:
        return None
    prop = root.find(f"{DAV}prop")
    if prop is None:
        raise DavError(400)
    return [str(child.tag) for child in prop.iterchildren(tag=etree.Element)]


def row(place: Place, names: list[str] | None, *, absolute: bool = False) -> Row:
    """Write the row of a collection; *absolute* puts its href on the partition."""
    props = of_place(place)
    path = href(place)
    if absolute:
        path = partition_url(place.person) + path.removeprefix(request.script_root)
    if names is None:
        # iCloud leaves the type out of allprop.
        return Row(path, tuple(v for k, v in props.items() if k != RESOURCE_TYPE))
    found = tuple(props[name] for name in names if name in props)
    return Row(path, found, tuple(name for name in names if name not in props))


def of_place(place: Place) -> dict[str, str]:
    """Return the properties of a collection by Clark name."""
    person = place.person
    own = _href(principal_href(person))
    props = {f"{DAV}current-user-principal": element(f"{DAV}current-user-principal", own)}
    if place.kind == "principal":
        return props | _of_principal(person)
    if place.kind == "root":
        return props | _typed(f"{DAV}collection")
    props[f"{DAV}owner"] = element(f"{DAV}owner", own)
    if place.kind == "home":
        props |= _typed(f"{DAV}collection") | _named(person.name)
        return props | {f"{DAV}getetag": text(f"{DAV}getetag", '"home"')}
    if place.kind == "special":
        space = SERVER if place.name == "notification" else CALDAV
        return props | _typed(f"{DAV}collection", f"{space}{SPECIAL[place.name]}")
    entry, calendar = place.within()
    return props | _of_calendar(person, entry, calendar)


def _of_principal(person: Person) -> dict[str, str]:
    evil = faults().find(person.email, "redirect_evil")
    path = home_href(person).removeprefix(request.script_root)
    home = partition_url(person) + path
    if evil is not None and evil.params.get("style") == "href":
        faults().take(person.email, "redirect_evil")
        home = EVIL.rstrip("/") + path
    first = principal_href(person).rstrip("/")
    addresses = [_href(first), _href(f"urn:uuid:{person.dsid}")]
    addresses.append(_href(f"mailto:{person.email}", ' preferred="1"'))
    addresses += [_href(f"mailto:{alias}") for alias in person.aliases]
    named = {
        "calendar-home-set": _href(home),
        "calendar-user-address-set": "".join(addresses),
        "schedule-inbox-URL": _href(f"{home}inbox/"),
        "schedule-outbox-URL": _href(f"{home}outbox/"),
    }
    props = {f"{CALDAV}{name}": element(f"{CALDAV}{name}", v) for name, v in named.items()}
    return props | _typed(f"{DAV}collection", f"{DAV}principal") | _named(person.name)


def _of_calendar(person: Person, entry: Entry, calendar: Calendar) -> dict[str, str]:
    off = {
        name for name in ("no_ctag", "no_sync", "no_privileges")
        if faults().find(person.email, name)
    }  # fmt: skip
    kinds = element(f"{CALDAV}comp", "", f' name="{calendar.kind}"')
    props = _typed(f"{DAV}collection", f"{CALDAV}calendar", *_sharing(entry, calendar))
    props |= _named(calendar.name) | {
        f"{CALDAV}supported-calendar-component-set": element(
            f"{CALDAV}supported-calendar-component-set", kinds
        ),
        f"{CALDAV}calendar-timezone": text(
            f"{CALDAV}calendar-timezone", calendar_zone(calendar.time_zone)
        ),
        f"{APPLE}calendar-color": element(
            f"{APPLE}calendar-color", entry.color, ' symbolic-color="custom"'
        ),
        f"{APPLE}calendar-order": text(f"{APPLE}calendar-order", str(entry.order)),
        f"{DAV}getetag": text(f"{DAV}getetag", f'"{calendar.changed:x}"'),
        f"{DAV}supported-report-set": _reports("no_sync" not in off),
    }
    if "no_ctag" not in off:
        props[f"{SERVER}getctag"] = text(f"{SERVER}getctag", ctag(calendar))
    if "no_sync" not in off:
        props[f"{DAV}sync-token"] = text(f"{DAV}sync-token", sync_token(calendar))
    if "no_privileges" not in off:
        props[f"{DAV}current-user-privilege-set"] = _privileges(entry.access)
    return props


def _sharing(entry: Entry, calendar: Calendar) -> list[str]:
    if entry.subscribed:
        return [f"{SERVER}subscribed"]
    if entry.access != "owner":
        return [f"{SERVER}shared"]
    return [f"{SERVER}shared-owner"] if calendar.shared else []


def _privileges(access: str) -> str:
    rights = _RIGHTS["read"]
    for more in ("write", "owner"):
        if access in (more, "owner"):
            rights += _RIGHTS[more]
    inner = "".join(element(f"{DAV}privilege", element(f"{DAV}{right}")) for right in rights)
    return element(f"{DAV}current-user-privilege-set", inner)


def _reports(sync: bool) -> str:
    names = [f"{CALDAV}{name}" for name in _REPORTS] + [f"{DAV}sync-collection"] * sync
    inner = "".join(
        element(f"{DAV}supported-report", element(f"{DAV}report", element(name))) for name in names
    )
    return element(f"{DAV}supported-report-set", inner)


def _typed(*kinds: str) -> dict[str, str]:
    return {RESOURCE_TYPE: element(RESOURCE_TYPE, "".join(map(element, kinds)))}


def _named(name: str) -> dict[str, str]:
    return {f"{DAV}displayname": text(f"{DAV}displayname", name)}


def _href(target: str, attributes: str = "") -> str:
    return element(f"{DAV}href", target, attributes)


def object_rows(place: Place, names: list[str] | None) -> Callable[[StoredObject], Row]:
    """Return what writes the row of an object in a calendar.

    Contents are in CDATA. The fault `cut_ical` cuts them.
    """
    _, calendar = place.within()
    folder = calendar_href(place.person, _segment(place))
    if names is None:
        names = [f"{DAV}getetag", f"{DAV}getcontenttype"]
    writers: dict[str, Callable[[StoredObject], str]] = {
        f"{DAV}getetag": lambda one: text(f"{DAV}getetag", etag(calendar, one.changed)),
        f"{DAV}getcontenttype": lambda one: text(
            f"{DAV}getcontenttype", f"text/calendar; charset=utf-8; component={one.kind}"
        ),
    }
    if CALENDAR_DATA in names:
        cut = faults().take(place.person.email, "cut_ical") is not None
        writers[CALENDAR_DATA] = lambda one: _data(
            one.data[: len(one.data) // 2] if cut else one.data
        )
    used = [writers[name] for name in names if name in writers]
    missing = tuple(name for name in names if name not in writers)

    def write(one: StoredObject) -> Row:
        return Row(folder + quote(one.name), tuple(writer(one) for writer in used), missing)

    return write


def _segment(place: Place) -> str:
    entry, _ = place.within()
    return next(name for name, one in place.person.home.items() if one is entry)


def _data(content: str) -> str:
    safe = content.replace("]]>", "]]]]><![CDATA[>")
    return element(CALENDAR_DATA, f"<![CDATA[{safe}]]>")
