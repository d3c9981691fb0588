"""Learned servers: colleagues are spared the search, and nobody's password goes astray (C7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result

from broker.errors import BrokerError, UserError
from broker.logins import Login, PasswordCredential
from broker.providers import REGISTRY
from broker.providers.exchange import Exchange
from broker.services import connection_doctor, keys, learned_servers
from broker.services.learned_rules import domain_of, is_own, name_form, plain_address
from broker.services.learned_servers import Learned
from tests.providers.ews_internet import (
    DOMAIN,
    EMAIL,
    EWS,
    PASSWORD,
    POX,
    Internet,
    calendar,
    mailbox,
    settings,
)
from tests.services.test_login_guard import clean_up
from tests.world import World
from tests.wsgi_adapter import WsgiAdapter

HOST, OTHER = f"mail.{DOMAIN}", f"new.{DOMAIN}"
GRACE, MALLORY = f"grace@{DOMAIN}", f"mallory@{DOMAIN}"
PLANTED = "https://mail.evil.example/EWS/Exchange.asmx"


class Company(World):
    """A broker beside a small Internet of Exchange hosts."""

    def __init__(self, folder: Path) -> None:
        self.internet = Internet(names={EMAIL, GRACE, MALLORY, "CORP\\ada", "CORP\\grace"})
        wire = WsgiAdapter(self.internet)
        super().__init__(folder, mounts={"https://": wire, "http://": wire})

    def connect(self, email: str, url: str = "", username: str = "", password: str = PASSWORD,
                client: str = "203.0.113.7") -> PasswordCredential:  # fmt: skip
        """Connect as the form does. Raises what it would say."""
        login = Login(url, username, password, email=email)
        with self.app.app_context():
            proved, _, error = connection_doctor.prove(
                self.runtime, "exchange", login, application_id="app_acme", client_address=client
            )
        if proved is None:
            assert isinstance(error, BrokerError)
            raise error
        assert isinstance(proved.credential, PasswordCredential)
        return proved.credential

    def learned(self) -> list[Learned]:
        """List what is known."""
        with self.app.app_context():
            return learned_servers.listed(self.runtime)

    def autodiscover(self, host: str = HOST) -> None:
        """Let the domain itself say where its server is."""
        url = f"https://{host}/EWS/Exchange.asmx"
        self.internet.exchange(f"autodiscover.{DOMAIN}", {POX: lambda _: settings(EXPR=url)})

    def asked_of(self, host: str) -> list[str]:
        """Give the names whose password a host was sent."""
        return [name for where, name in self.internet.sent if where == host]

    def typed(self, *words: str) -> Result:
        """Type a command."""
        return self.app.test_cli_runner().invoke(args=list(words))


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    made = Company(tmp_path)
    maker = lambda http, clock, _: Exchange(http, clock, made.internet)  # noqa: E731
    monkeypatch.setitem(REGISTRY, "exchange", maker)
    yield made
    made.close()


def test_a_colleague_needs_neither_server_nor_search_nor_name(company: Company) -> None:
    company.internet.ews(HOST)
    company.connect(EMAIL, url=HOST, username="CORP\\ada")
    company.internet.calls.clear()

    proved = company.connect(GRACE)

    assert {f"POST https://{HOST}/EWS/Exchange.asmx"} == set(company.internet.calls)
    assert [(HOST, "CORP\\ada"), (HOST, "CORP\\grace")] == sorted(set(company.internet.sent))
    assert (EWS, "CORP\\grace") == (proved.url, proved.username)
    (known,) = company.learned()
    assert ("CORP\\{local}", 2, 0) == (known.server.username, known.successes, known.misses)
    assert known.server.dialect.startswith("Basic ")


def test_nothing_is_learned_from_a_refused_login(company: Company) -> None:
    company.internet.ews(HOST)

    with pytest.raises(UserError):
        company.connect(EMAIL, url=HOST, password="wrong")

    assert company.learned() == []


@pytest.mark.parametrize(
    "planted",
    [
        PLANTED,
        f"https://{DOMAIN}.evil.example/EWS/Exchange.asmx",
        f"https://evil{DOMAIN}/EWS/Exchange.asmx",
        f"https://{HOST}:8443/EWS/Exchange.asmx",
        f"https://www.{DOMAIN}/~mallory/exchange.asmx",
    ],
)
def test_who_plants_a_server_gets_no_colleagues_password(company: Company, planted: str) -> None:
    """However many accomplices succeed there; and nobody is even asked whether it may have it."""
    host, _, path = planted.removeprefix("https://").partition("/")
    company.internet.exchange(host, {f"/{path}".lower(): mailbox(calendar())})
    for number in range(4):
        email = f"mallory{number}@{DOMAIN}"
        company.internet.names.add(email)
        company.connect(email, url=planted)
    before = company.asked_of(host)

    with pytest.raises(UserError) as raised:
        company.connect(EMAIL)

    assert "exchange_not_found" == raised.value.code
    assert before == company.asked_of(host)
    assert EMAIL not in before
    assert [4, False] == [v for one in company.learned() for v in (one.successes, one.is_offered)]


def test_a_planted_server_does_not_come_before_the_real_one(company: Company) -> None:
    company.autodiscover()
    company.internet.ews(HOST)
    company.internet.ews("mail.evil.example")
    for _ in range(3):
        company.connect(MALLORY, url=PLANTED)

    assert EWS == company.connect(EMAIL).url
    assert {MALLORY} == set(company.asked_of("mail.evil.example"))


def test_planted_servers_never_displace_the_companys(company: Company) -> None:
    company.internet.ews(HOST)
    company.connect(EMAIL, url=HOST)
    for number in range(learned_servers.PER_DOMAIN + 3):
        company.clock.advance(minutes=1)
        company.internet.ews(f"mail{number}.evil.example")
        company.connect(MALLORY, url=f"mail{number}.evil.example")

    learned = company.learned()

    assert learned_servers.PER_DOMAIN == len(learned)
    assert [EWS] == [one.server.url for one in learned if one.is_offered]


def test_the_newest_displaces_what_is_oldest(company: Company) -> None:
    hosts = [f"mail{number}.{DOMAIN}" for number in range(learned_servers.PER_DOMAIN + 1)]
    for host in hosts:
        company.clock.advance(minutes=1)
        company.internet.ews(host)
        company.connect(EMAIL, url=host)

    kept = {one.server.url for one in company.learned()}

    assert {f"https://{host}/EWS/Exchange.asmx" for host in hosts[1:]} == kept


def test_another_domains_people_are_not_concerned(company: Company) -> None:
    """An address of one's own domain teaches about that domain only."""
    company.internet.names.add("mallory@evil.example")
    company.internet.ews("mail.evil.example")
    company.connect("mallory@evil.example", url=PLANTED)

    with pytest.raises(UserError):
        company.connect(EMAIL)

    assert ["evil.example"] == [one.server.domain for one in company.learned()]
    assert EMAIL not in company.asked_of("mail.evil.example")


def test_an_address_that_is_not_ones_own_teaches_nothing(company: Company) -> None:
    """Whoever has any mailbox at a hoster could otherwise speak for every domain there."""
    company.internet.names.add("mallory@hoster.example")
    company.internet.ews(HOST, calendar("Other=", mine="Mine="))

    company.connect(EMAIL, url=HOST, username="mallory@hoster.example")

    assert company.learned() == []


def test_a_server_that_is_gone_is_searched_anew_and_soon_not_tried(company: Company) -> None:
    company.internet.ews(HOST)
    company.connect(EMAIL, url=HOST)
    del company.internet.hosts[f"https://{HOST}"]
    company.autodiscover(OTHER)
    company.internet.ews(OTHER)

    found = company.connect(GRACE)

    assert f"https://{OTHER}/EWS/Exchange.asmx" == found.url
    assert [(EWS, 1), (found.url, 0)] == [(one.server.url, one.misses) for one in company.learned()]
    company.internet.calls.clear()
    company.connect(EMAIL)
    assert not any(HOST in call for call in company.internet.calls)


def test_a_pinned_server_is_the_only_one_wherever_it_is(company: Company) -> None:
    hosted = "https://exchange.hoster.example/EWS/Exchange.asmx"
    company.internet.ews(HOST)
    company.internet.ews("exchange.hoster.example")
    company.connect(EMAIL, url=HOST)

    assert "pinned" == company.typed("server-pin", DOMAIN, hosted).output.strip()

    assert hosted == company.connect(GRACE).url
    assert f"{DOMAIN}  {hosted}  pinned" in company.typed("server-list", DOMAIN).output


def test_a_blocked_server_stays_blocked_however_many_succeed(company: Company) -> None:
    company.internet.ews(HOST)
    company.connect(EMAIL, url=HOST)
    assert company.typed("server-block", DOMAIN, EWS).exit_code == 0
    company.connect(EMAIL, url=HOST)

    with pytest.raises(UserError):
        company.connect(GRACE)

    assert GRACE not in company.asked_of(HOST)
    assert f"{DOMAIN}  {EWS}  blocked" in company.typed("server-list").output


def test_what_is_forgotten_can_be_learned_again(company: Company) -> None:
    company.internet.ews(HOST)
    company.connect(EMAIL, url=HOST)
    company.typed("server-block", DOMAIN, EWS)

    assert "1 forgotten" == company.typed("server-forget", DOMAIN).output.strip()
    assert company.learned() == []
    company.connect(EMAIL, url=HOST)

    assert [True] == [one.is_offered for one in company.learned()]
    assert "1 forgotten" == company.typed("server-forget", DOMAIN, EWS).output.strip()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("server-pin", "nodomain", EWS), "behind the @"),
        (("server-pin", DOMAIN, f"http://{HOST}/EWS/Exchange.asmx"), "must be whole"),
        (("server-pin", DOMAIN, HOST), "must be whole"),
        (("server-block", DOMAIN, "https://10.0.0.1/EWS/Exchange.asmx"), "must be whole"),
        (("server-forget", DOMAIN), "no such server"),
        (("server-list", "no domain"), "behind the @"),
    ],
)
def test_commands_say_what_is_wrong(company: Company, words: tuple[str, ...], said: str) -> None:
    result = company.typed(*words)

    assert (1, True) == (result.exit_code, said in result.output), result.output
    assert "Traceback" not in result.output


def test_what_the_operator_does_is_in_the_audit_log_without_names(company: Company) -> None:
    company.internet.ews(HOST)
    company.connect(EMAIL, url=HOST)
    for command in ("server-pin", "server-block", "server-forget"):
        company.typed(command, DOMAIN, EWS)

    entries = company.rows("SELECT act, subject_id, detail FROM audit_entries ORDER BY rowid")

    acts = [act for act, _, _ in entries]
    assert acts == ["server_learned", "server_pinned", "server_blocked", "server_forgotten"]
    assert 1 == len({subject for _, subject, _ in entries})
    assert DOMAIN not in str(entries)


def test_the_database_names_neither_domain_nor_host_nor_person(
    company: Company, tmp_path: Path
) -> None:
    company.internet.ews(HOST)
    company.connect(EMAIL, url=HOST, username="CORP\\ada")

    stolen = b"".join(path.read_bytes() for path in sorted(tmp_path.glob("broker.db*")))

    for text in (DOMAIN, HOST, EMAIL, "CORP", PASSWORD):
        assert text.encode() not in stolen


def test_old_teachings_go_and_what_the_operator_said_stays(company: Company) -> None:
    company.internet.ews(HOST)
    company.internet.ews(OTHER)
    company.connect(EMAIL, url=HOST)
    company.connect(EMAIL, url=OTHER)
    company.typed("server-pin", DOMAIN, EWS)
    company.clock.advance(seconds=learned_servers.KEPT.total_seconds())
    clean_up(company)
    assert 2 == len(company.learned())

    company.clock.advance(seconds=timedelta(seconds=1).total_seconds())
    clean_up(company)

    assert [EWS] == [one.server.url for one in company.learned()]


def test_sealed_servers_are_rotated(company: Company) -> None:
    columns = {(one.table.name, one.column) for one in keys.wrapped_columns()}

    assert ("learned_servers", "wrapped") in columns


@pytest.mark.parametrize(
    ("username", "form"),
    [
        ("ada@contoso.example", "{email}"),
        ("ADA@Contoso.example", "{email}"),
        ("ada", "{local}"),
        ("CORP\\ada", "CORP\\{local}"),
        ("ada@corp.local", "{local}@corp.local"),
        ("ada.lovelace", None),
        ("CORP\\lovelace", None),
        ("{email}\\ada", None),
        ("CORP{local}\\ada", None),
        ("ada@", None),
        ("\\ada", None),
        ("C" * 99 + "\\ada", None),
        ("A\\B\\ada", None),
    ],
)
def test_only_forms_that_fit_colleagues_are_kept(username: str, form: str | None) -> None:
    """A personal name is nobody else's, and would be kept in a place that names nobody."""
    assert form == name_form(username, EMAIL)


@pytest.mark.parametrize(
    ("email", "domain"),
    [
        ("ada@Contoso.Example.", "contoso.example"),
        ("ada@bücher.example", "xn--bcher-kva.example"),
        ("ada", ""),
        ("mail.contoso.example", ""),
        ("ada@example", ""),
        ("ada@10.0.0.1", ""),
        ("ada@contoso.example/path", ""),
        ("ada@contoso.example:8443", ""),
        ("ada@", ""),
    ],
)
def test_mail_domains_are_read_strictly(email: str, domain: str) -> None:
    """A domain without a dot would have all the Internet below it."""
    assert domain == domain_of(email)


@pytest.mark.parametrize(
    "url",
    [
        f"http://{HOST}/EWS/Exchange.asmx",
        f"https://ada:pw@{HOST}/EWS/Exchange.asmx",
        f"https://{HOST}/EWS/Exchange.asmx?user=ada",
        f"https://{HOST}/EWS/Exchange.asmx#ada",
        f"https://{HOST}/{'a' * 300}.asmx",
        f"https://{HOST}",
        "https://10.0.0.1/EWS/Exchange.asmx",
    ],
)
def test_addresses_with_more_in_them_are_not_kept(url: str) -> None:
    assert plain_address(url) == ""


def test_own_means_the_domain_and_below() -> None:
    assert is_own(DOMAIN, f"https://{DOMAIN}/ews/exchange.asmx")
    assert is_own(DOMAIN, f"https://a.b.{DOMAIN}/EWS/Exchange.asmx")
    assert not is_own(f"a.{DOMAIN}", f"https://{DOMAIN}/EWS/Exchange.asmx")
