"""The search leads to a host that nobody named: the person sees it and decides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape
from werkzeug.test import TestResponse

from sandbox.radicale import USER, add_calendar, create_wsgi
from sandbox.radicale_events import Calendar, event, wrap
from tests import faults
from tests.world import World, csrf, form_action, query_of
from tests.wsgi_adapter import WsgiAdapter

TYPED, PASSWORD = "http://dav.test/", "sandbox"
OTHER = "cloud.test"


class TwoHosts(World):
    """A broker, a host that redirects, and the one with the calendars."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        place = folder / "radicale"
        radicale = create_wsgi(place, [], seeded=False)
        lines = ("SUMMARY:Dentist", "DTSTART:20260312T090000Z", "DTEND:20260312T093000Z")
        one = {"one.ics": wrap("-//Tests//EN", event("one", *lines))}
        add_calendar(place, USER, Calendar("home", "Home", "#112233FF"), one)
        first = faults.Faulty(radicale)
        first.add(
            faults.status(301, Location=f"https://{OTHER}/"),
            applies=lambda e: e["PATH_INFO"] == "/.well-known/caldav",
        )
        first.add(faults.status(404))
        self.first, self.second = WsgiAdapter(first), WsgiAdapter(radicale)
        mounts = {TYPED: self.first, f"https://{OTHER}/": self.second}
        super().__init__(folder, mounts=mounts, **changes)

    def send(self, browser: Any = None, **typed: str) -> TestResponse:
        """Send the form of a new attempt."""
        browser = browser or self.browser()
        page = self.open(browser, provider_name="caldav")
        fields = {"url": TYPED, "username": USER, "password": PASSWORD}
        return self.press(browser, page, **fields | typed)

    def agree(self, browser: Any, page: TestResponse, **changes: str) -> TestResponse:
        """Press yes on the page that asks, with the password typed anew."""
        inputs = re.findall(r'<input[^>]*type="hidden"[^>]*>', page.text)
        pairs = [re.findall(r'(?:name|value)="([^"]*)"', found) for found in inputs]
        fields = {name: value for name, value in pairs if name != "csrf_token"}
        return self.press(browser, page, **fields | {"password": PASSWORD} | changes)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[TwoHosts]:
    made = TwoHosts(tmp_path)
    yield made
    made.close()


def test_the_host_is_shown_before_it_gets_the_password(hosts: TwoHosts) -> None:
    page = hosts.send()

    assert page.status_code == 200
    assert "Is this your calendar&#39;s server?" in page.text
    assert f'<bdi dir="ltr">{OTHER}</bdi>' in page.text
    assert hosts.second.calls == []
    assert hosts.count("connections") == 0
    assert PASSWORD not in page.text.replace("sandbox.test", "")


def test_yes_connects(hosts: TwoHosts) -> None:
    browser = hosts.browser()

    answer = hosts.agree(browser, hosts.send(browser))

    assert answer.status_code == 303, answer.text
    tokens = hosts.exchange(answer.headers["Location"])
    hosts.work()
    assert [found["summary"] for found in hosts.events(tokens)] == ["Dentist"]


def test_no_leads_back_to_what_was_typed(hosts: TwoHosts) -> None:
    browser = hosts.browser()
    page = hosts.send(browser)
    back = re.search(r'<a class="quiet" href="([^"]+)"', page.text)
    assert back

    form = browser.get(back[1])

    assert f'value="{TYPED}"' in form.text
    assert f'value="{USER}"' in form.text
    assert "sandbox" not in form.text.split('name="password"')[1].split(">")[0]
    assert 'name="confirmed"' not in form.text


def test_the_way_back_to_the_application_is_there(hosts: TwoHosts) -> None:
    browser = hosts.browser()
    page = hosts.send(browser)
    place = re.search(r'action="([^"]+/cancel[^"]*)"', page.text)
    assert place

    answer = browser.post(place[1], data={"csrf_token": csrf(page)})

    assert query_of(answer.headers["Location"])["error"] == "access_denied"
    assert hosts.second.calls == []


def test_a_wrong_password_is_asked_for_again_but_the_host_is_not(hosts: TwoHosts) -> None:
    browser = hosts.browser()
    refused = hosts.agree(browser, hosts.send(browser), password="wrong")

    assert refused.status_code == 400
    assert "The server did not accept this login" in refused.text
    again = hosts.agree(browser, refused, url=TYPED, username=USER)
    assert again.status_code == 303


@pytest.mark.parametrize("changed", ["url", "username", "confirmed", "confirmed_for"])
def test_a_yes_holds_for_what_was_asked_only(hosts: TwoHosts, changed: str) -> None:
    browser = hosts.browser()
    other = {"url": "http://dav.test/x", "confirmed": "evil.test"}

    page = hosts.agree(browser, hosts.send(browser), **{changed: other.get(changed, "else")})

    assert page.status_code == 200
    assert f'<bdi dir="ltr">{OTHER}</bdi>' in page.text
    assert hosts.second.calls == []


def test_another_site_cannot_say_yes(hosts: TwoHosts) -> None:
    browser = hosts.browser()
    page = hosts.send(browser)
    fields = {"url": TYPED, "username": USER, "password": PASSWORD}
    fields |= {"confirmed": OTHER, "confirmed_for": f"{TYPED} {USER}"}

    answer = browser.post(form_action(page), data=fields)

    assert "This page was open for too long" in answer.text
    assert hosts.second.calls == []


def test_the_agreement_comes_along(tmp_path: Path) -> None:
    hosts = TwoHosts(tmp_path, terms_url="https://op.example/terms")
    browser = hosts.browser()

    page = hosts.send(browser, agree="y")

    assert hosts.agree(browser, page).status_code == 303
    hosts.close()


def test_a_question_is_no_refusal(hosts: TwoHosts) -> None:
    for _ in range(6):
        assert hosts.send().status_code == 200

    assert not hosts.rows("SELECT 1 FROM login_refusals WHERE refusals > 0")
    assert {row[0] for row in hosts.rows("SELECT reason FROM diagnoses")} == {"host_unconfirmed"}


@pytest.mark.parametrize(
    ("typed", "instead"),
    [
        ("http://calendar.example", "https://calendar.example/"),
        ("https://ada:hunter2@calendar.example/dav/", "https://calendar.example/dav/"),
        ("caldav://calendar.example/dav/", "https://calendar.example/dav/"),
        ("http://calendar.example/<b>", "https://calendar.example/&lt;b&gt;"),
    ],
)
def test_an_address_that_will_not_do_comes_with_what_to_write(
    hosts: TwoHosts, typed: str, instead: str
) -> None:
    page = hosts.send(url=typed)

    beside = re.search(r'<p class="error" id="url-error">(.+)</p>', page.text)
    assert beside
    assert beside[1] == f"Write this instead: <bdi>{instead}</bdi>"
    assert f'value="{escape(typed.replace(":hunter2", ""))}"' in page.text
    assert "hunter2" not in page.text
