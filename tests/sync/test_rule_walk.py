"""Old, endless and huge rules are walked quickly, or cut at a limit that is reported."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from broker.domain import Moment, Window, window_at
from broker.sync.expand import expand
from tests.cost import counted
from tests.sync.series import HOUR, YEAR, between, days, numbers, timed, utc

# Limits


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
    expansion, calls = counted(lambda: timed(start, f"RRULE:{rule}", tzid="UTC"))

    assert (expected, None) == (len(expansion.occurrences), expansion.problem)
    assert calls < 300_000


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
    rules = [f"RRULE:{rule}"] * 10

    expansion, calls = counted(lambda: timed("0001-01-01 09:00", *rules, tzid="UTC"))

    assert ([], "rule_too_long") == (expansion.occurrences, expansion.problem)
    assert calls < 1_500_000


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


def test_ordinary_rules_take_few_steps_for_each_occurrence() -> None:
    """How many a second that is, `make bench` says."""
    window = window_at(utc("2026-11-21 10:00"))
    rules = ("RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR")

    expansions, calls = counted(
        lambda: [timed("2026-01-05 09:00", rules[n % 2], window=window) for n in range(100)]
    )

    total = sum(len(expansion.occurrences) for expansion in expansions)
    assert total > 20_000
    assert calls <= 25 * total
