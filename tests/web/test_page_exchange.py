"""The form for a company's own Exchange: two fields, and two that wait until they can help."""

from __future__ import annotations

import re

import pytest
from werkzeug.datastructures import MultiDict

from broker.web.forms import ExchangeForm
from broker.web.words import REASONS
from broker.web.words_exchange import EXCHANGE
from tests.web.rendering import asked, password, refused

TYPED = {"email": "ada@corp.example", "password": "secret"}


def form(**typed: str) -> ExchangeForm:
    made = ExchangeForm(MultiDict(TYPED | typed), with_terms=False)
    made.validate()
    return made


def is_unfolded(page: str) -> bool:
    found = re.search(r"<details( open)?>\s*<summary>Having trouble", page)
    assert found
    return found[1] is not None


def test_what_helps_is_folded_until_it_can_help() -> None:
    with asked():
        assert not is_unfolded(password(form()))
        assert is_unfolded(password(form(url="mail.corp.example")))
        assert is_unfolded(password(form(username="CORP\\ada")))
        for code in REASONS:
            words = REASONS[code]
            helps = words.unfolds or words.field in {"url", "username"}
            assert is_unfolded(password(form(), problem=code)) is helps


def test_a_wrong_server_field_is_seen_where_it_is_folded() -> None:
    with asked():
        page = password(form(url="ada@corp.example"))

    assert is_unfolded(page)
    assert "Leave the field empty" in page


@pytest.mark.parametrize("email", ["ada", "ada@corp", "ada@corp..example", "a b@corp.example"])
def test_the_address_is_whole(email: str) -> None:
    with asked():
        assert refused(form(email=email)) == ["email"]


def test_everything_but_the_password_comes_back() -> None:
    with asked():
        page = password(form(url="mail.corp.example", username="CORP/ada"))

    for kept in ("ada@corp.example", "mail.corp.example", "CORP/ada"):
        assert f'value="{kept}"' in page
    assert "secret" not in page.replace('class="secret"', "")


def test_the_login_says_all_that_was_typed() -> None:
    with asked():
        login = form(email=" Ada@CORP.example ", url="mail.corp.example ").login()

    assert (login.email, login.url, login.username) == ("Ada@corp.example", "mail.corp.example", "")


@pytest.mark.parametrize("code", sorted(EXCHANGE))
def test_what_is_for_it_says_what_to_change(code: str) -> None:
    words = EXCHANGE[code]

    assert words.it or code in {"use_office365", "use_outlook_com"}
    assert not words.field or words.field in {"url", "email", "password", "username"}
    with asked():
        page = password(form(), problem=code)
    details = page.split('<details class="it"')[1] if words.it else ""
    assert words.for_it is details.startswith(" open")


def test_a_user_name_ends_at_no_colon() -> None:
    """With Basic its server would read on in the password, and take it for another's."""
    with asked():
        assert refused(form(username="CORP\\ada:1")) == ["username"]


@pytest.mark.parametrize(("hosts", "is_yes"), [(8, True), (9, False)])
def test_nobody_says_yes_to_that_many_hosts(hosts: int, is_yes: bool) -> None:
    with asked():
        sent = form(url="", username="")
        sent.confirm("mail.hoster.example")
        sent.confirmed.data = " ".join(f"h{n}.example" for n in range(hosts))

        assert bool(sent.confirmed_hosts()) is is_yes
