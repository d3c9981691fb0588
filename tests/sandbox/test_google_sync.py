"""Listing and synchronisation at the sandbox's Google."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.google import create_app
from sandbox.google.driver import connect

ADA, GRACE = "ada@calbroker.test", "grace@calbroker.test"
EVENTS = "/calendars/primary/events"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def timed(day, hour=12, minutes=60):
    start = datetime(2026, 12, 1, hour, tzinfo=UTC) + timedelta(days=day)
    end = start + timedelta(minutes=minutes)
    return {
        "start": {"dateTime": start.isoformat(), "timeZone": "UTC"},
        "end": {"dateTime": end.isoformat(), "timeZone": "UTC"},
    }


@pytest.fixture
def app():
    return create_app(now=lambda: NOON)


@pytest.fixture
def ada(app):
    return connect(app, ADA)


@pytest.fixture
def person(app):
    return app.extensions["google"].person(ADA)


def reason(answer):
    return answer.json["error"]["errors"][0]["reason"]


def test_seeded_calendar_has_every_kind_of_event(ada):
    items, _ = ada.events()

    kinds = {item["eventType"] for item in items if "eventType" in item}
    assert len(items) >= 30
    assert {"default", "outOfOffice", "focusTime", "workingLocation"} <= kinds
    assert any("hangoutLink" in item for item in items)
    assert any(item.get("visibility") == "private" for item in items)
    assert any(item["status"] == "tentative" for item in items)
    assert any(item["status"] == "cancelled" and "recurringEventId" in item for item in items)
    assert any(
        guest.get("self") and guest["responseStatus"] == "declined"
        for item in items
        for guest in item.get("attendees", ())
    )


def test_seeds_are_the_same_for_the_same_time(app):
    def content(one):
        return one.extensions["google"].world.calendars[ADA].events

    assert content(app) == content(create_app(now=lambda: NOON))


def test_sync_token_comes_on_the_last_page_only(ada):
    first = ada.get(EVENTS, maxResults=20).json
    last = ada.get(EVENTS, maxResults=20, pageToken=first["nextPageToken"]).json

    assert "nextSyncToken" not in first and 20 == len(first["items"])
    assert "nextSyncToken" in last and "nextPageToken" not in last
    assert not {e["id"] for e in first["items"]} & {e["id"] for e in last["items"]}


def test_incremental_listing_has_changes_and_deletions_only(ada, person):
    _, token = ada.events()
    kept = person.create_event(summary="New", **timed(1))
    gone = person.create_event(summary="Gone", **timed(2))
    person.delete_event(gone["id"])

    items, again = ada.events(syncToken=token)

    assert [kept["id"], gone["id"]] == [item["id"] for item in items]
    assert {"kind", "etag", "id", "status"} == set(items[1])
    assert ([], again) == ada.events(syncToken=again)


def test_incremental_listing_is_not_windowed(ada, person):
    _, token = ada.events(timeMin="2026-12-01T00:00:00Z", timeMax="2026-12-02T00:00:00Z")
    outside = person.create_event(**timed(100))

    items, _ = ada.events(syncToken=token)

    assert [outside["id"]] == [item["id"] for item in items]


def test_expired_token_asks_for_a_full_sync(app, ada):
    _, token = ada.events()
    app.extensions["google"].expire_sync_tokens(ADA)

    answer = ada.get(EVENTS, syncToken=token)

    assert (410, "fullSyncRequired") == (answer.status_code, reason(answer))
    assert "syncToken" == answer.json["error"]["errors"][0]["location"]


@pytest.mark.parametrize(
    "extra",
    [
        {"timeMin": "2026-12-01T00:00:00Z"},
        {"timeMax": "2026-12-01T00:00:00Z"},
        {"q": "x"},
        {"orderBy": "updated"},
        {"iCalUID": "x"},
        {"updatedMin": "2026-12-01T00:00:00Z"},
        {"privateExtendedProperty": "a=b"},
        {"sharedExtendedProperty": "a=b"},
        {"showDeleted": "false"},
        {"singleEvents": "true"},
        {"eventTypes": "default"},
    ],
)
def test_sync_token_refuses_other_restrictions(ada, extra):
    _, token = ada.events()

    assert 400 == ada.get(EVENTS, syncToken=token, **extra).status_code


def test_made_up_tokens_are_400_and_foreign_ones_410(app, ada):
    _, foreign = connect(app, GRACE).events()

    assert 400 == ada.get(EVENTS, syncToken="bogus").status_code
    assert 400 == ada.get(EVENTS, pageToken="bogus").status_code
    assert 410 == ada.get(EVENTS, syncToken=foreign).status_code


def test_page_token_belongs_to_its_sync_token(ada, person):
    _, token = ada.events()
    for day in range(3):
        person.create_event(**timed(day))
    page = ada.get(EVENTS, syncToken=token, maxResults=2).json["nextPageToken"]

    good = ada.get(EVENTS, syncToken=token, pageToken=page)
    without = ada.get(EVENTS, pageToken=page)

    assert (200, 1) == (good.status_code, len(good.json["items"]))
    assert 400 == without.status_code


@pytest.mark.parametrize("extra", [{"q": "x"}, {"orderBy": "updated"}, {"iCalUID": "x"}])
def test_restricted_listing_gives_no_sync_token(ada, extra):
    assert ada.events(**extra)[1] is None


def test_change_between_pages_is_never_lost(ada, person):
    first = ada.get(EVENTS, maxResults=20).json
    seen = {e["id"] for e in first["items"]}
    person.update_event(first["items"][0]["id"], colorId="5")
    rest, token = ada.events(maxResults=20, pageToken=first["nextPageToken"])

    seen |= {e["id"] for e in rest}
    assert {e["id"] for e in person.events()} <= seen
    assert first["items"][0]["id"] in {e["id"] for e in ada.events(syncToken=token)[0]}


def test_time_bounds_are_exclusive_and_compare_end_and_start(ada, person):
    person.create_event(id="before", summary="edge", **timed(50, 10))
    person.create_event(id="after0", summary="edge", **timed(50, 12))
    person.create_event(id="inside", summary="edge", **timed(50, 10, 90))
    bounds = {"timeMin": "2027-01-20T11:00:00Z", "timeMax": "2027-01-20T12:00:00Z"}

    items, _ = ada.events(**bounds, q="edge")

    assert ["inside"] == [item["id"] for item in items]
    assert 400 == ada.get(EVENTS, timeMin="2026-12-01T00:00:00").status_code
    swapped = ada.get(EVENTS, timeMin=bounds["timeMax"], timeMax=bounds["timeMin"])
    assert (400, "timeRangeEmpty") == (swapped.status_code, reason(swapped))


def test_single_events_expand_series_in_order_of_start(ada, person):
    master = person.create_event(recurrence=["RRULE:FREQ=DAILY;COUNT=3"], **timed(60))
    person.delete_event(f"{master['id']}_20270131T120000Z")
    window = {"timeMin": "2027-01-29T00:00:00Z", "timeMax": "2027-02-05T00:00:00Z"}

    items, token = ada.events(singleEvents="true", orderBy="startTime", **window)

    ours = [item for item in items if item.get("recurringEventId") == master["id"]]
    assert ["20270130T120000Z", "20270201T120000Z"] == [i["id"].split("_")[1] for i in ours]
    assert token is None
    assert 400 == ada.get(EVENTS, orderBy="startTime").status_code


def test_expanded_sync_tells_of_every_cancelled_occurrence(ada, person):
    master = person.create_event(recurrence=["RRULE:FREQ=DAILY;COUNT=3"], **timed(60))
    _, token = ada.events(singleEvents="true")
    person.delete_event(master["id"])

    items, _ = ada.events(singleEvents="true", syncToken=token)

    assert ["cancelled"] * 3 == [item["status"] for item in items]


def test_deleted_events_are_shown_on_request_only(ada, person):
    gone = person.create_event(**timed(3))["id"]
    person.delete_event(gone)

    assert gone not in {e["id"] for e in ada.events()[0]}
    assert gone in {e["id"] for e in ada.events(showDeleted="true")[0]}


def test_cancelled_exceptions_come_without_being_asked_for(ada, person):
    master = person.create_event(recurrence=["RRULE:FREQ=DAILY;COUNT=3"], **timed(60))
    stub = f"{master['id']}_20270131T120000Z"
    person.delete_event(stub)

    found = next(item for item in ada.events()[0] if item["id"] == stub)

    assert "cancelled" == found["status"]
    assert {"kind", "etag", "id", "status", "recurringEventId", "originalStartTime"} == set(found)


def test_page_size_is_capped(ada, app):
    app.test_client().post("/seed", json={"person": ADA, "events": 3000})

    answer = ada.get(EVENTS, maxResults=9999).json

    assert 2500 == len(answer["items"])
    assert 400 == ada.get(EVENTS, maxResults=0).status_code


def test_calendar_list_pages_and_syncs(ada, person):
    first = ada.get("/users/me/calendarList", maxResults=3).json
    last = ada.get("/users/me/calendarList", maxResults=3, pageToken=first["nextPageToken"]).json
    token = last["nextSyncToken"]
    unchanged = ada.get("/users/me/calendarList", syncToken=token).json
    person.unsubscribe(GRACE)
    changed = ada.get("/users/me/calendarList", syncToken=token).json

    entries = first["items"] + last["items"]
    assert ["owner", "owner", "reader", "freeBusyReader"] == [e["accessRole"] for e in entries]
    assert [True, None, None, None] == [e.get("primary") for e in entries]
    assert [] == unchanged["items"]
    assert [(GRACE, True)] == [(e["id"], e["deleted"]) for e in changed["items"]]
    assert (
        400 == ada.get("/users/me/calendarList", syncToken=token, minAccessRole="owner").status_code
    )


def test_new_calendar_appears_in_the_list(ada):
    made = ada.call("POST", "/calendars", json={"summary": "Plans"}).json

    entry = ada.get(f"/users/me/calendarList/{made['id']}").json

    assert ("owner", "Europe/London") == (entry["accessRole"], entry["timeZone"])
    assert 400 == ada.call("POST", "/calendars", json={}).status_code


EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 90)),
        st.tuples(st.just("rename"), st.integers(0, 9)),
        st.tuples(st.just("delete"), st.integers(0, 9)),
        st.tuples(st.just("sync"), st.integers(1, 4)),
    ),
    max_size=12,
)


@settings(max_examples=25)
@given(edits=EDITS)
def test_a_copy_kept_by_sync_tokens_equals_the_calendar(edits):
    app = create_app(now=lambda: NOON)
    caller, person = connect(app, ADA), app.extensions["google"].person(ADA)
    copy, token = _applied({}, caller.events())
    for kind, number in [*edits, ("sync", 1)]:
        live = [e["id"] for e in person.events() if "recurringEventId" not in e]
        if kind == "add":
            person.create_event(**timed(number))
        elif kind == "rename":
            person.update_event(live[-1 - number], colorId=str(number))
        elif kind == "delete":
            person.delete_event(live[-1 - number])
        else:
            copy, token = _applied(copy, caller.events(syncToken=token, maxResults=number))

    assert _applied({}, caller.events())[0] == copy


def _applied(copy, answer):
    items, token = answer
    copy = dict(copy)
    for item in items:
        copy.pop(item["id"], None)
        if item["status"] != "cancelled" or "recurringEventId" in item:
            copy[item["id"]] = item["etag"]
    masters = set(copy)
    for item in list(copy):
        if "_" in item and item.split("_")[0] not in masters:
            del copy[item]
    return copy, token
