"""Servers and calendars on their worst days: each has its outcome for the person."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Response

from broker.http import BODY_CAP_BYTES
from sandbox.radicale import USER, add_calendar
from sandbox.radicale_events import Calendar, event, wrap
from tests import faults
from tests.flows.test_connect_caldav import DavWorld

GOOD = ("SUMMARY:Lunch", "DTSTART:20260313T120000Z", "DTEND:20260313T130000Z")
XXE = (
    b'<?xml version="1.0"?><!DOCTYPE multistatus [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    b'<multistatus xmlns="DAV:"><sync-token>&a;</sync-token></multistatus>'
)
NOTHING_FOUND = (
    b'<multistatus xmlns="DAV:"><response><href>/</href><propstat><prop>'
    b"<current-user-principal/><resourcetype/></prop>"
    b"<status>HTTP/1.1 404 Not Found</status></propstat></response></multistatus>"
)


@pytest.fixture
def dav(tmp_path: Path) -> Iterator[DavWorld]:
    """A broker and a Radicale that can have bad days."""
    made = DavWorld(tmp_path)
    made.radicale = faults.Faulty(made.radicale)
    yield made
    made.close()


def gigantic(good: Response) -> Response:
    """Never stop answering; the cap ends it."""
    piece = b" " * 1_048_576
    chunks = (piece for _ in range(BODY_CAP_BYTES // len(piece) + 2))
    return Response(chunks, 207, content_type="text/xml")


CASES: list[tuple[Callable[[Response], Response], str, str]] = [
    (faults.status(401), "login_rejected", "login"),
    (faults.status(403), "login_rejected", "login"),
    (faults.status(401, WWW_Authenticate="Digest realm=x"), "no_basic_login", "login"),
    (faults.status(200, faults.HTML, Content_Type="text/html"), "not_caldav", "discovery"),
    (faults.body(faults.HTML), "not_caldav", "discovery"),
    (faults.body(faults.DTD_BOMB), "not_caldav", "discovery"),
    (faults.body(XXE), "not_caldav", "discovery"),
    (faults.body(NOTHING_FOUND), "not_caldav", "discovery"),
    (faults.half, "not_caldav", "discovery"),
    (gigantic, "unreadable_answer", "discovery"),
    (faults.status(302, Location="/again"), "address_in_circles", "discovery"),
    (faults.status(302, Location="https://evil.test:22/"), "address_port", "discovery"),
    (faults.status(301, Location="http://evil.test/"), "redirect_refused", "discovery"),
    (faults.status(503, Retry_After="120"), "rate_limited", "discovery"),
    (faults.status(500), "provider_unavailable", "discovery"),
]


@pytest.mark.parametrize(("make", "reason", "step"), CASES)
def test_a_bad_answer_has_its_words_and_its_step(
    dav: DavWorld, make: Callable[[Response], Response], reason: str, step: str
) -> None:
    dav.radicale.add(make)

    page = dav.try_login()

    assert page.status_code in (400, 502)
    assert f'<bdi dir="ltr">{reason}</bdi>' in page.text
    assert 'value="ada"' in page.text
    assert "sandbox" not in page.text.split('name="password"')[1].split(">")[0]
    assert dav.count("connections") == 0
    assert dav.refusals == (make in (CASES[0][0], CASES[2][0]))
    (code,) = dav.rows("SELECT code FROM diagnoses")[0]
    shown = dav.app.test_cli_runner().invoke(args=["diagnosis", code])
    assert re.search(rf"^{step} +failed", shown.output, re.MULTILINE), shown.output


def titles(dav: DavWorld, tokens: Any) -> set[str]:
    return {found["summary"] for found in dav.events(dav.renew(tokens))}


def home(dav: DavWorld, name: str = "home") -> Path:
    return dav.folder / "storage/collection-root" / USER / name


def poll(dav: DavWorld, minutes: int = 20) -> None:
    dav.clock.advance(minutes=minutes)
    dav.work()


@pytest.mark.parametrize(
    "make",
    [
        faults.body(faults.HTML), faults.body(faults.DTD_BOMB), faults.body(XXE), faults.half,
        faults.cut, gigantic, faults.status(200, faults.HTML), faults.status(502, faults.HTML),
    ],
)  # fmt: skip
def test_a_bad_day_during_a_sync_loses_nothing_and_heals(
    dav: DavWorld, make: Callable[[Response], Response]
) -> None:
    tokens = dav.connected_by_password()
    dav.work()
    fault = dav.radicale.add(make)
    for _ in range(2):
        poll(dav)
    assert titles(dav, tokens) == {"Dentist"}
    assert dav.profile(tokens)["profile_connected"] is True

    dav.radicale.faults.remove(fault)
    (home(dav) / "two.ics").write_text(wrap("-//Tests//EN", event("two", *GOOD)))
    for _ in range(3):
        poll(dav, 60)

    assert titles(dav, tokens) == {"Dentist", "Lunch"}


@pytest.mark.parametrize("late", [False, True])
def test_damaged_objects_are_reported_and_the_good_ones_are_read(dav: DavWorld, late: bool) -> None:
    """In the first reading and in a later one; what was good before stays as it was."""
    tokens = dav.connected_by_password()
    if late:
        dav.work()
    (home(dav) / "two.ics").write_text(wrap("-//Tests//EN", event("two", *GOOD)))
    bad = wrap("-//Tests//EN", event("bad", "SUMMARY:Bad", "DTSTART:20260312T100000Z"))
    (home(dav) / "bad.ics").write_text(bad)
    damage = (b"DTSTART:20260312T100000Z", b"DTSTART:soon")
    dav.radicale.add(faults.replaced(damage), applies=lambda e: e["REQUEST_METHOD"] == "REPORT")

    for _ in range(3):
        poll(dav)

    assert titles(dav, tokens) == {"Dentist", "Lunch"}
    assert dav.rows("SELECT reason, skipped FROM calendars") == [("events_unreadable", 1)]
    calendars = dav.get(dav.renew(tokens), "/v1/calendars").get_json()["calendars"]
    assert "are damaged at the calendar service" in str(dav.profile(tokens)) + str(calendars)


def test_a_renamed_calendar_keeps_its_events_and_a_deleted_one_goes(dav: DavWorld) -> None:
    other = {"x.ics": wrap("-//Tests//EN", event("x", *GOOD))}
    add_calendar(dav.folder, USER, Calendar("side", "Side", "#112233FF"), other)
    tokens = dav.connected_by_password()
    dav.work()
    assert titles(dav, tokens) == {"Dentist", "Lunch"}

    props = home(dav) / ".Radicale.props"
    props.write_text(props.read_text().replace("Home", "Family"))
    shutil.rmtree(home(dav, "side"))
    for _ in range(4):
        poll(dav, 60)

    listed = dav.get(dav.renew(tokens), "/v1/calendars").get_json()["calendars"]
    names = {found["calendar_name"]: found["calendar_deleted"] for found in listed}
    assert titles(dav, tokens) == {"Dentist"}
    assert "Family" in names and "Home" not in names
    assert names.get("Side", True) is True
