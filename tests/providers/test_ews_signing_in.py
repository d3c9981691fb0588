"""Logging in at Exchange: real NTLM against pyspnego's acceptor, over real TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from broker.addresses import AddressPolicy
from broker.clock import SystemClock
from broker.errors import ProtocolError, ProviderUnavailable
from broker.http import Call, Http
from broker.providers._ews.signing_in import (
    NoScheme,
    Scheme,
    SignIn,
    certificate_digest,
    choose,
    schemes,
)
from tests.keeping_server import Answering, Reply, Request, keeping
from tests.providers.ews_login_server import PASSWORD, USER, LoginServer, known_users
from tests.tls_server import Authority

HOST = "mail.corp.test"


class Place:
    """One server, and logins at it."""

    def __init__(self, http: Http, port: int) -> None:
        self.http = http
        self.port = port

    def call(self, body: bytes = b"<x/>") -> Call:
        return Call(
            "exchange", "GetFolder", "POST", f"https://{HOST}:{self.port}/", body=body, guarded=True
        )

    def login(
        self, password: str = PASSWORD, user: str = USER, scheme: Scheme | None = None
    ) -> SignIn:
        return SignIn(self.http.alone(), user, password, scheme)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(autouse=True)
def acceptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in known_users(tmp_path).items():
        monkeypatch.setenv(name, value)


@contextmanager
def at(server: Answering, authority: Authority) -> Iterator[Place]:
    policy = AddressPolicy([HOST], resolver=lambda host, port: ["127.0.0.1"])
    http = Http(SystemClock(), policy=policy, ca_file=str(authority.file))
    with keeping(server, authority.issue(HOST)) as port:
        yield Place(http, port)


def test_ntlm_logs_a_connection_in_once(authority: Authority) -> None:
    server = LoginServer()
    with at(server, authority) as place:
        login = place.login()
        answers = [login.send(place.call()) for _ in range(3)]

    assert [200, 200, 200] == [answer.status for answer in answers]
    assert USER.encode() == answers[-1].body
    assert Scheme.NTLM is login.scheme
    kinds = [request.headers.get("authorization", "")[:4] for request in server.seen]
    assert ["", "NTLM", "NTLM", "", ""] == kinds
    # Type 1 carries no body: it would be thrown away.
    assert [b"<x/>", b"", b"<x/>", b"<x/>", b"<x/>"] == [request.body for request in server.seen]


def test_a_known_scheme_spares_the_question(authority: Authority) -> None:
    server = LoginServer()
    with at(server, authority) as place:
        assert 200 == place.login(scheme=Scheme.NTLM).send(place.call()).status

    assert 2 == len(server.seen)


@pytest.mark.parametrize(
    "offered",
    [["NTLM"], ["Negotiate"], ['Basic realm="mail"'], ["Negotiate", "NTLM", 'Basic realm="a, b"']],
)
def test_a_wrong_password_is_refused_once(authority: Authority, offered: list[str]) -> None:
    server = LoginServer(offered)
    with at(server, authority) as place:
        login = place.login("wrong")
        assert 401 == login.send(place.call()).status

    assert 1 == server.refused


def test_a_known_scheme_is_refused_once_too(authority: Authority) -> None:
    for scheme, offer in ((Scheme.NTLM, "NTLM"), (Scheme.BASIC, "Basic")):
        server = LoginServer([offer])
        with at(server, authority) as place:
            assert 401 == place.login("wrong", scheme=scheme).send(place.call()).status
        assert 1 == server.refused


def test_basic_speaks_utf8(authority: Authority) -> None:
    server = LoginServer(['Basic realm="mail"'])
    with at(server, authority) as place:
        login = place.login()
        assert [200, 200] == [login.send(place.call()).status for _ in range(2)]

    assert Scheme.BASIC is login.scheme
    # The first request asks without credentials.
    assert "authorization" not in server.seen[0].headers


def test_a_scheme_that_is_gone_is_replaced_by_one_that_is_offered(authority: Authority) -> None:
    server = LoginServer(["NTLM"])
    with at(server, authority) as place:
        login = place.login(scheme=Scheme.BASIC)
        assert 200 == login.send(place.call()).status
    assert (Scheme.NTLM, 0) == (login.scheme, server.refused)

    server = LoginServer(["Basic"])
    with at(server, authority) as place:
        login = place.login(scheme=Scheme.NTLM)
        assert 200 == login.send(place.call()).status
    assert (Scheme.BASIC, 0) == (login.scheme, server.refused)


def test_the_login_is_bound_to_the_certificate(authority: Authority) -> None:
    server = LoginServer()
    with at(server, authority) as place:
        pem = ssl.get_server_certificate(("127.0.0.1", place.port))
        digest = certificate_digest(ssl.PEM_cert_to_DER_cert(pem))
        server.bindings = b"tls-server-end-point:" + digest
        assert 200 == place.login().send(place.call()).status

        server.bindings = b"tls-server-end-point:" + bytes(32)
        assert 401 == place.login().send(place.call()).status


def test_a_lost_connection_is_no_refusal(authority: Authority) -> None:
    server = LoginServer(drops=True)
    with at(server, authority) as place, pytest.raises(ProviderUnavailable) as raised:
        place.login().send(place.call())

    assert "connection not kept" == raised.value.detail
    assert 0 == server.refused


def test_a_new_connection_is_logged_in_again(authority: Authority) -> None:
    server = LoginServer()
    with at(server, authority) as place:
        login = place.login()
        login.send(place.call())
        for request in server.seen:
            request.connection.clear()
        assert 200 == login.send(place.call()).status

    assert 0 == server.refused


@pytest.mark.parametrize("token", ["TlRMTVNTUAACAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"])
def test_a_damaged_challenge_is_an_unreadable_answer(authority: Authority, token: str) -> None:
    def server(request: Request) -> Reply:
        given = request.headers.get("authorization")
        return Reply(401, headers=[("WWW-Authenticate", f"NTLM {token}" if given else "NTLM")])

    with at(server, authority) as place, pytest.raises(ProtocolError) as raised:
        place.login().send(place.call())
    assert PASSWORD not in repr(raised.value)


def test_schemes_are_read_from_one_line_or_many() -> None:
    assert {"negotiate", "ntlm", "basic"} == schemes('Negotiate, NTLM, Basic realm="a, Digest b"')
    assert {"ntlm"} == schemes("NTLM TlRMTVNTUAACAAAA==")
    assert {"bearer"} == schemes('Bearer client_id="x", trusted_issuers="y@*", scope=z')
    assert set() == schemes("")
    assert Scheme.BASIC is choose({"negotiate", "basic"})
    with pytest.raises(NoScheme):
        choose({"bearer"})


def test_a_password_is_not_shown() -> None:
    assert PASSWORD not in repr(SignIn(Http(SystemClock()), USER, PASSWORD))
