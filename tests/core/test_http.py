"""Outgoing HTTP: deadlines, caps, redirects (C3), and what is told about a call."""

from __future__ import annotations

import gzip
import io
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from broker.addresses import same_origin
from broker.clock import FixedClock, SystemClock
from broker.errors import AddressRefused, ProtocolError, ProviderUnavailable
from broker.http import Answer, Call, Http
from broker.trace import Step
from tests.wsgi_adapter import WsgiAdapter

SECRET = "hunter2-secret"
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
App = Callable[[dict[str, Any], Any], list[bytes]]


def app_that_answers(
    status: str = "200 OK", body: bytes = b"ok", headers: list[tuple[str, str]] | None = None
) -> App:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(status, headers or [])
        return [body]

    return app


def http_to(app: App, *, clock: FixedClock | None = None) -> tuple[Http, WsgiAdapter]:
    adapter = WsgiAdapter(app)
    return Http(clock or FixedClock(NOW), mounts={"https://": adapter, "http://": adapter}), adapter


def get(url: str = "https://api.example/", **options: Any) -> Call:
    return Call("test", "get", "GET", url, **options)


class Slow(io.RawIOBase):
    """A body that comes byte by byte while the clock goes on."""

    def __init__(self, clock: FixedClock, seconds: float) -> None:
        self.clock = clock
        self.seconds = seconds
        self.given = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self.read1(size)

    def read1(self, size: int = -1) -> bytes:
        self.clock.advance(seconds=self.seconds)
        self.given += 1
        return b"x"


class BodyAdapter(BaseAdapter):
    """Answers every request with one body."""

    def __init__(self, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__()
        self.body = body
        self.headers = headers or {}

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        response = requests.Response()
        response.status_code = 200
        response.raw = HTTPResponse(
            self.body, headers=self.headers, preload_content=False, decode_content=False
        )
        response.request = request
        return response

    def close(self) -> None: ...


@pytest.fixture
def raw_server() -> Iterator[tuple[int, list[bytes]]]:
    """A loopback server that gives each connection the next of *answers* and closes it."""
    server = socket.create_server(("127.0.0.1", 0))
    answers: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                connection.recv(65536)
                connection.sendall(answers.pop(0))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1], answers
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(5)


def test_answer() -> None:
    http, adapter = http_to(app_that_answers("207 Multi-Status", b'{"a":1}', [("ETag", '"1"')]))

    answer = http.call(get(params={"q": "a b"}))

    assert (207, b'{"a":1}', '"1"') == (answer.status, answer.body, answer.headers["etag"])
    assert {"a": 1} == answer.json("test", "get")
    assert [("GET", "https://api.example/?q=a+b")] == adapter.calls


def test_parameters_arrive_as_they_were_given() -> None:
    http, adapter = http_to(app_that_answers("200 OK", b""))
    given = {"fields": "items(id,end)", "token": "a+b/c==", "odd": "?&#%25 \u00fc@x;y:z"}

    http.call(get(params=given))
    http.call(get(url="https://api.example/list?page=2", params=given))

    first, second = (urlsplit(url).query for _, url in adapter.calls)
    assert parse_qsl(first, strict_parsing=True) == list(given.items())
    assert second == f"page=2&{first}"
    assert "fields=items(id,end)" in first


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a":', b"\xff", b"[" * 5000])
def test_body_that_is_not_json(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="not JSON"):
        Answer(200, {}, body, "https://api.example/").json("test", "get")


def test_deadline_counts_for_the_whole_body() -> None:
    clock = FixedClock(NOW)
    body = Slow(clock, 19)
    http = Http(clock, mounts={"https://": BodyAdapter(body)})

    with pytest.raises(ProviderUnavailable, match="too slow"):
        http.call(get(deadline=timedelta(seconds=60)))

    assert 4 == body.given


def test_deadline_counts_for_all_redirects() -> None:
    clock, paths = FixedClock(NOW), list[str]()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        clock.advance(seconds=25)
        paths.append(environ["PATH_INFO"])
        start_response("302 Found", [("Location", f"/{len(paths)}")])
        return []

    http, _ = http_to(app, clock=clock)

    with pytest.raises(ProviderUnavailable, match="too slow"):
        http.call(get(deadline=timedelta(seconds=60), redirects=9))

    assert 3 == len(paths)


def test_cap_on_the_body() -> None:
    http, _ = http_to(app_that_answers(body=b"x" * 1001))

    assert 1001 == len(http.call(get(cap_bytes=1001)).body)
    with pytest.raises(ProviderUnavailable, match="body too large"):
        http.call(get(cap_bytes=1000))


@pytest.mark.parametrize("layers", ["gzip", "gzip, gzip"])
def test_cap_counts_what_a_small_body_unpacks_to(layers: str) -> None:
    bomb = b"\0" * 64 * 1024 * 1024
    for _ in layers.split(","):
        bomb = gzip.compress(bomb, 1)
    http, _ = http_to(app_that_answers(body=bomb, headers=[("Content-Encoding", layers)]))

    with pytest.raises(ProviderUnavailable, match="body too large"):
        http.call(get(cap_bytes=1024 * 1024))


def test_packed_body_that_arrives_in_crumbs() -> None:
    packed = gzip.compress(b"hello " * 100)

    class Crumbs(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return super().read(1)

    adapter = BodyAdapter(Crumbs(packed), {"Content-Encoding": "gzip"})
    http = Http(FixedClock(NOW), mounts={"https://": adapter})

    assert b"hello " * 100 == http.call(get()).body


def test_damaged_packing() -> None:
    damaged = gzip.compress(b"hello " * 100)[:-12] + b"damagedxxxxx"
    http, _ = http_to(app_that_answers(body=damaged, headers=[("Content-Encoding", "gzip")]))

    with pytest.raises(ProviderUnavailable, match="body damaged"):
        http.call(get())


def test_body_shorter_than_announced() -> None:
    http, _ = http_to(app_that_answers(body=b"half", headers=[("Content-Length", "8")]))

    with pytest.raises(ProviderUnavailable, match="connection lost"):
        http.call(get())


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
def test_connections_that_break(raw_server: tuple[int, list[bytes]], sent: bytes) -> None:
    port, answers = raw_server
    answers.append(sent)

    with pytest.raises(ProviderUnavailable):
        Http(SystemClock()).call(get(f"http://127.0.0.1:{port}/"))


def test_chunked_body(raw_server: tuple[int, list[bytes]]) -> None:
    port, answers = raw_server
    chunks = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    answers.append(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)

    assert b"hello world" == Http(SystemClock()).call(get(f"http://127.0.0.1:{port}/")).body


@pytest.mark.parametrize(
    ("raised", "detail"),
    [
        (requests.exceptions.SSLError(SECRET), "certificate not trusted"),
        (requests.exceptions.ConnectTimeout(SECRET), "no connection in time"),
        (requests.exceptions.ReadTimeout(SECRET), "no answer in time"),
        (requests.exceptions.ConnectionError(SECRET), "no connection"),
        (OSError(SECRET), "no connection"),
    ],
)
def test_transport_failures_are_named_and_not_quoted(raised: Exception, detail: str) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise raised

    http, _ = http_to(app)

    with pytest.raises(ProviderUnavailable) as caught:
        http.call(get())

    assert detail == caught.value.detail
    assert SECRET not in repr(caught.value) + str(caught.value)
    assert caught.value.__suppress_context__


class Redirecting:
    """Answers each path with a redirect from the table, and notes what it was sent."""

    def __init__(self, status: str, table: dict[str, str]) -> None:
        self.status = status
        self.table = table
        self.seen: list[tuple[str, str, str, str | None, bytes]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        url = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}{environ['PATH_INFO']}"
        body = environ["wsgi.input"].read()
        method, query = environ["REQUEST_METHOD"], environ["QUERY_STRING"]
        self.seen.append((method, url, query, environ.get("HTTP_AUTHORIZATION"), body))
        target = self.table.get(url)
        if target is None:
            start_response("200 OK", [])
            return [b"there"]
        start_response(self.status, [("Location", target)])
        return [b"moved"]


def test_redirects_are_off_by_default() -> None:
    app = Redirecting("302 Found", {"https://api.example/": "/new"})
    http, _ = http_to(app)

    answer = http.call(get())

    assert (302, "/new") == (answer.status, answer.headers["Location"])


@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "307 x", "308 x"])
def test_redirects_keep_method_and_body_and_lose_the_query(status: str) -> None:
    app = Redirecting(status, {"https://api.example/": "https://api.example:443/new"})
    http, _ = http_to(app)

    answer = http.call(
        Call(
            "test",
            "find",
            "PROPFIND",
            "https://api.example/",
            params={"q": "1"},
            body=b"<x/>",
            auth=("ada", SECRET),
            redirects=1,
        )
    )

    assert (200, "https://api.example:443/new") == (answer.status, answer.url)
    first, second = app.seen
    assert ("PROPFIND", "q=1", b"<x/>") == (first[0], first[2], first[4])
    assert ("PROPFIND", "", b"<x/>") == (second[0], second[2], second[4])
    assert first[3] is not None and first[3] == second[3]


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "http://api.example/",
        "https://api.example:8443/",
        "https://api.example.evil.example/",
    ],
)
def test_redirects_stay_with_their_origin(target: str) -> None:
    app = Redirecting("302 Found", {"https://api.example/": target})
    http, adapter = http_to(app)

    with pytest.raises(AddressRefused):
        http.call(get(auth=("ada", SECRET), redirects=5))

    assert 1 == len(adapter.calls)


def test_credentials_do_not_travel_even_when_a_redirect_may() -> None:
    app = Redirecting("307 x", {"https://api.example/": "https://other.example/"})
    http, _ = http_to(app)
    headers = {"Authorization": f"Bearer {SECRET}", "Accept": "a/b"}

    answer = http.call(get(headers=headers, redirects=1, may_follow=lambda old, new: True))
    again = http.call(get(auth=("ada", SECRET), redirects=1, may_follow=lambda old, new: True))

    assert (200, 200) == (answer.status, again.status)
    assert [True, False, True, False] == [seen[3] is not None for seen in app.seen]


def test_bodies_of_redirects_are_capped() -> None:
    headers = [("Location", "/new")]
    http, _ = http_to(app_that_answers("302 Found", b"x" * 2000, headers))

    with pytest.raises(ProviderUnavailable, match="body too large"):
        http.call(get(redirects=1, cap_bytes=1000))


@pytest.mark.parametrize(
    "target", ["http://[", "https://api.example:port/", "//[::1", "https://:x/"]
)
@pytest.mark.parametrize("redirects", [0, 1])
def test_redirects_to_what_is_no_address(target: str, redirects: int) -> None:
    http, adapter = http_to(app_that_answers("302 Found", headers=[("Location", target)]))

    if redirects:
        with pytest.raises(AddressRefused):
            http.call(get(redirects=redirects))
    else:
        assert 302 == http.call(get()).status

    assert 1 == len(adapter.calls)


@pytest.mark.parametrize(
    "url",
    ["", "x", "/path", "http://", "http://[", "http://a:port/", "http://a:99999/", "ftp://a/"]
    + ["http://\ud800/", "file:///etc/passwd", "http://a b/", "//a/", "http://.a/", "http://*/"],
)
def test_what_is_no_address_is_not_asked(url: str) -> None:
    http, adapter = http_to(app_that_answers())

    with pytest.raises(ProviderUnavailable):
        http.call(get(url))
    with pytest.raises(AddressRefused):
        http.call(get(url, guarded=True))

    assert [] == adapter.calls


def test_longest_prefix_is_mounted() -> None:
    near, far = WsgiAdapter(app_that_answers(body=b"near")), WsgiAdapter(app_that_answers())
    http = Http(FixedClock(NOW), mounts={"https://": far, "https://API.example/": near})

    assert b"near" == http.call(get("https://api.EXAMPLE/x")).body
    assert b"ok" == http.call(get("https://other.example/x")).body


def test_redirect_loops_end() -> None:
    app = Redirecting("302 Found", {"https://api.example/": "/"})
    http, adapter = http_to(app)

    with pytest.raises(ProviderUnavailable, match="redirect loop"):
        http.call(get(redirects=5))

    assert 6 == len(adapter.calls)


def test_guarded_redirects_are_checked_on_every_hop() -> None:
    app = Redirecting("302 Found", {"https://api.example/": "https://169.254.169.254/"})
    http, adapter = http_to(app)

    with pytest.raises(AddressRefused):
        http.call(get(guarded=True, redirects=5, may_follow=lambda old, new: True))

    assert 1 == len(adapter.calls)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("https://a/x", "https://a/y", True),
        ("https://a/", "https://A:443/", True),
        ("http://a/", "http://a:80/", True),
        ("https://a/", "http://a/", False),
        ("https://a/", "https://a:8443/", False),
        ("https://a/", "https://a.b/", False),
        ("https://a/", "https://a:bad/", False),
    ],
)
def test_same_origin(left: str, right: str, expected: bool) -> None:
    assert expected is same_origin(left, right)


def test_cookies_are_not_kept() -> None:
    seen: list[str | None] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ.get("HTTP_COOKIE"))
        start_response("200 OK", [("Set-Cookie", "session=1; Path=/")])
        return [b""]

    http, _ = http_to(app)
    for _ in range(2):
        http.call(get())

    assert [None, None] == seen


def test_environment_is_not_asked_for_proxies_or_passwords(
    raw_server: tuple[int, list[bytes]], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    port, answers = raw_server
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login ada password {SECRET}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    answers.append(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    assert 200 == Http(SystemClock()).call(get(f"http://127.0.0.1:{port}/")).status


def test_trace_tells_steps_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="broker")
    clock, steps = FixedClock(NOW), list[Step]()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        clock.advance(milliseconds=40)
        if environ["PATH_INFO"] == "/down":
            raise requests.exceptions.ConnectTimeout(SECRET)
        start_response("401 Unauthorized", [("X-Secret", SECRET)])
        return [SECRET.encode()]

    http, _ = http_to(app, clock=clock)
    call = get(
        f"https://api.example/{SECRET}",
        params={"token": SECRET},
        headers={"X-Key": SECRET},
        auth=("ada", SECRET),
    )

    answer = http.traced(steps).call(call)
    with pytest.raises(ProviderUnavailable):
        http.traced(steps).call(get("https://api.example/down"))
    with pytest.raises(AddressRefused):
        http.traced(steps).call(get("https://127.0.0.1/", guarded=True))

    assert [
        Step("get", "api.example", "401", 40),
        Step("get", "api.example", "no connection in time", 40),
        Step("get", "127.0.0.1", "refused", 0),
    ] == steps
    assert http.trace is None
    records = [repr(vars(record)) for record in caplog.records if record.name.startswith("broker")]
    assert SECRET not in "".join([repr(steps), *records])
    assert SECRET not in repr(replace(answer, url=""))
    assert SECRET not in repr(get(headers={"a": SECRET}, body=SECRET.encode()))


def test_says_who_calls() -> None:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", [])
        return [b""]

    http, _ = http_to(app)
    http.call(get(headers={"Accept": "text/xml"}))

    assert seen["HTTP_USER_AGENT"].startswith("Calbroker/")
    assert ("text/xml", "gzip") == (seen["HTTP_ACCEPT"], seen["HTTP_ACCEPT_ENCODING"])
