"""Exchange calls us: changes come at once, and nobody but the server is believed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete
from werkzeug.test import TestResponse

from app import create_app
from broker.models import Subscription, Task, db, transaction
from broker.providers.exchange_push import GREETS_WITHIN, SAYS_AT_LEAST
from broker.services import polling, subscriptions
from broker.services.tasks import Kind
from sandbox.exchange.model import Subscription as Held
from sandbox.exchange.seed import ADA
from tests.flows.test_connect_exchange import Office
from tests.world import NOW, Tokens

SOON = NOW + timedelta(days=1)
STATUS = re.compile(r"<m:SubscriptionStatus>(\w+)<")
MESSAGE = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    '<m:SendNotification xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
    ' xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><m:ResponseMessages>'
    '<m:SendNotificationResponseMessage ResponseClass="Success"><m:ResponseCode>NoError'
    "</m:ResponseCode><m:Notification><t:SubscriptionId>{}</t:SubscriptionId><t:ModifiedEvent/>"
    "</m:Notification></m:SendNotificationResponseMessage></m:ResponseMessages>"
    "</m:SendNotification></s:Body></s:Envelope>"
)


class Called(Office):
    """A company whose Exchange can reach the broker."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, exchange_push=True)

    def call(self) -> None:
        """Let Exchange say what there is to say."""
        self.remote.listening.pusher.deliver()

    def settle(self) -> Tokens:
        """Take Ada all the way, until nothing is left to do."""
        tokens = self.connected_by_password()
        self.work()
        self.call()
        self.work()
        return tokens

    def add(self, summary: str) -> None:
        """Let Ada add an event to her own calendar."""
        self.remote.ada.add_event(summary, SOON, SOON + timedelta(hours=1))

    def titles(self, tokens: Tokens) -> set[str]:
        """Give what the application reads."""
        return {event["summary"] for event in self.events(self.renew(tokens))}

    @property
    def subscriptions(self) -> dict[str, str]:
        """Give what Exchange holds of us: the address of each subscription."""
        return {one.id: one.url for one in self.remote.state.world.subscriptions.values()}

    def later(self, **delta: float) -> None:
        """Let time pass, call and work."""
        self.clock.advance(**delta)
        self.call()
        self.work()

    def send(self, url: str, body: str) -> TestResponse:
        """Send a message to an address of ours."""
        return self.browser().post(url.removeprefix(self.settings.public_url), data=body)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Called]:
    made = Called(tmp_path)
    yield made
    made.close()


def said(answer: TestResponse) -> str:
    found = STATUS.search(answer.text)
    assert answer.status_code == 200 and found, answer.text
    return found[1]


def polls(office: Called) -> list[float]:
    """Give how many seconds each calendar waits for its next poll."""
    rows = office.rows("SELECT strftime('%s', due_at) FROM tasks WHERE kind = 'sync_calendar'")
    return [int(row[0]) - office.clock.now().timestamp() for row in rows]


def test_a_change_comes_without_a_poll(office: Called) -> None:
    tokens = office.settle()

    office.add("Tea")
    office.call()
    office.work()

    assert "Tea" in office.titles(tokens)


def test_every_calendar_has_one_subscription_and_its_own_secret(office: Called) -> None:
    office.settle()

    urls = set(office.subscriptions.values())
    assert len(urls) == len(office.subscriptions) == office.count("calendars")
    secrets = {url.rpartition("/")[2] for url in urls}
    assert all(len(secret) == 32 for secret in secrets) and len(secrets) == len(urls)
    held = str(office.rows("SELECT * FROM subscriptions"))
    assert not any(secret in held for secret in secrets)


def test_while_it_calls_a_poll_only_makes_sure(office: Called) -> None:
    office.settle()
    office.add("Tea")
    office.call()
    office.work()

    shortest_s = office.settings.poll_seconds * (1 + 0.25)
    assert max(polls(office)) > shortest_s * 2


def test_it_is_never_subscribed_to_anew_while_it_says_that_it_lives(office: Called) -> None:
    office.settle()
    before = office.subscriptions

    for _ in range(12):
        office.later(seconds=SAYS_AT_LEAST.total_seconds() + 1)

    assert office.subscriptions == before
    assert "Subscribe" not in office.remote.operations()[-12:]


def test_a_server_that_forgot_us_is_asked_anew_and_read_once(office: Called) -> None:
    tokens = office.settle()
    with office.remote.state.transaction():
        office.remote.state.world.subscriptions.clear()
    office.add("Missed")

    for _ in range(4):
        office.later(minutes=31)

    assert len(office.subscriptions) == office.count("calendars")
    assert office.count("subscriptions") == office.count("calendars")
    assert "Missed" in office.titles(tokens)


def test_a_server_that_lost_events_is_subscribed_to_anew_at_once(office: Called) -> None:
    tokens = office.settle()
    before = office.subscriptions
    office.remote.faults.set(ADA, "subscription_lost", 1)

    office.add("Lost")
    office.call()
    office.work()

    assert "Lost" in office.titles(tokens)
    assert len(office.subscriptions) == len(before)
    assert len(office.subscriptions.keys() - before.keys()) == 1
    office.call()
    office.add("Later")
    office.call()
    office.work()
    assert "Later" in office.titles(tokens)


def test_a_server_that_cannot_reach_us_is_polled_as_often_as_ever(office: Called) -> None:
    tokens = office.connected_by_password()
    office.work()
    assert max(polls(office)) <= office.settings.poll_seconds * polling.GROWTH**2 * 1.25

    office.clock.advance(seconds=GREETS_WITHIN.total_seconds() + 1)
    office.work()

    assert office.subscriptions == {}
    assert office.count("subscriptions") == 0
    asked = office.remote.operations().count("Subscribe")
    office.clock.advance(hours=20)
    office.work()
    assert office.remote.operations().count("Subscribe") == asked
    office.clock.advance(hours=8)
    office.work()
    assert office.remote.operations().count("Subscribe") == asked * 2
    assert office.profile(tokens)["profile_connected"]


def test_too_many_subscriptions_leave_it_to_polling(office: Called) -> None:
    tokens = office.connected_by_password()
    others = {str(n): Held(str(n), "pull", "else", ADA, [], [], 0) for n in range(20)}
    office.remote.state.world.subscriptions |= others
    office.work()

    assert office.subscriptions.keys() == others.keys()
    assert office.count("subscriptions") == 0
    assert "reason" not in office.profile(tokens)["profile_sync"]


def test_messages_that_prove_nothing_are_refused_and_change_nothing(office: Called) -> None:
    """F2: unknown id, wrong secret, no secret, other subscription."""
    office.settle()
    (resource_id, url), (other_id, _other) = list(office.subscriptions.items())[:2]
    address, _, _secret = url.rpartition("/")
    unknown = f"{office.settings.public_url}/hooks/exchange/sub-1/{'x' * 32}"
    before = office.rows("SELECT * FROM subscriptions"), office.rows("SELECT * FROM tasks")

    answers = [
        office.send(f"{address}/{'x' * 32}", MESSAGE.format(resource_id)),
        office.send(unknown, MESSAGE.format(resource_id)),
        office.send(url, MESSAGE.format(other_id)),
    ]

    assert [said(answer) for answer in answers] == ["Unsubscribe"] * 3
    assert len({answer.data for answer in answers}) == 1
    assert office.send(address, MESSAGE.format(resource_id)).status_code == 404
    assert office.send(url.replace("exchange", "google"), MESSAGE).status_code == 404
    assert office.queue.take() == []
    after = office.rows("SELECT * FROM subscriptions"), office.rows("SELECT * FROM tasks")
    assert after == before


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no xml",
        "<a/>",
        MESSAGE[:-20],
        '<!DOCTYPE a [<!ENTITY b "c">]>' + MESSAGE.format("b"),
        MESSAGE.replace("SendNotification", "GetEvents"),
        MESSAGE.replace("<t:SubscriptionId>{}</t:SubscriptionId>", ""),
        MESSAGE.format("a" * 70_000),
        "<a>" * 20_000,
    ],
)
def test_what_is_no_message_is_not_answered_as_one(office: Called, body: str) -> None:
    """C6, E4."""
    office.settle()
    url = next(iter(office.subscriptions.values()))

    answer = office.send(url, body)

    assert answer.status_code in (404, 413)
    assert "SubscriptionStatus" not in answer.text
    assert office.work() == 0


def test_a_genuine_message_wakes_one_calendar_and_no_more(office: Called) -> None:
    """F2: its content is not believed, a thousand of them are one sync."""
    office.settle()
    resource_id, url = next(iter(office.subscriptions.items()))
    before = office.remote.operations().count("SyncFolderItems")

    answers = [office.send(url, MESSAGE.format(resource_id)) for _ in range(20)]

    assert {said(answer) for answer in answers} == {"OK"}
    assert office.work() == 1
    assert office.remote.operations().count("SyncFolderItems") == before + 1


def test_a_connection_that_nobody_uses_is_called_off(office: Called) -> None:
    tokens = office.settle()
    assert office.revoke(tokens).status_code == 200
    office.add("Too late")

    office.call()

    assert office.work() == 0
    office.later(minutes=31)
    assert office.subscriptions == {}
    assert office.count("subscriptions") == 0


def test_a_connection_that_is_gone_is_called_off(office: Called) -> None:
    tokens = office.settle()
    assert office.revoke_profile(tokens).status_code in (200, 202, 204)
    office.add("Too late")

    office.later(minutes=31)

    assert office.subscriptions == {}


def test_a_connection_that_comes_back_is_subscribed_to_anew(office: Called) -> None:
    """What Exchange was told to forget does not pass for alive."""
    tokens = office.settle()
    assert office.revoke(tokens).status_code == 200
    office.later(minutes=31)

    again = office.settle()
    office.add("Back")
    office.call()
    office.work()

    assert "Back" in office.titles(again)


def test_switching_it_on_reaches_those_who_are_connected_already(tmp_path: Path) -> None:
    office = Called(tmp_path)
    try:
        office.settle()
        office.remote.state.world.subscriptions.clear()
        with office.app.app_context():
            with transaction() as session:
                session.execute(delete(Subscription))
                session.execute(delete(Task).where(Task.kind == Kind.SUBSCRIBE.value))
            subscriptions.ensure(office.runtime)
            subscriptions.ensure(office.runtime)
        office.later(hours=1, minutes=1)

        assert len(office.subscriptions) == office.count("calendars")
    finally:
        office.close()


def test_switching_it_off_leaves_nothing(office: Called) -> None:
    office.settle()
    url = next(iter(office.subscriptions.values()))
    app = create_app(
        replace(office.settings, exchange_push=False),
        clock=office.clock,
        redis=office.redis,
        queue=office.queue,
    )

    path = url.removeprefix(office.settings.public_url)
    answer = app.test_client().post(path, data=MESSAGE.format("any"))

    assert answer.status_code == 404
    with app.app_context():
        db.engine.dispose()
