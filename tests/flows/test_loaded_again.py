"""A page that is loaded again sends its form once more: that costs nobody a refused login."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from broker.services import typed_values
from sandbox.exchange.seed import ADA, PASSWORD
from tests.flows.test_connect_exchange import GUESS, MAIL, Office, reason_of
from tests.world import csrf, form_action


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.close()


class Person:
    """Somebody with a form before them, who may send it again as it was."""

    def __init__(self, office: Office) -> None:
        self.browser = office.browser()
        self.page = office.open(self.browser, provider_name="exchange")
        self.token = csrf(self.page)

    def send(self, **typed: str) -> TestResponse:
        fields = {"csrf_token": self.token, "email": ADA, "password": GUESS, "url": MAIL}
        return self.browser.post(form_action(self.page), data=fields | typed)


def test_a_refused_password_is_not_sent_twice_by_loading_the_page_again(office: Office) -> None:
    person = Person(office)
    first = person.send()

    again = [person.send(), person.send()]

    assert office.refusals == 1
    assert ["exchange_login_rejected"] * 2 == [reason_of(page) for page in again]
    (code,) = office.rows("SELECT code FROM diagnoses")[0]
    assert all(code in page.text for page in (first, *again))
    assert GUESS not in "".join(page.text for page in again)


@pytest.mark.parametrize(
    "typed", [{"password": f"{GUESS}2"}, {"username": "CORP\\ada"}, {"url": ""}]
)
def test_what_was_changed_is_tried(office: Office, typed: dict[str, str]) -> None:
    person = Person(office)
    person.send()

    person.send(**typed)

    assert office.count("diagnoses") == 2


def test_the_right_password_is_not_held_up(office: Office) -> None:
    person = Person(office)
    person.send()

    assert person.send(password=PASSWORD).status_code == 303


def test_after_a_minute_it_is_tried_again(office: Office) -> None:
    """The account may have been unlocked meanwhile."""
    person = Person(office)
    person.send()
    office.clock.advance(minutes=1)

    person.send()

    assert office.refusals == 2


def test_a_button_that_is_pressed_twice_sends_one_password(office: Office) -> None:
    """C4: whichever of the two is faster, and whatever the other one had looked at before."""
    ready, pages = Barrier(2), list[int]()
    persons = [Person(office), Person(office)]
    other = persons[1].browser
    other._cookies.update(persons[0].browser._cookies)

    def press(browser: FlaskClient) -> None:
        fields = {"csrf_token": persons[0].token, "email": ADA, "password": GUESS, "url": MAIL}
        ready.wait(10)
        pages.append(browser.post(form_action(persons[0].page), data=fields).status_code)

    presses = [Thread(target=press, args=(person.browser,)) for person in persons]
    for thread in presses:
        thread.start()
    for thread in presses:
        thread.join(30)

    assert office.refusals == 1
    assert sorted(pages) in ([303, 400], [400, 400])


def test_what_is_tried_already_is_said_and_not_sent(office: Office) -> None:
    person = Person(office)
    (attempt_id,) = office.rows("SELECT id FROM connect_attempts")[0]
    attempt = type("Attempt", (), {"id": attempt_id})()
    with office.app.app_context():
        first = typed_values.turn(office.runtime, attempt, "exchange", {"email": ADA}, {})
        assert first.__enter__()
    said = person.send()
    with office.app.app_context():
        first.__exit__(None, None, None)

    assert "reason=login_under_way" in said.headers["Location"]
    assert office.refusals == 0
    assert "We are still trying this login" in person.browser.get(said.headers["Location"]).text
    assert person.send().status_code == 400
    assert office.refusals == 1


def test_what_no_password_was_refused_for_is_tried_again(office: Office) -> None:
    person = Person(office)
    office.refuse("unavailable")
    person.send(password=PASSWORD)
    office.remote.faults.clear()

    assert person.send(password=PASSWORD).status_code == 303


def test_another_attempt_knows_nothing_of_it(office: Office) -> None:
    Person(office).send()
    Person(office).send()

    assert office.refusals == 2


def test_the_password_is_not_kept(office: Office) -> None:
    Person(office).send()

    (row,) = office.rows("SELECT id, wrapped_flow FROM connect_attempts")
    plain = office.runtime.vault.unwrap(row.wrapped_flow, f"connect_attempts:{row.id}:flow")
    assert GUESS.encode() not in plain
