"""ResolveNames, GetRoomLists and GetRooms: whom a company's directory knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from broker.domain import Mailbox
from broker.errors import ProtocolError
from broker.providers._ews.faults import PROVIDER, error_of, messages_of, read_message
from broker.providers._ews.markup import M, T, element
from broker.providers._ews.meanings import Meaning
from broker.providers._ews.session import Version


@dataclass(frozen=True, slots=True)
class ResolveNames:
    """Ask who a name, or the beginning of one, may be; a hundred at the most are told."""

    entry: str
    name: str = "ResolveNames"

    def body(self, version: Version) -> str:
        """Write the request."""
        return (
            '<m:ResolveNames ReturnFullContactData="false">'
            f"{element('m:UnresolvedEntry', self.entry)}</m:ResolveNames>"
        )

    def read(self, response: etree._Element) -> list[Mailbox]:
        """Give whom the directory knows; a warning says that they are several."""
        message = next(messages_of(response), None)
        if message is None:
            raise ProtocolError(PROVIDER, self.name, 200, detail="no answer")
        if message.trouble is not None and not message.warning:
            if message.trouble.meaning is Meaning.NOBODY:
                return []
            raise error_of(message.trouble, self.name, 200)
        path = f"{M}ResolutionSet/{T}Resolution/{T}Mailbox"
        return _mailboxes(message.element.iterfind(path))


@dataclass(frozen=True, slots=True)
class GetRoomLists:
    """List the company's lists of rooms."""

    name: str = "GetRoomLists"

    def body(self, version: Version) -> str:
        """Write the request."""
        return "<m:GetRoomLists/>"

    def read(self, response: etree._Element) -> list[Mailbox]:
        """Give the lists."""
        trouble = read_message(response).trouble
        if trouble is not None:
            raise error_of(trouble, self.name, 200)
        return _mailboxes(response.iterfind(f"{M}RoomLists/{T}Address"))


@dataclass(frozen=True, slots=True)
class GetRooms:
    """List the rooms of one list, by its address."""

    list_address: str
    name: str = "GetRooms"

    def body(self, version: Version) -> str:
        """Write the request."""
        address = element("t:EmailAddress", self.list_address)
        return f"<m:GetRooms><m:RoomList>{address}</m:RoomList></m:GetRooms>"

    def read(self, response: etree._Element) -> list[Mailbox]:
        """Give the rooms; none of a list that is gone."""
        trouble = read_message(response).trouble
        if trouble is not None:
            if trouble.meaning is Meaning.NOBODY:
                return []
            raise error_of(trouble, self.name, 200)
        return _mailboxes(response.iterfind(f"{M}Rooms/{T}Room/{T}Id"))


def _mailboxes(found: Iterable[etree._Element]) -> list[Mailbox]:
    people = []
    for one in found:
        email = (one.findtext(f"{T}EmailAddress") or "").strip()
        if "@" in email and (one.findtext(f"{T}RoutingType") or "SMTP").upper() == "SMTP":
            people.append(Mailbox(email, one.findtext(f"{T}Name") or None))
    return people
