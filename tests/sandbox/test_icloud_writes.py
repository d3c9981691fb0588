"""The sandbox's iCloud: PUT and DELETE, and the mails they would send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from sandbox.icloud import create_app
from sandbox.icloud.driver import Device, rows
from sandbox.icloud.files import event, span, wrap
from sandbox.icloud.seed import ADA, COMPILERS, SUBSCRIBED

AT = datetime(2026, 11, 24, 10, tzinfo=UTC)
SPAN = span(AT, AT + timedelta(hours=1))
HOME = "/123456789/calendars/"
PATH = f"{HOME}home/new.ics"


@pytest.fixture
def app() -> Flask:
    return create_app(now=lambda: datetime(2026, 11, 21, 12, tzinfo=UTC))


@pytest.fixture
def ada(app: Flask) -> Device:
    return Device(app, ADA)


def text(*lines: str, uid: str = "new") -> str:
    return wrap(event(uid, *(lines or SPAN), "SUMMARY:New"))


def test_object_is_made_changed_and_deleted(ada: Device) -> None:
    made = ada.put(PATH, text(), If_None_Match="*")
    changed = ada.put(PATH, text(*SPAN, "LOCATION:Here"), If_Match=made.headers["ETag"])
    assert [201, 204] == [made.status_code, changed.status_code]
    assert made.headers["ETag"] != changed.headers["ETag"]
    assert "LOCATION:Here" in ada.send("GET", PATH).text

    stale = ada.delete(PATH, If_Match=made.headers["ETag"])
    gone = ada.delete(PATH, If_Match=changed.headers["ETag"])
    assert [412, 204, 404] == [a.status_code for a in (stale, gone, ada.delete(PATH))]


def test_conditions_hold(ada: Device) -> None:
    assert 412 == ada.put(PATH, text(), If_Match='"C=1@U=x"').status_code
    assert 201 == ada.put(PATH, text()).status_code
    assert 412 == ada.put(PATH, text(), If_None_Match="*").status_code
    assert 412 == ada.put(PATH, text(), If_Match='"C=1@U=x"').status_code


def test_if_match_star_is_inverted(ada: Device) -> None:
    assert 201 == ada.put(PATH, text(), If_Match="*").status_code
    assert 412 == ada.put(PATH, text(), If_Match="*").status_code


ZONED = ("DTSTART;TZID=Europe/London:20261124T100000", "DTEND;TZID=Europe/London:20261124T110000")


@pytest.mark.parametrize(
    ("content", "status", "condition"),
    [
        (text("DTSTART:20261124T100000Z"), 404, ""),
        (text(*SPAN, "STATUS:Confirmed"), 403, "valid-calendar-data"),
        (text(*SPAN, "RRULE:FREQ=SECONDLY"), 403, "valid-calendar-data"),
        (text(*SPAN, "RRULE:FREQ=SOMETIMES"), 403, "valid-calendar-data"),
        (text("DTSTART:tomorrow", "DTEND:later"), 403, "valid-calendar-data"),
        (text(*ZONED), 403, "valid-calendar-object-resource"),
        (text().replace("VERSION", "METHOD:REQUEST\r\nVERSION"), 403, "object-resource"),
        (text().replace("VERSION:2.0\r\n", ""), 403, "valid-calendar-data"),
        (text().replace("UID:new\r\n", ""), 403, "valid-calendar-object-resource"),
        (text().replace("END:VEVENT\r\n", ""), 403, "valid-calendar-data"),
        (wrap(event("a", *SPAN), event("b", *SPAN)), 403, "valid-calendar-object-resource"),
        (wrap(event("a", *SPAN, kind="VTODO")), 403, "supported-calendar-component"),
        ("hello", 403, "valid-calendar-data"),
    ],
)
def test_content_that_icloud_refuses(
    ada: Device, content: str, status: int, condition: str
) -> None:
    answer = ada.put(PATH, content)

    assert status == answer.status_code
    assert condition in answer.text
    assert 404 == ada.send("GET", PATH).status_code


def test_uid_is_unique_in_the_whole_account(ada: Device) -> None:
    ada.put(PATH, text())

    for path in (f"{HOME}home/other.ics", f"{HOME}work/new.ics"):
        answer = ada.put(path, text())
        assert 409 == answer.status_code and "no-uid-conflict" in answer.text
    assert 409 == ada.put(PATH, text(uid="other")).status_code
    ada.delete(PATH)
    assert 201 == ada.put(f"{HOME}work/new.ics", text()).status_code


@pytest.mark.parametrize("segment", [COMPILERS, SUBSCRIBED])
def test_read_only_calendar_names_the_missing_privilege(ada: Device, segment: str) -> None:
    path = f"{HOME}{segment}/"
    member = ada.listing(path)[1].href

    for answer in (ada.put(f"{path}new.ics", text()), ada.delete(member)):
        assert 403 == answer.status_code and "need-privileges" in answer.text


def test_only_objects_are_written_and_only_as_calendars(ada: Device) -> None:
    assert 403 == ada.put(f"{HOME}home/", text()).status_code
    assert 415 == ada.put(PATH, text(), Content_Type="text/plain").status_code


def test_lines_against_the_standard_are_rewritten_without_etag(ada: Device) -> None:
    loose = text(*SPAN, "DESCRIPTION:" + "long " * 30).replace("\r\n ", "").replace("\r\n", "\n")

    answer = ada.put(PATH, loose)

    assert (201, None) == (answer.status_code, answer.headers.get("ETag"))
    stored = ada.send("GET", PATH).data
    assert all(len(line) <= 75 for line in stored.split(b"\r\n"))


MEETING = (
    *SPAN,
    f"ORGANIZER:mailto:{ADA}",
    f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ADA}",
    "ATTENDEE:mailto:charles@engine.example",
)


def test_meeting_sends_mail_and_silent_one_does_not(app: Flask, ada: Device) -> None:
    mails = app.extensions["icloud"].world.mails
    ada.put(PATH, text())
    silent = tuple(x.replace("ATTENDEE:", "ATTENDEE;SCHEDULE-AGENT=CLIENT:") for x in MEETING)
    ada.put(PATH, text(*silent))
    assert [] == mails

    ada.put(PATH, text(*MEETING))
    ada.delete(PATH)
    assert [("REQUEST", "charles@engine.example"), ("CANCEL", "charles@engine.example")] == [
        (mail.method, mail.recipient) for mail in mails
    ]


def test_deleting_an_invitation_answers_it_unless_told_not_to(app: Flask, ada: Device) -> None:
    mails = app.extensions["icloud"].world.mails
    invited = (*SPAN, "ORGANIZER:mailto:charles@engine.example", f"ATTENDEE:mailto:{ADA}")
    for quiet in ("F", "T"):
        app.extensions["icloud"].person(ADA).put("new.ics", text(*invited))
        assert 204 == ada.delete(PATH, Schedule_Reply=quiet).status_code

    assert ["REPLY"] == [mail.method for mail in mails]


def test_own_zone_and_overrides_are_taken(ada: Device) -> None:
    stand_up = next(
        row.data
        for row in rows(
            ada.multiget(f"{HOME}work/", *[r.href for r in ada.listing(f"{HOME}work/")[1:]])
        )
        if "Stand-up (later)" in row.data
    )

    fresh = stand_up.replace("UID:", "UID:copy-").replace("\n", "\r\n")

    assert 201 == ada.put(PATH, fresh).status_code
