"""A small Internet of Exchange hosts, web sites and DNS, for discovery to walk through."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests
from urllib3.exceptions import NameResolutionError
from werkzeug.wrappers import Request, Response

from broker.clock import FixedClock
from broker.errors import AddressRefused
from broker.http import Http
from broker.logins import Login, PasswordCredential, RemoteAccount
from broker.providers._caldav_dns import Srv
from broker.providers._ews.joining import Joining
from broker.trace import Step
from tests.providers.ews_samples import answer, message
from tests.wsgi_adapter import WsgiAdapter

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
DOMAIN, EMAIL, PASSWORD = "contoso.example", "ada@contoso.example", "secret-wörd"
EWS = f"https://mail.{DOMAIN}/EWS/Exchange.asmx"
POX = "/autodiscover/autodiscover.xml"
SOAP = "/autodiscover/autodiscover.svc"
OUTER = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
INNER = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
A = "http://schemas.microsoft.com/exchange/2010/Autodiscover"

Page = Callable[[Request], Response]


def pox(inside: str) -> Response:
    """Answer in plain XML; *inside* is what the Account holds."""
    return Response(
        f'<?xml version="1.0"?><Autodiscover xmlns="{OUTER}"><Response xmlns="{INNER}">'
        f"<User><DisplayName>Ada</DisplayName></User><Account>{inside}</Account>"
        "</Response></Autodiscover>",
        content_type="text/xml",
    )


def settings(**urls: str) -> Response:
    """Answer with EWS addresses by protocol: `EXPR="https://..."`."""
    return pox(
        "<AccountType>email</AccountType><Action>settings</Action>"
        + "".join(
            f"<Protocol><Type>{kind}</Type><EwsUrl>{url}</EwsUrl></Protocol>"
            for kind, url in urls.items()
        )
    )


def moved(**where: str) -> Response:
    """Answer with a redirect: `Addr="x@y"` or `Url="https://..."`."""
    ((kind, target),) = where.items()
    return pox(f"<Action>redirect{kind}</Action><Redirect{kind}>{target}</Redirect{kind}>")


def refused(code: str) -> Response:
    """Answer with an error of Autodiscover."""
    return Response(
        f'<Autodiscover xmlns="{OUTER}"><Response><Error Time="09:00" Id="1">'
        f"<ErrorCode>{code}</ErrorCode><Message>x</Message></Error></Response></Autodiscover>",
        content_type="text/xml",
    )


def soap(code: str = "NoError", target: str = "", **urls: str) -> Response:
    """Answer in SOAP."""
    found = "".join(
        f"<UserSetting><Name>{name}</Name><Value>{url}</Value></UserSetting>"
        for name, url in urls.items()
    )
    return Response(
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<GetUserSettingsResponseMessage xmlns="{A}"><Response><ErrorCode>NoError</ErrorCode>'
        f"<UserResponses><UserResponse><ErrorCode>{code}</ErrorCode>"
        f"<RedirectTarget>{target}</RedirectTarget><UserSettings>{found}</UserSettings>"
        "</UserResponse></UserResponses></Response></GetUserSettingsResponseMessage>"
        "</s:Body></s:Envelope>",
        content_type="text/xml",
    )


def calendar(remote_id: str = "Cal=", mine: str = "") -> bytes:
    """Answer GetFolder for one's own calendar and for that of the typed address."""
    return answer(
        "GetFolder",
        *(
            message(
                "GetFolder",
                f'<m:Folders><t:CalendarFolder><t:FolderId Id="{one}" ChangeKey="a"/>'
                "<t:DisplayName>Calendar</t:DisplayName></t:CalendarFolder></m:Folders>",
            )
            for one in (mine or remote_id, remote_id)
        ),
    )


def mailbox(body: bytes) -> Page:
    """Make EWS of one mailbox: *body* answers GetFolder, and there are no other calendars."""
    root = '<m:RootFolder IncludesLastItemInRange="true"/>'
    found = answer("FindFolder", message("FindFolder", root))

    def page(request: Request) -> Response:
        is_list = b"<m:FindFolder" in request.get_data()
        return Response(found if is_list else body, content_type="text/xml")

    return page


@dataclass
class Internet:
    """Hosts by `scheme://host`, each a page for every path; no other name is known.

    The addresses of the *private* ones are such. *names* may log in with PASSWORD; *sent* are host
    and name of every password that was sent.
    """

    hosts: dict[str, dict[str, Page]] = field(default_factory=dict)
    names: set[str] = field(default_factory=lambda: {EMAIL})
    private: set[str] = field(default_factory=set)
    srv: list[Srv] = field(default_factory=list)
    mx: list[str] = field(default_factory=list)
    realm: str = "Unknown"
    sent: list[tuple[str, str]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def services(self, name: str) -> list[Srv]:
        return self.srv if name == f"_autodiscover._tcp.{DOMAIN}" else []

    def exchangers(self, name: str) -> list[str]:
        return self.mx if name == DOMAIN else []

    def connect(self, **login: Any) -> tuple[PasswordCredential, RemoteAccount]:
        """Find the mailbox and prove the login; its calendars are not read."""
        clock = FixedClock(NOW)
        wire = WsgiAdapter(self)
        http = Http(clock, mounts={"https://": wire, "http://": wire}).traced(self.steps)
        given = {"url": "", "username": "", "password": PASSWORD, "email": EMAIL} | login
        found = Joining(http, clock, self, Login(**given)).prove()
        return found.credential, found.account

    def exchange(self, host: str, pages: dict[str, Page]) -> None:
        """Put an Exchange there, that wants a login for every page."""
        self.hosts[f"https://{host}"] = {
            path: self._guarded(host, page) for path, page in pages.items()
        }

    def ews(self, host: str = f"mail.{DOMAIN}", body: bytes | None = None) -> None:
        """Put EWS there."""
        self.exchange(host, {"/ews/exchange.asmx": mailbox(body or calendar())})

    def _guarded(self, host: str, page: Page) -> Page:
        def guarded(request: Request) -> Response:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme:
                name, _, password = base64.b64decode(token).decode().partition(":")
                self.sent.append((host, name))
                if name in self.names and password == PASSWORD:
                    return page(request)
            headers = {"WWW-Authenticate": f'Basic realm="{host}"', "X-FEServer": "EX01"}
            return Response(status=401, headers=headers)

        return guarded

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        origin = f"{request.scheme}://{request.host}"
        self.calls.append(f"{request.method} {origin}{request.path}")
        if origin == "https://login.microsoftonline.com":
            found = Response(f'{{"NameSpaceType":"{self.realm}"}}')
            return found(environ, start_response)
        if request.host in self.private:
            raise AddressRefused("address_private")
        pages = self.hosts.get(origin)
        if pages is None:
            unknown = NameResolutionError(request.host, None, socket.gaierror())  # type: ignore[arg-type]
            raise requests.ConnectionError(unknown)
        page = pages.get(request.path.lower()) or pages.get("*")
        found = page(request) if page else Response("<html>Not here", 404)
        return found(environ, start_response)
