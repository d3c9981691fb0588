"""Servers that say the worst where an address belongs: errors of ours, and no other host asked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.clock import FixedClock
from broker.domain import window_at
from broker.errors import BrokerError, ProtocolError, ProviderError
from broker.http import Http
from broker.logins import Login, PasswordCredential
from broker.providers._multistatus import UnreadableXml, path_of
from broker.providers.apple import Apple
from broker.providers.caldav import CalDav, CalDavClient
from broker.settings import AppleSettings
from tests.providers.contract import NOW
from tests.wsgi_adapter import WsgiAdapter

HOST = "dav.hostile.test"
PASSWORD = "abcd-efgh-ijkl-mnop"
CALENDAR = "/c/one/"
WORST = [
    "http://[", "//[", "https://[::1", f"https://{HOST}:port/", f"https://{HOST}:99999999/", "x:y",
    "a:443@evil.test/x", ".evil.test/", "@evil.test/", ":pw@evil.test/", "\\\\evil.test\\x",
    "https://evil.test/", "//evil.test/x", "javascript:alert(1)", "mailto:ada@evil.test", "",
    f"https://ada:pw@{HOST}/", "/c/\tone", "/c/\none", "/c/a#b",
    "/c/\u00e4\u2192\U0001f600/", "/" + "x" * 9_000,
    "%", "/%zz", "/%00", "?", "#", "..", "../../..", "https://", "https:///x",
    "https://\u0661/", "https://xn--/",
    "https://" + "a" * 300 + "/",
]  # fmt: skip
ADDRESSES = st.sampled_from(WORST) | st.text(max_size=40) | st.text("/:@[]#?%.a1\t\\", max_size=20)
HEADERS = ADDRESSES.map(
    lambda text: "".join(c for c in text if "\x1f" < c < "\u0100" and c != "\x7f")
)

_ASKED_OF_LOGIN = (
    "<response><href>{here}</href><propstat><prop>"
    "<current-user-principal><href>{principal}</href></current-user-principal>"
    "<c:calendar-home-set><href>{home}</href></c:calendar-home-set>"
    "</prop><status>HTTP/1.1 200 OK</status></propstat></response>"
)
_OBJECT = (
    "<response><href>{}</href><propstat><prop><getetag>{}</getetag></prop>"
    "<status>HTTP/1.1 200 OK</status></propstat></response>"
)


class Hostile:
    """Answers everything by *answer(path)*: a body for 207, or an address to redirect to."""

    def __init__(self, answer: Callable[[str], str | tuple[str]]) -> None:
        self.answer = answer
        self.wire = WsgiAdapter(self)
        mounts = {"https://": self.wire, "http://": self.wire}
        self.http = Http(FixedClock(NOW), mounts=mounts)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        answer = self.answer(environ["PATH_INFO"])
        if isinstance(answer, tuple):
            start_response("302 Found", [("Location", answer[0])])
            return []
        start_response("207 Multi-Status", [])
        names = 'xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"'
        text = "".join(c for c in answer if c >= " ")
        return [f"<multistatus {names}>{text}</multistatus>".encode("utf-8", "replace")]

    def hosts(self) -> set[str | None]:
        """Tell who was asked."""
        return {urlsplit(url).hostname for _, url in self.wire.calls}

    def client(self) -> CalDavClient:
        credential = PasswordCredential(f"https://{HOST}/c/", "ada", PASSWORD)
        return CalDav(self.http, self.http.clock).client(credential)


def login_answer(principal: str, home: str) -> Callable[[str], str]:
    """Answer whoever asks who they are."""
    named = {"principal": escape(principal), "home": escape(home)}
    return lambda path: _ASKED_OF_LOGIN.format(here=escape(path), **named)


@given(principal=ADDRESSES, home=ADDRESSES)
@example(principal="/p/", home="a:443@evil.test/x")
def test_homes_anywhere(principal: str, home: str) -> None:
    for make in (caldav, apple):
        server = Hostile(login_answer(principal, home))
        with suppress(BrokerError):
            make(server)
        assert server.hosts() <= {HOST, "caldav.icloud.com"}


@given(location=HEADERS)
def test_redirects_anywhere(location: str) -> None:
    for make in (caldav, apple):
        server = Hostile(lambda path: (location,))
        with pytest.raises(BrokerError):
            make(server)
        assert server.hosts() <= {HOST, "caldav.icloud.com"}


@given(href=ADDRESSES, etag=ADDRESSES)
def test_objects_anywhere(href: str, etag: str) -> None:
    server = Hostile(lambda path: _OBJECT.format(escape(href), escape(etag)))
    client = server.client()

    for cursor in (None, "sync:x", "ctag:x", "list:x"):
        with suppress(ProviderError):
            list(client.changes(CALENDAR, cursor, window_at(NOW)))
    with suppress(ProviderError):
        client.calendars()

    assert server.hosts() == {HOST}


@given(calendar=ADDRESSES.filter(lambda text: not text.startswith("/")))
def test_what_is_no_path_is_not_asked_for(calendar: str) -> None:
    server = Hostile(lambda path: "")

    with pytest.raises(ProtocolError):
        list(server.client().changes(calendar, None, window_at(NOW)))

    assert [] == server.wire.calls


@given(href=ADDRESSES, base=st.sampled_from(["/", "/c/", "/c/x.ics"]))
def test_paths_are_paths(href: str, base: str) -> None:
    with suppress(UnreadableXml):
        path = path_of(href, base)
        assert path.startswith("/")
        assert not set(path) & {"#", "\n", "\r", "\t", "\0"}


def caldav(server: Hostile) -> object:
    """Connect to the host that a person typed."""
    return CalDav(server.http, server.http.clock, _NoRecords()).verify(
        Login(f"https://{HOST}/", "ada", PASSWORD)
    )


def apple(server: Hostile) -> object:
    """Connect to iCloud."""
    login = Login("", "ada@icloud.com", PASSWORD)
    return Apple(server.http, server.http.clock, AppleSettings()).verify(login)


class _NoRecords:
    """A DNS that knows nothing."""

    def services(self, name: str) -> list[Any]:
        return []

    def texts(self, name: str) -> list[str]:
        return []
