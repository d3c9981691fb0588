"""A company's Exchange on its worst days: each has its reason, its step, and a page that says so.

One company has them all, one after the other and a day apart: what a day leaves behind is over
by the next, for the guard of logins and for the directory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from broker.web.words import words_for
from broker.web.words_it import ADVICE
from sandbox.exchange.seed import GRACE
from tests.flows.test_connect_exchange import MAIL, Office, reason_of
from tests.flows.test_it_link import link_on

Params = dict[str, object]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    made = Office(tmp_path_factory.mktemp("company"))
    # What dawdles takes the time of our clock, and none of the test's.
    made.remote.listening.front.sleep = lambda seconds: made.clock.advance(seconds=seconds)
    yield made
    made.close()


@pytest.fixture
def office(company: Office) -> Office:
    company.remote.faults.clear()
    company.clock.advance(days=1)
    return company


CASES: list[tuple[str, Params, str, str]] = [
    # What Windows says 401 to, whatever the cause.
    ("locked", {}, "exchange_login_rejected", "login"),
    ("disabled", {}, "exchange_login_rejected", "login"),
    ("password_expired", {}, "exchange_login_rejected", "login"),
    ("spurious_401", {}, "exchange_login_rejected", "login"),
    ("extended_protection", {"style": "bridged"}, "exchange_login_rejected", "login"),
    # What Exchange says of an account that Windows let in.
    ("response", {"style": "ErrorPasswordExpired"}, "exchange_account_closed", "login"),
    ("response", {"style": "ErrorAccountDisabled"}, "exchange_account_closed", "login"),
    ("fault", {"style": "ErrorPasswordChangeRequired"}, "exchange_account_closed", "login"),
    # Ways to sign in that a typed password cannot take.
    ("mfa_only", {}, "exchange_no_password_login", "login"),
    ("schemes", {"style": "kerberos"}, "exchange_no_password_login", "login"),
    ("schemes", {"style": "bearer"}, "exchange_no_password_login", "login"),
    ("challenge_loop", {}, "exchange_login_interrupted", "login"),
    # A server that asks nobody has checked no password: anyone could be taken for anyone.
    ("schemes", {"style": "none"}, "exchange_no_login_asked", "login"),
    # What stands in front.
    ("login_page", {}, "exchange_not_ews", "discovery"),
    ("login_redirect", {}, "exchange_sign_in_page", "discovery"),
    ("login_redirect", {"style": "error"}, "provider_unavailable", "discovery"),
    ("login_timeout", {}, "exchange_sign_in_page", "discovery"),
    ("forbidden", {}, "exchange_ews_off", "discovery"),
    ("agent_blocked", {"style": "calbroker"}, "exchange_ews_off", "discovery"),
    ("not_found", {}, "exchange_not_ews", "discovery"),
    ("not_implemented", {}, "exchange_not_ews", "discovery"),
    ("server_error", {}, "provider_unavailable", "discovery"),
    ("bad_gateway", {}, "provider_unavailable", "discovery"),
    ("unavailable", {"seconds": 7}, "rate_limited", "discovery"),
    ("unavailable", {"style": "bare"}, "rate_limited", "discovery"),
    ("certificate", {"style": "wrong_name"}, "certificate_wrong_name", "tls"),
    ("certificate", {"style": "expired"}, "certificate_expired", "tls"),
    ("certificate", {"style": "unknown_ca"}, "certificate_untrusted", "tls"),
    # Connections that end, and answers that do not.
    ("reset_before", {}, "provider_unavailable", "discovery"),
    ("slow", {"seconds": 60}, "provider_unavailable", "discovery"),
    ("reset_after", {}, "provider_unavailable", "mailbox"),
    ("truncated_body", {}, "provider_unavailable", "mailbox"),
    ("drip", {"seconds": 60}, "provider_unavailable", "mailbox"),
    ("endless_body", {}, "unreadable_answer", "mailbox"),
    ("gzip_bomb", {}, "unreadable_answer", "mailbox"),
    ("truncated_xml", {}, "unreadable_answer", "mailbox"),
    ("dtd", {}, "unreadable_answer", "mailbox"),
    ("dtd", {"style": "file"}, "unreadable_answer", "mailbox"),
    # What Exchange says of the mailbox, in its three shapes and more.
    ("busy", {}, "rate_limited", "mailbox"),
    ("busy", {"style": "response"}, "rate_limited", "mailbox"),
    ("busy", {"style": "inner"}, "rate_limited", "mailbox"),
    ("response", {"style": "ErrorAccessDenied"}, "exchange_ews_off", "mailbox"),
    ("response", {"style": "ErrorSomethingNew"}, "unreadable_answer", "mailbox"),
    ("mailbox_moved", {}, "provider_unavailable", "mailbox"),
    ("mailbox_moved", {"style": "ErrorNonExistentMailbox"}, "exchange_no_mailbox", "mailbox"),
    ("fault", {}, "provider_unavailable", "mailbox"),
]


@pytest.mark.parametrize(("fault", "params", "reason", "step"), CASES)
def test_a_bad_day_has_its_words_and_its_step(
    office: Office, fault: str, params: Params, reason: str, step: str
) -> None:
    office.refuse(fault, **params)
    before = office.refusals

    page = office.try_login(url=MAIL)

    assert (page.status_code, reason_of(page)) == (400, reason)
    assert f"<strong>{words_for(reason).title}</strong>".replace("'", "&#39;") in page.text
    assert office.refusals <= before + 1
    assert office.count("connections") == 0
    # What was typed stays, and nothing that a server said comes through.
    assert office.is_unfolded(page)
    assert f'value="{MAIL}"' in page.text
    told = "owa/auth logonForm nginx Exception /etc/ well-formed ENTITY ErrorSomething".split()
    assert not [one for one in told if one in page.text]
    # IT has a page, and something to do there.
    assert link_on(page)
    assert reason in ADVICE
    code = re.search(r"<dt>Code</dt><dd><bdi[^>]*>([-0-9A-Z]+)", page.text)
    assert code
    shown = office.app.test_cli_runner().invoke(args=["diagnosis", code[1]])
    assert re.search(rf"^{step} +failed", shown.output, re.MULTILINE), shown.output


@pytest.mark.parametrize("fault", ["control_characters", "byte_order_mark"])
def test_what_servers_let_slip_into_their_answers_stops_nobody(office: Office, fault: str) -> None:
    office.refuse(fault)

    tokens = office.connected_by_password(email=GRACE, url=MAIL)

    assert office.profile(tokens)["profile_connected"]
    office.revoke_profile(tokens)
    office.work()
