"""Without scripts a page waits while a typed login is tried, and goes on by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from broker.models import db
from sandbox.exchange.seed import ADA, PASSWORD
from tests.flows.test_connect_exchange import GUESS, HOSTER, Office, reason_of
from tests.world import REDIRECT, csrf, form_action


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.close()


def sent(
    office: Office, browser: FlaskClient, page: TestResponse, **typed: str
) -> tuple[str, Iterator[bytes]]:
    """Send a form as a browser without scripts does; gives what comes at once, and the rest."""
    fields = {"csrf_token": csrf(page), "email": ADA, "password": PASSWORD, "without_scripts": "1"}
    answer = browser.post(form_action(page), data=fields | typed)
    assert 200 == answer.status_code
    assert "no" == answer.headers["X-Accel-Buffering"]
    parts = answer.iter_encoded()
    return next(parts).decode(), parts


def change(office: Office, statement: str) -> None:
    """Change the database past every layer."""
    with office.app.app_context(), db.engine.begin() as connection:
        connection.execute(text(statement))


def led_to(rest: Iterator[bytes]) -> str:
    """Give where a page leads on that is no longer waiting, by itself and by its link."""
    html = b"".join(rest).decode()
    found = re.search(r'<meta http-equiv="refresh" content="0;url=([^"]+)">', html)
    assert found, html
    assert f'<a class="main" href="{found[1]}">' in html
    return unescape(found[1])


def test_the_page_is_there_before_the_login_is_tried_and_leads_back(office: Office) -> None:
    browser = office.browser()
    page = office.open(browser, provider_name="exchange")
    assert '<noscript><input name="without_scripts" value="1" hidden>' in page.text

    shown, rest = sent(office, browser, page)

    assert "<h1>Looking for your mail server…</h1>" in shown
    assert not list(office.remote.calls)
    uri = led_to(rest)
    assert uri.startswith(f"{REDIRECT}?code=")
    assert office.profile(office.exchange(uri))["profile_connected"]


def test_a_failure_is_shown_by_an_address_that_can_be_loaded_again(office: Office) -> None:
    """Nobody sends a password twice: neither the page by itself nor who loads it again."""
    browser = office.browser()
    page = office.open(browser, provider_name="exchange")

    shown, rest = sent(office, browser, page, password=GUESS)
    where = led_to(rest)

    pages = [browser.get(where) for _ in range(2)]
    assert ["exchange_login_rejected"] * 2 == [reason_of(one) for one in pages]
    assert office.refusals == 1
    assert f'value="{ADA}"' in pages[0].text
    assert 'class="steps"' in pages[0].text
    assert GUESS not in shown + where + pages[0].text

    # What nobody foresaw has a page, too: a page that is out cannot be answered any more.
    change(office, "DROP TABLE diagnoses")
    _, rest = sent(office, browser, pages[0], password=PASSWORD)
    assert led_to(rest).endswith("reason=unexpected")


def test_a_host_is_asked_about_and_an_attempt_that_ended_meanwhile_says_so(office: Office) -> None:
    office.refuse("autodiscover", style="ews_outsider")
    browser = office.browser()
    page = office.open(browser, provider_name="exchange")
    _, rest = sent(office, browser, page)

    asked = browser.get(led_to(rest))

    assert f'<bdi dir="ltr">mail.{HOSTER}</bdi>' in asked.text
    carried = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', asked.text))
    _, rest = sent(office, browser, asked, **carried)
    change(office, "UPDATE connect_attempts SET finished_at = expires_at, wrapped_flow = NULL")
    over = browser.get(led_to(rest))
    assert "attempt_used" in over.text
    assert office.count("connections") == 0
