"""Random series have the occurrences that an independent implementation finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from broker.domain import Window, midnight_utc
from tests.sync.series import DAY, HOUR, ZONES, all_day, timed

WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


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
        rule.append(f"COUNT={draw(st.sampled_from([200, 60, 20, 5, 1]))}")
    return "RRULE:" + ";".join(rule)


dates = st.dates(date(2019, 1, 1), date(2026, 12, 31))


@st.composite
def windows(draw: st.DrawFn) -> Callable[[date], Window]:
    """A window near the series that it is asked for, more often than not after its start."""
    after = draw(st.sampled_from([0, -9, 10, 60, 150, 2000])) + draw(st.integers(0, 30))
    length = draw(st.sampled_from([243, 120, 31, 7, 1]))

    def window(on: date) -> Window:
        begin = midnight_utc(on) + after * DAY
        return Window(begin, begin + length * DAY)

    return window


def oracle(begin: str, end: str, lines: list[str], low: datetime, high: datetime) -> set[datetime]:
    """The starts that recurring_ical_events finds, dates as midnight UTC."""
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//", "BEGIN:VEVENT", "UID:1"]
    text = "\r\n".join([*head, begin, end, *lines, "END:VEVENT", "END:VCALENDAR", ""])
    with pytest.MonkeyPatch.context() as patch:
        # A rule that never occurs is tried until the last of all years: here, soon after *high*.
        patch.setattr("datetime.MAXYEAR", high.year + 1)
        found = recurring_ical_events.of(icalendar.Calendar.from_ical(text)).between(low, high)
    starts = [event["DTSTART"].dt for event in found]
    return {at.astimezone(UTC) if isinstance(at, datetime) else midnight_utc(at) for at in starts}


ORACLE = settings(max_examples=180)


def test_timed_series_agree_with_an_independent_implementation() -> None:
    """The other side also excludes what has the EXDATE's wall time in UTC: only one time a day."""
    seen = Counter[str]()

    @ORACLE
    @given(
        rules(),
        dates,
        st.integers(0, 95),
        st.sampled_from(ZONES),
        windows(),
        st.sets(st.integers(0, 40), max_size=4),
        st.sampled_from([-1, 900, 200, 60, 1]),
    )
    def agree(
        rule: str,
        on: date,
        quarter: int,
        tzid: str,
        near: Callable[[date], Window],
        excluded: set[int],
        until: int,
    ) -> None:
        assume(not excluded or "BYHOUR" not in rule)
        zone, window = ZoneInfo(tzid), near(on)
        wall = datetime(on.year, on.month, on.day) + quarter * timedelta(minutes=15)
        at = wall.replace(tzinfo=zone).astimezone(UTC)
        assume(at.astimezone(zone).replace(tzinfo=None, fold=0) == wall)
        if until >= 0 and "COUNT" not in rule:
            rule += f";UNTIL={at + until * DAY:%Y%m%dT%H%M%SZ}"
        lines = [rule, *[f"EXDATE;TZID={tzid}:{wall + n * DAY:%Y%m%dT%H%M%S}" for n in excluded]]

        ours = timed(wall.isoformat(), *lines, tzid=tzid, window=window)

        begin, end = (f"{x:%Y%m%dT%H%M%S}" for x in (wall, at.astimezone(zone) + HOUR))
        names = (f"DTSTART;TZID={tzid}:{begin}", f"DTEND;TZID={tzid}:{end}")
        theirs = oracle(*names, lines, window.start, window.end)
        assert theirs == {one.start for one in ours.occurrences}
        offsets = {at.astimezone(zone).utcoffset() for at in theirs}
        seen.update(occurring=bool(theirs), across_a_change=len(offsets) > 1)

    agree()

    # A comparison of nothing with nothing would be no comparison.
    assert seen["occurring"] >= 80 and seen["across_a_change"] >= 40, seen


def test_all_day_series_agree_with_an_independent_implementation() -> None:
    seen = Counter[str]()

    @ORACLE
    @given(
        rules(),
        dates,
        st.integers(1, 10),
        windows(),
        st.sets(st.integers(0, 40), max_size=4),
        st.sampled_from([-1, 900, 200, 60, 1]),
    )
    def agree(
        rule: str,
        on: date,
        length: int,
        near: Callable[[date], Window],
        excluded: set[int],
        until: int,
    ) -> None:
        assume("BYHOUR" not in rule)
        window = near(on)
        if until >= 0 and "COUNT" not in rule:
            rule += f";UNTIL={on + until * DAY:%Y%m%d}"
        lines = [rule, *[f"EXDATE;VALUE=DATE:{on + n * DAY:%Y%m%d}" for n in excluded]]

        ours = all_day(on.isoformat(), *lines, days=length, window=window)

        names = (f"DTSTART;VALUE=DATE:{on:%Y%m%d}", f"DTEND;VALUE=DATE:{on + length * DAY:%Y%m%d}")
        theirs = oracle(*names, lines, window.start - DAY, window.end + DAY)
        assert theirs == {one.start for one in ours.occurrences}
        seen.update(occurring=bool(theirs))

    agree()

    assert seen["occurring"] >= 80, seen
