"""Requests read and answers written: XML the way of iCloud.

iCloud repeats the default namespace on every element and uses no prefixes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape

from flask import Response
from lxml import etree

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"
SERVER = "{http://calendarserver.org/ns/}"
APPLE = "{http://apple.com/ns/ical/}"

CONTENT_TYPE = "text/xml; charset=UTF-8"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


class DavError(Exception):
    """A refusal. *condition* is a precondition in Clark notation, for the body."""

    def __init__(
        self, status: int, condition: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {condition}")
        self.status = status
        self.condition = condition
        self.headers = headers or {}

    def answer(self) -> Response:
        """Return the answer, with an empty body when there is no condition to tell."""
        body = _HEAD + element(f"{DAV}error", element(self.condition)) if self.condition else ""
        return Response(body, self.status, self.headers, content_type=CONTENT_TYPE)


def read(body: bytes) -> etree._Element | None:
    """Read the body of a request; None when there is none.

    Raises DavError 400 unless it is XML from the first byte, without a DTD.
    """
    if not body:
        return None
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True
    )
    if not body.startswith(b"<"):
        raise DavError(400)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as problem:
        raise DavError(400) from problem
    if root.getroottree().docinfo.internalDTD is not None:
        raise DavError(400)
    return root


def element(name: str, content: str = "", attributes: str = "") -> str:
    """Write an element from its Clark name; *content* and *attributes* are XML already."""
    space, _, local = name[1:].partition("}")
    head = f'<{local} xmlns="{space}"{attributes}'
    return f"{head}>{content}</{local}>" if content else f"{head}/>"


def text(name: str, content: str) -> str:
    """Write an element with text."""
    return element(name, escape(content))


@dataclass(frozen=True)
class Row:
    """One `response`: the properties that are there, those that are not, or a status."""

    href: str
    found: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    status: str = ""

    def xml(self) -> str:
        """Write it; what is there and what is not come in a propstat each."""
        inner = f"<href>{escape(self.href)}</href>"
        if self.status:
            inner += f"<status>HTTP/1.1 {self.status}</status>"
        if self.found:
            inner += _propstat("".join(self.found), "200 OK")
        if self.missing:
            inner += _propstat("".join(map(element, self.missing)), "404 Not Found")
        return f'<response xmlns="DAV:">{inner}</response>'


def _propstat(props: str, status: str) -> str:
    return f"<propstat><prop>{props}</prop><status>HTTP/1.1 {status}</status></propstat>"


def multistatus(rows: Iterable[Row], sync_token: str | None = None) -> Response:
    """Answer 207."""
    body = "".join(row.xml() for row in rows)
    if sync_token is not None:
        body += text(f"{DAV}sync-token", sync_token)
    return Response(
        f'{_HEAD}<multistatus xmlns="DAV:">{body}</multistatus>', 207, content_type=CONTENT_TYPE
    )
