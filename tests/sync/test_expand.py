"""A series becomes the occurrences that its owner sees in their calendar."""

from __future__ import annotations

import pytest

from broker.domain import Moment, Window
from broker.sync.expand import Expansion, Occurrence, expand
from tests.sync.series import BERLIN, DAY, HOUR, YEAR, all_day, between, days, numbers, timed, utc

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


# Rules that are refused


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
