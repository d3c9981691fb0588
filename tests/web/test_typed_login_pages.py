"""Typed logins in the whole application: what a refused form keeps, and what it never sends."""

from __future__ import annotations

import re

import pytest

from tests.world import World, form_action

CODE = "abcd-efgh-ijkl-mnop"
SECRET = "Tr0ub4dor&3"


def test_an_old_page_is_shown_anew_with_what_was_typed(world: World) -> None:
    browser = world.browser()
    page = world.open(browser, provider_name="apple")

    answer = browser.post(
        form_action(page),
        data={"csrf_token": "old", "email": "ada@icloud.com", "app_code": CODE},
    )

    assert answer.status_code == 400
    assert "This page was open for too long" in answer.text
    assert 'value="ada@icloud.com"' in answer.text
    assert f'value="{CODE}"' not in answer.text
    again = world.press(browser, answer, email="ada@icloud.com", app_code="no")
    assert "app_password_shape" in again.text


def test_saying_no_from_an_old_page_leads_on(world: World) -> None:
    browser = world.browser()
    page = world.open(browser, provider_name="apple")
    place = form_action(page).rsplit("/", 1)[0]

    answer = browser.post(f"{place}/cancel", data={"csrf_token": "old"})

    assert answer.status_code == 400
    assert f'<a class="main" href="{place}">Open the page again</a>' in answer.text


def test_an_old_page_of_another_browser_shows_nothing(world: World) -> None:
    page = world.open(world.browser(), provider_name="apple")

    answer = world.browser().post(form_action(page), data={"email": "ada@icloud.com"})

    assert answer.status_code == 400
    assert "ada@icloud.com" not in answer.text
    assert "We lost track of your browser" in answer.text


@pytest.mark.parametrize("locale", ["en", "de", "ar"])
def test_an_ordinary_password_is_neither_sent_nor_shown_again(world: World, locale: str) -> None:
    """The world has no network: a request to Apple would end in another answer."""
    browser = world.browser()
    page = world.open(browser, provider_name="apple")

    answer = browser.post(
        form_action(page) + f"?locale={locale}",
        data={"csrf_token": _token(page.text), "email": "ada@icloud.com", "app_code": SECRET},
    )

    assert answer.status_code == 400
    assert 'id="app_code-error"' in answer.text
    assert 'value="ada@icloud.com"' in answer.text
    assert "app_password_shape" in answer.text
    assert SECRET not in answer.text
    assert 'class="steps"' not in answer.text


def test_a_failed_login_shows_the_code_that_support_finds(world: World) -> None:
    browser = world.browser()
    page = world.open(browser, provider_name="caldav")

    answer = world.press(browser, page, url="http://192.168.1.1/", username="ada", password=SECRET)

    code = world.rows("SELECT code FROM diagnoses")[0][0]
    assert answer.status_code == 400
    assert f'<bdi dir="ltr">{code}</bdi>' in answer.text
    assert SECRET not in answer.text
    assert "Stopped at step 1 of" in answer.text
    assert 'value="http://192.168.1.1/"' in answer.text


def test_a_page_with_an_error_can_be_read_in_another_language(world: World) -> None:
    browser = world.browser()
    page = world.open(browser, provider_name="caldav")

    answer = world.press(browser, page, url="http://192.168.1.1/", username="ada", password=SECRET)
    there = re.search(r'href="([^"]+)" lang="de"', answer.text)
    assert there is not None
    german = browser.get(form_action(page) + there[1].replace("&amp;", "&"))

    assert '<html lang="de"' in german.text
    assert 'role="alert"' in german.text
    assert 'value="http://192.168.1.1/"' in german.text
    assert 'value="ada"' in german.text
    assert SECRET not in german.text


def test_a_form_with_a_mistake_can_be_read_in_another_language(world: World) -> None:
    browser = world.browser()
    page = world.open(browser, provider_name="caldav")

    answer = world.press(browser, page, url="dav.test", username="", password=SECRET)

    assert "Type your user name." in answer.text
    assert 'href="?locale=ar" lang="ar"' in answer.text
    arabic = browser.get(form_action(page) + "?locale=ar")
    assert 'value="dav.test"' in arabic.text
    assert SECRET not in arabic.text


def _token(text: str) -> str:
    return text.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
