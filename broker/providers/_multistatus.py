"""Reading WebDAV answers (RFC 4918 sections 13 and 14), from servers that nobody vouches for.

No DTD, no entities, no network, no huge trees: a document that brings a DTD is refused whole.
libxml2 itself refuses elements nested deeper than 256 and text over 10 MB. A multistatus is read
while it arrives, one `response` at a time, so that a long list never lies in memory as a tree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import unquote, urljoin, urlsplit

from lxml import etree

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"
CALENDAR_SERVER = "{http://calendarserver.org/ns/}"
APPLE = "{http://apple.com/ns/ical/}"

MAX_PATH = 4_000
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_NO_PATH = re.compile(r"[\x00-\x1f\x7f#]")
_STATUS_CODE = re.compile(r"\s(\d{3})(?:\s|$)", re.ASCII)
_MULTISTATUS, _RESPONSE, _PROPSTAT, _PROP, _STATUS, _HREF = (
    f"{DAV}{name}" for name in ("multistatus", "response", "propstat", "prop", "status", "href")
)
_STRICT: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


class UnreadableXml(ValueError):
    """Not an XML document that we accept."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One `response`: *href* is a path, percent-encoding as received.

    *status* is its own, None when only its properties have one. *props* are those that the
    server has: what it answers 404 to is absent.
    """

    href: str
    status: int | None
    props: dict[str, etree._Element] = field(default_factory=dict, repr=False)

    def text(self, name: str) -> str | None:
        """Give a property's text, stripped; None when it is absent or empty."""
        element = self.props.get(name)
        return (element.text or "").strip() or None if element is not None else None

    def hrefs(self, name: str) -> list[str]:
        """Give the texts of the `href`s in a property."""
        element = self.props.get(name)
        if element is None:
            return []
        found = (child.text or "" for child in element.iter(f"{DAV}href"))
        return [text.strip() for text in found if text.strip()]

    def has(self, name: str, child: str) -> bool:
        """Tell whether a property holds an element."""
        element = self.props.get(name)
        return element is not None and element.find(f".//{child}") is not None


@dataclass(frozen=True, slots=True)
class Multistatus:
    """A `multistatus`. *sync_token* is RFC 6578's, of the whole answer."""

    resources: list[Resource]
    sync_token: str | None = None


def parse(body: bytes) -> etree._Element:
    """Parse a document. Raises UnreadableXml."""
    # A parser belongs to one document: kept ones remember names of every server.
    try:
        root = etree.fromstring(body, etree.XMLParser(**_STRICT))
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableXml("not well-formed") from error
    _refuse_dtd(root)
    return root


def read_multistatus(body: bytes, path: str) -> Multistatus:
    """Read a 207 body that answers a request for *path*. Raises UnreadableXml."""
    resources: list[Resource] = []
    token = read_responses([body], path, resources.append)
    return Multistatus(resources, token)


def read_responses(
    chunks: Iterable[bytes], path: str, take: Callable[[Resource], object]
) -> str | None:
    """Hand each resource of a 207 body to *take* and forget it; gives the sync token.

    What was taken counts only when this returns. Raises UnreadableXml.
    """
    parser = etree.XMLPullParser(("start", "end"), tag=(_MULTISTATUS, _RESPONSE), **_STRICT)
    try:
        for chunk in chunks:
            parser.feed(chunk)
            _take(parser, path, take)
        root = parser.close()
    except (etree.XMLSyntaxError, ValueError) as error:
        if isinstance(error, UnreadableXml):
            raise
        raise UnreadableXml("not well-formed") from error
    _take(parser, path, take)
    _refuse_dtd(root)
    if root.tag != _MULTISTATUS:
        raise UnreadableXml("not a multistatus")
    return (root.findtext(f"{DAV}sync-token") or "").strip() or None


def _take(parser: etree.XMLPullParser, path: str, take: Callable[[Resource], object]) -> None:
    # Only for events that are not asked for is it anything but an element.
    events = cast(Iterator[tuple[str, etree._Element]], parser.read_events())
    for event, element in events:
        parent = element.getparent()
        if event == "start":
            _refuse_dtd(element)
        elif element.tag == _RESPONSE and parent is not None and parent.getparent() is None:
            parent.remove(element)
            for resource in _resources(element, path):
                take(resource)


def _refuse_dtd(element: etree._Element) -> None:
    if element.getroottree().docinfo.internalDTD is not None:
        raise UnreadableXml("has a DTD")


def has_precondition(body: bytes, name: str, namespace: str = DAV) -> bool:
    """Tell whether an error body names a precondition (RFC 4918 section 16)."""
    if f"{name}".encode() not in body:
        return False
    try:
        root = parse(body)
    except UnreadableXml:
        return False
    return root.tag == f"{DAV}error" and root.find(f".//{namespace}{name}") is not None


def path_of(href: str, base: str) -> str:
    """Give the path of an href, which may be absolute or relative to the path *base*.

    Raises UnreadableXml for what is no address, or cannot be in one: it would become part of
    requests, of cursors, and of the ids of events.
    """
    href = href.strip()
    try:
        if href.startswith("/"):
            path = href
        elif _ABSOLUTE.match(href):
            path = urlsplit(href).path or "/"
        else:
            path = urljoin(base, href)
    except ValueError as error:
        raise UnreadableXml("bad address") from error
    if not path.startswith("/") or len(path) > MAX_PATH or _NO_PATH.search(path):
        raise UnreadableXml("bad address")
    return path


def same_path(left: str, right: str) -> bool:
    """Tell whether two paths name one resource, however they are encoded."""
    return key_of(left) == key_of(right)


def key_of(path: str) -> str:
    """Give what two spellings of one path have in common."""
    return unquote(path).rstrip("/") or "/"


def _resources(response: etree._Element, path: str) -> list[Resource]:
    hrefs, status = list[str](), None
    props: dict[str, etree._Element] = {}
    for child in response:
        if child.tag == _PROPSTAT:
            props |= _props(child)
        elif child.tag == _HREF:
            hrefs.append(child.text or "")
        elif child.tag == _STATUS and status is None:
            status = _code(child)
    return [Resource(path_of(href, path), status, props) for href in hrefs if href.strip()]


def _props(propstat: etree._Element) -> dict[str, etree._Element]:
    """Give the properties that the server has: those with status 200, or without one."""
    status: int | None = None
    props: dict[str, etree._Element] = {}
    for child in propstat:
        if child.tag == _PROP:
            props |= {str(prop.tag): prop for prop in child}
        elif child.tag == _STATUS and status is None:
            status = _code(child)
    return props if status in {200, None} else {}


def _code(element: etree._Element) -> int | None:
    text = element.text or ""
    if text == "HTTP/1.1 200 OK":
        return 200
    match = _STATUS_CODE.search(text)
    return int(match[1]) if match is not None else None
