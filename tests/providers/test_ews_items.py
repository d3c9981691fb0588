"""What Exchange's events become: times, zones, days, series, people."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from broker.domain import Busy, Moment, Participation, RemoteEvent, Window, midnight_utc
from broker.providers._ews.calendar_items import Series, read_exception, read_item, stand_in
from broker.providers._ews.item_times import read_date, read_instant
from broker.providers._ews.markup import T, parse
from broker.sync.expand import expand
from tests.providers.ews_samples import NAMESPACES, item

BERLIN = '<t:StartTimeZone Id="W. Europe Standard Time" Name="(UTC+01:00) Berlin"/>'
ZONE = '<t:StartTimeZone Id="{}"/>'
SPAN = "<t:Start>2026-11-24T13:00:00Z</t:Start><t:End>2026-11-24T14:00:00Z</t:End>"
MEETING_ZONE = (
    '<t:MeetingTimeZone TimeZoneName="{name}"><t:BaseOffset>-PT1H</t:BaseOffset>'
    '<t:Standard TimeZoneName="Standard"><t:Offset>PT0H</t:Offset></t:Standard>'
    '<t:Daylight TimeZoneName="Daylight"><t:Offset>-PT1H</t:Offset>'
    "<t:RelativeYearlyRecurrence><t:DaysOfWeek>Sunday</t:DaysOfWeek>"
    "<t:DayOfWeekIndex>Last</t:DayOfWeekIndex><t:Month>March</t:Month>"
    "</t:RelativeYearlyRecurrence><t:Time>02:00:00</t:Time></t:Daylight></t:MeetingTimeZone>"
)
CUSTOM_ZONE = (
    '<t:StartTimeZone Id="tzone://Microsoft/Custom" Name="Our zone"><t:Periods>'
    '<t:Period Bias="PT5H" Name="Standard" Id="std"/>'
    '<t:Period Bias="PT4H" Name="Daylight" Id="dlt"/>'
    "</t:Periods><t:TransitionsGroups>"
    '<t:TransitionsGroup Id="0"><t:RecurringDayTransition><t:To Kind="Period">dlt</t:To>'
    "<t:TimeOffset>PT2H</t:TimeOffset><t:Month>3</t:Month></t:RecurringDayTransition>"
    "</t:TransitionsGroup></t:TransitionsGroups></t:StartTimeZone>"
)


def element_of(content: str, **attributes: str) -> Any:
    document = parse(f"<r {NAMESPACES}>{item(content, **attributes)}</r>".encode())
    return document[0]


def event_of(content: str) -> RemoteEvent:
    read = read_item(element_of(content), "AAMk1")
    assert isinstance(read, RemoteEvent)
    return read


def series_of(content: str) -> Series:
    read = read_item(
        element_of("<t:CalendarItemType>RecurringMaster</t:CalendarItemType>" + content), "AAMkM"
    )
    assert isinstance(read, Series)
    return read


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def test_an_event_in_full() -> None:
    event = event_of(
        "<t:Subject>Planning</t:Subject><t:Sensitivity>Private</t:Sensitivity>"
        '<t:Body BodyType="Text"> Agenda\n</t:Body>'
        "<t:DateTimeCreated>2026-11-01T08:00:00.123Z</t:DateTimeCreated>"
        "<t:LastModifiedTime>2026-11-02T10:00:00Z</t:LastModifiedTime>"
        f"<t:UID>0400</t:UID>{SPAN}<t:IsAllDayEvent>false</t:IsAllDayEvent>"
        "<t:LegacyFreeBusyStatus>OOF</t:LegacyFreeBusyStatus><t:Location>Room 4</t:Location>"
        "<t:IsMeeting>true</t:IsMeeting><t:IsCancelled>false</t:IsCancelled>"
        "<t:CalendarItemType>Single</t:CalendarItemType><t:MyResponseType>Tentative</t:MyResponseType>"
        "<t:Organizer><t:Mailbox><t:Name>Grace</t:Name>"
        "<t:EmailAddress>grace@contoso.example</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType>"
        "</t:Mailbox></t:Organizer><t:RequiredAttendees><t:Attendee><t:Mailbox><t:Name>Bo</t:Name>"
        "<t:EmailAddress>bo@fabrikam.example</t:EmailAddress></t:Mailbox>"
        "<t:ResponseType>Accept</t:ResponseType></t:Attendee><t:Attendee><t:Mailbox>"
        "<t:Name>Old</t:Name><t:EmailAddress>/o=Contoso/cn=old@x</t:EmailAddress>"
        "<t:RoutingType>EX</t:RoutingType></t:Mailbox></t:Attendee></t:RequiredAttendees>"
        f"{BERLIN}<t:EndTimeZone Id='GMT Standard Time'/><t:Unknown>new</t:Unknown>"
    )
    content = event.content

    assert ("AAMk1", "CQAA1") == (event.remote_id, event.etag)
    assert Moment(at(2026, 11, 24, 13), "Europe/Berlin") == event.start
    assert Moment(at(2026, 11, 24, 14), "Europe/London") == event.end
    assert Busy.OUT_OF_OFFICE is event.busy and not event.cancelled and not event.all_day
    assert ("Planning", "Agenda", "Room 4", "0400") == (
        content.summary,
        content.description,
        content.location,
        content.ical_uid,
    )
    assert content.private and Participation.TENTATIVE is content.participation
    assert ("grace@contoso.example", "Grace") == (content.organizer_email, content.organizer_name)
    assert [("bo@fabrikam.example", Participation.ACCEPTED)] == [
        (person.email, person.status) for person in content.attendees
    ]
    assert ("2026-11-01T08:00:00Z", "2026-11-02T10:00:00Z") == (
        content.created_at,
        content.updated_at,
    )


def test_an_event_with_next_to_nothing() -> None:
    event = event_of("<t:Start>2026-11-24T13:00:00Z</t:Start>")

    assert event.start == event.end == Moment(at(2026, 11, 24, 13), "UTC")
    assert Busy.BUSY is event.busy
    assert Participation.UNKNOWN is event.content.participation


@pytest.mark.parametrize("start", ["", "<t:Start/>", "<t:Start>soon</t:Start>"])
def test_an_event_without_a_time_is_no_event(start: str) -> None:
    with pytest.raises(ValueError):
        event_of(start)


@pytest.mark.parametrize(
    ("told", "busy"),
    [
        ("Free", Busy.FREE),
        ("Tentative", Busy.TENTATIVE),
        ("Busy", Busy.BUSY),
        ("WorkingElsewhere", Busy.WORKING_ELSEWHERE),
        ("NoData", Busy.BUSY),
        ("Later", Busy.BUSY),
    ],
)
def test_busy(told: str, busy: Busy) -> None:
    event = event_of(f"{SPAN}<t:LegacyFreeBusyStatus>{told}</t:LegacyFreeBusyStatus>")
    assert (busy, busy is Busy.FREE) == (event.busy, event.content.transparent)


def test_declined_takes_no_time_and_cancelled_is_gone() -> None:
    declined = event_of(
        f"{SPAN}<t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus><t:IsMeeting>true</t:IsMeeting>"
        "<t:MyResponseType>Decline</t:MyResponseType>"
    )
    assert (Busy.FREE, Participation.DECLINED) == (declined.busy, declined.content.participation)
    assert event_of(f"{SPAN}<t:IsCancelled>true</t:IsCancelled>").cancelled


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [
        (BERLIN, "2026-11-23T23:00:00Z", "2026-11-24T23:00:00Z"),
        (ZONE.format("Pacific Standard Time"), "2026-11-24T08:00:00Z", "2026-11-25T08:00:00Z"),
        (ZONE.format("Line Islands Standard Time"), "2026-11-23T10:00:00Z", "2026-11-24T10:00:00Z"),
        (MEETING_ZONE.format(name="W. Europe"), "2026-11-23T23:00:00Z", "2026-11-24T23:00:00Z"),
        ("", "2026-11-23T23:00:00Z", "2026-11-24T23:00:00Z"),
        ("", "2026-11-24T08:00:00Z", "2026-11-25T08:00:00Z"),
        ("", "2026-11-24T00:00:00+01:00", "2026-11-24T00:00:00+01:00"),
    ],
)  # fmt: skip
def test_a_day_is_the_day_of_its_own_zone(zone: str, start: str, end: str) -> None:
    event = event_of(
        f"<t:Start>{start}</t:Start><t:End>{end}</t:End><t:IsAllDayEvent>true</t:IsAllDayEvent>{zone}"
    )

    assert event.all_day
    assert (midnight_utc(date(2026, 11, 24)), None) == event.start
    assert (midnight_utc(date(2026, 11, 25)), None) == event.end


def test_days_over_the_change_to_summer_time_are_whole() -> None:
    event = event_of(
        "<t:Start>2026-03-27T23:00:00Z</t:Start><t:End>2026-03-29T22:00:00Z</t:End>"
        f"<t:IsAllDayEvent>true</t:IsAllDayEvent>{BERLIN}"
    )
    assert (midnight_utc(date(2026, 3, 28)), midnight_utc(date(2026, 3, 30))) == (
        event.start and event.start.at,
        event.end and event.end.at,
    )


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (BERLIN, "Europe/Berlin"),
        (CUSTOM_ZONE, "America/New_York"),
        ('<t:StartTimeZone Id="tzone://Microsoft/Utc"/>', "UTC"),
        ('<t:StartTimeZone Id="Custom" Name="Eastern Standard Time"/>', "America/New_York"),
        ('<t:StartTimeZone Id="Nowhere"/>', "UTC"),
        (MEETING_ZONE.format(name="Romance Standard Time"), "Europe/Paris"),
        (MEETING_ZONE.format(name="(GMT+01:00) Amsterdam, Berlin"), "Europe/Berlin"),
        ("<t:MeetingTimeZone><t:BaseOffset>PT3H</t:BaseOffset></t:MeetingTimeZone>", "Etc/GMT+3"),
        ("<t:MeetingTimeZone><t:BaseOffset>far</t:BaseOffset></t:MeetingTimeZone>", "UTC"),
        ("", "UTC"),
    ],
)
def test_zones_of_both_generations(zone: str, expected: str) -> None:
    event = event_of(SPAN + zone)
    assert event.start is not None and expected == event.start.tzid


PATTERNS = {
    "<t:DailyRecurrence><t:Interval>3</t:Interval></t:DailyRecurrence>": "FREQ=DAILY;INTERVAL=3",
    "<t:WeeklyRecurrence><t:Interval>2</t:Interval><t:DaysOfWeek>Monday Wednesday</t:DaysOfWeek>"
    "<t:FirstDayOfWeek>Monday</t:FirstDayOfWeek></t:WeeklyRecurrence>":
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=MO",
    "<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Weekday</t:DaysOfWeek>"
    "</t:WeeklyRecurrence>": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;WKST=SU",
    "<t:AbsoluteMonthlyRecurrence><t:Interval>1</t:Interval><t:DayOfMonth>15</t:DayOfMonth>"
    "</t:AbsoluteMonthlyRecurrence>": "FREQ=MONTHLY;BYMONTHDAY=15",
    "<t:RelativeMonthlyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday</t:DaysOfWeek>"
    "<t:DayOfWeekIndex>Second</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence>":
        "FREQ=MONTHLY;BYDAY=2MO",
    "<t:RelativeMonthlyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Weekday</t:DaysOfWeek>"
    "<t:DayOfWeekIndex>Last</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence>":
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "<t:AbsoluteYearlyRecurrence><t:DayOfMonth>24</t:DayOfMonth><t:Month>November</t:Month>"
    "</t:AbsoluteYearlyRecurrence>": "FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=24",
    "<t:RelativeYearlyRecurrence><t:DaysOfWeek>Tuesday</t:DaysOfWeek>"
    "<t:DayOfWeekIndex>Last</t:DayOfWeekIndex><t:Month>November</t:Month>"
    "</t:RelativeYearlyRecurrence>": "FREQ=YEARLY;BYMONTH=11;BYDAY=-1TU",
}  # fmt: skip
NO_END = "<t:NoEndRecurrence><t:StartDate>2026-11-24</t:StartDate></t:NoEndRecurrence>"


@pytest.mark.parametrize(("pattern", "rule"), PATTERNS.items())
def test_patterns(pattern: str, rule: str) -> None:
    series = series_of(f"{SPAN}<t:Recurrence>{pattern}{NO_END}</t:Recurrence>{BERLIN}")
    assert f"RRULE:{rule}" == series.master.recurrence[0]
    assert expand_all(series.master)


@pytest.mark.parametrize(
    ("end", "part"),
    [
        (
            "<t:EndDateRecurrence><t:StartDate>2026-11-24+01:00</t:StartDate>"
            "<t:EndDate>2027-07-06+02:00</t:EndDate></t:EndDateRecurrence>",
            "UNTIL=20270706T215959Z",
        ),
        (
            "<t:NumberedRecurrence><t:StartDate>2026-11-24</t:StartDate>"
            "<t:NumberOfOccurrences>5</t:NumberOfOccurrences></t:NumberedRecurrence>",
            "COUNT=5",
        ),
    ],
)
def test_ends(end: str, part: str) -> None:
    daily = "<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>"
    series = series_of(f"{SPAN}<t:Recurrence>{daily}{end}</t:Recurrence>{BERLIN}")
    assert (f"RRULE:FREQ=DAILY;{part}",) == series.master.recurrence


def test_short_months_take_their_last_day() -> None:
    pattern = (
        "<t:AbsoluteMonthlyRecurrence><t:Interval>1</t:Interval><t:DayOfMonth>31</t:DayOfMonth>"
        "</t:AbsoluteMonthlyRecurrence>"
    )
    span = SPAN.replace("11-24", "12-31")
    series = series_of(f"{span}<t:Recurrence>{pattern}{NO_END}</t:Recurrence>{BERLIN}")

    days = [f"{one.start:%m-%d}" for one in expand_all(series.master)[:4]]
    assert ["12-31", "01-31", "02-28", "03-31"] == days


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("<t:DailyRecurrence><t:Interval>2</t:Interval></t:DailyRecurrence>", "11-24"),
        (
            "<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Tuesday Friday"
            "</t:DaysOfWeek></t:WeeklyRecurrence>",
            "11-24",
        ),
        (
            "<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>WeekendDay"
            "</t:DaysOfWeek></t:WeeklyRecurrence>",
            "11-28",
        ),
        ("<t:AbsoluteMonthlyRecurrence><t:DayOfMonth>24</t:DayOfMonth>"
         "</t:AbsoluteMonthlyRecurrence>", "11-24"),
        ("<t:AbsoluteMonthlyRecurrence><t:DayOfMonth>31</t:DayOfMonth>"
         "</t:AbsoluteMonthlyRecurrence>", "11-30"),
        (
            "<t:RelativeMonthlyRecurrence><t:DaysOfWeek>Tuesday</t:DaysOfWeek>"
            "<t:DayOfWeekIndex>Last</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence>",
            "11-24",
        ),
        (
            "<t:RelativeMonthlyRecurrence><t:DaysOfWeek>Tuesday</t:DaysOfWeek>"
            "<t:DayOfWeekIndex>First</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence>",
            "12-01",
        ),
        (
            "<t:AbsoluteYearlyRecurrence><t:DayOfMonth>24</t:DayOfMonth><t:Month>December"
            "</t:Month></t:AbsoluteYearlyRecurrence>",
            "12-24",
        ),
        (
            "<t:RelativeYearlyRecurrence><t:DaysOfWeek>Tuesday</t:DaysOfWeek><t:DayOfWeekIndex>"
            "Fourth</t:DayOfWeekIndex><t:Month>November</t:Month></t:RelativeYearlyRecurrence>",
            "11-24",
        ),
    ],
)  # fmt: skip
def test_a_series_begins_where_its_pattern_says(pattern: str, expected: str) -> None:
    """A start that the pattern does not give is no occurrence: only iCalendar has it so."""
    series = series_of(f"{SPAN}<t:Recurrence>{pattern}{NO_END}</t:Recurrence>{BERLIN}")
    first, *_ = expand_all(series.master)
    assert expected == f"{first.start:%m-%d}"


def test_whole_days_begin_where_their_pattern_says() -> None:
    days = "<t:Start>2026-11-23T23:00:00Z</t:Start><t:End>2026-11-24T23:00:00Z</t:End>"
    weekly = "<t:WeeklyRecurrence><t:DaysOfWeek>{}</t:DaysOfWeek></t:WeeklyRecurrence>".format
    content = f"{days}<t:IsAllDayEvent>true</t:IsAllDayEvent><t:Recurrence>{{}}{NO_END}"
    tuesdays, mondays = (
        series_of(f"{content.format(weekly(day))}</t:Recurrence>{BERLIN}").master.recurrence
        for day in ("Tuesday", "Monday")
    )
    assert ("RRULE:FREQ=WEEKLY;BYDAY=TU;WKST=SU",) == tuesdays
    assert "EXDATE;VALUE=DATE:20261124" in mondays


def expand_all(master: RemoteEvent) -> list[Any]:
    assert master.start is not None and master.end is not None
    expansion = expand(
        start=master.start,
        end=master.end,
        all_day=master.all_day,
        recurrence=master.recurrence,
        window=Window(at(2026, 11, 1), at(2027, 12, 1)),
    )
    assert expansion.problem is None
    return expansion.occurrences


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "<t:DailyRecurrence><t:Interval>0</t:Interval></t:DailyRecurrence>",
        "<t:DailyRecurrence><t:Interval>many</t:Interval></t:DailyRecurrence>",
        "<t:WeeklyRecurrence><t:DaysOfWeek>Someday</t:DaysOfWeek></t:WeeklyRecurrence>",
        "<t:WeeklyRecurrence/>",
        "<t:AbsoluteYearlyRecurrence><t:DayOfMonth>1</t:DayOfMonth><t:Month>Brumaire</t:Month>"
        "</t:AbsoluteYearlyRecurrence>",
        "<t:DailyRegeneration><t:Interval>1</t:Interval></t:DailyRegeneration>",
        "<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>"
        "<t:EndDateRecurrence><t:EndDate>never</t:EndDate></t:EndDateRecurrence>",
    ],
)
def test_a_pattern_that_makes_no_sense_is_refused(pattern: str) -> None:
    with pytest.raises((ValueError, LookupError)):
        series_of(f"{SPAN}<t:Recurrence>{pattern}</t:Recurrence>")
    with pytest.raises(ValueError):
        series_of(SPAN)


WEEKLY = (
    "<t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval>"
    "<t:DaysOfWeek>Tuesday</t:DaysOfWeek></t:WeeklyRecurrence>"
    f"{NO_END}</t:Recurrence><t:ModifiedOccurrences><t:Occurrence>"
    '<t:ItemId Id="AAMkX" ChangeKey="DwX"/><t:Start>2026-12-01T15:00:00Z</t:Start>'
    "<t:End>2026-12-01T16:00:00Z</t:End><t:OriginalStart>2026-12-01T13:00:00Z</t:OriginalStart>"
    "</t:Occurrence></t:ModifiedOccurrences><t:DeletedOccurrences><t:DeletedOccurrence>"
    "<t:Start>2026-12-08T13:00:00Z</t:Start></t:DeletedOccurrence></t:DeletedOccurrences>"
)


def test_a_series_with_exceptions() -> None:
    series = series_of(f"<t:Subject>Weekly</t:Subject>{SPAN}{WEEKLY}{BERLIN}")
    (place,) = series.exceptions
    moved = read_exception(
        element_of(
            "<t:Subject>Later</t:Subject><t:Start>2026-12-01T15:00:00Z</t:Start>"
            "<t:End>2026-12-01T16:00:00Z</t:End>",
            remote_id="AAMkX",
            change_key="DwX",
        ),
        place,
        series,
    )
    known = stand_in(place, series)

    assert "EXDATE:20261208T130000Z" == series.master.recurrence[1]
    assert "AAMkX" == place.item_id
    for event, name in ((moved, "Later"), (known, "Weekly")):
        assert "AAMkM#20261201T130000Z" == event.remote_id
        assert "AAMkM" == event.series_id
        assert Moment(at(2026, 12, 1, 13), "Europe/Berlin") == event.original_start
        assert Moment(at(2026, 12, 1, 15), "Europe/Berlin") == event.start
        assert name == event.content.summary
    assert moved.etag != series.master.etag


def test_a_series_of_days() -> None:
    span = (
        "<t:Start>2026-11-23T23:00:00Z</t:Start><t:End>2026-11-24T23:00:00Z</t:End>"
        "<t:IsAllDayEvent>true</t:IsAllDayEvent>"
    )
    deleted = WEEKLY.replace("12-08T13", "12-07T23").replace("12-01T13", "11-30T23")
    series = series_of(f"{span}{deleted}{BERLIN}")

    assert "EXDATE;VALUE=DATE:20261208" == series.master.recurrence[1]
    assert "AAMkM#20261201" == stand_in(series.exceptions[0], series).remote_id
    starts = [one.start.date() for one in expand_all(series.master)[:3]]
    assert [date(2026, 11, 24), date(2026, 12, 1), date(2026, 12, 15)] == starts


def test_times_without_an_offset_are_in_the_items_zone() -> None:
    assert at(2026, 11, 24, 12) == read_instant("2026-11-24T13:00:00", "Europe/Berlin")
    assert at(2026, 11, 24, 13) == read_instant(" 2026-11-24T13:00:00.0000000Z ")
    for text in (None, "", "0001-01-01T00:00:00+14:00", "tomorrow"):
        with pytest.raises(ValueError):
            read_instant(text)
    with pytest.raises(ValueError):
        read_date("2026-13-01")


def test_elements_of_other_namespaces_are_passed_over() -> None:
    found = element_of(SPAN)
    etree.SubElement(found, "{other}Start").text = "2020-01-01T00:00:00Z"
    etree.SubElement(found, f"{T}NewThing").append(etree.Comment("x"))
    event = read_item(found, "AAMk1")
    assert isinstance(event, RemoteEvent) and event.start is not None
    assert at(2026, 11, 24, 13) == event.start.at
    assert timedelta(hours=1) == (event.end.at if event.end else at(1, 1, 1)) - event.start.at


WORDS = st.text(max_size=12) | st.sampled_from(
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "2026-11-24T13:00:00", "-1", "true", "99"]
    + ["W. Europe Standard Time", "-PT99H", "PT0H", "Last", "Monday Day", "February", "2026-11-24"]
)


@given(words=st.lists(WORDS, min_size=24, max_size=24), kind=st.sampled_from(sorted(PATTERNS)))
def test_whatever_a_server_says_an_item_is_read_or_refused(words: list[str], kind: str) -> None:
    left = iter([escape(_legal(word)) for word in words])
    content = (
        f"<t:Start>{next(left)}</t:Start><t:End>{next(left)}</t:End>"
        f"<t:IsAllDayEvent>{next(left)}</t:IsAllDayEvent><t:Recurrence>"
        + re.sub(">[^<>]+<", lambda _: f">{next(left)}<", kind)
        + f"<t:EndDateRecurrence><t:EndDate>{next(left)}</t:EndDate></t:EndDateRecurrence>"
        f"</t:Recurrence><t:DeletedOccurrences><t:DeletedOccurrence><t:Start>{next(left)}</t:Start>"
        "</t:DeletedOccurrence></t:DeletedOccurrences><t:ModifiedOccurrences><t:Occurrence>"
        f"<t:Start>{next(left)}</t:Start><t:End>{next(left)}</t:End>"
        f"<t:OriginalStart>{next(left)}</t:OriginalStart></t:Occurrence></t:ModifiedOccurrences>"
        f"<t:MeetingTimeZone><t:BaseOffset>{next(left)}</t:BaseOffset>"
        f"<t:Standard><t:Offset>{next(left)}</t:Offset></t:Standard>"
        f"<t:Daylight><t:Offset>{next(left)}</t:Offset></t:Daylight></t:MeetingTimeZone>"
    )
    for type_ in ("Single", "RecurringMaster"):
        item_type = f"<t:CalendarItemType>{type_}</t:CalendarItemType>"
        try:
            read = read_item(element_of(content + item_type), "AAMk1")
        except (ValueError, LookupError, OverflowError):
            continue
        event = read.master if isinstance(read, Series) else read
        assert event.remote_id == "AAMk1"
        assert event.start is not None


def _legal(text: str) -> str:
    return "".join(c for c in text if c in "\t\n" or " " <= c < "\ud800")
