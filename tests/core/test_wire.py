"""Deadlines of outgoing calls, over real sockets: no server can hold a caller beyond them."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker import trust
from broker.addresses import AddressPolicy
from broker.clock import FixedClock, SystemClock
from broker.errors import ProviderUnavailable
from broker.http import Call, Http
from broker.line import Line, held
from broker.trust import Trust
from broker.wire import within
from tests.made_once import USUAL_AUTHORITIES
from tests.tls_server import Authority, serving

NAME = "slow.test"
DEADLINE = timedelta(milliseconds=250)
# Each of these servers would hold a caller for twenty seconds or for ever.
SOON_S = 3.0
# Which wait the deadline ends is a matter of luck on a busy machine; that it ends it is not.
LATE = {"no connection in time", "no answer in time", "too slow"}
Behaviour = Callable[[socket.socket, threading.Event], None]


@contextmanager
def server(behave: Behaviour) -> Iterator[int]:
    """Let *behave* have each connection, in a thread, until the test is over. Gives the port."""
    over, threads = threading.Event(), list[threading.Thread]()

    def converse(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(SOON_S)
            behave(connection, over)

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=converse, args=(connection,), daemon=True))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads.append(threading.Thread(target=accept, args=(listener,), daemon=True))
        threads[0].start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(SOON_S)


def drips(*first: bytes, byte: bytes = b"x") -> Behaviour:
    """Answer with *first*, then with a byte at a time, each well within any timeout."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(b"".join(first))
        while not over.wait(0.02):
            connection.sendall(byte)

    return behave


def says_nothing(connection: socket.socket, over: threading.Event) -> None:
    """Take what comes and give nothing."""
    over.wait(SOON_S)


def http(
    *addresses: str, ca_file: Path | None = None, hangs: threading.Event | None = None
) -> Http:
    """Make a client for which every name is this machine; *hangs* keeps the resolver busy."""

    def resolver(host: str, port: int) -> list[str]:
        if hangs is not None:
            hangs.wait(SOON_S)
        return list(addresses or ("127.0.0.1",))

    policy = AddressPolicy([NAME], resolver=resolver)
    return Http(SystemClock(), policy=policy, ca_file=str(ca_file) if ca_file else None)


def call(port: int, *, scheme: str = "http", guarded: bool = True, body: bytes = b"") -> Call:
    host = NAME if guarded else "127.0.0.1"
    url = f"{scheme}://{host}:{port}/"
    return Call("test", "get", "PUT", url, body=body, deadline=DEADLINE, guarded=guarded)


def patient(port: int) -> Call:
    """Give a call that succeeds, however busy the machine is."""
    return replace(call(port), deadline=timedelta(seconds=30))


def ends(client: Http, asked: Call) -> str:
    """Make a call that must fail in time; gives how."""
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable) as caught:
        client.call(asked)
    assert time.monotonic() - began < SOON_S
    return caught.value.detail


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize(
    "behave",
    [
        says_nothing,
        drips(),
        drips(b"HTTP/1.1 200 OK\r\nX: "),
        drips(b"HTTP/1.1 200 OK\r\n", byte=b"X: y\r\n"),
        drips(b"HTTP/1.1 100 Continue\r\n\r\n", byte=b"HTTP/1.1 100 Continue\r\n\r\n"),
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n"),
        drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", byte=b"0"),
        drips(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\0"),
    ],
)
def test_silence_and_drips_end_with_the_deadline(behave: Behaviour, guarded: bool) -> None:
    with server(behave) as port:
        assert ends(http(), call(port, guarded=guarded)) in LATE


@pytest.mark.parametrize("over_tls", [False, True])
def test_a_line_is_cut_from_another_thread(tmp_path: Path, over_tls: bool) -> None:
    """At once, however long the server may still be silent."""
    line, came = Line(timedelta(minutes=5)), threading.Event()

    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        came.set()
        over.wait(SOON_S)

    authority = Authority(tmp_path)
    context = authority.issue(NAME)

    def secured(connection: socket.socket, over: threading.Event) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            behave(secure, over)

    def cut() -> None:
        came.wait(SOON_S)
        line.cut()

    with server(secured if over_tls else behave) as port:
        client = http(ca_file=authority.file)
        asked = call(port, scheme="https" if over_tls else "http")
        asked = replace(asked, deadline=timedelta(seconds=30))
        cutter = threading.Thread(target=cut)
        cutter.start()
        with held(line):
            assert ends(client, asked) != "too slow"
            # And nothing more is waited for.
            assert ends(client, asked)
        cutter.join()


def test_a_silent_line_ends_by_itself() -> None:
    with server(says_nothing) as port, held(Line(timedelta(milliseconds=50))):
        assert ends(http(), patient(port)) == "no answer in time"


def test_a_server_that_does_not_read(tmp_path: Path) -> None:
    with server(says_nothing) as port:
        detail = ends(http(), call(port, body=b"x" * 64 * 1024 * 1024))

    assert detail in LATE | {"connection lost"}


@pytest.mark.parametrize("behave", [says_nothing, drips(b"\x16\x03\x03\x20\x00", byte=b"\0")])
def test_a_greeting_that_never_ends(behave: Behaviour) -> None:
    with server(behave) as port:
        assert ends(http(), call(port, scheme="https")) in LATE


def test_drips_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.issue(NAME)

    def behave(connection: socket.socket, over: threading.Event) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            drips(b"HTTP/1.1 200 OK\r\nX: ")(secure, over)

    with server(behave) as port:
        client = http(ca_file=authority.file)
        assert ends(client, call(port, scheme="https")) in LATE


def test_many_addresses_that_do_not_accept() -> None:
    """A queue of connections that is full lets nobody in and refuses nobody."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))

        assert ends(http(*["127.0.0.1"] * 40), call(port)) in LATE


def test_a_resolver_that_hangs() -> None:
    hangs = threading.Event()
    try:
        assert ends(http(hangs=hangs), call(443, scheme="https")) in LATE
    finally:
        hangs.set()


def test_the_next_address_is_tried() -> None:
    with serving(None) as port:
        answer = http("127.0.0.9", "127.0.0.1").call(patient(port))

    assert b"ok" == answer.body


def test_a_kept_connection_has_a_deadline_of_its_own() -> None:
    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        drips(b"HTTP/1.1 200 OK\r\nX: ")(connection, over)

    with server(behave) as port:
        client = http()
        assert b"ok" == client.call(patient(port)).body
        assert ends(client, call(port)) in LATE


def test_an_outer_deadline_counts_for_every_call() -> None:
    with server(says_nothing) as port:
        client = http()
        with within(client.clock, timedelta(milliseconds=100)):
            details = [ends(client, call(port)) for _ in range(20)]

    assert set(details) <= LATE
    assert ["too slow"] * 19 == details[1:]


def test_deadlines_nest_and_end() -> None:
    clock = FixedClock(datetime(2026, 11, 21, 9, tzinfo=UTC))

    with within(clock, timedelta(seconds=10)) as outer:
        clock.advance(seconds=4)
        with (
            within(clock, timedelta(seconds=60)) as long,
            within(clock, timedelta(seconds=2)) as short,
        ):
            assert (6, 2) == (long.left_s(), short.left_s())
        clock.advance(seconds=7)
        assert -1 == outer.left_s()
    with within(clock, timedelta(seconds=60)) as later:
        assert 60 == later.left_s()


def test_authorities_are_read_once(tmp_path: Path) -> None:
    trust = Trust(str(Authority(tmp_path).file))

    assert trust.context is trust.context
    assert (True, ssl.CERT_REQUIRED) == (trust.context.check_hostname, trust.context.verify_mode)


def test_an_extra_authority_is_trusted_beside_the_usual_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "DEFAULT_CA_BUNDLE_PATH", USUAL_AUTHORITIES)
    usual = len(Trust(None).context.get_ca_certs())
    with_extra = len(Trust(str(Authority(tmp_path).file)).context.get_ca_certs())

    assert with_extra == usual + 1 > 50
