"""Reading WebDAV answers (RFC 4918 sections 13 and 14), from servers that nobody vouches for.

No DTD, no entities, no network, no huge trees: a document that brings a DTD is refused whole.
libxml2 itself refuses elements nested deeper than 256 and text over 10 MB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urljoin, urlsplit

from lxml import etree

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"
CALENDAR_SERVER = "{http://calendarserver.org/ns/}"
APPLE = "{http://apple.com/ns/ical/}"

_STATUS = re.compile(r"\s(\d{3})(?:\s|$)", re.ASCII)


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
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableXml("not well-formed") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise UnreadableXml("has a DTD")
    return root


def read_multistatus(body: bytes, path: str) -> Multistatus:
    """Read a 207 body that answers a request for *path*. Raises UnreadableXml."""
    root = parse(body)
    if root.tag != f"{DAV}multistatus":
        raise UnreadableXml("not a multistatus")
    resources = []
    for response in root.iterchildren(f"{DAV}response"):
        resources += _resources(response, path)
    token = (root.findtext(f"{DAV}sync-token") or "").strip()
    return Multistatus(resources, token or None)


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
    """Give the path of an href, which may be absolute or relative to the path *base*."""
    href = href.strip()
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", href):
        return urlsplit(href).path or "/"
    return href if href.startswith("/") else urljoin(base, href)


def same_path(left: str, right: str) -> bool:
    """Tell whether two paths name one resource, however they are encoded."""
    return key_of(left) == key_of(right)


def key_of(path: str) -> str:
    """Give what two spellings of one path have in common."""
    return unquote(path).rstrip("/") or "/"


def _resources(response: etree._Element, path: str) -> list[Resource]:
    hrefs = [child.text or "" for child in response.iterchildren(f"{DAV}href")]
    status = _status(response)
    props: dict[str, etree._Element] = {}
    for propstat in response.iterchildren(f"{DAV}propstat"):
        if _status(propstat) in {200, None}:
            for prop in propstat.iterchildren(f"{DAV}prop"):
                props.update({str(child.tag): child for child in prop.iterchildren()})
    return [Resource(path_of(href, path), status, props) for href in hrefs if href.strip()]


def _status(element: etree._Element) -> int | None:
    match = _STATUS.search(element.findtext(f"{DAV}status") or "")
    return int(match[1]) if match is not None else None
