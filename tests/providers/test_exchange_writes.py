"""Writing events to Exchange, against the sandbox, whose schema is as strict as the real one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.clock import FixedClock
from broker.domain import Busy, EventDraft, Moment, RemoteEvent, window_at
from broker.errors import CalendarGone, EditConflict, PermissionMissing, UserError
from broker.providers._ews.drafts import windows_name
from broker.providers.base import EventWriter
from broker.providers.exchange import Exchange, ExchangeClient
from sandbox.exchange.soap import tag
from tests.providers.contract import HOUR, NOW, TUESDAY
from tests.providers.ews_mailbox import Mailbox, single
from tests.providers.ews_samples import answer, error, message
from tests.providers.exchange_remote import ExchangeRemote

DRAFT = EventDraft(
    uid="app1/42@calbroker",
    summary='Interview <b> & "drums" \x0b',
    start=TUESDAY,
    end=TUESDAY + HOUR,
    description="Line one\nLine two",
    location="Room 4",
    tzid="Europe/Oslo",
)
DAY = timedelta(days=1)


@pytest.fixture(params=["", "Exchange2007_SP1"])
def remote(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ExchangeRemote]:
    made = ExchangeRemote(tmp_path, FixedClock(NOW))
    if request.param:
        made.faults.set(None, "version", style=request.param)
    yield made
    made.close()


@pytest.fixture
def client(remote: ExchangeRemote) -> ExchangeClient:
    return Exchange(remote.http(), remote.clock).client(remote.credential())


def save(
    client: ExchangeClient, remote: ExchangeRemote, draft: EventDraft, etag: str | None = None
) -> RemoteEvent:
    assert isinstance(client, EventWriter)
    return client.save(remote.calendar_id, draft, etag=etag)


def read(client: ExchangeClient, remote: ExchangeRemote) -> dict[str, RemoteEvent]:
    pages = client.changes(remote.calendar_id, None, window_at(NOW))
    return {event.remote_id: event for page in pages for event in page.events}


def test_an_event_is_created_as_it_was_meant(
    client: ExchangeClient, remote: ExchangeRemote
) -> None:
    made = save(client, remote, DRAFT)

    assert made == read(client, remote)[made.remote_id]
    assert (TUESDAY, TUESDAY + HOUR) == (made.start and made.start.at, made.end and made.end.at)
    content = made.content
    assert ('Interview <b> & "drums" ', "Line one\nLine two", "Room 4") == (
        content.summary,
        content.description,
        content.location,
    )
    assert Busy.BUSY is made.busy
    assert [] == remote.state.world.mails


def test_an_event_of_days_is_of_those_days(client: ExchangeClient, remote: ExchangeRemote) -> None:
    first = datetime(2026, 11, 24, tzinfo=UTC)
    for tzid in ("Europe/Berlin", "America/Los_Angeles", None):
        draft = replace(DRAFT, uid=f"d-{tzid}", start=first, end=first + 2 * DAY, all_day=True)
        made = save(client, remote, replace(draft, tzid=tzid))
        assert made.all_day
        assert (Moment(first), Moment(first + 2 * DAY)) == (made.start, made.end)


def test_an_event_is_created_once(client: ExchangeClient, remote: ExchangeRemote) -> None:
    save(client, remote, DRAFT)
    with pytest.raises(EditConflict):
        save(client, remote, DRAFT)
    assert 1 == len(read(client, remote))


def test_an_event_is_changed_while_it_is_as_it_was(
    client: ExchangeClient, remote: ExchangeRemote
) -> None:
    made = save(client, remote, DRAFT)
    later = replace(
        DRAFT,
        remote_id=made.remote_id,
        summary="Later",
        start=TUESDAY + DAY,
        end=TUESDAY + DAY + HOUR,
        location=None,
        transparent=True,
    )
    changed = save(client, remote, later, made.etag)

    assert ("Later", None, Busy.FREE) == (
        changed.content.summary,
        changed.content.location,
        changed.busy,
    )
    assert changed.start is not None and TUESDAY + DAY == changed.start.at
    assert changed.etag != made.etag and changed.remote_id == made.remote_id
    with pytest.raises(EditConflict):
        save(client, remote, later, made.etag)
    # Without an id its own tag finds it.
    again = save(client, remote, replace(later, remote_id=None, summary="Again"), changed.etag)
    assert ("Again", made.remote_id) == (again.content.summary, again.remote_id)


def test_a_status_of_the_persons_own_stays(client: ExchangeClient, remote: ExchangeRemote) -> None:
    span = tag("Start", TUESDAY.isoformat()) + tag("End", (TUESDAY + HOUR).isoformat())
    own = remote.add(tag("Subject", "Away") + span + tag("LegacyFreeBusyStatus", "OOF"))
    held = read(client, remote)[own]
    changed = save(client, remote, replace(DRAFT, remote_id=own), held.etag)
    assert Busy.OUT_OF_OFFICE is changed.busy


def test_what_is_gone_or_not_ours_to_change_is_not_changed(
    client: ExchangeClient, remote: ExchangeRemote
) -> None:
    made = save(client, remote, DRAFT)
    remote.delete_event(made.remote_id)
    for remote_id in (made.remote_id, None, "<x/>"):
        with pytest.raises(EditConflict):
            save(client, remote, replace(DRAFT, remote_id=remote_id), made.etag)

    series = remote.add_series("Weekly", TUESDAY, TUESDAY + HOUR, count=3)
    meeting = remote.add(
        tag("Subject", "Meeting")
        + tag("Start", TUESDAY.isoformat())
        + tag("End", (TUESDAY + HOUR).isoformat())
        + "<t:RequiredAttendees><t:Attendee><t:Mailbox>"
        "<t:EmailAddress>bo@fabrikam.test</t:EmailAddress></t:Mailbox></t:Attendee>"
        "</t:RequiredAttendees>"
    )
    held = read(client, remote)
    for remote_id in (series, meeting):
        with pytest.raises(UserError) as raised:
            save(client, remote, replace(DRAFT, remote_id=remote_id), held[remote_id].etag)
        assert "event_not_editable" == raised.value.code
    with pytest.raises(UserError):
        client.delete(remote.calendar_id, f"{series}#20261124T130000Z", etag=None)


def test_an_event_is_deleted_once_and_gone_is_done(
    client: ExchangeClient, remote: ExchangeRemote
) -> None:
    made = save(client, remote, DRAFT)
    with pytest.raises(EditConflict):
        client.delete(remote.calendar_id, made.remote_id, etag="AAAA")
    client.delete(remote.calendar_id, made.remote_id, etag=made.etag)
    client.delete(remote.calendar_id, made.remote_id, etag=made.etag)
    client.delete(remote.calendar_id, made.remote_id, etag=None)

    assert {} == read(client, remote)
    assert [] == remote.state.world.mails


def test_a_calendar_that_is_gone_or_read_only_takes_nothing(
    client: ExchangeClient, remote: ExchangeRemote
) -> None:
    birthdays = next(one for one in client.calendars() if one.read_only)
    with pytest.raises(PermissionMissing):
        client.save(birthdays.remote_id, DRAFT, etag=None)
    remote.delete_calendar()
    with pytest.raises(CalendarGone):
        save(client, remote, DRAFT)


def test_an_event_that_makes_no_sense_is_refused(
    client: ExchangeClient, remote: ExchangeRemote
) -> None:
    with pytest.raises(UserError) as raised:
        save(client, remote, replace(DRAFT, end=TUESDAY - HOUR))
    assert "event_refused" == raised.value.code


@pytest.mark.parametrize("operation", ["CreateItem", "UpdateItem"])
@pytest.mark.parametrize("code", ["ErrorTimeZone", "ErrorCalendarInvalidTimeZone"])
def test_a_zone_that_the_server_does_not_know_is_left_out(operation: str, code: str) -> None:
    mailbox = Mailbox({"A1": single("A1")})

    def old(body: bytes) -> bytes:
        if b"W. Europe" in body:
            return error(operation, code)
        return answer(operation, message(operation, f"<m:Items>{single('A1')}</m:Items>"))

    nothing = answer("FindItem", message("FindItem", "<m:RootFolder><t:Items/></m:RootFolder>"))
    mailbox.instead = {"FindItem": lambda _: nothing, operation: old}
    etag = "KeyA1" if operation == "UpdateItem" else None
    draft = replace(DRAFT, tzid="Europe/Berlin", remote_id="A1")
    made = mailbox.client().save("AAA=", draft, etag=etag)

    assert "A1" == made.remote_id
    said = [body for name, body in mailbox.asked if name == operation]
    assert [True, False] == [b"W. Europe" in body for body in said]
    assert b'<t:StartTimeZone Id="UTC"/>' in said[1] and b"13:00:00Z" in said[1]


def test_windows_names() -> None:
    assert "W. Europe Standard Time" == windows_name("Europe/Berlin")
    assert "UTC" == windows_name("Etc/UTC")
    assert windows_name("Europe/Oslo") in {"W. Europe Standard Time", "Romance Standard Time",
                                           "Central Europe Standard Time",
                                           "Central European Standard Time"}  # fmt: skip
    assert windows_name("Nowhere/Land") is None
