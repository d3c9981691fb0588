"""On both sides of every change of clocks, series are where an independent implementation is."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sync.edges import CHANGING, EDGES, Edge, edges
from tests.sync.series import DAY, HOUR, timed
from tests.sync.test_expand_agreement import oracle

QUARTER = timedelta(minutes=15)
RULES = [
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=2",
    "FREQ=DAILY;COUNT=9",
    "FREQ=DAILY;BYHOUR=0,1,2,3,4",
    "FREQ=DAILY;BYMINUTE=0,30",
    "FREQ=HOURLY;BYHOUR=0,1,2,3",
    "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU",
    "FREQ=WEEKLY;BYDAY=SA,SU;WKST=SU",
    "FREQ=MONTHLY;BYDAY=-1SU,2SU,1SU,1SA,-1SA,-1MO",
    "FREQ=YEARLY;BYMONTH=2,3,4,9,10,11;BYDAY=SA,SU,MO",
]


def both_sides(edge: Edge, starts: set[datetime]) -> bool:
    """Tell whether there is something before the change, and something from it on."""
    return bool(starts) and min(starts) < edge.at <= max(starts)


def is_real(wall: datetime, zone: ZoneInfo) -> bool:
    """Tell whether clocks show *wall*: a start that they skip has no one right place."""
    return wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall


def utc_wall(wall: datetime, zone: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)


@pytest.mark.parametrize("tzid", CHANGING[:5])
@pytest.mark.parametrize("rule", RULES[:6])
def test_every_half_hour_around_a_change(tzid: str, rule: str) -> None:
    """From three hours before it to three hours after, by what clocks show."""
    zone, seen = ZoneInfo(tzid), Counter[bool]()
    for edge in edges(tzid)[-2:]:
        for quarter in range(-12, 13, 2):
            wall = edge.wall - 3 * DAY + quarter * QUARTER
            if not is_real(wall, zone):
                continue
            window = edge.window()
            ours = timed(wall.isoformat(), f"RRULE:{rule}", tzid=tzid, window=window)
            begin, end = (f"{at:%Y%m%dT%H%M%S}" for at in (wall, wall + HOUR))
            names = (f"DTSTART;TZID={tzid}:{begin}", f"DTEND;TZID={tzid}:{end}")
            theirs = oracle(*names, [f"RRULE:{rule}"], window.start, window.end)
            assert {one.start for one in ours.occurrences} == theirs, (edge, wall)
            seen[both_sides(edge, theirs)] += 1

    assert seen[True] >= seen[False] and seen[True]


@settings(max_examples=250)
@given(
    st.sampled_from(EDGES),
    st.sampled_from(RULES),
    st.integers(0, 9),
    st.integers(-16, 16),
    st.sets(st.integers(-3, 3), max_size=3),
    st.sets(st.tuples(st.integers(-3, 3), st.integers(-8, 8)), max_size=3),
    st.one_of(st.none(), st.integers(-4, 4)),
)
def test_exceptions_and_additions_around_a_change(
    edge: Edge,
    rule: str,
    before: int,
    quarter: int,
    excluded: set[int],
    added: set[tuple[int, int]],
    until: int | None,
) -> None:
    """Excluded and added in wall time, days and quarters of an hour from the change."""
    zone = ZoneInfo(edge.tzid)
    wall = edge.wall - before * DAY + quarter * QUARTER
    if not is_real(wall, zone) or excluded and "BY" in rule:
        return
    if until is not None and "COUNT" not in rule and until + before > 0:
        # Inclusive, and just when there is one.
        rule += f";UNTIL={utc_wall(wall + (before + until) * DAY, zone):%Y%m%dT%H%M%SZ}"
    lines = [f"RRULE:{rule}"]
    holes = sorted(wall + (before + n) * DAY for n in excluded)
    more = sorted(edge.wall + n * DAY + q * QUARTER for n, q in added)
    # The other side also excludes what has the wall time of an EXDATE in UTC.
    more = [at for at in more if is_real(at, zone) and utc_wall(at, zone) not in holes]
    for name, walls in (("EXDATE", holes), ("RDATE", more)):
        if walls:
            lines.append(
                f"{name};TZID={edge.tzid}:{','.join(f'{at:%Y%m%dT%H%M%S}' for at in walls)}"
            )
    window = edge.window(6)

    ours = timed(wall.isoformat(), *lines, tzid=edge.tzid, window=window)

    begin, end = (f"{at:%Y%m%dT%H%M%S}" for at in (wall, wall + HOUR))
    names = (f"DTSTART;TZID={edge.tzid}:{begin}", f"DTEND;TZID={edge.tzid}:{end}")
    theirs = oracle(*names, lines, window.start, window.end)
    assert {one.start for one in ours.occurrences} == theirs
