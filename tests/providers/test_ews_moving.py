"""An endpoint that moves during a sync: followed by the rules of connecting, and no further."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from broker.clock import FixedClock
from broker.domain import Window
from broker.errors import AuthorizationLost, ProviderUnavailable, ServerMoved
from broker.http import Http
from broker.logins import PasswordCredential
from broker.providers._ews.moving import following
from broker.providers.base import MovingClient
from broker.providers.exchange import Exchange, ExchangeClient
from tests.providers.ews_mailbox import NOW, XML, last_page
from tests.providers.ews_samples import error
from tests.wsgi_adapter import WsgiAdapter

OLD = "https://mail.contoso.example/EWS/Exchange.asmx"
NEW = "https://mail2.contoso.example/EWS/Exchange.asmx"
OTHER = "https://mail.fabrikam.example/EWS/Exchange.asmx"
CLOUD = "https://outlook.office365.com/EWS/Exchange.asmx"
WINDOW = Window(NOW, NOW)


class Internet:
    """Some hosts, each with one answer; *told* is who was given a password."""

    def __init__(self, addresses: tuple[str, ...] = ("ada@contoso.example",)) -> None:
        self.answers: dict[str, Response] = {}
        self.told: list[str] = []
        self.asked: list[str] = []
        clock = FixedClock(NOW)
        http = Http(clock, mounts={"https://": WsgiAdapter(self), "http://": WsgiAdapter(self)})
        credential = PasswordCredential(OLD, "ada", "secret", addresses, dialect="Basic")
        self.client: ExchangeClient = Exchange(http, clock).client(credential)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        self.asked.append(request.url)
        if "Authorization" not in request.headers:
            asks = Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            return asks(environ, start_response)
        self.told.append(request.host)
        return self.answers[request.url](environ, start_response)

    def sync(self) -> None:
        list(self.client.changes("AAA=", None, WINDOW))


def moved(to: str, status: int = 302) -> Response:
    return Response(status=status, headers={"Location": to})


def listing() -> Response:
    return Response(last_page(), content_type=XML)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_move_inside_the_mail_domain_is_followed_and_remembered(status: int) -> None:
    net = Internet()
    net.answers = {OLD: moved(NEW, status), NEW: listing()}

    net.sync()
    net.sync()

    assert isinstance(net.client, MovingClient)
    assert net.client.credential.url == NEW
    assert net.client.credential.password == "secret"
    assert net.told == ["mail.contoso.example", "mail2.contoso.example", "mail2.contoso.example"]


def test_a_move_on_the_same_host_is_followed() -> None:
    net = Internet()
    net.answers = {OLD: moved("/ews/exchange.asmx?again=1"), f"{OLD}/": listing()}

    with pytest.raises(ServerMoved):
        net.sync()
    assert set(net.told) == {"mail.contoso.example"}


@pytest.mark.parametrize(
    "to",
    [
        OTHER,
        CLOUD,
        NEW.replace("https", "http"),
        "https://contoso.example.evil.example/EWS/Exchange.asmx",
        "https://evilcontoso.example/EWS/Exchange.asmx",
        "https://mail2.contoso.example:8443/EWS/Exchange.asmx",
        "https://ada@mail2.contoso.example/EWS/Exchange.asmx",
        "https://127.0.0.1/EWS/Exchange.asmx",
        "https://169.254.169.254/EWS/Exchange.asmx",
        "https://[::1]/EWS/Exchange.asmx",
        "https://mail2.contoso.example/collect.asmx",
        "https://mail2.contoso.example\\@evil.example/EWS/Exchange.asmx",
        "",
    ],
)
def test_the_password_goes_nowhere_else(to: str) -> None:
    """C1: not without a question, and a background task asks none."""
    net = Internet()
    net.answers = {OLD: moved(to)}

    with pytest.raises(ServerMoved) as caught:
        net.sync()

    assert net.told == ["mail.contoso.example"]
    assert net.client.credential.url == OLD
    assert caught.value.reason == "server_moved"
    assert "evil" not in str(caught.value)


def test_an_address_that_cannot_be_read_leads_nowhere() -> None:
    rule = following(Internet().client.credential)

    assert rule.new_endpoint(OLD, "https://[bad") is None
    assert rule.new_endpoint("https://127.0.0.1/", "/EWS/Exchange.asmx") is None


def test_a_login_whose_mail_domain_is_not_proved_is_not_taken_along() -> None:
    net = Internet(addresses=())
    net.answers = {OLD: moved(NEW)}

    with pytest.raises(ServerMoved):
        net.sync()
    assert net.told == ["mail.contoso.example"]


def test_servers_that_point_at_each_other_are_left() -> None:
    net = Internet()
    net.answers = {OLD: moved(NEW), NEW: moved(OLD)}

    with pytest.raises(ServerMoved):
        net.sync()
    assert len(net.told) <= 4


def test_a_password_that_is_refused_there_is_refused() -> None:
    """Sent once, and never again: the person connects anew."""
    net = Internet()
    refused = Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    net.answers = {OLD: moved(NEW), NEW: refused}

    with pytest.raises(AuthorizationLost):
        net.sync()
    assert net.told.count("mail2.contoso.example") == 1


def test_a_fault_that_passes_is_no_move() -> None:
    net = Internet()
    net.answers = {OLD: moved("/ews/genericerrorpage.htm?aspxerrorpath=/EWS/Exchange.asmx")}

    with pytest.raises(ProviderUnavailable) as caught:
        net.sync()
    assert not isinstance(caught.value, ServerMoved)


def test_a_sign_in_page_in_front_is_no_move() -> None:
    net = Internet()
    net.answers = {OLD: moved("https://sso.contoso.example/adfs/ls/?wa=wsignin1.0")}

    with pytest.raises(ProviderUnavailable) as caught:
        net.sync()
    assert caught.value.detail == "sign-in page in front"
    assert not isinstance(caught.value, ServerMoved)


@pytest.mark.parametrize("code", ["ErrorNonExistentMailbox", "ErrorProxyRequestNotAllowed"])
def test_a_mailbox_that_is_elsewhere_says_so(code: str) -> None:
    net = Internet()
    net.answers = {OLD: Response(error("SyncFolderItems", code), content_type=XML)}

    with pytest.raises(ServerMoved):
        net.sync()


def test_a_mailbox_that_is_being_moved_is_asked_again_later() -> None:
    net = Internet()
    body = error("SyncFolderItems", "ErrorMailboxMoveInProgress")
    net.answers = {OLD: Response(body, content_type=XML)}

    with pytest.raises(ProviderUnavailable) as caught:
        net.sync()
    assert not isinstance(caught.value, ServerMoved)
