"""From a mail address to a calendar, through the sandbox's Autodiscover and real NTLM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

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
from broker.providers._caldav_dns import Srv
from broker.providers._ews.session import Version
from broker.providers.base import Verified
from broker.providers.exchange import Exchange
from sandbox.exchange.accounts import DOMAIN
from sandbox.exchange.seed import ADA, ALAN, PASSWORD
from sandbox.exchange.versions import VERSIONS
from tests.providers.contract import NOW
from tests.providers.detour import Detour
from tests.providers.exchange_remote import ExchangeRemote
from tests.wsgi_adapter import WsgiAdapter

MAIL = f"mail.{DOMAIN}"


def nobody(*_: object) -> Iterable[bytes]:
    """Answer for a host that only the inside of the company knows."""
    raise AddressRefused("address_private")


class Company:
    """The stand-in under its own names, and what DNS says of them."""

    def __init__(self, remote: ExchangeRemote) -> None:
        self.remote = remote
        self.srv: list[Srv] = []

    def services(self, name: str) -> list[Srv]:
        return self.srv

    def exchangers(self, name: str) -> list[str]:
        return []

    def connect(self, email: str = ADA, password: str = PASSWORD, username: str = "") -> Verified:
        """Connect as the form would, and read the calendars."""
        listening = self.remote.listening
        plain = listening.plain.port
        mounts = {
            "https://": Detour(listening.server.port, str(listening.ca_file)),
            "http://": Detour(plain, ""),
            "https://login.microsoftonline.com/": Detour(plain, ""),
            "https://mbx1.corp.local/": WsgiAdapter(nobody),
        }
        http = Http(self.remote.clock, mounts=mounts)
        provider = Exchange(http, self.remote.clock, self)
        try:
            proved = provider.verify(Login("", username, password, email=email))
            assert proved.calendars
            return proved
        finally:
            for adapter in mounts.values():
                adapter.close()

    def style(self, style: str) -> None:
        """Let Autodiscover behave in one of the stand-in's styles."""
        self.remote.faults.set(None, "autodiscover", style=style)

    def logins(self) -> list[str]:
        """Give the hosts that a login was sent to, each once."""
        tried = (call for call in self.remote.calls if call.scheme)
        return list(dict.fromkeys(call.host for call in tried))


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    remote = ExchangeRemote(tmp_path, FixedClock(NOW))
    yield Company(remote)
    remote.close()


@pytest.mark.parametrize("schemes", ["ntlm", "negotiate,ntlm,basic", "basic"])
def test_an_address_and_a_password_are_enough(company: Company, schemes: str) -> None:
    company.remote.faults.set(None, "schemes", style=schemes)
    credential, account, _ = company.connect()

    assert (f"https://{MAIL}/EWS/Exchange.asmx", ADA) == (credential.url, account.email)
    # Autodiscover takes JSON, and for that no password.
    assert [MAIL] == company.logins()


@pytest.mark.parametrize("schemes", ["ntlm", "basic"])
def test_every_version_is_spoken_to_in_the_newest_words_that_it_knows(
    company: Company, schemes: str
) -> None:
    company.remote.faults.set(None, "schemes", style=schemes)
    for name, version in VERSIONS.items():
        company.remote.calls.clear()
        company.remote.faults.set(None, "version", style=name)
        credential, account, _ = company.connect()

        assert ADA == account.email
        takes_json = version.knows("Exchange2016")
        assert ([MAIL] if takes_json else [f"autodiscover.{DOMAIN}", MAIL]) == company.logins()
        spoken = next(one for one in Version if version.knows(one))
        assert spoken == credential.dialect.split()[-1]
        refused = [call for call in company.remote.calls if call.status == 500]
        assert list(Version).index(spoken) == len(refused)


@pytest.mark.parametrize("style", ["basic_site", "www", "html", "http_redirect", "url"])
def test_odd_hosts_on_the_way_do_no_harm(company: Company, style: str) -> None:
    company.style(style)
    if style == "html":
        with pytest.raises(UserError):
            company.connect()
    else:
        assert company.connect()
    assert DOMAIN not in company.logins()


@pytest.mark.parametrize(
    ("style", "code"),
    [
        ("cloud", "use_office365"),
        ("loop", "exchange_misconfigured"),
        ("500", "exchange_no_mailbox"),
        ("missing", "exchange_not_found"),
        ("private", "exchange_misconfigured"),
    ],
)
def test_what_cannot_work_is_named(company: Company, style: str, code: str) -> None:
    company.style(style)
    with pytest.raises(UserError) as raised:
        company.connect()
    assert code == raised.value.code


def test_a_server_that_is_busy_or_refuses_says_so(company: Company) -> None:
    company.style("603")
    with pytest.raises(ProviderUnavailable) as raised:
        company.connect()
    assert "not now" == raised.value.detail
    # A server without JSON, whose Autodiscover refuses what its mailboxes may well take.
    company.remote.faults.set(None, "version", style="Exchange2010_SP3")
    company.style("401")
    with pytest.raises(LoginRejected):
        company.connect()
    assert [f"autodiscover.{DOMAIN}"] == company.logins()


def test_an_outsiders_host_is_shown_first(company: Company) -> None:
    company.style("ews_outsider")
    with pytest.raises(HostUnconfirmed) as raised:
        company.connect()
    assert "mail.outsider.test" == raised.value.host
    assert [] == company.logins()


def test_an_outsiders_host_without_a_certificate_is_not_even_shown(company: Company) -> None:
    company.style("outsider")
    with pytest.raises(ProviderUnavailable) as raised:
        company.connect()
    assert "certificate for another name" == raised.value.detail
    assert not any("outsider" in host for host in company.logins())


def test_a_wrong_password_costs_one_refused_login(company: Company) -> None:
    with pytest.raises(LoginRejected):
        company.connect(password="wrong")
    assert 1 == company.remote.ada.person.bad_logons


def test_who_has_another_name_says_so(company: Company) -> None:
    with pytest.raises(LoginRejected):
        company.connect(ALAN)
    _, account, _ = company.connect(ALAN, username="CORP/aturing")
    assert ALAN == account.email


@pytest.mark.parametrize("certificate", ["wrong_name", "expired", "unknown_ca"])
def test_no_password_goes_to_a_host_that_cannot_prove_its_name(
    company: Company, certificate: str
) -> None:
    company.remote.faults.set(None, "certificate", style=certificate)
    with pytest.raises(ProviderUnavailable) as raised:
        company.connect()
    assert raised.value.detail.startswith("certificate")
    assert [] == company.logins()


@pytest.mark.parametrize("style", ["ews_http", "ews_private", "internal_only"])
def test_an_endpoint_that_must_not_be_asked_gets_no_password(company: Company, style: str) -> None:
    """C1, C2: in the clear, at a private address, or by a name of the inside only."""
    company.style(style)
    # By NTLM a detour's connection, which all logins share, would be logged in already.
    company.remote.faults.set(None, "schemes", style="basic")
    credential, _, _ = company.connect()
    assert f"https://autodiscover.{DOMAIN}/EWS/Exchange.asmx" == credential.url
    assert [f"autodiscover.{DOMAIN}"] == company.logins()
