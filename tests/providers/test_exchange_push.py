"""Exchange's notifications: asking for them, reading them, answering them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from broker.clock import FixedClock
from broker.domain import Notification
from broker.errors import ConfigurationRefused, ProtocolError
from broker.http import Http
from broker.providers.base import PushProvider
from broker.providers.exchange import Exchange
from broker.providers.exchange_push import GREETS_WITHIN, CalledExchange
from tests.providers.ews_mailbox import CREDENTIAL, NOW, Mailbox
from tests.providers.ews_samples import answer, envelope, error, message, told
from tests.providers.exchange_remote import ExchangeRemote

CALLBACK = "https://broker.test/hooks/exchange/sub-1"
SECRET = "s" * 32
CHANGE = '<t:ModifiedEvent><t:ItemId Id="AAA="/><t:ParentFolderId Id="BBB="/></t:ModifiedEvent>'
STATUS = "<t:StatusEvent><t:Watermark>AQ==</t:Watermark></t:StatusEvent>"


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[ExchangeRemote]:
    made = ExchangeRemote(tmp_path, FixedClock(NOW), requests.Session())
    yield made
    made.close()


def provider() -> CalledExchange:
    clock = FixedClock(NOW)
    return CalledExchange(Http(clock), clock)


def sent(*events: str, subscription: str = "JgBl", operation: str = "SendNotification") -> bytes:
    """Write a message of a server."""
    told = f"<t:SubscriptionId>{subscription}</t:SubscriptionId>{''.join(events)}"
    content = message(operation, f"<m:Notification>{told}</m:Notification>")
    body = answer(operation, content)
    return body.replace(b"SendNotificationResponse ", b"SendNotification ").replace(
        b"SendNotificationResponse>", b"SendNotification>"
    )


def read(body: bytes, token: str = SECRET) -> Notification | None:
    return provider().read_notification("sub-1", {}, body, token=token)


def test_only_who_can_be_called_is_one_that_calls() -> None:
    clock = FixedClock(NOW)

    assert isinstance(provider(), PushProvider)
    assert not isinstance(Exchange(Http(clock), clock), PushProvider)


def test_a_subscription_names_its_secret_address_and_is_closed(remote: ExchangeRemote) -> None:
    made = CalledExchange(remote.http(), remote.clock)
    client = made.client(remote.credential())

    opened = made.open_subscription(
        client, remote.calendar_id, subscription_id="sub-1", callback_url=CALLBACK, secret=SECRET
    )

    assert opened is not None
    (held,) = remote.state.world.subscriptions.values()
    assert (held.id, held.url) == (opened.resource_id, f"{CALLBACK}/{SECRET}")
    assert (held.folders, held.kind) == ([remote.lab.number], "push")
    assert opened.expires_at == NOW + GREETS_WITHIN
    for _ in range(2):  # closing what is closed already is a success
        made.close_subscription(client, subscription_id="sub-1", resource_id=opened.resource_id)
    assert remote.state.world.subscriptions == {}


@pytest.mark.parametrize(
    "code",
    [
        "ErrorExceededSubscriptionCount",
        "ErrorInvalidPushSubscriptionUrl",
        "ErrorSubscriptionDelegateAccessNotSupported",
    ],
)
def test_who_may_not_subscribe_is_polled(code: str) -> None:
    mailbox = Mailbox(instead={"Subscribe": lambda _: error("Subscribe", code)})

    with pytest.raises(ConfigurationRefused):
        provider().open_subscription(
            mailbox.client(), "AAA=", subscription_id="s", callback_url=CALLBACK, secret=SECRET
        )
    assert CREDENTIAL.password not in str(mailbox.asked)


@pytest.mark.parametrize(
    "told_id", ["", "<m:SubscriptionId/>", f"<m:SubscriptionId>{'a b'}</m:SubscriptionId>"]
)
def test_a_subscription_without_an_id_is_none(told_id: str) -> None:
    granted = answer("Subscribe", message("Subscribe", told_id))
    mailbox = Mailbox(instead={"Subscribe": lambda _: granted})

    with pytest.raises(ProtocolError):
        provider().open_subscription(
            mailbox.client(), "AAA=", subscription_id="s", callback_url=CALLBACK, secret=SECRET
        )


def test_changes_wake_and_signs_of_life_do_not() -> None:
    assert read(sent(CHANGE)) == Notification("sub-1", SECRET, "JgBl", wakes=True)
    assert read(sent(STATUS, CHANGE)) == Notification("sub-1", SECRET, "JgBl", wakes=True)
    assert read(sent(STATUS)) == Notification("sub-1", SECRET, "JgBl", wakes=False)


def test_lost_events_end_the_subscription() -> None:
    failed = message(
        "SendNotification", told(SubscriptionId="JgBl"), "ErrorReadEventsFailed", "Error"
    )
    body = (
        answer("SendNotification", failed)
        .replace(b"SendNotificationResponse ", b"SendNotification ")
        .replace(b"SendNotificationResponse>", b"SendNotification>")
    )

    assert read(body) == Notification("sub-1", SECRET, "JgBl", wakes=False, ends=True)


def test_a_message_without_a_secret_in_its_address_is_not_theirs() -> None:
    assert read(sent(CHANGE), token="") is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a/>",
        envelope(""),
        envelope("<m:SendNotification/>"),
        sent(CHANGE, operation="GetEvents"),
        sent(CHANGE, subscription=""),
        sent(CHANGE).replace(b"<s:Body>", b"<s:Body>" + b"<a>" * 300),
        b'<!DOCTYPE s [<!ENTITY x "y">]>' + sent(CHANGE),
        sent(CHANGE).replace(b"</m:Notification>", b"</m:Notification><m:Notification>"
                             b"<t:SubscriptionId>other</t:SubscriptionId></m:Notification>"),
    ],
)  # fmt: skip
def test_what_is_no_message_of_one_subscription_is_not_read(body: bytes) -> None:
    assert read(body) is None


def test_the_answer_says_whether_to_go_on() -> None:
    """The very words that the reference gives."""
    kept, ended = provider().reply(wanted=True), provider().reply(wanted=False)

    assert (kept.status, ended.status) == (200, 200)
    assert "<m:SubscriptionStatus>OK</m:SubscriptionStatus>" in kept.body
    assert "<m:SubscriptionStatus>Unsubscribe</m:SubscriptionStatus>" in ended.body
    assert kept.content_type.startswith("text/xml")
