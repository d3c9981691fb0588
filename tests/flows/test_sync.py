"""The copy stays true: full reads, removals, series, windows, and two workers at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from broker.errors import LeaseLost
from broker.models import transaction
from broker.services import dispatch, syncing, tasks, work
from broker.services.tasks import Kind
from broker.sync import apply
from sandbox.google import seed
from tests.world import ADA, GRACE, NOW, Tokens, World

TEAM = "c_analytical@group.calendar.google.com"


@pytest.fixture
def ada(world: World) -> Tokens:
    """Ada, connected and synced, with a plain weekly series beside what she had."""
    tokens = world.connected(ADA)
    world.work()
    return tokens


def timed(title: str, start: str, hours: int = 1) -> dict[str, Any]:
    """Give the fields of an event."""
    begin = datetime.fromisoformat(start)
    end = begin + timedelta(hours=hours)
    return {
        "summary": title,
        "start": {"dateTime": begin.isoformat(), "timeZone": "UTC"},
        "end": {"dateTime": end.isoformat(), "timeZone": "UTC"},
    }


def weekly(world: World, title: str = "Weekly", count: int = 4) -> str:
    """Add a series on Mondays from 16 March."""
    made = world.state.person(ADA).create_event(
        **timed(title, "2026-03-16T09:00:00+00:00"), recurrence=[f"RRULE:FREQ=WEEKLY;COUNT={count}"]
    )
    return str(made["id"])


def starts(world: World, tokens: Tokens, title: str, **params: str) -> list[str]:
    """Read when the happenings of a title begin."""
    found = world.events(world.renew(tokens), **params)
    return sorted(event["start"] for event in found if event.get("summary") == title)


def titles(world: World, tokens: Tokens, **params: str) -> list[str]:
    """Read every title."""
    found = world.events(world.renew(tokens), **params)
    return sorted(event.get("summary", "") for event in found)


def quietly(world: World) -> None:
    """Let no push through: what follows is found by polling or not at all."""
    world.faults.set(None, "lost_push")


def later(world: World, **units: float) -> None:
    """Let time pass and every due task run."""
    world.clock.advance(**units or {"hours": 1})
    world.work()


# -- full reads


def test_an_expired_cursor_means_a_full_read_and_changes_nothing(world: World, ada: Tokens) -> None:
    quietly(world)
    before = world.events(ada)
    world.state.expire_sync_tokens()

    later(world)

    assert world.events(world.renew(ada)) == before
    assert world.profile(ada)["profile_sync"].get("reason") is None


def test_what_was_removed_before_a_full_read_is_gone_after_it(world: World, ada: Tokens) -> None:
    event = world.state.person(ADA).create_event(**timed("Doomed", "2026-03-12T09:00:00+00:00"))
    world.work()
    assert "Doomed" in titles(world, ada)
    quietly(world)
    world.state.person(ADA).delete_event(event["id"])
    world.state.expire_sync_tokens()

    later(world)

    assert "Doomed" not in titles(world, ada)
    ghosts = [e for e in world.events(world.renew(ada), include_deleted="true") if e["deleted"]]
    assert len(ghosts) == 1


def test_an_aborted_full_read_leaves_no_ghost_and_deletes_nothing_wrongly(
    world: World, ada: Tokens
) -> None:
    """A failed or partial listing never deletes, and the next good one is believed."""
    made = [
        world.state.person(ADA).create_event(**timed(f"Event {n}", "2026-04-01T09:00:00+00:00"))
        for n in range(30)
    ]
    world.work()
    before = titles(world, ada)
    quietly(world)
    small_pages(world, 5)
    world.state.expire_sync_tokens()
    world.google.app = broken_after(world, pages=2)

    later(world)

    assert titles(world, ada) == before
    world.google.app = world.google_app
    small_pages(world, 5)
    world.state.person(ADA).delete_event(made[3]["id"])
    later(world)
    assert titles(world, ada) == [title for title in before if title != "Event 3"]


def small_pages(world: World, size: int) -> None:
    """Let Google give pages of this size, as it may."""
    inner = world.google.app

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"].endswith("/events"):
            query = re.sub(r"maxResults=\d+", f"maxResults={size}", environ["QUERY_STRING"])
            environ = {**environ, "QUERY_STRING": query}
        return inner(environ, start_response)

    world.google.app = app


def broken_after(world: World, pages: int) -> Any:
    """Let Google fail after so many pages of Ada's primary calendar."""
    inner, seen = world.google.app, [0]

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"].endswith("/events") and "pageToken" in environ["QUERY_STRING"]:
            seen[0] += 1
            if seen[0] >= pages:
                start_response("500 Broken", [("Content-Type", "text/plain")])
                return [b""]
        return inner(environ, start_response)

    return app


@pytest.mark.parametrize("full", [True, False])
def test_a_large_removal_is_asked_for_twice_and_then_believed(
    world: World, ada: Tokens, full: bool
) -> None:
    """The mass-delete brake."""
    _plain_calendar(world, 30)
    world.work()
    before = titles(world, ada)
    quietly(world)
    for event in world.state.person(ADA).events(TEAM):
        world.state.person(ADA).delete_event(event["id"], TEAM)
    if full:
        world.state.expire_sync_tokens()

    later(world)

    assert titles(world, ada) == before
    assert world.profile(ada)["profile_sync"]["reason"] == "held_back"
    later(world, seconds=61)
    assert not any(title.startswith("Planned") for title in titles(world, ada))
    assert "reason" not in world.profile(ada)["profile_sync"]


def test_a_large_removal_in_small_pages_is_held_back_as_a_whole(world: World, ada: Tokens) -> None:
    """The brake weighs a pass, not a page: nothing goes before all of it is known."""
    _plain_calendar(world, 30)
    world.work()
    before = titles(world, ada)
    quietly(world)
    small_pages(world, 5)
    for event in world.state.person(ADA).events(TEAM):
        world.state.person(ADA).delete_event(event["id"], TEAM)

    later(world)

    assert titles(world, ada) == before
    later(world, seconds=61)
    assert not any(title.startswith("Planned") for title in titles(world, ada))


def test_connecting_lists_the_calendars_once_and_the_next_listing_has_time(world: World) -> None:
    world.connected(GRACE)
    world.work()
    assert world.calls("/calendar/v3/users/me/calendarList") == 1

    world.clock.advance(hours=2)
    world.work()

    assert world.calls("/calendar/v3/users/me/calendarList") == 2


def test_an_empty_calendar_list_is_asked_for_twice(world: World, ada: Tokens) -> None:
    """One strange answer from a proxy must not make everybody look free."""
    before = titles(world, ada)
    google, listed = world.google.app, [b'{"items": []}', b"{}"]

    def strange(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"].endswith("/calendarList") and listed:
            start_response("200 OK", [("Content-Type", "application/json")])
            return [listed.pop()]
        return google(environ, start_response)

    world.google.app = strange
    later(world, hours=2)
    assert titles(world, ada) == before

    later(world, hours=2)

    assert not listed
    assert titles(world, ada) == before


def test_a_full_read_that_lists_nothing_at_all_is_not_believed(world: World, ada: Tokens) -> None:
    """Small calendars have no brake: an answer without a list must not empty them."""
    before = titles(world, ada)
    google = world.google.app

    def listless(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        is_full = "syncToken" not in environ["QUERY_STRING"]
        if not (is_full and environ["PATH_INFO"].endswith("/events")):
            return google(environ, start_response)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b'{"kind": "calendar#events", "nextSyncToken": "x"}']

    world.state.expire_sync_tokens(ADA)
    world.google.app = listless
    later(world)

    assert titles(world, ada) == before
    assert world.profile(ada)["profile_sync"]["reason"] == "unreadable_answer"


def test_an_exception_that_cannot_be_read_stays_through_a_full_read(
    world: World, ada: Tokens
) -> None:
    weekly(world)
    moved = _instance(world, "Weekly", 1)
    world.state.person(ADA).update_event(moved, **timed("Weekly", "2026-03-23T15:00:00+00:00"))
    world.work()
    before = starts(world, ada, "Weekly")
    assert "2026-03-23T15:00:00Z" in before
    quietly(world)
    google = world.google.app

    def damaged(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = b"".join(google(environ, start_response))
        return [body.replace(b'"2026-03-23T15:00:00', b'"2026-03-23Tnever:00')]

    world.google.app = damaged
    world.state.expire_sync_tokens()
    later(world)

    assert starts(world, ada, "Weekly") == before


def test_a_large_removal_that_was_a_mistake_changes_nothing(world: World, ada: Tokens) -> None:
    """The provider lists nothing once, and everything again when it is asked again."""
    _plain_calendar(world, 30)
    world.work()
    before = titles(world, ada)
    quietly(world)
    world.state.expire_sync_tokens()
    calendar = world.state.person(ADA).calendar(TEAM)
    kept, calendar.events = calendar.events, {}

    later(world)

    assert titles(world, ada) == before
    calendar.events = kept
    later(world, seconds=61)
    assert titles(world, ada) == before
    assert "reason" not in world.profile(ada)["profile_sync"]


def _plain_calendar(world: World, count: int) -> None:
    for number in range(count):
        world.state.person(ADA).create_event(
            TEAM, **timed(f"Planned {number}", "2026-04-01T09:00:00+00:00")
        )


@pytest.mark.parametrize("fault", ["dup_events", "out_of_order", "empty_page"])
def test_pages_of_any_make_give_the_same_copy(world: World, fault: str) -> None:
    weekly(world)
    world.state.person(ADA).update_event(
        _instance(world, "Weekly", 1), **timed("Moved", "2026-03-24T15:00:00+00:00")
    )
    good = world.connected(ADA)
    world.work()
    expected = titles(world, good)
    world.revoke_profile(good)
    world.work()
    world.faults.set(ADA, fault)
    small_pages(world, 4)

    tokens = world.connected(ADA)
    world.work()

    assert titles(world, tokens) == expected
    assert starts(world, tokens, "Moved") == ["2026-03-24T15:00:00Z"]


# -- single events


def test_a_moved_event_is_found_where_it_was_when_that_is_asked_for(
    world: World, ada: Tokens
) -> None:
    """partner-api: include_moved."""
    event = world.state.person(ADA).create_event(**timed("Mobile", "2026-03-12T09:00:00+00:00"))
    world.work()
    world.clock.advance(minutes=5)
    elsewhere = timed("Mobile", "2026-05-20T09:00:00+00:00")
    world.state.person(ADA).update_event(event["id"], **elsewhere)
    world.work()

    there = {"from": "2026-05-20", "to": "2026-05-21"}
    here = {"from": "2026-03-12", "to": "2026-03-13"}

    assert starts(world, ada, "Mobile", **there) == ["2026-05-20T09:00:00Z"]
    assert starts(world, ada, "Mobile", **here) == []
    assert starts(world, ada, "Mobile", **here, include_moved="true") == ["2026-05-20T09:00:00Z"]


def test_a_removed_event_is_shown_as_deleted_when_that_is_asked_for(
    world: World, ada: Tokens
) -> None:
    event = world.state.person(ADA).create_event(**timed("Doomed", "2026-03-12T09:00:00+00:00"))
    world.work()
    (uid,) = {e["event_uid"] for e in world.events(ada) if e["summary"] == "Doomed"}
    world.clock.advance(minutes=5)
    since = world.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    world.state.person(ADA).delete_event(event["id"])
    world.work()

    gone = world.events(world.renew(ada), include_deleted="true", last_modified=since)

    assert [(e["event_uid"], e["deleted"]) for e in gone] == [(uid, True)]
    assert "Doomed" not in titles(world, ada)


@pytest.mark.parametrize("what", ["listing", "expanding"])
def test_who_asked_while_a_change_was_on_its_way_hears_of_it(
    world: World, ada: Tokens, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """An application asks for what changed since it last asked; a pass may take longer."""
    quietly(world)
    world.state.person(ADA).create_event(**timed("On its way", "2026-03-12T09:00:00+00:00"))
    answer, expand, asked_at = world.google.app, apply.occurrences, []

    def take_time(slow: str) -> None:
        if slow == what:
            world.clock.advance(seconds=4.5)
            asked_at.append(world.clock.now())

    def listing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = list(answer(environ, start_response))
        if any(b"On its way" in part for part in body):
            take_time("listing")
        return body

    def expanding(*args: Any) -> Any:
        take_time("expanding")
        return expand(*args)

    world.google.app = listing
    monkeypatch.setattr(apply, "occurrences", expanding)
    later(world)

    (asked,) = asked_at
    since = asked.strftime("%Y-%m-%dT%H:%M:%SZ")
    after = (asked + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert titles(world, ada, last_modified=since) == ["On its way"]
    assert titles(world, ada, last_modified=after) == []


# -- series


def _instance(world: World, title: str, number: int) -> str:
    """Give the id of an occurrence of a weekly series."""
    (series,) = [
        event
        for event in world.state.person(ADA).events()
        if event.get("summary") == title and "recurrence" in event
    ]
    day = datetime(2026, 3, 16, 9) + timedelta(weeks=number)
    return f"{series['id']}_{day:%Y%m%dT%H%M%SZ}"


def test_a_series_is_edited_in_every_way(world: World, ada: Tokens) -> None:
    """Moved, cancelled, restored: each occurrence keeps its identity."""
    series = weekly(world)
    world.work()
    first = starts(world, ada, "Weekly")
    assert [start[5:10] for start in first] == ["03-16", "03-23", "03-30", "04-06"]
    uids = {e["start"]: e["event_uid"] for e in world.events(ada) if e["summary"] == "Weekly"}
    person = world.state.person(ADA)

    person.update_event(
        _instance(world, "Weekly", 1), **timed("Weekly", "2026-03-24T15:00:00+00:00")
    )
    world.work()
    assert "2026-03-24T15:00:00Z" in starts(world, ada, "Weekly")
    moved = {e["start"]: e["event_uid"] for e in world.events(ada) if e["summary"] == "Weekly"}
    assert moved["2026-03-24T15:00:00Z"] == uids["2026-03-23T09:00:00Z"]

    person.delete_event(_instance(world, "Weekly", 2))
    world.work()
    assert [s[:10] for s in starts(world, ada, "Weekly")] == [
        "2026-03-16",
        "2026-03-24",
        "2026-04-06",
    ]

    person.update_event(
        _instance(world, "Weekly", 1), **timed("Weekly", "2026-03-23T09:00:00+00:00")
    )
    person.update_event(_instance(world, "Weekly", 2), status="confirmed")
    world.work()
    assert starts(world, ada, "Weekly") == first

    person.delete_event(series)
    world.work()
    assert starts(world, ada, "Weekly") == []
    assert world.rows("SELECT count(*) FROM events WHERE series_key IS NOT NULL") == world.rows(
        "SELECT count(*) FROM events WHERE series_key IN (SELECT key FROM events)"
    )


def test_an_exception_whose_series_is_unknown_is_a_single_event(world: World) -> None:
    """An invitation to one occurrence only."""
    world.state.person(ADA).import_event(
        **timed("Only this one", "2026-03-24T15:00:00+00:00"),
        iCalUID="foreign@elsewhere.test",
        organizer={"email": GRACE},
        recurringEventId="unknownseries",
        originalStartTime={"dateTime": "2026-03-23T09:00:00Z"},
    )

    tokens = world.connected(ADA)
    world.work()

    assert starts(world, tokens, "Only this one") == ["2026-03-24T15:00:00Z"]


# -- calendars


def test_calendars_come_change_their_names_and_go(world: World, ada: Tokens) -> None:
    entries = world.state.world.lists[ADA]
    with world.state.transaction():
        entries[TEAM].summary_override = "Renamed"
        world.state.put_entry(ADA, entries[TEAM])
    later(world, hours=2)
    listed = world.get(world.renew(ada), "/v1/calendars").get_json()["calendars"]
    assert "Renamed" in {calendar["calendar_name"] for calendar in listed}

    gone = next(c for c in listed if c["calendar_name"] == "Renamed")
    held = len(world.events(world.renew(ada)))
    here = len(world.events(world.renew(ada), **{"calendar_ids[]": gone["calendar_id"]}))

    def changed() -> set[tuple[int, bool]]:
        """Ask as who has all that there was until an hour ago."""
        since = (world.clock.now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        asked = {"include_deleted": "true", "last_modified": since}
        found = world.events(world.renew(ada), **asked, **{"calendar_ids[]": gone["calendar_id"]})
        return {(len(found), event["deleted"]) for event in found}

    assert changed() == set()
    entry = entries[TEAM]
    with world.state.transaction():
        entry.deleted = True
        world.state.put_entry(ADA, entry)
    later(world, hours=2)
    listed = world.get(world.renew(ada), "/v1/calendars").get_json()["calendars"]
    assert {c["calendar_deleted"] for c in listed if c["calendar_id"] == gone["calendar_id"]} == {
        True
    }
    assert len(world.events(world.renew(ada))) < held
    assert changed() == {(here, True)}

    with world.state.transaction():
        entry.deleted = False
        world.state.put_entry(ADA, entry)
    later(world, hours=2)
    assert len(world.events(world.renew(ada))) == held
    assert changed() == {(here, False)}
    world.clock.advance(hours=2)
    assert changed() == set()


def test_a_calendar_that_cannot_be_read_is_named_and_the_others_go_on(
    world: World, ada: Tokens
) -> None:
    quietly(world)
    world.faults.set(ADA, "gone_calendar", calendar=TEAM)
    world.state.person(ADA).create_event(**timed("Elsewhere", "2026-03-12T09:00:00+00:00"))

    later(world)

    assert "Elsewhere" in titles(world, ada)
    assert world.profile(ada)["profile_sync"]["reason"] == "calendar_gone"
    assert world.profile(ada)["profile_connected"] is True


def test_a_calendar_that_cannot_be_read_does_not_keep_the_first_sync_from_ending(
    world: World,
) -> None:
    """partner-api 5.2: true until the first full sync has ended, and it does end."""
    world.faults.set(ADA, "gone_calendar", calendar=TEAM)
    tokens = world.connected(ADA)
    assert world.profile(tokens)["profile_initial_sync_required"] is True

    world.work()

    profile = world.profile(tokens)
    assert profile["profile_initial_sync_required"] is False
    assert profile["profile_sync"]["reason"] == "calendar_gone"


@pytest.mark.parametrize(
    ("reason", "status", "ended"),
    [("domainPolicy", 403, True), ("backendError", 500, False)],
)
def test_the_first_sync_ends_with_a_refusal_and_not_with_an_outage(
    world: World, reason: str, status: int, ended: bool
) -> None:
    google = world.google.app

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not environ["PATH_INFO"].endswith("/events"):
            return google(environ, start_response)
        start_response(f"{status} No", [("Content-Type", "application/json")])
        return [json.dumps({"error": {"code": status, "errors": [{"reason": reason}]}}).encode()]

    world.google.app = app
    tokens = world.connected(ADA)

    for _ in range(3):
        later(world, hours=2)

    assert world.profile(tokens)["profile_initial_sync_required"] is not ended


# -- the window


def test_the_window_rolls_on_without_counting_as_a_change(world: World, ada: Tokens) -> None:
    """What merely comes into view carries no change time."""
    world.state.person(ADA).create_event(
        **timed("Forever", "2026-03-16T09:00:00+00:00"), recurrence=["RRULE:FREQ=WEEKLY"]
    )
    world.work()
    last = starts(world, ada, "Forever")[-1]
    quietly(world)
    since = world.clock.now() + timedelta(minutes=1)

    for _ in range(10):
        later(world, days=3)

    rolled = starts(world, ada, "Forever", **{"from": "2026-01-01", "to": "2026-11-01"})
    assert rolled[-1] > last
    assert datetime.fromisoformat(rolled[-1]) - datetime.fromisoformat(last) >= timedelta(weeks=4)
    changed = world.events(
        world.renew(ada),
        last_modified=since.strftime("%Y-%m-%dT%H:%M:%SZ"),
        include_deleted="true",
    )
    assert [e["summary"] for e in changed if e["summary"] == "Forever"] == []


def test_the_number_of_pages_follows_every_change_of_the_copy(world: World, ada: Tokens) -> None:
    """It is counted once for each state of the copies, so no write may go unnoticed."""

    def total() -> int:
        answer = world.get(world.renew(ada), "/v1/events", tzid="Etc/UTC")
        return int(answer.get_json()["pages"]["total"])

    def held() -> int:
        return len(world.events(world.renew(ada)))

    person, promised, listed = world.state.person(ADA), [total()], [held()]
    for added in (150, 10, 230):
        generated = [event["id"] for event in person.events() if event["id"].startswith("gen")]
        for event_id in generated[:60]:
            person.delete_event(event_id)
        seed.add_generated(world.state, ADA, added)
        later(world)
        promised.append(total())
        listed.append(held())

    assert promised == [-(-count // 100) for count in listed]
    assert len(set(promised)) > 2


def test_what_left_the_window_is_forgotten(world: World, ada: Tokens) -> None:
    quietly(world)
    world.clock.advance(days=60)
    world.work()

    (oldest,) = world.rows("SELECT min(end_at) FROM occurrences")[0]

    assert oldest >= (NOW + timedelta(days=60 - 44)).timestamp()


# -- two workers, and lost messages


def _sync_task(world: World) -> str:
    """Give the task that syncs Ada's primary calendar, due now."""
    with world.app.app_context():
        calendar = world.rows('SELECT id FROM calendars WHERE "primary"')[0][0]
        with transaction() as session:
            now = world.clock.now()
            return tasks.want(session, Kind.SYNC_CALENDAR, calendar, now, now)


def test_two_workers_never_hold_one_calendar(world: World, ada: Tokens) -> None:
    task_id = _sync_task(world)

    with world.app.app_context():
        first = tasks.claim(world.runtime, task_id)
        second = tasks.claim(world.runtime, task_id)

    assert first is not None
    assert second is None


def test_a_worker_that_woke_up_late_writes_nothing(world: World, ada: Tokens) -> None:
    """Fencing: whoever claimed after us owns the calendar."""
    quietly(world)
    task_id = _sync_task(world)
    world.state.person(ADA).create_event(**timed("Raced", "2026-03-12T09:00:00+00:00"))

    with world.app.app_context():
        sleeper = tasks.claim(world.runtime, task_id)
        assert sleeper is not None
        world.clock.advance(seconds=11)
        other = tasks.claim(world.runtime, task_id)
        assert other is not None
        before = world.rows("SELECT * FROM events"), world.rows("SELECT * FROM occurrences")
        with pytest.raises(LeaseLost):
            syncing.sync_calendar(world.runtime, sleeper)
        after = world.rows("SELECT * FROM events"), world.rows("SELECT * FROM occurrences")
        syncing.sync_calendar(world.runtime, other)

    assert after == before
    assert "Raced" in titles(world, ada)


def test_a_full_read_by_a_worker_that_woke_up_late_writes_nothing(
    world: World, ada: Tokens
) -> None:
    world.state.expire_sync_tokens()
    task_id = _sync_task(world)

    with world.app.app_context():
        sleeper = tasks.claim(world.runtime, task_id)
        assert sleeper is not None
        world.clock.advance(seconds=11)
        assert tasks.claim(world.runtime, task_id) is not None
        before = world.rows("SELECT * FROM calendars")
        with pytest.raises(LeaseLost):
            syncing.sync_calendar(world.runtime, sleeper)

    assert world.rows("SELECT * FROM calendars") == before


def test_a_calendar_that_changes_while_it_is_read_is_read_again(world: World, ada: Tokens) -> None:
    """A push during the pass is not lost."""
    quietly(world)
    task_id = _sync_task(world)
    inner = world.google.app

    def change_midway(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer = list(inner(environ, start_response))
        world.google.app = inner
        world.state.person(ADA).create_event(**timed("Midway", "2026-03-12T09:00:00+00:00"))
        _sync_task(world)
        return answer

    world.google.app = change_midway
    with world.app.app_context():
        assert work.run(world.runtime, task_id)
    assert "Midway" not in titles(world, ada)

    world.work()

    assert "Midway" in titles(world, ada)


def test_a_queue_that_lost_everything_loses_nothing(world: World) -> None:
    """The database is the queue of record: the clock finds what was announced and lost."""
    tokens = world.connected(ADA)
    announced = world.queue.take()
    assert announced

    with world.app.app_context():
        found = dispatch.due(world.runtime)

    assert set(announced) <= set(found)
    world.clock.advance(seconds=31)
    world.work()
    assert len(world.events(world.renew(tokens))) > 20


def test_a_worker_killed_in_the_middle_is_made_up_for(world: World) -> None:
    """Its lease runs out, the clock hands the task to another."""
    tokens = world.connected(ADA)
    with world.app.app_context():
        for task_id in dispatch.due(world.runtime):
            tasks.claim(world.runtime, task_id)
    assert world.work() == 0

    world.clock.advance(seconds=11)
    world.work()

    assert len(world.events(world.renew(tokens))) > 20
