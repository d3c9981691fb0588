"""What the pages say, and what they must never let through."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from broker.web import pages
from broker.web.pages import App, Choice, Legal
from tests.browser.showcase import ACME, SCENES, WAYS, make_app
from tests.web.rendering import asked, filled, html, link, password, problem, title_of

HOSTILE = '"><script>alert(1)</script>{{ 7*7 }}%(app)s'
ESCAPED = "&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;{{ 7*7 }}%(app)s"


@pytest.fixture
def app() -> Flask:
    return make_app()


@pytest.fixture
def request_context() -> Iterator[None]:
    with asked():
        yield


@pytest.mark.parametrize("locale", ["en", "de", "ar"])
@pytest.mark.parametrize("name", SCENES)
def test_every_scene_is_a_whole_page(app: Flask, name: str, locale: str) -> None:
    answer = app.test_client().get(f"/scene/{name}?locale={locale}")

    assert answer.status_code == (400 if name.startswith("problem") else 200)
    assert answer.text.count("<h1>") == 1
    assert f'<html lang="{locale}" dir="{"rtl" if locale == "ar" else "ltr"}">' in answer.text
    assert "%(" not in answer.text
    assert "{application}" not in answer.text


@pytest.mark.parametrize("name", SCENES)
def test_no_page_has_styles_or_scripts_that_the_policy_forbids(app: Flask, name: str) -> None:
    page = app.test_client().get(f"/scene/{name}").text

    assert not re.search(r"<[^>]+\s(style|on\w+)=", page)
    assert all("nonce=" in tag for tag in re.findall("<style[^>]*>", page))
    assert re.findall("<script[^>]*>", page) == ['<script src="/static/form.js" defer>']


def test_the_chooser_lists_what_it_is_given(request_context: None) -> None:
    choices = [Choice("google", "Google", "Gmail & more", "/connect/a/google")]

    page = html(pages.chooser(ACME, choices=choices, cancel_url="/connect/a/cancel"))

    assert title_of(page) == "Which calendar do you use? · Acme Scheduling"
    assert '<a href="/connect/a/google">' in page
    assert "Gmail &amp; more" in page
    assert '<form method="post" action="/connect/a/cancel">' in page
    assert 'name="csrf_token"' in page


def test_the_link_page_names_who_asks_for_what_and_what_comes_next(request_context: None) -> None:
    page = link()

    assert title_of(page) == "Connect Google Calendar · Acme Scheduling"
    assert "<bdi>Acme Scheduling</bdi> wants to connect your calendar" in page
    assert "<li>Acme can see when you are busy.</li>" in page
    assert "Google will ask you to sign in" in page
    assert ">Continue to Google</button>" in page
    assert 'data-busy-label="Opening Google…"' in page


def test_a_notice_on_the_link_page_names_itself_in_the_title(request_context: None) -> None:
    page = link(notice="permission_unticked")

    assert title_of(page).startswith("One permission is still missing · ")
    assert 'role="alert"' in page


def test_a_renewal_names_the_login_that_is_expected(request_context: None) -> None:
    page = link(relink_for="ada@example.com", ways=replace(WAYS, cancel=""))

    assert "Sign in as <bdi>ada@example.com</bdi>" in page
    assert "Choose another calendar" not in page
    assert page.count("<form") == 1


def test_an_unknown_provider_is_called_by_its_name(request_context: None) -> None:
    page = link(provider_slug="acme", provider_label="100% <Acme>")

    assert "<h1>Connect 100% &lt;Acme&gt;</h1>" in page
    assert ">Continue to 100% &lt;Acme&gt;</button>" in page


def test_a_renewed_connection_leads_to_the_application(request_context: None) -> None:
    assert '<a class="main" href="https://acme.example">' in html(pages.reconnected(ACME))
    assert "You can close this page." in html(pages.reconnected(App("Acme")))


def test_hostile_names_and_values_are_only_text(request_context: None) -> None:
    app = App(HOSTILE, url="javascript:alert(1)", logo_url="javascript:alert(1)")
    shown = [
        link(app, permissions=[HOSTILE], relink_for=HOSTILE),
        html(pages.chooser(app, choices=[Choice(HOSTILE, HOSTILE, HOSTILE, "/")], cancel_url="/")),
        problem("unexpected", app=app, retry_url="javascript:alert(1)", back_url="/"),
        html(pages.reconnected(app)),
        password(filled(url=HOSTILE, username=HOSTILE)),
    ]

    for page in shown:
        assert "<script>" not in page
        assert "javascript:" not in page
        assert ESCAPED in page


def test_a_name_cannot_turn_or_flood_the_page(request_context: None) -> None:
    page = link(App("\u202eevil\u2066 " + "x" * 500))

    assert "\u202e" not in page
    assert "\u2066" not in page
    assert "x" * 60 not in page
    assert "evil xxx" in page


def test_an_application_without_a_logo_shows_its_initial(request_context: None) -> None:
    assert 'aria-hidden="true">A</span>' in link()
    assert 'aria-hidden="true">?</span>' in link(App("!"))


@pytest.mark.parametrize("url", ["http://x.example/l.png", "data:image/png;base64,x", "//x/l.png"])
def test_a_logo_comes_over_https_only(request_context: None, url: str) -> None:
    assert "<img" not in link(App("Acme", logo_url=url))
    assert '<img class="tile" src="https://x/l.png" alt=""' in link(
        App("Acme", logo_url="https://x/l.png")
    )


def test_the_footer_shows_the_links_that_are_set(request_context: None) -> None:
    page = link(
        legal=Legal(
            privacy_url="https://op.example/p", terms_url="http://[", support_url="javascript:x"
        )
    )

    assert 'href="https://op.example/p"' in page
    assert ">Terms</a>" not in page
    assert ">Help</a>" not in page
