"""Creating, changing and deleting events, at Radicale and at the iCloud stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.wrappers import Response

from broker.clock import FixedClock
from broker.domain import Attendee, Busy, EventDraft, RemoteEvent, window_at
from broker.errors import (
    AuthorizationLost,
    BrokerError,
    CalendarGone,
    EditConflict,
    PermissionMissing,
    ProtocolError,
    ProviderUnavailable,
    RateLimited,
    UserError,
)
from broker.http import Http
from broker.logins import Login, PasswordCredential
from broker.providers._ical import Source, read_object
from broker.providers._ical_write import edited_object, folded, new_object
from broker.providers.apple import Apple
from broker.providers.base import EventWriter
from broker.providers.caldav import CalDav, CalDavClient
from broker.settings import AppleSettings
from sandbox.radicale import PASSWORD, USER
from sandbox.radicale_events import BERLIN, event, wrap
from tests import faults
from tests.providers import icloud_remote
from tests.providers.contract import HOUR, NOW, TUESDAY, events_of, read
from tests.providers.icloud_remote import ICloudRemote
from tests.providers.radicale_remote import ORIGIN, RadicaleRemote

DRAFT = EventDraft("8f2c1c9e-3f6c", "Interview", TUESDAY, TUESDAY + HOUR)
WINDOW = window_at(NOW)


@pytest.fixture(params=["radicale", "icloud"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> RadicaleRemote | ICloudRemote:
    clock = FixedClock(NOW)
    return RadicaleRemote(tmp_path) if request.param == "radicale" else ICloudRemote(clock)


@pytest.fixture
def client(remote: RadicaleRemote | ICloudRemote) -> CalDavClient:
    clock = FixedClock(NOW)
    if isinstance(remote, RadicaleRemote):
        http = Http(clock, mounts={ORIGIN: remote.wire})
        credential = PasswordCredential(f"{ORIGIN}/ada/", USER, PASSWORD)
        return CalDav(http, clock).client(credential)
    apple = Apple(remote.http(), clock, AppleSettings())
    login = Login("", icloud_remote.PERSON, icloud_remote.PASSWORD)
    return apple.client(apple.verify(login)[0])


def stored(client: CalDavClient, remote: RadicaleRemote | ICloudRemote) -> list[RemoteEvent]:
    """Read the calendar anew."""
    return events_of(read(client, remote, None, WINDOW))


def times(event: RemoteEvent) -> tuple[datetime, datetime]:
    """Give when an event begins and ends."""
    assert event.start and event.end
    return event.start.at, event.end.at


class TestSave:
    """What is written comes back."""

    def test_client_is_a_writer(self, client: CalDavClient) -> None:
        assert isinstance(client, EventWriter)

    def test_created_event_is_there(
        self, client: CalDavClient, remote: RadicaleRemote | ICloudRemote
    ) -> None:
        draft = replace(
            DRAFT,
            summary="Gespräch, «früh»; 東京 " * 8,
            description="one\r\ntwo\\n;,\x00\x1b",
            location="Room 1; floor, 2",
            tzid="Europe/Berlin",
            transparent=True,
        )

        made = client.save(remote.calendar_id, draft, etag=None)

        (found,) = stored(client, remote)
        assert (made.remote_id, made.etag) == (found.remote_id, found.etag)
        assert (TUESDAY, TUESDAY + HOUR) == times(found)
        assert draft.summary.strip() == found.content.summary
        assert "one\ntwo\\n;," == found.content.description
        assert draft.location == found.content.location
        assert Busy.FREE is found.busy
        assert draft.uid == found.content.ical_uid

    def test_all_day(self, client: CalDavClient, remote: RadicaleRemote | ICloudRemote) -> None:
        day = datetime(2026, 11, 24, tzinfo=UTC)
        draft = replace(DRAFT, start=day, end=day, all_day=True, tzid="Europe/Berlin")

        client.save(remote.calendar_id, draft, etag=None)

        (found,) = stored(client, remote)
        assert found.all_day
        assert (day, day + timedelta(days=1)) == times(found)

    def test_changed_event_keeps_what_it_does_not_set(
        self, client: CalDavClient, remote: RadicaleRemote | ICloudRemote
    ) -> None:
        lines = (
            "DTSTART;TZID=Europe/Berlin:20261124T100000",
            "DTEND;TZID=Europe/Berlin:20261124T110000",
            "SUMMARY:Old",
            "SEQUENCE:4",
            "X-KEPT:yes",
            "CATEGORIES:A,B",
            "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:Ring\nTRIGGER:-PT5M\nEND:VALARM",
        )
        berlin = BERLIN.format(tzid="Europe/Berlin")
        path = remote.put("theirs.ics", wrap("-//T//EN", berlin, event("theirs", *lines)))
        (before,) = stored(client, remote)
        draft = replace(DRAFT, uid="theirs", remote_id=path, tzid="Europe/Berlin")

        made = client.save(remote.calendar_id, draft, etag=before.etag)

        (found,) = stored(client, remote)
        assert (path, made.etag, "Interview") == (
            found.remote_id,
            found.etag,
            found.content.summary,
        )
        assert before.etag != found.etag
        assert (TUESDAY, "Europe/Berlin") == found.start
        text = _text(remote, path)
        for kept in ("X-KEPT:yes", "CATEGORIES:A,B", "TRIGGER:-PT5M", "DESCRIPTION:Ring"):
            assert kept in text
        assert "SEQUENCE:5" in text

    def test_event_that_is_there_already(
        self, client: CalDavClient, remote: RadicaleRemote | ICloudRemote
    ) -> None:
        client.save(remote.calendar_id, DRAFT, etag=None)

        with pytest.raises(EditConflict):
            client.save(remote.calendar_id, replace(DRAFT, summary="Again"), etag=None)

        assert ["Interview"] == [e.content.summary for e in stored(client, remote)]

    def test_uid_that_is_there_under_another_name(
        self, client: CalDavClient, remote: RadicaleRemote | ICloudRemote
    ) -> None:
        client.save(remote.calendar_id, DRAFT, etag=None)
        other = replace(DRAFT, remote_id=f"{remote.calendar_id}other.ics")

        with pytest.raises(EditConflict):
            client.save(remote.calendar_id, other, etag=None)

    def test_event_that_changed_meanwhile(
        self, client: CalDavClient, remote: RadicaleRemote | ICloudRemote
    ) -> None:
        first = client.save(remote.calendar_id, DRAFT, etag=None)
        client.save(remote.calendar_id, replace(DRAFT, summary="Second"), etag=first.etag)

        with pytest.raises(EditConflict):
            client.save(remote.calendar_id, replace(DRAFT, summary="Third"), etag=first.etag)
        with pytest.raises(EditConflict):
            client.delete(remote.calendar_id, first.remote_id, etag=first.etag)

        assert ["Second"] == [e.content.summary for e in stored(client, remote)]

    def test_event_that_is_gone_has_changed(
        self, client: CalDavClient, remote: RadicaleRemote | ICloudRemote
    ) -> None:
        made = client.save(remote.calendar_id, DRAFT, etag=None)
        client.delete(remote.calendar_id, made.remote_id, etag=made.etag)

        with pytest.raises(EditConflict):
            client.save(remote.calendar_id, DRAFT, etag=made.etag)

        assert [] == stored(client, remote)

    @pytest.mark.parametrize(
        "lines",
        [
            ("RRULE:FREQ=DAILY;COUNT=2",),
            ("ORGANIZER:mailto:b@x.example", "ATTENDEE:mailto:c@x.example"),
        ],
    )
    def test_series_and_meetings_are_left_alone(
        self,
        client: CalDavClient,
        remote: RadicaleRemote | ICloudRemote,
        lines: tuple[str, ...],
    ) -> None:
        span = ("DTSTART:20261124T100000Z", "DTEND:20261124T110000Z")
        path = remote.put("theirs.ics", wrap("-//T//EN", event("theirs", *span, *lines)))
        (before,) = stored(client, remote)

        draft = replace(DRAFT, uid="theirs", remote_id=path)
        with pytest.raises(UserError, match="event_not_editable"):
            client.save(remote.calendar_id, draft, etag=before.etag)
        with pytest.raises(UserError, match="event_refused"):
            invites = replace(draft, attendees=(Attendee("bo@fabrikam.test"),))
            client.save(remote.calendar_id, invites, etag=before.etag)

        assert [before] == stored(client, remote)

    def test_server_that_gives_no_etag_is_asked(
        self, client: CalDavClient, remote: RadicaleRemote | ICloudRemote
    ) -> None:
        def silent(good: Response) -> Response:
            good.headers.pop("ETag", None)
            return good

        remote.faulty.add(silent, applies=lambda e: e["REQUEST_METHOD"] == "PUT")

        made = client.save(remote.calendar_id, DRAFT, etag=None)

        assert [made.etag] == [found.etag for found in stored(client, remote)]

    def test_missing_calendar(
        self, client: CalDavClient, remote: RadicaleRemote | ICloudRemote
    ) -> None:
        remote.delete_calendar()

        with pytest.raises(CalendarGone):
            client.save(remote.calendar_id, DRAFT, etag=None)

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            (401, AuthorizationLost),
            (403, PermissionMissing),
            (409, CalendarGone),
            (412, EditConflict),
            (413, ProtocolError),
            (423, RateLimited),
            (429, RateLimited),
            (500, ProviderUnavailable),
            (507, ProtocolError),
        ],
    )
    def test_refusals(
        self,
        client: CalDavClient,
        remote: RadicaleRemote | ICloudRemote,
        code: int,
        expected: type[BrokerError],
    ) -> None:
        remote.faulty.add(faults.status(code))

        with pytest.raises(expected):
            client.save(remote.calendar_id, DRAFT, etag=None)
        with pytest.raises(expected):
            client.delete(remote.calendar_id, f"{remote.calendar_id}x.ics", etag='"1"')


class TestDelete:
    """Gone is done."""

    def test_deleted_event_is_gone(
        self, client: CalDavClient, remote: RadicaleRemote | ICloudRemote
    ) -> None:
        made = client.save(remote.calendar_id, DRAFT, etag=None)

        client.delete(remote.calendar_id, made.remote_id, etag=made.etag)
        client.delete(remote.calendar_id, made.remote_id, etag=None)

        assert [] == stored(client, remote)

    def test_one_occurrence_is_not_deleted_by_itself(
        self, client: CalDavClient, remote: RadicaleRemote | ICloudRemote
    ) -> None:
        with pytest.raises(UserError, match="event_not_editable"):
            client.delete(remote.calendar_id, f"{remote.calendar_id}x.ics#20261124", etag=None)

    @pytest.mark.parametrize(
        ("status", "expected"), [(403, PermissionMissing), (200, None), (0, ProtocolError)]
    )
    def test_answer_in_parts(
        self,
        client: CalDavClient,
        remote: RadicaleRemote | ICloudRemote,
        status: int,
        expected: type[BrokerError] | None,
    ) -> None:
        body = (
            f'<multistatus xmlns="DAV:"><response><href>/x</href><status>HTTP/1.1 {status} X'
            "</status></response></multistatus>"
        )
        remote.faulty.add(faults.body(body.encode() if status else b"<html>"))

        def act() -> None:
            client.delete(remote.calendar_id, f"{remote.calendar_id}x.ics", etag='"1"')

        if expected is None:
            act()
        else:
            with pytest.raises(expected):
                act()


class TestICloud:
    """What only iCloud wants."""

    def test_nobody_is_mailed(self) -> None:
        remote = ICloudRemote(FixedClock(NOW))
        apple = Apple(remote.http(), remote.clock, AppleSettings())
        login = Login("", icloud_remote.PERSON, icloud_remote.PASSWORD)
        client = apple.client(apple.verify(login)[0])

        made = client.save(remote.calendar_id, DRAFT, etag=None)
        client.save(remote.calendar_id, replace(DRAFT, summary="B"), etag=made.etag)

        assert [] == remote.state.world.mails
        matches = [c.headers.get("If-Match") for c in remote.calls if c.method == "PUT"]
        assert [None, made.etag] == matches

    def test_write_follows_the_partition(self) -> None:
        remote = ICloudRemote(FixedClock(NOW))
        apple = Apple(remote.http(), remote.clock, AppleSettings())
        login = Login("", icloud_remote.PERSON, icloud_remote.PASSWORD)
        client = apple.client(apple.verify(login)[0])
        made = client.save(remote.calendar_id, DRAFT, etag=None)
        remote.ada.migrate(57)
        client = apple.client(client.dav.credential)

        client.delete(remote.calendar_id, made.remote_id, etag=made.etag)

        assert [] == stored(client, remote)

    def test_read_only_calendar(self) -> None:
        remote = ICloudRemote(FixedClock(NOW))
        apple = Apple(remote.http(), remote.clock, AppleSettings())
        login = Login("", icloud_remote.PERSON, icloud_remote.PASSWORD)
        client = apple.client(apple.verify(login)[0])
        closed = next(c for c in client.calendars() if c.read_only)

        with pytest.raises(PermissionMissing):
            client.save(closed.remote_id, DRAFT, etag=None)


TEXTS = st.text(max_size=300).map(str.strip)


@given(TEXTS, TEXTS, TEXTS)
def test_what_is_written_can_be_read(summary: str, description: str, location: str) -> None:
    draft = replace(DRAFT, summary=summary, description=description, location=location)

    for text in _both(draft):
        assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
        assert "\n" not in text.replace("\r\n", "")
        (found,) = read_object(Source("/x.ics", "1", text)).events
        assert _plain(summary) == found.content.summary
        assert _plain(description) == found.content.description
        assert (_plain(location) or None) == found.content.location
        assert DRAFT.start == times(found)[0]


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=400))
def test_folding_loses_nothing(text: str) -> None:
    assert text == folded(text).replace("\r\n ", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\n",
        "BEGIN:VCALENDAR\nBEGIN:VTODO\nEND:VTODO\nEND:VCALENDAR\n",
        wrap("x", event("1"), event("2")),
        wrap("x", event("1", "RECURRENCE-ID:20260101T000000Z")),
    ],
)
def test_what_is_no_single_event_is_not_changed(text: str) -> None:
    with pytest.raises(UserError):
        edited_object(text, DRAFT, NOW)


def _both(draft: EventDraft) -> Iterator[str]:
    text = new_object(draft, NOW)
    yield text
    yield edited_object(text, draft, NOW)


def _plain(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = (c for c in lines if c in "\n\t" or (c >= " " and c != "\x7f"))
    return "".join(kept).encode("utf-8", "replace").decode().strip()


def _text(remote: RadicaleRemote | ICloudRemote, path: str) -> str:
    if isinstance(remote, RadicaleRemote):
        return remote.text(path)
    return remote.ada.text(path.rpartition("/")[2], remote.lab)
