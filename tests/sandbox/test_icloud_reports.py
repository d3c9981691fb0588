"""The sandbox's iCloud: what changed, what is in a time range, and objects by href."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from sandbox.icloud import create_app
from sandbox.icloud.driver import Device, document, rows, token
from sandbox.icloud.files import days, event, span, wrap
from sandbox.icloud.seed import ADA
from sandbox.icloud.state import PersonHandle
from sandbox.icloud.timezones import definition

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AT = datetime(2026, 11, 24, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
LAB = "/123456789/calendars/lab/"


@pytest.fixture
def app() -> Flask:
    return create_app(now=lambda: NOW)


@pytest.fixture
def person(app: Flask) -> PersonHandle:
    handle: PersonHandle = app.extensions["icloud"].person(ADA)
    handle.add_calendar("Lab", "lab")
    return handle


@pytest.fixture
def ada(app: Flask, person: PersonHandle) -> Device:
    return Device(app, ADA)


def test_first_sync_lists_everything_the_calendar_itself_and_one_twice(
    ada: Device, person: PersonHandle
) -> None:
    names = [person.add_event(f"Talk {n}", AT, AT + HOUR, calendar="lab") for n in range(2)]

    answer = ada.sync(LAB)

    hrefs = [row.href for row in rows(answer)]
    assert [LAB, *[f"{LAB}{name}" for name in names], f"{LAB}{names[-1]}"] == hrefs
    assert token(answer)


def test_later_sync_tells_adds_changes_and_deletions(ada: Device, person: PersonHandle) -> None:
    kept, gone = (person.add_event(name, AT, AT + HOUR, calendar="lab") for name in "kg")
    first = ada.sync(LAB)
    person.rename_event(kept, "Renamed", "lab")
    person.delete_event(gone, "lab")
    added = person.add_event("Added", AT, AT + HOUR, calendar="lab")

    second = ada.sync(LAB, token(first))
    third = ada.sync(LAB, token(second))

    found = {row.href.removeprefix(LAB): row for row in rows(second)}
    assert {"", kept, added, gone} == found.keys()
    assert 404 == found[gone].status and not found[gone].found
    before = {row.href: row.etag for row in rows(first)}
    assert before[LAB + kept] != found[kept].etag
    assert [LAB] == [row.href for row in rows(third)]
    assert token(second) == token(third)


def test_object_that_came_back_is_not_deleted(ada: Device, person: PersonHandle) -> None:
    name = person.add_event("Talk", AT, AT + HOUR, calendar="lab")
    text, first = person.text(name, "lab"), ada.sync(LAB)
    person.delete_event(name, "lab")
    person.put(name, text, "lab")

    found = rows(ada.sync(LAB, token(first)))

    assert [None] == list({row.status for row in found})


def test_limit_is_not_read(ada: Device, person: PersonHandle) -> None:
    for n in range(3):
        person.add_event(f"Talk {n}", AT, AT + HOUR, calendar="lab")
    inner = "<d:sync-token/><d:sync-level>1</d:sync-level>"
    inner += "<d:limit><d:nresults>1</d:nresults></d:limit><d:prop><d:getetag/></d:prop>"

    assert 5 == len(rows(ada.send("REPORT", LAB, document("d:sync-collection", inner))))


@pytest.mark.parametrize("bad", ["nonsense", "HwoQEgwAAA==", "http://other/ns/sync/1"])
def test_foreign_token_is_refused_by_name(ada: Device, bad: str) -> None:
    answer = ada.sync(LAB, bad)

    assert 403 == answer.status_code
    assert '<error xmlns="DAV:"><valid-sync-token xmlns="DAV:"/></error>' in answer.text


def test_token_of_another_calendar_or_of_before_is_refused(
    app: Flask, ada: Device, person: PersonHandle
) -> None:
    other = token(ada.sync("/123456789/calendars/home/"))
    assert 403 == ada.sync(LAB, other).status_code

    known = token(ada.sync(LAB))
    app.extensions["icloud"].expire_sync_tokens(ADA)
    assert 403 == ada.sync(LAB, known).status_code
    assert 207 == ada.sync(LAB).status_code


def test_multiget_gives_cdata_and_404_for_what_is_not_there(
    ada: Device, person: PersonHandle
) -> None:
    name = person.put("a b.ics", wrap(event("u", *span(AT, AT + HOUR), "SUMMARY:x ]]> y")), "lab")
    absolute = f"https://p42-caldav.icloud.com:443{LAB}a%20b.ics"

    answer = ada.multiget(LAB, absolute, f"{LAB}gone.ics", "/123456789/calendars/home/a.ics")

    there, gone, elsewhere = rows(answer)
    assert f"{LAB}a%20b.ics" == there.href
    assert "<![CDATA[BEGIN:VCALENDAR\r\n" in answer.text
    assert person.text(name, "lab").replace("\r\n", "\n") == there.data
    assert (404, 404) == (gone.status, elsewhere.status)


@pytest.mark.parametrize(
    ("name", "inner", "status"),
    [
        ("c:free-busy-query", '<c:time-range start="20261101T000000Z"/>', 400),
        ("d:principal-property-search", "", 403),
        ("c:calendar-multiget", "<d:prop><d:getetag/></d:prop>", 400),
        ("d:sync-collection", "<d:prop><d:getetag/></d:prop>", 400),
        ("d:sync-collection", "<d:sync-token/><d:prop><d:getetag/></d:prop>", 400),
    ],
)
def test_report_that_is_not_there_or_not_whole_is_refused(
    ada: Device, name: str, inner: str, status: int
) -> None:
    assert status == ada.send("REPORT", LAB, document(name, inner)).status_code


@pytest.mark.parametrize(
    ("start", "end", "component", "status"),
    [
        ("20261101T000000Z", "20261201T000000Z", "", 400),
        ("20261101T000000Z", "20261201T000000Z", "VJOURNAL", 400),
        ("2026-11-01", "20261201T000000Z", "VEVENT", 403),
        ("20261301T000000Z", "20261201T000000Z", "VEVENT", 403),
        ("20261201T000000Z", "20261101T000000Z", "VEVENT", 400),
    ],
)
def test_query_needs_a_component_and_a_sound_range(
    ada: Device, start: str, end: str, component: str, status: int
) -> None:
    assert status == ada.query(LAB, start, end, component).status_code


LONDON = "TZID=Europe/London"
WEEKLY = (f"DTSTART;{LONDON}:20261006T093000", f"DTEND;{LONDON}:20261006T100000")
RULE = "RRULE:FREQ=WEEKLY"


def series(*lines: str, override: tuple[str, ...] = ()) -> str:
    parts = [event("u", *WEEKLY, *lines)] + ([event("u", *override)] if override else [])
    return wrap(definition("Europe/London"), *parts)


@pytest.mark.parametrize(
    ("text", "start", "end", "inside"),
    [
        # Times: the start is in the range, the end is not.
        (wrap(event("u", *span(AT, AT + HOUR))), "20261124T103000Z", "20261124T104000Z", True),
        (wrap(event("u", *span(AT, AT + HOUR))), "20261124T110000Z", "20261124T120000Z", False),
        (wrap(event("u", *span(AT, AT + HOUR))), "20261124T090000Z", "20261124T100000Z", False),
        # Nothing long: at its start.
        (
            wrap(event("u", "DTSTART:20261124T100000Z")),
            "20261124T100000Z",
            "20261124T110000Z",
            True,
        ),
        # A day, and a day without end; in London's time.
        (wrap(event("u", *days(AT, AT))), "20261124T235900Z", "20261125T000000Z", True),
        (wrap(event("u", *days(AT, AT))), "20261125T000000Z", "20261126T000000Z", False),
        (
            wrap(event("u", "DTSTART;VALUE=DATE:20260701")),
            "20260630T230000Z",
            "20260630T233000Z",
            True,
        ),
        # Before and after the clocks change, at half past nine in London.
        (series(RULE), "20261020T083000Z", "20261020T084500Z", True),
        (series(RULE), "20261027T083000Z", "20261027T093000Z", False),
        (series(RULE), "20261027T093000Z", "20261027T094500Z", True),
        (series(RULE), "20361105T000000Z", "20361106T000000Z", False),
        (series(f"{RULE};COUNT=2"), "20261020T000000Z", "20261021T000000Z", False),
        (series(f"{RULE};UNTIL=20261020T083000Z"), "20261020T000000Z", "20261021T000000Z", True),
        (series(f"{RULE};UNTIL=20261020"), "20261020T000000Z", "20261021T000000Z", True),
        # One out, one more, one moved into the range and one out of it.
        (series(RULE, "EXDATE:20261013T083000Z"), "20261013T000000Z", "20261014T000000Z", False),
        (
            series(f"{RULE};COUNT=1", f"RDATE;{LONDON}:20261016T093000"),
            "20261016T083000Z",
            "20261016T090000Z",
            True,
        ),
        (
            series(
                RULE,
                override=(
                    f"RECURRENCE-ID;{LONDON}:20261013T093000",
                    *span(AT + 4 * HOUR, AT + 5 * HOUR),
                ),
            ),
            "20261013T000000Z",
            "20261014T000000Z",
            False,
        ),
        (
            series(
                f"{RULE};COUNT=3",
                override=(
                    f"RECURRENCE-ID;{LONDON}:20261013T093000",
                    *span(AT + 4 * HOUR, AT + 5 * HOUR),
                ),
            ),
            "20261124T140000Z",
            "20261124T150000Z",
            True,
        ),
    ],
)
def test_range_is_right(
    ada: Device, person: PersonHandle, text: str, start: str, end: str, inside: bool
) -> None:
    person.put("one.ics", text, "lab")

    found = rows(ada.query(LAB, start, end))

    assert inside == ([f"{LAB}one.ics"] == [row.href for row in found])


def test_tasks_and_events_are_listed_apart(ada: Device) -> None:
    wide = ("20260101T000000Z", "20280101T000000Z")

    assert [] == rows(ada.query("/123456789/calendars/tasks/", *wide))
    assert 1 == len(rows(ada.query("/123456789/calendars/tasks/", *wide, "VTODO")))


def test_zone_of_the_file_counts_where_the_name_means_nothing(
    ada: Device, person: PersonHandle
) -> None:
    zone = definition("Europe/Berlin").replace("Europe/Berlin", "Mitteleuropa")
    lines = ("DTSTART;TZID=Mitteleuropa:20260701T100000", "DTEND;TZID=Mitteleuropa:20260701T103000")
    person.put("one.ics", wrap(zone, event("u", *lines)), "lab")

    assert 1 == len(rows(ada.query(LAB, "20260701T080000Z", "20260701T083000Z")))
    assert 0 == len(rows(ada.query(LAB, "20260701T090000Z", "20260701T093000Z")))


def test_every_seeded_event_of_the_season_is_found(ada: Device) -> None:
    work = "/123456789/calendars/work/"

    found = rows(ada.query(work, "20260901T000000Z", "20270301T000000Z"))

    assert len(ada.listing(work)) - 1 == len(found)
