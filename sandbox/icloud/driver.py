"""A CalDAV client in process, for scenarios and tests: small, and free to send nonsense."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from flask import Flask
from lxml import etree
from werkzeug.test import TestResponse

from .seed import PASSWORD
from .wire import CALDAV, DAV

_SPACES = (
    'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" '
    'xmlns:cs="http://calendarserver.org/ns/" xmlns:a="http://apple.com/ns/ical/"'
)


@dataclass
class Reading:
    """One row of a multistatus: its own status, and properties by their status."""

    href: str
    status: int | None = None
    found: dict[str, etree._Element] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def text(self, name: str) -> str:
        """Return the text of a property that is there."""
        return self.found[name].text or ""

    @property
    def etag(self) -> str:
        """The entity tag."""
        return self.text(f"{DAV}getetag")

    @property
    def data(self) -> str:
        """The iCalendar text, with line feeds as XML leaves them."""
        return self.text(f"{CALDAV}calendar-data")


class Device:
    """Calls the app with one login."""

    def __init__(
        self,
        app: Flask,
        email: str,
        password: str = PASSWORD,
        *,
        origin: str = "https://caldav.icloud.com",
    ) -> None:
        """Take the login; *origin* is the host that requests say they are for."""
        self.client = app.test_client()
        self.origin = origin
        login = base64.b64encode(f"{email}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {login}", "User-Agent": "Device/1"}

    def send(
        self, method: str, path: str, body: str | bytes = b"", depth: int | None = 0, **headers: str
    ) -> TestResponse:
        """Send one request; header names have `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if depth is not None:
            named["Depth"] = str(depth)
        named.setdefault("Content-Type", "application/xml; charset=utf-8")
        return self.client.open(
            path, base_url=self.origin, method=method, data=body, headers=self.headers | named
        )

    def propfind(self, path: str, *names: str, depth: int = 0) -> TestResponse:
        """Ask for properties by prefixed name: `d:`, `c:`, `cs:`, `a:`."""
        props = "".join(f"<{name}/>" for name in names)
        return self.send(
            "PROPFIND", path, document("d:propfind", f"<d:prop>{props}</d:prop>"), depth
        )

    def listing(self, path: str, *names: str) -> list[Reading]:
        """Return the rows of a PROPFIND with Depth 1."""
        return rows(self.propfind(path, *(names or ("d:getetag",)), depth=1))

    def sync(self, path: str, token: str = "") -> TestResponse:
        """Ask what changed since a token."""
        inner = f"<d:sync-token>{token}</d:sync-token><d:sync-level>1</d:sync-level>"
        inner += "<d:prop><d:getetag/></d:prop>"
        return self.send("REPORT", path, document("d:sync-collection", inner))

    def multiget(self, path: str, *hrefs: str) -> TestResponse:
        """Ask for objects."""
        inner = "<d:prop><d:getetag/><c:calendar-data/></d:prop>"
        inner += "".join(f"<d:href>{href}</d:href>" for href in hrefs)
        return self.send("REPORT", path, document("c:calendar-multiget", inner), 1)

    def query(self, path: str, start: str, end: str, component: str = "VEVENT") -> TestResponse:
        """Ask what is in a time range."""
        limits = f'<c:time-range start="{start}" end="{end}"/>'
        inner = f'<c:comp-filter name="{component}">{limits}</c:comp-filter>' if component else ""
        inner = f'<c:filter><c:comp-filter name="VCALENDAR">{inner}</c:comp-filter></c:filter>'
        inner = f"<d:prop><d:getetag/></d:prop>{inner}"
        return self.send("REPORT", path, document("c:calendar-query", inner), 1)

    def put(self, path: str, text: str, **headers: str) -> TestResponse:
        """Store an object."""
        options = {"Content_Type": "text/calendar; charset=utf-8"} | headers
        return self.send("PUT", path, text.encode(), None, **options)

    def delete(self, path: str, **headers: str) -> TestResponse:
        """Delete an object."""
        return self.send("DELETE", path, depth=None, **headers)


def document(name: str, content: str) -> str:
    """Write a request."""
    return f'<?xml version="1.0" encoding="utf-8"?><{name} {_SPACES}>{content}</{name}>'


def rows(answer: TestResponse) -> list[Reading]:
    """Read a multistatus. Raises AssertionError when it is not one."""
    if answer.status_code != 207:
        raise AssertionError(f"{answer.status_code} and not 207")
    return [_row(one) for one in etree.fromstring(answer.data).iterchildren(f"{DAV}response")]


def token(answer: TestResponse) -> str:
    """Return the sync token of a multistatus."""
    return etree.fromstring(answer.data).findtext(f"{DAV}sync-token") or ""


def _row(response: etree._Element) -> Reading:
    found = Reading(response.findtext(f"{DAV}href") or "", _status(response))
    for propstat in response.iterchildren(f"{DAV}propstat"):
        props = {str(one.tag): one for one in propstat[0]}
        if _status(propstat) == 200:
            found.found |= props
        else:
            found.missing |= props.keys()
    return found


def _status(element: etree._Element) -> int | None:
    text = element.findtext(f"{DAV}status")
    return int(text.split()[1]) if text else None
