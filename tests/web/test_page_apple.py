"""The page for iCloud: an aid for the app-specific password, and what keeps others out."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from broker.logins import Login
from broker.web.forms import FORMS, AppleForm
from broker.web.phrases import phrases_for
from tests.browser.showcase import PASSWORD, apple_typed, make_app
from tests.web.rendering import asked, password, refused, title_of

CODE = "abcd-efgh-ijkl-mnop"


@pytest.fixture
def app() -> Flask:
    return make_app()


@pytest.fixture
def request_context() -> Iterator[None]:
    with asked():
        yield


def field(page: str, name: str) -> str:
    found = re.search(f'<input[^>]*id="{name}"[^>]*>', page)
    assert found
    return found[0]


def test_each_kind_of_typed_login_has_its_form() -> None:
    assert {slug: form.__name__ for slug, form in FORMS.items()} == {
        "apple": "AppleForm",
        "exchange": "ExchangeForm",
        "caldav": "CalDavForm",
    }
    assert phrases_for("apple").label == "iCloud"


def test_phones_and_password_managers_leave_the_fields_alone(request_context: None) -> None:
    page = password(AppleForm())

    as_typed = ['autocapitalize="none"', 'autocorrect="off"', 'spellcheck="false"']
    for hint in ['type="email"', 'inputmode="email"', 'autocomplete="email"', *as_typed]:
        assert hint in field(page, "email")
    for hint in [
        'type="password"',
        'autocomplete="off"',
        'name="app_code"',
        "data-1p-ignore",
        'data-lpignore="true"',
        "data-bwignore",
        *as_typed,
    ]:
        assert hint in field(page, "app_code")
    longest = re.search(r'maxlength="(\d+)"', field(page, "app_code"))
    assert longest
    assert int(longest[1]) >= 40
    assert "current-password" not in page
    assert "new-password" not in page


def test_the_aid_names_the_menus_and_leads_there_in_a_new_tab(request_context: None) -> None:
    page = password(AppleForm())

    link = re.search('<a href="https://account.apple.com/"[^>]*>', page)
    assert link
    assert 'target="_blank"' in link[0]
    assert "noopener" in link[0]
    aid = page[page.index('class="aid"') :]
    aid = aid[: aid.index("</details>")]
    assert aid.count("<li>") == 4
    for menu in ("Sign-In and Security", "App-Specific Passwords", "Calbroker"):
        assert menu in aid
    assert CODE in page


def test_a_password_of_another_shape_is_told_at_its_field(request_context: None) -> None:
    form = apple_typed(email="ada@icloud.com", app_code=PASSWORD, agree="y")

    page = password(form, problem="app_password_shape")

    assert "we sent it nowhere" in page
    assert '<p class="error" id="app_code-error">Not sent.' in page
    assert 'aria-describedby="app_code-error notice app_code-hint"' in field(page, "app_code")
    assert 'aria-invalid="true"' in field(page, "app_code")
    assert "autofocus" in field(page, "app_code")
    assert title_of(page).startswith("That is not an app-specific password · ")
    assert 'value="ada@icloud.com"' in field(page, "email")
    assert PASSWORD not in page


def test_a_refused_login_comes_with_points_to_check(request_context: None) -> None:
    form = apple_typed(email="ada@icloud.com", app_code=CODE)

    page = password(form, problem="apple_login_rejected")

    notice = page[page.index('id="notice"') :]
    assert notice[: notice.index("</div>")].count("<li>") == 4
    assert 'value="ada@icloud.com"' in page
    assert f'value="{CODE}"' not in page


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Ada.L@ICLOUD.com ", "Ada.L@icloud.com"),
        ("ada@icloud.com", "ada@icloud.com"),
    ],
)
def test_only_the_domain_of_an_address_is_written_small(
    request_context: None, typed: str, kept: str
) -> None:
    form = apple_typed(email=typed, app_code=CODE, agree="y")

    assert not refused(form)
    assert form.login() == Login("", kept, CODE)


@pytest.mark.parametrize("typed", ["", "  ", "ada", "ada@", "@icloud.com", "+49 170 1234567"])
def test_what_is_no_address_is_told_before_anything_is_sent(
    request_context: None, typed: str
) -> None:
    form = apple_typed(email=typed, app_code=CODE, agree="y")

    assert refused(form) == ["email"]
    assert 'aria-describedby="email-error"' in field(password(form), "email")


@pytest.mark.parametrize("typed", ["", "x" * 201])
def test_the_password_is_asked_for_and_bounded(request_context: None, typed: str) -> None:
    assert refused(apple_typed(email="a@b", app_code=typed, agree="y")) == ["app_code"]


@pytest.mark.parametrize("locale", ["de", "ar"])
def test_the_aid_speaks_the_persons_language(locale: str) -> None:
    menu = {"de": "Anmelden und Sicherheit", "ar": "Sign-In and Security"}
    with asked(f"/?locale={locale}"):
        page = password(AppleForm())

    assert menu[locale] in page
    assert "Make one in four steps" not in page
