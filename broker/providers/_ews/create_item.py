"""CreateItem: an event of an application's."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from broker.domain import EventDraft
from broker.errors import ProtocolError
from broker.providers._ews import tag
from broker.providers._ews.drafts import fields_of, status_of
from broker.providers._ews.faults import PROVIDER, error_of, messages_of
from broker.providers._ews.guests import GROUPS, invited
from broker.providers._ews.markup import M, T, folder_id, id_of
from broker.providers._ews.session import Version

# The schema's order of what is written: an element out of order is refused.
_BEFORE_TAG = ("item:Subject", "item:Body")
_AFTER_STATUS = ("calendar:Location", *(group.path for group in GROUPS),
                 "calendar:MeetingTimeZone", "calendar:StartTimeZone",
                 "calendar:EndTimeZone")  # fmt: skip


@dataclass(frozen=True, slots=True)
class CreateItem:
    """Create an event from a draft. Whom it invites is told, and nobody else."""

    folder: str
    draft: EventDraft
    name: str = "CreateItem"

    def body(self, version: Version) -> str:
        """Write the request."""
        fields = {field.path: field.xml for field in fields_of(self.draft, version)}
        guests = invited(self.draft.attendees or ())
        fields |= {field.path: field.xml for field in guests}
        sending = "SendToAllAndSaveCopy" if guests else "SendToNone"
        status = status_of(self.draft.transparent)
        times = [xml for path, xml in fields.items() if path not in _BEFORE_TAG + _AFTER_STATUS]
        parts = [
            *(fields[path] for path in _BEFORE_TAG),
            tag.written(self.draft.uid),
            *times,
            status.xml,
            *(fields.get(path, "") for path in _AFTER_STATUS),
        ]
        return (
            f'<m:CreateItem SendMeetingInvitations="{sending}"><m:SavedItemFolderId>'
            f"{folder_id(self.folder)}</m:SavedItemFolderId><m:Items><t:CalendarItem>"
            f"{''.join(parts)}</t:CalendarItem></m:Items></m:CreateItem>"
        )

    def read(self, response: etree._Element) -> str:
        """Give the id of what was made."""
        message = next(messages_of(response), None)
        if message is not None and message.trouble is not None:
            raise error_of(message.trouble, self.name, 200)
        path = f"{M}Items/{T}CalendarItem/{T}ItemId"
        own = message.element.find(path) if message is not None else None
        if not (remote_id := id_of(own)):
            raise ProtocolError(PROVIDER, self.name, 200, detail="no item")
        return remote_id
