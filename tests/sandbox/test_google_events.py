"""Events of the sandbox's Google: writes, roles, privacy, invitations, free and busy."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sandbox.google import create_app
from sandbox.google.driver import ApiUser, connect
from sandbox.google.scopes import PREFIX

ADA, GRACE, ALAN = "ada@calbroker.test", "grace@calbroker.test", "alan@calbroker.test"
EVENTS = "/calendars/primary/events"
LUNCH = {
    "summary": "Lunch",
    "start": {"dateTime": "2026-12-01T12:00:00Z"},
    "end": {"dateTime": "2026-12-01T13:00:00Z"},
}
WEEKLY = {
    "summary": "Weekly",
    "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"],
    "start": {"dateTime": "2026-03-23T09:00:00", "timeZone": "Europe/London"},
    "end": {"dateTime": "2026-03-23T10:00:00", "timeZone": "Europe/London"},
}


@pytest.fixture
def app():
    return create_app(now=lambda: datetime(2026, 11, 21, 12, tzinfo=UTC))


@pytest.fixture
def ada(app):
    return connect(app, ADA)


@pytest.fixture
def grace(app):
    return connect(app, GRACE)


def reason(answer):
    return answer.json["error"]["errors"][0]["reason"]


def test_insert_answers_200_with_what_the_server_adds(ada):
    answer = ada.call("POST", EVENTS, json=LUNCH)

    event = answer.json
    assert 200 == answer.status_code
    assert ("confirmed", "default", 0) == (event["status"], event["eventType"], event["sequence"])
    assert {"email": ADA, "self": True} == event["organizer"]
    assert {"dateTime": "2026-12-01T12:00:00Z", "timeZone": "Europe/London"} == event["start"]
    assert event["etag"] == answer.headers["ETag"]
    assert "transparency" not in event and "visibility" not in event


def test_own_id_is_taken_once_even_after_deletion(ada):
    first = ada.call("POST", EVENTS, json=LUNCH | {"id": "abcde12345"})
    second = ada.call("POST", EVENTS, json=LUNCH | {"id": "abcde12345"})
    ada.call("DELETE", f"{EVENTS}/abcde12345")
    third = ada.call("POST", EVENTS, json=LUNCH | {"id": "abcde12345"})
    revived = ada.call("PATCH", f"{EVENTS}/abcde12345", json={"status": "confirmed"})

    assert [200, 409, 409, 200] == [a.status_code for a in (first, second, third, revived)]
    assert "duplicate" == reason(second)
    assert "confirmed" == ada.get(f"{EVENTS}/abcde12345").json["status"]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({**LUNCH, "id": "UPPER"}, "invalid"),
        ({**LUNCH, "end": None}, "required"),
        ({**LUNCH, "end": {"date": "2026-12-02"}}, "invalid"),
        ({**LUNCH, "end": {"dateTime": "2026-12-01T11:00:00Z"}}, "timeRangeEmpty"),
        ({**LUNCH, "start": {"dateTime": "2026-12-01T12:00:00"}}, "invalid"),
        ({**LUNCH, "recurrence": ["RRULE:FREQ=WEEKLY"]}, "required"),
        ({**WEEKLY, "recurrence": ["RRULE:FREQ=NEVER"]}, "invalid"),
        ({**LUNCH, "transparency": "glass"}, "invalid"),
        ({**LUNCH, "attendees": [{"email": "nobody"}]}, "invalid"),
    ],
)
def test_bad_event_is_refused(ada, body, wanted):
    answer = ada.call("POST", EVENTS, json=body)

    assert 400 == answer.status_code
    assert wanted == reason(answer)


def test_body_that_is_no_json_is_a_parse_error(ada):
    answer = ada.call("POST", EVENTS, data="{", headers={"Content-Type": "application/json"})

    assert (400, "parseError") == (answer.status_code, reason(answer))


def test_patch_keeps_and_put_resets_what_is_not_said(ada):
    event = ada.call("POST", EVENTS, json=LUNCH | {"location": "Café", "description": "x"}).json
    path = f"{EVENTS}/{event['id']}"

    patched = ada.call("PATCH", path, json={"summary": "Late lunch", "description": None}).json
    put = ada.call("PUT", path, json=LUNCH).json

    assert ("Late lunch", "Café") == (patched["summary"], patched["location"])
    assert "description" not in patched
    assert "location" not in put
    assert event["iCalUID"] == put["iCalUID"]


def test_moving_bumps_the_sequence_and_updated_only_grows(ada):
    event = ada.call("POST", EVENTS, json=LUNCH).json
    later = {"dateTime": "2026-12-01T14:00:00Z"}

    moved = ada.call("PATCH", f"{EVENTS}/{event['id']}", json={"end": later}).json

    assert 1 == moved["sequence"]
    assert moved["updated"] > event["updated"]
    assert moved["etag"] != event["etag"]


def test_private_properties_merge_and_are_limited(ada):
    private = {"brk": "1", "k" * 45: "dropped", "long": "x" * 2000}
    event = ada.call("POST", EVENTS, json=LUNCH | {"extendedProperties": {"private": private}}).json
    more = {"extendedProperties": {"private": {"brkEid": "e"}}}

    held = ada.call("PATCH", f"{EVENTS}/{event['id']}", json=more).json["extendedProperties"]

    assert {"brk", "long", "brkEid"} == set(held["private"])
    assert 1024 == len(held["private"]["long"])
    assert [event["id"]] == [e["id"] for e in ada.events(privateExtendedProperty="brk=1")[0]]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_stale_etag_is_a_failed_precondition(ada, method):
    event = ada.call("POST", EVENTS, json=LUNCH).json
    path = f"{EVENTS}/{event['id']}"
    stale, fresh = {"If-Match": '"1"'}, {"If-Match": event["etag"]}

    refused = ada.call(method, path, json=LUNCH, headers=stale)
    taken = ada.call(method, path, json=LUNCH, headers=fresh)

    assert (412, "conditionNotMet") == (refused.status_code, reason(refused))
    assert taken.status_code in (200, 204)


def test_unchanged_event_answers_304(ada):
    event = ada.call("POST", EVENTS, json=LUNCH).json

    answer = ada.call("GET", f"{EVENTS}/{event['id']}", headers={"If-None-Match": event["etag"]})

    assert (304, b"") == (answer.status_code, answer.data)


def test_delete_answers_204_then_410_and_404_for_the_unknown(ada):
    event = ada.call("POST", EVENTS, json=LUNCH).json
    path = f"{EVENTS}/{event['id']}"

    answers = [ada.call("DELETE", p) for p in (path, path, f"{EVENTS}/neverwas")]

    assert [204, 410, 404] == [answer.status_code for answer in answers]
    assert "cancelled" == ada.get(path).json["status"]


def test_series_keeps_its_wall_time_over_the_change_of_clocks(ada):
    master = ada.call("POST", EVENTS, json=WEEKLY).json

    items = ada.get(f"{EVENTS}/{master['id']}/instances").json["items"]

    assert [
        ("20260323T090000Z", "2026-03-23T09:00:00Z"),
        ("20260330T080000Z", "2026-03-30T09:00:00+01:00"),
        ("20260406T080000Z", "2026-04-06T09:00:00+01:00"),
        ("20260413T080000Z", "2026-04-13T09:00:00+01:00"),
    ] == [(item["id"].split("_")[1], item["start"]["dateTime"]) for item in items]


def test_changing_one_occurrence_makes_an_exception(ada):
    master = ada.call("POST", EVENTS, json=WEEKLY).json
    second = f"{master['id']}_20260330T080000Z"

    changed = ada.call("PATCH", f"{EVENTS}/{second}", json={"summary": "Other"}).json
    ada.call("DELETE", f"{EVENTS}/{master['id']}_20260406T080000Z")
    items = ada.get(f"{EVENTS}/{master['id']}/instances").json["items"]

    assert (master["id"], "2026-03-30T09:00:00+01:00") == (
        changed["recurringEventId"],
        changed["originalStartTime"]["dateTime"],
    )
    assert ["Weekly", "Other", "Weekly"] == [item["summary"] for item in items]


def test_all_day_series_names_occurrences_by_day(ada):
    days = {"start": {"date": "2026-12-01"}, "end": {"date": "2026-12-02"}}
    rule = ["RRULE:FREQ=DAILY;COUNT=3", "EXDATE;VALUE=DATE:20261202"]
    master = ada.call("POST", EVENTS, json={**days, "recurrence": rule}).json

    items = ada.get(f"{EVENTS}/{master['id']}/instances").json["items"]

    assert ["20261201", "20261203"] == [item["id"].split("_")[1] for item in items]


def test_deleting_a_series_takes_its_exceptions_along(ada):
    master = ada.call("POST", EVENTS, json=WEEKLY).json
    second = f"{EVENTS}/{master['id']}_20260330T080000Z"
    ada.call("PATCH", second, json={"summary": "Other"})

    ada.call("DELETE", f"{EVENTS}/{master['id']}")

    assert "cancelled" == ada.get(second).json["status"]
    assert master["id"] not in {e.get("recurringEventId") for e in ada.events()[0]}


def test_invitation_arrives_and_the_answer_returns(ada, grace):
    event = ada.call("POST", EVENTS, json=LUNCH | {"attendees": [{"email": GRACE}]}).json
    path = f"{EVENTS}/{event['id']}"

    copy = grace.get(path).json
    guests = [
        g | ({"responseStatus": "accepted"} if g.get("self") else {}) for g in copy["attendees"]
    ]
    grace.call("PATCH", path, json={"attendees": guests})

    assert "self" not in copy["organizer"]
    assert [GRACE] == [g["email"] for g in copy["attendees"] if g.get("self")]
    answers = {g["email"]: g["responseStatus"] for g in ada.get(path).json["attendees"]}
    assert {ADA: "accepted", GRACE: "accepted"} == answers


def test_guest_may_not_change_what_is_shared(ada, grace):
    event = ada.call("POST", EVENTS, json=LUNCH | {"attendees": [{"email": GRACE}]}).json
    path = f"{EVENTS}/{event['id']}"

    refused = grace.call("PATCH", path, json={"summary": "Mine"})
    own = grace.call("PATCH", path, json={"transparency": "transparent"})

    assert (403, "forbiddenForNonOrganizer") == (refused.status_code, reason(refused))
    assert 200 == own.status_code
    assert "transparency" not in ada.get(path).json


def test_guest_who_deletes_declines_and_organizer_who_deletes_cancels(ada, grace):
    invite = LUNCH | {"attendees": [{"email": GRACE}]}
    one, two = (ada.call("POST", EVENTS, json=invite).json["id"] for _ in range(2))

    grace.call("DELETE", f"{EVENTS}/{one}")
    ada.call("DELETE", f"{EVENTS}/{two}")

    answers = {
        g["email"]: g["responseStatus"] for g in ada.get(f"{EVENTS}/{one}").json["attendees"]
    }
    assert "declined" == answers[GRACE]
    assert "cancelled" == grace.get(f"{EVENTS}/{one}").json["status"]
    assert "cancelled" == grace.get(f"{EVENTS}/{two}").json["status"]


def test_deleted_series_leaves_nothing_with_the_guest(ada, grace):
    invite = WEEKLY | {"attendees": [{"email": GRACE}]}
    master = ada.call("POST", EVENTS, json=invite).json["id"]
    second = f"{EVENTS}/{master}_20260330T080000Z"
    ada.call("PATCH", second, json={"summary": "Other"})
    assert "Other" == grace.get(second).json["summary"]

    ada.call("DELETE", f"{EVENTS}/{master}")

    assert not [e for e in grace.events()[0] if e["id"].startswith(master)]


def test_guest_who_removed_an_event_does_not_get_it_back(ada, grace):
    invite = LUNCH | {"attendees": [{"email": GRACE}]}
    path = f"{EVENTS}/{ada.call('POST', EVENTS, json=invite).json['id']}"
    grace.call("DELETE", path)

    ada.call("PATCH", path, json={"summary": "Still on"})

    assert "cancelled" == grace.get(path).json["status"]


def test_meet_link_needs_version_one(ada):
    wish = {"createRequest": {"requestId": "r1", "conferenceSolutionKey": {"type": "hangoutsMeet"}}}
    body = LUNCH | {"conferenceData": wish}

    without = ada.call("POST", EVENTS, json=body).json
    made = ada.call("POST", f"{EVENTS}?conferenceDataVersion=1", json=body).json

    assert "hangoutLink" not in without
    assert made["hangoutLink"] == made["conferenceData"]["entryPoints"][0]["uri"]


def test_import_is_updated_by_its_uid(ada):
    body = LUNCH | {"iCalUID": "x@elsewhere", "organizer": {"email": "boss@elsewhere.example"}}

    first = ada.call("POST", f"{EVENTS}/import", json=body).json
    second = ada.call("POST", f"{EVENTS}/import", json=body | {"summary": "Again"}).json

    assert "boss@elsewhere.example" == first["organizer"]["email"]
    assert (first["id"], "Again") == (second["id"], second["summary"])


def test_move_leaves_a_cancelled_stub(app, ada):
    event = ada.call("POST", EVENTS, json=LUNCH).json
    team = "c_analytical@group.calendar.google.com"

    moved = ada.call(
        "POST", f"{EVENTS}/{event['id']}/move", query_string={"destination": team}
    ).json

    assert team == moved["organizer"]["email"]
    assert "cancelled" == ada.get(f"{EVENTS}/{event['id']}").json["status"]


def test_shared_calendar_shows_only_when_it_is_busy(ada):
    items, _ = ada.events(GRACE)

    allowed = {"kind", "etag", "id", "status", "htmlLink", "updated", "start", "end", "iCalUID"}
    allowed |= {"visibility", "recurrence", "recurringEventId", "originalStartTime"}
    assert items
    assert set().union(*items) <= allowed


def test_free_busy_scope_hides_details_on_own_calendar(app):
    caller = connect(app, ADA, f"{PREFIX}calendar.events.freebusy")

    answer = caller.get(EVENTS).json

    assert "freeBusyReader" == answer["accessRole"]
    assert not any("summary" in item for item in answer["items"])


def test_reader_sees_private_events_without_details(app, grace):
    state = app.extensions["google"]
    state.world.calendars[ADA].roles[GRACE] = "reader"
    secret = state.person(ADA).create_event(**LUNCH, visibility="private")

    seen = grace.get(f"/calendars/{ADA}/events/{secret['id']}").json

    assert "summary" not in seen
    assert "private" == seen["visibility"]
    assert (403, "requiredAccessLevel") == (
        (answer := grace.call("POST", f"/calendars/{ADA}/events", json=LUNCH)).status_code,
        reason(answer),
    )


def test_stranger_sees_nothing(app):
    alan = connect(app, ALAN)

    assert 404 == alan.get(f"/calendars/{ADA}x/events").status_code
    assert 404 == alan.get("/calendars/c_analytical@group.calendar.google.com").status_code


@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        ("calendar.events", "GET", "/users/me/calendarList", 403),
        ("calendar.events", "GET", "/calendars/primary", 403),
        ("calendar.events", "POST", "/freeBusy", 403),
        ("calendar.events", "GET", EVENTS, 200),
        ("calendar.events.readonly", "POST", EVENTS, 403),
        ("calendar.calendarlist.readonly", "GET", "/users/me/calendarList", 200),
        ("calendar.calendarlist.readonly", "GET", EVENTS, 403),
        ("calendar.freebusy", "GET", EVENTS, 403),
    ],
)
def test_scope_opens_only_its_methods(app, scope, method, path, status):
    answer = connect(app, ADA, PREFIX + scope).call(method, path, json={})

    assert status == answer.status_code
    if status == 403:
        assert "insufficientPermissions" == reason(answer)
        assert "PERMISSION_DENIED" == answer.json["error"]["status"]
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_unknown_and_missing_bearer_are_401(app, ada):
    unknown = ApiUser(app, "nonsense").get("/users/me/calendarList")
    missing = app.test_client().get("/calendar/v3/users/me/calendarList")

    assert (401, "authError") == (unknown.status_code, reason(unknown))
    assert (401, "required") == (missing.status_code, reason(missing))


def busy(caller, *ids, begin="2026-12-01T00:00:00Z", end="2026-12-02T00:00:00Z"):
    body = {"timeMin": begin, "timeMax": end, "items": [{"id": one} for one in ids]}
    return caller.call("POST", "/freeBusy", json=body)


def test_free_busy_merges_cuts_and_leaves_out_what_is_free(app, ada):
    person = app.extensions["google"].person(ADA)
    for event in person.events():
        if "recurringEventId" not in event:
            person.delete_event(event["id"])
    person.create_event(**LUNCH)
    person.create_event(
        **LUNCH
        | {
            "start": {"dateTime": "2026-12-01T12:30:00Z"},
            "end": {"dateTime": "2026-12-01T13:30:00Z"},
        }
    )
    person.create_event(
        **LUNCH | {"end": {"dateTime": "2026-12-01T20:00:00Z"}}, transparency="transparent"
    )
    person.create_event(
        start={"dateTime": "2026-12-01T23:00:00Z"}, end={"dateTime": "2026-12-02T03:00:00Z"}
    )

    answer = busy(ada, "primary", "missing@calbroker.test").json["calendars"]

    assert [
        {"start": "2026-12-01T12:00:00Z", "end": "2026-12-01T13:30:00Z"},
        {"start": "2026-12-01T23:00:00Z", "end": "2026-12-02T00:00:00Z"},
    ] == answer["primary"]["busy"]
    assert "notFound" == answer["missing@calbroker.test"]["errors"][0]["reason"]


def test_free_busy_limits(ada):
    long = busy(ada, "primary", end="2027-03-10T00:00:00Z")
    empty = busy(ada, "primary", end="2026-12-01T00:00:00Z")
    many = busy(ada, *[f"c{n}@calbroker.test" for n in range(50)], "primary").json["calendars"]

    assert (400, "timeRangeTooLong") == (long.status_code, reason(long))
    assert (400, "timeRangeEmpty") == (empty.status_code, reason(empty))
    assert "tooManyCalendarsRequested" == many["primary"]["errors"][0]["reason"]


def test_field_mask_answers_only_what_is_asked(ada):
    answer = ada.get(EVENTS, fields="items(id,start/dateTime),nextSyncToken").json

    assert {"items", "nextSyncToken"} == set(answer)
    assert all(set(item) <= {"id", "start"} for item in answer["items"])
    assert 400 == ada.get(EVENTS, fields="items(id").status_code
