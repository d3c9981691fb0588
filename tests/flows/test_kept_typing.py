"""What was typed is still there when the page is loaded again, the password excepted."""

from __future__ import annotations

from broker.services import typed_values
from tests.world import World, csrf, form_action

EMAIL, SECRET = "ada@icloud.com", "marked-Secret1"


def test_the_address_outlives_the_page(world: World) -> None:
    browser = world.browser()
    page = world.open(browser, provider_name="apple")
    world.press(browser, page, email=EMAIL, app_code=SECRET)

    again = browser.get(form_action(page))

    assert again.status_code == 200
    assert f'value="{EMAIL}"' in again.text
    assert SECRET not in again.text


def test_it_is_kept_even_when_the_password_was_left_out(world: World) -> None:
    browser = world.browser()
    page = world.open(browser, provider_name="apple")
    world.press(browser, page, email=EMAIL)

    assert f'value="{EMAIL}"' in browser.get(form_action(page)).text


def test_each_provider_keeps_its_own(world: World) -> None:
    browser = world.browser()
    page = world.open(browser, provider_name="apple")
    world.press(browser, page, email=EMAIL, app_code=SECRET)

    other = browser.get(form_action(page).replace("/apple", "/caldav"))

    assert EMAIL not in other.text


def test_another_browser_and_another_attempt_see_nothing(world: World) -> None:
    browser = world.browser()
    page = world.open(browser, provider_name="apple")
    world.press(browser, page, email=EMAIL, app_code=SECRET)

    assert EMAIL not in world.browser().get(form_action(page)).text
    assert EMAIL not in world.open(browser, provider_name="apple").text


def test_it_is_sealed_and_no_secret_is_in_it(world: World) -> None:
    browser = world.browser()
    page = world.open(browser, provider_name="apple")
    world.press(browser, page, email=EMAIL, app_code=SECRET)

    (row,) = world.rows("SELECT id, wrapped_flow FROM connect_attempts")
    assert EMAIL.encode() not in row.wrapped_flow
    plain = world.runtime.vault.unwrap(row.wrapped_flow, f"connect_attempts:{row.id}:flow")
    assert EMAIL.encode() in plain
    assert SECRET.encode() not in plain


def test_a_sign_in_under_way_elsewhere_is_not_disturbed(world: World) -> None:
    browser = world.browser()
    back = world.consent(world.leave(browser))
    (attempt_id,) = world.rows("SELECT id FROM connect_attempts")[0]
    place = world.authorize(browser).headers["Location"].rsplit("/", 1)[0]
    assert place

    with world.app.app_context():
        attempt = type("Attempt", (), {"id": attempt_id})()
        typed_values.keep(world.runtime, attempt, "apple", {"email": EMAIL})

    arrived = world.arrive(browser, back)
    assert arrived.headers["Location"].startswith(world.own["redirect_uri"])


def test_an_old_token_keeps_nothing(world: World) -> None:
    browser = world.browser()
    page = world.open(browser, provider_name="apple")
    browser.post(form_action(page), data={"csrf_token": csrf(page) + "x", "email": EMAIL})

    assert EMAIL not in browser.get(form_action(page)).text


def test_a_password_inside_an_address_is_a_secret_too(world: World) -> None:
    browser = world.browser()
    page = world.open(browser, provider_name="caldav")
    url = f"https://ada:{SECRET}@dav.example.com/home/"

    shown = [
        world.press(browser, page, url=url, username="ada", password="x"),
        world.press(browser, page, url=url, username="ada"),
        world.press(browser, page, url=url, csrf_token="old"),
        browser.get(form_action(page)),
    ]

    for one in shown:
        assert "https://ada@dav.example.com/home/" in one.text
        assert SECRET not in one.text
    (row,) = world.rows("SELECT id, wrapped_flow FROM connect_attempts")
    plain = world.runtime.vault.unwrap(row.wrapped_flow, f"connect_attempts:{row.id}:flow")
    assert SECRET.encode() not in plain
