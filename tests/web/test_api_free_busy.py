"""`/v1/free_busy`: when people are busy, and nothing more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.domain import EventContent
from broker.services import partner_ids
from broker.services.reading import FREE_BUSY_PER_PAGE
from tests.web.api_world import Person, Shelf, World, at, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


@pytest.fixture
def maria(world: World) -> Person:
    return world.person(scope="free_busy")


@pytest.fixture
def work(world: World, maria: Person) -> Shelf:
    return world.calendar(maria.login)


def test_block_says_when_and_how_busy_and_nothing_else(
    world: World, maria: Person, work: Shelf
) -> None:
    world.event(
        work, "2026-03-10T13:00", "2026-03-10T14:30", content=EventContent(summary="Secret")
    )
    world.event(work, "2026-03-12", "2026-03-13", busy="tentative")

    answer = maria.get("/v1/free_busy", tzid="Etc/UTC")

    wanted = maria.calendar_id(work)
    assert answer.json == {
        "pages": {"current": 1, "total": 1},
        "free_busy": [
            {
                "calendar_id": wanted,
                "start": "2026-03-10T13:00:00Z",
                "end": "2026-03-10T14:30:00Z",
                "free_busy_status": "busy",
            },
            {
                "calendar_id": wanted,
                "start": "2026-03-12",
                "end": "2026-03-13",
                "free_busy_status": "tentative",
            },
        ],
    }


@pytest.mark.parametrize(
    ("busy", "status"),
    [
        ("busy", "busy"),
        ("tentative", "tentative"),
        ("out_of_office", "busy"),
        ("free", None),
        ("working_elsewhere", None),
    ],
)
def test_free_time_is_listed_only_when_asked_for(
    world: World, maria: Person, work: Shelf, busy: str, status: str | None
) -> None:
    world.event(work, "2026-03-10T13:00", "2026-03-10T14:30", busy=busy)

    plain = [block["free_busy_status"] for block in maria.free_busy()]
    everything = [block["free_busy_status"] for block in maria.free_busy(include_free="true")]

    assert plain == ([status] if status else [])
    assert everything == [status or "free"]


def test_holiday_calendars_leave_time_free(world: World, maria: Person) -> None:
    holidays = world.calendar(maria.login, counts_as_busy=False)
    world.event(holidays, "2026-03-19", "2026-03-20")

    assert maria.free_busy() == []
    (block,) = maria.free_busy(include_free="true")
    assert block["free_busy_status"] == "free"


def test_ids_are_shown_only_when_asked_for(world: World, maria: Person, work: Shelf) -> None:
    uid = world.event(work, "2026-03-10T13:00", "2026-03-10T14:30")

    (block,) = maria.free_busy(include_ids="true")

    pad = partner_ids.event_pad(world.vault, maria.profile_id)
    assert block["event_uid"] == partner_ids.event_uid(pad, uid)
    assert partner_ids.occurrence_uid(pad, block["event_uid"]) == uid


def test_deletions_are_shown_only_when_asked_for(world: World, maria: Person, work: Shelf) -> None:
    world.event(work, "2026-03-10T13:00", "2026-03-10T14:30", deleted=True, keep_event=False)
    world.event(work, "2026-03-11T13:00", "2026-03-11T14:30")

    assert ["deleted" in block for block in maria.free_busy()] == [False]
    marks = [block["deleted"] for block in maria.free_busy(include_deleted="true")]
    assert marks == [True, False]


def test_only_what_changed_since(world: World, maria: Person, work: Shelf) -> None:
    world.event(work, "2026-03-10T13:00", "2026-03-10T14:30", changed_at=at("2026-03-01"))

    assert maria.free_busy(last_modified="2026-03-01T00:00:01Z") == []
    assert len(maria.free_busy(last_modified="2026-03-01T00:00:00Z")) == 1


def test_localized_times_use_the_calendars_zone(world: World, maria: Person, work: Shelf) -> None:
    abroad = EventContent(start_tzid="Asia/Tokyo", end_tzid="Asia/Tokyo")
    world.event(work, "2026-03-10T13:00", "2026-03-10T14:30", content=abroad)
    world.event(work, "2026-03-12", "2026-03-13")

    timed, dated = maria.free_busy(localized_times="true")

    assert timed["start"] == {"time": "2026-03-10T14:00:00+01:00", "tzid": "Europe/Zurich"}
    assert dated["end"] == {"time": "2026-03-13", "tzid": "Europe/Zurich"}


@pytest.mark.parametrize(("mode", "blocks"), [("full", 1), ("free_busy", 1), ("none", 0)])
def test_access_modes(world: World, mode: str, blocks: int) -> None:
    person = world.person(login=world.login(access_mode=mode), scope="free_busy")
    world.event(world.calendar(person.login), "2026-03-10T13:00", "2026-03-10T14:30")

    assert len(person.free_busy()) == blocks


def test_pages_hold_two_thousand_blocks(world: World, maria: Person, work: Shelf) -> None:
    first = at("2026-03-10")
    world.rows(
        [],
        [
            {
                "calendar_id": work.id,
                "uid": number.to_bytes(12),
                "event_key": bytes(16),
                "series_uid": None,
                "start_at": first + 60 * number,
                "end_at": first + 60 * number + 60,
                "all_day": False,
                "busy": "busy",
                "changed_at": first,
                "deleted": False,
            }
            for number in range(FREE_BUSY_PER_PAGE + 1)
        ],
    )

    assert [len(page) for page in maria.walk("free_busy")] == [FREE_BUSY_PER_PAGE, 1]
