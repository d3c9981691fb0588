"""Where a company's server sends us, and which hosts nobody is asked about."""

from __future__ import annotations

import pytest
from werkzeug.wrappers import Request, Response

from broker import transport_failures
from broker.errors import AddressRefused, HostUnconfirmed, ProviderUnavailable, UserError
from broker.logins import KnownServer
from tests.providers.ews_internet import (
    DOMAIN,
    EMAIL,
    EWS,
    POX,
    SOAP,
    Internet,
    Page,
    calendar,
    mailbox,
    moved,
    pox,
    refused,
    settings,
    soap,
)
from tests.providers.test_ews_discovery import (
    AUTODISCOVER,
    EXPIRED,
    HOSTER,
    always,
    code_of,
    to,
    with_certificate,
)

JSON = "/autodiscover/autodiscover.json"
EWS_PATH = "/ews/exchange.asmx"
INSIDE = "https://mbx1.contoso.local/EWS/Exchange.asmx"
BELOW = f"https://mbx1.{DOMAIN}/EWS/Exchange.asmx"
HOSTED = f"https://{HOSTER}/EWS/Exchange.asmx"


@pytest.fixture
def internet() -> Internet:
    return Internet()


def json_of(url: str) -> Page:
    return lambda _: Response(f'{{"Protocol":"EWS","Url":"{url}"}}')


def unguarded(internet: Internet, host: str, path: str, page: Page) -> None:
    internet.hosts.setdefault(f"https://{host}", {})[path] = page


@pytest.mark.parametrize(
    "url",
    [INSIDE, BELOW, "https://10.20.30.40/EWS/Exchange.asmx", EWS.replace("https", "http"), ""],
)
@pytest.mark.parametrize("form", ["pox", "soap"])
def test_an_address_of_the_inside_is_no_question_and_ews_is_sought_beside_autodiscover(
    internet: Internet, form: str, url: str
) -> None:
    pages: dict[str, Page] = {POX: always(settings(EXCH=url))}
    if form == "soap":
        pages = {POX: always(refused("601")), SOAP: always(soap(InternalEwsUrl=url))}
    internet.exchange(AUTODISCOVER, pages)
    assert "exchange_misconfigured" == code_of(internet)

    internet.exchange(AUTODISCOVER, pages | {EWS_PATH: mailbox(calendar())})
    credential, _ = internet.connect()
    assert f"https://{AUTODISCOVER}/EWS/Exchange.asmx" == credential.url


@pytest.mark.parametrize("url", [INSIDE, BELOW])
def test_a_private_address_is_the_companys_to_mend(internet: Internet, url: str) -> None:
    internet.private = {"mbx1.contoso.local", f"mbx1.{DOMAIN}"}
    pages = {POX: always(settings(EXCH=url)), SOAP: always(soap(InternalEwsUrl=url))}
    internet.exchange(AUTODISCOVER, pages)

    assert "exchange_misconfigured" == code_of(internet)
    assert {AUTODISCOVER} == {host for host, _ in internet.sent}
    assert 1 == sum("mbx1." in call for call in internet.calls)


def test_names_of_the_inside_are_said_to_be_such(internet: Internet) -> None:
    """Whoever runs this inside of their company has to open it first."""
    internet.private = {DOMAIN, AUTODISCOVER}
    assert "address_private" == code_of(internet)
    assert [] == internet.sent


def test_what_the_operator_has_opened_may_be_said_yes_to(internet: Internet) -> None:
    internet.ews("mbx1.contoso.local")
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXCH=INSIDE)})

    with pytest.raises(HostUnconfirmed) as raised:
        internet.connect()

    assert "mbx1.contoso.local" == raised.value.host
    assert INSIDE == internet.connect(confirmed=frozenset({raised.value.host}))[0].url


def test_what_a_real_mailbox_says_beside_autodiscover_is_believed(internet: Internet) -> None:
    refuses = always(Response("", 403))
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXCH=INSIDE), EWS_PATH: refuses})
    assert "exchange_ews_off" == code_of(internet)


@pytest.mark.parametrize(
    "target", ["http://ex.contoso.example" + POX, "https://10.20.30.40" + POX, "https://[bad"]
)
def test_a_redirect_that_cannot_be_followed_is_the_companys_to_mend(
    internet: Internet, target: str
) -> None:
    internet.exchange(AUTODISCOVER, {POX: lambda _: moved(Url=target)})
    assert "exchange_misconfigured" == code_of(internet)
    assert 1 == len(internet.sent)


@pytest.mark.parametrize(
    ("page", "code"),
    [
        (Response("<html>Welcome", 200), "exchange_not_ews"),
        (Response("", 404), "exchange_not_ews"),
        (to("/owa/auth/logon.aspx"), "exchange_sign_in_page"),
        (Response("", 401, headers={"WWW-Authenticate": "Bearer"}), "exchange_no_password_login"),
    ],
)
def test_nobody_is_asked_about_a_host_that_takes_no_password(
    internet: Internet, page: Response, code: str
) -> None:
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=HOSTED)})
    unguarded(internet, HOSTER, "*", always(page))
    assert code == code_of(internet)


@pytest.mark.parametrize("status", [403, 405, 503])
def test_what_may_take_one_is_asked_about(internet: Internet, status: int) -> None:
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=HOSTED)})
    unguarded(internet, HOSTER, "*", always(Response("", status)))
    assert "host_unconfirmed" == code_of(internet)


def test_json_needs_no_password_so_it_is_asked_first(internet: Internet) -> None:
    internet.ews()
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=EWS)})
    unguarded(internet, AUTODISCOVER, JSON, json_of(EWS))

    internet.connect()
    assert [(f"mail.{DOMAIN}", EMAIL)] == internet.sent

    unguarded(internet, AUTODISCOVER, JSON, json_of(INSIDE))
    assert EWS == internet.connect()[0].url


def test_json_leads_to_another_host(internet: Internet) -> None:
    internet.ews()
    internet.exchange(AUTODISCOVER, {POX: lambda _: Response("", 500)})
    internet.exchange(f"ex.{DOMAIN}", {POX: lambda _: settings(EXPR=EWS)})
    unguarded(internet, AUTODISCOVER, JSON, always(to(f"https://ex.{DOMAIN}{JSON}?Email=x")))
    assert EWS == internet.connect()[0].url

    unguarded(internet, AUTODISCOVER, JSON, always(to(f"https://{AUTODISCOVER}{JSON}")))
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=EWS)})
    assert EWS == internet.connect()[0].url


@pytest.mark.parametrize(
    "page",
    [Response("{"), Response('{"Url":7}'), Response("", 404), Response("[" * 5000)],
)
def test_json_that_says_nothing_is_passed_over(internet: Internet, page: Response) -> None:
    internet.ews()
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=EWS)})
    unguarded(internet, AUTODISCOVER, JSON, always(page))
    assert EWS == internet.connect()[0].url


def test_an_address_that_json_may_not_be_asked_at_is_passed_over(internet: Internet) -> None:
    def refuses(_: Request) -> Response:
        raise AddressRefused("address_private")

    internet.ews()
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=EWS)})
    unguarded(internet, AUTODISCOVER, JSON, refuses)
    assert EWS == internet.connect()[0].url


@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("login", [{}, {"url": EWS}])
def test_an_endpoint_that_has_moved_is_followed(
    internet: Internet, login: dict[str, str], status: int
) -> None:
    new = f"https://mail2.{DOMAIN}/EWS/Exchange.asmx"
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=EWS)})
    internet.exchange(f"mail.{DOMAIN}", {EWS_PATH: always(to(new, status))})
    internet.ews(f"mail2.{DOMAIN}")

    credential, account = internet.connect(**login)

    assert new == credential.url
    assert account.subject == f"https://mail2.{DOMAIN}/Cal="


@pytest.mark.parametrize("login", [{}, {"url": EWS}])
def test_the_person_is_asked_before_following_to_another_companys_host(
    internet: Internet, login: dict[str, str]
) -> None:
    """C1."""
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=EWS)})
    internet.exchange(f"mail.{DOMAIN}", {EWS_PATH: always(to(HOSTED))})
    assert "exchange_not_ews" == code_of(internet, **login)

    internet.ews(HOSTER)
    assert "host_unconfirmed" == code_of(internet, **login)
    assert HOSTER not in {host for host, _ in internet.sent}

    assert HOSTED == internet.connect(confirmed=frozenset({HOSTER}), **login)[0].url


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("https://outlook.office365.com/EWS/Exchange.asmx", "use_office365"),
        (f"http://mail2.{DOMAIN}/EWS/Exchange.asmx", "exchange_not_ews"),
        (BELOW, "exchange_not_ews"),
        (f"https://mail2.{DOMAIN}/collect.asmx", "exchange_not_ews"),
    ],
)
def test_no_endpoint_leads_the_password_astray(internet: Internet, target: str, code: str) -> None:
    internet.private = {f"mbx1.{DOMAIN}"}
    internet.exchange(f"mail.{DOMAIN}", {EWS_PATH: always(to(target))})
    assert code == code_of(internet, url=EWS)
    assert {f"mail.{DOMAIN}"} == {host for host, _ in internet.sent}


def test_a_server_of_colleagues_that_is_gone_is_named_when_nothing_else_is_found(
    internet: Internet,
) -> None:
    with pytest.raises(ProviderUnavailable):
        internet.connect(known=(KnownServer(EWS),))
    internet.realm = "Managed"
    with pytest.raises(UserError):
        internet.connect(known=(KnownServer(EWS),))


def test_settings_without_an_address_are_asked_for_in_another_form(internet: Internet) -> None:
    internet.ews()
    nothing = pox("<Action>settings</Action><Protocol><Type>EXPR</Type></Protocol>")
    pages = {POX: always(nothing), SOAP: always(soap(ExternalEwsUrl=EWS))}
    internet.exchange(AUTODISCOVER, pages)
    assert EWS == internet.connect()[0].url


def test_nothing_is_asked_twice(internet: Internet) -> None:
    """The ways to log in that a probe named are used, and all forms share one connection."""
    internet.ews()
    pages = {POX: always(refused("601")), SOAP: always(soap(ExternalEwsUrl=EWS))}
    internet.exchange(AUTODISCOVER, pages)
    internet.connect()

    assert internet.calls == [
        f"GET https://{DOMAIN}{POX}",
        f"GET https://{AUTODISCOVER}{POX}",
        f"GET https://{AUTODISCOVER}{JSON}",
        f"POST https://{AUTODISCOVER}{POX}",
        f"POST https://{AUTODISCOVER}{SOAP}",
        f"POST {EWS}",
        f"POST {EWS}",
    ]


def test_exchange_online_knows_where_a_company_in_two_places_keeps_a_mailbox(
    internet: Internet,
) -> None:
    internet.ews()
    home = f"https://ex.{DOMAIN}{JSON}?Email=x"
    internet.exchange(f"ex.{DOMAIN}", {POX: lambda _: settings(EXPR=EWS)})
    unguarded(internet, "outlook.office365.com", JSON, always(to(home)))
    # Nobody but those whose company is there is told of to Microsoft.
    assert "exchange_not_found" == code_of(internet)
    assert not any("office365" in call for call in internet.calls)

    internet.realm = "Managed"
    assert EWS == internet.connect()[0].url


@pytest.mark.parametrize(
    "answer",
    [
        Response('{"Url":"https://outlook.office365.com/EWS/Exchange.asmx"}'),
        to(f"https://outlook.office365.com{JSON}"),
        to(f"http://ex.{DOMAIN}{JSON}"),
        Response("", 404),
    ],
)
def test_what_exchange_online_says_of_others_is_a_hint_and_no_proof(
    internet: Internet, answer: Response
) -> None:
    internet.realm = "Managed"
    unguarded(internet, "outlook.office365.com", JSON, always(answer))
    assert "perhaps_office365" == code_of(internet)
    assert [] == internet.sent


@pytest.mark.parametrize("mx", [[], ["contoso.mail.protection.outlook.com"]])
def test_a_mailbox_that_exchange_online_says_is_at_home_is_not_said_to_be_there(
    internet: Internet, mx: list[str]
) -> None:
    internet.realm, internet.mx = "Managed", mx
    unguarded(internet, "outlook.office365.com", JSON, always(to(f"https://ex.{DOMAIN}{JSON}")))
    assert "exchange_not_found" == code_of(internet)

    internet.hosts[f"https://ex.{DOMAIN}"] = {"*": with_certificate(EXPIRED)}
    with pytest.raises(ProviderUnavailable) as raised:
        internet.connect()
    assert transport_failures.CERTIFICATE_EXPIRED == raised.value.detail
    assert [] == internet.sent


def test_exchange_online_may_not_send_the_password_anywhere(internet: Internet) -> None:
    """C1."""
    internet.realm = "Managed"
    internet.exchange(HOSTER, {POX: lambda _: settings(EXPR=HOSTED)})
    unguarded(internet, "outlook.office365.com", JSON, always(to(f"https://{HOSTER}{JSON}")))
    assert "host_unconfirmed" == code_of(internet)
    assert [] == internet.sent
