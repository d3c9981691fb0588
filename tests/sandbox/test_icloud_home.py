"""The pages of the sandbox's iCloud, its seeds, its memory, and its place in the sandbox."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import Client

from sandbox import google, icloud
from sandbox.app import Config, create_app, create_site
from sandbox.icloud.driver import Device, rows, token
from sandbox.icloud.seed import ADA, GRACE, PASSWORD, SUBSCRIBED
from sandbox.icloud.state import PersonHandle
from tests.cost import counted

HOME = "/123456789/calendars/home/"


@pytest.fixture
def app() -> Flask:
    return icloud.create_app(now=lambda: datetime(2026, 11, 21, 12, tzinfo=UTC))


@pytest.fixture
def person(app: Flask) -> PersonHandle:
    handle: PersonHandle = app.extensions["icloud"].person(ADA)
    return handle


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    client = app.test_client()
    client.post("/sign-in", data={"email": ADA, "password": PASSWORD})
    return client


def summaries(person: PersonHandle) -> list[str]:
    return [person.master(one.name).value("SUMMARY") for one in person.objects()]


def test_page_asks_for_an_app_specific_password(app: Flask) -> None:
    page = app.test_client().get("/")

    assert 'name="email"' in page.text and PASSWORD in page.text


@pytest.mark.parametrize("password", ["no", "Analytical-1843"])
def test_other_passwords_are_told(app: Flask, password: str) -> None:
    page = app.test_client().post("/sign-in", data={"email": ADA, "password": password})

    assert 'role="alert"' in page.text


def test_page_shows_every_calendar_of_events(browser: FlaskClient) -> None:
    first = browser.get("/").text
    work = browser.get("/?calendar=work").text

    assert all(name in first for name in ("Home", "Work", "Reading group", "UK Holidays"))
    assert "Reminders" not in first
    assert "Library, reading room" in first and "פגישה עם רות" in first
    assert "Engine review; drums &amp; cards" in work


def test_event_is_added_renamed_moved_and_deleted(
    app: Flask, browser: FlaskClient, person: PersonHandle
) -> None:
    ada = Device(app, ADA)
    known = token(ada.sync(HOME))
    form = {
        "calendar": "home",
        "summary": "Tea, with milk",
        "start": "2026-12-01T15:00",
        "end": "2026-12-01T16:00",
    }
    assert 303 == browser.post("/events", data=form).status_code
    name = person.objects()[-1].name
    event = person.master(name)
    assert ("Tea\\, with milk", "20261201T150000") == (
        event.value("SUMMARY"),
        event.value("DTSTART"),
    )

    change = {"event": name, "summary": "Coffee", "start": "2026-12-02T09:00", "save": "1"}
    browser.post("/events", data=form | change | {"end": "2026-12-02T10:00"})
    event = person.master(name)
    assert ("Coffee", "20261202T090000") == (event.value("SUMMARY"), event.value("DTSTART"))
    assert [HOME, f"{HOME}{name}"] == [r.href for r in rows(ada.sync(HOME, known))][:2]

    browser.post("/events", data=form | {"event": name, "delete": "1"})
    assert name not in [one.name for one in person.objects()]


def test_whole_days_are_moved_as_days(browser: FlaskClient, person: PersonHandle) -> None:
    name = next(o.name for o in person.objects() if "Ski week" in o.data)
    form = {"calendar": "home", "event": name, "summary": "Ski", "save": "1"}

    browser.post("/events", data=form | {"start": "2026-12-20", "end": "2026-12-22"})

    event = person.master(name)
    assert ("20261220", "20261223") == (event.value("DTSTART"), event.value("DTEND"))


def test_series_keeps_its_rule_and_exceptions(browser: FlaskClient, person: PersonHandle) -> None:
    name = next(o.name for o in person.objects("work") if "Stand-up (later)" in o.data)
    form = {"calendar": "work", "event": name, "summary": "Daily", "save": "1"}

    browser.post("/events", data=form | {"start": "2026-09-07T09:30", "end": "2026-09-07T09:45"})

    text = person.text(name, "work")
    assert "SUMMARY:Daily\r\n" in text and "SUMMARY:Stand-up (later)\r\n" in text
    assert "RRULE:FREQ=WEEKLY;BYDAY=MO,WE\r\n" in text and text.count("BEGIN:VALARM") == 1


@pytest.mark.parametrize(
    "change",
    [
        {"calendar": SUBSCRIBED},
        {"calendar": "nowhere"},
        {"start": ""},
        {"end": "2026-12-01T09:00"},
        {"event": "gone.ics", "delete": "1"},
    ],
)
def test_what_cannot_be_saved_is_told(browser: FlaskClient, change: dict[str, str]) -> None:
    form = {"summary": "x", "start": "2026-12-01T10:00", "end": "2026-12-01T11:00"}

    page = browser.post("/events", data=form | change)

    assert 400 == page.status_code and 'role="alert"' in page.text


def test_page_survives_objects_that_cannot_be_read(
    browser: FlaskClient, person: PersonHandle
) -> None:
    person.put("broken.ics", "BEGIN:VCALENDAR")

    assert 200 == browser.get("/").status_code


def test_signed_out_browser_changes_nothing(app: Flask, person: PersonHandle) -> None:
    before = summaries(person)

    answer = app.test_client().post("/events", data={"summary": "x", "start": "2026-12-01"})

    assert (303, before) == (answer.status_code, summaries(person))


def test_ten_thousand_events_are_seeded_in_no_time(app: Flask) -> None:
    browser = app.test_client()
    answer, calls = counted(lambda: browser.post("/seed", json={"person": ADA, "events": 10_000}))

    assert {"person": ADA, "added": 10_000, "total": 10_006} == answer.json
    assert calls <= 40 * 10_000
    found = rows(Device(app, ADA).query(HOME, "20261001T000000Z", "20270701T000000Z"))
    assert 10_006 == len(found)


def test_generated_events_are_sound_and_alike(app: Flask) -> None:
    copies = [icloud.create_app(now=app.extensions["icloud"].now) for _ in range(2)]
    texts = []
    for copy in copies:
        handle = copy.extensions["icloud"].person(GRACE)
        handle.add_calendar("Lab", "lab")
        body = {"person": GRACE, "events": 20, "calendar": "lab"}
        assert 200 == copy.test_client().post("/seed", json=body).status_code
        made = handle.objects("lab")
        bounds = [(one.start_s, one.end_s) for one in made]
        # Read in earnest, they are where the seed says.
        for one in made:
            handle.put(one.name, one.data, "lab")
        assert bounds == [(one.start_s, one.end_s) for one in handle.objects("lab")]
        texts.append([one.data for one in made])

    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    "body", [[], {}, {"person": ADA, "events": 0}, {"person": ADA, "events": 1, "calendar": "x"}]
)
def test_seed_with_nonsense_is_explained(app: Flask, body: object) -> None:
    answer = app.test_client().post("/seed", json=body)

    assert 400 == answer.status_code and answer.get_json()["error"]


def test_state_counts_calls_and_shows_no_secret(app: Flask) -> None:
    Device(app, ADA).sync(HOME)
    Device(app, ADA, "Analytical-1843").sync(HOME)

    answer = app.test_client().get("/__state")

    assert 2 == answer.get_json()["calls"]["REPORT sync-collection"]
    assert 1 == answer.get_json()["main_passwords_received"]
    assert PASSWORD not in answer.text and "Analytical" not in answer.text


def test_state_survives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "icloud.json"
    first = icloud.create_app(file)
    name = first.extensions["icloud"].person(ADA).add_all_day("x", datetime.now(), datetime.now())
    known = token(Device(first, ADA).sync(HOME))
    first.extensions["snapshot"].flush()

    second = icloud.create_app(file)

    assert name == second.extensions["icloud"].person(ADA).objects()[-1].name
    assert [HOME] == [row.href for row in rows(Device(second, ADA).sync(HOME, known))]
    assert 0o600 == file.stat().st_mode & 0o777


def test_sandbox_lists_people_and_faults(tmp_path: Path, app: Flask) -> None:
    site = create_site(Config(tmp_path), google.create_app(), app).test_client()
    scenario = {
        "provider": "icloud",
        "person": ADA,
        "fault": "token_expired",
        "times": 1,
        "style": "410",
    }

    page = site.get("/sandbox").text
    assert all(name in page for name in (*icloud.FAULTS, ADA, GRACE, PASSWORD, "icloud/seed"))
    assert 200 == site.post("/scenarios", json=scenario).status_code
    assert [scenario] == site.get("/scenarios").get_json()["active"]
    refused = site.post("/scenarios", json=scenario | {"style": 410})
    assert "style a word" in refused.get_json()["error"]
    before = len(app.extensions["icloud"].person(ADA).objects())
    assert 303 == site.post("/sandbox/seed", data={"person": ADA, "events": "2"}).status_code
    assert before + 2 == len(app.extensions["icloud"].person(ADA).objects())


def test_mounted_stand_in_names_paths_below_its_mount(tmp_path: Path) -> None:
    client = Client(create_app(Config(tmp_path / "sandbox")))
    at: dict[str, Any] = {"base_url": "http://127.0.0.1:5050/", "auth": (ADA, PASSWORD)}
    body = '<propfind xmlns="DAV:"><prop>{}</prop></propfind>'

    def ask(path: str, prop: str) -> str:
        return client.open(
            path, method="PROPFIND", data=body.format(prop), headers=DEPTH, **at
        ).text

    assert "/icloud/123456789/principal/" in ask("/icloud/", "<current-user-principal/>")
    home = ask(
        "/icloud/123456789/principal/",
        '<calendar-home-set xmlns="urn:ietf:params:xml:ns:caldav"/>',
    )
    assert ">http://localhost:5050/icloud/123456789/calendars/<" in home
    assert "/icloud/123456789/calendars/home/" in ask(
        "/icloud/123456789/calendars/home/", "<owner/>"
    )
    assert "App-specific password" in client.get("/icloud/", **at).text


DEPTH = {"Depth": "0", "User-Agent": "Device/1"}


def test_a_full_calendar_is_shown_in_steps(app: Flask, browser: FlaskClient) -> None:
    app.test_client().post("/seed", json={"person": ADA, "events": 2000})

    first, second = browser.get("/").text, browser.get("/?skip=200").text

    assert "1 to 200 of" in first
    assert "201 to 400 of" in second
    assert ">Earlier<" not in first
