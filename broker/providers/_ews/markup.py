"""Writing and reading XML of servers that nobody vouches for.

What is read has no DTD, no entities of its own, a bounded size, a bounded number of parts and
a bounded depth (libxml2's 256). It is UTF-8 whatever it says of itself, so that what is
counted here is what the parser sees.
"""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from lxml import etree

SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
M = "{http://schemas.microsoft.com/exchange/services/2006/messages}"
T = "{http://schemas.microsoft.com/exchange/services/2006/types}"
E = "{http://schemas.microsoft.com/exchange/services/2006/errors}"

MAX_BYTES = 20 * 1024 * 1024
MAX_PARTS = 1_500_000
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
_ILLEGAL_TEXT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ID = re.compile(r"[A-Za-z0-9+/=_-]+", re.ASCII)


class UnreadableXml(ValueError):
    """Not an XML document that we accept."""


def parse(body: bytes) -> etree._Element:
    """Parse a document. Raises UnreadableXml.

    Characters that XML forbids are dropped: servers pass on what people paste. Nothing else is
    mended, so a document that was cut short is refused.
    """
    body = body.removeprefix(_BOM)
    try:
        return _as_it_is(body)
    except etree.XMLSyntaxError:
        # Looking for such characters costs as much as parsing, and hardly a document has any.
        legal = _legal(body)
    try:
        return _as_it_is(legal)
    except etree.XMLSyntaxError as error:
        raise UnreadableXml("not well-formed") from error


def _as_it_is(body: bytes) -> etree._Element:
    if len(body) > MAX_BYTES or body.count(b"<") + body.count(b'="') > MAX_PARTS:
        raise UnreadableXml("too large")
    if _DECLARATION.search(body):
        raise UnreadableXml("has a declaration")
    return etree.fromstring(body, _parser())


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
    body = body.translate(None, _CONTROLS)
    if b"\xef\xbf" in body:
        body = _NONCHARACTERS.sub(b"", body)
    return _BAD_REFERENCE.sub(b"", body) if b"&#" in body else body


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
