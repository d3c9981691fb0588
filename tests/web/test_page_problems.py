"""Error pages: what happened, whose move it is, what to press."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
from flask import Flask

from broker.errors import (
    AuthorizationLost,
    ConfigurationRefused,
    PermissionMissing,
    ProtocolError,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
)
from broker.services.connect_reasons import reason_of
from broker.web import pages
from broker.web.phrases import phrases_for
from broker.web.words import REASONS, known_code, words_for
from tests.browser.showcase import make_app
from tests.web.rendering import asked, problem, status, title_of


@pytest.fixture
def app() -> Flask:
    return make_app()


@pytest.fixture
def request_context() -> Iterator[None]:
    with asked():
        yield


@pytest.mark.parametrize("locale", ["en", "de", "ar"])
@pytest.mark.parametrize("code", REASONS)
def test_every_reason_says_what_happened_whose_move_it_is_and_what_to_press(
    code: str, locale: str
) -> None:
    words = REASONS[code]
    with asked(f"/?locale={locale}"):
        page = unescape(
            problem(code, retry_url="/retry", other_url="/other", back_url="https://acme.example/")
        )
        parts = [pages._(text) for text in (words.title, words.happened, words.move)]

    assert [page.count(f">{part}<") for part in parts] == [1, 1, 1]
    assert title_of(page).startswith(parts[0])
    assert page.count('class="main"') == 1
    assert page.count('class="quiet" href') == 2
    if locale != "en":
        assert not {words.title, words.happened, words.move} & set(parts)


KINDS: list[ProviderError] = [
    RateLimited("x", "calendars", 429),
    ProviderUnavailable("x", "calendars", 500),
    AuthorizationLost("x", "calendars", 401),
    PermissionMissing("x", "calendars", 403),
    ProtocolError("x", "calendars"),
    ConfigurationRefused("x", "calendars", 401),
]


@pytest.mark.parametrize("error", KINDS, ids=lambda error: type(error).__name__)
def test_what_a_sign_in_elsewhere_ended_with_is_not_about_typing(error: ProviderError) -> None:
    said = str(words_for(reason_of(error, typed=False))).lower()

    assert not re.search("password|user name|typ|server", said)


@pytest.mark.parametrize("error", KINDS, ids=lambda error: type(error).__name__)
def test_what_a_typed_login_ended_with_is_not_about_google(error: ProviderError) -> None:
    said = str(words_for(reason_of(error, typed=True))).lower()

    assert not re.search("google|box|tick", said)


def test_a_provider_without_words_of_its_own_gets_those_of_its_kind() -> None:
    there, here = phrases_for("new"), phrases_for("new", typed=True)

    assert "will ask you to sign in" in there.next_step
    assert "We sign in" in here.next_step
    assert "Continue to" not in here.button


def test_the_main_button_leads_where_its_words_say(request_context: None) -> None:
    page = problem("provider_not_offered", retry_url="/retry", other_url="/other")

    assert '<a class="main" href="/other">Choose another calendar</a>' in page
    assert '<a class="quiet" href="/retry">Try again</a>' in page


def test_a_page_with_no_way_on_says_so(request_context: None) -> None:
    page = problem("unknown_client", app=None)

    assert "You can close this page." in page
    assert title_of(page) == "This link is not right · Calbroker"


def test_an_unknown_reason_is_unexpected_and_is_not_repeated(request_context: None) -> None:
    page = problem("<made-up>", status=500)

    assert "We could not finish this" in page
    assert "made-up" not in page
    assert words_for("<made-up>") is REASONS["unexpected"]
    assert known_code("<made-up>") == "unexpected"


def test_the_part_for_it_has_the_code_and_the_facts(request_context: None) -> None:
    page = problem("rate_limited", facts={"time": "09:30", "x": "<b>", "reference": ""})

    assert re.findall("<dt>(.*?)</dt>", page) == ["Code", "Time", "x"]
    assert '<bdi dir="ltr">rate_limited</bdi>' in page
    assert "&lt;b&gt;" in page
    assert '<details class="it">' in page


def test_the_part_for_it_is_open_when_somebody_has_to_send_it(request_context: None) -> None:
    facts = {"client_id": "123.apps"}

    assert '<details class="it" open>' in problem("admin_policy_enforced", facts=facts)
    assert '<details class="it">' in problem("attempt_over", facts=facts)
    assert all(("below" in words.move) == words.for_it for words in REASONS.values())


def test_a_problem_has_the_status_it_is_given(request_context: None) -> None:
    assert status(pages.problem("temporarily_down", status=503)) == 503
