"""SOAP 1.1 as Exchange speaks it: envelopes, faults and response messages."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from .versions import Version

SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
ERRORS = "http://schemas.microsoft.com/exchange/services/2006/errors"
M, T = f"{{{MESSAGES}}}", f"{{{TYPES}}}"
CONTENT_TYPE = "text/xml; charset=utf-8"
BUSY_TEXT = "The server cannot service this request right now. Try again later."

Element = etree._Element


class SoapFault(Exception):
    """A refusal of the whole request: HTTP 500 with a fault."""

    def __init__(self, code: str, text: str, values: dict[str, str] | None = None) -> None:
        """Take the response code, its text, and what MessageXml says besides."""
        super().__init__(code)
        self.code, self.text, self.values = code, text, values or {}


class Refused(Exception):
    """A refusal of one of the things asked for: a response message of class Error."""

    def __init__(self, code: str, text: str = "", values: dict[str, str] | None = None) -> None:
        """Take the response code, its text, and what MessageXml says besides."""
        super().__init__(code)
        self.code, self.text, self.values = code, text or _spoken(code), values or {}


def _spoken(code: str) -> str:
    return {
        "ErrorItemNotFound": "The specified object was not found in the store.",
        "ErrorFolderNotFound": "The specified folder could not be found in the store.",
        "ErrorAccessDenied": "Access is denied. Check credentials and try again.",
        "ErrorInvalidIdMalformed": "Id is malformed.",
        "ErrorServerBusy": BUSY_TEXT,
        "ErrorNonExistentMailbox": "The SMTP address has no mailbox associated with it.",
    }.get(code, "An error occurred: " + code)


def parse(body: bytes, root_tag: str = f"{SOAP}Envelope") -> Element:
    """Read a request. Raises SoapFault when it is not XML, has a DTD, or another root."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as problem:
        raise SoapFault(
            "ErrorInvalidRequest", f"The request is not valid XML: {problem.msg}"
        ) from problem
    if root.getroottree().docinfo.internalDTD is not None or root.tag != root_tag:
        raise SoapFault("ErrorInvalidRequest", "The request is invalid.")
    return root


def envelope(version: Version, body: str) -> bytes:
    """Wrap an answer."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>'
        f'<h:ServerVersionInfo {version.attributes} xmlns:h="{TYPES}"/></s:Header>'
        f'<s:Body xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{body}</s:Body></s:Envelope>'
    ).encode()


def fault(found: SoapFault) -> bytes:
    """Write a fault."""
    text = escape(found.text)
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>'
        f'<faultcode xmlns:a="{TYPES}">a:{found.code}</faultcode>'
        f'<faultstring xml:lang="en-US">{text}</faultstring><detail>'
        f'<e:ResponseCode xmlns:e="{ERRORS}">{found.code}</e:ResponseCode>'
        f'<e:Message xmlns:e="{ERRORS}">{text}</e:Message>{_message_xml(found.values, True)}'
        "</detail></s:Fault></s:Body></s:Envelope>"
    ).encode()


def answer(operation: str, messages: Iterable[str]) -> str:
    """Wrap the response messages of an operation."""
    inside = "".join(messages)
    return (
        f'<m:{operation}Response xmlns:m="{MESSAGES}" xmlns:t="{TYPES}">'
        f"<m:ResponseMessages>{inside}</m:ResponseMessages></m:{operation}Response>"
    )


def success(operation: str, inside: str = "") -> str:
    """Write the response message of something that worked."""
    name = f"m:{operation}ResponseMessage"
    return (
        f'<{name} ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{inside}</{name}>'
    )


def failure(operation: str, refusal: Refused, inside: str = "", kind: str = "Error") -> str:
    """Write the response message of something that did not."""
    name = f"m:{operation}ResponseMessage"
    return (
        f'<{name} ResponseClass="{kind}"><m:MessageText>{escape(refusal.text)}</m:MessageText>'
        f"<m:ResponseCode>{refusal.code}</m:ResponseCode>"
        "<m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>"
        f"{_message_xml(refusal.values, False)}{inside}</{name}>"
    )


def _message_xml(values: dict[str, str], in_fault: bool) -> str:
    if not values:
        return ""
    inside = "".join(
        f"<t:{name}>{escape(value)}</t:{name}>"
        if name in ("LineNumber", "LinePosition", "Violation")
        else f"<t:Value Name={quoteattr(name)}>{escape(value)}</t:Value>"
        for name, value in values.items()
    )
    if in_fault:
        return f'<t:MessageXml xmlns:t="{TYPES}">{inside}</t:MessageXml>'
    return f"<m:MessageXml>{inside}</m:MessageXml>"


def fragment(element: Element) -> str:
    """Return an element of the types namespace as XML with the prefix `t`."""
    tag_name = str(element.tag).rpartition("}")[2]
    attributes = "".join(
        f" {key!s}={quoteattr(str(value))}" for key, value in element.attrib.items()
    )
    inside = escape(str(element.text or "")) if not len(element) else ""
    inside += "".join(fragment(child) for child in element)
    return f"<t:{tag_name}{attributes}>{inside}</t:{tag_name}>"


def tag(name: str, value: object) -> str:
    """Return a simple element of the types namespace."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<t:{name}>{escape(text)}</t:{name}>"


def plain(kept: str) -> str:
    """Return the text of a kept element; of an extended property its value."""
    root = etree.fromstring(f'<t:R xmlns:t="{TYPES}">{kept}</t:R>')
    value = root.find(f".//{T}Value")
    return (
        value.text if value is not None else "".join(str(text) for text in root.itertext())
    ) or ""
