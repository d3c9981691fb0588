"""UpdateItem: some properties of an event, if nobody has changed it since."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from broker.domain import EventDraft
from broker.errors import ProtocolError
from broker.providers._ews.drafts import Field, fields_of, status_of
from broker.providers._ews.faults import PROVIDER, error_of, messages_of
from broker.providers._ews.guests import Whom
from broker.providers._ews.markup import item_id
from broker.providers._ews.session import Version


@dataclass(frozen=True, slots=True)
class UpdateItem:
    """Make an event like a draft, and tell *whom*.

    *sets_status* says whether it takes time now; None leaves that as it is, so that somebody's
    "out of office" stays what it is. *guests* are the lists of people that change.
    """

    remote_id: str
    change_key: str
    draft: EventDraft
    sets_status: bool | None = None
    guests: tuple[Field, ...] = ()
    whom: Whom = Whom.NOBODY
    name: str = "UpdateItem"

    def body(self, version: Version) -> str:
        """Write the request."""
        fields = [*fields_of(self.draft, version), *self.guests]
        if self.sets_status is not None:
            fields.append(status_of(self.sets_status))
        return (
            '<m:UpdateItem ConflictResolution="NeverOverwrite" MessageDisposition="SaveOnly"'
            f' SendMeetingInvitationsOrCancellations="{self.whom}"><m:ItemChanges>'
            f"<t:ItemChange>{item_id(self.remote_id, self.change_key)}<t:Updates>"
            f"{''.join(map(_update, fields))}</t:Updates></t:ItemChange></m:ItemChanges>"
            "</m:UpdateItem>"
        )

    def read(self, response: etree._Element) -> None:
        """See that it was done. Raises EditConflict when the event has changed."""
        message = next(messages_of(response), None)
        if message is None:
            raise ProtocolError(PROVIDER, self.name, 200, detail="no answer")
        if message.trouble is not None:
            raise error_of(message.trouble, self.name, 200)


def _update(field: Field) -> str:
    path = f'<t:FieldURI FieldURI="{field.path}"/>'
    if not field.xml:
        return f"<t:DeleteItemField>{path}</t:DeleteItemField>"
    item = f"<t:CalendarItem>{field.xml}</t:CalendarItem>"
    return f"<t:SetItemField>{path}{item}</t:SetItemField>"
