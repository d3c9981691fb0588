"""RRULE, RDATE and EXDATE lines mean what RFC 5545 says, however clients write them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from broker.sync.expand import Occurrence
from tests.sync.series import HOUR, all_day, between, days, local, timed, utc

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
