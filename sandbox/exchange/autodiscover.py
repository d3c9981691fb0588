"""Autodiscover: who answers under which name, with TLS and without."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from . import autodiscover_pox, autodiscover_soap
from .accounts import DOMAIN
from .ews import server_version
from .model import Person
from .versions import Version
from .wire import Answer, Request

if TYPE_CHECKING:
    from .front import Front

MAIL, AUTODISCOVER = f"mail.{DOMAIN}", f"autodiscover.{DOMAIN}"
POX, SVC, JSON = (f"/autodiscover/autodiscover.{kind}" for kind in ("xml", "svc", "json"))
_HTML = "text/html; charset=utf-8"
_SITE = b"<!DOCTYPE html><html><head><title>CORP</title></head><body><h1>Welcome</h1></body></html>"
_EXCHANGE = [("X-SOAP-Enabled", "True"), ("X-WSSecurity-Enabled", "True"), ("X-FEServer", "EX01")]
_PROTOCOLS = ("activesync", "autodiscoverv1", "ews", "rest")


@dataclass(frozen=True)
class Places:
    """Which addresses are told, to who asked under which name. *style* is that of the fault."""

    host: str
    port: str
    style: str

    def url(self, host: str, path: str, scheme: str = "https") -> str:
        """Return an address at another name of this server; one on this machine stays there."""
        name = self.host if self.is_local else host
        return f"{scheme}://{name}{self.port}{path}"

    @property
    def is_local(self) -> bool:
        """Whether the client came by a loopback address, and cannot follow to other names."""
        return self.host in ("127.0.0.1", "localhost")

    @property
    def external_ews(self) -> str:
        """Where EWS is for the outside; empty when the administrator never said so."""
        return {
            "internal_only": "",
            "ews_http": self.url(MAIL, "/EWS/Exchange.asmx", "http"),
            "ews_outsider": "https://mail.outsider.test/EWS/Exchange.asmx",
            "ews_private": "https://10.20.30.40/EWS/Exchange.asmx",
        }.get(self.style, self.url(MAIL, "/EWS/Exchange.asmx"))

    @property
    def internal_ews(self) -> str:
        """Where EWS is inside the company."""
        return "https://mbx1.corp.local/EWS/Exchange.asmx"

    def redirect(self, path: str) -> str:
        """Return where the style sends the client, empty when it does not."""
        return {
            "url": "" if self.host == MAIL else self.url(MAIL, path + "?moved=1"),
            "loop": self.url(self.host, path),
            "http": self.url(MAIL, path, "http"),
            "outsider": f"https://autodiscover.outsider.test{path}",
            "private": f"https://10.20.30.40{path}",
        }.get(self.style, "")

    def redirect_address(self, address: str) -> str:
        """Return the other address that the style sends the client to, empty when it does not."""
        if self.style == "cloud":
            return address.partition("@")[0] + "@corp.mail.onmicrosoft.com"
        if self.style == "address" and not address.startswith("ada.lovelace@"):
            return f"ada.lovelace@{DOMAIN}"
        return ""


def answer(front: Front, request: Request, path: str) -> tuple[Person | None, Answer]:
    """Answer a request below /autodiscover/; give who signed in, too."""
    split = urlsplit(f"//{request.header('host')}")
    host = (split.hostname or "").lower()
    port = f":{split.port}" if split.port else ""
    style = front.faults.style(None, "autodiscover")
    places = Places(host, port, style)
    site = _site(places) if host == DOMAIN else _elsewhere(places, request, path)
    if site is not None:
        return None, site
    version = server_version(front.faults)
    if path.startswith(JSON):
        return None, _json(front, request, places, version)
    if path not in (POX, SVC) or (path == SVC and not version.knows("Exchange2010")):
        return None, Answer(404)
    return _signed_in(front, request, path, places, version)


def _signed_in(
    front: Front, request: Request, path: str, places: Places, version: Version
) -> tuple[Person | None, Answer]:
    person = front.accounts.sign_in(request)
    if places.style == "401" and not isinstance(person, Answer):
        request.connection.login = ""
        person = Answer(401, headers=[("WWW-Authenticate", "NTLM")])
    if isinstance(person, Answer):
        person.headers += _EXCHANGE
        return None, person
    kind = autodiscover_pox if path == POX else autodiscover_soap
    return person, kind.answer(front.store, request, places, version)


def _site(places: Places) -> Answer:
    """Answer for the root domain, which is the company's web site."""
    if places.style == "basic_site":
        return Answer(401, headers=[("WWW-Authenticate", 'Basic realm="Staff only"')])
    if places.style == "www":
        return Answer(301, headers=[("Location", f"https://www.{DOMAIN}/")])
    if places.style == "html":
        return Answer(200, _SITE, content_type=_HTML)
    return Answer(404, _SITE, content_type=_HTML)


def _elsewhere(places: Places, request: Request, path: str) -> Answer | None:
    """Answer where Exchange itself does not, None where it does."""
    if not request.secure:
        target = places.redirect(path) or f"https://{AUTODISCOVER}{path}"
        if places.style == "http_redirect":
            target = f"https://{MAIL}{path}"
        return Answer(302, headers=[("Location", target)])
    if places.style == "missing":
        return Answer(404)
    if places.style == "html":
        return Answer(200, _SITE, content_type=_HTML)
    # Only the redirect without TLS is there: the name has no listener of its own.
    if places.style == "http_redirect" and places.host == AUTODISCOVER:
        return Answer(404)
    return None


def _json(front: Front, request: Request, places: Places, version: Version) -> Answer:
    """Answer version 2, which asks for no credentials."""
    if not version.knows("Exchange2016"):
        return front.accounts.challenge(request)
    query = {name.lower(): values[0] for name, values in parse_qs(request.query).items()}
    email = query.get("email") or unquote(request.path.rpartition("/")[2])
    protocol = query.get("protocol", "")
    if not protocol or "@" not in email:
        return _json_error(400, "MandatoryParameterMissing", "A mandatory parameter is missing.")
    if protocol.lower() not in _PROTOCOLS:
        text = f"The given protocol value '{protocol}' is not supported."
        return _json_error(400, "ProtocolNotSupported", text)
    place = places.redirect(JSON)
    if places.style == "cloud":
        place = f"https://outlook.office365.com{JSON}"
    if places.style in ("603", "busy"):
        return _json_error(500, "InternalServerError", "An internal error has occurred.")
    if place:
        return Answer(302, headers=[("Location", f"{place.partition('?')[0]}?{request.query}")])
    if front.store.find_person(email) is None or places.style == "500":
        return _json_error(404, "UserNotFound", "The given user is not found.")
    body = {"Protocol": protocol, "Url": places.external_ews or places.internal_ews}
    return Answer(200, json.dumps(body).encode(), content_type="application/json")


def _json_error(status: int, code: str, text: str) -> Answer:
    body = json.dumps({"ErrorCode": code, "ErrorMessage": text}).encode()
    return Answer(status, body, [("jsonerror", "true")], content_type="application/json")
