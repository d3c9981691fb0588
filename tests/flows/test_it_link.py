"""A link for the IT department: it says what to change, and gives nothing else away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from broker.services import connection_doctor, it_links
from broker.web.it_links import VIEWS
from sandbox.exchange.certificates import NAMES, WRONG_NAMES
from sandbox.exchange.seed import ADA, PASSWORD
from tests.flows.test_connect_exchange import GUESS, MAIL, Office
from tests.providers.exchange_remote import USER

FIREWALL = "203.0.113.7"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path, outgoing_addresses=(FIREWALL, "203.0.113.16/28"))
    yield made
    made.close()


def link_on(page: TestResponse) -> str:
    """Give the path of the link for IT that a page shows; empty when it shows none."""
    found = re.search(r'class="share".*?href="http://127.0.0.1:5000(/for-it/[^"]+)"', page.text)
    return found[1] if found else ""


def opened(office: Office, path: str, **headers: str) -> TestResponse:
    """Open a link in a browser of its own, as the IT department does."""
    return office.browser().get(path, headers=headers)


def said(page: TestResponse) -> str:
    """Give what a page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", page.text)))


def test_it_says_exactly_what_to_change(office: Office) -> None:
    office.refuse("forbidden")

    page = opened(office, link_on(office.try_login(url=MAIL)))

    assert page.status_code == 200
    text = said(page)
    assert "Set-CASMailbox NAME -EwsEnabled $true" in text
    assert "Set-OrganizationConfig -EwsEnabled $true" in text
    assert 'Set-OrganizationConfig -EwsAllowList @{Add="Calbroker/*"}' in text
    assert f"Rules of a proxy in front of {MAIL} can forbid /EWS" in text
    assert f"We call from{FIREWALL}, 203.0.113.16/28" in text.replace("from ", "from")
    assert "User-Agent" in text
    assert "could not connect a calendar" in text


def test_it_tells_what_was_offered_and_tried_and_how_long_each_step_took(office: Office) -> None:
    office.refuse("schemes", style="kerberos")
    refused = office.try_login(url=MAIL)
    text = said(opened(office, link_on(refused)))
    assert f"{MAIL} offers clients outside: Negotiate. Switch NTLM on for EWS" in text
    assert re.search(rf"GetFolder {MAIL} · 401 · offers Negotiate · \d+ ms", text)

    office.remote.faults.clear()
    wrong = office.try_login(url=MAIL, username=USER, password=GUESS)
    text = said(opened(office, link_on(wrong)))
    assert r"We signed in by NTLM (DOMAIN\name)." in text
    assert rf"GetFolder {MAIL} · NTLM (DOMAIN\name) · 401" in text
    assert "Get-WebServicesVirtualDirectory" in text


CERTIFICATES = {
    "unknown_ca": [
        f"flask authority-add {MAIL} FILE",
        "ends with a certificate of CN=CORP-DC01-CA",
    ],
    "self_signed": [
        f"{MAIL} has signed its certificate itself",
        "Get-ExchangeCertificate",
    ],
    "wrong_name": [f"The certificate does not name {MAIL}. It names: {', '.join(WRONG_NAMES)}."],
    "expired": [f"Renew the certificate of {MAIL}", f"CN={NAMES[0]} was good from 20"],
}


@pytest.mark.parametrize("style", CERTIFICATES)
def test_what_is_wrong_with_a_certificate_is_named(office: Office, style: str) -> None:
    """To IT only: the names in it can be from inside their network."""
    office.refuse("certificate", style=style)
    failed = office.try_login(url=MAIL)

    text = said(opened(office, link_on(failed)))

    for expected in CERTIFICATES[style]:
        assert expected in text
    assert ("authority-add" in text) is (style == "unknown_ca")
    assert re.search(r"Certificate ?CN=.* for .* by CN=.*, 20\d\d-\d\d-\d\d to 20", text)
    assert re.search(r"SHA-256 ?[0-9a-f]{64}", text)
    assert "CN=" not in failed.text
    assert not [name for name in WRONG_NAMES if name in failed.text]


@pytest.mark.parametrize(
    ("url", "change"),
    [("10.20.30.40", "with the setting ALLOWED_HOSTS"), (f"{MAIL}:8080", "on TCP port 443")],
)
def test_an_address_that_may_not_be_called_says_what_opens_it(
    office: Office, url: str, change: str
) -> None:
    text = said(opened(office, link_on(office.try_login(url=url))))

    assert "What you can change" in text
    assert change in text


def test_nobody_is_named_and_no_secret_is_told(office: Office) -> None:
    """Neither on the page, nor in its address, nor in what it is made from."""
    failed = office.try_login(url=MAIL, username=USER, password=GUESS)
    path = link_on(failed)

    page = opened(office, path)

    # The stand-in's authority bears the word that is the password there.
    told = (page.text + path).replace("CN=Calbroker Sandbox CA", "").lower()
    for secret in (GUESS, PASSWORD, ADA, USER, "ada", "lovelace", "authorization"):
        assert not re.search(rf"\b{re.escape(secret.lower())}\b", told), secret
    with office.app.app_context():
        found = connection_doctor.find(office.runtime, path.split("/")[-1].split(".")[0])
    assert found is not None
    kept = repr(found).lower()
    assert not [one for one in (GUESS, ADA, "corp\\ada") if one.lower() in kept]


def test_it_is_open_to_whoever_has_it_and_found_by_nobody_else(office: Office) -> None:
    page = opened(office, link_on(office.try_login(password=GUESS)))

    assert "noindex" in page.headers["X-Robots-Tag"]
    assert "no-store" in page.headers["Cache-Control"]
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in page.headers
    assert "<form" not in page.text


def test_a_code_alone_opens_nothing(office: Office) -> None:
    """What a person reads out on the telephone is no key; and no link leads to another."""
    first = link_on(office.try_login(password=GUESS)).removeprefix("/for-it/")
    second = link_on(office.try_login(url=MAIL, password=GUESS)).removeprefix("/for-it/")
    code, proof = first.split(".")
    assert len(proof) == 32

    for wrong in (
        code,
        f"{code}.",
        f"{code}.{proof[:-1]}",
        f"{code}.{proof}=",
        f"{code}.{proof.swapcase()}",
        f"{second.split('.')[0]}.{proof}",
        f"{code.lower()}.{proof}",
        f"{code.replace('-', '')}.{proof}",
        f".{proof}",
        f"{code}.{proof}.{proof}",
    ):
        assert opened(office, f"/for-it/{wrong}").status_code == 404, wrong
    assert opened(office, f"/for-it/{first}").status_code == 200


def test_it_closes_after_two_weeks_and_says_so_kindly(office: Office) -> None:
    path = link_on(office.try_login(password=GUESS))
    office.clock.advance(days=it_links.OPEN_FOR.days, seconds=-1)
    assert "This page closes on 2026-03-23" in said(opened(office, path))

    office.clock.advance(seconds=1)
    over = opened(office, path)

    assert over.status_code == 404
    assert "This page for IT is closed" in over.text
    assert "noindex" in over.headers["X-Robots-Tag"]
    code = path.split("/")[-1].split(".")[0]
    assert (
        "exchange_login_rejected"
        in office.app.test_cli_runner().invoke(args=["diagnosis", code]).output
    )


def test_it_cannot_be_asked_for_without_end(office: Office) -> None:
    path = link_on(office.try_login(password=GUESS))

    answers = [opened(office, "/for-it/AAAA-AAAA.x").status_code for _ in range(VIEWS)]
    assert set(answers) == {404}
    assert opened(office, path).status_code == 429
    office.clock.advance(minutes=10)
    assert opened(office, path).status_code == 200


def test_where_nothing_was_tried_there_is_no_link(office: Office) -> None:
    for _ in range(4):
        page = office.try_login(password=GUESS, url=MAIL)
    assert "paused_after_refusals" in page.text

    assert not link_on(page)


def test_the_operator_may_leave_the_addresses_out(tmp_path: Path) -> None:
    office = Office(tmp_path)
    try:
        text = said(opened(office, link_on(office.try_login(password=GUESS))))
    finally:
        office.close()

    assert "We call from" not in text


@pytest.mark.parametrize("locale", ["de", "ar"])
def test_it_speaks_the_language_of_who_opens_it(office: Office, locale: str) -> None:
    path = link_on(office.try_login(password=GUESS))

    page = opened(office, path, **{"Accept-Language": locale})

    assert f'lang="{locale}"' in page.text
    assert "What you can change" not in page.text
    assert f"?locale={'ar' if locale == 'de' else 'de'}" in page.text


def test_steps_and_code_are_still_there_in_another_language(office: Office) -> None:
    browser = office.browser()
    office.refuse("forbidden")
    opening = office.open(browser, provider_name="exchange")
    failed = office.press(browser, opening, email=ADA, password=PASSWORD, url=MAIL)
    action = re.search(r'<form method="post" action="([^"?]+)', failed.text)
    assert action
    german = re.search(r'href="(\?[^"]*locale=de)"', failed.text)
    assert german

    again = browser.get(action[1] + unescape(german[1]))

    assert again.status_code == 200
    code = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}", failed.text)
    assert code
    assert code[0] in again.text
    assert 'class="steps"' in again.text
    assert link_on(again) == link_on(failed)
    assert PASSWORD not in again.text


def test_another_reason_shows_no_steps_of_an_older_try(office: Office) -> None:
    browser = office.browser()
    page = office.open(browser, provider_name="exchange")
    failed = office.press(browser, page, email=ADA, password=GUESS, url=MAIL)
    action = re.search(r'<form method="post" action="([^"?]+)', failed.text)
    assert action

    other = browser.get(action[1] + "?reason=exchange_ews_off")

    assert 'class="steps"' not in other.text
    assert not link_on(other)
