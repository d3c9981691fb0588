"""A person connects a company's Exchange: the stand-in, over TLS and with real NTLM."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from broker.clock import FixedClock
from sandbox.exchange.accounts import DOMAIN
from sandbox.exchange.seed import ADA, ALAN, GRACE, PASSWORD
from tests.providers.exchange_remote import USER, ExchangeRemote
from tests.world import BROKER, NOW, REDIRECT, Tokens, World, query_of
from tests.wsgi_adapter import WsgiAdapter

GUESS = "marked-wrong-password"
MAIL = f"mail.{DOMAIN}"
HOSTER = "outsider.test"
REALM = "https://login.microsoftonline.com/"


class Office(World):
    """A broker, and a company whose Exchange is found under its own names."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        clock = FixedClock(NOW)
        self.remote = ExchangeRemote(folder / "exchange", clock, self._caller())
        listening = self.remote.listening
        self.realm = WsgiAdapter(Response('{"NameSpaceType":"Unknown"}'))
        super().__init__(
            folder,
            mounts={REALM: self.realm},
            clock=clock,
            allowed_hosts=("127.0.0.1",),
            detours={name: ("127.0.0.1", listening.server.port) for name in (DOMAIN, HOSTER)},
            extra_ca_file=listening.ca_file,
            **changes,
        )

    def _caller(self) -> requests.Session:
        """Give what the company's server calls us with, whenever its pusher is told to."""
        caller = requests.Session()
        caller.mount(BROKER, WsgiAdapter(lambda *call: self.app(*call)))
        return caller

    def close(self) -> None:
        """Stop the company's server too."""
        super().close()
        self.remote.close()

    @property
    def refusals(self) -> int:
        """How many bad logons the company's directory has counted for Ada."""
        return self.remote.ada.person.bad_logons

    def try_login(self, browser: Any = None, **typed: str) -> TestResponse:
        """Send the form."""
        browser = browser or self.browser()
        page = self.open(browser, provider_name="exchange")
        return self.press(browser, page, **{"email": ADA, "password": PASSWORD} | typed)

    def connected_by_password(self, **typed: str) -> Tokens:
        """Take a person all the way."""
        answer = self.try_login(**typed)
        assert answer.status_code == 303, answer.text
        return self.exchange(answer.headers["Location"])

    def is_unfolded(self, page: TestResponse) -> bool:
        """Tell whether the two fields that may help are open to see."""
        found = re.search(r"<details( open)?>\s*<summary>Having trouble", page.text)
        assert found, page.text
        return found[1] is not None

    def refuse(self, fault: str, **params: Any) -> None:
        """Let the company's server have a bad day."""
        self.remote.faults.set(None, fault, **params)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.close()


def reason_of(page: TestResponse) -> str:
    """Give the code that is shown to the IT department."""
    found = re.search(r"<dt>Reason</dt><dd><bdi[^>]*>(\w+)", page.text)
    return found[1] if found else ""


def test_an_address_and_a_password_are_enough(office: Office) -> None:
    browser = office.browser()
    page = office.open(browser, provider_name="exchange")
    assert not office.is_unfolded(page)

    answer = office.press(browser, page, email=ADA, password=PASSWORD)

    assert answer.status_code == 303, answer.text
    assert answer.headers["Location"].startswith(REDIRECT + "?code=")
    tokens = office.exchange(answer.headers["Location"])
    office.work()
    profile = office.profile(tokens)
    assert (profile["provider_name"], profile["profile_name"]) == ("exchange", ADA)
    assert profile["profile_connected"] is True
    assert profile["profile_initial_sync_required"] is False
    assert len(office.events(tokens)) > 5
    crossing = office.rows("SELECT DISTINCT kind FROM tasks WHERE login_id IS NULL")
    assert [kind for (kind,) in crossing] == ["roll_window"]


@pytest.mark.parametrize(
    "typed",
    [
        {"url": MAIL},
        {"url": f"https://{MAIL}/owa/", "username": USER},
        {"url": f"https://{MAIL}/EWS/Exchange.asmx", "username": "corp/ada"},
        {"username": ADA},
        {"email": ALAN, "username": "CORP\\aturing"},
    ],
)
def test_server_and_user_name_help_in_every_shape(office: Office, typed: dict[str, str]) -> None:
    assert office.profile(office.connected_by_password(**typed))["profile_connected"]


def test_the_same_mailbox_again_is_the_same_account(office: Office) -> None:
    """B7: however it was typed."""
    first = office.connected_by_password()
    second = office.connected_by_password(url=MAIL, username=USER)

    assert second.sub == first.sub
    assert office.count("connections") == 1


def test_ones_own_password_and_a_colleagues_address_are_not_the_colleague(office: Office) -> None:
    """B7: whose mailbox it is, the server says."""
    colleague = office.connected_by_password(email=GRACE)
    tokens = office.connected_by_password(email=GRACE, url=MAIL, username=USER)

    assert tokens.sub != colleague.sub
    assert office.profile(tokens)["profile_name"] != GRACE


def test_a_change_is_found_by_polling(office: Office) -> None:
    tokens = office.connected_by_password()
    office.work()
    begin = NOW + timedelta(days=1)
    office.remote.add_event("Lunch with Charles", begin, begin + timedelta(hours=1))

    office.clock.advance(minutes=10)
    office.work()

    assert "Lunch with Charles" in {e["summary"] for e in office.events(office.renew(tokens))}


@pytest.mark.parametrize("name", ["", USER])
def test_a_wrong_password_costs_one_refused_login_and_keeps_the_rest(
    office: Office, name: str
) -> None:
    """C4, C5: one refusal a submission, no retry; the password is never echoed."""
    page = office.try_login(password=GUESS, username=name)

    assert page.status_code == 400
    assert office.refusals == 1
    assert office.is_unfolded(page)
    assert reason_of(page) == "exchange_login_rejected"
    assert GUESS not in page.text
    assert f'value="{ADA}"' in page.text
    assert not name or 'value="CORP\\ada"' in page.text
    assert office.count("connections") == 0


def test_guessing_is_paused_before_the_directory_locks_the_account(office: Office) -> None:
    """C4: whichever way the same account is tried."""
    ways = [{}, {"url": MAIL}, {"url": MAIL, "username": ADA}, {"url": f"https://{MAIL}/owa"}, {}]
    pages = [office.try_login(password=f"{GUESS}{n}", **way) for n, way in enumerate(ways)]

    assert office.refusals <= 4
    assert reason_of(pages[-1]) == "paused_after_refusals"
    office.clock.advance(minutes=45)
    assert office.try_login().status_code == 303


def test_one_account_is_not_guessed_at_under_many_addresses(office: Office) -> None:
    """C4: the user name counts, however it is written and whatever address stands above it."""
    names = ["CORP/ada", f"{DOMAIN}\\ada", "\\CORP\\ada", ADA, f"\\{ADA}", "CORP\\ada"]
    for n, name in enumerate(names):
        office.try_login(
            email=f"nobody{n}@{DOMAIN}", url=MAIL, username=name, password=f"{GUESS}{n}"
        )

    assert office.refusals <= 4


def test_no_name_ends_before_it_was_counted(office: Office) -> None:
    """C4: with Basic the server would read it up to the colon, so that each were Ada's."""
    office.refuse("schemes", style="basic")
    page = office.try_login(url=MAIL, username="CORP\\ada:1", password=GUESS)

    assert "no colon in it" in page.text
    assert office.is_unfolded(page)
    assert office.refusals == 0


def test_a_server_of_ones_own_ends_no_pause_of_somebody_elses_address(office: Office) -> None:
    """C4: what anybody can prove at a server of their own says nothing of the real one."""
    for n in range(3):
        office.try_login(password=f"{GUESS}{n}")
    own = office.remote.url
    assert office.try_login(url=own, username=GRACE).status_code == 303

    for n in range(3, 6):
        page = office.try_login(password=f"{GUESS}{n}")

    assert reason_of(page) == "paused_after_refusals"
    assert office.refusals <= 4


@pytest.mark.parametrize(
    ("style", "reason", "step", "unfolds"),
    [
        ("missing", "exchange_not_found", "discovery", True),
        ("500", "exchange_no_mailbox", "discovery", True),
        ("cloud", "use_office365", "discovery", False),
    ],
)
def test_a_search_that_fails_says_what_helps(
    office: Office, style: str, reason: str, step: str, unfolds: bool
) -> None:
    office.refuse("autodiscover", style=style)
    page = office.try_login()

    assert (reason_of(page), office.is_unfolded(page)) == (reason, unfolds)
    (code,) = office.rows("SELECT code FROM diagnoses")[0]
    shown = office.app.test_cli_runner().invoke(args=["diagnosis", code])
    assert re.search(rf"^{step} +failed", shown.output, re.MULTILINE), shown.output
    # It is in the list of requests below, where it belongs, and in none of the steps.
    steps, _, requests = shown.output.partition("\n    ")
    assert "microsoftonline" not in steps
    assert requests
    if style == "missing":
        assert f"SRV _autodiscover._tcp.{DOMAIN}  nothing found" in requests
        assert f"MX {DOMAIN}  nothing found" in requests


def test_a_refused_certificate_is_no_fault_of_the_stand_in(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it says on its error output is shown to whoever runs everything here."""
    office.refuse("certificate", style="expired")
    office.try_login(url=MAIL)
    office.remote.close()

    assert "Traceback" not in capsys.readouterr().err


def test_the_doctor_tells_of_the_host_that_came_furthest(office: Office) -> None:
    """The search goes on elsewhere when a server refuses; IT has to know which one that was."""
    office.refuse("forbidden")
    office.try_login()

    (code,) = office.rows("SELECT code FROM diagnoses")[0]
    shown = office.app.test_cli_runner().invoke(args=["diagnosis", code]).output
    assert re.search(rf"^address +ok +{DOMAIN}", shown, re.MULTILINE), shown
    assert re.search(rf"^discovery +failed +{MAIL}", shown, re.MULTILINE), shown


def test_a_foreign_host_is_shown_before_it_gets_the_password(office: Office) -> None:
    """C1."""
    office.refuse("autodiscover", style="ews_outsider")

    page = office.try_login()

    assert page.status_code == 200
    assert '<bdi dir="ltr">mail.outsider.test</bdi>' in page.text
    assert f'name="email" value="{ADA}"' in page.text
    assert PASSWORD not in page.text


def test_a_hosters_server_may_be_said_yes_to(office: Office) -> None:
    """C1: only then does the password go there, and a colleague is asked again (C7)."""
    office.refuse("autodiscover", style="ews_outsider")
    browser = office.browser()
    asked = office.try_login(browser)
    carried = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', asked.text)

    agreed = office.press(browser, asked, **{**dict(carried), "password": PASSWORD})

    assert agreed.status_code == 303, agreed.text
    assert office.profile(office.exchange(agreed.headers["Location"]))["profile_connected"]
    colleague = office.try_login(email=GRACE)
    assert f'<bdi dir="ltr">mail.{HOSTER}</bdi>' in colleague.text


def test_addresses_that_we_do_not_connect_to_are_refused(office: Office) -> None:
    for url in ("http://mail.example", "https://10.0.0.1/", "https://mail.example:22/", "::::"):
        page = office.try_login(url=url)
        assert page.status_code == 400
        assert office.is_unfolded(page)
        assert reason_of(page).startswith("address_")


def test_a_password_changed_later_disconnects_at_once(office: Office) -> None:
    """One refused password stops every job of that credential."""
    tokens = office.connected_by_password()
    office.work()
    office.refuse("password_changed")
    before = office.refusals
    office.clock.advance(hours=2)

    office.work()

    profile = office.profile(tokens)
    assert profile["profile_connected"] is False
    assert profile["profile_relink_url"]
    assert office.refusals == before + 1
    assert office.events(office.renew(tokens))
    office.clock.advance(days=2)
    assert office.work() == 0
    assert office.refusals == before + 1


def test_a_relink_heals(office: Office) -> None:
    tokens = office.connected_by_password()
    office.work()
    profile_id = office.profile(tokens)["profile_id"]
    office.refuse("password_changed")
    office.clock.advance(hours=2)
    office.work()
    office.remote.faults.clear()
    browser = office.browser()
    page = office.renewing(browser, profile_id)

    done = browser.get(
        office.press(browser, page, email=ADA, password=PASSWORD).headers["Location"]
    )
    office.work()

    assert "connected again" in done.text
    healed = office.profile(tokens)
    assert (healed["profile_id"], healed["profile_connected"]) == (profile_id, True)


def test_a_relink_with_another_login_is_refused(office: Office) -> None:
    """B7."""
    profile_id = office.profile(office.connected_by_password())["profile_id"]
    browser = office.browser()
    page = office.renewing(browser, profile_id)

    refused = office.press(browser, page, email=GRACE, password=PASSWORD)

    assert refused.status_code == 400
    assert "different account" in refused.text


def test_leaving_shreds_the_password(office: Office) -> None:
    """D3."""
    tokens = office.connected_by_password()
    office.work()

    office.revoke_profile(tokens)
    office.work()

    assert office.count("connections") == 0
    assert office.work() == 0


def test_the_form_needs_address_and_password(office: Office) -> None:
    for name in ("email", "password"):
        assert office.try_login(**{name: ""}).status_code == 400
    for name in ("email", "password", "url", "username"):
        assert office.try_login(**{name: "x" * 5_000}).status_code == 400
    for email in ("ada", "ada@corp", "ada@corp..test", "https://corp.test"):
        assert office.try_login(email=email).status_code == 400
    assert office.is_unfolded(office.try_login(url=ADA))
    assert not list(office.remote.calls)


def test_what_the_application_asked_for_is_kept(office: Office) -> None:
    assert query_of(office.try_login().headers["Location"])["state"] == "partner-state"


def test_a_mailbox_that_has_moved_away_says_so_and_what_was_read_stays(office: Office) -> None:
    tokens = office.connected_by_password()
    office.work()
    before = len(office.events(tokens))
    office.refuse("mailbox_moved", style="ErrorNonExistentMailbox")

    office.clock.advance(hours=1)
    office.work()

    profile = office.profile(tokens)
    assert profile["profile_connected"] is True
    assert profile["profile_sync"]["reason"] == "server_moved"
    assert "connect the calendar again" in profile["profile_sync"]["reason_text"]
    assert len(office.events(office.renew(tokens))) == before
    office.remote.faults.clear()
    office.clock.advance(hours=2)
    office.work()
    assert "reason" not in office.profile(tokens)["profile_sync"]
