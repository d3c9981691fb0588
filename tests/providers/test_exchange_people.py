"""Asking Exchange about other people's time, names and rooms, against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from broker.clock import FixedClock
from broker.domain import Busy, Mailbox, Window
from broker.errors import RateLimited
from broker.providers.exchange import Exchange, ExchangeClient
from sandbox.exchange.seed import ADA, ALAN, BOARDROOM, GRACE, ROOM
from tests.providers.contract import HOUR, NOW, TUESDAY
from tests.providers.exchange_remote import ExchangeRemote

WEEK = Window(TUESDAY, TUESDAY + timedelta(days=7))


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[ExchangeRemote]:
    made = ExchangeRemote(tmp_path, FixedClock(NOW))
    yield made
    made.close()


@pytest.fixture
def client(remote: ExchangeRemote) -> ExchangeClient:
    return Exchange(remote.http(), remote.clock).client(remote.credential())


def test_when_people_are_busy(remote: ExchangeRemote, client: ExchangeClient) -> None:
    remote.state.person(GRACE).add_event("Secret", TUESDAY, TUESDAY + HOUR)
    found = client.free_busy([GRACE, ALAN, "nobody@corp.calbroker.test"], WEEK)

    assert [GRACE, ALAN, "nobody@corp.calbroker.test"] == list(found)
    spans = found[GRACE]
    assert spans is not None
    assert (TUESDAY, TUESDAY + HOUR, Busy.BUSY) in [(s.start, s.end, s.busy) for s in spans]
    # Alan shows nothing to anybody, and nobody has nothing to show.
    assert found[ALAN] is None and found["nobody@corp.calbroker.test"] is None
    assert "Secret" not in repr(found)


def test_a_hundred_at_a_time(remote: ExchangeRemote, client: ExchangeClient) -> None:
    addresses = [f"p{number}@corp.calbroker.test" for number in range(150)]
    assert addresses == list(client.free_busy(addresses, WEEK))
    assert 2 == remote.operations().count("GetUserAvailabilityRequest")


def test_a_long_window_is_asked_about_in_parts(
    remote: ExchangeRemote, client: ExchangeClient
) -> None:
    """Servers refuse more than some weeks; what spans two parts is told once."""
    long = Window(TUESDAY, TUESDAY + timedelta(days=100))
    border = TUESDAY + timedelta(days=42)
    remote.state.person(GRACE).add_event("Across", border - HOUR, border + HOUR)
    found = client.free_busy([GRACE, ALAN], long)

    spans = found[GRACE]
    assert spans is not None and found[ALAN] is None
    assert 1 == [(span.start, span.end) for span in spans].count((border - HOUR, border + HOUR))
    assert 3 == remote.operations().count("GetUserAvailabilityRequest")


def test_a_busy_server_is_told_from_a_hidden_person(
    remote: ExchangeRemote, client: ExchangeClient
) -> None:
    remote.faults.set(None, "busy", seconds=90)
    with pytest.raises(RateLimited):
        client.free_busy([ADA], WEEK)


def test_names_are_found_in_the_directory(client: ExchangeClient) -> None:
    assert [Mailbox(GRACE, "Grace Hopper")] == client.people(f"smtp:{GRACE}")
    assert {GRACE} == {one.email for one in client.people("grace")}
    assert len(client.people("a")) > 1
    assert [] == client.people("nobody <&>")


def test_rooms_of_all_lists(client: ExchangeClient) -> None:
    assert {ROOM, BOARDROOM} == {room.email for room in client.rooms()}
