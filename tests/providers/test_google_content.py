"""What Google's events say, as we keep it, and what reading them costs."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from broker.domain import Attendee, Participation
from broker.providers._google_events import plain_text, read_page
from tests.cost import counted
from tests.providers.test_google_events import END, PARIS, START, event_of, invited


def test_content_is_taken_over() -> None:
    content = event_of(
        summary="Review",
        description="<p>Agenda &amp; notes</p>",
        location="Room 4",
        organizer={"email": "eve@corp.example", "displayName": "Eve"},
        attendees=[
            {"email": "ann@corp.example", "self": True, "responseStatus": "accepted"},
            {"email": "room@resource.calendar.google.com", "resource": True, "displayName": "R"},
            {"displayName": "nobody"},
        ],
        htmlLink="https://www.google.com/calendar/event?eid=1",
        created="2026-10-01T09:00:00.123Z",
        updated="2026-11-01T10:00:00+01:00",
        iCalUID="abc@google.com",
        visibility="confidential",
        transparency="transparent",
    ).content

    assert ("Review", "Agenda & notes", "Room 4") == (
        content.summary,
        content.description,
        content.location,
    )
    assert ("eve@corp.example", "Eve") == (content.organizer_email, content.organizer_name)
    assert (
        Attendee("ann@corp.example", None, Participation.ACCEPTED),
        Attendee("room@resource.calendar.google.com", "R", Participation.UNKNOWN),
    ) == content.attendees
    assert "https://www.google.com/calendar/event?eid=1" == content.url
    assert ("2026-10-01T09:00:00Z", "2026-11-01T09:00:00Z") == (
        content.created_at,
        content.updated_at,
    )
    assert ("abc", "abc@google.com", "confirmed") == (
        content.remote_id,
        content.ical_uid,
        content.status,
    )
    assert (True, True) == (content.private, content.transparent)
    assert (PARIS, PARIS) == (content.start_tzid, content.end_tzid)


MEET = "https://meet.google.com/abc"
ZOOM = "https://zoom.example/j/1"


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({}, None),
        ({"hangoutLink": MEET}, MEET),
        ({"hangoutLink": "javascript:alert(1)"}, None),
        (
            {
                "hangoutLink": MEET,
                "conferenceData": {
                    "entryPoints": [
                        {"entryPointType": "phone", "uri": "tel:+1-555"},
                        {"entryPointType": "video", "uri": ZOOM},
                    ]
                },
            },
            ZOOM,
        ),
        ({"hangoutLink": MEET, "conferenceData": {"createRequest": {}}}, MEET),
    ],
)
def test_meeting_url(fields: dict[str, Any], url: str | None) -> None:
    assert url == event_of(**fields).content.meeting_url


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ({"url": "https://tickets.example/1"}, "https://tickets.example/1"),
        ({"url": "javascript:alert(1)"}, "https://www.google.com/calendar"),
        ({}, "https://www.google.com/calendar"),
    ],
)
def test_url_of_the_source_comes_first(source: dict[str, str], url: str) -> None:
    event = event_of(source=source, htmlLink="https://www.google.com/calendar")

    assert url == event.content.url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, 1 < 2 and 3 > 2", "plain, 1 < 2 and 3 > 2"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<p>one</p><ul><li>two</li></ul>", "one\ntwo"),
        ("a &lt;b&gt; &amp; c", "a <b> & c"),
        ('<a href="https://x.example">link</a>', "link"),
        ("<!-- hidden -->shown", "shown"),
        ("<script>x</script>", "x"),
        ("unclosed <b", "unclosed <b"),
    ],
)
def test_description_is_text(text: str, expected: str) -> None:
    assert expected == plain_text(text)


def test_hostile_description_takes_no_time() -> None:
    started = time.process_time()

    for text in ("<" * 500_000, "<a " * 200_000, "&" * 500_000, "<!--" * 200_000):
        plain_text(text)

    assert time.process_time() - started < 2


def test_page_of_a_busy_calendar_costs_little() -> None:
    item = {"id": "abc", "summary": "Review", "start": START, "end": END, **invited("accepted")}
    body = json.dumps({"timeZone": PARIS, "items": [item] * 2500}).encode()

    page, calls = counted(lambda: read_page(body))

    assert 2500 == len(page.events)
    assert calls <= 2500 * 35


def test_times_of_change_that_cannot_be_read_are_left_out() -> None:
    content = event_of(created="soon", updated="2026-11-01T10:00:00").content

    assert (None, None) == (content.created_at, content.updated_at)
