"""Connections that one login has for itself."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from broker.addresses import AddressPolicy
from broker.clock import SystemClock
from broker.http import Call, Http
from tests.keeping_server import Reply, Request, keeping
from tests.tls_server import Authority

HOST = "mail.corp.test"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def http(authority: Authority) -> Http:
    policy = AddressPolicy([HOST], resolver=lambda host, port: ["127.0.0.1"])
    return Http(SystemClock(), policy=policy, ca_file=str(authority.file))


def post(port: int, path: str = "/") -> Call:
    return Call("test", "post", "POST", f"https://{HOST}:{port}{path}", body=b"x", guarded=True)


def hello(request: Request) -> Reply:
    text = str(request.connection["port"]).encode()
    return Reply(200 if text else 500, text, closes=request.path == "/close")


def test_calls_of_one_view_share_a_connection_and_name_it(http: Http, authority: Authority) -> None:
    with keeping(hello, authority.issue(HOST)) as port:
        alone = http.alone()
        first, second = alone.call(post(port)), alone.call(post(port))

        pem = ssl.get_server_certificate(("127.0.0.1", port))

    assert first.channel is not None
    assert first.channel == second.channel
    assert first.body == second.body == str(first.channel.port).encode()
    assert ssl.PEM_cert_to_DER_cert(pem) == first.channel.certificate
    assert repr(first.channel.certificate) not in repr(first)


def test_views_share_no_connection(http: Http, authority: Authority) -> None:
    with keeping(hello, authority.issue(HOST)) as port:
        one, other = http.alone(), http.alone()
        bodies = [view.call(post(port)).body for view in (http, one, other, http, one, other)]

    assert bodies[:3] == bodies[3:]
    assert len(set(bodies)) == 3


def test_a_connection_that_will_be_closed_has_no_name(http: Http, authority: Authority) -> None:
    with keeping(hello, authority.issue(HOST)) as port:
        alone = http.alone()
        closed = alone.call(post(port, "/close"))
        after = alone.call(post(port))

    assert closed.channel is None
    assert after.channel is not None and after.body != closed.body


def test_a_shared_http_names_no_connection(http: Http, authority: Authority) -> None:
    with keeping(hello, authority.issue(HOST)) as port:
        assert http.call(post(port)).channel is None
