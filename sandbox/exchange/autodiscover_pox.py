"""Autodiscover by plain old XML: all versions, the only one of 2007."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from . import soap
from .model import Person
from .soap import SoapFault
from .store import Store
from .versions import Version
from .wire import Answer, Request

if TYPE_CHECKING:
    from .autodiscover import Places

_BASE = "http://schemas.microsoft.com/exchange/autodiscover"
_OUTER, _INNER = f"{_BASE}/responseschema/2006", f"{_BASE}/outlook/responseschema/2006a"
_ASKED = f"{{{_BASE}/outlook/requestschema/2006}}"
_ERRORS = {
    "500": "The email address can't be found.",
    "600": "Invalid Request",
    "601": "Provider is not available",
    "603": "The Active Directory service is not available.",
}
_HEAD = '<?xml version="1.0" encoding="utf-8"?>'


def answer(store: Store, request: Request, places: Places, version: Version) -> Answer:
    """Answer a request for settings; a GET gets what a request without sense gets."""
    if places.style in _ERRORS:
        return _error(places.style)
    try:
        root = soap.parse(request.body, f"{_ASKED}Autodiscover")
    except SoapFault:
        return _error("600")
    address = (root.findtext(f"{_ASKED}Request/{_ASKED}EMailAddress") or "").strip()
    schema = root.findtext(f"{_ASKED}Request/{_ASKED}AcceptableResponseSchema")
    if schema != _INNER:
        return _error("601")
    if target := places.redirect(request.path):
        return _redirect("redirectUrl", f"<RedirectUrl>{escape(target)}</RedirectUrl>")
    if other := places.redirect_address(address):
        return _redirect("redirectAddr", f"<RedirectAddr>{escape(other)}</RedirectAddr>")
    person = store.find_person(address)
    if person is None or person.kind == "service":
        return _error("500")
    return Answer(200, _settings(person, places, version).encode())


def _settings(person: Person, places: Places, version: Version) -> str:
    parts = [
        f"<User><DisplayName>{escape(person.name)}</DisplayName>"
        f"<AutoDiscoverSMTPAddress>{person.email}</AutoDiscoverSMTPAddress>"
        "<LegacyDN>/o=Corp/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/"
        f"cn={person.login}</LegacyDN></User>",
        "<Account><AccountType>email</AccountType><Action>settings</Action>",
        _protocol("EXCH", "mbx1.corp.local", places.internal_ews, version),
    ]
    if external := places.external_ews:
        parts.append(_protocol("EXPR", places.host, external, None))
        owa = f'<OWAUrl AuthenticationMethod="Fba">{places.url(places.host, "/owa/")}</OWAUrl>'
        parts.append(f"<Protocol><Type>WEB</Type><External>{owa}</External></Protocol>")
    inside = "".join(parts) + "</Account>"
    return (
        f'{_HEAD}<Autodiscover xmlns="{_OUTER}"><Response xmlns="{_INNER}">{inside}'
        "</Response></Autodiscover>"
    )


def _protocol(kind: str, server: str, ews: str, version: Version | None) -> str:
    shown = f"<ServerVersion>{_server_version(version)}</ServerVersion>" if version else ""
    more = "<SSL>On</SSL><AuthPackage>Ntlm</AuthPackage>" if kind == "EXPR" else ""
    return (
        f"<Protocol><Type>{kind}</Type><Server>{escape(server)}</Server>{shown}{more}"
        f"<ASUrl>{escape(ews)}</ASUrl><EwsUrl>{escape(ews)}</EwsUrl></Protocol>"
    )


def _server_version(version: Version) -> str:
    """Pack a version: 4 bits of structure, 6 of major, 6 of minor, a flag, 15 of build."""
    major, minor, build, _ = version.build
    return f"{7 << 28 | major << 22 | minor << 16 | 1 << 15 | build:08X}"


def _redirect(action: str, target: str) -> Answer:
    body = (
        f'{_HEAD}<Autodiscover xmlns="{_OUTER}"><Response xmlns="{_INNER}"><Account>'
        f"<Action>{action}</Action>{target}</Account></Response></Autodiscover>"
    )
    return Answer(200, body.encode())


def _error(code: str) -> Answer:
    body = (
        f'{_HEAD}<Autodiscover xmlns="{_OUTER}"><Response>'
        f'<Error Time="09:00:00.1234567" Id="2477272013"><ErrorCode>{code}</ErrorCode>'
        f"<Message>{_ERRORS[code]}</Message><DebugData/></Error></Response></Autodiscover>"
    )
    return Answer(200, body.encode())
