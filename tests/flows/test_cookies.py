"""Whoever begins is asked to show that the browser keeps our cookie, and can begin again."""

from __future__ import annotations

import html
from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from tests.world import ADA, REDIRECT, World, csrf, form_action, query_of


def address_for(**params: str) -> str:
    query = {
        "response_type": "code",
        "client_id": "sandbox-app",
        "redirect_uri": REDIRECT,
        "scope": "read_account",
    }
    return "/oauth/authorize?" + urlencode(query | params)


def retry(page: TestResponse) -> str:
    """Give where the main button of a page leads."""
    return html.unescape(page.text.partition('class="main" href="')[2].partition('"')[0])


@pytest.mark.parametrize("state", [None, "", "a b+c&d=é%00\"'<x>?"])
def test_without_cookies_the_person_is_told_and_can_begin_again(
    world: World, state: str | None
) -> None:
    """product-behaviour 1.18: a restart button that keeps the parameters."""
    address = address_for(**({} if state is None else {"state": state}))

    page = world.begin(world.app.test_client(use_cookies=False), address)

    assert page.status_code == 400
    assert "does not keep cookies" in page.text
    assert "Acme Scheduling" in page.text
    assert world.count("connect_attempts") == 0
    browser = world.browser()
    form = browser.get(world.begin(browser, retry(page)).headers["Location"])
    cancel = f"/connect/{form_action(form).split('/')[2]}/cancel"
    back = browser.post(cancel, data={"csrf_token": csrf(form)}).headers["Location"]
    assert query_of(back, keep_blank_values=True).get("state") == state


def test_the_language_stays(world: World) -> None:
    page = world.begin(world.app.test_client(use_cookies=False), address_for(locale="ar"))

    assert '<html lang="ar" dir="rtl">' in page.text
    assert "locale=ar" in retry(page)


def test_a_browser_that_keeps_its_cookie_is_not_asked_again(world: World) -> None:
    browser = world.browser()
    first = browser.get(address_for())
    second = browser.get(first.headers["Location"])
    third = browser.get(address_for())

    assert first.headers["Location"].startswith("/oauth/authorize?")
    for answer in (second, third):
        assert answer.headers["Location"].startswith("/connect/")


def test_a_relink_without_cookies_is_told_too(world: World) -> None:
    tokens = world.connected(ADA)
    address = f"/relink/{world.profile(tokens)['profile_id']}"

    page = world.begin(world.app.test_client(use_cookies=False), address)

    assert "does not keep cookies" in page.text
    assert retry(page) == f"{address}?"


def test_what_is_wrong_with_a_request_is_said_without_a_detour(world: World) -> None:
    browser = world.app.test_client(use_cookies=False)

    unknown = browser.get(address_for(client_id="cli_unknown"))
    refused = browser.get(address_for(scope="nonsense"))

    assert unknown.status_code == 400
    assert query_of(refused.headers["Location"])["error"] == "invalid_scope"
