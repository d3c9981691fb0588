"""Times and ids in the forms of the partner API."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.crypto import Vault
from broker.services import partner_ids, reasons, times

VAULT = Vault({"test": bytes(range(32))}, bytes(range(32, 64)))
INSTANTS = st.integers(0, 4_000_000_000)


@given(INSTANTS)
def test_iso_is_what_datetime_says(epoch_s: int) -> None:
    at = datetime.fromtimestamp(epoch_s, UTC)

    assert times.iso(epoch_s) == at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert times.iso_date(epoch_s) == at.date().isoformat()
    assert times.iso_of(at) == times.iso(epoch_s)
    assert times.read_time(times.iso(epoch_s)) == epoch_s
    assert times.read_date(times.iso_date(epoch_s)) == epoch_s - epoch_s % times.DAY_S


@given(
    INSTANTS,
    st.sampled_from(["Europe/Zurich", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu"]),
)
def test_localized_is_what_datetime_says(epoch_s: int, tzid: str) -> None:
    found = times.localized(epoch_s, tzid, all_day=False)

    at = datetime.fromtimestamp(epoch_s, ZoneInfo(tzid))
    assert (found.time, found.tzid) == (at.isoformat(), tzid)


@pytest.mark.parametrize("zone", ["Europe/Zurich", "Australia/Lord_Howe"])
def test_localized_is_right_on_the_days_when_clocks_change(zone: str) -> None:
    start = int(datetime(2026, 3, 28, tzinfo=UTC).timestamp())
    for epoch_s in range(start, start + 10 * times.DAY_S, 900):
        at = datetime.fromtimestamp(epoch_s, ZoneInfo(zone))
        assert times.localized(epoch_s, zone, all_day=False).time == at.isoformat()


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "Pacific/Kiritimati"])
def test_localized_writes_the_first_and_the_last_time_that_there_is(zone: str) -> None:
    """Events that never end are said to end on the last day of the calendar."""
    for at in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(microsecond=0, tzinfo=UTC)):
        found = times.localized(int(at.timestamp()), zone, all_day=False)

        assert datetime.fromisoformat(found.time) == at
        assert found.tzid in (zone, times.UTC_NAME)


@pytest.mark.parametrize("name", ["UTC", "Zulu", "Etc/UTC", "Mars/Base", None])
def test_utc_has_one_name(name: str | None) -> None:
    """Providers call it `UTC` when a time has no other zone."""
    timed, all_day = (times.localized(0, name, all_day=mark) for mark in (False, True))

    assert timed == times.LocalTime("1970-01-01T00:00:00Z", "Etc/UTC")
    assert all_day == times.LocalTime("1970-01-01", "Etc/UTC")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (None, None),
        ("", None),
        ("2026-02-20T09:12:44Z", "2026-02-20T09:12:44Z"),
        ("2026-02-20T09:12:44.123Z", "2026-02-20T09:12:44Z"),
        ("2026-02-20T10:12:44+01:00", "2026-02-20T09:12:44Z"),
        ("2026-02-20T09:12:44", "2026-02-20T09:12:44Z"),
        ("0000-12-29T00:00:00.000Z", None),
        ("long ago", None),
    ],
)
def test_stamps_of_providers(text: str | None, written: str | None) -> None:
    assert times.whole_seconds(text) == written


@given(st.binary(min_size=12, max_size=12), st.binary(min_size=8, max_size=8))
def test_event_uid_leads_back_to_the_occurrence(uid: bytes, series: bytes) -> None:
    mine = partner_ids.event_pad(VAULT, "pro_mine")
    theirs = partner_ids.event_pad(VAULT, "pro_theirs")

    partner_id = partner_ids.event_uid(mine, uid)

    assert len(partner_id) == len("evt_external_") + 24
    assert partner_ids.occurrence_uid(mine, partner_id) == uid
    assert partner_ids.occurrence_uid(theirs, partner_id) != uid
    assert uid.hex() not in partner_id
    pad = partner_ids.series_pad(VAULT, "pro_mine")
    assert len(partner_ids.series_identifier(pad, series)) == 16
    assert partner_ids.series_identifier(pad, series) != series.hex()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "evt_external_",
        "evt_external_" + "A" * 24,
        "evt_" + "a" * 24,
        "evt_external_" + "a" * 25,
    ],
)
def test_what_is_no_event_uid(text: str) -> None:
    assert partner_ids.occurrence_uid(1, text) is None


def test_reasons_are_whole_sentences() -> None:
    for code in (*reasons.SENTENCES, "something_new"):
        text = reasons.sentence(code)
        assert text[0].isupper()
        assert text.endswith(".")
        assert code not in text
