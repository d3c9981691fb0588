"""The pages where people change calendars by hand, and what scenarios steer."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime

import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from sandbox.google import create_app
from sandbox.google.driver import Visitor, connect

ADA = "ada@calbroker.test"


@pytest.fixture
def app():
    return create_app(now=lambda: datetime(2026, 11, 21, 12, tzinfo=UTC))


@pytest.fixture
def browser(app):
    client = app.test_client()
    client.post("/sign-in", data={"email": ADA, "password": "sandbox"})
    return client


@pytest.fixture
def person(app):
    return app.extensions["google"].person(ADA)


def test_home_asks_who_it_is(app):
    page = app.test_client().get("/")

    assert 'name="email"' in page.text and 'name="password"' in page.text


def test_wrong_password_is_told(app):
    page = app.test_client().post("/sign-in", data={"email": ADA, "password": "no"})

    assert 'role="alert"' in page.text


def test_home_lists_calendars_and_events(browser):
    page = browser.get("/").text

    assert "Analytical Engine team" in page
    assert "Design review" in page
    assert "פגישה עם רות" in page


def test_event_is_added_renamed_moved_and_deleted(browser, person):
    form = {"summary": "By hand", "start": "2026-12-01T10:00", "end": "2026-12-01T11:00"}
    answer = browser.post("/events", data=form)
    event = person.events()[-1]
    browser.post("/events", data=form | {"event": event["id"], "summary": "Renamed", "save": "1"})
    later = {"start": "2026-12-02T10:00", "end": "2026-12-02T11:00"}
    browser.post("/events", data=form | later | {"event": event["id"], "save": "1"})
    moved = person.events()[-1]
    browser.post("/events", data={"event": event["id"], "delete": "1"})

    assert 303 == answer.status_code
    assert "2026-12-02T10:00:00Z" == moved["start"]["dateTime"]
    assert event["id"] not in {e["id"] for e in person.events()}


def test_whole_day_is_kept_whole(browser, person):
    day = next(e for e in person.events() if e.get("summary") == "Moving house")
    form = {"event": day["id"], "summary": "Moved", "start": "2026-12-12", "end": "2026-12-13"}
    browser.post("/events", data=form | {"save": "1"})

    held = next(e for e in person.events() if e["id"] == day["id"])
    assert ({"date": "2026-12-12"}, {"date": "2026-12-14"}) == (held["start"], held["end"])


def test_impossible_times_are_told_and_read_only_calendars_refused(browser):
    backwards = {"summary": "x", "start": "2026-12-01T10:00", "end": "2026-12-01T09:00"}
    holidays = backwards | {"calendar": "en.uk#holiday@group.v.calendar.google.com"}

    assert 400 == browser.post("/events", data=backwards).status_code
    assert 400 == browser.post("/events", data=holidays).status_code


def test_signed_out_browser_changes_nothing(browser, person):
    before = len(person.events())
    browser.post("/sign-out")
    browser.post("/events", data={"summary": "x", "start": "2026-12-01", "end": "2026-12-01"})

    assert before == len(person.events())


def test_links_and_forms_stay_below_the_mount_point(app):
    client = Client(DispatcherMiddleware(app, {"/google": app}))
    client.post("/google/sign-in", data={"email": ADA, "password": "sandbox"})

    page = client.get("/google/").get_data(as_text=True)

    found = re.findall(r'(?:href|action)="(/[^"]*)"', page)
    assert found
    assert all(one.startswith("/google/") for one in found)


def test_seeding_adds_events_inside_the_window(app, person):
    answer = app.test_client().post("/seed", json={"person": ADA, "events": 2000})

    made = [e for e in person.events() if e["id"].startswith("gen")]
    assert {"person": ADA, "added": 2000, "total": 2034} == answer.json
    assert min(e["start"]["dateTime"] for e in made) >= "2026-10-12"
    assert max(e["end"]["dateTime"] for e in made) < "2027-06-10"


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"person": "nobody@calbroker.test", "events": 1},
        {"person": ADA, "events": 0},
        {"person": ADA, "events": "10"},
        {"person": ADA, "events": True},
        {"person": ADA, "events": 10**9},
    ],
)
def test_bad_seed_request_is_explained(app, body):
    answer = app.test_client().post("/seed", json=body)

    assert 400 == answer.status_code
    assert answer.json["error"]


def test_state_counts_and_tells_no_secret(app):
    tokens = Visitor(app).tokens(ADA)
    connect(app, ADA)

    answer = app.test_client().get("/__state")

    assert 2 == answer.json["refresh_tokens"]
    assert 2 == answer.json["calls"]["POST /token"]
    assert tokens["refresh_token"] not in answer.text
    assert tokens["access_token"] not in answer.text


def test_state_survives_a_restart(tmp_path):
    file = tmp_path / "google.json"
    first = create_app(file)
    tokens = Visitor(first).tokens(ADA)
    event = (
        first.extensions["google"]
        .person(ADA)
        .create_event(start={"date": "2026-12-01"}, end={"date": "2026-12-02"})
    )
    first.extensions["snapshot"].flush()

    second = create_app(file)

    assert 200 == Visitor(second).refresh(tokens["refresh_token"]).status_code
    assert event == second.extensions["google"].person(ADA).events()[-1]
    assert first.secret_key == second.secret_key
    assert 0o600 == file.stat().st_mode & 0o777


def test_unreadable_state_is_set_aside(tmp_path):
    file = tmp_path / "google.json"
    file.write_text("{")

    app = create_app(file)

    assert app.extensions["google"].person(ADA).events()
    assert "{" == (tmp_path / "google.broken").read_text()


def test_guest_is_told_that_only_the_organizer_may_rename(browser, person):
    event = next(e for e in person.events() if e.get("summary") == "Vendor pitch")
    form = {"event": event["id"], "summary": "Mine", "save": "1"}
    times = {name: event[name]["dateTime"][:16] for name in ("start", "end")}

    page = browser.post("/events", data=form | times)

    assert 400 == page.status_code
    assert "only be changed by the organizer" in page.text


def test_threads_change_a_calendar_together(app, person):
    def add():
        for _ in range(20):
            person.create_event(start={"date": "2026-12-01"}, end={"date": "2026-12-02"})

    before = len(person.events())
    workers = [threading.Thread(target=add) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    stored = app.extensions["google"].world.calendars[ADA].events.values()
    changes = [one.changed for one in stored]
    assert before + 80 == len(person.events())
    assert sorted(set(changes)) == changes


def test_a_full_calendar_is_shown_in_steps_to_its_last_event(app, browser):
    app.test_client().post("/seed", json={"person": ADA, "events": 2000})

    seen, path = set(), "/?calendar=primary"
    while path:
        page = browser.get(path).text
        seen |= set(re.findall(r'name="event" value="([^"]+)"', page))
        later = re.search(r'href="([^"]+)">Later<', page)
        path = later[1].replace("&amp;", "&") if later else ""

    total = int(re.search(r"of (\d+) events between", page)[1])
    assert len(seen) == total > 400
    assert ">Earlier<" in page
    assert browser.get("/?skip=-5").text == browser.get("/").text
    assert 200 == browser.get("/?skip=99999").status_code
