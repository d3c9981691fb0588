"""Forms: what is asked, what is kept, and where errors stand."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from broker.logins import Login
from broker.web import pages
from broker.web.forms import CalDavForm, ConnectForm
from broker.web.pages import Legal
from broker.web.typed_text import without_password
from tests.browser.showcase import ACME, LEGAL, PASSWORD, WAYS, make_app
from tests.web.rendering import asked, filled, link, password, refused, status, title_of


@pytest.fixture
def app() -> Flask:
    return make_app()


@pytest.fixture
def request_context() -> Iterator[None]:
    with asked():
        yield


@pytest.mark.parametrize(
    ("legal", "said"),
    [
        (LEGAL, ["terms of service</a> and the", "privacy policy</a>"]),
        (Legal(terms_url="https://op.example/t"), ["terms of service</a>."]),
        (Legal(privacy_url="https://op.example/p"), ["I agree to the", "privacy policy</a>."]),
        (Legal(), ["I agree to this connection."]),
    ],
)
def test_the_agreement_names_what_there_is_to_agree_to(
    request_context: None, legal: Legal, said: list[str]
) -> None:
    page = link(form=ConnectForm(with_terms=True), legal=legal)

    assert all(text in page for text in said)
    assert 'name="agree"' in page


def test_without_terms_there_is_no_box(request_context: None) -> None:
    assert 'name="agree"' not in link(form=ConnectForm())


def test_the_box_has_to_be_ticked() -> None:
    with asked(method="POST"):
        form = ConnectForm(with_terms=True)
        form.validate()

        page = link(form=form)

    assert title_of(page).startswith("Tick the box to go on. · ")
    assert 'aria-describedby="agree-error"' in page
    assert 'id="agree-error"' in page


def test_an_error_is_tied_to_its_field_and_named_in_the_title(request_context: None) -> None:
    page = password(filled(url="https://dav.example", username="  ", password="x"))

    field = re.search('<input[^>]*id="username"[^>]*>', page)
    assert field
    assert 'aria-describedby="username-error username-hint"' in field[0]
    assert 'aria-invalid="true"' in field[0]
    assert "autofocus" in field[0]
    assert '<p class="error" id="username-error">Type your user name.</p>' in page
    assert title_of(page).startswith("Type your user name. · ")


def test_several_errors_are_summed_up_on_top(request_context: None) -> None:
    page = password(filled(with_terms=True))

    assert title_of(page).startswith("Please check what is marked · ")
    links = re.findall('<li><a href="#([^"]+)">', page)
    assert links == ["url", "username", "password", "agree"]
    assert page.count("autofocus") == 1


def test_a_refused_login_keeps_what_was_typed_except_the_password(request_context: None) -> None:
    form = filled(url=" https://dav.example ", username=" ada ", password=PASSWORD)

    page = password(form, problem="login_rejected")

    assert 'value="https://dav.example"' in page
    assert 'value="ada"' in page
    assert PASSWORD not in page
    field = re.search('<input[^>]*id="password"[^>]*>', page)
    assert field
    assert 'aria-describedby="notice password-hint"' in field[0]
    assert title_of(page).startswith("The server did not accept this login · ")
    assert '<bdi dir="ltr">login_rejected</bdi>' in page


def test_an_address_problem_is_tied_to_the_address(request_context: None) -> None:
    page = password(filled(url="x", username="a", password="b"), problem="address_malformed")

    field = re.search('<input[^>]*id="url"[^>]*>', page)
    assert field
    assert 'aria-describedby="notice url-hint"' in field[0]


def test_fields_help_browsers_and_phone_keyboards(request_context: None) -> None:
    page = password(CalDavForm())

    for name, hints in {
        "url": ['autocomplete="email"', 'inputmode="email"', 'type="text"'],
        "username": ['autocomplete="username"'],
        "password": ['autocomplete="current-password"', 'type="password"'],
    }.items():
        field = re.search(f'<input[^>]*id="{name}"[^>]*>', page)
        assert field
        for hint in [*hints, 'autocapitalize="off"', 'spellcheck="false"', f'name="{name}"']:
            assert hint in field[0]


@pytest.mark.parametrize(
    ("name", "longest"), [("url", 2000), ("username", 320), ("password", 1000)]
)
def test_fields_are_bounded(request_context: None, name: str, longest: int) -> None:
    typed = {"url": "u", "username": "n", "password": "p"}

    assert name not in filled(**{**typed, name: "x" * longest}).errors
    assert name in filled(**{**typed, name: "x" * (longest + 1)}).errors


@pytest.mark.parametrize(
    ("typed", "is_enough"),
    [
        ("ada@dav.example", True),
        (" ada+x@mail.dav.example ", True),
        ("dav.example", False),
        ("https://ada@dav.example/", False),
        ("ada@dav.example:8443", False),
        ("ada@", False),
        ("@dav.example", False),
        ("a@b@c", False),
    ],
)
def test_an_email_address_can_stand_in_for_the_user_name(
    request_context: None, typed: str, is_enough: bool
) -> None:
    form = filled(url=typed, username=" ", password="p")

    assert ("username" not in form.errors) == is_enough
    if is_enough:
        assert form.login() == Login(typed.strip(), "", "p")


def test_a_user_name_that_was_typed_is_used(request_context: None) -> None:
    form = filled(url="ada@dav.example", username="lovelace", password="p")

    assert not refused(form)
    assert form.login() == Login("ada@dav.example", "lovelace", "p")


def test_a_password_keeps_its_blanks(request_context: None) -> None:
    form = filled(url=" u ", username=" n ", password="  p ")

    assert (form.url.data, form.username.data, form.password.data) == ("u", "n", "  p ")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refused_form_is_a_bad_request(method: str) -> None:
    with asked(method=method):
        answer = pages.link(
            ACME,
            provider_slug="google",
            provider_label="Google",
            permissions=[],
            form=ConnectForm(),
            legal=LEGAL,
            notice="no_refresh_token",
            ways=WAYS,
        )

    assert status(answer) == (400 if method == "POST" else 200)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://ada:secret@example.com/dav/", "https://ada@example.com/dav/"),
        ("ada:secret@example.com", "ada@example.com"),
        ("https://ada:sec/ret@example.com/", "https://ada@example.com/"),
        ("https://ada:se@cret@example.com:8443/x", "https://ada@example.com:8443/x"),
        ("https://ada:p:w@example.com", "https://ada@example.com"),
        ("https://:secret@example.com/", "https://@example.com/"),
        ("https://ada@example.com/", "https://ada@example.com/"),
        ("https://example.com:8443/dav/ada@example.com/", None),
        ("https://example.com/dav/a:b@example.com/", None),
        ("https://[::1]:8443/", None),
        ("ada@example.com", None),
        ("example.com", None),
        ("", None),
    ],
)
def test_a_password_inside_an_address_is_not_kept(typed: str, kept: str | None) -> None:
    assert without_password(typed) == (typed if kept is None else kept)
