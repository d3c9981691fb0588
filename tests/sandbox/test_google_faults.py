"""Faults of the sandbox's Calendar API."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from sandbox.google import FAULTS, create_app
from sandbox.google.driver import Visitor, callback, connect

ADA, GRACE = "ada@calbroker.test", "grace@calbroker.test"
EVENTS = "/calendars/primary/events"


@pytest.fixture
def app():
    return create_app(now=lambda: datetime(2026, 11, 21, 12, tzinfo=UTC))


@pytest.fixture
def faults(app):
    return app.extensions["faults"]


@pytest.fixture
def ada(app):
    return connect(app, ADA)


def ids(items):
    return [item["id"] for item in items]


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        ("throttled_429", 429, "rateLimitExceeded"),
        ("throttled_403", 403, "rateLimitExceeded"),
        ("quota_403", 403, "quotaExceeded"),
        ("server_error_500", 500, "backendError"),
        ("unavailable_503", 503, "backendError"),
        ("revoked_grant", 401, "authError"),
    ],
)
def test_refusal_is_counted(faults, ada, fault, status, reason):
    faults.set(ADA, fault, 2)

    answers = [ada.get(EVENTS) for _ in range(3)]

    assert [status, status, 200] == [answer.status_code for answer in answers]
    assert reason == answers[0].json["error"]["errors"][0]["reason"]
    assert ("2" if status == 429 else None) == answers[0].headers.get("Retry-After")


def test_fault_is_personal_unless_it_is_everybodys(app, faults, ada):
    grace = connect(app, GRACE)
    faults.set(ADA, "unavailable_503")
    assert [503, 200] == [ada.get(EVENTS).status_code, grace.get(EVENTS).status_code]

    faults.clear()
    faults.set(None, "unavailable_503")
    assert [503, 503] == [ada.get(EVENTS).status_code, grace.get(EVENTS).status_code]


def test_switchboard_lists_clears_and_knows_its_names(faults):
    faults.set(ADA, "slow", 3, seconds=1)
    faults.set(GRACE, "throttled_429")

    assert {"person": ADA, "fault": "slow", "times": 3, "seconds": 1} in faults.active()
    faults.clear(ADA)
    assert [GRACE] == [one["person"] for one in faults.active()]
    faults.clear()
    assert [] == faults.active()
    assert all(FAULTS.values())
    with pytest.raises(ValueError, match="no fault"):
        faults.set(ADA, "earthquake")


@pytest.mark.parametrize(
    ("fault", "status"), [("bad_gateway_502", 502), ("gateway_timeout_504", 504)]
)
def test_gateways_answer_with_a_page(faults, ada, fault, status):
    faults.set(ADA, fault, 1)

    answer = ada.get(EVENTS)

    assert (status, "text/html") == (answer.status_code, answer.mimetype)
    assert f"Error {status}" in answer.text


def titles(ada, **params):
    return [item.get("summary") for item in ada.events(**params)[0]]


@pytest.mark.parametrize(
    ("fault", "is_done"), [("reset_before_write", 0), ("reset_after_write", 1)]
)
def test_reset_writes_have_no_answer(app, faults, ada, fault, is_done):
    body = {"summary": "Lost", "start": {"date": "2026-12-01"}, "end": {"date": "2026-12-02"}}
    faults.set(ADA, fault, 1)

    with pytest.raises(ConnectionResetError):
        ada.call("POST", EVENTS, json=body).get_data()

    assert is_done == titles(ada).count("Lost")
    assert 200 == ada.call("POST", EVENTS, json=body).status_code


def test_resets_leave_reads_alone(faults, ada):
    for fault in ("reset_before_write", "reset_after_write"):
        faults.set(ADA, fault)

    assert 200 == ada.get(EVENTS).status_code


def test_stale_reads_are_behind_and_lose_nothing(app, faults, ada):
    _, token = ada.events()
    handle = app.extensions["google"].person(ADA)
    made = handle.create_event(
        summary="First", start={"date": "2026-12-01"}, end={"date": "2026-12-02"}
    )
    faults.set(ADA, "stale_read", 2)

    missing = ada.get(f"{EVENTS}/{made['id']}").status_code
    behind, stale = ada.events(syncToken=token)
    caught_up, _ = ada.events(syncToken=stale)

    assert (404, [], ["First"]) == (missing, behind, [item["summary"] for item in caught_up])
    handle.update_event(made["id"], summary="Second")
    faults.set(ADA, "stale_read", 2)
    assert "First" == ada.get(f"{EVENTS}/{made['id']}").json["summary"]
    assert "First" in titles(ada)
    assert "Second" in titles(ada)


def test_invalid_json_is_200(faults, ada):
    faults.set(ADA, "invalid_json", 1)

    answer = ada.get(EVENTS)

    assert 200 == answer.status_code
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.data)


def test_truncated_body_is_cut_before_its_length(faults, ada):
    faults.set(ADA, "truncated_body", 1)

    answer = ada.get(EVENTS, buffered=False)

    received = b""
    with pytest.raises(ConnectionResetError):
        for chunk in answer.iter_encoded():
            received += chunk
    assert 0 < len(received) < int(answer.headers["Content-Length"])


def test_nothing_comes_for_the_seconds_asked(app, faults, ada):
    pauses = []
    app.config["SLEEP"] = pauses.append
    faults.set(ADA, "slow_headers", 1, seconds=20)

    assert [200, 200] == [ada.get(EVENTS).status_code for _ in range(2)]
    assert [20] == pauses


def test_slow_body_drips_for_the_seconds_asked(app, faults, ada):
    pauses = []
    app.config["SLEEP"] = pauses.append
    faults.set(ADA, "slow", 1, seconds=20)

    answer = ada.get(EVENTS)

    assert answer.json["items"]
    assert 10 == len(pauses)
    assert 20 == pytest.approx(sum(pauses))


def test_oversized_body_streams_more_than_sixty_megabytes(faults, ada):
    faults.set(ADA, "oversized_body", 1)

    answer = ada.get(EVENTS)

    assert answer.is_streamed
    assert sum(map(len, answer.response)) > 60 * 1024 * 1024


def test_expired_sync_token_only_concerns_listings_with_one(faults, ada):
    _, token = ada.events()
    faults.set(ADA, "expired_sync_token", 1)

    assert 200 == ada.get(EVENTS).status_code
    assert 410 == ada.get(EVENTS, syncToken=token).status_code
    assert 200 == ada.get(EVENTS, syncToken=token).status_code


def test_empty_page_leads_to_the_full_one(faults, ada):
    whole, _ = ada.events()
    faults.set(ADA, "empty_page")

    first = ada.get(EVENTS).json

    assert [] == first["items"]
    assert ids(whole) == ids(ada.events(pageToken=first["nextPageToken"])[0])


def test_duplicates_come_on_two_pages_and_end(faults, ada):
    whole, _ = ada.events()
    faults.set(ADA, "dup_events")

    doubled, token = ada.events()

    assert len(doubled) > len(whole)
    assert set(ids(whole)) == set(ids(doubled))
    assert token


def test_exceptions_come_before_their_series(faults, ada):
    faults.set(ADA, "out_of_order", 1)

    items, _ = ada.events()

    exceptions = [n for n, item in enumerate(items) if "recurringEventId" in item]
    assert list(range(len(exceptions))) == exceptions


def test_gone_calendar_is_not_found(faults, ada):
    team = "/calendars/c_analytical@group.calendar.google.com/events"
    faults.set(ADA, "gone_calendar")
    assert [404, 200] == [ada.get(team).status_code, ada.get(EVENTS).status_code]

    faults.set(ADA, "gone_calendar", calendar=ADA)
    assert [200, 404] == [ada.get(team).status_code, ada.get(EVENTS).status_code]


def test_denied_at_sign_in_is_sent_back(app, faults):
    faults.set(ADA, "access_denied_redirect", 1)

    assert "access_denied" == callback(Visitor(app).sign_in(ADA))["error"]


def test_calls_are_logged_with_their_person(app, ada):
    ada.get(EVENTS)
    ada.get("/calendars/nobody@calbroker.test/events")

    calls = app.extensions["calls"]
    assert 2 == calls.count("/events", person=ADA)
    assert [200, 404] == [call.status for call in calls.matching("/events", method="GET")]
