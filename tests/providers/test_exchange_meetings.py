"""Meetings in Exchange: who is told of what, against the sandbox and its schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from exchangelib import BASIC
from exchangelib.items import SEND_TO_NONE

from broker.addresses import AddressPolicy
from broker.clock import FixedClock
from broker.domain import Attendee, EventDraft, RemoteEvent, window_at
from broker.errors import EditConflict, UserError
from broker.http import Http
from broker.logins import PasswordCredential
from broker.providers._ews.delete_item import DeleteItem
from broker.providers._ews.get_item import GetItem
from broker.providers._ews.guests import Group, Whom, invited
from broker.providers._ews.markup import parse
from broker.providers._ews.update_item import UpdateItem
from broker.providers.base import EventWriter, FreeBusySource, PeopleFinder, RoomLister
from broker.providers.exchange import Exchange, ExchangeClient
from sandbox.exchange.seed import GRACE, PASSWORD, ROOM
from sandbox.exchange.soap import tag
from tests.providers.contract import HOUR, NOW, TUESDAY
from tests.providers.ews_samples import NAMESPACES, item
from tests.providers.exchange_remote import ExchangeRemote
from tests.sandbox.exchange_client import company

BO, CY = "bo@fabrikam.test", "cy@fabrikam.test"
DRAFT = EventDraft("app1/7@calbroker", "Review", TUESDAY, TUESDAY + HOUR)


@pytest.fixture(params=["", "Exchange2007_SP1"])
def remote(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ExchangeRemote]:
    made = ExchangeRemote(tmp_path, FixedClock(NOW))
    if request.param:
        made.faults.set(None, "version", style=request.param)
    yield made
    made.close()


@pytest.fixture
def client(remote: ExchangeRemote) -> ExchangeClient:
    return Exchange(remote.http(), remote.clock).client(remote.credential("Basic"))


def people(*emails: str) -> tuple[Attendee, ...]:
    return tuple(Attendee(email, email.partition("@")[0].title()) for email in emails)


def mails(remote: ExchangeRemote) -> list[tuple[str, str]]:
    """Give what was sent since the last look, and to whom."""
    sent = sorted((mail.method, mail.recipient) for mail in remote.state.world.mails)
    remote.state.world.mails.clear()
    return sent


def guests_of(event: RemoteEvent) -> set[str]:
    return {person.email for person in event.content.attendees}


def test_everybody_is_told_what_concerns_them(
    client: ExchangeClient, remote: ExchangeRemote
) -> None:
    def save(draft: EventDraft, held: RemoteEvent | None = None) -> RemoteEvent:
        etag = held.etag if held else None
        return client.save(remote.calendar_id, draft, etag=etag)

    draft = replace(DRAFT, attendees=people(GRACE, BO))
    made = save(draft)
    assert {GRACE, BO} == guests_of(made)
    assert [("REQUEST", BO), ("REQUEST", GRACE)] == mails(remote)

    draft = replace(draft, remote_id=made.remote_id, start=TUESDAY + HOUR, end=TUESDAY + 2 * HOUR)
    moved = save(draft, made)
    assert [("REQUEST", BO), ("REQUEST", GRACE)] == mails(remote)

    # Who comes and who no longer does concerns nobody else.
    draft = replace(draft, attendees=people(GRACE, CY))
    changed = save(draft, moved)
    assert {GRACE, CY} == guests_of(changed)
    assert [("CANCEL", BO), ("REQUEST", CY)] == mails(remote)

    client.delete(remote.calendar_id, changed.remote_id, etag=changed.etag)
    assert [("CANCEL", CY), ("CANCEL", GRACE)] == mails(remote)


def test_an_event_becomes_a_meeting_and_one_again(
    client: ExchangeClient, remote: ExchangeRemote
) -> None:
    made = client.save(remote.calendar_id, DRAFT, etag=None)
    assert [] == mails(remote)
    draft = replace(DRAFT, remote_id=made.remote_id, attendees=people(GRACE))
    met = client.save(remote.calendar_id, draft, etag=made.etag)
    assert [("REQUEST", GRACE)] == mails(remote)
    alone = client.save(remote.calendar_id, replace(draft, attendees=()), etag=met.etag)
    assert [("CANCEL", GRACE)] == mails(remote) and not guests_of(alone)


@pytest.mark.parametrize("attendees", [None, (), people(BO)])
def test_a_meeting_of_somebody_elses_is_theirs(
    client: ExchangeClient, remote: ExchangeRemote, attendees: Sequence[Attendee] | None
) -> None:
    grace = tag("Name", "Grace") + tag("EmailAddress", GRACE)
    theirs = remote.add(
        tag("Subject", "Theirs") + tag("Start", TUESDAY.isoformat())
        + tag("End", (TUESDAY + HOUR).isoformat())
        + "<t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>ada@corp.calbroker.test"
        "</t:EmailAddress></t:Mailbox></t:Attendee></t:RequiredAttendees>"
    )  # fmt: skip
    (held,) = remote.lab.items.values()
    held.fields["Organizer"] = f"<t:Organizer><t:Mailbox>{grace}</t:Mailbox></t:Organizer>"
    held.fields["MyResponseType"] = tag("MyResponseType", "Accept")
    pages = client.changes(remote.calendar_id, None, window_at(NOW))
    etag = next(event.etag for page in pages for event in page.events)

    draft = replace(DRAFT, remote_id=theirs, attendees=attendees)
    with pytest.raises(UserError) as raised:
        client.save(remote.calendar_id, draft, etag=etag)
    assert "event_not_editable" == raised.value.code
    client.delete(remote.calendar_id, theirs, etag=etag)
    assert [] == mails(remote) and not remote.lab.items


def test_a_change_in_the_last_moment_is_a_conflict(
    client: ExchangeClient, remote: ExchangeRemote
) -> None:
    """Between our look and our write somebody else wrote: the change key tells."""
    made = client.save(remote.calendar_id, replace(DRAFT, attendees=people(BO)), etag=None)
    remote.move_event(made.remote_id, TUESDAY + HOUR, TUESDAY + 2 * HOUR)
    mails(remote)

    for operation in (
        DeleteItem(made.remote_id, made.etag, cancels=True),
        UpdateItem(made.remote_id, made.etag, DRAFT, whom=Whom.ALL),
    ):
        with pytest.raises(EditConflict):
            client.session.call(operation)
    assert [] == mails(remote)
    assert made.remote_id in client.session.call(GetItem((made.remote_id,))).items


def test_somebody_elses_client_sees_the_same_meeting(tmp_path: Path) -> None:
    """exchangelib reads who is invited, and what it changes is a conflict for us."""
    with company(tmp_path) as corp:
        clock = FixedClock(NOW)
        http = Http(clock, policy=AddressPolicy(["127.0.0.1/32"]), ca_file=corp.ca_file)
        login = PasswordCredential(corp.url, "CORP\\ada", PASSWORD, dialect="Basic")
        client = Exchange(http, clock).client(login)
        calendar = next(one.remote_id for one in client.calendars() if one.primary)
        draft = replace(DRAFT, attendees=people(BO, CY))
        made = client.save(calendar, draft, etag=None)
        draft = replace(draft, remote_id=made.remote_id, attendees=people(BO))
        made = client.save(calendar, draft, etag=made.etag)

        found = corp.account(auth=BASIC).calendar.get(subject="Review")
        assert [(BO, "Bo")] == [
            (one.mailbox.email_address, one.mailbox.name) for one in found.required_attendees
        ]
        assert (made.remote_id, made.etag) == (found.id, found.changekey)
        found.location = "Room 4"
        found.save(update_fields=["location"], send_meeting_invitations=SEND_TO_NONE)
        with pytest.raises(EditConflict):
            client.save(calendar, draft, etag=made.etag)
        with pytest.raises(EditConflict):
            client.delete(calendar, made.remote_id, etag=made.etag)


@pytest.mark.parametrize("email", ["", "bo", "/o=Contoso/cn=bo"])
def test_nobody_is_invited_without_a_mail_address(
    client: ExchangeClient, remote: ExchangeRemote, email: str
) -> None:
    with pytest.raises(UserError) as raised:
        client.save(remote.calendar_id, replace(DRAFT, attendees=(Attendee(email),)), etag=None)
    assert "event_refused" == raised.value.code and not remote.lab.items


def test_who_is_invited_stays_in_their_list() -> None:
    """Rooms stay rooms, and people whom only Exchange can name are not put out."""

    def attendee(email: str, routing: str = "SMTP") -> str:
        inside = f"<t:EmailAddress>{email}</t:EmailAddress><t:RoutingType>{routing}</t:RoutingType>"
        return f"<t:Attendee><t:Mailbox>{inside}</t:Mailbox></t:Attendee>"

    lists = (
        f"<t:RequiredAttendees>{attendee('/o=X/cn=dee', 'EX')}</t:RequiredAttendees>"
        f"<t:OptionalAttendees>{attendee(BO)}</t:OptionalAttendees>"
        f"<t:Resources>{attendee(ROOM)}</t:Resources>"
    )
    (held,) = parse(f"<r {NAMESPACES}>{item(lists)}</r>".encode())

    assert [] == invited(people(BO.upper(), ROOM), held)
    (field,) = invited(people(CY, BO, ROOM), held)
    assert Group.REQUIRED.path == field.path
    assert "/o=X/cn=dee" in field.xml and CY in field.xml and BO not in field.xml
    without = {field.path: field.xml for field in invited((), held)}
    assert {Group.OPTIONAL.path: "", Group.RESOURCES.path: ""} == without
    assert "&lt;Bo&gt;" in invited((Attendee(BO, "<Bo>"),))[0].xml


def test_what_a_client_can_do_is_told_by_its_kind(client: ExchangeClient) -> None:
    for capability in (EventWriter, FreeBusySource, PeopleFinder, RoomLister):
        assert isinstance(client, capability)
