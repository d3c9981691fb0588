"""Autodiscover by SOAP, 2010 and later."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from . import soap
from .soap import SOAP, SoapFault
from .store import Store
from .versions import Version
from .wire import Answer, Request

if TYPE_CHECKING:
    from .autodiscover import Places

_SPACE = "http://schemas.microsoft.com/exchange/2010/Autodiscover"
_A = f"{{{_SPACE}}}"
_ADDRESSING = "http://www.w3.org/2005/08/addressing"
_ACTION = f"{_SPACE}/Autodiscover/GetUserSettingsResponse"
_WHOLE = {"600": "InvalidRequest", "603": "InternalServerError", "busy": "ServerBusy"}
_MOST_USERS = 100


def answer(store: Store, request: Request, places: Places, version: Version) -> Answer:
    """Answer GetUserSettings for each user asked for."""
    try:
        root = soap.parse(request.body)
    except SoapFault:
        return Answer(400)
    asked = root.find(f"{SOAP}Body/{_A}GetUserSettingsRequestMessage/{_A}Request")
    users = [one.text or "" for one in root.iter(f"{_A}Mailbox")]
    names = [one.text or "" for one in root.iter(f"{_A}Setting")]
    code = _WHOLE.get(places.style, "NoError")
    if asked is None or not users or not names or len(users) > _MOST_USERS:
        code = "InvalidRequest"
    rows = (
        ""
        if code != "NoError"
        else "".join(
            _user(store, user.strip(), names, request.path, places, version) for user in users
        )
    )
    return Answer(200, _envelope(code, rows, version).encode())


def _user(
    store: Store, address: str, names: list[str], path: str, places: Places, version: Version
) -> str:
    if target := places.redirect(path):
        return _response("RedirectUrl", target)
    if other := places.redirect_address(address):
        return _response("RedirectAddress", other)
    person = store.find_person(address)
    if person is None or person.kind == "service" or places.style == "500":
        return _response("InvalidUser")
    known = {
        "ExternalEwsUrl": places.external_ews,
        "InternalEwsUrl": places.internal_ews,
        "EwsSupportedSchemas": "Exchange2007, Exchange2007_SP1, " + version.schema,
        "CasVersion": "{:02}.{:02}.{:04}.{:03}".format(*version.build),
        "GroupingInformation": "Default-First-Site-Name",
        "AutoDiscoverSMTPAddress": person.email,
        "UserDisplayName": person.name,
        "UserDN": f"/o=Corp/cn=Recipients/cn={person.login}",
    }
    settings = "".join(
        f'<UserSetting i:type="StringSetting"><Name>{name}</Name>'
        f"<Value>{escape(known[name])}</Value></UserSetting>"
        for name in names
        if known.get(name)
    )
    errors = "".join(
        "<UserSettingError><ErrorCode>SettingIsNotAvailable</ErrorCode>"
        f"<ErrorMessage>The setting is not available.</ErrorMessage>"
        f"<SettingName>{escape(name)}</SettingName></UserSettingError>"
        for name in names
        if not known.get(name)
    )
    return _response("NoError", settings=settings, errors=errors)


def _response(code: str, target: str = "", *, settings: str = "", errors: str = "") -> str:
    where = (
        f"<RedirectTarget>{escape(target)}</RedirectTarget>"
        if target
        else '<RedirectTarget i:nil="true"/>'
    )
    return (
        f"<UserResponse><ErrorCode>{code}</ErrorCode><ErrorMessage>{code}</ErrorMessage>{where}"
        f"<UserSettingErrors>{errors}</UserSettingErrors>"
        f"<UserSettings>{settings}</UserSettings></UserResponse>"
    )


def _envelope(code: str, rows: str, version: Version) -> str:
    names = ("MajorVersion", "MinorVersion", "MajorBuildNumber", "MinorBuildNumber")
    build = "".join(
        f"<h:{name}>{part}</h:{name}>" for name, part in zip(names, version.build, strict=True)
    )
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        f'xmlns:wsa="{_ADDRESSING}"><s:Header>'
        f'<wsa:Action s:mustUnderstand="1">{_ACTION}</wsa:Action>'
        f'<h:ServerVersionInfo xmlns:h="{_SPACE}">{build}'
        f"<h:Version>{version.schema}</h:Version></h:ServerVersionInfo></s:Header><s:Body>"
        f'<GetUserSettingsResponseMessage xmlns="{_SPACE}">'
        '<Response xmlns:i="http://www.w3.org/2001/XMLSchema-instance">'
        f"<ErrorCode>{code}</ErrorCode><ErrorMessage/><UserResponses>{rows}</UserResponses>"
        "</Response></GetUserSettingsResponseMessage></s:Body></s:Envelope>"
    )
