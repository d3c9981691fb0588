"""No page leaves a person without a way on: back to the application, or to whoever can help."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from broker.services import applications
from tests.world import ADA, REDIRECT, World, csrf, form_action, query_of

HOME = "https://shop.example/"


@pytest.fixture
def shop(world: World) -> dict[str, str]:
    """An application that has told where it is."""
    with world.app.app_context():
        made, _ = applications.create(
            world.runtime, name="Shop", redirect_uris=[f"{HOME}cb"], scope="read_only", url=HOME
        )
        return {"client_id": made.client_id, "redirect_uri": f"{HOME}cb"}


@pytest.mark.parametrize("uri", [f"{HOME}cb/", "https://evil.example/", ""])
def test_a_link_that_leads_back_wrongly_leads_to_its_application(
    world: World, shop: dict[str, str], uri: str
) -> None:
    """product-behaviour 1.18: back to the application's own address, and never a redirect."""
    page = world.authorize(world.browser(), **shop | {"redirect_uri": uri})

    assert page.status_code == 400
    assert f'<a class="main" href="{HOME}">Back to Shop</a>' in page.text
    assert 'href="https://evil' not in page.text


@pytest.mark.parametrize("client_id", ["cli_unknown", "%00"])
def test_a_link_of_nobody_names_nobody(world: World, shop: dict[str, str], client_id: str) -> None:
    both = f"client_id={shop['client_id']}&client_id={client_id}&redirect_uri={HOME}cb"

    for query in (f"client_id={client_id}&redirect_uri={HOME}", both):
        page = world.browser().get(f"/oauth/authorize?{query}")

        assert page.status_code == 400
        assert "Shop" not in page.text
        assert HOME not in page.text


def stopped(world: World, browser: FlaskClient) -> TestResponse:
    """Come back from Google to a page that says it does not answer."""
    world.faults.set(ADA, "server_error_500", times=5)
    return world.arrive(browser, world.consent(world.leave(browser)))


def test_who_gives_up_after_a_failure_is_brought_back_with_word_of_it(world: World) -> None:
    browser = world.browser()
    page = stopped(world, browser)

    back = browser.post(form_action(page), data={"csrf_token": csrf(page)})

    assert re.search('<button class="quiet">Back to .*Acme Scheduling', page.text)
    assert back.headers["Location"].startswith(REDIRECT)
    assert query_of(back.headers["Location"])["error"] == "access_denied"


def test_an_administrator_reads_how_to_let_people_in(world: World) -> None:
    """product-behaviour 1.4: with the client id, before and after Google has stopped somebody."""
    browser = world.browser()
    before = world.open(browser, provider_name="google")
    after = browser.get(f"{form_action(before)}?reason=admin_policy_enforced")

    for page in (before, after):
        assert "API controls" in page.text
        assert world.settings.google
        assert world.settings.google.client_id in page.text


def test_what_google_says_about_editing_is_set_right(world: World) -> None:
    """product-behaviour 1.4: its one text for all alarms those who allow reading only."""
    asked = world.open(world.browser(), provider_name="google")
    profile_id = world.profile(world.connected(ADA))["profile_id"]
    renewed = world.renewing(world.browser(), profile_id)

    assert "Only what is listed above will be done" in asked.text
    assert "listed above" not in renewed.text


def test_the_bare_address_says_where_one_is(world: World) -> None:
    page = world.browser().get("/")

    assert page.status_code == 200
    assert "Connections begin in an application" in page.text
    assert "Set-Cookie" not in page.headers
