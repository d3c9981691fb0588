"""Whatever a stranger writes into a series, expanding it does not raise."""

from __future__ import annotations

from datetime import UTC, datetime, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.domain import Moment, Window
from broker.sync.expand import expand
from tests.sync.series import HOUR, ZONES

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


@settings(max_examples=300)
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
