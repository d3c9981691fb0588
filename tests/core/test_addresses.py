"""Which addresses are connected to, and that the check holds for the socket itself."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from broker.addresses import AddressPolicy, as_address, client_place, is_public
from broker.clock import SystemClock
from broker.errors import AddressRefused, ProviderUnavailable
from broker.http import Call, Http


@pytest.fixture
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """A loopback server that answers every connection and notes what it was sent."""
    server = socket.create_server(("127.0.0.1", 0))
    seen: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                seen.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1], seen
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(5)


def guarded(url: str) -> Call:
    return Call("test", "get", "GET", url, guarded=True)


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",  # noqa: S104
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.127.255.254",
        "192.0.0.8",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2001::1",
        "2001:db8::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_are_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "17.253.144.10", "2606:4700::1", "2a00:1450::1"])
def test_public_addresses(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    ("host", "literal"),
    [
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("127。0。0。1", "127.0.0.1"),
        ("１２７.0.0.1", "127.0.0.1"),
        ("①②⑦.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
    ],
)
def test_literals_in_every_spelling(host: str, literal: str) -> None:
    assert ip_address(literal) == as_address(host)


@pytest.mark.parametrize("host", ["example.com", "münchen.example", "1.example", "", "x" * 300])
def test_names_are_no_literals(host: str) -> None:
    assert as_address(host) is None


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://127.0.0.1/", "address_private"),
        ("https://2130706433/", "address_private"),
        ("https://0x7f.1/", "address_private"),
        ("https://0177.0.0.1/", "address_private"),
        ("https://[::1]/", "address_private"),
        ("https://[::ffff:10.0.0.1]/", "address_private"),
        ("https://[64:ff9b::a00:1]/", "address_private"),
        ("https://[2002:a00:1::]/", "address_private"),
        ("https://[fe80::1]/", "address_private"),
        ("https://169.254.169.254/latest/meta-data/", "address_private"),
        ("https://metadata.google.internal/", "address_private"),
        ("https://METADATA.google.internal./", "address_private"),
        ("https://１２７.0.0.1/", "address_private"),
        ("http://example.com/", "address_not_https"),
        ("ftp://example.com/", "address_not_https"),
        ("file:///etc/passwd", "address_malformed"),
        ("https://example.com:22/", "address_port"),
        ("https://example.com:80/", "address_port"),
        ("https://example.com:0/", "address_port"),
        ("https://example.com:99999/", "address_malformed"),
        ("https://user@example.com/", "address_malformed"),
        ("https://user:pw@example.com/", "address_malformed"),
        ("https://@example.com/", "address_malformed"),
        ("https://good.example\\@evil.example/", "address_malformed"),
        ("https://example.com/#part", "address_malformed"),
        ("https://[::1/", "address_malformed"),
        ("https:///path", "address_malformed"),
        ("example.com", "address_malformed"),
        ("", "address_malformed"),
    ],
)
def test_urls_that_are_refused(url: str, code: str) -> None:
    with pytest.raises(AddressRefused) as raised:
        AddressPolicy().check_url(url)

    assert code == raised.value.code


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/",
        "https://example.com:443/a?b=c",
        "https://example.com:8443/",
        "https://8.8.8.8/",
        "https://[2606:4700::1]/",
        "https://münchen.example/",
    ],
)
def test_urls_that_may_be_tried(url: str) -> None:
    AddressPolicy().check_url(url)


def test_operator_opens_names_and_ranges() -> None:
    policy = AddressPolicy(["exchange.internal", "10.1.0.0/16", "fd00::/8"])

    for url in ("http://EXCHANGE.internal.:8080/", "http://10.1.2.3:80/", "https://[fd00::5]/"):
        policy.check_url(url)
    for url in ("https://10.2.0.1/", "http://other.internal/", "https://x.exchange.internal:81/"):
        with pytest.raises(AddressRefused):
            policy.check_url(url)


def test_opened_range_holds_for_resolved_addresses() -> None:
    policy = AddressPolicy(["10.1.0.0/16"], resolver=lambda host, port: ["10.1.2.3", "10.2.0.1"])

    assert ["10.1.2.3"] == policy.addresses("calendar.example", 443)


def test_private_addresses_of_a_name_are_dropped() -> None:
    policy = AddressPolicy(resolver=lambda host, port: ["127.0.0.1", "8.8.8.8", "fe80::1%eth0"])

    assert ["8.8.8.8"] == policy.addresses("calendar.example", 443)


def test_name_with_private_addresses_only_is_refused_when_connecting() -> None:
    policy = AddressPolicy(resolver=lambda host, port: ["127.0.0.1", "::1"])

    with pytest.raises(AddressRefused) as raised:
        Http(SystemClock(), policy=policy).call(guarded("https://calendar.example/"))

    assert "address_private" == raised.value.code


def test_name_that_changes_its_mind_gains_nothing(listener: tuple[int, list[bytes]]) -> None:
    port, seen = listener
    answers = [["127.0.0.1"], ["8.8.8.8"], ["127.0.0.1"]]
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    policy = AddressPolicy(resolver=resolver)
    policy.check_url("https://calendar.example:8443/")
    http = Http(SystemClock(), policy=policy)

    with pytest.raises(AddressRefused):
        http.call(guarded("https://calendar.example:8443/"))

    assert ["calendar.example"] == asked
    assert [] == seen


def test_socket_goes_to_the_address_that_was_checked(listener: tuple[int, list[bytes]]) -> None:
    port, seen = listener
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    policy = AddressPolicy(["127.0.0.0/8", "calendar.example"], resolver=resolver)

    answer = Http(SystemClock(), policy=policy).call(guarded(f"http://calendar.example:{port}/"))

    assert (200, b"ok") == (answer.status, answer.body)
    assert ["calendar.example"] == asked
    assert b"Host: calendar.example" in seen[0]


def test_name_that_does_not_resolve() -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    policy = AddressPolicy(resolver=resolver)

    with pytest.raises(ProviderUnavailable, match="name not found"):
        Http(SystemClock(), policy=policy).call(guarded("https://nowhere.example/"))


def test_name_without_addresses() -> None:
    policy = AddressPolicy(resolver=lambda host, port: [])

    with pytest.raises(ProviderUnavailable, match="name not found"):
        Http(SystemClock(), policy=policy).call(guarded("https://nowhere.example/"))


def test_closed_port_is_unavailable(listener: tuple[int, list[bytes]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    policy = AddressPolicy(["127.0.0.0/8"])

    with pytest.raises(ProviderUnavailable):
        Http(SystemClock(), policy=policy).call(guarded(f"http://127.0.0.1:{port}/"))


def test_server_that_does_not_speak_tls_is_told(listener: tuple[int, list[bytes]]) -> None:
    port, _ = listener
    policy = AddressPolicy(["127.0.0.0/8"])

    with pytest.raises(ProviderUnavailable, match="no secure connection"):
        Http(SystemClock(), policy=policy).call(guarded(f"https://127.0.0.1:{port}/"))


def test_first_bytes_are_not_held_back(
    listener: tuple[int, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without TCP_NODELAY a body waits for the far end to acknowledge its headers."""
    port, _ = listener
    options: list[int] = []
    connect = socket.socket.connect

    def watched(made: socket.socket, address: Any) -> None:
        options.append(made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        connect(made, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    http = Http(SystemClock(), policy=AddressPolicy(["127.0.0.0/8"]))

    http.call(guarded(f"http://127.0.0.1:{port}/"))

    assert options[0]


def test_a_detour_leads_a_name_and_all_below_it_elsewhere() -> None:
    detours = {"corp.example": ("127.0.0.1", 5053)}
    policy = AddressPolicy(["127.0.0.1"], detours=detours)

    for host in ("corp.example", "mail.corp.example"):
        assert [("127.0.0.1", 5053)] == policy.find(host, 443)


@pytest.mark.parametrize("place", [("mail.corp.example", 80), ("notcorp.example", 443)])
def test_a_detour_is_for_its_own_names_over_https(place: tuple[str, int]) -> None:
    policy = AddressPolicy(
        resolver=lambda host, port: ["93.184.216.34"],
        detours={"corp.example": ("127.0.0.1", 5053)},
    )

    assert [("93.184.216.34", place[1])] == policy.find(*place)


def test_a_detour_opens_nothing_by_itself() -> None:
    policy = AddressPolicy(detours={"corp.example": ("127.0.0.1", 5053)})

    with pytest.raises(AddressRefused):
        policy.find("corp.example", 443)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_a_client_is_its_address_or_its_network(address: str, place: str) -> None:
    assert client_place(address) == place
