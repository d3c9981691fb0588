"""What Google's events become: busy or free, and when."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.domain import Busy, Moment, Participation, RemoteEvent
from broker.providers._google_events import Page, read_page

PARIS = "Europe/Paris"
START = {"dateTime": "2026-12-02T09:00:00+01:00", "timeZone": PARIS}
END = {"dateTime": "2026-12-02T10:00:00+01:00", "timeZone": PARIS}
EIGHT = datetime(2026, 12, 2, 8, tzinfo=UTC)
NINE = datetime(2026, 12, 2, 9, tzinfo=UTC)


def page_of(*items: Any, **envelope: Any) -> Page:
    """Read a page of these items."""
    body = {"timeZone": PARIS, "items": items, "nextSyncToken": "token", **envelope}
    return read_page(json.dumps(body).encode())


def event_of(**fields: Any) -> RemoteEvent:
    """Read one event; None takes a field out."""
    item = {"id": "abc", "etag": '"1"', "start": START, "end": END} | fields
    page = page_of({name: value for name, value in item.items() if value is not None})
    assert frozenset() == page.skipped
    return page.events[0]


def invited(answer: str, **fields: Any) -> dict[str, Any]:
    """Make the fields of an invitation answered like this."""
    guests = [
        {"email": "bob@corp.example", "responseStatus": "declined"},
        {"email": "ann@corp.example", "self": True, "responseStatus": answer},
    ]
    return {"attendees": guests, **fields}


@pytest.mark.parametrize(
    ("fields", "busy"),
    [
        ({}, Busy.BUSY),
        ({"status": "confirmed", "transparency": "opaque"}, Busy.BUSY),
        (invited("accepted"), Busy.BUSY),
        (invited("declined"), Busy.FREE),
        (invited("declined", eventType="outOfOffice"), Busy.FREE),
        ({"eventType": "workingLocation"}, Busy.FREE),
        ({"eventType": "birthday"}, Busy.FREE),
        ({"transparency": "transparent"}, Busy.FREE),
        ({"transparency": "transparent", "eventType": "outOfOffice"}, Busy.FREE),
        (invited("tentative", transparency="transparent"), Busy.FREE),
        ({"eventType": "outOfOffice"}, Busy.BUSY),
        ({"eventType": "focusTime"}, Busy.BUSY),
        ({"eventType": "focusTime", "status": "tentative"}, Busy.BUSY),
        (invited("needsAction"), Busy.TENTATIVE),
        (invited("tentative"), Busy.TENTATIVE),
        ({"status": "tentative"}, Busy.TENTATIVE),
        (invited("accepted", status="tentative"), Busy.TENTATIVE),
        ({"eventType": "fromGmail"}, Busy.BUSY),
        ({"eventType": "something new"}, Busy.BUSY),
        ({"attendees": [{"email": "b@x.example", "responseStatus": "declined"}]}, Busy.BUSY),
    ],
)
def test_what_an_event_does_to_time(fields: dict[str, Any], busy: Busy) -> None:
    assert busy is event_of(**fields).busy


@pytest.mark.parametrize(
    ("answer", "participation"),
    [
        ("needsAction", Participation.NEEDS_ACTION),
        ("accepted", Participation.ACCEPTED),
        ("declined", Participation.DECLINED),
        ("tentative", Participation.TENTATIVE),
        ("else", Participation.UNKNOWN),
    ],
)
def test_participation_is_that_of_the_calendars_owner(
    answer: str, participation: Participation
) -> None:
    assert participation is event_of(**invited(answer)).content.participation


def test_participation_of_one_who_is_not_invited_is_unknown() -> None:
    assert Participation.UNKNOWN is event_of().content.participation


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (START, END, (Moment(EIGHT, PARIS), Moment(NINE, PARIS))),
        ({"dateTime": "2026-12-02T08:00:00Z"}, None, (Moment(EIGHT, PARIS),) * 2),
        (START, START, (Moment(EIGHT, PARIS),) * 2),
        (END, START, (Moment(NINE, PARIS),) * 2),
        (
            {"dateTime": "2026-12-02T03:00:00-05:00", "timeZone": "America/New_York"},
            END,
            (Moment(EIGHT, "America/New_York"), Moment(NINE, PARIS)),
        ),
        ({"dateTime": "2026-12-02T09:00:00", "timeZone": PARIS}, END, None),
        ({"dateTime": "2026-12-02T09:00:00"}, END, None),
        ({"dateTime": "2026-12-02T08:00:00.250Z"}, END, (EIGHT.replace(microsecond=250000),)),
        ({"dateTime": "2026-12-02T08:00:00Z", "timeZone": "Mars/Olympus"}, END, None),
    ],
)
def test_timed_events(start: Any, end: Any, expected: tuple[Any, ...] | None) -> None:
    event = event_of(start=start, end=end)

    expected = expected or (Moment(EIGHT, PARIS), Moment(NINE, PARIS))
    if isinstance(expected[0], datetime):
        assert event.start and expected[0] == event.start.at
        return
    assert expected == (event.start, event.end)
    assert not event.all_day


@pytest.mark.parametrize(
    ("end", "last"),
    [
        ({"date": "2026-12-05"}, 5),
        (None, 3),
        ({"date": "2026-12-02"}, 3),
        ({"date": "2026-12-01"}, 3),
    ],
)
def test_all_day_events(end: Any, last: int) -> None:
    event = event_of(start={"date": "2026-12-02", "timeZone": PARIS}, end=end)

    assert event.all_day
    assert Moment(datetime(2026, 12, 2, tzinfo=UTC), None) == event.start
    assert Moment(datetime(2026, 12, last, tzinfo=UTC), None) == event.end


def test_series_keeps_its_rules() -> None:
    rules = ["RRULE:FREQ=WEEKLY", "EXDATE;TZID=Europe/Paris:20261209T090000"]

    event = event_of(recurrence=rules)

    assert tuple(rules) == event.recurrence
    assert event.series_id is None


def test_exception_is_placed_in_its_series() -> None:
    event = event_of(
        id="abc_20261202T080000Z", recurringEventId="abc", originalStartTime=START, start=END
    )

    assert ("abc", Moment(EIGHT, PARIS)) == (event.series_id, event.original_start)
    assert Moment(NINE, PARIS) == event.start


@pytest.mark.parametrize(
    ("remote_id", "placed"),
    [
        ("abc_20261202T080000Z", Moment(EIGHT, PARIS)),
        ("abc_20261202", Moment(datetime(2026, 12, 2, tzinfo=UTC))),
    ],
)
def test_stub_without_its_original_start_has_it_in_its_id(remote_id: str, placed: Moment) -> None:
    page = page_of({"id": remote_id, "status": "cancelled", "recurringEventId": "abc"})

    stub = page.events[0]
    assert (True, "abc", placed) == (stub.cancelled, stub.series_id, stub.original_start)
    assert (None, None) == (stub.start, stub.end)


@pytest.mark.parametrize(
    "item",
    [
        {"id": "abc", "status": "cancelled"},
        {"id": "abc", "status": "cancelled", "summary": "Still has a name", "start": START},
        {"id": "abc", "status": "cancelled", "recurringEventId": "unplaced"},
    ],
)
def test_cancelled_event_is_deleted(item: dict[str, Any]) -> None:
    page = page_of(item)

    assert (frozenset({"abc"}), ()) == (page.deleted, page.events)


def test_exception_that_cannot_be_placed_is_a_single_event() -> None:
    event = event_of(recurringEventId="unplaced")

    assert event.series_id is None


@pytest.mark.parametrize(
    "item",
    [
        {"start": None},
        {"start": {}},
        {"start": {"dateTime": "soon"}},
        {"start": {"date": "2026-02-30"}},
        {"start": {"dateTime": "0001-01-01T00:00:00+10:00"}},
        {"start": {"date": "9999-12-31"}, "end": {"date": "9999-12-31"}},
        {"start": {"date": "2026-12-02"}},
        {"start": 5},
        {"attendees": "everybody"},
        {"summary": ["a", "b"]},
        {"recurringEventId": "x", "originalStartTime": {"dateTime": "then"}},
    ],
)
def test_item_that_cannot_be_read_is_left(item: dict[str, Any]) -> None:
    good = {"id": "good", "start": START, "end": END}

    page = page_of({"id": "odd", "start": START, "end": END} | item, good)

    assert frozenset({"odd"}) == page.skipped
    assert ["good"] == [event.remote_id for event in page.events]
    assert "token" == page.cursor


@pytest.mark.parametrize("item", [5, None, {}, {"id": 7}, ["id"]])
def test_item_without_an_id_is_counted(item: Any) -> None:
    page = page_of(item, {"id": "good", "start": START, "end": END})

    assert frozenset({""}) == page.skipped
    assert 1 == len(page.events)


def test_naive_time_needs_a_zone() -> None:
    item = {"id": "odd", "start": {"dateTime": "2026-12-02T09:00:00"}, "end": END}

    assert frozenset({"odd"}) == page_of(item, timeZone=None).skipped


TEXT = st.text(max_size=12)
TIMES = st.sampled_from(
    [
        "2026-12-02T09:00:00+01:00",
        "2026-12-02T08:00:00Z",
        "2026-12-02T09:00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "2026-03-29T02:30:00",
        "",
    ]
)
DATES = st.sampled_from(["2026-12-02", "9999-12-31", "0001-01-01", "2026-13-01", ""])
ZONES = st.sampled_from([PARIS, "UTC", "Europe", "../etc", "Mars/Olympus", "\x00", ""])
WHEN = st.fixed_dictionaries(
    {}, optional={"date": DATES | TEXT, "dateTime": TIMES | TEXT, "timeZone": ZONES | TEXT}
)
PERSON = st.fixed_dictionaries(
    {}, optional={"email": TEXT, "self": st.booleans(), "responseStatus": TEXT, "displayName": TEXT}
)
ODD = st.none() | st.booleans() | st.integers() | TEXT | st.lists(TEXT, max_size=2)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "status": st.sampled_from(["confirmed", "tentative", "cancelled", "odd"]),
    "start": WHEN,
    "end": WHEN,
    "originalStartTime": WHEN,
    "recurringEventId": TEXT,
    "recurrence": st.lists(TEXT, max_size=2),
    "transparency": st.sampled_from(["opaque", "transparent"]),
    "eventType": TEXT,
    "attendees": st.lists(PERSON, max_size=3),
    "organizer": PERSON,
    "summary": TEXT,
    "description": TEXT | st.sampled_from(["<b>x</b>", "&amp;&#xD800;&#0;"]),
    "created": TIMES | TEXT,
    "updated": TIMES | TEXT,
    "hangoutLink": TEXT,
    "source": st.fixed_dictionaries({}, optional={"url": TEXT}),
}
ITEM = st.fixed_dictionaries(
    {"id": TEXT | st.sampled_from(["a_20261202T080000Z", "a_99999999", "a_20260230T999999Z"])},
    optional={name: strategy | ODD for name, strategy in FIELDS.items()},
)


@settings(max_examples=300)
@given(items=st.lists(ITEM | ODD, max_size=4), zone=ZONES)
def test_no_page_breaks_the_reader(items: list[Any], zone: str) -> None:
    try:
        body = json.dumps({"timeZone": zone, "items": items}, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return

    page = read_page(body)

    for event in page.events:
        assert event.cancelled or (event.start and event.end and event.start.at <= event.end.at)
        assert event.all_day == ((event.start or event.original_start or Moment(NINE)).tzid is None)
        msgspec.json.encode(event.content)
