"""The pages of the sandbox's Exchange, its seeds, its memory, and its place in the sandbox."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import Client

from sandbox import exchange
from sandbox.app import Config, create_app
from sandbox.exchange.seed import ADA, GRACE, PASSWORD
from sandbox.exchange.soap import tag
from tests.sandbox.exchange_client import NOW, Company, codes


@pytest.fixture
def browser(corp: Company) -> FlaskClient:
    client = corp.app.test_client()
    client.post("/sign-in", data={"email": ADA, "password": PASSWORD})
    return client


def test_page_asks_for_a_password(corp: Company) -> None:
    page = corp.app.test_client().get("/")

    assert 'name="email"' in page.text and PASSWORD in page.text
    assert "Sandbox Exchange" in page.text
    assert "room4@" not in page.text and "calsync@" not in page.text


def test_wrong_password_is_told(corp: Company) -> None:
    page = corp.app.test_client().post("/sign-in", data={"email": ADA, "password": "no"})

    assert 'role="alert"' in page.text


def test_page_shows_calendars_and_events(corp: Company, browser: FlaskClient) -> None:
    page = browser.get("/").text

    assert all(name in page for name in ("Calendar", "Engine works", "Birthdays"))
    assert "Engine review; drums &amp; cards" in page and "פגישה עם רות" in page
    assert "Daily stand-up" in page and ", repeats" in page
    side = corp.state.person(ADA).calendars()[1]
    assert "Brass delivery" in browser.get(f"/?calendar={side.number}").text


def test_event_is_added_renamed_moved_and_deleted(corp: Company, browser: FlaskClient) -> None:
    account = corp.account()
    list(account.calendar.sync_items())
    form = {"summary": "Tea, with <milk>", "start": "2026-12-01T15:00", "end": "2026-12-01T16:00"}
    assert 303 == browser.post("/events", data=form | {"add": "1"}).status_code
    person = corp.state.person(ADA)
    number = person.find("Tea, with <milk>").number
    changed = form | {"event": str(number), "summary": "Coffee", "end": "2026-12-01T17:00"}
    assert 303 == browser.post("/events", data=changed | {"save": "1"}).status_code
    found = [(kind, one.subject) for kind, one in account.calendar.sync_items()]
    assert [("create", "Coffee")] == found
    assert 2 * 3_600 == person.find("Coffee").end_s - person.find("Coffee").start_s

    browser.post("/events", data={"event": str(number), "delete": "1"})
    assert ["delete"] == [kind for kind, _ in account.calendar.sync_items()]


def test_whole_days_are_moved(corp: Company, browser: FlaskClient) -> None:
    person = corp.state.person(ADA)
    item = person.find("Holiday in Ockham")
    form = {
        "event": str(item.number),
        "summary": "Holiday",
        "start": "2026-12-24",
        "end": "2026-12-26",
        "save": "1",
    }
    assert 303 == browser.post("/events", data=form).status_code

    assert 3 * 86_400 == person.find("Holiday").end_s - person.find("Holiday").start_s


@pytest.mark.parametrize(
    "form",
    [
        {"summary": "x", "start": "2026-12-01T15:00", "end": "2026-12-01T14:00"},
        {"summary": "x", "start": "", "end": ""},
        {"event": "999999", "delete": "1"},
        {"calendar": "999999", "summary": "x", "start": "2026-12-01T15:00"},
    ],
)
def test_what_cannot_be_is_told(browser: FlaskClient, form: dict[str, str]) -> None:
    answer = browser.post("/events", data=form)

    assert 400 == answer.status_code and 'role="alert"' in answer.text


def test_birthdays_are_read_only(corp: Company, browser: FlaskClient) -> None:
    birthdays = next(f for f in corp.state.calendars(ADA) if f.name == "Birthdays")
    form = {"calendar": str(birthdays.number), "summary": "x", "start": "2026-12-01T15:00"}

    assert 400 == browser.post("/events", data=form).status_code


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"person": ADA, "events": 25}, 200),
        ({"person": "calsync@corp.calbroker.test", "events": 1}, 400),
        ({"person": ADA, "events": 0}, 400),
        ({"person": "nobody", "events": 1}, 400),
        ([], 400),
    ],
)
def test_seeding(corp: Company, body: object, status: int) -> None:
    before = len(corp.state.person(ADA).items())
    answer = corp.app.test_client().post("/seed", json=body)

    assert status == answer.status_code
    assert (25 if status == 200 else 0) == len(corp.state.person(ADA).items()) - before


def test_state_counts_requests_by_operation_and_holds_no_secret(corp: Company) -> None:
    corp.ask()
    corp.ask()
    corp.ask(password="no")
    shown = corp.app.test_client().get("/__state")

    assert shown.json is not None and PASSWORD not in shown.text
    assert (3, {ADA: 1}) == (shown.json["calls"]["GetFolder"], shown.json["bad_logons"])
    assert (corp.url, {"basic": 1}) == (shown.json["url"], shown.json["refused"])


def test_world_outlives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "exchange.json"
    first = exchange.create_app(file, now=lambda: NOW)
    handle = first.extensions["exchange"].person(ADA)
    handle.add("".join([tag("Subject", "Kept"), tag("Start", "2026-12-01T09:00:00")]))
    series = handle.find("Daily stand-up")
    first.extensions["snapshot"].flush()

    again = exchange.create_app(file, now=lambda: NOW).extensions["exchange"].person(ADA)
    assert again.find("Kept") == handle.find("Kept")
    assert series == again.find("Daily stand-up") and series.changes and series.deleted


def test_sandbox_has_it_on_a_port_of_its_own(tmp_path: Path) -> None:
    config = Config(folder=tmp_path / "sandbox", exchange_port=0)
    app = create_app(config)
    client = Client(app)
    assert 200 == client.get("/exchange/").status_code
    client.post("/exchange/seed", json={"person": GRACE, "events": 3})
    wanted = {"provider": "exchange", "person": ADA, "fault": "forbidden", "times": 1}
    assert 200 == client.post("/scenarios", json=wanted).status_code
    state = client.get("/exchange/__state").json
    assert state is not None and 6 == state["events"][f"{GRACE} Calendar"]

    context = ssl.create_default_context(cafile=str(tmp_path / "sandbox-ca.pem"))
    port = int(state["url"].split(":")[2].partition("/")[0])
    wire = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    wire.request("POST", "/EWS/Exchange.asmx", b"")
    assert 401 == wire.getresponse().status
    wire.close()
    app.mounts["/exchange"].__self__.extensions["listening"].close()


def test_fault_from_the_list_of_scenarios_reaches_the_wire(corp: Company) -> None:
    corp.faults.set(ADA, "response", 1, style="ErrorAccessDenied")

    assert ["ErrorAccessDenied"] == codes(corp.ask())
    assert ["NoError"] == codes(corp.ask())
