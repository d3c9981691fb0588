"""From an address, a host or a mail address to a home, and where no password goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import dns.resolver
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.wrappers import Response

from broker.addresses import AddressPolicy
from broker.clock import FixedClock
from broker.errors import (
    AddressRefused,
    HostUnconfirmed,
    LoginRejected,
    ProviderUnavailable,
    UserError,
)
from broker.http import Http
from broker.logins import Login
from broker.providers._caldav_address import read_typed
from broker.providers._caldav_dns import Dns, Srv, offers_plain, secure_addresses
from broker.providers.caldav import CalDav
from broker.providers.caldav_services import KNOWN, OTHER_WAYS, known_service, other_way
from broker.trace import Step
from broker.wire import within
from sandbox.radicale import PASSWORD, USER
from tests import faults
from tests.providers.contract import NOW
from tests.providers.radicale_remote import RadicaleRemote
from tests.wsgi_adapter import WsgiAdapter

MAIL = "ada@mail.example"
NONE: frozenset[str] = frozenset()


@dataclass
class Zone:
    """A DNS of our own; *asked* lists the names."""

    srv: Mapping[str, list[Srv]] = field(default_factory=dict)
    txt: Mapping[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def services(self, name: str) -> list[Srv]:
        self.asked.append(name)
        return list(self.srv.get(name, ()))

    def texts(self, name: str) -> list[str]:
        return list(self.txt.get(name, ()))


class Internet(WsgiAdapter):
    """Some hosts that all are one Radicale; the others cannot be reached."""

    def __init__(self, app: Any, *hosts: str) -> None:
        super().__init__(app)
        self.reachable = set(hosts)
        self.tried: list[str] = []

    def send(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        host = (request.url or "").split("/")[2]
        self.tried.append(host)
        if host not in self.reachable:
            raise requests.ConnectionError("no such host")
        return super().send(request, *args, **options)


class World:
    """A provider on an Internet and a DNS of our own."""

    def __init__(self, folder: Path, *hosts: str, zone: Zone | None = None) -> None:
        self.remote = RadicaleRemote(folder)
        self.faulty = self.remote.faulty
        self.net = Internet(self.faulty, *hosts)
        self.zone = zone or Zone()
        http = Http(FixedClock(NOW), mounts={"https://": self.net, "http://": self.net})
        self.provider = CalDav(http, http.clock, self.zone)

    def find(
        self, typed: str, username: str = USER, confirmed: frozenset[str] = frozenset()
    ) -> str:
        """Verify; gives the home's address."""
        return self.provider.verify(Login(typed, username, PASSWORD, confirmed))[0].url

    def at(self, host: str, make: Any) -> None:
        """Let one host answer badly."""
        self.faulty.add(make, applies=lambda e: e["HTTP_HOST"] == host)

    def redirect(self, place: str, target: str, status: int = 301) -> None:
        """Let one place, given as host and path, redirect, whatever else its host does."""
        make = faults.status(status, Location=target)
        fault = self.faulty.add(make, applies=lambda e: e["HTTP_HOST"] + e["PATH_INFO"] == place)
        self.faulty.faults.remove(fault)
        self.faulty.faults.insert(0, fault)


def secure(*hosts: str, port: int = 443) -> Zone:
    """Give a DNS in which mail.example names these servers."""
    found = [Srv(10 * n, 1, host, port) for n, host in enumerate(hosts)]
    return Zone({"_caldavs._tcp.mail.example": found})


class TestMailAddress:
    """The domain's own DNS says where to go."""

    def test_srv_names_the_server(self, tmp_path: Path) -> None:
        world = World(tmp_path, "dav.mail.example", zone=secure("dav.mail.example"))

        assert "https://dav.mail.example/ada/" == world.find(MAIL)
        assert {"dav.mail.example"} == set(world.net.tried)

    def test_questions_to_dns_are_in_the_trace(self, tmp_path: Path) -> None:
        world = World(tmp_path, "dav.mail.example", zone=secure("dav.mail.example"))
        steps: list[Step] = []
        world.provider = CalDav(world.provider.http.traced(steps), world.provider.clock, world.zone)

        world.find(MAIL)

        name = "_caldavs._tcp.mail.example"
        assert [
            ("SRV", name, "found", ("dav.mail.example",)),
            ("TXT", name, "nothing found", ()),
        ] == [(step.operation, step.host, step.outcome, step.found) for step in steps[:2]]

    def test_mail_address_is_the_user_name_when_none_is_typed(self, tmp_path: Path) -> None:
        world = World(tmp_path, "dav.mail.example", zone=secure("dav.mail.example"))
        seen: list[str] = []
        world.faulty.add(
            faults.status(401), applies=lambda e: not seen.append(e["HTTP_AUTHORIZATION"])
        )

        with pytest.raises(LoginRejected):
            world.find(f" {MAIL.upper()} ", username="")

        expected = requests.auth._basic_auth_str("ADA@mail.example", PASSWORD)
        assert [expected] == seen

    def test_txt_names_the_path(self, tmp_path: Path) -> None:
        zone = secure("dav.mail.example", port=8443)
        zone.txt = {"_caldavs._tcp.mail.example": ["v=1", "path=/ada/"]}
        world = World(tmp_path, "dav.mail.example:8443", zone=zone)

        assert "https://dav.mail.example:8443/ada/" == world.find(MAIL)
        assert world.net.calls[0][1].endswith(":8443/ada/")

    def test_next_server_when_one_is_down(self, tmp_path: Path) -> None:
        world = World(tmp_path, "b.mail.example", zone=secure("a.mail.example", "b.mail.example"))

        assert "https://b.mail.example/ada/" == world.find(MAIL)
        assert ["a.mail.example", "b.mail.example"] == list(dict.fromkeys(world.net.tried))

    def test_no_next_server_after_a_refusal(self, tmp_path: Path) -> None:
        world = World(
            tmp_path,
            "a.mail.example",
            "b.mail.example",
            zone=secure("a.mail.example", "b.mail.example"),
        )
        world.at("a.mail.example", faults.status(401))

        with pytest.raises(LoginRejected):
            world.find(MAIL)

        assert ["a.mail.example"] == world.net.tried

    def test_domain_itself_without_records(self, tmp_path: Path) -> None:
        world = World(tmp_path, "mail.example")

        assert "https://mail.example/ada/" == world.find(MAIL)

    @pytest.mark.parametrize(
        ("domain", "place"),
        [
            ("fastmail.fm", "caldav.fastmail.com"),
            ("posteo.net", "posteo.de:8443"),
            ("mailbox.org", "dav.mailbox.org"),
        ],
    )
    def test_known_service_needs_no_dns(self, tmp_path: Path, domain: str, place: str) -> None:
        world = World(tmp_path, place)

        assert f"https://{place}/ada/" == world.find(f"ada@{domain}")
        assert [] == world.zone.asked

    def test_plain_server_gets_no_password(self, tmp_path: Path) -> None:
        zone = Zone({"_caldav._tcp.mail.example": [Srv(0, 0, "dav.mail.example", 80)]})
        world = World(tmp_path, zone=zone)

        with pytest.raises(UserError) as raised:
            world.find(MAIL)

        assert "not_https" == raised.value.code
        assert {"mail.example"} == set(world.net.tried)

    def test_nobody_there(self, tmp_path: Path) -> None:
        with pytest.raises(ProviderUnavailable):
            World(tmp_path).find(MAIL)

    def test_server_that_dns_points_inside_is_refused(self, tmp_path: Path) -> None:
        world = World(tmp_path, zone=secure("metadata.google.internal"))

        with pytest.raises(AddressRefused, match="address_private"):
            world.find(MAIL, confirmed=frozenset({"metadata.google.internal"}))

        assert [] == world.net.tried


class TestHost:
    """A bare host, or an address."""

    @pytest.mark.parametrize("typed", ["dav.example", "https://dav.example/", "DAV.example."])
    def test_host_itself_comes_before_dns(self, tmp_path: Path, typed: str) -> None:
        world = World(tmp_path, "dav.example", "dav.example.")

        assert world.find(typed).rstrip("/").endswith("/ada")
        assert [] == world.zone.asked

    def test_dns_when_the_host_is_only_a_home_page(self, tmp_path: Path) -> None:
        world = World(tmp_path, "mail.example", "dav.mail.example", zone=secure("dav.mail.example"))
        world.at("mail.example", faults.status(200, faults.HTML, Content_Type="text/html"))

        assert "https://dav.mail.example/ada/" == world.find("mail.example")

    def test_home_page_that_redirects_elsewhere(self, tmp_path: Path) -> None:
        """It may be to a login page, so nobody is asked about it."""
        world = World(tmp_path, "mail.example", "evil.example")
        world.at("mail.example", faults.status(404))
        world.redirect("mail.example/", "https://evil.example/")

        with pytest.raises(AddressRefused) as raised:
            world.find("mail.example")

        assert "redirect_refused" == raised.value.code
        assert {"mail.example"} == set(world.net.tried)

    def test_well_known_beside_a_login_page_elsewhere(self, tmp_path: Path) -> None:
        world = World(tmp_path, "cloud.example")
        elsewhere = faults.status(302, Location="https://login.example/")
        world.faulty.add(elsewhere, times=1)

        assert "https://cloud.example/ada/" == world.find("cloud.example")

    def test_address_with_a_path_asks_no_dns(self, tmp_path: Path) -> None:
        world = World(tmp_path, "mail.example", zone=secure("evil.example"))
        world.faulty.add(faults.status(404))

        with pytest.raises(UserError, match="not_caldav"):
            world.find("https://mail.example/dav/")

        assert [] == world.zone.asked

    def test_nextcloud_in_a_folder(self, tmp_path: Path) -> None:
        world = World(tmp_path, "x.example")
        found = "/cloud/remote.php/dav/"
        world.faulty.add(
            faults.status(405),
            applies=lambda e: e["PATH_INFO"] in {"/", "/cloud/", "/.well-known/caldav"},
        )
        body = (
            b'<multistatus xmlns="DAV:"><response><href>/cloud/remote.php/dav/</href>'
            b"<propstat><prop><current-user-principal><href>/ada/</href></current-user-principal></prop>"
            b"<status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"
        )
        world.faulty.add(faults.body(body), applies=lambda e: e["PATH_INFO"] == found)

        assert "https://x.example/ada/" == world.find("x.example/cloud/")

    @pytest.mark.parametrize(
        "typed",
        [
            "2606:4700::1",
            "https://[2606:4700::1]/",
            "https://[2606:4700::1]:8443/",
        ],
    )
    def test_public_address_literals(self, tmp_path: Path, typed: str) -> None:
        world = World(tmp_path, "[2606:4700::1]", "[2606:4700::1]:8443")

        assert world.find(typed).endswith("/ada/")
        assert [] == world.zone.asked

    @pytest.mark.parametrize(
        "typed",
        [
            "::1",
            "https://[::ffff:10.0.0.1]/",
            "https://[fd00::1]/",
            "10.0.0.1",
            "https://0x7f.1/",
            "https://2130706433/",
            "169.254.169.254",
            "https://ada:secret@dav.example/",
            "https://ada@dav.example/",
            "ada:secret@dav.example",
            "a@b@dav.example",
            "@dav.example",
            "ada@",
            "ada@dav.example:99999",
            "https://dav.example:22/",
            "http://dav.example/",
            "gopher://dav.example/",
            "https://dav.example\\@evil.example/",
            "https://",
            "",
            "dav\x00.example",
        ],
    )
    def test_addresses_that_are_never_called(self, tmp_path: Path, typed: str) -> None:
        world = World(tmp_path, "dav.example")

        with pytest.raises(AddressRefused):
            world.find(typed)

        assert [] == world.net.tried

    def test_name_that_turns_private_is_refused(self, tmp_path: Path) -> None:
        policy = AddressPolicy(resolver=lambda host, port: ["10.0.0.7"])
        clock = FixedClock(NOW)
        provider = CalDav(Http(clock, policy=policy), clock, Zone())

        with pytest.raises(AddressRefused) as raised:
            provider.verify(Login("rebinding.example", USER, PASSWORD))

        assert "address_private" == raised.value.code

    def test_401_without_a_challenge_is_a_refusal(self, tmp_path: Path) -> None:
        world = World(tmp_path, "dav.example")
        world.faulty.add(faults.status(401))

        with pytest.raises(LoginRejected):
            world.find("dav.example")

        assert 1 == len(world.net.calls)

    @pytest.mark.parametrize(
        ("challenge", "code"),
        [
            ('Digest realm="Baikal", nonce="basic"', "no_basic_login"),
            ("Bearer", "no_basic_login"),
            ("Negotiate, NTLM", "no_basic_login"),
            ('Digest realm="x", nonce="y", Basic realm="x"', "login_rejected"),
            ('basic realm="x"', "login_rejected"),
            ('DummyBasic realm="Sabre"', "login_rejected"),
        ],
    )
    def test_server_without_basic_is_named(self, tmp_path: Path, challenge: str, code: str) -> None:
        """It counts as a refusal all the same: what it did with the password is not known."""
        world = World(tmp_path, "dav.example")
        world.faulty.add(faults.status(401, WWW_Authenticate=challenge))

        with pytest.raises(LoginRejected) as raised:
            world.find("dav.example")

        assert code == raised.value.code
        assert 1 == len(world.net.calls)

    @pytest.mark.parametrize(
        ("typed", "error"),
        [("dav.example", UserError), ("https://dav.example/remote.php/dav/", LoginRejected)],
    )
    def test_403_at_a_place_that_was_guessed_is_no_refusal(
        self, tmp_path: Path, typed: str, error: type[UserError]
    ) -> None:
        world = World(tmp_path, "dav.example")
        world.faulty.add(
            faults.status(403), applies=lambda e: e["PATH_INFO"].endswith("/remote.php/dav/")
        )
        world.faulty.add(faults.status(404))

        with pytest.raises(error) as raised:
            world.find(typed)

        assert type(raised.value) is error

    def test_downgrade_on_another_port_is_refused(self, tmp_path: Path) -> None:
        world = World(tmp_path, "dav.example", "dav.example:80")
        world.faulty.add(faults.status(301, Location="http://dav.example:80/"))

        with pytest.raises(AddressRefused):
            world.find("dav.example")

        assert {"dav.example"} == set(world.net.tried)

    @pytest.mark.parametrize("home", ["https://evil.example/ada/", "https://[bad/", "//evil/x"])
    def test_home_elsewhere_gets_no_password(self, tmp_path: Path, home: str) -> None:
        world = World(tmp_path, "dav.example", "evil.example", "evil")

        def point(good: Response) -> Response:
            pair = (b"<href>/ada/</href>", f"<href>{home}</href>".encode())
            return faults.replaced(pair)(good)

        world.faulty.add(point)

        with pytest.raises(AddressRefused):
            world.find("dav.example")

        assert {"dav.example"} == set(world.net.tried)


class TestConfirmation:
    """Another host gets the password only when the person has said yes to it."""

    def asked_about(self, world: World, typed: str, confirmed: frozenset[str] = NONE) -> str:
        with pytest.raises(HostUnconfirmed) as raised:
            world.find(typed, confirmed=confirmed)
        return raised.value.host

    def test_dns_that_leads_to_another_domain(self, tmp_path: Path) -> None:
        world = World(tmp_path, "dav.host.example", "mail.example", zone=secure("dav.host.example"))

        assert "dav.host.example" == self.asked_about(world, MAIL)
        assert [] == world.net.tried
        confirmed = frozenset({"dav.host.example"})
        assert "https://dav.host.example/ada/" == world.find(MAIL, confirmed=confirmed)
        assert {"dav.host.example"} == set(world.net.tried)

    def test_dns_that_leads_to_a_known_service(self, tmp_path: Path) -> None:
        world = World(tmp_path, "posteo.de:8443", zone=secure("posteo.de", port=8443))

        assert "https://posteo.de:8443/ada/" == world.find(MAIL)

    @pytest.mark.parametrize("host", ["evil-posteo.de", "posteo.de.evil.example", "xmail.example"])
    def test_look_alikes_are_asked_about(self, tmp_path: Path, host: str) -> None:
        world = World(tmp_path, host, zone=secure(host))

        assert host == self.asked_about(world, MAIL)
        assert [] == world.net.tried

    @pytest.mark.parametrize("typed", ["mail.example", "https://mail.example/", MAIL])
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_well_known_redirect(self, tmp_path: Path, typed: str, status: int) -> None:
        world = World(tmp_path, "mail.example", "cloud.example")
        world.at("mail.example", faults.status(404))
        world.redirect("mail.example/.well-known/caldav", "https://cloud.example/", status)

        assert "cloud.example" == self.asked_about(world, typed)
        assert "cloud.example" not in world.net.tried
        found = world.find(typed, confirmed=frozenset({"cloud.example"}))
        assert "https://cloud.example/ada/" == found

    def test_below_the_typed_host_needs_no_question(self, tmp_path: Path) -> None:
        world = World(tmp_path, "mail.example", "dav.mail.example")
        world.at("mail.example", faults.status(404))
        world.redirect("mail.example/.well-known/caldav", "https://dav.mail.example/")

        assert "https://dav.mail.example/ada/" == world.find("mail.example")

    def test_own_calendars_come_before_any_redirect(self, tmp_path: Path) -> None:
        world = World(tmp_path, "mail.example", "cloud.example")
        world.redirect("mail.example/.well-known/caldav", "https://cloud.example/")

        assert "https://mail.example/ada/" == world.find("mail.example")

    def test_address_with_a_path_that_moved(self, tmp_path: Path) -> None:
        world = World(tmp_path, "old.example", "new.example")
        world.at("old.example", faults.status(404))
        world.redirect("old.example/dav/ada/", "https://new.example/ada/")

        assert "new.example" == self.asked_about(world, "https://old.example/dav/ada/")

    def test_each_further_host_is_a_further_question(self, tmp_path: Path) -> None:
        world = World(tmp_path, "mail.example", "a.example", "b.example")
        for host, other in (("mail.example", "a.example"), ("a.example", "b.example")):
            world.at(host, faults.status(404))
            world.redirect(f"{host}/.well-known/caldav", f"https://{other}/")

        assert "a.example" == self.asked_about(world, MAIL)
        assert "b.example" == self.asked_about(world, MAIL, frozenset({"a.example"}))
        assert "b.example" not in world.net.tried

    def test_another_port_is_another_place(self, tmp_path: Path) -> None:
        world = World(tmp_path, "mail.example", "mail.example:8443")
        world.at("mail.example", faults.status(404))
        world.redirect("mail.example/.well-known/caldav", "https://mail.example:8443/")

        assert "mail.example:8443" == self.asked_about(world, "mail.example")
        found = world.find("mail.example", confirmed=frozenset({"mail.example:8443"}))
        assert "https://mail.example:8443/ada/" == found

    @pytest.mark.parametrize(
        "target",
        [
            "http://cloud.example/",
            "https://ada@cloud.example/",
            "https://10.0.0.1/",
            "https://2130706433/",
            "https://[::1]/",
            "https://cloud.example:22/",
            "https://metadata.google.internal/",
            "https://cloud/",
            "https://cloud.example\\@mail.example/",
            "gopher://cloud.example/",
        ],
    )
    def test_where_nobody_is_led_is_not_asked_about(self, tmp_path: Path, target: str) -> None:
        world = World(tmp_path, "mail.example", "cloud.example")
        world.at("mail.example", faults.status(404))
        world.redirect("mail.example/.well-known/caldav", target)

        with pytest.raises(AddressRefused):
            world.find("mail.example")

        assert {"mail.example"} == set(world.net.tried)

    def test_letters_of_another_script_show(self, tmp_path: Path) -> None:
        world = World(tmp_path, "mail.example")
        world.at("mail.example", faults.status(404))
        world.redirect("mail.example/.well-known/caldav", "https://p\u043esteo.de/")

        assert self.asked_about(world, "mail.example").startswith("xn--")

    def test_services_with_another_way_are_not_asked_about(self, tmp_path: Path) -> None:
        world = World(tmp_path, "mail.example")
        world.at("mail.example", faults.status(404))
        world.redirect("mail.example/.well-known/caldav", "https://caldav.icloud.com/")

        with pytest.raises(UserError, match="use_icloud"):
            world.find("mail.example")

    def test_circles_end(self, tmp_path: Path) -> None:
        world = World(tmp_path, "mail.example", "a.example")
        for host, other in (("mail.example", "a.example"), ("a.example", "mail.example")):
            world.at(host, faults.status(404))
            world.redirect(f"{host}/.well-known/caldav", f"https://{other}/")

        with pytest.raises(ProviderUnavailable, match="redirect loop"):
            world.find("mail.example", confirmed=frozenset({"a.example"}))

    def test_refusal_there_is_the_only_one(self, tmp_path: Path) -> None:
        world = World(tmp_path, "mail.example", "cloud.example")
        world.at("mail.example", faults.status(404))
        world.redirect("mail.example/.well-known/caldav", "https://cloud.example/")
        world.at("cloud.example", faults.status(401))

        with pytest.raises(LoginRejected):
            world.find("mail.example", confirmed=frozenset({"cloud.example"}))

        assert 1 == world.net.tried.count("cloud.example")


class TestWhatToWriteInstead:
    """An address that will not do comes back as it should have been written."""

    @pytest.mark.parametrize(
        ("typed", "code", "instead"),
        [
            ("http://dav.example", "address_not_https", "https://dav.example/"),
            ("HTTP://dav.example:80/x/", "address_not_https", "https://dav.example/x/"),
            ("http://dav.example:8443/", "address_not_https", "https://dav.example:8443/"),
            ("caldav://dav.example/ada/", "address_scheme", "https://dav.example/ada/"),
            ("webcal://ada:hunter2@dav.example/", "address_scheme", "https://dav.example/"),
            ("https://ada:hunter2@dav.example/x?k=hunter2", "address_with_login", "https://dav.example/x"),
            ("ada:hunter2@dav.example/x", "address_with_login", "https://dav.example/x"),
            ("ada:hunter2@dav.example", "address_with_login", "dav.example"),
            ("https://ada@[2606:4700::1]:8443/", "address_with_login", "https://[2606:4700::1]:8443/"),
        ],
    )  # fmt: skip
    def test_it_is_told(self, tmp_path: Path, typed: str, code: str, instead: str) -> None:
        world = World(tmp_path, "dav.example")

        with pytest.raises(AddressRefused) as raised:
            world.find(typed)

        assert (code, instead) == (raised.value.code, raised.value.instead)
        assert "hunter2" not in repr(raised.value) + str(raised.value)
        assert [] == world.net.tried

    def test_what_it_says_can_be_typed(self, tmp_path: Path) -> None:
        world = World(tmp_path, "dav.example")

        assert "https://dav.example/ada/" == world.find("https://dav.example/")


class TestOtherWays:
    """Services that are connected another way get nothing."""

    @pytest.mark.parametrize(
        ("typed", "code"),
        [
            ("ada@icloud.com", "use_icloud"),
            ("caldav.icloud.com", "use_icloud"),
            ("https://p42-caldav.icloud.com/1/principal/", "use_icloud"),
            ("ada@gmail.com", "use_google"),
            ("https://apidata.googleusercontent.com/caldav/v2/x/user", "use_google"),
            ("ada@outlook.com", "use_microsoft"),
        ],
    )
    def test_they_are_named(self, tmp_path: Path, typed: str, code: str) -> None:
        world = World(tmp_path)

        with pytest.raises(UserError) as raised:
            world.find(typed)

        assert code == raised.value.code
        assert [] == world.net.tried + world.zone.asked

    def test_also_when_dns_leads_there(self, tmp_path: Path) -> None:
        world = World(tmp_path, zone=secure("calendar.google.com"))

        with pytest.raises(UserError, match="use_google"):
            world.find(MAIL)

        assert [] == world.net.tried

    @pytest.mark.parametrize("host", ["evilicloud.com", "icloud.com.evil.example", "com"])
    def test_look_alikes_are_not_they(self, host: str) -> None:
        assert other_way(host) is None

    def test_no_domain_is_listed_twice(self) -> None:
        sets = [entry.domains for entry in (*KNOWN, *OTHER_WAYS)]
        assert sum(map(len, sets)) == len(frozenset().union(*sets))
        for service in KNOWN:
            assert service.url.startswith("https://") and service.url.endswith("/")
            assert service.source.startswith("https://")
            assert {known_service(domain) for domain in service.domains} == {service}


class TestRecords:
    """What is believed of DNS."""

    @pytest.mark.parametrize(
        ("found", "expected"),
        [
            ([Srv(0, 0, ".", 0)], []),
            ([Srv(0, 0, "", 443)], []),
            ([Srv(0, 0, "single", 443)], []),
            ([Srv(0, 0, "10.0.0.1/x", 443)], []),
            ([Srv(0, 0, "a.example@evil.example", 443)], []),
            (
                [
                    Srv(2, 9, "c.example", 443),
                    Srv(1, 1, "b.example", 443),
                    Srv(1, 5, "a.example", 8443),
                ],
                ["https://a.example:8443/", "https://b.example/", "https://c.example/"],
            ),
            (
                [Srv(n, 0, f"h{n}.example", 443) for n in range(9)],
                [f"https://h{n}.example/" for n in range(3)],
            ),
        ],
    )
    def test_targets(self, found: list[Srv], expected: list[str]) -> None:
        assert expected == secure_addresses(Zone({"_caldavs._tcp.x.example": found}), "x.example")

    @pytest.mark.parametrize(
        ("texts", "path"),
        [
            ([], "/"),
            (["path=/dav/"], "/dav/"),
            (["PATH=/dav"], "/dav"),
            (["path=//evil.example/"], "/"),
            (["path=dav"], "/"),
            (["path=/a b"], "/"),
            (["path=/a\\b"], "/"),
            (["path=/" + "a" * 300], "/"),
        ],
    )
    def test_paths(self, texts: list[str], path: str) -> None:
        name = "_caldavs._tcp.x.example"
        zone = Zone({name: [Srv(0, 0, "a.example", 443)]}, {name: texts})

        assert [f"https://a.example{path}"] == secure_addresses(zone, "x.example")

    def test_names_are_asked_in_ascii(self) -> None:
        zone = Zone()

        assert [] == secure_addresses(zone, "m\u00fcller.example")
        assert [] == secure_addresses(zone, "not a name")
        assert not offers_plain(zone, "." * 9)
        assert ["_caldavs._tcp.xn--mller-kva.example"] == zone.asked

    def test_names_of_nowhere_are_not_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def never(*args: Any, **options: Any) -> None:
            raise AssertionError("asked")

        monkeypatch.setattr(dns.resolver.Resolver, "resolve", never)

        assert [] == Dns().services("_caldavs._tcp.x.test") + Dns().texts("a.example")

    def test_questions_share_the_deadline_of_the_attempt(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock, lifetimes = FixedClock(NOW), list[float]()

        def slow(*args: Any, lifetime: float, **options: Any) -> list[Any]:
            lifetimes.append(lifetime)
            clock.advance(seconds=lifetime)
            return []

        monkeypatch.setattr(dns.resolver.Resolver, "resolve", slow)

        with within(clock, timedelta(seconds=5)):
            for _ in range(4):
                assert [] == Dns().texts("_caldavs._tcp.calbroker.com")

        assert [3, 2] == lifetimes

    def test_dns_that_fails_is_dns_that_says_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*args: Any, **options: Any) -> None:
            assert 3 >= options["lifetime"]
            raise dns.resolver.LifetimeTimeout(timeout=3, errors=[])

        monkeypatch.setattr(dns.resolver.Resolver, "resolve", fail)

        assert [] == Dns().services("_caldavs._tcp.calbroker.com")


@given(st.text(max_size=80))
def test_whatever_is_typed_is_read_or_refused(text: str) -> None:
    try:
        typed = read_typed(text)
    except AddressRefused as error:
        assert error.code in {"address_malformed", "address_scheme", "address_with_login"}
        assert not error.instead or read_typed(error.instead)
        return
    assert typed.url or typed.email
    assert not typed.email or typed.domain
