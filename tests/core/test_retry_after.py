"""Retry-After, in the spellings that servers have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.retry_after import LONGEST, retry_after

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", timedelta(seconds=2)),
        (" 30 ", timedelta(seconds=30)),
        ("0", timedelta()),
        ("9" * 5000, timedelta(days=1)),
        ("Sat, 21 Nov 2026 09:00:30 GMT", timedelta(seconds=30)),
        ("Saturday, 21-Nov-26 09:00:30 GMT", timedelta(seconds=30)),
        ("Sat Nov 21 09:00:30 2026", timedelta(seconds=30)),
        ("Sat, 21 Nov 2026 10:00:30 +0100", timedelta(seconds=30)),
        ("Sat, 21 Nov 2026 08:00:00 GMT", timedelta()),
        ("Sat, 21 Nov 2026 09:01:00 -0000", timedelta(minutes=1)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", timedelta(days=1)),
        ("Mon, 01 Jan 0001 00:00:00 GMT", timedelta()),
        ("Sat, 99 Nov 2026 09:00:30 GMT", None),
        ("Sat, 21 Nov 99999999999999999999 09:00:30 GMT", None),
        ("Sat, 21 Nov 2026 09:00:30 +99999999999999999999", None),
        ("soon", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("NaN", None),
        ("inf", None),
        ("1e3", None),
        ("0x10", None),
        ("²", None),
        ("٣", None),
        ("", None),
    ],
)
def test_spellings(text: str, expected: timedelta | None) -> None:
    assert expected == retry_after({"Retry-After": text}, NOW)


def test_no_header() -> None:
    assert retry_after({}, NOW) is None


@given(
    text=st.text()
    | st.integers().map(str)
    | st.floats().map(str)
    | st.builds(
        "{}, {} {} {} {}:{}:{} {}".format,
        *[st.sampled_from(["Sat", "x"]), st.integers(), st.sampled_from(["Nov", "Dec", "x"])],
        *[st.integers()] * 4,
        st.integers().map("{:+}".format) | st.sampled_from(["GMT", "", "Z"]),
    )
)
@example(text="Sat, 1 Jan 1 00:00:00 +2359")
@example(text="Fri, 31 Dec 9999 23:59:59 -2359")
def test_anything_is_a_bounded_wait_or_none(text: str) -> None:
    wait = retry_after({"Retry-After": text}, NOW)

    assert wait is None or timedelta() <= wait <= LONGEST
