"""An exception for this and all later occurrences (RFC 5545 section 3.2.13)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import msgspec
import pytest
import recurring_ical_events
from hypothesis import assume, given
from hypothesis import strategies as st

from broker.crypto import Vault
from broker.domain import Busy, Moment, RemoteEvent, Window, midnight_utc
from broker.ids import new_key
from broker.sync.occurrences import occurrences
from broker.sync.plan import Keyed
from tests.sync.series import BERLIN, DAY, HOUR, YEAR, ZONES, between
from tests.sync.test_expand_agreement import ORACLE

MASTER, WEEKLY = b"master", ("RRULE:FREQ=WEEKLY;COUNT=6",)
VAULT = Vault({"k1": new_key()}, new_key())


def at(text: str, tzid: str | None = BERLIN) -> Moment:
    """A time on the clock of *tzid*, or with None a date."""
    wall = datetime.fromisoformat(text)
    if tzid is None:
        return Moment(midnight_utc(wall.date()))
    return Moment(wall.replace(tzinfo=ZoneInfo(tzid)).astimezone(UTC), tzid)


def master(start: str, *lines: str, tzid: str | None = BERLIN, length: timedelta = HOUR) -> Keyed:
    begin = at(start, tzid)
    event = RemoteEvent(
        remote_id="m",
        etag="1",
        start=begin,
        end=Moment(begin.at + (length if tzid else DAY), tzid),
        all_day=tzid is None,
        recurrence=lines or WEEKLY,
    )
    return Keyed(MASTER, None, event)


def later(
    original: str, start: str, *, tzid: str | None = BERLIN, length: timedelta = HOUR, **more: Any
) -> Keyed:
    """An exception to a series in Berlin, for all later ones unless told otherwise."""
    begin = at(start, tzid)
    fields: dict[str, Any] = {
        "remote_id": f"m#{original}",
        "etag": "1",
        "start": begin,
        "end": Moment(begin.at + length, tzid),
        "all_day": tzid is None,
        "series_id": "m",
        "original_start": at(original),
        "this_and_future": True,
    }
    event = RemoteEvent(**fields | more)
    return Keyed(event.remote_id.encode(), MASTER, event)


def told(*family: Keyed, window: Window = YEAR, zone: str = BERLIN) -> list[str]:
    """Who describes each occurrence and when it is, on the owner's clock, in order."""
    found = sorted(occurrences(VAULT, "cal", family, window).wanted, key=lambda one: one.start_at)
    assert len({one.uid for one in found}) == len(found)
    return [
        f"{one.event_key.decode().partition('#')[0] if one.event_key == MASTER else 'x'} "
        f"{datetime.fromtimestamp(one.start_at, ZoneInfo(zone)):%m-%d %H:%M}"
        f"+{(one.end_at - one.start_at) // 60}"
        for one in found
    ]


def test_all_later_ones_move_with_the_first() -> None:
    found = told(
        master("2026-01-05 09:00"), later("2026-01-19 09:00", "2026-01-20 11:00", length=2 * HOUR)
    )

    assert found == [
        "master 01-05 09:00+60",
        "master 01-12 09:00+60",
        "x 01-20 11:00+120",
        "x 01-27 11:00+120",
        "x 02-03 11:00+120",
        "x 02-10 11:00+120",
    ]


def test_they_keep_their_place_on_the_clock_through_a_time_change() -> None:
    """Clocks in Berlin go forward on 29 March: the shift is one of the clock, not of hours."""
    family = master("2026-03-16 09:00"), later("2026-03-23 09:00", "2026-03-24 10:00")

    assert told(*family)[1:3] == ["x 03-24 10:00+60", "x 03-31 10:00+60"]
    back = told(master("2026-03-16 09:00"), later("2026-03-30 09:00", "2026-03-28 10:00"))
    assert back[2:4] == ["x 03-28 10:00+60", "x 04-04 10:00+60"]


def test_an_occurrence_in_a_skipped_hour_moves_from_where_it_was_written() -> None:
    """Half past two does not exist in Berlin on 29 March; half an hour later does."""
    found = told(master("2026-03-15 02:30"), later("2026-03-22 02:30", "2026-03-22 03:00"))

    assert found[1:4] == ["x 03-22 03:00+60", "x 03-29 03:00+60", "x 04-05 03:00+60"]


def test_the_busy_of_the_exception_holds_for_all_of_them() -> None:
    free = later("2026-01-12 09:00", "2026-01-12 09:00", busy=Busy.FREE)

    found = occurrences(VAULT, "cal", [master("2026-01-05 09:00"), free], YEAR).wanted

    assert ["busy", *5 * ["free"]] == [one.busy for one in sorted(found, key=lambda o: o.start_at)]


def test_a_later_one_that_is_an_exception_itself_stays_as_it_is() -> None:
    alone = later("2026-01-26 09:00", "2026-01-26 15:00", this_and_future=False)
    gone = later("2026-02-02 09:00", "2026-02-02 09:00", this_and_future=False, cancelled=True)
    moved = later("2026-01-19 09:00", "2026-01-19 11:00")

    found = told(master("2026-01-05 09:00"), alone, gone, moved)

    assert [one[-14:-3] for one in found] == [
        "01-05 09:00", "01-12 09:00", "01-19 11:00", "01-26 15:00", "02-09 11:00",
    ]  # fmt: skip


def test_of_several_the_latest_before_an_occurrence_counts() -> None:
    second = later("2026-02-02 09:00", "2026-02-02 07:00")
    first = later("2026-01-12 09:00", "2026-01-12 11:00")

    found = told(master("2026-01-05 09:00"), second, first)

    assert [one[-8:-3] for one in found] == ["09:00", "11:00", "11:00", "11:00", "07:00", "07:00"]


def test_the_rest_of_a_series_can_be_cancelled() -> None:
    rest = later("2026-01-19 09:00", "2026-01-19 09:00", cancelled=True)

    assert told(master("2026-01-05 09:00"), rest) == [
        "master 01-05 09:00+60",
        "master 01-12 09:00+60",
    ]


def test_what_moves_into_the_window_and_out_of_it() -> None:
    family = master("2026-01-05 09:00"), later("2026-01-12 09:00", "2026-01-22 09:00")

    assert told(*family, window=between("2026-01-28", "2026-02-06")) == [
        "x 01-22 09:00+60",
        "x 01-29 09:00+60",
        "x 02-05 09:00+60",
    ]
    assert told(*family, window=between("2026-01-10", "2026-01-20")) == ["x 01-22 09:00+60"]


def test_all_day_series_move_by_days() -> None:
    first = later(
        "2026-01-12", "2026-01-14", tzid=None, length=2 * DAY, original_start=at("2026-01-12", None)
    )

    found = told(master("2026-01-05", tzid=None), first, zone="UTC")

    assert found[:3] == ["master 01-05 00:00+1440", "x 01-14 00:00+2880", "x 01-21 00:00+2880"]


def test_a_series_may_become_all_day_or_timed() -> None:
    to_days = later("2026-03-23 09:00", "2026-03-24", tzid=None, length=DAY)
    to_times = later("2026-03-23", "2026-03-24 10:00", original_start=at("2026-03-23", None))

    days = told(master("2026-03-16 09:00"), to_days, zone="UTC")
    times = told(master("2026-03-16", tzid=None), to_times)

    assert days[1:3] == ["x 03-24 00:00+1440", "x 03-31 00:00+1440"]
    assert times[1:3] == ["x 03-24 10:00+60", "x 03-31 10:00+60"]


def test_a_listed_period_keeps_its_length() -> None:
    lines = (*WEEKLY, "RDATE;VALUE=PERIOD:20260120T080000Z/PT3H")

    found = told(master("2026-01-05 09:00", *lines), later("2026-01-12 09:00", "2026-01-12 10:00"))

    assert "x 01-20 10:00+180" in found


def test_hostile_numbers_of_them_end() -> None:
    many = [
        later(f"2026-01-{day:02} 09:00", f"2026-01-{day:02} 10:00", cancelled=day > 25)
        for day in range(2, 30)
    ]

    assert len(told(master("2026-01-01 09:00", "RRULE:FREQ=DAILY"), *many)) > 300


@pytest.mark.parametrize("far", ["0001-01-02 00:00", "9999-12-30 00:00"])
def test_absurd_moves_never_raise(far: str) -> None:
    found = told(master("2026-01-05 09:00"), later("2026-01-12 09:00", far, tzid="UTC"))

    assert found.count("master 01-05 09:00+60") == 1


def test_an_exception_without_times_changes_nothing_later() -> None:
    good = later("2026-01-12 09:00", "2026-01-12 09:00")
    empty = good._replace(event=msgspec.structs.replace(good.event, start=None, end=None))

    found = told(master("2026-01-05 09:00"), empty)

    assert ["01-05", "01-19", "01-26", "02-02", "02-09"] == [one[7:12] for one in found]


@ORACLE
@given(
    st.dates(date(2025, 11, 1), date(2026, 6, 1)),
    st.integers(0, 95),
    st.sampled_from(ZONES),
    st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY", "FREQ=DAILY;INTERVAL=3", "FREQ=MONTHLY"]),
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(-200, 200), st.integers(1, 30)),
        min_size=1,
        max_size=3,
        unique_by=lambda one: one[0],
    ),
)
def test_they_agree_with_an_independent_implementation(
    on: date, quarter: int, tzid: str, rule: str, changes: list[tuple[int, int, int]]
) -> None:
    """Each change is: of which occurrence, by how many quarters of an hour, and the new length."""
    zone = ZoneInfo(tzid)
    assume(on.day <= 28)
    wall = datetime(on.year, on.month, on.day) + quarter * timedelta(minutes=15)
    lines = [f"RRULE:{rule};COUNT=40"]
    window = between("2025-10-01", "2026-12-31")
    base = _keyed(MASTER, None, wall, HOUR, tzid, recurrence=tuple(lines))
    originals = sorted(one.start_at for one in occurrences(VAULT, "cal", [base], window).wanted)
    assume(len(originals) > 20)
    family, text = [base], [_component(wall, HOUR, tzid, *lines)]
    for index, shift, length in changes:
        original = datetime.fromtimestamp(originals[index], zone).replace(tzinfo=None, fold=0)
        start, span = original + shift * timedelta(minutes=15), length * timedelta(minutes=15)
        # What the clock skips or repeats has no one right place.
        assume(all(_exists(one, zone) for one in (original, start, start + span)))
        stamp = f"RECURRENCE-ID;RANGE=THISANDFUTURE;TZID={tzid}:{original:%Y%m%dT%H%M%S}"
        text.append(_component(start, span, tzid, stamp))
        moved = Moment(datetime.fromtimestamp(originals[index], UTC), tzid)
        key = f"x{index}".encode()
        fields = {"series_id": "m", "original_start": moved, "this_and_future": True}
        family.append(_keyed(key, MASTER, start, span, tzid, **fields))

    ours = {one.start_at for one in occurrences(VAULT, "cal", family, window).wanted}

    document = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *text, "END:VCALENDAR", ""])
    found = recurring_ical_events.of(icalendar.Calendar.from_ical(document))
    theirs = {
        int(event["DTSTART"].dt.timestamp()) for event in found.between(window.start, window.end)
    }
    assert theirs == ours


def _exists(wall: datetime, zone: ZoneInfo) -> bool:
    one = wall.replace(tzinfo=zone)
    back = one.astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0)
    return back == wall and one.utcoffset() == one.replace(fold=1).utcoffset()


def _keyed(
    key: bytes, series: bytes | None, wall: datetime, length: timedelta, tzid: str, **more: Any
) -> Keyed:
    zone = ZoneInfo(tzid)
    start, end = (one.replace(tzinfo=zone).astimezone(UTC) for one in (wall, wall + length))
    event = RemoteEvent(
        remote_id=key.decode(), etag="1", start=Moment(start, tzid), end=Moment(end, tzid), **more
    )
    return Keyed(key, series, event)


def _component(wall: datetime, length: timedelta, tzid: str, *lines: str) -> str:
    begin, end = (f"{one:%Y%m%dT%H%M%S}" for one in (wall, wall + length))
    times = (f"DTSTART;TZID={tzid}:{begin}", f"DTEND;TZID={tzid}:{end}")
    return "\r\n".join(["BEGIN:VEVENT", "UID:1", *times, *lines, "END:VEVENT"])
