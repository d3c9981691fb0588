"""`/v1/events`: what is listed, and in which words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from broker.domain import Attendee, EventContent, Participation
from broker.services import partner_ids
from tests.web.api_world import NOW, Person, Shelf, World, at, make_world

MEETING = EventContent(
    remote_id="g1",
    summary="Site inspection",
    description="Bring the floor plan",
    location="12 Harbour Road",
    lat="47.1",
    long="8.5",
    organizer_email="maria.keller@example.com",
    organizer_name="Maria Keller",
    attendees=(Attendee("jo.park@example.org", "Jo Park", Participation.NEEDS_ACTION),),
    participation=Participation.ACCEPTED,
    meeting_url="https://meet.example.net/abc",
    start_tzid="Europe/Zurich",
    end_tzid="Europe/Zurich",
    created_at="2026-02-20T09:12:44.000Z",
    updated_at="2026-02-21T16:05:01Z",
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


@pytest.fixture
def maria(world: World) -> Person:
    return world.person()


@pytest.fixture
def work(world: World, maria: Person) -> Shelf:
    return world.calendar(maria.login)


def test_event_is_written_as_the_partner_api_says(world: World, maria: Person, work: Shelf) -> None:
    uid = world.event(work, "2026-03-10T13:00", "2026-03-10T14:30", content=MEETING)

    answer = maria.get("/v1/events", tzid="Etc/UTC")

    assert answer.content_type == "application/json; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    pad = partner_ids.event_pad(world.vault, maria.profile_id)
    assert answer.json == {
        "pages": {"current": 1, "total": 1},
        "events": [
            {
                "calendar_id": maria.calendar_id(work),
                "event_uid": partner_ids.event_uid(pad, uid),
                "summary": "Site inspection",
                "description": "Bring the floor plan",
                "start": "2026-03-10T13:00:00Z",
                "end": "2026-03-10T14:30:00Z",
                "deleted": False,
                "created": "2026-02-20T09:12:44Z",
                "updated": "2026-02-21T16:05:01Z",
                "location": {"description": "12 Harbour Road"},
                "participation_status": "accepted",
                "attendees": [
                    {
                        "email": "jo.park@example.org",
                        "display_name": "Jo Park",
                        "status": "needs_action",
                    }
                ],
                "organizer": {
                    "email": "maria.keller@example.com",
                    "display_name": "Maria Keller",
                },
                "transparency": "opaque",
                "extended_transparency": "opaque",
                "status": "confirmed",
                "categories": [],
                "recurring": False,
                "event_private": False,
                "meeting_url": "https://meet.example.net/abc",
                "options": {
                    "delete": False,
                    "update": False,
                    "change_participation_status": True,
                },
            }
        ],
    }


def test_unknown_things_are_absent_and_never_null(world: World, maria: Person, work: Shelf) -> None:
    world.event(work, "2026-03-10T13:00", "2026-03-10T14:30", content=EventContent())

    (event,) = maria.events()

    assert event["summary"] == event["description"] == ""
    assert None not in event.values()
    absent = {"created", "updated", "location", "organizer", "meeting_url", "series_identifier"}
    assert not absent & event.keys()


def test_all_day_event_has_dates_with_the_end_exclusive(
    world: World, maria: Person, work: Shelf
) -> None:
    world.event(work, "2026-03-12", "2026-03-13")

    (event,) = maria.events()

    assert (event["start"], event["end"]) == ("2026-03-12", "2026-03-13")


def test_localized_times_are_objects_in_the_events_own_zone(
    world: World, maria: Person, work: Shelf
) -> None:
    world.event(work, "2026-03-10T13:00", "2026-03-10T14:30", content=MEETING)
    world.event(work, "2026-03-11T13:00", "2026-03-11T14:30", content=EventContent())
    world.event(
        work,
        "2026-03-12T13:00",
        "2026-03-12T14:30",
        content=EventContent(start_tzid="Mars/Base", end_tzid="Mars/Base"),
    )
    world.event(work, "2026-03-13", "2026-03-14", content=EventContent())
    world.event(work, "2026-03-14T13:00", "9999-12-31T23:30", content=MEETING)

    events = maria.events(localized_times="true")

    assert [event["start"] for event in events] == [
        {"time": "2026-03-10T14:00:00+01:00", "tzid": "Europe/Zurich"},
        {"time": "2026-03-11T13:00:00Z", "tzid": "Etc/UTC"},
        {"time": "2026-03-12T13:00:00Z", "tzid": "Etc/UTC"},
        {"time": "2026-03-13", "tzid": "Europe/Zurich"},
        {"time": "2026-03-14T14:00:00+01:00", "tzid": "Europe/Zurich"},
    ]
    assert events[0]["end"]["time"] == "2026-03-10T15:30:00+01:00"
    assert events[3]["end"] == {"time": "2026-03-14", "tzid": "Europe/Zurich"}
    assert events[4]["end"] == {"time": "9999-12-31T23:30:00Z", "tzid": "Etc/UTC"}


def test_occurrences_of_a_series_share_an_identifier_and_have_their_own_uids(
    world: World, maria: Person, work: Shelf
) -> None:
    for day in ("10", "17"):
        world.event(
            work,
            f"2026-03-{day}T13:00",
            f"2026-03-{day}T14:00",
            remote_id="weekly",
            recurrence=("RRULE:FREQ=WEEKLY",),
        )

    first, second = maria.events(google_event_ids="true")

    assert first["recurring"] is second["recurring"] is True
    assert first["series_identifier"] == second["series_identifier"]
    assert len(first["series_identifier"]) == 16
    assert first["event_uid"] != second["event_uid"]
    assert first["google_event_id"] == "weekly_20260310T130000Z"


def test_geo_is_refused_without_the_feature(world: World, maria: Person, work: Shelf) -> None:
    for second in range(101):
        world.event(work, "2026-03-10T13:00", "2026-03-10T14:30", remote_id=f"event-{second}")

    refused = maria.get("/v1/events?tzid=Etc/UTC&include_geo=true")
    world.features(maria, "geo")
    first = maria.get("/v1/events?tzid=Etc/UTC&include_geo=true")
    following = str(first.json["pages"]["next_page"])
    second_page = maria.get(following)
    world.features(maria)

    assert (refused.status_code, refused.json) == (402, {"error": "feature_off"})
    assert (first.status_code, second_page.status_code) == (200, 200)
    assert maria.get(following).status_code == 402
    assert maria.get("/v1/events?tzid=Etc/UTC&include_geo=False").status_code == 200


def test_geo_is_shown_only_when_asked_for(world: World, maria: Person, work: Shelf) -> None:
    world.event(work, "2026-03-10T13:00", "2026-03-10T14:30", content=MEETING)

    world.features(maria, "geo")

    (with_geo,) = maria.events(include_geo="True")
    (without,) = maria.events(include_geo="False")

    assert with_geo["location"] == {
        "description": "12 Harbour Road",
        "lat": "47.1",
        "long": "8.5",
    }
    assert without["location"] == {"description": "12 Harbour Road"}


@pytest.mark.parametrize(
    ("busy", "transparent", "plain", "extended"),
    [
        ("busy", False, "opaque", "opaque"),
        ("free", False, "transparent", "transparent"),
        ("busy", True, "transparent", "transparent"),
        ("tentative", False, "opaque", "tentative"),
        ("out_of_office", False, "opaque", "out_of_office"),
        ("working_elsewhere", False, "transparent", "working_elsewhere"),
    ],
)
def test_transparency(
    world: World,
    maria: Person,
    work: Shelf,
    busy: str,
    transparent: bool,
    plain: str,
    extended: str,
) -> None:
    content = EventContent(transparent=transparent)
    world.event(work, "2026-03-10T13:00", "2026-03-10T14:30", busy=busy, content=content)

    (event,) = maria.events()

    assert (event["transparency"], event["extended_transparency"]) == (plain, extended)


def test_an_invitation_may_be_answered_only_where_that_can_work(
    world: World, maria: Person, work: Shelf
) -> None:
    others = world.calendar(maria.login, read_only=True)
    world.event(work, "2026-03-10T13:00", "2026-03-10T14:30", content=MEETING)
    world.event(others, "2026-03-10T15:00", "2026-03-10T16:30", content=MEETING)

    def may_answer() -> list[bool]:
        return [event["options"]["change_participation_status"] for event in maria.events()]

    assert may_answer() == [True, False]
    world.grant(maria.token, "read_only")
    assert may_answer() == [False, False]


def test_deleted_events_come_only_when_asked_for(world: World, maria: Person, work: Shelf) -> None:
    gone = world.event(work, "2026-03-10", "2026-03-11", deleted=True, keep_event=False)
    world.event(work, "2026-03-10T13:00", "2026-03-10T14:30")

    assert len(maria.events()) == 1
    removed, kept = maria.events(include_deleted="1")
    pad = partner_ids.event_pad(world.vault, maria.profile_id)
    assert removed == {
        "calendar_id": maria.calendar_id(work),
        "event_uid": partner_ids.event_uid(pad, gone),
        "start": "2026-03-10",
        "end": "2026-03-11",
        "deleted": True,
        "recurring": False,
    }
    assert kept["deleted"] is False


def test_deleted_calendar_lists_nothing_but_deletions(world: World, maria: Person) -> None:
    gone = world.calendar(maria.login, deleted_at=NOW)
    world.event(gone, "2026-03-10T13:00", "2026-03-10T14:30", content=MEETING)

    assert maria.events() == []
    (event,) = maria.events(include_deleted="true")
    assert event["deleted"] is True
    assert "summary" not in event


def test_only_what_changed_since_is_listed(world: World, maria: Person, work: Shelf) -> None:
    world.event(work, "2026-03-10T13:00", "2026-03-10T14:30", changed_at=at("2026-03-01T12:00"))
    world.event(work, "2026-03-11T13:00", "2026-03-11T14:30", changed_at=at("2026-03-02T12:00"))

    changed = maria.events(last_modified="2026-03-02T12:00:00Z")

    assert [event["start"] for event in changed] == ["2026-03-11T13:00:00Z"]


@pytest.mark.parametrize("listing", ["events", "free_busy"])
def test_all_that_a_calendar_held_changes_when_it_goes(
    world: World, maria: Person, work: Shelf, listing: str
) -> None:
    """Who asks for what changed hears of each of its events, however long it was as it is."""
    gone = world.calendar(maria.login, deleted_at=NOW - timedelta(seconds=0.5))
    for shelf in (gone, work):
        for hour in (10, 12):
            world.event(shelf, f"2026-03-10T{hour}:00", "2026-03-10T13:00", changed_at=0)
    world.event(work, "2026-03-10T11:00", "2026-03-10T13:00")

    def changed(since: str) -> list[tuple[str, bool]]:
        items = getattr(maria, listing)(include_deleted="true", last_modified=since)
        return [(item["start"][11:16], item["deleted"]) for item in items]

    assert changed("2026-03-09T10:00:00Z") == [("10:00", True), ("11:00", False), ("12:00", True)]
    assert changed("2026-03-09T10:00:01Z") == []


def test_moved_events_come_only_when_asked_for(world: World, maria: Person, work: Shelf) -> None:
    world.event(
        work,
        "2026-03-20T13:00",
        "2026-03-20T14:00",
        past_start_at=at("2026-03-10T13:00"),
        past_end_at=at("2026-03-10T14:00"),
    )
    week = {"from_": "2026-03-09", "to": "2026-03-16"}

    assert maria.events(**week) == []
    assert len(maria.events(**week, include_moved="true")) == 1
    assert maria.events(from_="2026-03-11", to="2026-03-16", include_moved="true") == []


@pytest.mark.parametrize(
    ("start", "end", "listed"),
    [
        ("2026-03-09T23:00", "2026-03-10T00:00", False),
        ("2026-03-09T23:00", "2026-03-10T00:01", True),
        ("2026-03-10T00:00", "2026-03-10T00:00", True),
        ("2026-03-10T23:59", "2026-03-11T01:00", True),
        ("2026-03-11T00:00", "2026-03-11T01:00", False),
        ("2026-03-01T00:00", "2026-04-01T00:00", True),
    ],
)
def test_range_includes_its_start_and_not_its_end(
    world: World, maria: Person, work: Shelf, start: str, end: str, listed: bool
) -> None:
    world.event(work, start, end)

    assert bool(maria.events(from_="2026-03-10", to="2026-03-11T00:00:00Z")) is listed


@pytest.mark.parametrize(
    ("tzid", "first", "last", "days"),
    [
        ("Etc/UTC", "2026-03-12", "2026-03-13", ["12"]),
        ("Pacific/Auckland", "2026-03-12", "2026-03-13", ["12"]),
        ("America/Los_Angeles", "2026-03-12", "2026-03-13", ["12"]),
        # In Auckland it is already the 13th then, in Los Angeles still the 12th.
        ("Pacific/Auckland", "2026-03-12T12:00:00Z", "2026-03-12T13:00:00Z", ["13"]),
        ("America/Los_Angeles", "2026-03-13T01:00:00Z", "2026-03-13T02:00:00Z", ["12"]),
    ],
)
def test_all_day_events_are_placed_by_the_callers_calendar(
    world: World, maria: Person, work: Shelf, tzid: str, first: str, last: str, days: list[str]
) -> None:
    for day in range(11, 15):
        world.event(work, f"2026-03-{day}", f"2026-03-{day + 1}")

    events = maria.events(tzid=tzid, from_=first, to=last)

    assert [event["start"][-2:] for event in events] == days


def test_date_bounds_are_midnights_of_the_callers_zone(
    world: World, maria: Person, work: Shelf
) -> None:
    world.event(work, "2026-03-09T23:30", "2026-03-09T23:45")

    day = {"from_": "2026-03-10", "to": "2026-03-11"}

    assert maria.events(**day) == []
    assert len(maria.events(**day, tzid="Europe/Zurich")) == 1


def test_range_is_cut_to_the_window_kept_in_sync(world: World, maria: Person, work: Shelf) -> None:
    world.event(work, "2025-12-01T10:00", "2025-12-01T11:00")
    world.event(work, "2026-01-27T10:00", "2026-01-27T11:00")
    world.event(work, "2026-09-26T10:00", "2026-09-26T11:00")
    world.event(work, "2027-03-01T10:00", "2027-03-01T11:00")

    wide = maria.events(from_="0001-01-01", to="9999-12-31T23:59:59Z")

    assert wide == maria.events()
    assert [event["start"][:10] for event in wide] == ["2026-01-27", "2026-09-26"]
    assert maria.events(from_="2025-11-01", to="2025-12-24") == []


def test_holiday_calendars_are_listed_among_events(world: World, maria: Person) -> None:
    holidays = world.calendar(maria.login, counts_as_busy=False)
    world.event(holidays, "2026-03-19", "2026-03-20")

    assert len(maria.events()) == 1


@pytest.mark.parametrize("mode", ["free_busy", "none"])
def test_other_access_modes_show_no_events(world: World, mode: str) -> None:
    person = world.person(login=world.login(access_mode=mode))
    world.event(world.calendar(person.login), "2026-03-10T13:00", "2026-03-10T14:30")

    assert person.events() == []


def test_own_events_only_are_none_and_need_no_scope(
    world: World, maria: Person, work: Shelf
) -> None:
    world.event(work, "2026-03-10T13:00", "2026-03-10T14:30")

    answer = maria.get("/v1/events", scope="create_event", tzid="Etc/UTC", only_managed="true")

    assert answer.json == {"pages": {"current": 1, "total": 1}, "events": []}


def test_disconnected_copy_stays_readable(world: World) -> None:
    person = world.person(login=world.login(disconnected_reason="authorization_lost"))
    world.event(world.calendar(person.login), "2026-03-10T13:00", "2026-03-10T14:30")

    assert len(person.events()) == 1


def test_calendars_are_chosen_with_and_without_brackets(
    world: World, maria: Person, work: Shelf
) -> None:
    home = world.calendar(maria.login)
    world.event(work, "2026-03-10T13:00", "2026-03-10T14:30")
    world.event(home, "2026-03-11T13:00", "2026-03-11T14:30")
    wanted = maria.calendar_id(home)

    for name in ("calendar_ids[]", "calendar_ids", "calendar_ids[0]"):
        events = maria.events(**{name: wanted})
        assert [event["calendar_id"] for event in events] == [wanted]
    both = [maria.calendar_id(work), wanted]
    assert len(maria.events(**{"calendar_ids[]": both})) == 2
    assert len(maria.events(**{"calendar_ids[]": ""})) == 2
