"""Google's notifications: asking for them, reading them, stopping them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from broker.domain import Notification
from broker.errors import CalendarGone, ConfigurationRefused
from tests.providers.test_google import GRACE, HOLIDAYS, NOW, World
from tests.providers.test_google_changes import timed

CALLBACK = "https://broker.test/hooks/google/sub-1"
HEADERS = {
    "X-Goog-Channel-ID": "sub-1",
    "X-Goog-Channel-Token": "hush",
    "X-Goog-Resource-ID": "res-1",
    "X-Goog-Resource-State": "exists",
    "X-Goog-Message-Number": "7",
}


@pytest.fixture
def world() -> World:
    return World()


def test_opened_subscription_reports_changes(world: World) -> None:
    client = world.client()

    opened = world.provider.open_subscription(
        client, GRACE, subscription_id="sub-1", callback_url=CALLBACK, secret="hush"
    )
    world.state.person(GRACE).create_event(summary="New", **timed(9))

    assert opened is not None
    assert NOW < opened.expires_at <= NOW + timedelta(days=7)
    read = [world.provider.read_notification("sub-1", headers, b"") for _, headers in world.pushed]
    assert [False, True] == [note.wakes for note in read if note]
    assert {"hush"} == {note.secret for note in read if note}
    assert {opened.resource_id} == {note.resource_id for note in read if note}
    assert {CALLBACK} == {address for address, _ in world.pushed}


def test_closed_subscription_is_silent(world: World) -> None:
    client = world.client()
    opened = world.provider.open_subscription(
        client, GRACE, subscription_id="sub-1", callback_url=CALLBACK, secret="hush"
    )
    assert opened is not None

    for _ in range(2):  # closing what is closed already is a success
        world.provider.close_subscription(
            client, subscription_id="sub-1", resource_id=opened.resource_id
        )
    world.pushed.clear()
    world.state.person(GRACE).create_event(summary="New", **timed(9))

    assert [] == world.pushed


def test_holidays_have_no_notifications(world: World) -> None:
    opened = world.provider.open_subscription(
        world.client(), HOLIDAYS, subscription_id="sub-1", callback_url=CALLBACK, secret="hush"
    )

    assert opened is None


def test_callback_that_is_not_https_is_an_operators_problem(world: World) -> None:
    with pytest.raises(ConfigurationRefused):
        world.provider.open_subscription(
            world.client(),
            GRACE,
            subscription_id="sub-1",
            callback_url="http://broker.test/hooks",
            secret="hush",
        )


def test_calendar_that_is_gone_cannot_be_watched(world: World) -> None:
    with pytest.raises(CalendarGone):
        world.provider.open_subscription(
            world.client(), "gone", subscription_id="sub-1", callback_url=CALLBACK, secret="hush"
        )


def test_notification_is_read_whatever_the_case_of_its_headers(world: World) -> None:
    expected = Notification("sub-1", "hush", "res-1", wakes=True)

    for headers in (HEADERS, {name.lower(): value for name, value in HEADERS.items()}):
        assert expected == world.provider.read_notification("sub-1", headers, b"")


def test_greeting_wakes_nobody(world: World) -> None:
    note = world.provider.read_notification(
        "sub-1", HEADERS | {"X-Goog-Resource-State": "sync"}, b""
    )

    assert note is not None
    assert not note.wakes


@pytest.mark.parametrize(
    "missing", ["X-Goog-Channel-ID", "X-Goog-Channel-Token", "X-Goog-Resource-ID"]
)
def test_message_without_what_it_must_carry_is_not_theirs(world: World, missing: str) -> None:
    headers = {name: value for name, value in HEADERS.items() if name != missing}

    assert world.provider.read_notification("sub-1", headers, b"") is None


def test_message_for_another_subscription_is_refused(world: World) -> None:
    assert world.provider.read_notification("sub-2", HEADERS, b"") is None


def test_notification_does_not_show_its_secret(world: World) -> None:
    assert "hush" not in repr(world.provider.read_notification("sub-1", HEADERS, b""))
