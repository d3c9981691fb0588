"""The published SDK reads from us with nothing but the host changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pycronofy.client import Client
from pycronofy.exceptions import PyCronofyRequestError
from werkzeug.serving import make_server

from tests.web.api_world import Person, World, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


@pytest.fixture
def maria(world: World) -> Person:
    return world.person()


@pytest.fixture
def host(world: World) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, world.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def sdk(host: str, maria: Person) -> Client:
    client = Client(access_token=maria.token)
    client.request_handler.base_url = host
    return client


def test_identity(world: World, maria: Person, sdk: Client) -> None:
    shelf = world.calendar(maria.login, primary=True)

    assert sdk.account()["account_id"] == maria.account_id
    assert sdk.userinfo()["cronofy.data"]["profiles"][0]["profile_id"] == maria.profile_id
    assert sdk.list_profiles()[0]["provider_name"] == "google"
    assert sdk.list_calendars()[0]["calendar_id"] == maria.calendar_id(shelf)


def test_events_are_read_over_all_pages(world: World, maria: Person, sdk: Client) -> None:
    shelf = world.calendar(maria.login)
    for number in range(23):
        for day in range(10, 20):
            start = int(datetime(2026, 3, day, number, tzinfo=UTC).timestamp())
            world.event(shelf, start, start + 1800)

    pages = sdk.read_events(
        calendar_ids=(maria.calendar_id(shelf),),
        from_date=date(2026, 3, 1),
        to_date=datetime(2026, 4, 1, tzinfo=UTC),
        localized_times=True,
    )

    assert (pages.current, pages.total) == (1, 3)
    events = list(pages)
    assert len({event["event_uid"] for event in events}) == len(events) == 230
    assert len(sdk.read_events().all()) == 230


def test_free_busy_is_read(world: World, maria: Person, sdk: Client) -> None:
    shelf = world.calendar(maria.login)
    world.event(shelf, "2026-03-10T13:00", "2026-03-10T14:30")

    (block,) = sdk.read_free_busy(from_date=date(2026, 3, 10), to_date=date(2026, 3, 11)).all()

    assert block["free_busy_status"] == "busy"
    assert sdk.read_free_busy(from_date=date(2026, 3, 11)).all() == []


def test_errors_are_the_sdks_own(maria: Person, host: str, sdk: Client) -> None:
    expired = Client(access_token=None)
    expired.request_handler.base_url = host

    for call, status in (
        (expired.account, 401),
        (lambda: sdk.read_events(calendar_ids=("cal_other_calendar",)), 404),
        (lambda: sdk.read_events(tzid="Nowhere"), 422),
    ):
        with pytest.raises(PyCronofyRequestError) as failure:
            call()
        assert failure.value.response.status_code == status


def test_profile_is_revoked(world: World, maria: Person, sdk: Client) -> None:
    world.person(login=maria.login)

    sdk.revoke_profile(maria.profile_id)

    assert sdk.list_profiles() == []
