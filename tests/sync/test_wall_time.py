"""A series keeps its owner's wall time when the offset from UTC changes."""

from __future__ import annotations

import pytest

from broker.domain import Moment
from broker.sync.expand import expand
from tests.sync.series import BERLIN, DAY, HOUR, YEAR, all_day, local, timed, utc


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
