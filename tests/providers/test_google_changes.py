"""What Google says has changed: pages, cursors, series, and bad days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from broker.domain import AccessMode, Changes, Moment, RemoteEvent, window_at
from broker.errors import (
    CalendarGone,
    CursorExpired,
    ProtocolError,
    ProviderUnavailable,
    RateLimited,
)
from broker.providers.google import GoogleClient
from tests.providers.test_google import ADA, GRACE, NOW, TEAM, World


@pytest.fixture
def world() -> World:
    return World()


def read(
    client: GoogleClient, calendar_id: str = GRACE, cursor: str | None = None
) -> tuple[list[Changes], dict[str, RemoteEvent]]:
    """Read every page, and the events by remote id."""
    pages = list(client.changes(calendar_id, cursor, window_at(NOW)))
    return pages, {event.remote_id: event for page in pages for event in page.events}


def timed(hour: int, minutes: int = 30, day: int = 23) -> dict[str, dict[str, str]]:
    """Make start and end fields in New York."""
    start = datetime(2026, 11, day, hour)
    end = start + timedelta(minutes=minutes)
    return {
        name: {"dateTime": f"{at.isoformat()}-05:00", "timeZone": "America/New_York"}
        for name, at in (("start", start), ("end", end))
    }


def test_full_read_gives_series_unexpanded_and_a_cursor(world: World) -> None:
    pages, events = read(world.client())

    assert pages[-1].cursor
    assert all(page.complete and not page.whole_series for page in pages)
    assert "America/New_York" == pages[0].tzid
    masters = [event for event in events.values() if event.recurrence]
    exceptions = [event for event in events.values() if event.series_id]
    assert masters and exceptions
    assert all(event.original_start for event in exceptions)
    assert {event.series_id for event in exceptions} <= {event.remote_id for event in masters}


def test_full_read_tells_of_what_was_moved_to_before_the_window(world: World) -> None:
    """Without it the series would happen at its old place; a single event is nothing to us."""
    handle, begin = world.state.person(GRACE), window_at(NOW).start
    series = handle.create_event(**timed(9), recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    past = {"date": f"{begin - timedelta(days=9):%Y-%m-%d}"}
    moved = handle.update_event(f"{series['id']}_20261124T140000Z", start=past, end=past)
    single = handle.create_event(start=past, end=past)

    events = read(world.client())[1]

    assert moved["id"] in events
    assert single["id"] not in events


def test_full_read_in_pages_has_the_cursor_on_the_last(world: World) -> None:
    handle = world.state.person(GRACE)
    for _ in range(1100):
        handle.create_event(TEAM, summary="Seat", **timed(9))

    pages, events = read(world.client(), TEAM)

    assert [None, True] == [pages[0].cursor, bool(pages[-1].cursor)]
    assert 2 == len(pages)
    assert 1103 == len(events)


def test_empty_page_is_not_the_end(world: World) -> None:
    client = world.client()
    world.faults.set(GRACE, "empty_page", 1)

    pages, events = read(client)

    assert ((), None) == (pages[0].events, pages[0].cursor)
    assert events and pages[-1].cursor


def test_changes_since_a_cursor(world: World) -> None:
    client, handle = world.client(), world.state.person(GRACE)
    doomed = handle.create_event(summary="Doomed", **timed(9))
    cursor = read(client)[0][-1].cursor
    added = handle.create_event(summary="Added", **timed(10))
    handle.delete_event(doomed["id"])

    pages, events = read(client, cursor=cursor)

    assert {added["id"]} == set(events)
    assert {doomed["id"]} == pages[-1].deleted
    assert not pages[-1].complete
    assert pages[-1].cursor not in (None, cursor)


def test_dropped_occurrence_is_a_cancelled_exception(world: World) -> None:
    client, handle = world.client(), world.state.person(GRACE)
    series = handle.create_event(
        summary="Daily", recurrence=["RRULE:FREQ=DAILY;COUNT=5"], **timed(9)
    )
    cursor = read(client)[0][-1].cursor
    handle.delete_event(f"{series['id']}_20261124T140000Z")

    pages, events = read(client, cursor=cursor)

    stub = events[f"{series['id']}_20261124T140000Z"]
    assert (True, series["id"]) == (stub.cancelled, stub.series_id)
    placed = Moment(datetime(2026, 11, 24, 14, tzinfo=UTC), "America/New_York")
    assert placed == stub.original_start
    assert frozenset() == pages[-1].deleted


def test_deleted_series_is_deleted(world: World) -> None:
    client, handle = world.client(), world.state.person(GRACE)
    series = handle.create_event(
        summary="Daily", recurrence=["RRULE:FREQ=DAILY;COUNT=5"], **timed(9)
    )
    cursor = read(client)[0][-1].cursor
    handle.delete_event(series["id"])

    pages, _ = read(client, cursor=cursor)

    assert series["id"] in pages[-1].deleted


def test_expired_cursor_is_told(world: World) -> None:
    client = world.client()
    cursor = read(client)[0][-1].cursor
    world.state.expire_sync_tokens()

    with pytest.raises(CursorExpired):
        read(client, cursor=cursor)


@pytest.mark.parametrize("cursor", ["nonsense", "bm9uc2Vuc2U="])
def test_cursor_that_is_no_sync_token_is_expired(world: World, cursor: str) -> None:
    with pytest.raises(CursorExpired):
        read(world.client(), cursor=cursor)


def test_cursor_of_another_person_is_expired(world: World) -> None:
    cursor = read(world.client())[0][-1].cursor

    with pytest.raises(CursorExpired):
        read(world.client(ADA), GRACE, cursor)


def test_window_start_bounds_a_full_read(world: World) -> None:
    world.state.person(GRACE).create_event(
        TEAM,
        summary="Long ago",
        start={"date": "2026-01-01"},
        end={"date": "2026-01-02"},
    )
    far = world.state.person(GRACE).create_event(
        TEAM,
        summary="Far ahead",
        start={"date": "2028-01-01"},
        end={"date": "2028-01-02"},
    )

    _, events = read(world.client(), TEAM)

    assert "Long ago" not in {event.content.summary for event in events.values()}
    assert far["id"] in events


def test_free_busy_mode_reads_times_only(world: World) -> None:
    client = world.client(mode=AccessMode.FREE_BUSY)

    pages, events = read(client)

    assert events and pages[-1].cursor
    assert {""} == {event.content.summary for event in events.values()}
    assert all(event.content.private for event in events.values() if not event.cancelled)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("throttled_429", RateLimited),
        ("throttled_403", RateLimited),
        ("quota_403", RateLimited),
        ("server_error_500", ProviderUnavailable),
        ("bad_gateway_502", ProviderUnavailable),
        ("unavailable_503", ProviderUnavailable),
        ("gateway_timeout_504", ProviderUnavailable),
        ("slow", ProviderUnavailable),
        ("slow_headers", ProviderUnavailable),
        ("truncated_body", ProviderUnavailable),
        ("invalid_json", ProtocolError),
        ("expired_sync_token", CursorExpired),
    ],
)
def test_faults_of_the_api(world: World, fault: str, expected: type[Exception]) -> None:
    client = world.client()
    cursor = read(client)[0][-1].cursor
    world.faults.set(GRACE, fault, 1, seconds=300)

    with pytest.raises(expected):
        read(client, cursor=cursor)


def test_body_over_the_cap_is_not_read(world: World) -> None:
    client = world.client()
    world.faults.set(GRACE, "oversized_body", 1)

    with pytest.raises(ProviderUnavailable, match="body too large"):
        read(client)


def test_calendar_that_is_gone(world: World) -> None:
    client = world.client()
    world.state.person(GRACE).unsubscribe("alan@calbroker.test")

    with pytest.raises(CalendarGone):
        read(client, "alan@calbroker.test")
    with pytest.raises(CalendarGone):
        read(client, "never-was@group.calendar.google.com")


def test_calendar_lost_between_pages(world: World) -> None:
    client = world.client()
    world.faults.set(GRACE, "empty_page", 1)
    pages: Iterator[Changes] = client.changes(TEAM, None, window_at(NOW))
    assert next(pages).cursor is None
    world.faults.set(GRACE, "gone_calendar", 1, calendar=TEAM)

    with pytest.raises(CalendarGone):
        next(pages)
