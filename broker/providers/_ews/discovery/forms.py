"""The three forms of Autodiscover: plain XML (POX), SOAP, and JSON (version 2).

https://learn.microsoft.com/exchange/client-developer/web-service-reference/pox-autodiscover-web-service-reference-for-exchange
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from urllib.parse import quote

import msgspec
from lxml import etree

from broker.http import REDIRECT_STATUSES, Answer
from broker.providers._ews.markup import UnreadableXml, element, parse, text

POX_PATH, SOAP_PATH = "/autodiscover/autodiscover.xml", "/autodiscover/autodiscover.svc"
JSON_PATH = "/autodiscover/autodiscover.json"

_RESPONSE = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"
_SOAP = "{http://schemas.microsoft.com/exchange/2010/Autodiscover}"
_REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
# The outside view before the inside one, whose names often exist nowhere else.
_PROTOCOLS = ("EXPR", "EXHTTP", "EXCH")
_NAMES = ("EwsUrl", "ASUrl")
_SETTINGS = ("ExternalEwsUrl", "InternalEwsUrl")


class Word(Enum):
    """What an answer without an address says."""

    NOTHING = auto()  # not this way: ask in another form
    NO_MAILBOX = auto()
    NO_ADDRESS = auto()  # settings of the mailbox, without where EWS is
    MISCONFIGURED = auto()
    LATER = auto()


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says: *urls* of EWS, best first, or where to ask, or for whom."""

    urls: tuple[str, ...] = ()
    ask_at: str = ""
    ask_for: str = ""
    word: Word = Word.NOTHING


_POX_ERRORS = {
    "500": Word.NO_MAILBOX,
    "501": Word.NO_MAILBOX,
    "602": Word.MISCONFIGURED,
    "603": Word.LATER,
}
_SOAP_ERRORS = {
    "InvalidUser": Word.NO_MAILBOX,
    "InvalidDomain": Word.NO_MAILBOX,
    "ServerBusy": Word.LATER,
    "InternalServerError": Word.LATER,
}


def pox_request(email: str) -> bytes:
    """Ask for the settings of a mail address in plain XML."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{_REQUEST}"><Request>'
        f"{element('EMailAddress', email)}<AcceptableResponseSchema>{_RESPONSE[1:-1]}"
        "</AcceptableResponseSchema></Request></Autodiscover>"
    ).encode()


def read_pox(answer: Answer) -> Told:
    """Read what came back; what is no such answer says nothing."""
    root = _parsed(answer)
    if root is None:
        return Told()
    # Errors come in the outer namespace, everything else in the inner one.
    code = root.findtext(".//{*}Error/{*}ErrorCode")
    if code is not None:
        return Told(word=_POX_ERRORS.get(code.strip(), Word.NOTHING))
    account = root.find(f"{_RESPONSE}Response/{_RESPONSE}Account")
    if account is None:
        return Told()
    action = (account.findtext(f"{_RESPONSE}Action") or "").strip().lower()
    if action == "redirectaddr":
        return Told(ask_for=_text(account, f"{_RESPONSE}RedirectAddr"))
    if action == "redirecturl":
        return Told(ask_at=_text(account, f"{_RESPONSE}RedirectUrl"))
    found: dict[str, str] = {}
    for protocol in account.iterfind(f"{_RESPONSE}Protocol"):
        kind = _text(protocol, f"{_RESPONSE}Type") or protocol.get("Type", "")
        urls = (_text(protocol, f"{_RESPONSE}{name}") for name in _NAMES)
        found.setdefault(kind.upper(), next((url for url in urls if url), ""))
    return _settings(found.get(kind, "") for kind in _PROTOCOLS)


def soap_request(email: str, url: str) -> bytes:
    """Ask for the settings of a mail address in SOAP, which 2007 does not speak."""
    namespace = _SOAP[1:-1]
    settings = "".join(f"<a:Setting>{name}</a:Setting>" for name in _SETTINGS)
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"'
        f' xmlns:a="{namespace}" xmlns:wsa="http://www.w3.org/2005/08/addressing"><soap:Header>'
        "<a:RequestedServerVersion>Exchange2010</a:RequestedServerVersion>"
        f"<wsa:Action>{namespace}/Autodiscover/GetUserSettings</wsa:Action>"
        f"<wsa:To>{text(url)}</wsa:To></soap:Header><soap:Body>"
        "<a:GetUserSettingsRequestMessage><a:Request><a:Users><a:User>"
        f"{element('a:Mailbox', email)}</a:User></a:Users>"
        f"<a:RequestedSettings>{settings}</a:RequestedSettings></a:Request>"
        "</a:GetUserSettingsRequestMessage></soap:Body></soap:Envelope>"
    ).encode()


def read_soap(answer: Answer) -> Told:
    """Read what came back; what is no such answer says nothing."""
    root = _parsed(answer)
    response = root.find(f".//{_SOAP}Response") if root is not None else None
    if response is None:
        return Told()
    user = response.find(f"{_SOAP}UserResponses/{_SOAP}UserResponse")
    holder = user if user is not None else response
    code = _text(holder, f"{_SOAP}ErrorCode")
    target = _text(holder, f"{_SOAP}RedirectTarget")
    if code == "RedirectAddress":
        return Told(ask_for=target)
    if code == "RedirectUrl":
        return Told(ask_at=target)
    settings = {
        _text(setting, f"{_SOAP}Name"): _text(setting, f"{_SOAP}Value")
        for setting in holder.iterfind(f"{_SOAP}UserSettings/{_SOAP}UserSetting")
    }
    if code != "NoError":
        return Told(word=_SOAP_ERRORS.get(code, Word.NOTHING))
    return _settings(settings.get(name, "") for name in _SETTINGS)


def json_path(email: str) -> str:
    """Ask in JSON, by the address itself; this form takes no credentials."""
    return f"{JSON_PATH}?Email={quote(email, safe='')}&Protocol=EWS&RedirectCount=1"


def read_json(answer: Answer) -> Told:
    """Read what came back; what is no such answer says nothing.

    Without credentials nobody is believed who says that there is no mailbox.
    """
    if answer.status in REDIRECT_STATUSES:
        return Told(ask_at=answer.headers.get("Location", ""))
    if answer.status != 200:
        return Told()
    try:
        found: Any = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Told()
    url = found.get("Url") if isinstance(found, dict) else None
    return Told((url,)) if isinstance(url, str) and url else Told()


def _parsed(answer: Answer) -> etree._Element | None:
    if answer.status != 200:
        return None
    try:
        return parse(answer.body)
    except UnreadableXml:
        return None


def _text(holder: etree._Element, name: str) -> str:
    return (holder.findtext(name) or "").strip()


def _settings(urls: Iterable[str]) -> Told:
    found = tuple(dict.fromkeys(url for url in urls if url))
    return Told(found, word=Word.NOTHING if found else Word.NO_ADDRESS)
