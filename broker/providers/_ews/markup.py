"""Writing and reading XML of servers that nobody vouches for.

What is read has no DTD, no entities of its own, a bounded size, a bounded number of parts and
a bounded depth (libxml2's 256). It is parsed while it arrives: what is hostile is refused before
the rest of it comes, and only the tree is in memory. It is UTF-8 whatever it says of itself, so
that what is counted here is what the parser sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape

from lxml import etree

from broker.transport_failures import TOO_LARGE

SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
M = "{http://schemas.microsoft.com/exchange/services/2006/messages}"
T = "{http://schemas.microsoft.com/exchange/services/2006/types}"
E = "{http://schemas.microsoft.com/exchange/services/2006/errors}"

MAX_BYTES = 20 * 1024 * 1024
MAX_PARTS = 600_000
LONGEST_ID = 2_000

_BOM = b"\xef\xbb\xbf"
# Only comments and CDATA may begin so: a declaration brings entities.
_DECLARATION = re.compile(rb"<!(?!--|\[CDATA\[)")
# What XML 1.0 forbids (section 2.2) and servers let through from pasted subjects: raw, and as
# references. FFFE and FFFF are written out as UTF-8; surrogates have no UTF-8.
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r"))
_NONCHARACTERS = re.compile(rb"\xef\xbf[\xbe\xbf]")
_BAD_REFERENCE = re.compile(
    rb"&#(?:x0*(?:[0-8bBcCeEfF]|1[0-9a-fA-F]|[dD][89a-fA-F][0-9a-fA-F]{2}|[fF]{3}[eEfF])?"
    rb"|0*(?:[0-8]|1[124-9]|2[0-9]|3[01])?);"
)
# Where something begins that counts as a whole, and how long it can be.
_BEGINNING = re.compile(rb"[<&\xef]")
_LONGEST_BEGINNING = 32
_ILLEGAL_TEXT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ID = re.compile(r"[A-Za-z0-9+/=_-]+", re.ASCII)


class UnreadableXml(ValueError):
    """Not an XML document that we accept."""


def parse(body: bytes) -> etree._Element:
    """Parse a document that is there as a whole. Raises UnreadableXml."""
    return parse_chunks((body,))


def parse_chunks(chunks: Iterable[bytes]) -> etree._Element:
    """Parse a document while it arrives. Raises UnreadableXml at the first bytes that are none.

    Characters that XML forbids are dropped: servers pass on what people paste. Nothing else is
    mended, so a document that was cut short is refused.
    """
    document = _Document()
    try:
        for chunk in chunks:
            document.add(chunk)
        return document.end()
    except etree.XMLSyntaxError as error:
        is_over = getattr(error, "code", 0) == etree.ErrorTypes.ERR_RESOURCE_LIMIT
        raise UnreadableXml(TOO_LARGE if is_over else "not well-formed") from error


class _Document:
    """A document, as far as it has arrived; its bytes are not kept."""

    def __init__(self) -> None:
        self._parser = _parser()
        self._size = self._parts = 0
        self._held = self._last = b""

    def add(self, chunk: bytes) -> None:
        """Take in what has arrived, but for an end that may be the beginning of something."""
        self._size += len(chunk)
        piece = _legal(self._held + chunk)
        found = _BEGINNING.search(piece, max(0, len(piece) - _LONGEST_BEGINNING))
        cut = found.start() if found else len(piece)
        self._held = piece[cut:]
        self._feed(piece[:cut])

    def end(self) -> etree._Element:
        """Give the root."""
        self._feed(self._held)
        root: etree._Element = self._parser.close()
        if root.getroottree().docinfo.internalDTD is not None:
            raise UnreadableXml("has a declaration")
        return root

    def _feed(self, piece: bytes) -> None:
        if not piece:
            return
        if not self._last:
            piece = piece.removeprefix(_BOM)
        # In texts there are few equals signs, and attributes can be quoted in two ways.
        self._parts += piece.count(b"<") + piece.count(b"=")
        if self._size > MAX_BYTES or self._parts > MAX_PARTS:
            raise UnreadableXml(TOO_LARGE)
        if b"!" in piece and _DECLARATION.search(self._last + piece):
            raise UnreadableXml("has a declaration")
        self._last = piece[-1:] or self._last
        self._parser.feed(piece)


def _parser() -> etree.XMLParser:
    # A parser belongs to one document: kept ones remember names of every server.
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _legal(body: bytes) -> bytes:
    """Drop what XML forbids. Hardly a document has any, so looking must cost next to nothing."""
    body = body.translate(None, _CONTROLS)
    if b"\xef\xbf" in body:
        body = _NONCHARACTERS.sub(b"", body)
    # Every line of a text may end with that one.
    if body.count(b"&#") != body.count(b"&#xD;"):
        body = _BAD_REFERENCE.sub(b"", body)
    return body


def text(value: str) -> str:
    """Write text as element content or attribute; what XML forbids is dropped."""
    return escape(_ILLEGAL_TEXT.sub("", value), {'"': "&quot;", "\r": "&#xD;"})


def element(name: str, value: str) -> str:
    """Write an element that holds text; *name* comes with its prefix."""
    return f"<{name}>{text(value)}</{name}>"


def item_id(remote_id: str, change_key: str = "") -> str:
    """Write an ItemId. Raises ValueError for what cannot be an id."""
    key = f' ChangeKey="{checked_id(change_key)}"' if change_key else ""
    return f'<t:ItemId Id="{checked_id(remote_id)}"{key}/>'


def folder_id(remote_id: str) -> str:
    """Write a FolderId. Raises ValueError for what cannot be an id."""
    return f'<t:FolderId Id="{checked_id(remote_id)}"/>'


def checked_id(value: str) -> str:
    """Give an id that may be written. Raises ValueError."""
    if len(value) > LONGEST_ID or not _ID.fullmatch(value):
        raise ValueError("not an id")
    return value


def id_of(own: etree._Element | None) -> str:
    """Give the id that an ItemId or FolderId holds; empty when it has none that may be sent."""
    try:
        return checked_id(own.get("Id", "")) if own is not None else ""
    except ValueError:
        return ""


Fields = dict[str, etree._Element]
"""Children by their names, namespace included; of several with one name the last."""


def fields_of(parent: etree._Element) -> Fields:
    """Give the children of an element, all in one walk: a search for each costs more."""
    return {child.tag: child for child in parent}


def child(parent: etree._Element, name: str) -> etree._Element | None:
    """Give the first child of a name, for half of what `find` costs."""
    return next(parent.iterchildren(name), None)


def child_text(parent: etree._Element, name: str) -> str | None:
    """Give the text of a child, stripped; None when it is absent or empty."""
    found = parent.findtext(name)
    return (found.strip() or None) if found else None
