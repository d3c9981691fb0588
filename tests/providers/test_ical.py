"""From iCalendar objects to events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain import Attendee, Busy, Moment, Participation, RemoteEvent, Window
from broker.providers._ical import MAX_OBJECT_BYTES, Reading, Source, read_object
from broker.providers._ical_text import Unreadable, calendar_zone, duration, read_document
from broker.sync.expand import expand
from sandbox.radicale_events import BERLIN, event, wrap

HREF = "/ada/work/a.ics"
ME = "ada@example.com"
NINE = datetime(2026, 12, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
GOOD = "DTSTART:20261201T090000Z"
STAMP = "20261208T090000Z"


def reading(*components: str, zone: str = "Europe/Berlin") -> Reading:
    """Read one object of components."""
    text = wrap("-//Tests//EN", *components)
    return read_object(Source(HREF, '"e1"', text, zone, frozenset({ME})))


def single(*lines: str, **options: Any) -> RemoteEvent:
    """Read an object with one event that has these lines."""
    found = reading(event("u1", *lines), **options)
    assert not found.skipped
    (only,) = found.events
    return only


@pytest.mark.parametrize(
    ("lines", "start", "end"),
    [
        (["DTSTART:20261201T090000Z", "DTEND:20261201T100000Z"], NINE, NINE + HOUR),
        (["DTSTART:20261201T100000", "DTEND:20261201T110000"], NINE, NINE + HOUR),
        (["DTSTART;TZID=Asia/Tokyo:20261201T180000", "DURATION:PT1H"], NINE, NINE + HOUR),
        (["DTSTART:20261201T090000Z", "DURATION:P1DT1H"], NINE, NINE + 25 * HOUR),
        (["DTSTART:20261201T090000Z"], NINE, NINE),
        (["DTSTART:20261201T090000Z", "DTEND:20261130T090000Z"], NINE, NINE),
        (["DTSTART:20261201T090000Z", "DURATION:-PT1H"], NINE, NINE),
        (["dtstart;tzid=\"Asia/Tokyo\":20261201T180000", "dtend:20261201T090000Z"], NINE, NINE),
        (["DTSTART;X-A=\"a;b:c\";TZID=Asia/Tokyo:20261201T180000"], NINE, NINE),
        (["DTSTART;TZID=Nowhere:20261201T100000"], NINE, NINE),
    ],
)  # fmt: skip
def test_timed(lines: list[str], start: datetime, end: datetime) -> None:
    found = single(*lines)

    assert found.start is not None and found.end is not None
    assert (start, end) == (found.start.at, found.end.at)
    assert found.start.tzid is not None and not found.all_day


@pytest.mark.parametrize(
    ("lines", "days"),
    [
        (["DTSTART;VALUE=DATE:20261201"], 1),
        (["DTSTART;VALUE=DATE:20261201", "DTEND;VALUE=DATE:20261203"], 2),
        (["DTSTART;VALUE=DATE:20261201", "DTEND;VALUE=DATE:20261201"], 1),
        (["DTSTART;VALUE=DATE:20261201", "DTEND;VALUE=DATE:20261101"], 1),
        (["DTSTART;VALUE=DATE:20261201", "DURATION:P3D"], 3),
        (["DTSTART;VALUE=DATE:20261201", "DURATION:P1W"], 7),
        (["DTSTART;VALUE=DATE:20261201", "DTEND:20261202T120000"], 2),
        (["DTSTART:20261201"], 1),
        (["DTSTART;VALUE=DATE:20261201T000000"], 1),
    ],
)
def test_all_day(lines: list[str], days: int) -> None:
    found = single(*lines, zone="America/New_York")

    midnight = datetime(2026, 12, 1, tzinfo=UTC)
    assert found.all_day
    assert Moment(midnight, None) == found.start
    assert Moment(midnight + timedelta(days=days), None) == found.end
    assert found.content.start_tzid is None


def test_nominal_days_keep_the_wall_time() -> None:
    found = single("DTSTART;TZID=Europe/Berlin:20261024T090000", "DURATION:P1D")

    assert found.start is not None and found.end is not None
    assert 25 * HOUR == found.end.at - found.start.at


@pytest.mark.parametrize(
    ("lines", "busy"),
    [
        ([], Busy.BUSY),
        (["TRANSP:TRANSPARENT"], Busy.FREE),
        (["transp:transparent"], Busy.FREE),
        (["TRANSP:OPAQUE"], Busy.BUSY),
        (["STATUS:TENTATIVE"], Busy.TENTATIVE),
        (["STATUS:tentative", "TRANSP:TRANSPARENT"], Busy.FREE),
        (["X-MICROSOFT-CDO-BUSYSTATUS:FREE"], Busy.FREE),
        (["X-MICROSOFT-CDO-BUSYSTATUS:OOF"], Busy.OUT_OF_OFFICE),
        (["X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE"], Busy.WORKING_ELSEWHERE),
        (["X-MICROSOFT-CDO-BUSYSTATUS:BUSY", "STATUS:TENTATIVE"], Busy.TENTATIVE),
        ([f"ATTENDEE;PARTSTAT=DECLINED:mailto:{ME}"], Busy.FREE),
        ([f"ATTENDEE;PARTSTAT=DECLINED:MAILTO:{ME.upper()}"], Busy.FREE),
        ([f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{ME}"], Busy.TENTATIVE),
        ([f"ATTENDEE:mailto:{ME}"], Busy.TENTATIVE),
        ([f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ME}"], Busy.BUSY),
        (["ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.com"], Busy.BUSY),
        ([f"ATTENDEE;PARTSTAT=DECLINED;EMAIL={ME}:urn:uuid:1"], Busy.FREE),
    ],
)
def test_busy(lines: list[str], busy: Busy) -> None:
    assert busy == single("DTSTART:20261201T090000Z", *lines).busy


def test_content() -> None:
    content = single(
        "DTSTART:20261201T090000Z",
        "DTEND;TZID=Asia/Tokyo:20261201T190000",
        "SUMMARY:Lunch\\, then\\; a 🍰 " + "long " * 30 + "walk",
        "DESCRIPTION:one\\ntwo\\Nthree \\\\n",
        "LOCATION:Café",
        "GEO:52.5;13.4",
        "URL:https://example.com/a?b=c;d",
        "CLASS:CONFIDENTIAL",
        "ORGANIZER;CN=\"Bob; B.\":mailto:bob@example.com",
        f"ATTENDEE;CN=Ada ^'Countess^';PARTSTAT=ACCEPTED:mailto:{ME}",
        "ATTENDEE;CUTYPE=ROOM;PARTSTAT=DELEGATED:mailto:room@example.com",
        "ATTENDEE:/principals/7",
        "CREATED:20260101T000000Z",
        "LAST-MODIFIED:20260102T030405Z",
        "CONFERENCE;VALUE=URI;FEATURE=VIDEO:https://meet.example.com/1",
    ).content  # fmt: skip

    assert content.summary.startswith("Lunch, then; a 🍰 long") and content.summary.endswith("walk")
    assert "one\ntwo\nthree \\n" == content.description
    assert ("Café", "52.5", "13.4") == (content.location, content.lat, content.long)
    assert "https://example.com/a?b=c;d" == content.url
    assert content.private
    assert ("bob@example.com", "Bob; B.") == (content.organizer_email, content.organizer_name)
    assert (
        Attendee(ME, 'Ada "Countess"', Participation.ACCEPTED),
        Attendee("room@example.com", None, Participation.UNKNOWN),
    ) == content.attendees
    assert Participation.ACCEPTED is content.participation
    assert "https://meet.example.com/1" == content.meeting_url
    assert ("UTC", "Asia/Tokyo") == (content.start_tzid, content.end_tzid)
    assert ("2026-01-01T00:00:00Z", "2026-01-02T03:04:05Z") == (
        content.created_at,
        content.updated_at,
    )
    assert ("u1", HREF, "confirmed") == (content.ical_uid, content.remote_id, content.status)


@pytest.mark.parametrize("line", ["GEO:1000;1", "GEO:here", "GEO:nan;nan", "URL:", "CREATED:x"])
def test_odd_details_are_left_out(line: str) -> None:
    content = single("DTSTART:20261201T090000Z", line).content

    assert (None, None, None, None) == (content.lat, content.long, content.url, content.created_at)


def test_series_with_overrides() -> None:
    found = reading(
        BERLIN.format(tzid="Mine"),
        event(
            "u1",
            "DTSTART;TZID=Mine:20261201T090000",
            "DTEND;TZID=Mine:20261201T100000",
            "RRULE:FREQ=WEEKLY;COUNT=5",
            "EXDATE;TZID=Mine:20261208T090000,20261215T090000",
            "RDATE;VALUE=PERIOD:20261203T080000Z/PT2H",
            "SUMMARY:Weekly",
        ),
        event(
            "u1",
            "RECURRENCE-ID:20261222T080000Z",
            "DTSTART;TZID=Mine:20261222T110000",
            "DURATION:PT1H",
        ),
        event(
            "u1",
            "RECURRENCE-ID:20261229T080000Z",
            "DTSTART:20261229T080000Z",
            "STATUS:CANCELLED",
        ),
    )

    master, moved, dropped = found.events
    assert (
        "RRULE:FREQ=WEEKLY;COUNT=5",
        "RDATE;VALUE=PERIOD:20261203T080000Z/PT2H",
        "EXDATE;TZID=Europe/Berlin:20261208T090000,20261215T090000",
    ) == master.recurrence
    assert (HREF, None, None) == (master.remote_id, master.series_id, master.original_start)
    assert f"{HREF}#20261222T080000Z" == moved.remote_id
    assert (HREF, '"e1"') == (moved.series_id, moved.etag)
    assert moved.original_start is not None
    assert datetime(2026, 12, 22, 8, tzinfo=UTC) == moved.original_start.at
    assert dropped.cancelled and not moved.cancelled and not found.skipped


def test_recurrence_can_be_expanded() -> None:
    found = single(
        "DTSTART;TZID=W. Europe Standard Time:20261020T090000",
        "DTEND;TZID=W. Europe Standard Time:20261020T100000",
        "RRULE:FREQ=WEEKLY;COUNT=3",
        "EXDATE;TZID=W. Europe Standard Time:20261027T090000",
        "RDATE;TZID=/mozilla.org/20050126_1/America/New_York:20261105T080000",
    )
    window = Window(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))

    assert found.start is not None and found.end is not None
    expansion = expand(
        start=found.start,
        end=found.end,
        all_day=found.all_day,
        recurrence=found.recurrence,
        window=window,
    )

    starts = [occurrence.start for occurrence in expansion.occurrences]
    assert ["2026-10-20T07:00", "2026-11-03T08:00", "2026-11-05T13:00"] == [
        start.isoformat()[:16] for start in starts
    ]


@pytest.mark.parametrize(
    ("start", "recurrence_id", "suffix"),
    [
        ("DTSTART;VALUE=DATE:20261201", "RECURRENCE-ID;VALUE=DATE:20261208", "20261208"),
        ("DTSTART;VALUE=DATE:20261201", "RECURRENCE-ID:20261208T000000", "20261208"),
        ("DTSTART:20261201T100000", "RECURRENCE-ID;VALUE=DATE:20261208", STAMP),
        ("DTSTART:20261201T090000Z", "RECURRENCE-ID;TZID=Asia/Tokyo:20261208T180000", STAMP),
    ],
)  # fmt: skip
def test_original_starts_agree_with_their_series(
    start: str, recurrence_id: str, suffix: str
) -> None:
    found = reading(event("u1", start, "RRULE:FREQ=WEEKLY"), event("u1", recurrence_id, GOOD))

    assert [HREF, f"{HREF}#{suffix}"] == [item.remote_id for item in found.events]


def test_orphan_override() -> None:
    found = reading(event("u1", "RECURRENCE-ID:20261208T090000Z", "DTSTART:20261208T100000Z"))

    (orphan,) = found.events
    assert (HREF, f"{HREF}#20261208T090000Z") == (orphan.series_id, orphan.remote_id)


def test_of_duplicates_the_latest_version_counts() -> None:
    def version(number: int, *lines: str) -> str:
        return event("u1", "DTSTART:20261201T090000Z", f"SEQUENCE:{number}", *lines)

    place = "RECURRENCE-ID:20261208T090000Z"
    found = reading(
        version(1, "SUMMARY:old"),
        version(10, "SUMMARY:new"),
        version(2, "SUMMARY:middle"),
        version(3, place, "SUMMARY:moved again"),
        version(2, place, "SUMMARY:moved"),
        event("other", "DTSTART:20261201T090000Z", "SUMMARY:stranger"),
    )

    assert ["new", "moved again"] == [item.content.summary for item in found.events]


def test_cancelled_master() -> None:
    found = single("DTSTART:20261201T090000Z", "STATUS:CANCELLED")

    assert found.cancelled and "cancelled" == found.content.status


@pytest.mark.parametrize(
    ("components", "events", "skipped"),
    [
        ([event("u1", "SUMMARY:no start")], 0, {HREF}),
        ([event("u1", "DTSTART:20261301T090000Z")], 0, {HREF}),
        ([event("u1", "DTSTART:tomorrow")], 0, {HREF}),
        ([event("u1", GOOD, "DURATION:long")], 0, {HREF}),
        ([event("u1", "DTSTART:99991231T090000Z", "DURATION:P999999D")], 0, {HREF}),
        ([event("u1", GOOD), event("u1", "RECURRENCE-ID:x", GOOD)], 1, {f"{HREF}#"}),
        (
            [event("u1", GOOD), event("u1", "RECURRENCE-ID:20261201T090000Z", "DTSTART:x")],
            1,
            {f"{HREF}#20261201T090000Z"},
        ),
        ([event("u1", GOOD, "this is not a line", ":", ";;;:", "SUMMARY")], 1, set()),
        ([event("u1", GOOD, "X-LONG:" + "x" * 100_000)], 1, set()),
        (["BEGIN:VEVENT\nUID:u1\n" + GOOD], 0, {HREF}),
        (["BEGIN:VTODO\nEND:VTODO"], 0, set()),
        (["BEGIN:A\n" * 50 + "END:A\n" * 50], 0, {HREF}),
        (["END:VCALENDAR\nEND:VCALENDAR"], 0, {HREF}),
        ([event("u1", GOOD, "SUMMARY:x\n" * 60_000)], 0, {HREF}),
        ([event("u1", "DTSTART:00010101T000000", "RRULE:FREQ=DAILY")], 1, set()),
        ([event("u1", GOOD, "SEQUENCE:" + "9" * 5_000)], 1, set()),
    ],
)  # fmt: skip
def test_nasty_objects(components: list[str], events: int, skipped: set[str]) -> None:
    found = reading(*components)

    assert (events, skipped) == (len(found.events), found.skipped)


def test_object_over_the_limit_is_not_read() -> None:
    text = wrap("-//T//EN", event("u1", GOOD)) + " " * MAX_OBJECT_BYTES

    assert {HREF} == read_object(Source(HREF, "e", text)).skipped


def test_zones_mean_the_same_however_they_are_written() -> None:
    """As usual they are cut out at once; written any other way they are read line by line."""
    zone = BERLIN.format(tzid="Home")
    lower = zone.replace("BEGIN:", "begin:").replace("TZID:", "tzid:")
    spellings = (zone, lower, zone.replace("VTIMEZONE", "VTIMEZONE "), f"{zone}X-NOTHING")
    lines = ("DTSTART;TZID=Home:20261201T100000", "DTEND;TZID=Home:20261201T110000")

    for text in spellings:
        found = reading(text, event("u1", *lines), zone="Asia/Tokyo")
        assert [(NINE, NINE + HOUR)] == [(one.start.at, one.end.at) for one in found.events], text


def test_zone_without_its_end_swallows_nothing() -> None:
    zone = BERLIN.format(tzid="Home")
    broken = zone.replace("END:VTIMEZONE", "X-LOST:1")

    found = reading(broken, event("u1", GOOD), zone, event("u1", GOOD))

    assert ([], {HREF}) == (found.events, found.skipped)


@pytest.mark.parametrize("second", ["60", "61", "99"])
def test_leap_seconds_end_their_minute(second: str) -> None:
    found = single(f"DTSTART:20261201T0859{second}Z")

    assert found.start == Moment(NINE - timedelta(seconds=1), "UTC")


def test_alarms_and_zones_do_not_leak_into_events() -> None:
    found = single(
        GOOD,
        "BEGIN:VALARM\nTRIGGER:-PT5M\nSUMMARY:Alarm\nDURATION:PT9H\nRRULE:FREQ=DAILY\nEND:VALARM",
    )

    assert ("", ()) == (found.content.summary, found.recurrence)
    assert found.start == found.end


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_and_folds(line_end: str) -> None:
    lines = wrap("-//T//EN", event("u1", GOOD, "SUMMARY:" + "é" * 200)).split("\r\n")
    text = line_end.join(lines)
    if line_end == "\r":
        text = text.replace("\r ", "")

    found = read_object(Source(HREF, "e", text))

    assert ["é" * 200] == [item.content.summary for item in found.events]


@pytest.mark.parametrize("text", ["", "   ", "\ufeff", "nonsense", "BEGIN:VCALENDAR", "END:VEVENT"])
def test_truncated_files(text: str) -> None:
    found = read_object(Source(HREF, "e", text))

    assert [] == found.events


def test_byte_order_mark() -> None:
    text = "\ufeff" + wrap("-//T//EN", event("u1", GOOD))

    assert 1 == len(read_object(Source(HREF, "e", text)).events)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        (wrap("-//T//EN", BERLIN.format(tzid="Europe/Berlin")), "Europe/Berlin"),
        (wrap("-//T//EN", BERLIN.format(tzid="Bespoke")), "Europe/Berlin"),
        ("", None),
        ("TZID:Nowhere", None),
        ("x" * 200_000, None),
    ],
)
def test_calendar_zone(text: str, zone: str | None) -> None:
    assert zone == calendar_zone(text)


@pytest.mark.parametrize("text", ["", "1H", "P1Y", "PT1H1H", "P" + "9" * 20 + "D"])
def test_unreadable_durations(text: str) -> None:
    with pytest.raises(Unreadable):
        duration(text)


@given(st.text())
def test_garbage_never_raises(text: str) -> None:
    read_object(Source(HREF, "e", text))


NAMES = st.sampled_from(
    ["DTSTART", "DTEND", "DURATION", "RRULE", "EXDATE", "RECURRENCE-ID", "ATTENDEE", "GEO", "BEGIN"]
)
VALUES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["20261201", "20261201T090000", "20261201T090000Z", "99991231T235959Z", "00010101",
         "P9D", "-P9999D", "PT0S", "VEVENT", "VALARM", "FREQ=DAILY", "mailto:a@b"]
    ),
)  # fmt: skip
PARAMETERS = st.sampled_from(["", ";TZID=Europe/Berlin", ";TZID=", ";VALUE=DATE", ';X="a:b"', ";"])
LINES = st.builds("{}{}:{}".format, NAMES, PARAMETERS, VALUES)


@given(st.lists(LINES, max_size=12), st.lists(LINES, max_size=12))
def test_damaged_events_never_raise(first: list[str], second: list[str]) -> None:
    text = (
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:u\n" + "\n".join(first)
        + "\nEND:VEVENT\nBEGIN:VEVENT\nUID:u\n" + "\n".join(second)
        + "\nEND:VEVENT\nEND:VCALENDAR\n"
    )  # fmt: skip

    found = read_object(Source(HREF, "e", text))

    for item in found.events:
        assert item.start is not None and item.end is not None
        assert item.start.at <= item.end.at
        assert item.start.at.tzinfo is UTC


def test_missing_end_is_told() -> None:
    with pytest.raises(Unreadable):
        read_document("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n")
