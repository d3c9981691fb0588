"""The sandbox's iCloud: logins, discovery and the list of calendars."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask

from sandbox.icloud import create_app
from sandbox.icloud.driver import Device, rows
from sandbox.icloud.seed import ADA, COMPILERS, GRACE, PASSWORD, READING, SUBSCRIBED
from sandbox.icloud.wire import APPLE, CALDAV, DAV, SERVER

HOME = "/123456789/calendars/"
PRINCIPAL = "/123456789/principal/"


@pytest.fixture
def app() -> Flask:
    return create_app(now=lambda: datetime(2026, 11, 21, 12, tzinfo=UTC))


@pytest.fixture
def ada(app: Flask) -> Device:
    return Device(app, ADA)


def test_entry_names_the_principal_with_the_account_number(ada: Device) -> None:
    answer = ada.propfind("/", "d:current-user-principal")

    assert "text/xml; charset=UTF-8" == answer.content_type
    assert 'prop><current-user-principal xmlns="DAV:"><href xmlns="DAV:">' in answer.text
    assert f">{PRINCIPAL}<" in answer.text
    assert "42" == answer.headers["X-Apple-User-Partition"]
    assert answer.headers["X-Apple-Request-UUID"]


@pytest.mark.parametrize(
    ("origin", "options", "home"),
    [
        ("https://caldav.icloud.com", {}, "https://p42-caldav.icloud.com:443"),
        ("http://127.0.0.1:5050", {}, "http://localhost:5050"),
        (
            "https://caldav.icloud.com",
            {"partition_url": "https://p7-caldav.icloud.com/"},
            "https://p7-caldav.icloud.com:443",
        ),
    ],
)
def test_home_is_on_another_origin_with_a_port(
    origin: str, options: dict[str, Any], home: str
) -> None:
    ada = Device(create_app(**options), ADA, origin=origin)

    row = rows(ada.propfind(PRINCIPAL, "c:calendar-home-set", "c:calendar-user-address-set"))[0]

    assert f"{home}{HOME}" == row.found[f"{CALDAV}calendar-home-set"].findtext(f"{DAV}href")
    addresses = row.found[f"{CALDAV}calendar-user-address-set"].findall(f"{DAV}href")
    preferred = [one.text for one in addresses if one.get("preferred") == "1"]
    assert ([f"mailto:{ADA}"], "/123456789/principal") == (preferred, addresses[0].text)


def test_every_address_of_the_account_logs_in(app: Flask) -> None:
    for name in ("Ada@iCloud.calbroker.test", "ada@lovelace.calbroker.test"):
        assert 207 == Device(app, name).propfind("/", "d:owner").status_code


@pytest.mark.parametrize(
    ("email", "password", "credential"),
    [
        (ADA, "abcdefghijklmnop", "wrong"),
        (ADA, "Analytical-1843", "main"),
        ("eve@icloud.calbroker.test", PASSWORD, "wrong"),
    ],
)
def test_refused_login_names_both_schemes(
    app: Flask, email: str, password: str, credential: str
) -> None:
    answer = Device(app, email, password).propfind("/", "d:owner")

    assert 401 == answer.status_code
    assert (
        'X-MobileMe-AuthToken realm="MMCalDav", Basic realm="MMCalDav"'
        == answer.headers["WWW-Authenticate"]
    )
    assert credential == app.extensions["calls"][0].credential


def test_deeper_paths_challenge_on_two_lines(app: Flask) -> None:
    answer = app.test_client().open(HOME, method="PROPFIND")

    assert 2 == len(answer.headers.getlist("WWW-Authenticate"))
    assert "none" == app.extensions["calls"][0].credential


def test_nobody_without_user_agent(ada: Device) -> None:
    ada.headers["User-Agent"] = ""

    answer = ada.propfind("/", "d:owner")

    assert (403, b"") == (answer.status_code, answer.data)


def test_revoked_and_changed_passwords_and_switched_off_calendars_are_401(app: Flask) -> None:
    handle, grace = app.extensions["icloud"].person(ADA), app.extensions["icloud"].person(GRACE)
    fresh = handle.add_password("Other")
    handle.revoke(PASSWORD)
    statuses = [Device(app, ADA, p).propfind("/", "d:owner").status_code for p in (PASSWORD, fresh)]
    assert [401, 207] == statuses

    handle.change_main_password("Other-1852")
    grace.switch_calendar(False)
    assert 401 == Device(app, ADA, fresh).propfind("/", "d:owner").status_code
    assert 401 == Device(app, GRACE).propfind("/", "d:owner").status_code


def test_calls_compare_logins_without_quoting_them(app: Flask, ada: Device) -> None:
    ada.propfind("/", "d:owner")
    Device(app, ADA, "abcd-efgh-ijkl-mnoq").propfind("/", "d:owner")

    first, second = app.extensions["calls"]
    assert first.authorization and first.authorization != second.authorization
    assert "Authorization" not in first.headers and "propfind" == first.report
    assert PASSWORD not in repr(first)


@pytest.mark.parametrize(
    ("path", "depth", "status"),
    [
        (PRINCIPAL, 1, 400),
        (PRINCIPAL, 0, 207),
        (HOME, None, 403),
        ("/987654321/calendars/", 0, 403),
        ("/5/principal/", 0, 404),
        (f"{HOME}nowhere/", 0, 404),
        (f"{HOME}home/none.ics", 0, 404),
    ],
)
def test_depth_and_path_are_checked(ada: Device, path: str, depth: int | None, status: int) -> None:
    body = '<propfind xmlns="DAV:"><prop><owner/></prop></propfind>'

    assert status == ada.send("PROPFIND", path, body, depth).status_code


@pytest.mark.parametrize(
    "body",
    [
        ' <?xml version="1.0"?><propfind xmlns="DAV:"><prop><owner/></prop></propfind>',
        '\n<propfind xmlns="DAV:"><prop><owner/></prop></propfind>',
        '<!DOCTYPE a [<!ENTITY b "c">]><propfind xmlns="DAV:"><prop><owner/></prop></propfind>',
        "<propfind",
        "propfind",
        '<propfind xmlns="DAV:"/>',
        '<other xmlns="DAV:"><prop><owner/></prop></other>',
    ],
)
def test_body_must_be_a_propfind_from_the_first_byte(ada: Device, body: str) -> None:
    assert 400 == ada.send("PROPFIND", "/", body).status_code


def test_listing_has_self_row_special_ones_shares_and_tasks(ada: Device) -> None:
    found = ada.listing(HOME, "d:resourcetype", "d:displayname", "a:calendar-color", "d:absent")

    kinds = {
        row.href.rstrip("/").rpartition("/")[2]: {str(one.tag) for one in row.found[TYPE]}
        for row in found
    }
    calendar = {f"{DAV}collection", f"{CALDAV}calendar"}
    assert {f"{DAV}collection"} == kinds.pop("calendars")
    assert calendar == kinds.pop("home") == kinds.pop("work") == kinds.pop("tasks")
    assert calendar | {f"{SERVER}shared-owner"} == kinds.pop(READING)
    assert calendar | {f"{SERVER}shared"} == kinds.pop(COMPILERS)
    assert calendar | {f"{SERVER}subscribed"} == kinds.pop(SUBSCRIBED)
    assert {"inbox", "outbox", "notification"} == kinds.keys()
    assert all(f"{DAV}absent" in row.missing for row in found)
    assert "#1BADF8FF" == found[1].text(f"{APPLE}calendar-color")
    assert found[-4].href.endswith("/tasks/")
    assert {"/", "h"} == {row.href[0] for row in found}


TYPE = f"{DAV}resourcetype"


def test_privileges_tell_owners_from_readers(ada: Device, app: Flask) -> None:
    def rights(device: Device, path: str) -> set[str]:
        row = rows(device.propfind(path, "d:current-user-privilege-set"))[0]
        granted = row.found[f"{DAV}current-user-privilege-set"]
        return {str(one[0].tag).removeprefix(DAV) for one in granted}

    assert {"all", "write", "read"} <= rights(ada, f"{HOME}home/")
    assert "write" not in rights(ada, f"{HOME}{COMPILERS}/")
    grace = rights(Device(app, GRACE), f"/987654321/calendars/{READING}/")
    assert {"write", "bind"} <= grace and "all" not in grace


def test_allprop_has_no_type(ada: Device) -> None:
    for body in ("", '<propfind xmlns="DAV:"><allprop/></propfind>'):
        found = rows(ada.send("PROPFIND", f"{HOME}home/", body))[0].found
        assert f"{DAV}displayname" in found and TYPE not in found


def test_tasks_calendar_takes_tasks_only(ada: Device) -> None:
    name = "supported-calendar-component-set"

    row = rows(ada.propfind(f"{HOME}tasks/", f"c:{name}"))[0]

    assert ["VTODO"] == [one.get("name") for one in row.found[f"{CALDAV}{name}"]]


def test_shared_calendar_is_one_calendar(app: Flask, ada: Device) -> None:
    grace = Device(app, GRACE)
    grace_path = f"/987654321/calendars/{READING}/"
    before = len(ada.listing(f"{HOME}{READING}/"))

    app.extensions["icloud"].person(GRACE).add_all_day(
        "Trip", datetime(2026, 12, 1), datetime(2026, 12, 1), READING
    )

    assert before + 1 == len(ada.listing(f"{HOME}{READING}/")) == len(grace.listing(grace_path))


def test_members_have_no_type_and_the_calendar_has_an_etag(ada: Device) -> None:
    own, *members = ada.listing(f"{HOME}home/", "d:getetag", "d:resourcetype")

    assert own.etag and TYPE in own.found
    assert members and all(TYPE in row.missing and row.etag for row in members)
    assert f"{HOME}home/Geburtstag%20Oma%20%28alt%29.ics" in [row.href for row in members]


def test_well_known_options_and_get(ada: Device) -> None:
    assert "/" == ada.send("PROPFIND", "/.well-known/caldav").headers["Location"]
    assert "calendar-auto-schedule" in ada.send("OPTIONS", "/").headers["DAV"]
    member = ada.listing(f"{HOME}home/")[1]
    answer = ada.send("GET", member.href)
    assert (member.etag, "text/calendar") == (answer.headers["ETag"], answer.mimetype)
    assert answer.text.startswith("BEGIN:VCALENDAR\r\n")


def test_home_that_moved_is_not_on_the_old_partition(app: Flask, ada: Device) -> None:
    app.extensions["icloud"].person(ADA).migrate(57)
    old = Device(app, ADA, origin="https://p42-caldav.icloud.com:443")
    new = Device(app, ADA, origin="https://p57-caldav.icloud.com:443")

    assert (
        "https://p57-caldav.icloud.com:443" in ada.propfind(PRINCIPAL, "c:calendar-home-set").text
    )
    statuses = [one.propfind(HOME, "d:owner").status_code for one in (old, new, ada)]
    assert [404, 207, 207] == statuses


def test_long_answers_are_compressed_when_asked(ada: Device) -> None:
    ada.headers["Accept-Encoding"] = "gzip"

    answer = ada.propfind(HOME, "d:resourcetype", "d:displayname", depth=1)

    assert "gzip" == answer.headers["Content-Encoding"]
    assert b"\x1f\x8b" == answer.data[:2]
