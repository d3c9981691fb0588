"""What went wrong on the way to a server, told apart over real sockets and real TLS."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.addresses import AddressPolicy
from broker.clock import SystemClock
from broker.errors import ProviderUnavailable
from broker.http import Call, Http
from broker.laps import Lap
from broker.trace import Step
from tests.tls_server import Authority, serving

NAME = "dav.test"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def http(authority: Authority | None = None, *addresses: str) -> Http:
    """Make a client for which every name is this machine."""
    policy = AddressPolicy([NAME], resolver=lambda host, port: list(addresses or ("127.0.0.1",)))
    return Http(SystemClock(), policy=policy, ca_file=str(authority.file) if authority else None)


def call(port: int, scheme: str = "https") -> Call:
    return Call("caldav", "discover", "GET", f"{scheme}://{NAME}:{port}/", guarded=True)


def failure(client: Http, port: int) -> tuple[str, str]:
    """Give the detail of the error and the outcome in the trace."""
    steps: list[Step] = []
    with pytest.raises(ProviderUnavailable) as caught:
        client.traced(steps).call(call(port))
    return caught.value.detail, steps[0].outcome


def test_a_good_certificate_is_taken(authority: Authority) -> None:
    with serving(authority.issue(NAME)) as port:
        assert http(authority).call(call(port)).body == b"ok"


def test_an_expired_certificate(authority: Authority) -> None:
    with serving(authority.issue(NAME, expired=True)) as port:
        detail = "certificate expired"
        assert failure(http(authority), port) == (detail, detail)


def test_a_certificate_for_another_name(authority: Authority) -> None:
    with serving(authority.issue("other.test")) as port:
        detail = "certificate for another name"
        assert failure(http(authority), port) == (detail, detail)


def test_a_certificate_that_nobody_vouches_for(authority: Authority) -> None:
    with serving(authority.issue(NAME)) as port:
        detail = "certificate not trusted"
        assert failure(http(), port) == (detail, detail)


def test_a_server_that_speaks_no_tls(authority: Authority) -> None:
    with serving(None) as port:
        detail = "no secure connection"
        assert failure(http(authority), port) == (detail, detail)


def test_a_closed_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    assert failure(http(), port)[0] == "no connection"


def _unknown(host: str, port: int) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "marked")


@pytest.mark.parametrize("resolver", [_unknown, lambda host, port: []])
def test_a_name_that_nobody_knows(resolver: Callable[[str, int], list[str]]) -> None:
    client = Http(SystemClock(), policy=AddressPolicy([NAME], resolver=resolver))

    assert failure(client, 443)[0] == "name not found"


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "a..test"])
def test_a_name_that_cannot_be(host: str) -> None:
    call = Call("caldav", "discover", "GET", f"https://{host}/", guarded=True)

    with pytest.raises(ProviderUnavailable, match="name not found"):
        Http(SystemClock(), policy=AddressPolicy([host])).call(call)


def test_the_trace_tells_plain_http(authority: Authority) -> None:
    steps: list[Step] = []
    with serving(None) as port:
        http(authority).traced(steps).call(call(port, "http"))

    assert [(step.outcome, step.secure) for step in steps] == [("200", False)]


def test_the_trace_tells_how_far_a_connection_came(authority: Authority) -> None:
    steps: list[Step] = []
    with serving(authority.issue(NAME)) as port:
        client = http(authority).traced(steps)
        client.call(call(port))
        with pytest.raises(ProviderUnavailable):
            http().traced(steps).call(call(port))
        with pytest.raises(ProviderUnavailable):
            client.call(call(1))

    assert [sorted(step.laps) for step in steps] == [
        [Lap.DNS, Lap.TCP, Lap.TLS],
        [Lap.DNS, Lap.TCP, Lap.TLS],
        [Lap.DNS, Lap.TCP],
    ]
    assert all(sum(step.laps.values()) <= step.milliseconds + 3 for step in steps)


def test_a_server_that_hangs_up_was_reached() -> None:
    """Not the same as one that cannot be connected to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True)
        thread.start()
        with pytest.raises(ProviderUnavailable, match="connection lost"):
            http().call(call(listener.getsockname()[1], "http"))
        thread.join(5)
