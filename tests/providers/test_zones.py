"""Which zone a TZID means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.providers._zones import ZoneRules, read_rules, resolve, to_utc, zone_named, zone_with

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("tzid", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        (' "Europe/Berlin" ', "Europe/Berlin"),
        ("/mozilla.org/20050126_1/Europe/Berlin", "Europe/Berlin"),
        (
            "/freeassociation.sourceforge.net/Tzfile/America/Argentina/Buenos_Aires",
            "America/Argentina/Buenos_Aires",
        ),
        ("/softwarestudio.org/Olson_20011030_5/America/New_York", "America/New_York"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Pacific Standard Time", "America/Los_Angeles"),
        ("GMT+0100", "Etc/GMT-1"),
        ("GMT-05:00", "Etc/GMT+5"),
        ("+02:00", "Etc/GMT-2"),
        ("GMT+0000", "UTC"),
        ("UTC", "UTC"),
        ("(UTC)", "UTC"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("Etc/GMT-1", "Etc/GMT-1"),
        ("US/Eastern", "US/Eastern"),
        ("Customized Time Zone", None),
        ("(UTC+01:00) Amsterdam, Berlin", None),
        ("../../../etc/passwd", None),
        ("localtime", None),
        ("America", None),
        ("", None),
        ("x" * 10_000, None),
        ("Europe/Berl\u0131n", None),
        ("GMT+99", None),
    ],
)
def test_names(tzid: str, name: str | None) -> None:
    assert name == zone_named(tzid)


def test_half_hours_get_a_zone_without_summer_time() -> None:
    name = zone_named("GMT+0530")

    assert name is not None
    assert timedelta(hours=5.5) == datetime(2026, 7, 1, tzinfo=ZoneInfo(name)).utcoffset()


@pytest.mark.parametrize(
    ("rules", "preferred", "name"),
    [
        (ZoneRules(HOUR, 2 * HOUR, 3), "UTC", "Europe/Berlin"),
        (ZoneRules(HOUR, 2 * HOUR, 3), "Europe/Paris", "Europe/Paris"),
        (ZoneRules(HOUR, 2 * HOUR, 3), "America/New_York", "Europe/Berlin"),
        (ZoneRules(-5 * HOUR, -4 * HOUR, 3), "UTC", "America/New_York"),
        (ZoneRules(10 * HOUR, 11 * HOUR, 10), "UTC", "Australia/Sydney"),
        (ZoneRules(2 * HOUR, 3 * HOUR, 4), "UTC", "Africa/Cairo"),
        (ZoneRules(HOUR), "UTC", "Etc/GMT-1"),
        (ZoneRules(timedelta()), "UTC", "UTC"),
        (ZoneRules(HOUR, 2 * HOUR, 3, "Europe/Rome"), "UTC", "Europe/Rome"),
        (ZoneRules(HOUR, 2 * HOUR, 3, "Atlantis"), "UTC", "Europe/Berlin"),
        (ZoneRules(timedelta(minutes=17)), "UTC", None),
        (ZoneRules(timedelta(minutes=17), HOUR), "UTC", None),
    ],
)
def test_rules_find_a_zone_that_follows_them(
    rules: ZoneRules, preferred: str, name: str | None
) -> None:
    assert name == zone_with(rules, preferred)


def test_name_goes_before_rules_and_rules_before_the_default() -> None:
    rules = {"Mine": ZoneRules(HOUR), "Europe/Berlin": ZoneRules(9 * HOUR)}

    assert "Europe/Berlin" == resolve("Europe/Berlin", rules, "UTC")
    assert "Etc/GMT-1" == resolve("Mine", rules, "UTC")
    assert "Asia/Tokyo" == resolve("Theirs", rules, "Asia/Tokyo")


def test_reads_the_rules_in_force() -> None:
    lines = [
        "BEGIN:VTIMEZONE",
        "TZID:Mine",
        "BEGIN:STANDARD",
        "TZOFFSETTO:+0000",
        "END:STANDARD",
        "BEGIN:STANDARD",
        "TZOFFSETTO:+0100",
        "END:STANDARD",
        "BEGIN:DAYLIGHT",
        "TZOFFSETTO:+0200",
        "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
        "END:DAYLIGHT",
    ]

    assert ("Mine", ZoneRules(HOUR, 2 * HOUR, 3)) == read_rules(lines)
    assert read_rules(lines[:2]) is None
    assert read_rules(["TZID:X", "BEGIN:STANDARD", "TZOFFSETTO:often"]) is None


def observance(kind: str, begin: str, offset: str, *lines: str) -> list[str]:
    return [
        f"BEGIN:{kind}",
        f"DTSTART:{begin}T020000",
        f"TZOFFSETTO:{offset}",
        *lines,
        f"END:{kind}",
    ]


OLD = observance("STANDARD", "18930401", "+0053")
WINTER = observance("STANDARD", "19961027", "+0100", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU")
SUMMER = observance("DAYLIGHT", "19810329", "+0200", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU")
WAR = observance("DAYLIGHT", "19450524", "+0300")


@pytest.mark.parametrize(
    "parts",
    [(OLD, WAR, WINTER, SUMMER), (SUMMER, WINTER, WAR, OLD), (WINTER, OLD, SUMMER, WAR)],
)
def test_what_is_in_force_is_told_by_when_it_began(parts: tuple[list[str], ...]) -> None:
    lines = ["TZID:Mine", *(line for part in parts for line in part)]

    assert ("Mine", ZoneRules(HOUR, 2 * HOUR, 3)) == read_rules(lines)


def test_changes_that_are_listed_tell_the_hemisphere_too() -> None:
    """Some write each change on its own, without a rule."""
    lines = ["TZID:Mine"]
    for year in (2024, 2025):
        lines += observance("DAYLIGHT", f"{year}0908", "-0300")
        lines += observance("STANDARD", f"{year}0407", "-0400")

    read = read_rules(lines)

    assert read == ("Mine", ZoneRules(-4 * HOUR, -3 * HOUR, 9))
    assert "America/Santiago" == zone_with(read[1], "UTC")


@pytest.mark.parametrize(
    ("wall", "hour"),
    [((2026, 3, 29, 2, 30), 1), ((2026, 10, 25, 2, 30), 0), ((2026, 7, 1, 12, 30), 10)],
)
def test_skipped_and_repeated_times(wall: tuple[int, int, int, int, int], hour: int) -> None:
    at = to_utc(datetime(*wall), "Europe/Berlin")

    assert (hour, 30, UTC) == (at.hour, at.minute, at.tzinfo)


@pytest.mark.parametrize("wall", [datetime.min, datetime.max])
def test_ends_of_time(wall: datetime) -> None:
    for name in ("Asia/Tokyo", "America/New_York"):
        assert to_utc(wall, name).tzinfo is UTC


@given(st.text())
def test_any_text_is_a_zone_or_none(text: str) -> None:
    name = zone_named(text)
    assert name is None or ZoneInfo(name)
