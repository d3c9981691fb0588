"""Faults of the sandbox's iCloud."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from lxml import etree

from sandbox.icloud import FAULTS, Faults, create_app
from sandbox.icloud.driver import Device, rows, token
from sandbox.icloud.files import event, span, wrap
from sandbox.icloud.seed import ADA, GRACE
from sandbox.icloud.wire import CALDAV, DAV, SERVER

HOME = "/123456789/calendars/"
CALENDAR = f"{HOME}home/"
PRINCIPAL = "/123456789/principal/"
AT = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.fixture
def app() -> Flask:
    return create_app(now=lambda: datetime(2026, 11, 21, 12, tzinfo=UTC))


@pytest.fixture
def faults(app: Flask) -> Faults:
    found: Faults = app.extensions["faults"]
    return found


@pytest.fixture
def ada(app: Flask) -> Device:
    return Device(app, ADA)


def status(device: Device, path: str = HOME) -> int:
    return device.propfind(path, "d:owner").status_code


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("throttle_429", 429),
        ("throttle_503", 503),
        ("bare_403", 403),
        ("server_error_500", 500),
        ("html_error", 502),
        ("revoked", 401),
        ("main_password_changed", 401),
        ("calendar_off", 401),
    ],
)
def test_refusal_is_counted_and_personal(
    app: Flask, faults: Faults, ada: Device, fault: str, code: int
) -> None:
    faults.set(ADA, fault, 2)

    assert 207 == status(Device(app, GRACE), "/987654321/calendars/")
    assert [code, code, 207] == [status(ada) for _ in range(3)]


def test_password_is_revoked_after_some_requests(faults: Faults, ada: Device) -> None:
    faults.set(ADA, "revoked", after=2)

    assert [207, 207, 401, 401] == [status(ada) for _ in range(4)]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, "2"),
        ({"seconds": 7}, "7"),
        ({"style": "date", "seconds": 60}, "Sat, 21 Nov 2026 12:01:00 GMT"),
        ({"style": "none"}, None),
    ],
)
def test_throttling_says_when_in_three_ways(
    faults: Faults, ada: Device, params: dict[str, Any], expected: str | None
) -> None:
    faults.set(ADA, "throttle_503", **params)

    assert expected == ada.propfind(HOME, "d:owner").headers.get("Retry-After")


@pytest.mark.parametrize(
    ("style", "code", "named"),
    [
        ("", 403, True),
        ("bare_403", 403, False),
        ("400", 400, False),
        ("409", 409, False),
        ("410", 410, True),
        ("412", 412, True),
        ("500", 500, False),
    ],
)
def test_token_is_refused_in_every_style(
    faults: Faults, ada: Device, style: str, code: int, named: bool
) -> None:
    known = token(ada.sync(CALENDAR))
    faults.set(ADA, "token_expired", 1, style=style)

    assert 207 == ada.sync(CALENDAR).status_code
    answer = ada.sync(CALENDAR, known)
    assert (code, named) == (answer.status_code, "valid-sync-token" in answer.text)
    assert 207 == ada.sync(CALENDAR, known).status_code


def test_token_that_is_dropped_tells_everything(faults: Faults, ada: Device) -> None:
    first = ada.sync(CALENDAR)
    faults.set(ADA, "token_expired", style="everything")

    assert len(rows(first)) == len(rows(ada.sync(CALENDAR, token(first))))


@pytest.mark.parametrize("fault", ["truncated_body", "reset_after", "reset_before"])
def test_connection_is_cut(faults: Faults, ada: Device, fault: str) -> None:
    faults.set(ADA, fault, 1)
    body = wrap(event("new", *span(AT, AT + timedelta(hours=1))))

    with pytest.raises(ConnectionResetError):
        if fault == "truncated_body":
            _ = ada.propfind(HOME, "d:owner", depth=1).data
        else:
            ada.put(f"{CALENDAR}new.ics", body)

    expected = 200 if fault == "reset_after" else 404
    assert expected == ada.send("GET", f"{CALENDAR}new.ics").status_code


def test_slow_and_dripping_answers_take_the_seconds_asked(
    app: Flask, faults: Faults, ada: Device
) -> None:
    pauses: list[float] = []
    app.config["SLEEP"] = pauses.append
    faults.set(ADA, "slow", 1, seconds=3)
    assert 207 == status(ada)
    faults.set(ADA, "drip", 1, seconds=20)
    assert rows(ada.propfind(HOME, "d:owner", depth=1))

    assert 3 == pauses[0] and 20 == pytest.approx(sum(pauses[1:]))


def test_xml_and_ical_stop_in_the_middle(faults: Faults, ada: Device) -> None:
    href = ada.listing(CALENDAR)[1].href
    faults.set(ADA, "cut_ical", 1)
    assert "END:VCALENDAR" not in rows(ada.multiget(CALENDAR, href))[0].data
    faults.set(ADA, "cut_xml", 1)
    answer = ada.multiget(CALENDAR, href)
    assert 207 == answer.status_code
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(answer.data)


@pytest.mark.parametrize("fault", ["xxe", "billion_laughs"])
def test_hostile_xml_has_a_dtd(faults: Faults, ada: Device, fault: str) -> None:
    faults.set(ADA, fault, 1)

    answer = ada.propfind(HOME, "d:owner")

    assert 207 == answer.status_code and "<!DOCTYPE" in answer.text and "<!ENTITY" in answer.text


@pytest.mark.parametrize(
    ("fault", "count", "words"),
    [
        ("dup_uid", 2, "UID:0D0D0D0D"),
        ("bad_ics", 1, "no colon here"),
        ("huge_ics", 1, "many words"),
        ("secondly_rule", 1, "FREQ=SECONDLY"),
    ],
)
def test_poison_is_announced_and_pulled_again(
    faults: Faults, ada: Device, fault: str, count: int, words: str
) -> None:
    clean = ada.sync(CALENDAR)
    faults.set(ADA, fault)

    poisoned = ada.sync(CALENDAR, token(clean))
    fresh = {row.href for row in rows(poisoned)} - {CALENDAR}
    assert count == len(fresh)
    assert all(words in row.data for row in rows(ada.multiget(CALENDAR, *fresh)))
    listed = {row.href for row in rows(ada.query(CALENDAR, "20261120T000000Z", "20261201T000000Z"))}
    assert fresh <= listed

    faults.clear()
    assert {404} == {row.status for row in rows(ada.sync(CALENDAR, token(poisoned)))} - {None}


def test_huge_object_is_over_a_megabyte(faults: Faults, ada: Device) -> None:
    faults.set(ADA, "huge_ics")

    answer = ada.multiget(CALENDAR, f"{CALENDAR}poison-huge_ics.ics")

    assert len(answer.data) > 1024 * 1024


def test_etags_flap_while_contents_stay(faults: Faults, ada: Device) -> None:
    before = {row.href: row.etag for row in ada.listing(CALENDAR)}
    known = token(ada.sync(CALENDAR))
    faults.set(ADA, "etag_flap", 1)

    changed = {row.href: row.etag for row in rows(ada.sync(CALENDAR, known))}

    assert before.keys() == changed.keys()
    assert not set(before.values()) & set(changed.values())
    assert changed == {row.href: row.etag for row in ada.listing(CALENDAR)}


def test_listings_are_empty_as_in_an_outage(faults: Faults, ada: Device) -> None:
    known = token(ada.sync(CALENDAR))
    faults.set(ADA, "empty_listing")

    assert [HOME] == [row.href for row in ada.listing(HOME)]
    assert [CALENDAR] == [row.href for row in ada.listing(CALENDAR)]
    assert [] == rows(ada.query(CALENDAR, "20260101T000000Z", "20280101T000000Z"))
    assert [CALENDAR] == [row.href for row in rows(ada.sync(CALENDAR, known))]


def test_calendar_is_gone(faults: Faults, ada: Device) -> None:
    faults.set(ADA, "gone_calendar")
    assert [207, 404] == [status(ada, CALENDAR), status(ada, f"{HOME}work/")]
    faults.set(ADA, "gone_calendar", calendar=CALENDAR)
    assert [404, 207] == [status(ada, CALENDAR), status(ada, f"{HOME}work/")]


@pytest.mark.parametrize(
    ("entry", "old", "new"),
    [
        (
            "https://caldav.icloud.com",
            "https://p42-caldav.icloud.com:443",
            "https://p57-caldav.icloud.com:443",
        ),
        ("http://127.0.0.1:5050", "http://localhost:5050", "http://127.0.0.1:5050"),
    ],
)
def test_lost_home_is_found_again_elsewhere(
    app: Flask, faults: Faults, entry: str, old: str, new: str
) -> None:
    at = {origin: Device(app, ADA, origin=origin) for origin in (entry, old, new)}
    assert 207 == status(at[old])
    faults.set(ADA, "lost_home")

    assert 404 == status(at[old])
    assert f"{new}{HOME}" in at[entry].propfind(PRINCIPAL, "c:calendar-home-set").text
    assert 207 == status(at[new])


def test_stranger_is_named_by_redirect_or_by_home(faults: Faults, ada: Device) -> None:
    faults.set(ADA, "redirect_evil", 1)
    assert "evil.calbroker.test" in ada.propfind("/", "d:owner").headers["Location"]

    faults.set(ADA, "redirect_evil", 1, style="href")
    home = rows(ada.propfind(PRINCIPAL, "c:calendar-home-set"))[0]
    href = home.found[f"{CALDAV}calendar-home-set"].findtext(f"{DAV}href")
    assert f"https://caldav.icloud.com.evil.calbroker.test{HOME}" == href


def test_entry_redirects_to_the_partition(app: Flask, faults: Faults, ada: Device) -> None:
    faults.set(ADA, "partition_redirect")

    answer = ada.propfind(HOME, "d:owner")

    assert (301, f"https://p42-caldav.icloud.com:443{HOME}") == (
        answer.status_code,
        answer.headers["Location"],
    )
    assert 207 == status(Device(app, ADA, origin="https://p42-caldav.icloud.com"))


def test_newest_object_is_announced_before_it_is_served(faults: Faults, ada: Device) -> None:
    hrefs = [row.href for row in ada.listing(CALENDAR)[1:]]
    faults.set(ADA, "delayed_multiget", 1)

    assert hrefs[:-1] == [row.href for row in rows(ada.multiget(CALENDAR, *hrefs))]
    assert hrefs == [row.href for row in rows(ada.multiget(CALENDAR, *hrefs))]


def test_changes_come_in_pages(app: Flask, faults: Faults, ada: Device) -> None:
    handle = app.extensions["icloud"].person(ADA)
    handle.add_calendar("Lab", "lab")
    names = {handle.add_all_day(f"Day {n}", AT, AT, "lab") for n in range(45)}
    faults.set(ADA, "paged_sync")
    seen: list[str] = []
    known, cut = "", True
    while cut:
        answer = ada.sync(f"{HOME}lab/", known)
        known, found = token(answer), rows(answer)
        cut = any(row.status == 507 for row in found)
        seen += [row.href.rpartition("/")[2] for row in found if not row.href.endswith("/")]

    assert names == set(seen) and 46 == len(seen)


def test_servers_that_have_less(faults: Faults, ada: Device) -> None:
    for fault in ("no_ctag", "no_sync", "no_privileges"):
        faults.set(ADA, fault)
    names = ("cs:getctag", "d:sync-token", "d:current-user-privilege-set", "d:supported-report-set")

    row = rows(ada.propfind(CALENDAR, *names))[0]

    assert {
        f"{SERVER}getctag",
        f"{DAV}sync-token",
        f"{DAV}current-user-privilege-set",
    } == row.missing
    assert row.found[f"{DAV}supported-report-set"].find(f".//{DAV}sync-collection") is None
    assert 403 == ada.sync(CALENDAR).status_code


def test_windows_that_start_long_ago_are_refused(faults: Faults, ada: Device) -> None:
    faults.set(ADA, "old_window_403")

    assert 403 == ada.query(CALENDAR, "20251101T000000Z", "20261201T000000Z").status_code
    assert 207 == ada.query(CALENDAR, "20260601T000000Z", "20261201T000000Z").status_code


def test_put_without_etag_and_housekeeping(faults: Faults, ada: Device) -> None:
    path = f"{CALENDAR}new.ics"
    body = wrap(event("new", *span(AT, AT + timedelta(hours=1))))
    faults.set(ADA, "put_without_etag", 1)
    assert "ETag" not in ada.put(path, body).headers

    faults.set(ADA, "housekeeping", 1)
    answer = ada.put(path, body)
    assert 412 == ada.put(path, body, If_Match=answer.headers["ETag"]).status_code


def test_switchboard_knows_its_names(faults: Faults) -> None:
    assert all(FAULTS.values())
    with pytest.raises(ValueError, match="no fault"):
        faults.set(ADA, "expired_sync_token")
