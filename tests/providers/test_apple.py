"""iCloud against its stand-in: logins, partitions, quirks and attacks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from werkzeug.wrappers import Response

from broker.clock import FixedClock
from broker.domain import Participation, Window, window_at
from broker.errors import (
    AddressRefused,
    AuthorizationLost,
    CalendarGone,
    LoginRejected,
    ProtocolError,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    UserError,
)
from broker.logins import Login, OAuthCredential, PasswordCredential
from broker.providers.apple import Apple
from broker.providers.base import PasswordProvider
from broker.providers.caldav import CalDavClient
from broker.services.connect import prove_password
from broker.settings import AppleSettings
from broker.trace import Step
from sandbox.radicale_events import event, wrap
from tests import faults
from tests.providers.contract import HOUR, NOW, TUESDAY, ProviderContract, events_of, read
from tests.providers.icloud_remote import ENTRY, PARTITION, PASSWORD, PERSON, ICloudRemote

DSID = "123456789"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def window() -> Window:
    return window_at(NOW)


@pytest.fixture
def remote(clock: FixedClock) -> ICloudRemote:
    return ICloudRemote(clock)


@pytest.fixture
def provider(remote: ICloudRemote, clock: FixedClock) -> Apple:
    return Apple(remote.http("https://evil.example"), clock, AppleSettings())


@pytest.fixture
def credential(provider: Apple) -> PasswordCredential:
    return provider.verify(Login("", PERSON, PASSWORD))[0]


@pytest.fixture
def client(provider: Apple, credential: PasswordCredential) -> CalDavClient:
    return provider.client(credential)


def hosts(remote: ICloudRemote) -> list[str]:
    """Give the host of each request that was made, in order."""
    return [url.split("/")[2] for _, url in remote.wire.calls]


class TestContract(ProviderContract):
    """iCloud as it is."""

    @pytest.fixture
    def credential(self, provider: Apple) -> PasswordCredential:
        return provider.verify(Login("", PERSON, PASSWORD))[0]


class TestVerify:
    """From the form to a credential."""

    def test_finds_the_home_on_the_partition(self, provider: Apple, remote: ICloudRemote) -> None:
        credential, account, _ = provider.verify(Login("", f" {PERSON} ", "ABCDEFGHIJKLMNOP"))

        dsid = remote.ada.person.dsid
        assert f"{PARTITION}/{dsid}/calendars/" == credential.url
        assert (PERSON, PASSWORD) == (credential.username, credential.password)
        assert PERSON in credential.addresses
        assert (dsid, "icloud", PERSON, PERSON) == (
            account.subject,
            account.service,
            account.profile_name,
            account.email,
        )
        assert ["caldav.icloud.com"] * 2 + ["p42-caldav.icloud.com"] == hosts(remote)

    def test_is_a_password_provider(self, provider: Apple) -> None:
        assert isinstance(provider, PasswordProvider)
        assert ("apple", "apple", "iCloud") == (
            provider.slug,
            provider.provider_name,
            provider.label,
        )

    @pytest.mark.parametrize("password", ["Analytical-1843", "", "hunter2!", PASSWORD + "x"])
    def test_what_is_no_app_password_is_never_sent(
        self, provider: Apple, remote: ICloudRemote, password: str
    ) -> None:
        with pytest.raises(UserError) as raised:
            provider.verify(Login("", PERSON, password))

        assert "app_password_shape" == raised.value.code
        assert [] == remote.wire.calls
        assert password == "" or password not in repr(raised.value)

    def test_operator_may_switch_the_shape_off(
        self, remote: ICloudRemote, clock: FixedClock
    ) -> None:
        provider = Apple(remote.http(), clock, AppleSettings(check_password_shape=False))

        with pytest.raises(LoginRejected):
            provider.verify(Login("", PERSON, "Another-Shape-2031"))

        assert 1 == len(remote.wire.calls)

    @pytest.mark.parametrize("typed", ["", "ada", "+41 79 555 00 00", "@", "ada@"])
    def test_no_mail_address_is_no_attempt(
        self, provider: Apple, remote: ICloudRemote, typed: str
    ) -> None:
        with pytest.raises(UserError) as raised:
            provider.verify(Login("", typed, PASSWORD))

        assert not isinstance(raised.value, LoginRejected)
        assert [] == remote.wire.calls

    @pytest.mark.parametrize("fault", ["revoked", "main_password_changed", "calendar_off"])
    def test_refused_login_is_one_request(
        self, provider: Apple, remote: ICloudRemote, fault: str
    ) -> None:
        remote.faults.set(PERSON, fault)

        with pytest.raises(LoginRejected) as raised:
            provider.verify(Login("", PERSON, PASSWORD))

        assert "apple_login_rejected" == raised.value.code
        assert 1 == len(remote.wire.calls)

    def test_wrong_password_is_one_request(self, provider: Apple, remote: ICloudRemote) -> None:
        with pytest.raises(LoginRejected):
            provider.verify(Login("", PERSON, "zzzz-zzzz-zzzz-zzzz"))

        assert 1 == len(remote.wire.calls)

    def test_403_is_a_refusal_too(self, provider: Apple, remote: ICloudRemote) -> None:
        remote.faults.set(PERSON, "bare_403")

        with pytest.raises(LoginRejected) as raised:
            provider.verify(Login("", PERSON, PASSWORD))

        assert "apple_login_rejected" == raised.value.code
        assert 1 == len(remote.wire.calls)

    @pytest.mark.parametrize("code", [401, 403, 404])
    def test_good_password_without_calendars_is_no_refusal(
        self, provider: Apple, remote: ICloudRemote, code: int
    ) -> None:
        remote.faulty.add(
            faults.status(code), applies=lambda e: e["PATH_INFO"].endswith("/calendars/")
        )

        with pytest.raises(UserError) as raised:
            provider.verify(Login("", PERSON, PASSWORD))

        assert "calendar_off" == raised.value.code
        assert not isinstance(raised.value, LoginRejected)

    def test_no_home_is_no_calendar(self, provider: Apple, remote: ICloudRemote) -> None:
        remote.faulty.add(faults.replaced((b"calendar-home-set", b"hidden")))

        with pytest.raises(UserError, match="calendar_off"):
            provider.verify(Login("", PERSON, PASSWORD))

    def test_home_without_calendars(self, provider: Apple, remote: ICloudRemote) -> None:
        remote.faults.set(PERSON, "empty_listing")

        with pytest.raises(UserError, match="no_calendars"):
            provider.verify(Login("", PERSON, PASSWORD))

    def test_entry_that_redirects_to_the_partition(
        self, provider: Apple, remote: ICloudRemote
    ) -> None:
        remote.faults.set(PERSON, "partition_redirect")

        credential, _, _ = provider.verify(Login("", PERSON, PASSWORD))

        assert credential.url.startswith(PARTITION)

    def test_every_request_brings_basic_unasked(
        self, provider: Apple, remote: ICloudRemote
    ) -> None:
        provider.verify(Login("", PERSON, PASSWORD))

        assert {"app"} == {call.credential for call in remote.calls}
        assert all(call.status == 207 for call in remote.calls)

    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            ("throttle_429", RateLimited),
            ("throttle_503", RateLimited),
            ("server_error_500", ProviderUnavailable),
            ("html_error", ProviderUnavailable),
            ("cut_xml", ProtocolError),
            ("truncated_body", ProviderUnavailable),
            ("xxe", ProtocolError),
            ("billion_laughs", ProtocolError),
        ],
    )
    def test_bad_days_are_no_refusal(
        self, provider: Apple, remote: ICloudRemote, fault: str, expected: type[ProviderError]
    ) -> None:
        remote.faults.set(PERSON, fault)

        with pytest.raises(expected):
            provider.verify(Login("", PERSON, PASSWORD))

        assert 1 == len(remote.wire.calls)

    def test_connecting_asks_for_everything_once(
        self, remote: ICloudRemote, clock: FixedClock
    ) -> None:
        steps: list[Step] = []
        provider = Apple(remote.http().traced(steps), clock, AppleSettings())

        proved = prove_password(provider, Login("", PERSON, PASSWORD))

        assert ["principal", "home", "calendars"] == [step.operation for step in steps]
        assert remote.calendar_id in {calendar.remote_id for calendar in proved.calendars}

    def test_attempt_has_one_budget_of_time(
        self, provider: Apple, remote: ICloudRemote, clock: FixedClock
    ) -> None:
        """Each request keeps its own deadline; together they would take half a minute."""

        def late(good: Response) -> Response:
            clock.advance(seconds=7.5)
            return good

        remote.faulty.add(late)

        with pytest.raises(ProviderUnavailable, match="too slow"):
            provider.verify(Login("", PERSON, PASSWORD))

        assert 3 == len(remote.wire.calls)

    def test_preferred_address_names_the_profile(
        self, provider: Apple, remote: ICloudRemote
    ) -> None:
        remote.faulty.add(
            faults.body(
                b'<multistatus xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><response>'
                b"<href>/77/principal/</href><propstat><prop><current-user-principal>"
                b"<href>/77/principal/</href></current-user-principal><c:calendar-home-set>"
                b"<href>https://p42-caldav.icloud.com:443/77/calendars/</href>"
                b"</c:calendar-home-set><c:calendar-user-address-set><href>/77/principal</href>"
                b'<href>mailto:Old@x.example</href><href preferred="1">mailto:A@x.example</href>'
                b"</c:calendar-user-address-set></prop><status>HTTP/1.1 200 OK</status></propstat>"
                b"</response></multistatus>"
            ),
            times=2,
        )
        remote.faulty.add(
            faults.body(CALENDAR), applies=lambda e: e["PATH_INFO"] == "/77/calendars/"
        )

        credential, account, _ = provider.verify(Login("", PERSON, PASSWORD))

        assert ("77", "A@x.example", "A@x.example") == (
            account.subject,
            account.profile_name,
            account.email,
        )
        assert ("a@x.example", "old@x.example") == credential.addresses
        assert "https://p42-caldav.icloud.com/77/calendars/" == credential.url


CALENDAR = (
    b'<multistatus xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><response>'
    b"<href>/77/calendars/x/</href><propstat><prop><resourcetype><collection/><c:calendar/>"
    b"</resourcetype></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"
)


class TestTrustedHosts:
    """The password is told to Apple's hosts and to no others."""

    @pytest.mark.parametrize(
        "url",
        [
            "https://caldav.icloud.com/",
            "https://CALDAV.icloud.com:443/x",
            "https://p1-caldav.icloud.com/",
            "https://p142-caldav.icloud.com/",
        ],
    )
    def test_apple(self, url: str) -> None:
        assert AppleSettings().trusts(url)

    @pytest.mark.parametrize(
        "url",
        [
            "http://caldav.icloud.com/",
            "https://caldav.icloud.com:8443/",
            "https://caldav.icloud.com./",
            "https://evilicloud.com/",
            "https://caldav.evilicloud.com/",
            "https://p42-caldav.icloud.com.evil.example/",
            "https://evil.example/p42-caldav.icloud.com",
            "https://p42-caldav.icloud.com@evil.example/",
            "https://ada@p42-caldav.icloud.com/",
            "https://p1234-caldav.icloud.com/",
            "https://p-caldav.icloud.com/",
            "https://xp42-caldav.icloud.com/",
            "https://p42-caldavxicloud.com/",
            "https://p4\u0662-caldav.icloud.com/",
            "https://p42-caldav.icloud.com\\.evil.example/",
            "https://caldav.icloud.com.cn/",
            "https://p42-caldav.icloud.com.cn/",
            "https://localhost/",
            "https://127.0.0.1/",
            "https://icloud.com/",
            "https:///x",
            "https://[::1",
            "https://caldav.icloud.com:x/",
            "//caldav.icloud.com/",
            "",
        ],
    )
    def test_look_alikes(self, url: str) -> None:
        assert not AppleSettings().trusts(url)

    def test_china_only_when_configured(self) -> None:
        china = AppleSettings("https://caldav.icloud.com.cn")

        assert china.trusts("https://p7-caldav.icloud.com.cn/")
        assert not china.trusts("https://p7-caldav.icloud.com/")

    def test_loopback_only_when_configured(self) -> None:
        here = AppleSettings("http://127.0.0.1:5050/icloud/")

        assert here.trusts("http://localhost:5050/icloud/1/")
        assert not here.trusts("http://evil.example:5050/icloud/1/")
        assert not here.trusts("https://localhost:5050/")

    @pytest.mark.parametrize("style", ["", "href"])
    def test_pointing_elsewhere_brings_nothing(
        self, provider: Apple, remote: ICloudRemote, style: str
    ) -> None:
        remote.faults.set(PERSON, "redirect_evil", **({"style": style} if style else {}))

        with pytest.raises(AddressRefused) as raised:
            provider.verify(Login("", PERSON, PASSWORD))

        assert "redirect_refused" == raised.value.code
        assert {"caldav.icloud.com"} == set(hosts(remote))

    def test_pointing_elsewhere_later_brings_nothing(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        remote.faults.set(PERSON, "redirect_evil")

        with pytest.raises(AddressRefused):
            client.calendars()
        with pytest.raises(AddressRefused):
            read(client, remote, None, window)

        assert all(host.endswith("caldav.icloud.com") for host in hosts(remote))

    def test_credential_for_another_host_is_not_used(self, provider: Apple) -> None:
        with pytest.raises(ProviderUnavailable):
            provider.client(PasswordCredential("https://evil.example/1/", PERSON, PASSWORD))

    def test_redirects_end(self, client: CalDavClient, remote: ICloudRemote) -> None:
        remote.faulty.add(faults.status(301, Location="/again/"))
        remote.wire.calls.clear()

        with pytest.raises(ProviderUnavailable, match="redirect loop"):
            client.calendars()

        assert 6 == len(remote.wire.calls)

    def test_other_credentials_are_a_mistake_of_the_caller(self, provider: Apple) -> None:
        with pytest.raises(TypeError):
            provider.client(OAuthCredential("token", "", datetime.now(UTC)))


class TestMovedPartition:
    """A home's path outlives its host."""

    def test_home_is_found_again(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        cursor = read(client, remote, None, window)[-1].cursor
        remote.ada.migrate(57)
        remote.add_event("More", TUESDAY, TUESDAY + HOUR)
        remote.wire.calls.clear()

        pages = read(client, remote, cursor, window)

        assert ["More"] == [e.content.summary for e in events_of(pages)]
        assert [
            "p42-caldav.icloud.com",
            "caldav.icloud.com",
            "caldav.icloud.com",
        ] == hosts(remote)[:3]
        assert {"p57-caldav.icloud.com"} == set(hosts(remote)[3:])
        assert client.calendars()

    @pytest.mark.parametrize("answer", ["404", "lost", "301"])
    def test_every_sign_of_a_move(
        self, client: CalDavClient, remote: ICloudRemote, answer: str
    ) -> None:
        remote.ada.migrate(57)

        def gone(good: Response) -> Response:
            if answer == "lost":
                raise requests.ConnectionError("gone")
            if answer == "301":
                place = f"https://p57-caldav.icloud.com{good.headers.get('x', '')}"
                path = f"/{remote.ada.person.dsid}/calendars/"
                return Response(status=301, headers={"Location": place + path})
            return Response(status=404)

        remote.faulty.add(gone, applies=lambda e: e["HTTP_HOST"].startswith("p42"))

        assert client.calendars()

    def test_missing_calendar_on_the_same_partition_is_gone(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        remote.delete_calendar()
        remote.wire.calls.clear()

        with pytest.raises(CalendarGone):
            read(client, remote, None, window)

        assert 3 == len(remote.wire.calls)

    def test_entry_that_fails_leaves_it_open_whether_a_calendar_is_gone(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        remote.delete_calendar()
        remote.faulty.add(
            faults.status(500), applies=lambda e: e["HTTP_HOST"] == "caldav.icloud.com"
        )

        with pytest.raises(ProviderUnavailable):
            read(client, remote, None, window)

    def test_lost_connection_stays_one_when_nothing_moved(
        self, client: CalDavClient, remote: ICloudRemote
    ) -> None:
        def lost(good: Response) -> Response:
            raise requests.ConnectionError("gone")

        remote.faulty.add(lost)

        with pytest.raises(ProviderUnavailable):
            client.calendars()

    def test_password_revoked_meanwhile_is_said_by_the_entry(
        self, client: CalDavClient, remote: ICloudRemote
    ) -> None:
        remote.ada.migrate(57)
        remote.ada.revoke(PASSWORD)
        remote.wire.calls.clear()

        with pytest.raises(AuthorizationLost):
            client.calendars()

        assert 1 == hosts(remote).count("p42-caldav.icloud.com")


class TestReading:
    """iCloud's habits in lists and objects."""

    def test_calendars(self, client: CalDavClient, remote: ICloudRemote) -> None:
        by_name = {calendar.name: calendar for calendar in client.calendars()}

        assert by_name["Lab"].remote_id == remote.calendar_id
        paths = [calendar.remote_id for calendar in by_name.values()]
        assert not any(path.endswith(("/inbox/", "/outbox/", "/tasks/")) for path in paths)
        assert all(path.startswith("/") for path in paths)
        assert any(calendar.read_only for calendar in by_name.values())
        colors = [calendar.color for calendar in by_name.values() if calendar.color]
        assert colors and all(len(color) == 7 for color in colors)

    def test_nothing_new_costs_one_request(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        cursor = read(client, remote, None, window)[-1].cursor
        remote.wire.calls.clear()

        read(client, remote, cursor, window)

        assert ["p42-caldav.icloud.com"] == hosts(remote)

    def test_any_own_address_tells_the_answer(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        alias = next(a for a in client.dav.credential.addresses if a != PERSON)
        lines = (
            "DTSTART:20261124T130000Z",
            "DTEND:20261124T140000Z",
            "ORGANIZER:mailto:boss@x.example",
            f"ATTENDEE;PARTSTAT=DECLINED:mailto:{alias.upper()}",
        )
        remote.put("invited.ics", wrap("-//T//EN", event("invited", *lines)))

        (found,) = events_of(read(client, remote, None, window))

        assert Participation.DECLINED is found.content.participation

    @pytest.mark.parametrize("style", ["element", "bare_403", "400", "409", "410", "412"])
    def test_forgotten_token_in_every_style(
        self,
        provider: Apple,
        credential: PasswordCredential,
        remote: ICloudRemote,
        window: Window,
        style: str,
    ) -> None:
        client = provider.client(credential)
        remote.add_event("Talk", TUESDAY, TUESDAY + HOUR)
        cursor = read(client, remote, None, window)[-1].cursor
        options = {} if style == "element" else {"style": style}
        remote.faults.set(PERSON, "token_expired", **options)

        with pytest.raises(ProviderError) as raised:
            read(client, remote, cursor, window)

        assert "cursor_expired" == raised.value.reason

    def test_paged_changes_are_all_read(
        self, client: CalDavClient, remote: ICloudRemote, window: Window
    ) -> None:
        cursor = read(client, remote, None, window)[-1].cursor
        remote.faults.set(PERSON, "paged_sync")
        made = {remote.add_event(f"T {n}", TUESDAY, TUESDAY + HOUR) for n in range(55)}

        pages = read(client, remote, cursor, window)

        assert made == {e.remote_id for e in events_of(pages)}

    @pytest.mark.parametrize("fault", ["bad_ics", "huge_ics", "cut_ical"])
    def test_poisoned_object_leaves_the_others(
        self, client: CalDavClient, remote: ICloudRemote, window: Window, fault: str
    ) -> None:
        for number in range(3):
            remote.add_event(f"T {number}", TUESDAY, TUESDAY + HOUR)
        remote.faults.set(PERSON, fault)
        if fault != "cut_ical":
            remote.calendar_id = remote.ada.path()

        pages = read(client, remote, None, window)

        assert events_of(pages) or fault == "cut_ical"
        assert any(page.skipped for page in pages)
        skipped = set().union(*(page.skipped for page in pages))
        assert not skipped & {e.remote_id for e in events_of(pages)}
        assert not any(page.deleted for page in pages)

    @pytest.mark.parametrize("fault", ["xxe", "billion_laughs", "cut_xml"])
    def test_hostile_documents(
        self, client: CalDavClient, remote: ICloudRemote, window: Window, fault: str
    ) -> None:
        remote.faults.set(PERSON, fault)

        with pytest.raises(ProtocolError):
            read(client, remote, None, window)


def test_entry_below_a_path(remote: ICloudRemote, clock: FixedClock) -> None:
    """As `make run` has it: the entry and the partition are two names of this machine."""

    def mounted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = str(environ["PATH_INFO"])
        assert path.startswith("/icloud/")
        inside = {**environ, "SCRIPT_NAME": "/icloud", "PATH_INFO": path[len("/icloud") :]}
        return remote.app.wsgi_app(inside, start_response)

    remote.faulty.app = mounted
    origins = ("http://127.0.0.1:5050", "http://localhost:5050")
    http = remote.http(*origins)
    provider = Apple(http, clock, AppleSettings("http://127.0.0.1:5050/icloud/"))

    credential, account, _ = provider.verify(Login("", PERSON, PASSWORD))

    dsid = remote.ada.person.dsid
    assert f"http://localhost:5050/icloud/{dsid}/calendars/" == credential.url
    assert dsid == account.subject
    assert all(c.remote_id.startswith("/icloud/") for c in provider.client(credential).calendars())
    assert ENTRY not in {url for _, url in remote.wire.calls}
