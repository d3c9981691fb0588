"""Finding a mailbox's server, and where the password goes on the way."""

from __future__ import annotations

import ssl

import pytest
import requests
from werkzeug.wrappers import Request, Response

from broker import transport_failures
from broker.errors import (
    AddressRefused,
    HostUnconfirmed,
    LoginRejected,
    ProviderUnavailable,
    RateLimited,
    UserError,
)
from broker.logins import KnownServer
from broker.providers._caldav_dns import Srv
from broker.providers._ews.discovery.places import endpoint, login_name, read_address
from tests.providers.ews_internet import (
    DOMAIN,
    EMAIL,
    EWS,
    PASSWORD,
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
from tests.providers.ews_samples import answer, fault, message

AUTODISCOVER = f"autodiscover.{DOMAIN}"
HOSTER = "autodiscover.hoster.example"
XML = "text/xml; charset=utf-8"
EXPIRED, ANOTHER_NAME = 10, 62
DENIED = message("GetFolder", "<m:Folders/>", "ErrorAccessDenied", "Error")


def always(answer: Response) -> Page:
    """Give a page that has one answer."""
    return lambda _: answer


def with_certificate(verify_code: int) -> Page:
    """Give a page that nobody gets to see, for OpenSSL's reason."""

    def page(_: Request) -> Response:
        refused = ssl.SSLCertVerificationError()
        refused.verify_code = verify_code
        raise requests.exceptions.SSLError(refused)

    return page


def to(target: str, status: int = 302) -> Response:
    return Response(status=status, headers={"Location": target})


def code_of(internet: Internet, **login: object) -> str:
    with pytest.raises(UserError) as raised:
        internet.connect(**login)
    return raised.value.code


@pytest.fixture
def internet() -> Internet:
    made = Internet()
    made.ews()
    return made


def test_the_autodiscover_host_names_the_server(internet: Internet) -> None:
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=EWS)})
    credential, account = internet.connect()

    assert (EWS, EMAIL, (EMAIL,)) == (credential.url, credential.username, credential.addresses)
    assert "Basic Exchange2010_SP2" == credential.dialect
    assert (f"https://mail.{DOMAIN}/Cal=", EMAIL, "exchange") == (
        account.subject,
        account.email,
        account.service,
    )
    assert [(AUTODISCOVER, EMAIL), (f"mail.{DOMAIN}", EMAIL)] == internet.sent
    assert PASSWORD not in repr(internet.steps) + repr(credential)


def test_the_outside_view_comes_before_the_inside_one(internet: Internet) -> None:
    inside = "https://mbx1.contoso.local/EWS/Exchange.asmx"
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXCH=inside, WEB="", EXPR=EWS)})
    assert EWS == internet.connect()[0].url


def test_an_old_server_has_another_name_for_it(internet: Internet) -> None:
    old = f"<Protocol><Type>EXCH</Type><ASUrl>{EWS}</ASUrl></Protocol>"
    internet.exchange(AUTODISCOVER, {POX: lambda _: pox(f"<Action>settings</Action>{old}")})
    assert EWS == internet.connect()[0].url


def test_the_root_domain_is_asked_first_and_a_web_site_there_gets_nothing(
    internet: Internet,
) -> None:
    site = Response("Who?", 401, headers={"WWW-Authenticate": "Basic realm=shop"})
    internet.hosts[f"https://{DOMAIN}"] = {"*": lambda _: site}
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=EWS)})
    internet.connect()

    assert f"GET https://{DOMAIN}{POX}" == internet.calls[0]
    assert DOMAIN not in [host for host, _ in internet.sent]

    internet.exchange(DOMAIN, {POX: lambda _: settings(EXPR=EWS)})
    internet.connect()
    assert DOMAIN == internet.sent[-2][0]


@pytest.mark.parametrize(
    "page",
    [
        Response("<html>Welcome", 200),
        to(f"https://www.{DOMAIN}/", 301),
        to("https://other.example/login"),
        Response("", 404),
        Response("", 503),
    ],
)
def test_a_web_site_at_the_root_does_no_harm(internet: Internet, page: Response) -> None:
    internet.hosts[f"https://{DOMAIN}"] = {"*": lambda _: page}
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=EWS)})
    assert EWS == internet.connect()[0].url


def test_soap_and_json_stand_in_for_plain_xml(internet: Internet) -> None:
    internet.exchange(
        AUTODISCOVER,
        {POX: lambda _: refused("601"), SOAP: lambda _: soap(ExternalEwsUrl=EWS)},
    )
    assert EWS == internet.connect()[0].url

    internet.exchange(AUTODISCOVER, {POX: lambda _: Response("", 500)})
    asked: list[str] = []
    internet.hosts[f"https://{AUTODISCOVER}"]["/autodiscover/autodiscover.json"] = lambda request: (
        asked.append(request.headers.get("Authorization", "nothing")),
        Response(f'{{"Protocol":"EWS","Url":"{EWS}"}}'),
    )[1]
    assert EWS == internet.connect()[0].url
    assert ["nothing"] == asked


def test_a_plain_redirect_is_followed_to_https_only(internet: Internet) -> None:
    internet.exchange(f"ex.{DOMAIN}", {POX: lambda _: settings(EXPR=EWS)})
    plain = f"http://{AUTODISCOVER}"
    seen: list[bool] = []

    def page(request: Request) -> Response:
        seen.append("Authorization" in request.headers)
        return to(f"https://ex.{DOMAIN}{POX}")

    internet.hosts[plain] = {POX: page}
    assert EWS == internet.connect()[0].url
    assert [False] == seen

    for target in (f"http://ex.{DOMAIN}{POX}", f"https://ex.{DOMAIN}/login", "not an address"):
        internet.hosts[plain] = {POX: always(to(target))}
        assert "exchange_not_found" == code_of(internet)


def test_dns_names_a_host_by_priority(internet: Internet) -> None:
    internet.srv = [
        Srv(20, 0, f"late.{DOMAIN}", 443),
        Srv(0, 1, f"light.{DOMAIN}", 443),
        Srv(0, 9, f"ex.{DOMAIN}", 443),
        Srv(0, 99, f"odd.{DOMAIN}", 8443),
    ]
    internet.exchange(f"ex.{DOMAIN}", {POX: lambda _: settings(EXPR=EWS)})
    internet.connect()

    assert [f"ex.{DOMAIN}", f"mail.{DOMAIN}"] == [host for host, _ in internet.sent]
    assert not any("odd." in call or "late." in call for call in internet.calls)


@pytest.mark.parametrize("way", ["http", "srv", "https", "url", "settings"])
def test_another_companys_host_is_shown_before_it_gets_the_password(
    internet: Internet, way: str
) -> None:
    foreign = f"https://{HOSTER}{POX}"
    internet.exchange(HOSTER, {POX: lambda _: settings(EXPR=EWS)})
    if way == "http":
        internet.hosts[f"http://{AUTODISCOVER}"] = {POX: lambda _: to(foreign)}
    elif way == "srv":
        internet.srv = [Srv(0, 0, HOSTER, 443)]
    elif way == "https":
        internet.hosts[f"https://{AUTODISCOVER}"] = {POX: lambda _: to(foreign)}
    elif way == "url":
        internet.exchange(AUTODISCOVER, {POX: lambda _: moved(Url=foreign)})
    else:
        internet.ews(HOSTER)
        named = f"https://{HOSTER}/EWS/Exchange.asmx"
        internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=named)})

    with pytest.raises(HostUnconfirmed) as raised:
        internet.connect()
    assert HOSTER == raised.value.host
    assert HOSTER not in [host for host, _ in internet.sent]

    internet.connect(confirmed=frozenset({HOSTER}))
    assert HOSTER in [host for host, _ in internet.sent]
    with pytest.raises(HostUnconfirmed):
        internet.connect(confirmed=frozenset({"hoster.example", f"x.{HOSTER}"}))


@pytest.mark.parametrize(
    "url",
    [
        f"http://mail.{DOMAIN}/EWS/Exchange.asmx",
        "https://10.0.0.7/EWS/Exchange.asmx",
        "https://[::1]/EWS/Exchange.asmx",
        f"https://evil.example\\@mail.{DOMAIN}/EWS/Exchange.asmx",
        f"https://mail.{DOMAIN}@evil.example/EWS/Exchange.asmx",
        f"https://evil{DOMAIN}/EWS/Exchange.asmx",
        "javascript:alert(1)",
        "https://",
    ],
)
def test_no_address_that_a_server_names_gets_around_the_rules(internet: Internet, url: str) -> None:
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=url)})
    with pytest.raises(UserError):
        internet.connect()
    assert {AUTODISCOVER} == {host for host, _ in internet.sent}


def test_redirects_end(internet: Internet) -> None:
    internet.exchange(AUTODISCOVER, {POX: lambda _: moved(Url=f"https://{AUTODISCOVER}{POX}")})
    assert "exchange_misconfigured" == code_of(internet)
    assert 1 == len(internet.sent)

    for number in range(20):
        target = f"https://h{number + 1}.{DOMAIN}{POX}"
        internet.exchange(f"h{number}.{DOMAIN}", {POX: always(moved(Url=target))})
    internet.exchange(AUTODISCOVER, {POX: lambda _: moved(Url=f"https://h0.{DOMAIN}{POX}")})
    internet.sent.clear()
    internet.calls.clear()
    assert "exchange_misconfigured" == code_of(internet)
    assert 10 == sum(call.startswith("GET https") and call.endswith(POX) for call in internet.calls)
    assert len(internet.sent) <= 10


def test_a_redirect_to_another_address_begins_there(internet: Internet) -> None:
    other = f"ada@eu.{DOMAIN}"
    internet.exchange(AUTODISCOVER, {POX: lambda _: moved(Addr=other)})
    asked: list[bytes] = []
    internet.exchange(
        f"autodiscover.eu.{DOMAIN}",
        {POX: lambda request: (asked.append(request.data), settings(EXPR=EWS))[1]},
    )
    assert EWS == internet.connect()[0].url
    assert other.encode() in asked[0]


@pytest.mark.parametrize("way", ["address", "url", "settings", "mail", "typed", "domain"])
def test_microsofts_cloud_never_gets_a_password(internet: Internet, way: str) -> None:
    cloud = "https://outlook.office365.com/EWS/Exchange.asmx"
    login: dict[str, str] = {}
    if way == "typed":
        login = {"url": "outlook.office365.com"}
    elif way == "domain":
        login = {"email": "ada@contoso.onmicrosoft.com"}
    elif way == "mail":
        internet.mx = [f"contoso-example{'.mail.protection.outlook.com'}"]
    else:
        page = {
            "address": moved(Addr="ada@contoso.mail.onmicrosoft.com"),
            "url": moved(Url=f"https://autodiscover-s.outlook.com{POX}"),
            "settings": settings(EXPR=cloud),
        }[way]
        internet.exchange(AUTODISCOVER, {POX: lambda _: page})

    assert "use_office365" == code_of(internet, **login)
    assert {host for host, _ in internet.sent} <= {AUTODISCOVER}


@pytest.mark.parametrize(
    "domain",
    ["outlook.com", "Hotmail.com", "live.com", "msn.com", "hotmail.co.uk", "outlook.fr", "live.nl"],
)
def test_peoples_own_mailboxes_are_at_outlook_com(internet: Internet, domain: str) -> None:
    assert "use_outlook_com" == code_of(internet, email=f"ada@{domain}")
    assert [] == internet.calls


@pytest.mark.parametrize("domain", ["live.example", "myhotmail.com", "outlook.consulting"])
def test_companies_with_such_names_are_searched_for(internet: Internet, domain: str) -> None:
    assert "exchange_not_found" == code_of(internet, email=f"ada@{domain}")


def test_signs_of_the_cloud_count_only_when_nothing_else_is_found(internet: Internet) -> None:
    plain = f"http://{AUTODISCOVER}"
    internet.hosts[plain] = {POX: lambda _: to(f"https://autodiscover-s.outlook.com{POX}")}
    assert "use_office365" == code_of(internet)
    internet.hosts.pop(plain)
    internet.realm = "Managed"
    assert "perhaps_office365" == code_of(internet)
    assert not internet.sent

    # A company that keeps its mail filter in the cloud may keep its mailboxes at home.
    internet.mx = ["contoso.mail.protection.outlook.com"]
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=EWS)})
    assert EWS == internet.connect()[0].url


def test_a_certificate_says_more_than_where_people_sign_in(internet: Internet) -> None:
    """Companies with servers of their own sign in at Microsoft 365, too; web sites say nothing."""
    internet.realm = "Managed"
    internet.hosts[f"https://{DOMAIN}"] = {"*": with_certificate(ANOTHER_NAME)}
    assert "perhaps_office365" == code_of(internet)

    internet.hosts[f"https://{AUTODISCOVER}"] = {"*": with_certificate(EXPIRED)}
    with pytest.raises(ProviderUnavailable) as raised:
        internet.connect()
    assert transport_failures.CERTIFICATE_EXPIRED == raised.value.detail

    internet.mx = ["contoso.mail.protection.outlook.com"]
    assert "use_office365" == code_of(internet)


@pytest.mark.parametrize("realm", ["Managed", "Unknown"])
def test_the_certificate_of_a_web_site_is_named_last(internet: Internet, realm: str) -> None:
    internet.realm = realm
    internet.hosts[f"https://{DOMAIN}"] = {"*": with_certificate(ANOTHER_NAME)}
    internet.srv = [Srv(0, 0, f"owa.{DOMAIN}", 443)]
    internet.hosts[f"https://owa.{DOMAIN}"] = {"*": with_certificate(EXPIRED)}
    with pytest.raises(ProviderUnavailable) as raised:
        internet.connect()
    assert transport_failures.CERTIFICATE_EXPIRED == raised.value.detail


def test_a_refused_name_is_offered_to_nobody_again(internet: Internet) -> None:
    internet.names = set()
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=EWS)})
    internet.exchange(DOMAIN, {POX: lambda _: settings(EXPR=EWS)})
    with pytest.raises(LoginRejected):
        internet.connect()
    assert [(DOMAIN, EMAIL)] == internet.sent


def test_what_was_typed_is_the_only_name(internet: Internet) -> None:
    internet.names = {EMAIL}
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=EWS)})
    with pytest.raises(LoginRejected):
        internet.connect(username="CORP/ada")
    assert [(AUTODISCOVER, "CORP\\ada")] == internet.sent


def test_what_colleagues_taught_is_tried_first(internet: Internet) -> None:
    internet.names = {"CORP\\ada"}
    known = KnownServer(EWS, "CORP\\{local}", "Basic Exchange2007_SP1")
    credential, _ = internet.connect(known=(known,))

    # It says of itself that it has been renewed since.
    assert ("CORP\\ada", "Basic Exchange2010_SP2") == (credential.username, credential.dialect)
    assert [(f"mail.{DOMAIN}", "CORP\\ada")] == internet.sent
    assert 2 == len(internet.calls)


@pytest.mark.parametrize("dialect", ["Basic Exchange2010_SP2", "NTLM Exchange2010_SP2", ""])
def test_a_server_of_colleagues_that_asks_nobody_any_more_proves_nobody(
    internet: Internet, dialect: str
) -> None:
    """C7: it is seen anew, and without a password."""
    internet.hosts[f"https://mail.{DOMAIN}"] = {"/ews/exchange.asmx": mailbox(calendar())}
    assert "exchange_no_login_asked" == code_of(internet, known=(KnownServer(EWS, "", dialect),))
    assert {""} == {one.tried for one in internet.steps}


def test_a_planted_server_collects_no_passwords(internet: Internet) -> None:
    planted = KnownServer("https://evil.example/EWS/Exchange.asmx")
    internet.ews("evil.example")
    with pytest.raises(HostUnconfirmed) as raised:
        internet.connect(known=(planted,))
    assert "evil.example" == raised.value.host
    assert [] == internet.sent

    approved = KnownServer(planted.url, approved=True)
    internet.connect(known=(approved,))
    assert [("evil.example", EMAIL)] == internet.sent


def test_a_server_that_was_learned_and_is_gone_is_looked_for_again(internet: Internet) -> None:
    known = KnownServer(f"https://old.{DOMAIN}/EWS/Exchange.asmx")
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=EWS)})
    assert EWS == internet.connect(known=(known,))[0].url


@pytest.mark.parametrize(
    "typed", [f"mail.{DOMAIN}", f"https://mail.{DOMAIN}/owa", EWS, f" {EWS.lower()} "]
)
def test_a_typed_server_is_completed_and_not_searched_for(internet: Internet, typed: str) -> None:
    credential, _ = internet.connect(url=typed, username="ada@contoso.example")
    assert EWS.lower() == credential.url.lower()
    assert {f"POST {EWS}".lower()} == {call.lower() for call in internet.calls}


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("nobody@evil.example/x", "address_with_login"),
        (f"https://ada@mail.{DOMAIN}/owa", "address_with_login"),
        ("@", "address_malformed"),
    ],
)
def test_what_is_typed_for_a_server_is_never_passed_over(
    internet: Internet, typed: str, code: str
) -> None:
    """C4: the guard counts at the host that was typed, and the password goes there or nowhere."""
    internet.exchange(AUTODISCOVER, {POX: lambda _: settings(EXPR=EWS)})
    assert code == code_of(internet, url=typed)
    assert [] == internet.calls


def test_somebody_elses_address_is_not_believed(internet: Internet) -> None:
    internet.ews(body=calendar("Boss=", mine="Ada="))
    credential, account = internet.connect(url=EWS, username=EMAIL, email="boss@contoso.example")

    assert (f"https://mail.{DOMAIN}/Ada=", None, EMAIL) == (
        account.subject,
        account.email,
        account.profile_name,
    )
    assert () == credential.addresses


@pytest.mark.parametrize(
    ("page", "code"),
    [
        (Response("", 403), "exchange_ews_off"),
        (Response("", 404), "exchange_not_ews"),
        (Response("", 440), "exchange_sign_in_page"),
        (to("/owa/auth/logon.aspx"), "exchange_sign_in_page"),
        (Response("<html>Sign in", 200, content_type="text/html"), "exchange_not_ews"),
        (Response(answer("GetFolder", DENIED, DENIED), content_type=XML), "exchange_ews_off"),
        (Response(fault("ErrorAccessDenied"), 500, content_type=XML), "exchange_ews_off"),
        (Response(fault("ErrorNonExistentMailbox"), 500, content_type=XML), "exchange_no_mailbox"),
        (Response(fault("ErrorMissingEmailAddress"), 500, content_type=XML), "exchange_no_mailbox"),
        (Response(fault("ErrorPasswordExpired"), 500, content_type=XML), "exchange_account_closed"),
    ],
)
def test_what_is_wrong_with_a_server_is_told_apart(
    internet: Internet, page: Response, code: str
) -> None:
    internet.exchange(f"mail.{DOMAIN}", {"/ews/exchange.asmx": lambda _: page})
    assert code == code_of(internet, url=EWS)


def test_a_server_without_passwords_is_named(internet: Internet) -> None:
    shape = Response("", 401, headers={"WWW-Authenticate": "Bearer"})
    internet.hosts[f"https://mail.{DOMAIN}"] = {"*": lambda _: shape}
    assert "exchange_no_password_login" == code_of(internet, url=EWS)


def test_a_busy_server_and_a_lost_one_stay_what_they_are(internet: Internet) -> None:
    internet.exchange(f"mail.{DOMAIN}", {"/ews/exchange.asmx": lambda _: Response("", 503)})
    with pytest.raises(RateLimited):
        internet.connect(url=EWS)
    internet.hosts.clear()
    with pytest.raises(ProviderUnavailable):
        internet.connect(url=EWS)


@pytest.mark.parametrize(
    ("page", "code"),
    [
        (refused("500"), "exchange_no_mailbox"),
        (refused("602"), "exchange_misconfigured"),
        (refused("600"), "exchange_not_found"),
        (soap("InvalidUser"), "exchange_not_found"),
        (Response("<Autodiscover", 200), "exchange_not_found"),
    ],
)
def test_what_autodiscover_says_is_said(internet: Internet, page: Response, code: str) -> None:
    internet.exchange(AUTODISCOVER, {POX: lambda _: page})
    assert code == code_of(internet)


@pytest.mark.parametrize("page", [refused("603"), Response("", 500), Response("", 503)])
def test_a_server_that_is_busy_is_asked_again_later(internet: Internet, page: Response) -> None:
    """It is no reason to ask IT for another server, nor a sign of the cloud."""
    internet.realm = "Managed"
    internet.exchange(AUTODISCOVER, {POX: lambda _: page})
    with pytest.raises(ProviderUnavailable) as raised:
        internet.connect()
    assert "not now" == raised.value.detail


@pytest.mark.parametrize("code", ["ServerBusy", "InternalServerError"])
def test_a_server_that_is_busy_says_so_in_soap(internet: Internet, code: str) -> None:
    pages = {POX: always(refused("601")), SOAP: always(soap(code))}
    internet.exchange(AUTODISCOVER, pages)
    with pytest.raises(ProviderUnavailable):
        internet.connect()


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@", "@x.example", "a@b@x.example", "ada@localhost", "ada@x/y.example"]
)
def test_what_is_no_mail_address_is_refused(email: str) -> None:
    with pytest.raises(AddressRefused):
        Internet().connect(email=email)


def test_addresses_and_names_are_mended() -> None:
    assert "xn--bcher-kva.example" == read_address("ada@Bücher.example").domain
    assert "https://h.example:8443/EWS/Exchange.asmx" == endpoint("h.example:8443/owa/#path")
    with pytest.raises(AddressRefused):
        endpoint("http://mail.contoso.example/")
    assert ("CORP\\ada", "ada@x/y", "CORP\\a/b") == (
        login_name(" CORP/ada "),
        login_name("ada@x/y"),
        login_name("CORP\\a/b"),
    )
