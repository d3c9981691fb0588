"""A series becomes the occurrences that its owner sees in their calendar."""

from __future__ import annotations

import time as stopwatch
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from broker.domain import Moment, Window, midnight_utc, window_at
from broker.sync.expand import Expansion, Occurrence, expand

BERLIN = "Europe/Berlin"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
YEAR = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def timed(
    start: str,
    *lines: str,
    tzid: str | None = BERLIN,
    length: timedelta = HOUR,
    window: Window = YEAR,
    replaced: tuple[datetime, ...] = (),
) -> Expansion:
    """Expand a timed series that starts at the local time *start*."""
    wall = datetime.fromisoformat(start)
    at = wall.replace(tzinfo=ZoneInfo(tzid or "UTC")).astimezone(UTC)
    return expand(
        start=Moment(at, tzid),
        end=Moment(at + length, tzid),
        all_day=False,
        recurrence=lines,
        window=window,
        replaced=replaced,
    )


def all_day(start: str, *lines: str, days: int = 1, window: Window = YEAR) -> Expansion:
    """Expand an all-day series that starts on the date *start*."""
    at = midnight_utc(date.fromisoformat(start))
    end = Moment(at + days * DAY)
    return expand(start=Moment(at), end=end, all_day=True, recurrence=lines, window=window)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def between(start: str, end: str) -> Window:
    return Window(utc(start), utc(end))


def local(expansion: Expansion, tzid: str = BERLIN) -> list[str]:
    """The starts on the owner's clock, with the offset from UTC."""
    zone = ZoneInfo(tzid)
    return [one.start.astimezone(zone).strftime("%m-%d %H:%M %z") for one in expansion.occurrences]


def numbers(count: int) -> str:
    return ",".join(map(str, range(count)))


def days(expansion: Expansion, tzid: str = BERLIN) -> list[str]:
    """The local dates, month and day."""
    zone = ZoneInfo(tzid)
    return [one.start.astimezone(zone).strftime("%m-%d") for one in expansion.occurrences]


# What a rule means


@pytest.mark.parametrize(
    ("start", "rule", "expected"),
    [
        pytest.param("2026-01-30", "FREQ=DAILY;COUNT=3", "01-30 01-31 02-01", id="daily"),
        pytest.param("2026-01-01", "FREQ=DAILY;INTERVAL=10;COUNT=3", "01-01 01-11 01-21"),
        pytest.param("2026-01-05", "FREQ=WEEKLY;COUNT=2;BYDAY=MO,WE", "01-05 01-07"),
        pytest.param("2026-01-05", "FREQ=WEEKLY;INTERVAL=3;COUNT=3", "01-05 01-26 02-16"),
        pytest.param("2026-01-31", "FREQ=MONTHLY;COUNT=4", "01-31 03-31 05-31 07-31"),
        pytest.param("2026-01-30", "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3", "01-30 01-31 02-28 03-31"),
        pytest.param("2026-01-30", "FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", "01-30 02-27 03-27"),
        pytest.param("2026-01-12", "FREQ=MONTHLY;BYDAY=2MO;COUNT=3", "01-12 02-09 03-09"),
        pytest.param(
            "2026-01-13", "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "01-13 02-13 03-13 11-13"
        ),
        pytest.param("2026-01-13", "FREQ=YEARLY;COUNT=1", "01-13"),
        pytest.param("2026-03-10", "FREQ=YEARLY;BYMONTH=3,9;COUNT=2", "03-10 09-10"),
        pytest.param("2026-01-15", "FREQ=YEARLY;BYMONTHDAY=15;COUNT=3", "01-15 02-15 03-15"),
        pytest.param("2026-01-01", "FREQ=YEARLY;BYYEARDAY=1,100,-1", "01-01 04-10 12-31"),
        pytest.param("2026-01-01", "FREQ=YEARLY;BYDAY=20MO", "01-01 05-18"),
        pytest.param("2026-05-11", "FREQ=YEARLY;BYWEEKNO=20,30;BYDAY=MO", "05-11 07-20"),
        pytest.param("2026-03-29", "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU", "03-29 10-25"),
    ],
)
def test_rule_gives_the_dates_of_the_standard(start: str, rule: str, expected: str) -> None:
    expansion = timed(f"{start} 09:00", f"RRULE:{rule}")

    assert expected.split() == days(expansion)
    assert expansion.problem is None


def test_last_working_day_of_the_month_is_set_position_minus_one() -> None:
    rule = "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=4"

    assert ["01-30", "02-27", "03-31", "04-30"] == days(timed("2026-01-30 09:00", rule))


def test_set_position_counts_from_the_week_start_even_in_the_first_week() -> None:
    rule = "RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2;COUNT=2"

    assert ["01-09", "01-14", "01-21"] == days(timed("2026-01-09 09:00", rule))


@pytest.mark.parametrize(
    ("week_start", "expected"),
    [("MO", ["01-06", "01-11", "01-20", "01-25"]), ("SU", ["01-06", "01-18", "01-20", "02-01"])],
)
def test_week_start_decides_which_weeks_an_interval_skips(
    week_start: str, expected: list[str]
) -> None:
    rule = f"RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST={week_start}"

    assert expected == days(timed("2026-01-06 09:00", rule))


def test_leap_day_birthday_comes_in_leap_years_only() -> None:
    window = between("2024-01-01", "2033-01-01")

    expansion = all_day("2024-02-29", "RRULE:FREQ=YEARLY", window=window)

    years = [one.start.year for one in expansion.occurrences]
    assert [2024, 2028, 2032] == years


def test_plain_weekday_beside_an_ordinal_one_adds_to_it() -> None:
    rule = "RRULE:FREQ=MONTHLY;BYDAY=MO,1FR;COUNT=6"

    expected = ["01-02", "01-05", "01-12", "01-19", "01-26", "02-02"]
    assert expected == days(timed("2026-01-02 09:00", rule))


def test_week_number_alone_keeps_the_weekday_of_the_start() -> None:
    assert ["05-12", "07-21"] == days(timed("2026-05-12 09:00", "RRULE:FREQ=YEARLY;BYWEEKNO=20,30"))


def test_several_rules_add_up_without_doubles() -> None:
    rules = ("RRULE:FREQ=WEEKLY;COUNT=2", "RRULE:FREQ=DAILY;COUNT=2")

    assert ["01-05", "01-06", "01-12"] == days(timed("2026-01-05 09:00", *rules))


def test_hours_of_a_day_may_be_listed() -> None:
    expected = ["01-05 09:00 +0100", "01-05 13:30 +0100", "01-06 09:30 +0100"]
    daily = timed("2026-01-05 09:00", "RRULE:FREQ=DAILY;BYHOUR=9,13;BYMINUTE=30;COUNT=3")
    hourly = timed("2026-01-05 09:00", "RRULE:FREQ=HOURLY;BYHOUR=9,13;BYMINUTE=30;COUNT=3")

    assert [expected[0], "01-05 09:30 +0100", *expected[1:]] == local(daily)
    assert local(daily) == local(hourly)


def test_leap_second_is_the_second_before() -> None:
    expansion = timed("2026-01-05 09:00", "RRULE:FREQ=DAILY;BYSECOND=60;COUNT=1")

    assert [0, 59] == [one.start.second for one in expansion.occurrences]


def test_all_day_rule_ignores_times_of_day() -> None:
    expansion = all_day("2026-01-05", "RRULE:FREQ=DAILY;BYHOUR=9,13;COUNT=2")

    assert ["01-05", "01-06"] == days(expansion, "UTC")


def test_unknown_parts_case_spaces_and_a_last_semicolon_do_no_harm() -> None:
    rule = " rrule : freq=weekly; byday=mo, we;X-NAME=1;count=3; "

    assert ["01-05", "01-07", "01-12"] == days(timed("2026-01-05 09:00", rule))


def test_lines_that_are_not_ours_are_ignored() -> None:
    lines = ("EXRULE:FREQ=DAILY", "X-OTHER:1", "", ":", "nonsense", "RRULE:FREQ=DAILY;COUNT=2")

    expansion = timed("2026-01-05 09:00", *lines)

    assert ["01-05", "01-06"] == days(expansion)
    assert expansion.problem is None


# The first occurrence


def test_start_occurs_although_the_rule_does_not_give_it() -> None:
    expansion = timed("2026-01-06 09:00", "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=2")

    assert ["01-06", "01-12", "01-19"] == days(expansion)


def test_start_that_is_excluded_does_not_occur() -> None:
    lines = ("RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=1", "EXDATE;TZID=Europe/Berlin:20260106T090000")

    assert ["01-12"] == days(timed("2026-01-06 09:00", *lines))


def test_series_without_rule_is_its_start() -> None:
    at = utc("2026-01-06 08:00")

    assert Expansion([Occurrence(at, at, at + HOUR)]) == timed("2026-01-06 09:00")


def test_start_in_the_repeated_hour_keeps_the_instant_it_came_with() -> None:
    """02:30 on 25 October is 00:30Z and again 01:30Z; the provider said which."""
    second = utc("2026-10-25 01:30")

    expansion = expand(
        start=Moment(second, BERLIN),
        end=Moment(second + HOUR, BERLIN),
        all_day=False,
        recurrence=["RRULE:FREQ=DAILY;COUNT=2"],
        window=YEAR,
    )

    assert [second, utc("2026-10-26 01:30")] == [one.start for one in expansion.occurrences]


# UNTIL and COUNT


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        pytest.param("20260107T080000Z", 3, id="utc, the last start itself"),
        pytest.param("20260107T075959Z", 2, id="utc, a second less"),
        pytest.param("20260107T090000", 3, id="local, the last start itself"),
        pytest.param("20260107T085959", 2, id="local, a second less"),
        pytest.param("20260107", 3, id="date, the whole last day"),
        pytest.param("20260106", 2, id="date, the day before"),
        pytest.param("20260101", 1, id="before the start"),
    ],
)
def test_until_is_inclusive_in_each_of_its_forms(until: str, expected: int) -> None:
    expansion = timed("2026-01-05 09:00", f"RRULE:FREQ=DAILY;UNTIL={until}")

    assert expected == len(expansion.occurrences)
    assert expansion.problem is None


def test_date_until_means_the_owners_day_not_the_utc_day() -> None:
    """20:00 in New York is the next day in UTC."""
    expansion = timed(
        "2026-01-05 20:00", "RRULE:FREQ=DAILY;UNTIL=20260107", tzid="America/New_York"
    )

    assert ["01-05", "01-06", "01-07"] == days(expansion, "America/New_York")


def test_utc_until_is_an_instant_on_either_side_of_a_time_change() -> None:
    rule = "RRULE:FREQ=DAILY;UNTIL=20260330T070000Z"

    assert ["03-28", "03-29", "03-30"] == days(timed("2026-03-28 09:00", rule))
    assert ["03-28", "03-29"] == days(timed("2026-03-28 09:01", rule))


@pytest.mark.parametrize("until", ["20260107", "20260107T000000", "20260107T235959Z"])
def test_until_of_an_all_day_series_is_read_as_a_date(until: str) -> None:
    expansion = all_day("2026-01-05", f"RRULE:FREQ=DAILY;UNTIL={until}")

    assert ["01-05", "01-06", "01-07"] == days(expansion, "UTC")


def test_count_counts_what_is_excluded_or_replaced_too() -> None:
    lines = ("RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20260106T080000Z")

    expansion = timed("2026-01-05 09:00", *lines, replaced=(utc("2026-01-07 08:00"),))

    assert ["01-05", "01-08"] == days(expansion)


def test_count_counts_from_the_start_not_from_the_window() -> None:
    rule = "RRULE:FREQ=DAILY;COUNT=10"

    assert ["01-01", "01-02", "01-03"] == days(timed("2025-12-25 09:00", rule))


def test_count_and_until_together_end_at_the_nearer() -> None:
    rule = "RRULE:FREQ=DAILY;COUNT={};UNTIL=20260107T080000Z"

    assert 2 == len(timed("2026-01-05 09:00", rule.format(2)).occurrences)
    assert 3 == len(timed("2026-01-05 09:00", rule.format(9)).occurrences)


# Time changes


@pytest.mark.parametrize(
    ("tzid", "start", "expected"),
    [
        (BERLIN, "2026-03-28 09:00", "03-28 09:00 +0100|03-29 09:00 +0200"),
        (BERLIN, "2026-10-24 09:00", "10-24 09:00 +0200|10-25 09:00 +0100"),
        ("America/New_York", "2026-03-07 23:00", "03-07 23:00 -0500|03-08 23:00 -0400"),
        ("America/New_York", "2026-10-31 00:30", "10-31 00:30 -0400|11-01 00:30 -0400"),
        ("Australia/Lord_Howe", "2026-04-04 09:00", "04-04 09:00 +1100|04-05 09:00 +1030"),
        ("Australia/Lord_Howe", "2026-10-03 09:00", "10-03 09:00 +1030|10-04 09:00 +1100"),
        ("Asia/Kathmandu", "2026-03-28 09:00", "03-28 09:00 +0545|03-29 09:00 +0545"),
        ("Africa/Casablanca", "2026-02-14 09:00", "02-14 09:00 +0100|02-15 09:00 +0000"),
        ("Africa/Casablanca", "2026-03-21 09:00", "03-21 09:00 +0000|03-22 09:00 +0100"),
        ("Europe/Dublin", "2026-03-28 09:00", "03-28 09:00 +0000|03-29 09:00 +0100"),
        ("Europe/Dublin", "2026-10-24 09:00", "10-24 09:00 +0100|10-25 09:00 +0000"),
    ],
)
def test_wall_time_stays_when_the_offset_changes(tzid: str, start: str, expected: str) -> None:
    expansion = timed(start, "RRULE:FREQ=DAILY;COUNT=2", tzid=tzid)

    assert expected.split("|") == local(expansion, tzid)


@pytest.mark.parametrize(
    ("tzid", "start", "second"),
    [
        pytest.param(BERLIN, "2026-03-28 02:30", "2026-03-29 01:30", id="skipped in Berlin"),
        pytest.param(BERLIN, "2026-10-24 02:30", "2026-10-25 00:30", id="repeated in Berlin"),
        pytest.param("America/New_York", "2026-03-07 02:30", "2026-03-08 07:30"),
        pytest.param("America/New_York", "2026-10-31 01:30", "2026-11-01 05:30"),
        pytest.param("Australia/Lord_Howe", "2026-10-03 02:15", "2026-10-03 15:45"),
        pytest.param("Australia/Lord_Howe", "2026-04-04 01:45", "2026-04-04 14:45"),
    ],
)
def test_skipped_time_takes_the_offset_before_and_repeated_time_is_the_first(
    tzid: str, start: str, second: str
) -> None:
    expansion = timed(start, "RRULE:FREQ=DAILY;COUNT=2", tzid=tzid)

    assert utc(second) == expansion.occurrences[1].start


def test_two_wall_times_at_one_instant_are_one_occurrence() -> None:
    """In Berlin's gap 02:30 is read as 03:30."""
    rule = "RRULE:FREQ=DAILY;BYHOUR=2,3;COUNT=4"

    expected = ["03-28 02:30 +0100", "03-28 03:30 +0100", "03-29 03:30 +0200"]
    assert expected == local(timed("2026-03-28 02:30", rule))


def test_length_is_elapsed_time_when_an_occurrence_spans_a_time_change() -> None:
    lines = ("RRULE:FREQ=DAILY;COUNT=3",)

    expansion = timed("2026-03-27 23:00", *lines, length=4 * HOUR)

    assert {4 * HOUR} == {one.end - one.start for one in expansion.occurrences}


def test_all_day_length_is_in_days_and_at_least_one() -> None:
    three = all_day("2026-03-28", "RRULE:FREQ=WEEKLY;COUNT=2", days=3)
    none = all_day("2026-03-28", "RRULE:FREQ=WEEKLY;COUNT=2", days=0)

    assert {3 * DAY} == {one.end - one.start for one in three.occurrences}
    assert {DAY} == {one.end - one.start for one in none.occurrences}


def test_end_before_the_start_is_no_length() -> None:
    one = timed("2026-01-05 09:00", length=-HOUR).occurrences[0]

    assert one.start == one.end


@pytest.mark.parametrize("tzid", [None, "W. Europe Standard Time", "../../etc/passwd"])
def test_timed_series_without_a_known_zone_runs_in_utc(tzid: str | None) -> None:
    start = utc("2026-03-28 09:00")

    expansion = expand(
        start=Moment(start, tzid),
        end=Moment(start + HOUR, tzid),
        all_day=False,
        recurrence=["RRULE:FREQ=DAILY;COUNT=2"],
        window=YEAR,
    )

    assert [start, start + DAY] == [one.start for one in expansion.occurrences]


# EXDATE and RDATE


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("EXDATE;TZID=Europe/Berlin:20260106T090000", id="own zone"),
        pytest.param('EXDATE;TZID="Europe/Berlin":20260106T090000', id="quoted zone"),
        pytest.param("EXDATE:20260106T080000Z", id="utc"),
        pytest.param("EXDATE;TZID=America/New_York:20260106T030000", id="another zone"),
        pytest.param("EXDATE:20260106T090000", id="no zone"),
        pytest.param("EXDATE;TZID=W. Europe Standard Time:20260106T090000", id="windows zone"),
        pytest.param("EXDATE;TZID=GMT+01:00:20260106T090000", id="zone name with a colon"),
        pytest.param("EXDATE;VALUE=DATE:20260106", id="date"),
        pytest.param("exdate;value=date:20260106", id="lower case"),
        pytest.param("EXDATE:20260106", id="date that does not say so"),
    ],
)
def test_excluded_date_is_left_out_in_each_of_its_forms(line: str) -> None:
    expansion = timed("2026-01-05 09:00", "RRULE:FREQ=DAILY;COUNT=3", line)

    assert ["01-05", "01-07"] == days(expansion)
    assert expansion.problem is None


def test_excluded_date_means_the_owners_day() -> None:
    lines = ("RRULE:FREQ=DAILY;COUNT=3", "EXDATE;VALUE=DATE:20260106")

    expansion = timed("2026-01-05 20:00", *lines, tzid="America/New_York")

    assert ["01-05", "01-07"] == days(expansion, "America/New_York")


def test_many_values_on_many_lines_are_all_left_out() -> None:
    lines = (
        "RRULE:FREQ=DAILY;COUNT=5",
        "EXDATE:20260105T080000Z,20260106T080000Z",
        "EXDATE;TZID=Europe/Berlin:20260108T090000,",
    )

    assert ["01-07", "01-09"] == days(timed("2026-01-05 09:00", *lines))


@pytest.mark.parametrize("value", ["20260106", "20260106T000000", "20260106T000000Z"])
def test_all_day_series_reads_excluded_times_as_dates(value: str) -> None:
    expansion = all_day("2026-01-05", "RRULE:FREQ=DAILY;COUNT=3", f"EXDATE:{value}")

    assert ["01-05", "01-07"] == days(expansion, "UTC")


def test_exclusion_of_the_skipped_hour_meets_its_occurrence() -> None:
    lines = ("RRULE:FREQ=DAILY;COUNT=3", "EXDATE;TZID=Europe/Berlin:20260329T023000")

    assert ["03-28", "03-30"] == days(timed("2026-03-28 02:30", *lines))


def test_exclusion_beats_an_added_date() -> None:
    lines = ("RDATE:20260106T080000Z,20260107T080000Z", "EXDATE:20260106T080000Z")

    assert ["01-05", "01-07"] == days(timed("2026-01-05 09:00", *lines))


@pytest.mark.parametrize(
    ("line", "start", "length"),
    [
        ("RDATE:20260601T100000Z", "2026-06-01 10:00", HOUR),
        ("RDATE;TZID=Europe/Berlin:20260601T120000", "2026-06-01 10:00", HOUR),
        ("RDATE;TZID=America/New_York:20260601T060000", "2026-06-01 10:00", HOUR),
        ("RDATE;TZID=Romance Standard Time:20260601T120000", "2026-06-01 10:00", HOUR),
        ("RDATE;VALUE=DATE:20260601", "2026-06-01 07:00", HOUR),
        ("RDATE;VALUE=PERIOD:20260601T100000Z/20260601T130000Z", "2026-06-01 10:00", 3 * HOUR),
        ("RDATE;VALUE=PERIOD:20260601T100000Z/PT90M", "2026-06-01 10:00", 1.5 * HOUR),
        (
            "RDATE;VALUE=PERIOD:20260601T100000Z/P1W1DT1H1M1S",
            "2026-06-01 10:00",
            timedelta(8, 61, minutes=60),
        ),
        (
            "RDATE;TZID=Europe/Berlin;VALUE=PERIOD:20260601T120000/20260601T140000",
            "2026-06-01 10:00",
            2 * HOUR,
        ),
    ],
)
def test_added_date_occurs_in_each_of_its_forms(line: str, start: str, length: timedelta) -> None:
    added = timed("2026-01-05 09:00", line).occurrences[1]

    assert Occurrence(utc(start), utc(start), utc(start) + length) == added


def test_period_gives_its_end_to_the_occurrence_of_the_rule() -> None:
    lines = (
        "RRULE:FREQ=DAILY;COUNT=2",
        "RDATE;VALUE=PERIOD:20260106T080000Z/PT3H,20260106T080000Z",
    )

    expansion = timed("2026-01-05 09:00", *lines)

    assert [HOUR, 3 * HOUR] == [one.end - one.start for one in expansion.occurrences]


def test_all_day_dates_and_periods_are_added_by_the_day() -> None:
    lines = ("RDATE;VALUE=DATE:20260601", "RDATE:20260701/P2D,20260801T100000Z/PT1H")

    expansion = all_day("2026-01-05", *lines)

    assert ["01-05", "06-01", "07-01", "08-01"] == days(expansion, "UTC")
    assert [1, 1, 2, 1] == [(one.end - one.start).days for one in expansion.occurrences]


@pytest.mark.parametrize(
    "line",
    [
        "EXDATE:tomorrow",
        "RDATE:20260230T090000Z",
        "RDATE:20260106T080000Z/20260105T080000Z",
        "RDATE:20260106T080000Z/later",
        "RDATE:99991231T235959Z/P9W",
    ],
)
def test_unreadable_date_is_passed_over_and_reported(line: str) -> None:
    expansion = timed("2026-01-05 09:00", "RRULE:FREQ=DAILY;COUNT=2", line)

    assert ["01-05", "01-06"] == days(expansion)
    assert "rule_unreadable" == expansion.problem


# Exceptions and the window


def test_replaced_occurrences_are_left_out() -> None:
    replaced = (utc("2026-01-05 08:00"), utc("2026-01-07 08:00"), utc("2026-06-01 00:00"))

    expansion = timed("2026-01-05 09:00", "RRULE:FREQ=DAILY;COUNT=3", replaced=replaced)

    assert ["01-06"] == days(expansion)


def test_original_is_the_start_that_the_rule_gives() -> None:
    expansion = timed("2026-03-28 09:00", "RRULE:FREQ=DAILY;COUNT=2")

    assert [utc("2026-03-28 08:00"), utc("2026-03-29 07:00")] == [
        one.original for one in expansion.occurrences
    ]


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        pytest.param(between("2026-01-06 09:00", "2026-01-07 08:00"), 0, id="end and start touch"),
        pytest.param(between("2026-01-06 08:59", "2026-01-07 08:00"), 1, id="last minute"),
        pytest.param(between("2026-01-06 09:00", "2026-01-07 08:01"), 1, id="first minute"),
        pytest.param(between("2026-01-06 08:10", "2026-01-06 08:20"), 1, id="within one"),
        pytest.param(between("2020-01-01", "2026-01-05"), 0, id="before the series"),
        pytest.param(between("2026-01-06 08:30", "2026-01-06 08:00"), 0, id="upside down"),
    ],
)
def test_only_what_overlaps_the_window_comes_back(window: Window, expected: int) -> None:
    expansion = timed("2026-01-05 09:00", "RRULE:FREQ=DAILY", window=window)

    assert expected == len(expansion.occurrences)


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        ("2026-01-05 08:01", "2026-01-06 08:00", 0),
        ("2026-01-05 08:01", "2026-01-06 08:01", 1),
        ("2026-01-06 08:00", "2026-01-06 08:01", 1),
    ],
)
def test_moment_without_length_belongs_to_the_window_that_begins_with_it(
    begin: str, end: str, expected: int
) -> None:
    window = between(begin, end)
    expansion = timed("2026-01-05 09:00", "RRULE:FREQ=DAILY", length=0 * HOUR, window=window)

    assert expected == len(expansion.occurrences)


def test_all_day_series_has_a_day_of_slack_on_both_sides() -> None:
    window = between("2026-01-10", "2026-01-12")

    expansion = all_day("2026-01-01", "RRULE:FREQ=DAILY", window=window)

    assert ["01-09", "01-10", "01-11", "01-12"] == days(expansion, "UTC")


def test_long_occurrence_that_began_before_the_window_is_found() -> None:
    window = between("2026-06-20", "2026-06-21")

    expansion = timed("2020-06-01 09:00", "RRULE:FREQ=YEARLY", length=30 * DAY, window=window)

    assert [utc("2026-06-01 07:00")] == [one.start for one in expansion.occurrences]


# Rules that are refused or cut


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "FREQ",
        "FREQ=",
        "FREQ=OFTEN",
        "COUNT=3",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;INTERVAL=x",
        "FREQ=DAILY;UNTIL=",
        "FREQ=DAILY;COUNT=",
        "FREQ=DAILY;UNTIL=20261301",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=DAILY;BYMONTHDAY=0",
        "FREQ=DAILY;BYMONTH=1,,2",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=WEEKLY;BYDAY=",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=YEARLY;BYDAY=54MO",
        "FREQ=YEARLY;BYMONTH=12;BYDAY=53MO",
        "FREQ=DAILY;BYHOUR=24",
        "FREQ=DAILY;BYSETPOS=367",
        "FREQ=WEEKLY;WKST=XX",
        "FREQ=DAILY;FREQ=WEEKLY",
        "RSCALE=CHINESE;FREQ=YEARLY",
        "FREQ=DAILY;COUNT=" + 5000 * "9",
    ],
)
def test_unreadable_rule_leaves_the_first_occurrence(rule: str) -> None:
    lines = (f"RRULE:{rule}", "RRULE:FREQ=DAILY", "RDATE:20260601T100000Z")

    expansion = timed("2026-01-05 09:00", *lines)

    assert ["01-05"] == days(expansion)
    assert "rule_unreadable" == expansion.problem


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY;INTERVAL=60;COUNT=2",
        "FREQ=HOURLY",
        "FREQ=HOURLY;INTERVAL=24",
        "FREQ=SECONDLY;BYHOUR=1;BYMINUTE=1;BYSECOND=1",
        f"FREQ=DAILY;BYHOUR={numbers(24)};BYMINUTE={numbers(60)}",
    ],
)
def test_too_frequent_rule_leaves_the_first_occurrence(rule: str) -> None:
    expansion = timed("2026-01-05 09:00", f"RRULE:{rule}")

    assert ["01-05"] == days(expansion)
    assert "rule_too_frequent" == expansion.problem


def test_hourly_rule_of_an_all_day_series_is_too_frequent() -> None:
    expansion = all_day("2026-01-05", "RRULE:FREQ=HOURLY;BYHOUR=9")

    assert "rule_too_frequent" == expansion.problem


def test_first_occurrence_of_a_refused_rule_obeys_window_and_exclusions() -> None:
    refused = "RRULE:FREQ=SECONDLY"

    assert [] == timed("2025-01-05 09:00", refused).occurrences
    assert [] == timed("2026-01-05 09:00", refused, "EXDATE:20260105T080000Z").occurrences


def test_more_than_a_thousand_occurrences_are_cut_after_the_earliest() -> None:
    rule = f"RRULE:FREQ=DAILY;BYHOUR={numbers(24)}"

    expansion = timed("2026-01-05 00:00", rule, tzid="UTC")

    assert utc("2026-01-05") + 999 * HOUR == expansion.occurrences[-1].start
    assert 1_000 == len(expansion.occurrences)
    assert "rule_too_long" == expansion.problem


def test_a_thousand_occurrences_are_not_too_many() -> None:
    window = between("2026-01-01", "2030-01-01")

    expansion = timed("2026-01-05 09:00", "RRULE:FREQ=DAILY;COUNT=1000", window=window)

    assert 1_000 == len(expansion.occurrences)
    assert expansion.problem is None


def test_more_than_five_thousand_listed_dates_are_cut() -> None:
    last = "EXDATE:20260106T080000Z"
    lines = ["EXDATE:" + ",".join(["20260105T080000Z"] * 2_500)] * 2

    enough = timed("2026-01-05 09:00", "RRULE:FREQ=DAILY;COUNT=3", *lines)
    too_many = timed("2026-01-05 09:00", "RRULE:FREQ=DAILY;COUNT=3", *lines, last)

    assert (["01-06", "01-07"], None) == (days(enough), enough.problem)
    assert (["01-06", "01-07"], "rule_too_long") == (days(too_many), too_many.problem)


def test_more_than_ten_rules_are_cut() -> None:
    rules = [f"RRULE:FREQ=YEARLY;BYMONTHDAY={day};BYMONTH=2;COUNT=1" for day in range(1, 12)]

    expansion = timed("2026-01-05 09:00", *rules)

    assert 1 + 10 == len(expansion.occurrences)
    assert "rule_too_long" == expansion.problem


def test_rule_that_meets_no_hour_is_its_start() -> None:
    expansion = timed("2026-01-05 08:00", "RRULE:FREQ=HOURLY;INTERVAL=2;BYHOUR=9")

    assert (["01-05"], None) == (days(expansion), expansion.problem)


# Old and endless rules


@pytest.mark.parametrize(
    ("start", "rule", "expected"),
    [
        pytest.param("1970-01-01 09:00", "FREQ=DAILY", 365, id="daily since 1970"),
        pytest.param("0001-01-01 09:00", "FREQ=DAILY", 365, id="daily since year 1"),
        pytest.param("0001-01-01 09:00", "FREQ=WEEKLY", 52, id="weekly since year 1"),
        pytest.param("0001-01-01 09:00", "FREQ=WEEKLY;WKST=SU;BYDAY=SU;BYSETPOS=1", 52),
        pytest.param("0001-01-01 09:00", "FREQ=MONTHLY", 12, id="monthly since year 1"),
        pytest.param("0001-01-01 09:00", "FREQ=YEARLY", 1, id="yearly since year 1"),
        pytest.param("0001-01-01 09:00", "FREQ=HOURLY;BYHOUR=9", 365, id="hourly since year 1"),
        pytest.param("1970-01-01 09:00", "FREQ=DAILY;COUNT=30000", 365, id="counted since 1970"),
        pytest.param(
            "2026-01-01 09:00", "FREQ=DAILY;INTERVAL=" + 4000 * "9", 1, id="huge interval"
        ),
        *[
            pytest.param("2026-01-01 09:00", f"FREQ={freq};BYMONTH=2;BYMONTHDAY=30{end}", 1)
            for freq in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
            for end in ("", ";COUNT=5")
        ],
        pytest.param("2026-01-01 09:00", "FREQ=HOURLY;BYHOUR=9;BYMONTH=2;BYMONTHDAY=30", 1),
        pytest.param("2026-01-01 09:00", "FREQ=YEARLY;BYYEARDAY=1;BYMONTHDAY=5;BYSETPOS=1", 1),
    ],
)
def test_old_and_never_matching_rules_are_quick(start: str, rule: str, expected: int) -> None:
    began = stopwatch.process_time()

    expansion = timed(start, f"RRULE:{rule}", tzid="UTC")

    assert (expected, None) == (len(expansion.occurrences), expansion.problem)
    assert stopwatch.process_time() - began < 1.0


@pytest.mark.parametrize(
    ("rule", "old"),
    [
        ("FREQ=DAILY;INTERVAL=3", "1995-03-01"),
        ("FREQ=WEEKLY;INTERVAL=3;BYDAY=TU,SU;WKST=SU", "1995-03-01"),
        ("FREQ=MONTHLY;INTERVAL=5", "1995-03-31"),
        ("FREQ=YEARLY;INTERVAL=3", "1996-02-29"),
        ("FREQ=HOURLY;INTERVAL=5;BYHOUR=9,10,11", "1995-03-01"),
    ],
)
def test_skipping_ahead_keeps_in_step_with_the_start(rule: str, old: str) -> None:
    """COUNT makes the walk begin at the start."""
    window = between("2026-01-01", "2033-01-01") if "YEARLY" in rule else YEAR

    skipping = timed(f"{old} 09:00", f"RRULE:{rule}", window=window)
    walking = timed(f"{old} 09:00", f"RRULE:{rule};COUNT=90000", window=window)

    assert skipping == walking
    assert skipping.occurrences


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;COUNT=99999999",
        "FREQ=HOURLY;BYHOUR=9;BYMONTH=2;BYMONTHDAY=30;COUNT=2",
        f"FREQ=YEARLY;BYDAY=MO;COUNT=999999;BYSETPOS=-1,1{numbers(367)[1:]}",
    ],
)
def test_counted_walk_that_costs_too_much_is_cut(rule: str) -> None:
    began = stopwatch.process_time()

    expansion = timed("0001-01-01 09:00", *[f"RRULE:{rule}"] * 10, tzid="UTC")

    assert ([], "rule_too_long") == (expansion.occurrences, expansion.problem)
    assert stopwatch.process_time() - began < 5.0


@pytest.mark.parametrize("freq", ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
@pytest.mark.parametrize("tzid", ["Pacific/Kiritimati", "Pacific/Honolulu"])
def test_both_ends_of_the_calendar_are_survived(freq: str, tzid: str) -> None:
    ages = Window(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    for at in (ages.start, datetime(9999, 12, 20, tzinfo=UTC), ages.end):
        expansion = expand(
            start=Moment(at, tzid),
            end=Moment(ages.end, tzid),
            all_day=False,
            recurrence=[f"RRULE:FREQ={freq}", "EXDATE:00010101T000000,99991231T235959"],
            window=ages,
        )

        assert all(one.start <= one.end for one in expansion.occurrences)


def test_ordinary_rules_are_expanded_at_speed() -> None:
    """The target is 100,000 a second; the bound leaves room for a busy machine."""
    window = window_at(utc("2026-11-21 10:00"))
    rules = ("RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR")
    began = stopwatch.process_time()

    expansions = [timed("2026-01-05 09:00", rules[n % 2], window=window) for n in range(100)]

    total = sum(len(expansion.occurrences) for expansion in expansions)

    assert total / (stopwatch.process_time() - began) > 20_000


# Against an independent implementation

WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
ZONES = [
    BERLIN,
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Europe/Dublin",
    "UTC",
]


def some(values: list[str], most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True).map(",".join)


@st.composite
def rules(draw: st.DrawFn) -> str:
    """An RRULE without UNTIL that both sides understand alike."""
    months = some([str(n) for n in range(1, 13)])
    month_days = some([str(n) for n in (1, 2, 13, 28, 29, 30, 31, -1, -2, -31)])
    ordinals = some([f"{n}{day}" for n in (1, 2, 4, 5, -1, -2) for day in WEEKDAYS])
    parts: dict[str, list[tuple[str, st.SearchStrategy[str]]]] = {
        "DAILY": [
            ("BYMONTH", months),
            ("BYDAY", some(WEEKDAYS)),
            ("BYHOUR", some(["1", "2", "3", "9"])),
        ],
        "WEEKLY": [("BYDAY", some(WEEKDAYS, 7)), ("BYMONTH", months)],
        "MONTHLY": [("BYDAY", ordinals), ("BYMONTHDAY", month_days), ("BYMONTH", months)],
        "YEARLY": [("BYMONTH", months), ("BYMONTHDAY", month_days), ("BYDAY", ordinals)],
    }
    freq = draw(st.sampled_from([*parts]))
    chosen = draw(
        st.lists(st.sampled_from(parts[freq]), unique_by=lambda part: part[0], max_size=2)
    )
    rule = [f"FREQ={freq}", *[f"{name}={draw(values)}" for name, values in chosen]]
    if draw(st.booleans()):
        rule.append(f"INTERVAL={draw(st.integers(1, 5))}")
    if freq == "WEEKLY":
        rule.append(f"WKST={draw(st.sampled_from(['MO', 'SU', 'SA']))}")
    if freq == "MONTHLY" and not chosen:
        positions = some(["1", "2", "-1", "-2"], 2)
        rule.append(f"BYDAY={draw(some(WEEKDAYS, 5))};BYSETPOS={draw(positions)}")
    if draw(st.booleans()):
        rule.append(f"COUNT={draw(st.integers(1, 200))}")
    return "RRULE:" + ";".join(rule)


dates = st.dates(date(2019, 1, 1), date(2026, 12, 31))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    begin = midnight_utc(draw(st.dates(date(2025, 1, 1), date(2027, 1, 1))))
    return Window(begin, begin + draw(st.integers(1, 243)) * DAY)


def oracle(begin: str, end: str, lines: list[str], low: datetime, high: datetime) -> set[datetime]:
    """The starts that recurring_ical_events finds, dates as midnight UTC."""
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//", "BEGIN:VEVENT", "UID:1"]
    text = "\r\n".join([*head, begin, end, *lines, "END:VEVENT", "END:VCALENDAR", ""])
    found = recurring_ical_events.of(icalendar.Calendar.from_ical(text)).between(low, high)
    starts = [event["DTSTART"].dt for event in found]
    return {at.astimezone(UTC) if isinstance(at, datetime) else midnight_utc(at) for at in starts}


ORACLE = settings(
    derandomize=True, max_examples=180, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@ORACLE
@given(
    rules(),
    dates,
    st.integers(0, 95),
    st.sampled_from(ZONES),
    windows(),
    st.sets(st.integers(0, 40), max_size=4),
    st.integers(-1, 900),
)
def test_timed_series_agree_with_an_independent_implementation(
    rule: str, on: date, quarter: int, tzid: str, window: Window, excluded: set[int], until: int
) -> None:
    """The other side also excludes what has the EXDATE's wall time in UTC: only one time a day."""
    assume(not excluded or "BYHOUR" not in rule)
    zone = ZoneInfo(tzid)
    wall = datetime(on.year, on.month, on.day) + quarter * timedelta(minutes=15)
    at = wall.replace(tzinfo=zone).astimezone(UTC)
    assume(at.astimezone(zone).replace(tzinfo=None, fold=0) == wall)
    if until >= 0 and "COUNT" not in rule:
        rule += f";UNTIL={at + until * DAY:%Y%m%dT%H%M%SZ}"
    lines = [rule, *[f"EXDATE;TZID={tzid}:{wall + n * DAY:%Y%m%dT%H%M%S}" for n in excluded]]

    ours = timed(wall.isoformat(), *lines, tzid=tzid, window=window)

    begin, end = (f"{x:%Y%m%dT%H%M%S}" for x in (wall, at.astimezone(zone) + HOUR))
    names = (f"DTSTART;TZID={tzid}:{begin}", f"DTEND;TZID={tzid}:{end}")
    assert oracle(*names, lines, window.start, window.end) == {
        one.start for one in ours.occurrences
    }


@ORACLE
@given(
    rules(),
    dates,
    st.integers(1, 10),
    windows(),
    st.sets(st.integers(0, 40), max_size=4),
    st.integers(-1, 900),
)
def test_all_day_series_agree_with_an_independent_implementation(
    rule: str, on: date, length: int, window: Window, excluded: set[int], until: int
) -> None:
    assume("BYHOUR" not in rule)
    if until >= 0 and "COUNT" not in rule:
        rule += f";UNTIL={on + until * DAY:%Y%m%d}"
    lines = [rule, *[f"EXDATE;VALUE=DATE:{on + n * DAY:%Y%m%d}" for n in excluded]]

    ours = all_day(on.isoformat(), *lines, days=length, window=window)

    names = (f"DTSTART;VALUE=DATE:{on:%Y%m%d}", f"DTEND;VALUE=DATE:{on + length * DAY:%Y%m%d}")
    theirs = oracle(*names, lines, window.start - DAY, window.end + DAY)
    assert theirs == {one.start for one in ours.occurrences}


# Garbage

scraps = st.sampled_from(
    [
        "RRULE",
        "RDATE",
        "EXDATE",
        "EXRULE",
        ":",
        ";",
        "=",
        ",",
        "/",
        "FREQ=",
        "DAILY",
        "HOURLY",
        "YEARLY",
        "MONTHLY",
        "WEEKLY",
        "COUNT=",
        "UNTIL=",
        "INTERVAL=",
        "BYDAY=",
        "BYHOUR=",
        "BYMONTHDAY=",
        "BYSETPOS=",
        "BYWEEKNO=",
        "BYYEARDAY=",
        "BYMONTH=",
        "WKST=",
        "MO",
        "-1FR",
        "53SU",
        "0",
        "1",
        "-1",
        "31",
        "-366",
        "99999999",
        "20260105T090000",
        "20260105",
        "00010101T000000Z",
        "99991231T235959Z",
        "Z",
        "P1D",
        "PT",
        "TZID=",
        "VALUE=",
        "Europe/Berlin",
        "Europe",
        "a.b",
        "../x",
        "\0",
        "\ud800",
        "٣",
        "é",
        " ",
        '"',
        "\n",
    ]
)
shaped = st.builds(
    "RRULE:FREQ={};{}".format,
    st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY;BYHOUR=1,5"]),
    st.lists(
        st.builds(
            "{}={}".format,
            st.sampled_from(
                [
                    "BYDAY",
                    "BYMONTHDAY",
                    "BYSETPOS",
                    "BYWEEKNO",
                    "BYYEARDAY",
                    "BYMONTH",
                    "BYMINUTE",
                    "INTERVAL",
                    "COUNT",
                    "UNTIL",
                    "WKST",
                ]
            ),
            st.sampled_from(
                [
                    "MO",
                    "1TU,-1FR",
                    "MO,2SU",
                    "53WE",
                    "1",
                    "-1",
                    "5,53",
                    "2",
                    "99",
                    "366",
                    "-31",
                    "20260601",
                    "99991231",
                ]
            ),
        ),
        max_size=4,
        unique_by=lambda part: part.split("=")[0],
    ).map(";".join),
)
garbage = st.lists(
    st.one_of(shaped, st.lists(scraps, max_size=12).map("".join), st.text()), max_size=4
)
moments = st.one_of(
    st.datetimes(timezones=st.just(UTC)),
    st.datetimes(),
    st.sampled_from([datetime.min, datetime.max]).flatmap(
        lambda end: st.sampled_from([end.replace(tzinfo=timezone(n * HOUR)) for n in (-9, 9)])
    ),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
)
tzids = st.one_of(st.none(), st.sampled_from([*ZONES, "Europe", "a.b", "\0", "\ud800"]), st.text())


@settings(
    derandomize=True, max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(
    garbage, moments, moments, tzids, st.booleans(), moments, moments, st.sets(moments, max_size=2)
)
def test_garbage_never_raises(
    lines: list[str],
    start: datetime,
    end: datetime,
    tzid: str | None,
    is_all_day: bool,
    low: datetime,
    high: datetime,
    replaced: set[datetime],
) -> None:
    expansion = expand(
        start=Moment(start, tzid),
        end=Moment(end, tzid),
        all_day=is_all_day,
        recurrence=lines,
        window=Window(low, high),
        replaced=replaced,
    )

    originals = [one.original for one in expansion.occurrences]
    assert sorted(set(originals)) == originals
    assert all(one.start == one.original <= one.end for one in expansion.occurrences)
    assert len(originals) <= 1_000
