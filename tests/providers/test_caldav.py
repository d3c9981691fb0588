"""The generic CalDAV provider against Radicale, and against Radicale's bad days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Response

from broker.addresses import AddressPolicy
from broker.clock import FixedClock, SystemClock
from broker.domain import Window, window_at
from broker.errors import (
    AddressRefused,
    AuthorizationLost,
    CursorExpired,
    HostUnconfirmed,
    LoginRejected,
    ProtocolError,
    ProviderUnavailable,
    RateLimited,
    UserError,
)
from broker.http import Http
from broker.logins import Login, OAuthCredential, PasswordCredential
from broker.providers._multistatus import UnreadableXml, parse, path_of, read_multistatus
from broker.providers.base import CalendarClient, PasswordProvider
from broker.providers.caldav import CalDav, CalDavClient
from sandbox.radicale import PASSWORD, USER, add_events, prepare
from sandbox.radicale_events import CALENDARS, event, wrap
from tests import faults
from tests.providers.contract import (
    HOUR,
    NOW,
    TUESDAY,
    ProviderContract,
    Remote,
    events_of,
    read,
)
from tests.providers.radicale_remote import ORIGIN, PRODID, RadicaleRemote
from tests.wsgi_adapter import WsgiAdapter


def is_report(environ: dict[str, Any]) -> bool:
    return bool(environ["REQUEST_METHOD"] == "REPORT")


def is_propfind(environ: dict[str, Any]) -> bool:
    return bool(environ["REQUEST_METHOD"] == "PROPFIND")


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def window() -> Window:
    return window_at(NOW)


@pytest.fixture
def remote(tmp_path: Path) -> RadicaleRemote:
    return RadicaleRemote(tmp_path)


@pytest.fixture
def provider(remote: RadicaleRemote, clock: FixedClock) -> CalDav:
    return CalDav(Http(clock, mounts={ORIGIN: remote.wire}), clock)


@pytest.fixture
def credential() -> PasswordCredential:
    return PasswordCredential(f"{ORIGIN}/ada/", USER, PASSWORD)


@pytest.fixture
def client(provider: CalDav, credential: PasswordCredential) -> CalDavClient:
    return provider.client(credential)


class TestContract(ProviderContract):
    """Radicale as it is: sync-collection."""


class TestContractByCtag(ProviderContract):
    """A server that has no sync-collection, only a ctag."""

    @pytest.fixture
    def remote(self, tmp_path: Path) -> RadicaleRemote:
        remote = RadicaleRemote(tmp_path)
        hide(remote, b"sync-token", b"sync-collection")
        return remote

    @pytest.fixture
    def provider(self, remote: RadicaleRemote, clock: FixedClock) -> CalDav:
        return CalDav(Http(clock, mounts={ORIGIN: remote.wire}), clock)

    def test_forgotten_cursor_is_expired(
        self, client: CalendarClient, remote: Remote, window: Window
    ) -> None:
        """A ctag is never forgotten: what it no longer equals is listed anew."""
        cursor = read(client, remote, None, window)[-1].cursor
        remote.forget_cursors()
        remote.add_event("Later", TUESDAY, TUESDAY + HOUR)

        listed = events_of(read(client, remote, cursor, window))
        assert "Later" in {found.content.summary for found in listed}

    test_changes_show_up_once = None  # type: ignore[assignment]  # a change lists everything


class TestContractByList(TestContractByCtag):
    """A server that has neither."""

    @pytest.fixture
    def remote(self, tmp_path: Path) -> RadicaleRemote:
        remote = RadicaleRemote(tmp_path)
        hide(remote, b"sync-token", b"sync-collection", b"getctag")
        return remote


def hide(remote: RadicaleRemote, *names: bytes) -> None:
    """Take properties out of the server's answers."""
    pairs = [(name, b"hidden") for name in names]

    def make(good: Response) -> Response:
        if good.status_code != 207:
            return good
        return faults.replaced(*pairs)(good)

    fault = faults.Fault(make)
    trouble = remote.trouble

    def troubled(kind: Any) -> None:
        remote.faulty.faults.remove(fault)
        trouble(kind)

    remote.faulty.faults.append(fault)
    remote.trouble = troubled  # type: ignore[method-assign]  # of this one remote only


class TestVerify:
    """From what a person types to a credential."""

    @pytest.mark.parametrize(
        "typed",
        [
            "dav.example",
            " https://dav.example ",
            "https://dav.example/",
            "https://dav.example/ada/",
            "https://dav.example/ada/lab/",
            "HTTPS://DAV.example/#top",
        ],
    )
    def test_finds_the_home(self, provider: CalDav, typed: str) -> None:
        credential, account, _ = provider.verify(Login(typed, f" {USER} ", PASSWORD))

        assert credential.url.lower() == f"{ORIGIN}/ada/"
        assert (USER, PASSWORD) == (credential.username, credential.password)
        assert ("https://dav.example:443/ada/", "caldav", USER) == (
            account.subject,
            account.service,
            account.profile_name,
        )
        assert provider.client(credential).calendars()

    def test_is_a_password_provider(self, provider: CalDav) -> None:
        assert isinstance(provider, PasswordProvider)

    def test_wrong_password_is_tried_once(self, provider: CalDav, remote: RadicaleRemote) -> None:
        with pytest.raises(LoginRejected) as raised:
            provider.verify(Login(ORIGIN, USER, "guess-me"))

        assert "login_rejected" == raised.value.code
        assert 1 == len(remote.wire.calls)
        assert "guess-me" not in repr(raised.value)

    @pytest.mark.parametrize("where", ["/", "/ada/lab/"])
    def test_well_known_is_tried_when_the_address_does_not_speak_caldav(
        self, provider: CalDav, remote: RadicaleRemote, where: str
    ) -> None:
        remote.faulty.add(faults.status(405), times=1)

        credential, _, _ = provider.verify(Login(ORIGIN + where, USER, PASSWORD))

        assert f"{ORIGIN}/ada/" == credential.url
        assert remote.wire.calls[1][1].endswith("/.well-known/caldav")

    def test_web_page_is_not_caldav(self, provider: CalDav, remote: RadicaleRemote) -> None:
        remote.faulty.add(faults.status(200, faults.HTML, Content_Type="text/html"))

        with pytest.raises(UserError) as raised:
            provider.verify(Login(ORIGIN, USER, PASSWORD))

        assert "not_caldav" == raised.value.code
        assert not isinstance(raised.value, LoginRejected)

    @pytest.mark.parametrize(
        "location",
        ["https://evil.example/", "//evil.example/x", "https://dav.example:8443/", "x://"],
    )
    def test_redirect_elsewhere_is_refused(
        self, provider: CalDav, remote: RadicaleRemote, location: str
    ) -> None:
        remote.faulty.add(faults.status(301, Location=location))

        with pytest.raises((AddressRefused, HostUnconfirmed)):
            provider.verify(Login(ORIGIN, USER, PASSWORD))

        assert all(url.startswith(f"{ORIGIN}/") for _, url in remote.wire.calls)

    @pytest.mark.parametrize(
        "location", ["/ada/", "https://dav.example/ada/", "http://dav.example/"]
    )
    def test_redirect_on_the_host_is_followed_over_https(
        self, provider: CalDav, remote: RadicaleRemote, location: str
    ) -> None:
        remote.faulty.add(faults.status(301, Location=location), times=1)

        provider.verify(Login(ORIGIN, USER, PASSWORD))

        assert all(url.startswith("https://dav.example/") for _, url in remote.wire.calls)

    def test_redirects_end(self, provider: CalDav, remote: RadicaleRemote) -> None:
        remote.faulty.add(faults.status(302, Location="/again"))

        with pytest.raises(ProviderUnavailable, match="redirect loop"):
            provider.verify(Login(ORIGIN, USER, PASSWORD))

        assert 6 == len(remote.wire.calls)

    def test_home_elsewhere_gets_no_password(
        self, provider: CalDav, remote: RadicaleRemote
    ) -> None:
        remote.faulty.add(
            faults.replaced((b"<href>/ada/</href>", b"<href>https://evil.example/ada/</href>"))
        )

        with pytest.raises(AddressRefused):
            provider.verify(Login(ORIGIN, USER, PASSWORD))

        assert all("evil" not in url for _, url in remote.wire.calls)

    def test_unauthenticated_principal_is_a_refusal(
        self, provider: CalDav, remote: RadicaleRemote
    ) -> None:
        remote.faulty.add(
            faults.body(
                b'<multistatus xmlns="DAV:"><response><href>/</href><propstat><prop>'
                b"<current-user-principal><unauthenticated/></current-user-principal></prop>"
                b"<status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"
            )
        )

        with pytest.raises(LoginRejected):
            provider.verify(Login(ORIGIN, USER, PASSWORD))

    def test_no_calendars(self, provider: CalDav, remote: RadicaleRemote) -> None:
        remote.faulty.add(faults.replaced((b"C:calendar />", b"C:addressbook />")))

        with pytest.raises(UserError) as raised:
            provider.verify(Login(ORIGIN, USER, PASSWORD))

        assert "no_calendars" == raised.value.code

    @pytest.mark.parametrize(
        ("properties", "url"),
        [
            ("<c:calendar-home-set><href>/c/</href></c:calendar-home-set>", f"{ORIGIN}/c/"),
            ("", f"{ORIGIN}/c/a%20b/"),
        ],
    )
    def test_server_without_principals(
        self, provider: CalDav, remote: RadicaleRemote, properties: str, url: str
    ) -> None:
        remote.faulty.add(faults.body(listing(properties)))

        credential, account, _ = provider.verify(Login(f"{ORIGIN}/c/a%20b/", USER, PASSWORD))

        assert url == credential.url
        assert "https://ada@dav.example:443/c/a%20b/" == account.subject

    def test_a_shared_address_is_another_login_for_each_user(
        self, provider: CalDav, remote: RadicaleRemote
    ) -> None:
        """B7: who types a shared calendar's address does not become its other readers."""
        remote.faulty.add(faults.body(listing("")))

        subjects = {
            provider.verify(Login(f"{ORIGIN}/c/a%20b/", user, PASSWORD))[1].subject
            for user in ("ada", "grace", "a@b/c", "a%40b", "J\u00fcrgen", "Ju\u0308rgen")
        }

        assert 5 == len(subjects)

    def test_an_answer_about_another_path_is_not_believed(
        self, provider: CalDav, remote: RadicaleRemote
    ) -> None:
        """B7: a page that somebody owns on the host cannot say that it is somebody else's."""
        remote.faulty.add(faults.body(listing("")))

        with pytest.raises(UserError) as raised:
            provider.verify(Login(f"{ORIGIN}/~mallory/", USER, PASSWORD))

        assert "not_caldav" == raised.value.code

    def test_a_principal_is_asked_whose_it_is(
        self, provider: CalDav, remote: RadicaleRemote
    ) -> None:
        """B7: servers let everybody read principals, so a page could name anybody's."""
        remote.faulty.add(
            faults.replaced((b"<href>/ada/</href>", b"<href>/grace/</href>")),
            applies=lambda e: e["PATH_INFO"] == "/",
        )
        principal = (
            "<current-user-principal><href>/ada/</href></current-user-principal>"
            "<c:calendar-home-set><href>/grace/</href></c:calendar-home-set>"
        )
        remote.faulty.add(
            faults.body(listing(principal).replace(b"/c/a%20b/", b"/grace/")),
            applies=lambda e: e["PATH_INFO"] == "/grace/",
        )

        with pytest.raises(UserError) as raised:
            provider.verify(Login(ORIGIN, USER, PASSWORD))

        assert "not_caldav" == raised.value.code

    @pytest.mark.parametrize("other", ["http://dav.example:443", "https://dav.example:8443"])
    def test_another_origin_is_another_login(
        self, remote: RadicaleRemote, clock: FixedClock, other: str
    ) -> None:
        """B7: each port of a host may be somebody else's."""
        policy = AddressPolicy(["dav.example"])
        mounts = {f"{ORIGIN}:443": remote.wire, ORIGIN: remote.wire, other: remote.wire}
        provider = CalDav(Http(clock, policy=policy, mounts=mounts), clock)

        _, here, _ = provider.verify(Login(ORIGIN, USER, PASSWORD))
        _, same, _ = provider.verify(Login(f"{ORIGIN}:443", USER, PASSWORD))
        _, there, _ = provider.verify(Login(other, USER, PASSWORD))

        assert here.subject == same.subject != there.subject

    def test_preferred_address_names_the_profile(
        self, provider: CalDav, remote: RadicaleRemote
    ) -> None:
        addresses = (
            "<c:calendar-home-set><href>/c/</href></c:calendar-home-set><displayname>Ada L."
            "</displayname><c:calendar-user-address-set><href>/p/</href><href>mailto:a@x.example"
            '</href><href preferred="1">MAILTO:ada@x.example</href></c:calendar-user-address-set>'
        )
        remote.faulty.add(faults.body(listing(addresses)))

        _, account, _ = provider.verify(Login(f"{ORIGIN}/c/a%20b/", USER, PASSWORD))

        assert ("ada@x.example", "ada@x.example", "Ada L.") == (
            account.profile_name,
            account.email,
            account.display_name,
        )

    def test_principal_without_home_is_not_caldav(
        self, provider: CalDav, remote: RadicaleRemote
    ) -> None:
        remote.faulty.add(faults.replaced((b"calendar-home-set", b"hidden")))

        with pytest.raises(UserError) as raised:
            provider.verify(Login(ORIGIN, USER, PASSWORD))

        assert "not_caldav" == raised.value.code

    def test_attempt_has_one_budget_of_time(
        self, provider: CalDav, remote: RadicaleRemote, clock: FixedClock
    ) -> None:
        def late(good: Response) -> Response:
            clock.advance(seconds=31)
            return Response(status=404)

        remote.faulty.add(late)

        with pytest.raises(ProviderUnavailable, match="too slow"):
            provider.verify(Login(ORIGIN, USER, PASSWORD))

    def test_attempt_ends_while_reading_what_was_found(
        self, provider: CalDav, remote: RadicaleRemote, clock: FixedClock
    ) -> None:
        def late(good: Response) -> Response:
            clock.advance(seconds=14)
            return good

        remote.faulty.add(late)

        with pytest.raises(ProviderUnavailable, match="too slow"):
            provider.verify(Login(ORIGIN, USER, PASSWORD))

        assert 3 == len(remote.wire.calls)

    @pytest.mark.parametrize(
        ("code", "expected", "reason"),
        [(401, LoginRejected, "login_rejected"), (200, UserError, "not_caldav")],
    )
    def test_list_of_calendars_that_fails(
        self,
        provider: CalDav,
        remote: RadicaleRemote,
        code: int,
        expected: type[UserError],
        reason: str,
    ) -> None:
        remote.faulty.add(faults.status(code), applies=lambda e: e["HTTP_DEPTH"] == "1")

        with pytest.raises(expected) as raised:
            provider.verify(Login(ORIGIN, USER, PASSWORD))

        assert reason == raised.value.code

    def test_server_error_is_not_a_refusal(self, provider: CalDav, remote: RadicaleRemote) -> None:
        remote.faulty.add(faults.status(502))

        with pytest.raises(ProviderUnavailable):
            provider.verify(Login(ORIGIN, USER, PASSWORD))

        assert 1 == len(remote.wire.calls)

    @pytest.mark.parametrize(
        "typed",
        [
            "",
            "ftp://dav.example/",
            "http://dav.example/",
            "https://127.0.0.1/",
            "https://user@dav.example/",
            "https://dav.example:22/",
            "https://[::1",
        ],
    )
    def test_addresses_that_are_never_called(
        self, provider: CalDav, remote: RadicaleRemote, typed: str
    ) -> None:
        with pytest.raises(AddressRefused):
            provider.verify(Login(typed, USER, PASSWORD))

        assert [] == remote.wire.calls

    def test_operator_opens_plain_http(self, remote: RadicaleRemote, clock: FixedClock) -> None:
        policy = AddressPolicy(["127.0.0.0/8"])
        http = Http(clock, policy=policy, mounts={"http://127.0.0.1:5051/": remote.wire})

        credential, _, _ = CalDav(http, clock).verify(
            Login("http://127.0.0.1:5051", USER, PASSWORD)
        )

        assert "http://127.0.0.1:5051/ada/" == credential.url

    def test_names_and_passwords_are_sent_as_utf8(
        self, provider: CalDav, remote: RadicaleRemote
    ) -> None:
        seen: list[str] = []
        remote.faulty.add(
            faults.status(401), applies=lambda e: not seen.append(e["HTTP_AUTHORIZATION"])
        )

        with pytest.raises(LoginRejected):
            provider.verify(Login(ORIGIN, "jürgen", "pässwörd→"))

        assert ["Basic asO8cmdlbjpww6Rzc3fDtnJk4oaS"] == seen


class TestCalendars:
    """The list of calendars."""

    @pytest.fixture
    def remote(self, tmp_path: Path) -> RadicaleRemote:
        return RadicaleRemote(tmp_path, seeded=True)

    def test_seeded_calendars(self, client: CalDavClient) -> None:
        by_id = {calendar.remote_id: calendar for calendar in client.calendars()}

        assert {f"/ada/{c.slug}/" for c in CALENDARS} | {"/ada/lab/"} == set(by_id)
        work = by_id["/ada/work/"]
        assert ("Work", "#1B6EF3", "Europe/Berlin") == (work.name, work.color, work.tzid)
        assert not work.read_only and not work.primary
        assert work.version is not None

    def test_version_changes_with_the_calendar(
        self, client: CalDavClient, remote: RadicaleRemote
    ) -> None:
        def version() -> str | None:
            found = {calendar.remote_id: calendar.version for calendar in client.calendars()}
            return found[remote.calendar_id]

        before = version()
        assert before == version()
        remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        assert before != version()

    @pytest.mark.parametrize(
        ("granted", "read_only"),
        [
            (None, False),
            ((), False),
            (("all",), False),
            (("read",), True),
            (("read", "write-content"), True),
            (("write-content", "bind"), False),
        ],
    )
    def test_privileges(
        self,
        client: CalDavClient,
        remote: RadicaleRemote,
        granted: tuple[str, ...] | None,
        read_only: bool,
    ) -> None:
        rights = "".join(f"<privilege><{name}/></privilege>" for name in granted or ())
        name = "current-user-privilege-set"
        properties = "" if granted is None else f"<{name}>{rights}</{name}>"
        remote.faulty.add(faults.body(listing(properties)))

        (calendar,) = client.calendars()

        assert read_only == calendar.read_only
        assert "/c/a%20b/" == calendar.remote_id
        assert "a b" == calendar.name

    def test_only_collections_for_events(
        self, client: CalDavClient, remote: RadicaleRemote
    ) -> None:
        kinds = "c:supported-calendar-component-set"
        tasks = f'<{kinds}><c:comp name="VTODO"/></{kinds}>'
        remote.faulty.add(faults.body(listing(tasks)))

        assert [] == client.calendars()

    def test_missing_home_is_no_missing_calendar(
        self, client: CalDavClient, remote: RadicaleRemote
    ) -> None:
        remote.faulty.add(faults.status(404))

        with pytest.raises(ProviderUnavailable):
            client.calendars()

    @pytest.mark.parametrize(
        ("place", "status"), [("/ada/", 403), ("/ada/", 500), ("/ada/x/", 503)]
    )
    def test_listing_that_failed_in_part_is_no_listing(
        self, client: CalDavClient, remote: RadicaleRemote, place: str, status: int
    ) -> None:
        """A calendar that is not shown for a moment would be taken for a deleted one."""
        refused = f"<response><href>{place}</href><status>HTTP/1.1 {status} No</status></response>"
        remote.faulty.add(
            faults.replaced((b"</multistatus>", refused.encode() + b"</multistatus>"))
        )

        with pytest.raises(ProviderUnavailable):
            client.calendars()


def listing(properties: str) -> bytes:
    """Make a home's answer with one calendar, as a server with default namespaces does."""
    return (
        '<?xml version="1.0"?><multistatus xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">'
        '<response xmlns="DAV:"><href>https://dav.example:443/c/a%20b/</href><propstat><prop>'
        f"<resourcetype><collection/><c:calendar/></resourcetype>{properties}</prop>"
        "<status>HTTP/1.1 200 OK</status></propstat><propstat><prop><displayname/></prop>"
        "<status>HTTP/1.1 404 Not Found</status></propstat></response></multistatus>"
    ).encode()


class TestChanges:
    """What contract tests leave open."""

    def test_nothing_new_costs_one_request(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window
    ) -> None:
        remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        cursor = read(client, remote, None, window)[-1].cursor
        remote.wire.calls.clear()

        read(client, remote, cursor, window)

        assert 1 == len(remote.wire.calls)

    @pytest.mark.parametrize("hidden", [[b"sync-"], [b"sync-", b"getctag"]])
    def test_without_sync_tokens(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window, hidden: list[bytes]
    ) -> None:
        hide(remote, *hidden)
        remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        cursor = read(client, remote, None, window)[-1].cursor
        remote.wire.calls.clear()

        assert [] == events_of(read(client, remote, cursor, window))
        assert 1 == len(remote.wire.calls)
        remote.add_event("More", TUESDAY, TUESDAY + HOUR)
        pages = read(client, remote, cursor, window)
        assert {"Talk", "More"} == {e.content.summary for e in events_of(pages)}
        assert all(page.complete for page in pages)

    def test_server_that_gives_its_token_only_in_a_report(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window
    ) -> None:
        remote.faulty.add(faults.replaced((b"sync-token", b"hidden")), applies=is_propfind)

        cursor = read(client, remote, None, window)[-1].cursor

        assert cursor is not None and cursor.startswith("sync:")

    def test_batches_and_one_cursor(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window, tmp_path: Path
    ) -> None:
        add_events(tmp_path, USER, 120)
        remote.calendar_id = "/ada/many/"
        remote.wire.calls.clear()

        pages = read(
            client,
            remote,
            None,
            Window(window.start.replace(year=2020), window.end.replace(year=2030)),
        )

        assert [120] == [len(page.events) for page in pages]
        # The calendar, its list, and three batches of fifty at the most.
        assert 5 == len(remote.wire.calls)

    @pytest.mark.parametrize("code", [400, 403, 409, 410, 412])
    @pytest.mark.parametrize("element", [b'<error xmlns="DAV:"><valid-sync-token/></error>', b""])
    def test_refused_token(
        self,
        client: CalDavClient,
        remote: RadicaleRemote,
        window: Window,
        code: int,
        element: bytes,
    ) -> None:
        remote.faulty.add(faults.status(code, element), applies=is_report)

        with pytest.raises(CursorExpired):
            read(client, remote, "sync:old", window)

    def test_refused_token_with_a_server_error(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window
    ) -> None:
        element = b'<D:error xmlns:D="DAV:"><D:valid-sync-token/></D:error>'
        remote.faulty.add(faults.status(500, element), applies=is_report)

        with pytest.raises(CursorExpired):
            read(client, remote, "sync:old", window)

    def test_cut_answers_are_continued(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window
    ) -> None:
        cursor = read(client, remote, None, window)[-1].cursor
        remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        more = (
            b"<response><href>/ada/lab/</href><status>HTTP/1.1 507 Insufficient Storage</status>"
            b"</response></multistatus>"
        )
        remote.faulty.add(faults.replaced((b"</multistatus>", more)), applies=is_report, times=1)

        pages = read(client, remote, cursor, window)

        assert ["Talk"] == [e.content.summary for e in events_of(pages)]
        assert 2 <= sum(method == "REPORT" for method, _ in remote.wire.calls)

    def test_cut_for_ever_is_an_error(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window
    ) -> None:
        answer = (
            b'<multistatus xmlns="DAV:"><sync-token>t</sync-token><response><href>/ada/lab/</href>'
            b"<status>HTTP/1.1 507 Insufficient Storage</status></response></multistatus>"
        )
        remote.faulty.add(faults.body(answer), applies=is_report)

        with pytest.raises(ProtocolError):
            read(client, remote, "sync:t", window)

    def test_announced_but_not_served_is_asked_for_again(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window
    ) -> None:
        cursor = read(client, remote, None, window)[-1].cursor
        remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        empty = faults.body(b'<multistatus xmlns="DAV:"/>')
        unserved = remote.faulty.add(
            lambda good: empty(good) if b"calendar-data" in good.get_data() else good
        )

        for round_number in range(1, 6):
            pages = read(client, remote, cursor, window)
            assert [] == events_of(pages) and not any(page.deleted for page in pages)
            cursor = pages[-1].cursor
            assert cursor is not None and cursor.startswith(f"sync+{round_number}:")
        unserved.times = 0

        pages = read(client, remote, cursor, window)

        assert ["Talk"] == [e.content.summary for e in events_of(pages)]
        assert str(pages[-1].cursor).startswith("sync:")

    def test_waiting_for_bodies_ends(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window
    ) -> None:
        token = str(read(client, remote, None, window)[-1].cursor)[len("sync:") :]
        remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        empty = faults.body(b'<multistatus xmlns="DAV:"/>')
        remote.faulty.add(lambda good: empty(good) if b"calendar-data" in good.get_data() else good)

        last = read(client, remote, f"sync+5:{token}", window)[-1].cursor

        assert last is not None and last.startswith("sync:") and not last.endswith(token)

    def test_failed_bodies_delete_nothing(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window
    ) -> None:
        remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        remote.faulty.add(
            lambda good: faults.cut(good) if b"calendar-data" in good.get_data() else good
        )

        seen = []
        with pytest.raises(ProviderUnavailable):
            for page in client.changes(remote.calendar_id, None, window):
                seen.append(page)

        assert [] == seen

    def test_damaged_object_is_skipped_and_the_others_stay(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window
    ) -> None:
        remote.add_event("Good", TUESDAY, TUESDAY + HOUR)
        bad = remote.add_event("Bad", TUESDAY + HOUR, TUESDAY + 2 * HOUR)
        remote.faulty.add(faults.replaced((b"DTSTART:20261124T140000Z", b"DTSTART:never")))

        (page,) = read(client, remote, None, window)

        assert ["Good"] == [e.content.summary for e in page.events]
        assert frozenset({bad}) == page.skipped

    def test_too_large_batch_is_halved_and_the_giant_skipped(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window
    ) -> None:
        made = [remote.add_event(f"Talk {n}", TUESDAY, TUESDAY + HOUR) for n in range(4)]
        giant = made[2].rpartition("/")[2].encode()
        blank = b" " * (21 * 1024 * 1024)

        def swell(good: Response) -> Response:
            content = good.get_data()
            if b"calendar-data" in content and giant in content:
                return Response(blank, 207)
            return good

        remote.faulty.add(swell)

        pages = read(client, remote, None, window)

        assert set(made) - {made[2]} == {e.remote_id for e in events_of(pages)}
        assert frozenset({made[2]}) == pages[-1].skipped

    def test_task_is_no_event(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window
    ) -> None:
        cursor = read(client, remote, None, window)[-1].cursor
        todo = "BEGIN:VTODO\nUID:todo\nDTSTAMP:20260101T000000Z\nSUMMARY:Milk\nEND:VTODO\n"
        path = remote.put("todo.ics", wrap(PRODID, todo))

        pages = read(client, remote, cursor, window)

        assert [] == events_of(pages)
        assert {path} == set().union(*(page.deleted for page in pages))

    def test_odd_names_keep_their_encoding(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window
    ) -> None:
        text = wrap(PRODID, event("odd", "DTSTART:20261124T130000Z", "SUMMARY:Odd"))
        remote.put("a%40b%20c.ics", text)

        (odd,) = events_of(read(client, remote, None, window))

        assert odd.remote_id.startswith("/ada/lab/a") and " " not in odd.remote_id

    @pytest.mark.parametrize(
        "content",
        [faults.DTD_BOMB, faults.HTML, b"", b"\x00\xff", b"<a/>", b"<a>" * 400 + b"</a>" * 400],
    )
    def test_hostile_documents(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window, content: bytes
    ) -> None:
        remote.faulty.add(faults.body(content))

        with pytest.raises(ProtocolError):
            read(client, remote, "sync:x", window)
        with pytest.raises(ProtocolError):
            client.calendars()

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("30", timedelta(seconds=30)),
            ("Sat, 21 Nov 2026 09:01:00 GMT", timedelta(minutes=1)),
            ("Sat, 21 Nov 2020 09:01:00 GMT", timedelta()),
            ("99999999999", timedelta(days=1)),
            ("soon", None),
            ("", None),
        ],
    )
    def test_retry_after(
        self,
        client: CalDavClient,
        remote: RadicaleRemote,
        window: Window,
        header: str,
        expected: timedelta | None,
    ) -> None:
        remote.faulty.add(faults.status(503, Retry_After=header))

        with pytest.raises(RateLimited) as raised:
            read(client, remote, None, window)

        assert expected == raised.value.retry_after

    def test_password_that_stops_working_in_the_middle(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window
    ) -> None:
        remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        remote.faulty.add(faults.status(401), applies=is_report)

        with pytest.raises(AuthorizationLost):
            read(client, remote, None, window)

    def test_bare_403_is_no_lost_authorization(
        self, client: CalDavClient, remote: RadicaleRemote, window: Window
    ) -> None:
        remote.faulty.add(faults.status(403))

        with pytest.raises(ProviderUnavailable):
            read(client, remote, None, window)


def test_other_credentials_are_a_mistake_of_the_caller(provider: CalDav) -> None:
    with pytest.raises(TypeError):
        provider.client(OAuthCredential("token", "", datetime.now(UTC)))


def test_seeds_only_once(tmp_path: Path) -> None:
    config = prepare(tmp_path)
    seeded = sorted(tmp_path.rglob("*.ics"))
    seeded[0].unlink()

    assert config == prepare(tmp_path)
    assert seeded[1:] == sorted(tmp_path.rglob("*.ics"))
    assert "max_sync_token_age" in config.read_text()


def test_seed_is_readable(tmp_path: Path, credential: PasswordCredential) -> None:
    clock = SystemClock()
    remote = RadicaleRemote(tmp_path, seeded=True)
    client = CalDav(Http(clock, mounts={ORIGIN: remote.wire}), clock).client(credential)

    for calendar in CALENDARS:
        remote.calendar_id = f"/ada/{calendar.slug}/"
        pages = read(client, remote, None, window_at(clock.now()))
        assert events_of(pages)
        assert not any(page.skipped for page in pages)


def test_hrefs_become_paths() -> None:
    assert "/a/b.ics" == path_of("https://p1.example:443/a/b.ics", "/a/")
    assert "/a/b%20c.ics" == path_of(" b%20c.ics ", "/a/")
    assert "//evil/x" == path_of("//evil/x", "/a/")
    assert "/" == path_of("https://p1.example", "/a/")


def test_external_entities_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hidden")
    document = f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{secret}">]><a>&x;</a>'

    with pytest.raises(UnreadableXml):
        parse(document.encode())
    with pytest.raises(UnreadableXml):
        read_multistatus(document.encode("utf-16"), "/")


def test_adapter_keeps_repeated_headers_and_paths(clock: FixedClock) -> None:
    seen = {}

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("207 Multi-Status", [("X-A", "1"), ("X-A", "2")])
        return [b"ok"]

    import requests

    session = requests.Session()
    session.mount("https://x.example/", WsgiAdapter(app))
    answer = session.request("PROPFIND", "https://x.example/a%20b/%C3%A9?q=1", data=b"body")

    assert (207, "Multi-Status", b"ok") == (answer.status_code, answer.reason, answer.content)
    assert "1, 2" == answer.headers["X-A"]
    assert ("PROPFIND", "q=1") == (seen["REQUEST_METHOD"], seen["QUERY_STRING"])
    assert "/a b/é" == seen["PATH_INFO"].encode("latin-1").decode()
    assert "4" == seen["CONTENT_LENGTH"]
